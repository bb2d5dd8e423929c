"""What is left out of an artifact: gitignore patterns, always visible in the seal."""

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mltrust.errors import ArtifactError, UsageError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

SEAL_NAME = "mltrust.seal.json"
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
_STARS = re.compile(r"\*+")
_ACROSS = re.compile(r"(?:(?<=/)|^)\*\*(?=/|$)")
_LITERAL = re.compile(r"/[^*?\[\]\\!#]*[^*?\[\]\\!# /]")
_PREFIX = re.compile(r"/[^*?\[\]\\!#/]+\*")


class Exclusions:
    """Decides by the path inside the artifact whether a file or folder is left out.

    Patterns are those of gitignore, without negation: what is excluded stays excluded. A plain
    `/path` or `/prefix*` is looked up directly, since the default patterns meet every file of every artifact.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        for pattern in patterns:
            _check(pattern)
        if len(patterns) > MAX_PATTERNS:
            raise UsageError(f"{len(patterns)} patterns to exclude, at most {MAX_PATTERNS} are allowed")
        if len(_STARS.findall("\n".join(patterns))) > _MAX_STARS_IN_ALL:
            raise UsageError(f"the patterns to exclude have more than {_MAX_STARS_IN_ALL} stars in all")
        self._paths = {pattern[1:] for pattern in patterns if _LITERAL.fullmatch(pattern)}
        self._prefixes = tuple(pattern[1:-1] for pattern in patterns if _PREFIX.fullmatch(pattern))
        plain = (_LITERAL, _PREFIX)
        rest = [pattern for pattern in patterns if not any(form.fullmatch(pattern) for form in plain)]
        self._spec = _compiled(rest) if rest else None

    def reaches(self, prefix: str) -> bool:
        """Tell whether anything directly below the folder `prefix` ("" or with a slash at its end) may be left out."""
        return not prefix or self._spec is not None or any(path.startswith(prefix) for path in self._paths)

    def leaves_out(self, path: str, *, folder: bool) -> bool:
        """Tell what `match` does, and refuse a folder that would be left out because a file of ours has its name."""
        out = self.match(path, folder=folder)
        if out and folder and path.startswith(_OURS):
            raise ArtifactError(path, "a folder stands where a file of mltrust belongs")
        return out

    def match(self, path: str, *, folder: bool) -> bool:
        """Tell whether `path` is left out; a folder takes everything below it along."""
        if path in self._paths or (path.startswith(self._prefixes) and "/" not in path):
            return True
        return self._spec is not None and self._spec.match_file(f"{path}/" if folder else path)


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
