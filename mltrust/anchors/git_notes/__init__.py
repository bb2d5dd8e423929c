"""Records in the notes of a git repository: signed lines that stand beside a committed seal and travel with git.

`record` (a line and its signature), `notes` (the tree they stand in), `history` (what was ever there), `judgement`
(what that means), `memory` (what was seen before); `process`, `objects`, `repository` and `remote` are all of git
that is used.
"""

from mltrust.anchors.git_notes.anchor import GitNotesAnchor

__all__ = ["GitNotesAnchor"]
