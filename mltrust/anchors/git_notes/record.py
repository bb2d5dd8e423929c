"""One record: one line of RFC 8785 JSON, signed, that says when a digest was written down and where its seal lay.

The signed text is the same JSON without the member `signature`, with a newline: so the line is a C2SP signed note in
another spelling, `text`, an empty line, `— ` and `signature`. It binds the digest, the path and the time, and nothing
of the repository: a record means the same wherever it is copied to. Lines stand in notes in any order; of each there
is one.
"""

import re
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field

from mltrust.core import canonical
from mltrust.core.digest import Digest
from mltrust.core.model import Document
from mltrust.core.names import check_path
from mltrust.core.note import Note, NoteSignature, Signer
from mltrust.core.receipt import Time, TimeBounds
from mltrust.errors import FormatError, UsageError

TYPE = "mltrust/git-note/1"
MAX_RECORD_BYTES = 4096

_DASH = "— "
_MEMBERS = 16
_START = b'{"digest":"'
_CANDIDATE = re.compile(rb"^%s[^\n]{0,%d}+$" % (re.escape(_START), MAX_RECORD_BYTES - len(_START)), re.MULTILINE)


class Record(Document):
    """What a line says; `path` is the seal's, from the top of the work tree, or None if it lay elsewhere."""

    type: Literal["mltrust/git-note/1"]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
    path: Annotated[str, Field(max_length=MAX_RECORD_BYTES)] | None
    time: Time
    signature: Annotated[str, Field(max_length=MAX_RECORD_BYTES)]

    def format(self) -> bytes:
        """Write the line, without a newline."""
        return canonical.dumps(self.to_json())

    @property
    def note(self) -> Note:
        """The signed note that the line is."""
        unsigned = {name: value for name, value in self.to_json().items() if name != "signature"}
        return Note(_text(unsigned), (NoteSignature.parse(_DASH + self.signature, "record"),))

    @property
    def signer(self) -> str:
        """The name of the key that signed, as the record claims it."""
        return self.signature.partition(" ")[0]

    @property
    def bounds(self) -> TimeBounds:
        """When it was published, by the clock of its signer."""
        return TimeBounds(not_after=self.time)

    @classmethod
    def parse(cls, line: bytes, where: str) -> Self:
        """Parse a line without its newline strictly; every surprise is a `FormatError`. It verifies nothing."""
        if len(line) > MAX_RECORD_BYTES:
            raise FormatError(where, f"a record of {len(line)} bytes, at most {MAX_RECORD_BYTES} are allowed")
        record = cls.from_json(canonical.loads(line, where, max_depth=1, max_values=_MEMBERS), where)
        if record.format() != line:
            raise FormatError(where, "a record in another spelling than RFC 8785")
        if record.path is not None:
            check_path(record.path, where)
        try:
            datetime.fromisoformat(record.time)
        except ValueError as error:
            raise FormatError(where, f"{record.time} is not a time") from error
        NoteSignature.parse(_DASH + record.signature, where)
        return record

    @classmethod
    def signed(cls, digest: Digest, path: str | None, time: str, signer: Signer) -> Self:
        """Return the record of `digest` that `signer` signs."""
        said: dict[str, canonical.Json] = {"digest": str(digest), "path": path, "time": time, "type": TYPE}
        (signature,) = signer.sign(_text(said)).signatures
        record = cls.from_json({"type": TYPE, **said, "signature": signature.format()[len(_DASH) : -1]}, "record")
        if len(record.format()) > MAX_RECORD_BYTES:
            raise UsageError("the path of the seal is too long for a record", hint="Put it into fewer folders.")
        return record


def candidates(note: bytes) -> tuple[bytes, ...]:
    """Return the lines of a note that may be records; all others are nobody's business, and may be many."""
    return tuple(_CANDIDATE.findall(note))


def digest_of(line: bytes) -> bytes:
    """Return the digest a line speaks of, as it stands in it; empty if it is not a record of any version."""
    begin = len(_START)
    return line[begin : begin + 71] if line.startswith(_START) else b""


def names_path(line: bytes, path: str) -> bool:
    """Tell whether a line may be a record for `path`: quicker than parsing it."""
    return b'","path":' + canonical.dumps(path) + b',"signature":' in line


def _text(said: dict[str, canonical.Json]) -> str:
    return canonical.dumps(said).decode() + "\n"
