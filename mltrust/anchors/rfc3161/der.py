"""A strict reader of DER (X.690, section 10): just enough to look into a time stamp.

Lengths are definite and shortest, tags are of one byte, and nothing is left over. Whatever else there is, is a
`FormatError`.
"""

from dataclasses import dataclass

from mltrust.errors import FormatError

BOOLEAN, INTEGER, OCTET_STRING, OID = 0x01, 0x02, 0x04, 0x06
UTF8_STRING, GENERALIZED_TIME, SEQUENCE, SET = 0x0C, 0x18, 0x30, 0x31

_WHERE = "time stamp"
_LONG_TAG = 0x1F
_LONG_LENGTH = 0x80
_MAX_LENGTH_BYTES = 4
_MAX_OID_BYTES = 128


def context(number: int, *, constructed: bool = True) -> int:
    """Return the tag `[number]`."""
    return (0xA0 if constructed else 0x80) | number


def surprise(what: str) -> FormatError:
    """Return the error for a time stamp that is not what the RFC says."""
    return FormatError(_WHERE, what)


@dataclass(frozen=True, slots=True)
class Value:
    """A value: its tag, its content, and both with the length between them as it was `encoded`."""

    tag: int
    content: bytes
    encoded: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Value":
        """Read exactly one value."""
        values = _values(data)
        if len(values) != 1:
            raise surprise(f"{len(values)} values where one belongs")
        return values[0]

    def parts(self) -> "Parts":
        """Read the content as values."""
        return Parts(_values(self.content))

    def elements(self, tag: int) -> "list[Value]":
        """Read the content as values of one tag."""
        values = _values(self.content)
        if any(value.tag != tag for value in values):
            raise surprise(f"a value that is not of tag {tag:#x}")
        return values

    def integer(self) -> int:
        """Read the content as a shortest two's complement integer."""
        if not self.content or (len(self.content) > 1 and self.content[:2] in _padded(self.content)):
            raise surprise("an integer that is not in its shortest form")
        return int.from_bytes(self.content, "big", signed=True)

    def oid(self) -> str:
        """Read the content as an object identifier in its dotted form."""
        if not self.content or self.content[-1] & 0x80 or len(self.content) > _MAX_OID_BYTES:
            raise surprise("a malformed object identifier")
        numbers, number = list[int](), 0
        for byte in self.content:
            number = number << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(number)
                number = 0
        first = min(numbers[0] // 40, 2)
        return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


class Parts:
    """The values of a sequence, taken in order."""

    def __init__(self, values: list[Value]) -> None:
        self._values = values[::-1]

    def take(self, tag: int) -> Value:
        """Return the next value, which must be of this tag."""
        found = self.maybe(tag)
        if found is None:
            raise surprise(f"no value of tag {tag:#x} where one belongs")
        return found

    def maybe(self, tag: int) -> Value | None:
        """Return the next value if it is of this tag."""
        return self._values.pop() if self._values and self._values[-1].tag == tag else None

    def end(self) -> None:
        """Refuse what is left."""
        if self._values:
            raise surprise(f"a value of tag {self._values[-1].tag:#x} where none belongs")


def _values(data: bytes) -> list[Value]:
    values, start = list[Value](), 0
    while start < len(data):
        content, end = _bounds(data, start)
        values.append(Value(data[start], data[content:end], data[start:end]))
        start = end
    return values


def _bounds(data: bytes, start: int) -> tuple[int, int]:
    """Return where the content of the value at `start` begins and ends."""
    if data[start] & _LONG_TAG == _LONG_TAG or start + 1 >= len(data):
        raise surprise("a value that is cut off, or of a long tag")
    content, length = start + 2, data[start + 1]
    if length >= _LONG_LENGTH:
        size = length - _LONG_LENGTH
        digits = data[content : content + size]
        length = int.from_bytes(digits, "big")
        if not 0 < size <= _MAX_LENGTH_BYTES or not digits or not digits[0] or length < _LONG_LENGTH:
            raise surprise("a length that is not in its shortest form")
        content += size
    if content + length > len(data):
        raise surprise("a value that is cut off")
    return content, content + length


def _padded(content: bytes) -> tuple[bytes, ...]:
    sign = content[1] & 0x80
    return (bytes((0xFF, content[1])),) if sign else (bytes((0x00, content[1])),)
