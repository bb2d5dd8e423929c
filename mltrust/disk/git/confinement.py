"""What confines a git: its options and its environment.

Whoever wrote the repository, its configuration included, may be hostile. Commands that stay on this machine run with:

- no hooks, no file system monitor, no pager, no automatic maintenance, no password program of the repository's;
- no transport at all (`GIT_ALLOW_PROTOCOL`): a repository that claims to be a partial clone would else have git fetch
  missing objects from a remote whose URL is a command;
- no replace objects, grafts or commit graph: what git says of history is what the objects say;
- bounded memory: large files are streamed, and an object that needs more than its share ends git.

Commands that talk to a remote the caller named may use file, git, http, https and ssh. For them the repository's
configuration is trusted where it says how to get there: the URL, `core.sshCommand`, credential helpers and `http.*`.

Variables that lead git to another repository, as those git sets for hooks, are taken out of its environment, unless
the caller gives them.
"""

import os
from collections.abc import Collection

OPTIONS = (
    "--no-pager",
    "--no-replace-objects",
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.commitGraph=false"),
    *("-c", "core.askPass="),
    *("-c", "core.alternateRefsCommand=true"),
    *("-c", "core.warnAmbiguousRefs=false"),
    *("-c", "core.fsync=all"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "core.bigFileThreshold=16m"),
    *("-c", "core.deltaBaseCacheLimit=16m"),
    *("-c", "pack.windowMemory=64m"),
    *("-c", "pack.deltaCacheSize=16m"),
    *("-c", "pack.window=10"),
    *("-c", "pack.depth=50"),
    *("-c", "pack.threads=2"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
)
LEADING = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_NAMESPACE"),
    *("GIT_QUARANTINE_PATH", "GIT_REPLACE_REF_BASE", "GIT_DEFAULT_HASH"),
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_COMMITTER_NAME": "mltrust",
    "GIT_COMMITTER_EMAIL": "mltrust@localhost",
    "LC_ALL": "C",
}
READING_MEMORY, WORKING_MEMORY = "64m", "256m"  # for one piece of memory
NO_TRANSPORT, TRANSPORTS = "none", "file:git:http:https:ssh"


def prefix(given: Collection[str]) -> list[str]:
    """Return the words before `git`: GitPython passes on the whole environment and can only add to it."""
    left = [name for name in LEADING if name not in given]
    return [] if os.name == "nt" else ["env", *(word for name in left for word in ("-u", name))]


def environment(transports: str, memory: str) -> dict[str, str]:
    """Return what is set for a git that may use these transports, and as much memory at once."""
    return {**_ENVIRONMENT, "GIT_ALLOC_LIMIT": memory, "GIT_ALLOW_PROTOCOL": transports}
