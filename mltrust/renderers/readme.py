"""Put a block and a key of YAML into a README, and leave every other byte as it is.

The front matter is found as the Hugging Face Hub finds it. It is not parsed: what is not ours is not touched, and what
could be read in two ways is refused.
"""

import re

from mltrust.errors import FormatError

BEGIN, END = "<!-- mltrust:begin -->", "<!-- mltrust:end -->"

_FRONT = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.M | re.S)
# A key of a mapping stands at the beginning of a line; whatever belongs to its value is indented.
_KEY = re.compile(rb"^mltrust[ \t]*:[^\n]*\n(?:(?:[ \t]*\r?\n)*[ \t]+[^\s][^\n]*\n)*", re.M)
_ODD = re.compile(rb"""^(?:["']mltrust["'][ \t]*:|[?{\[&!*]|\.\.\.)""", re.M)
_MARKER = re.compile(rb"^(" + BEGIN.encode() + rb"|" + END.encode() + rb")[ \t]*(?:\r?\n|\Z)", re.M)


def with_card(readme: bytes, front_matter: str, block: str, where: str) -> bytes:
    """Return a README with `block` between its markers and the key of `front_matter` in its front matter.

    What is there already of ours is replaced, in its place; else the block is put at the end, and the key at the end of
    the front matter, which is made if there is none. `FormatError` for a README in which the place is not clear.
    """
    done = _with_card(readme, front_matter, block, where)
    if _with_card(done, front_matter, block, where) != done:  # odd line ends can make a line of two
        raise FormatError(where, "the place of the card is not clear", hint="End its lines as others do.")
    return done


def _with_card(readme: bytes, front_matter: str, block: str, where: str) -> bytes:
    newline = b"\r\n" if readme.partition(b"\n")[0].endswith(b"\r") else b"\n"
    key, section = (text.encode().replace(b"\n", newline) for text in (front_matter, block))
    found = _FRONT.match(readme)
    if found is None:
        start = 3 if readme.startswith(b"\xef\xbb\xbf") else 0
        head = readme[:start] + b"---" + newline + key + b"---" + newline
        return head + _body(readme[start:], section, newline, where)
    head = readme[: found.start(1)] + _keyed(found[1], key, where) + readme[found.end(1) : found.end()]
    if not head.endswith(b"\n"):
        head += newline
    return head + _body(readme[found.end() :], section, newline, where)


def _keyed(yaml: bytes, key: bytes, where: str) -> bytes:
    places = list(_KEY.finditer(yaml))
    goes_on = bool(places) and yaml[places[0].end() :].startswith(b"-")  # a list, which need not be indented
    if len(places) > 1 or goes_on or _ODD.search(yaml):
        hint = "Write its keys one to a line, from the beginning of the line, and mltrust not more than once."
        raise FormatError(where, "its front matter is not a plain mapping", hint=hint)
    if not places:
        return yaml + key
    return yaml[: places[0].start()] + key + yaml[places[0].end() :]


def _body(body: bytes, section: bytes, newline: bytes, where: str) -> bytes:
    markers = list(_MARKER.finditer(body))
    if not markers:
        blank = newline if body.strip() else b""
        gap = blank if not body or body.endswith(b"\n") else 2 * newline
        return body + gap + section
    if [marker[1].decode() for marker in markers] != [BEGIN, END]:
        hint = f"Leave one line {BEGIN} and, below it, one line {END}."
        raise FormatError(where, "its markers are not one pair", hint=hint)
    return body[: markers[0].start()] + section + body[markers[1].end() :]
