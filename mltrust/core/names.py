"""Names from outside: what may be one, and how one is shown.

A name (of a file, a tensor, a subject) is hostile text. Inside mltrust it travels as it is; a path is
checked once where it enters, and whatever reaches a person or a machine's log passes `shown` first.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from mltrust.errors import FormatError

MAX_NAME_BYTES = 4096
FEW = 5

_ODD_PART = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)")

_COMMAND = re.compile(r"^\s*::|##(?=[A-Za-z.]*\[)")
# Commands of CI services in any line, what moves a cursor or begins a line, and what turns text around.
_OBEYED = re.compile(
    r"(?m:^\s*::)|##[A-Za-z.]*\[|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)

# Letters and marks that Unicode calls ignorable: they are not of a control or format category, and yet unseen.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_VARIATIONS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def check_text(name: str, where: str) -> str:
    """Return `name` if it is valid Unicode of at most 4096 UTF-8 bytes, else raise `FormatError`."""
    if len(name) <= MAX_NAME_BYTES and name.isascii():
        return name
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise FormatError(where, f"name {ascii(name)[:80]} is not valid UTF-8") from error
    if size > MAX_NAME_BYTES:
        raise FormatError(where, f"name of {size} bytes, at most {MAX_NAME_BYTES} are allowed")
    return name


def check_path(path: str, where: str) -> str:
    """Return `path` if it is a relative POSIX path without empty, `.` or `..` parts, else raise `FormatError`."""
    check_text(path, where)
    if "\0" in path or _ODD_PART.search(path):
        raise FormatError(where, f"{ascii(path)[:80]} is not a plain relative path")
    return path


def are_paths(names: Sequence[str]) -> bool:
    """Tell whether `check_path` takes all `names`; False also if one has over a quarter of the length it allows."""
    together = "/" + "/".join(names) + "/"
    short = max(map(len, names), default=0) <= MAX_NAME_BYTES // 4  # in characters, whatever they are
    return short and not any(odd in together for odd in ("//", "/./", "/../", "\0"))


def sort_key(name: str) -> bytes:
    """Names sort by their UTF-8 bytes."""
    return name.encode("utf-8")


def shown(text: str) -> str:
    r"""Escape `text` for people and logs: nothing in it can move a cursor, hide, reorder or start a line.

    Control, format (bidirectional, zero-width), invisible, private, surrogate and unassigned characters and
    line separators become `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`; a backslash is doubled so that it stays unambiguous.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return _no_command(text)
    return _no_command("".join(_shown_character(character) for character in text))


def printable(message: str) -> str:
    """Escape a message as `shown` does, but leave backslashes alone: what it quotes may be escaped already."""
    return _no_command("".join(c if c == "\\" else _shown_character(c) for c in message))


def is_obeyed(text: str) -> bool:
    """Tell whether a terminal or a CI service would obey something in a text of several lines, shown as it is."""
    return _OBEYED.search(text) is not None


def _no_command(text: str) -> str:
    """Break what CI services obey: `::name` where a line begins, `##[name]` and `##vso[name]` anywhere."""
    return _COMMAND.sub(lambda found: found[0][:-1] + f"\\x{ord(found[0][-1]):02x}", text)


def _shown_character(character: str) -> str:
    if character == "\\":
        return "\\\\"
    category = unicodedata.category(character)
    unseen = character in _UNSEEN or any(ord(character) in variations for variations in _VARIATIONS)
    if not unseen and category[0] != "C" and category not in ("Zl", "Zp") and (category != "Zs" or character == " "):
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def count(number: int, what: str) -> str:
    """Count things in words: `1 file`, `2,000 files`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def few(names: Sequence[str], said: Sequence[str] = ()) -> str:
    """Name the first of many, or what is `said` of those, and count the others."""
    more = f" and {len(names) - FEW:,} more" if len(names) > FEW else ""
    return ", ".join(map(shown, said or names[:FEW])) + more


def counted(files: int, tensors: int, records: int, size: str) -> str:
    """Say how much there is; of records only where there are any."""
    found = [count(files, "file"), count(tensors, "tensor")]
    return ", ".join([*found, *([count(records, "record")] if records else []), size])


def collisions(names: Iterable[str]) -> list[list[str]]:
    """Group names that some file systems would confuse: equal after NFC and case folding.

    `names` is walked over twice if there may be any; of each name no more than a hash is kept.
    """
    seen: set[int] = set()
    twice: set[int] = set()
    for name in names:
        key = hash(_folded(name))
        (twice if key in seen else seen).add(key)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names if twice else ():
        if hash(_folded(name)) in twice:
            groups[_folded(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _folded(name: str) -> str:
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()
