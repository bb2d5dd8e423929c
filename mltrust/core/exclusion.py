"""What is left out of an artifact: gitignore patterns, always visible in the seal."""

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mltrust.core.names import check_path
from mltrust.errors import ArtifactError, FormatError, UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

SEAL_NAME = "mltrust.seal.json"
SEAL_ENDING = ".seal.json"  # after the name of the file it is kept beside
SALTS_NAME = "mltrust.seal.salts"
RECORDS_NAME = "mltrust.seal.records"
ERASURES_NAME = "mltrust.seal.erasures.json"
# A write that was killed may leave such a file beside the seal; it must not read as an added one.
TEMP_PREFIX = ".mltrust-tmp-"

# Hidden files, .gitattributes and __pycache__ (planted bytecode runs) are content: they stay in.
DEFAULT_EXCLUDE = ("/.git", "/.cache/huggingface", "/.dvc/cache", "/.dvc/tmp", f"/{SEAL_NAME}", f"/{TEMP_PREFIX}*")
_OURS = (SEAL_NAME, SALTS_NAME, RECORDS_NAME, ERASURES_NAME, TEMP_PREFIX)

MAX_PATTERNS = 256
# Patterns come from seals too. Each run of stars multiplies the work of a match, and one across folders by the depth
# of the path; so few keep it small. A pattern without a slash is looked for at every depth, as if after `**/`.
_MAX_STARS = 3
_MAX_STARS_IN_ALL = 64
_SLASH = re.compile("/")
_STARS = re.compile(r"\*+")
_ACROSS = re.compile(r"(?:(?<=/)|^)\*\*(?=/|$)")
_PREFIX = re.compile(r"/[^*?\[\]\\!#/]+\*")
_WILD = re.compile(r"[*?\[\]\\!# ]")
_ESCAPED = re.compile(r"/(?:[^*?\[\]\\!#]|\\.)*(?:[^*?\[\]\\!# /]|\\.)")


class Exclusions:
    """Decides by the path inside the artifact whether a file or folder is left out.

    Patterns are those of gitignore, without negation: what is excluded stays excluded. A plain
    `/path` or `/prefix*` is looked up directly, since the default patterns meet every file of every artifact. So paths
    cost nothing, and there may be as many as there are; for others, the limits of `check_patterns` hold.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        paths = {pattern: plain_path(pattern) for pattern in patterns}
        self._paths = {path for path in paths.values() if path is not None}
        self._above = {path[: found.end()] for path in self._paths for found in _SLASH.finditer(path)}
        rest = [pattern for pattern, path in paths.items() if path is None]
        check_patterns(rest)
        self._prefixes = tuple(pattern[1:-1] for pattern in rest if _PREFIX.fullmatch(pattern))
        rest = [pattern for pattern in rest if not _PREFIX.fullmatch(pattern)]
        self._spec = _compiled(rest) if rest else None

    def reaches(self, prefix: str) -> bool:
        """Tell whether anything directly below the folder `prefix` ("" or with a slash at its end) may be left out."""
        return not prefix or self._spec is not None or prefix in self._above

    def leaves_out(self, path: str, *, folder: bool) -> bool:
        """Tell what `match` does, and refuse a folder that would be left out because a file of ours has its name."""
        out = self.match(path, folder=folder)
        if out and folder and path.startswith(_OURS):
            raise ArtifactError(path, "a folder stands where a file of mltrust belongs")
        return out

    def folder_above(self, path: str) -> str:
        """Return the uppermost folder above `path` that is left out; nothing if none is."""
        end = path.find("/")
        while end >= 0:
            folder = path[:end]
            if folder and self.leaves_out(folder, folder=True):
                return folder
            end = path.find("/", end + 1)
        return ""

    def match(self, path: str, *, folder: bool) -> bool:
        """Tell whether `path` is left out; a folder takes everything below it along."""
        if path in self._paths or (path.startswith(self._prefixes) and "/" not in path):
            return True
        return self._spec is not None and self._spec.match_file(f"{path}/" if folder else path)


def path_pattern(path: str) -> str:
    """Return the pattern that stands for one path, and what is below it."""
    return "/" + _WILD.sub(r"\\\g<0>", path)


def plain_path(pattern: str) -> str | None:
    """Return the one path that a pattern such as `/path` stands for; None if it may stand for several."""
    if not _ESCAPED.fullmatch(pattern):
        return None
    try:
        return check_path(re.sub(r"\\(.)", r"\1", pattern[1:]), "pattern")
    except FormatError:
        return None


def check_patterns(patterns: Sequence[str]) -> None:
    """Raise `UsageError` for what is no pattern, or above the limits of what a seal may leave out."""
    for pattern in patterns:
        _check(pattern)
    if len(patterns) > MAX_PATTERNS:
        raise UsageError(f"{len(patterns)} patterns to exclude, at most {MAX_PATTERNS} are allowed")
    if len(_STARS.findall("\n".join(patterns))) > _MAX_STARS_IN_ALL:
        raise UsageError(f"the patterns to exclude have more than {_MAX_STARS_IN_ALL} stars in all")


def _compiled(patterns: Sequence[str]) -> "GitIgnoreSpec":
    """Compile `patterns`; a set such as `[z-a]` or `[[]` that regular expressions stumble over is refused."""
    from pathspec import GitIgnoreSpec  # only now: the default patterns do without, and most artifacts with them

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            return GitIgnoreSpec.from_lines(patterns)
    except (ValueError, re.error, FutureWarning) as error:
        raise UsageError(f"not a pattern to exclude: {ascii(str(error))[1:-1][:160]}") from error


def _check(pattern: str) -> None:
    if not pattern.strip() or pattern[0] in "!#" or not pattern.isprintable() or len(pattern) > MAX_PATTERNS:
        raise UsageError(
            f"{ascii(pattern)[:80]} is not a pattern to exclude",
            hint="Use gitignore patterns such as '*.log' or '/runs'; negation is not supported.",
        )
    runs = _STARS.findall(pattern)
    if len(runs) > _MAX_STARS:
        raise UsageError(f"pattern {ascii(pattern)[:80]} has more than {_MAX_STARS} stars")
    if any(len(run) > 1 for run in _STARS.findall(_ACROSS.sub("", pattern))):
        raise UsageError(f"pattern {ascii(pattern)[:80]} has stars side by side", hint="Write '*', or '/**/'.")
    across = len(_ACROSS.findall(pattern))
    if across > 1 or (len(runs) == _MAX_STARS and (across or "/" not in pattern[:-1])):
        raise UsageError(
            f"pattern {ascii(pattern)[:80]} has too many stars for one that reaches across folders",
            hint="Use '**' once, with one '*' beside it; or begin with '/'.",
        )
