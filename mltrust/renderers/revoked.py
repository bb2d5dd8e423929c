"""What `key revoke` did, for people and programs."""

from collections.abc import Sequence

from mltrust.core.names import printable, shown
from mltrust.core.revocations import Revocation
from mltrust.renderers.json_v1 import document
from mltrust.renderers.styled import Text


def revoked(entries: Sequence[Revocation], path: str, *, as_json: bool) -> "Text | str":
    """Render the entries of a list as they stand in it now."""
    if as_json:
        return document("revoked", {"list": path, "revocations": [entry.to_json() for entry in entries]})
    lines = [Text.assemble(("REVOKED", "bold red"), f"  in {shown(path)}")]
    for entry in entries:
        why = f"  {printable(entry.reason)}" if entry.reason else ""
        lines.append(Text(f"  since {entry.since}  {shown(entry.key)}{why}"))
    return Text.lines(lines)
