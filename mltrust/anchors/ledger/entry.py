"""One entry of a ledger: a digest, and when the keeper of the ledger wrote it down.

An entry is one line of RFC 8785 JSON. All its values have a fixed length and one spelling, so every line has the same
length and one regular expression is the whole parser: nothing it lets through could be written in another way.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from mltrust.core import canonical
from mltrust.core.digest import Digest
from mltrust.errors import FormatError

TYPE = "mltrust/ledger-entry/1"
MAX_ENTRY_BYTES = 65_535
"""What fits the length field of a C2SP entry bundle; longer lines are never an entry of any version."""

_LINE = re.compile(
    rb'\{"digest":"(sha256:[0-9a-f]{64})",'
    rb'"time":"(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ)",'
    rb'"type":"mltrust/ledger-entry/1"\}'
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A digest and its time, RFC 3339 in UTC with whole seconds, by the clock of the keeper."""

    digest: Digest
    time: str

    def format(self) -> bytes:
        """Write the line, without a newline: the data of a leaf (RFC 9162)."""
        return canonical.dumps({"digest": str(self.digest), "time": self.time, "type": TYPE})

    @classmethod
    def parse(cls, line: bytes, where: str) -> Self:
        """Parse a line without its newline; every surprise is a `FormatError` that names `where`."""
        digest, time = fields(line, where)
        return cls(Digest.parse(digest.decode()), time.decode())


def fields(line: bytes, where: str) -> tuple[bytes, bytes]:
    """Return the digest and the time of a line as they stand in it: the parser, where millions are only checked."""
    found = _LINE.fullmatch(line)
    if not found:
        raise FormatError(where, f"{line[:120]!a} is not an entry", hint=_hint(line))
    try:
        datetime.fromisoformat(found[2].decode())
    except ValueError as error:
        raise FormatError(where, f"{found[2].decode()} is not a time") from error
    return found[1], found[2]


def start(digest: Digest) -> bytes:
    """Return the bytes with which every line of `digest` starts."""
    return b'{"digest":"%s"' % str(digest).encode()


_ANY = Entry(Digest("sha256", bytes(32)), "2026-01-01T00:00:00Z")
LINE_BYTES = len(_ANY.format()) + 1
"""The length of every line, with its newline."""
START_BYTES = len(start(_ANY.digest))
"""The length of what `start` returns."""


def _hint(line: bytes) -> str | None:
    if line.endswith(b"\r"):
        return "Line ends were changed; keep git from it with '* -text' in .gitattributes."
    return (
        "A newer mltrust may know it." if len(line) <= MAX_ENTRY_BYTES and b'"mltrust/ledger-entry/' in line else None
    )
