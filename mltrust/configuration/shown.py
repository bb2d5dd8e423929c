"""What a configuration says, as it may be shown to anybody: no password, token or key, and of a URL no more than where.

Nothing is shown that nobody knows the meaning of: only values under names that some plug, or mltrust, understands.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mltrust import registry
from mltrust.configuration import signers, trusting
from mltrust.core.canonical import Json
from mltrust.errors import UsageError

_OURS = signers.KEYS | trusting.KEYS
_SECRET = re.compile(r"(secret|token|passw|passphrase|credential|private|api_?key)(?!.*_file$)", re.IGNORECASE)
_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}|(?s:.*)PRIVATE KEY(?s:.*)")
_NAMED = ("keystore:", "keyring:", "env:", "ssh-agent:", "sigstore:")  # signers by where their key is
_IN_FULL = ("identity", "issuer")  # URLs that are names, known to all
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LEFT_OUT = "…"


class Shown(NamedTuple):
    """A value under its dotted key; `hidden` where something of it is left out, and its value None if all is."""

    key: str
    value: Json
    hidden: bool = False


def shown_values(tables: Mapping[str, Any]) -> Iterator[Shown]:
    """Yield every value of the tables of a configuration file."""
    known = _known_settings()
    for name, table in tables.items():
        free = name == "anchors"  # its keys are names that the user chose
        yield from _values(table, (name,), None if free else known)


def _known_settings() -> frozenset[str]:
    plugs = [(kind, name) for kind in ("anchors", "sources") for name in registry.names(kind)]
    found = set(_OURS)
    for kind, name in plugs:
        try:
            found |= set(getattr(registry.load(kind, name), "settings", ()))
        except (ImportError, AttributeError, UsageError):  # a broken plug's settings are shown to nobody
            continue
    return frozenset(found)


_Keys = tuple[str | int, ...]


def _values(value: object, keys: _Keys, known: frozenset[str] | None) -> Iterator[Shown]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _values(below, (*keys, key), known)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for number, each in enumerate(value):
            yield from _values(each, (*keys, number), known)
    else:
        yield _shown(value, keys, known)


def _shown(value: object, keys: _Keys, known: frozenset[str] | None) -> Shown:
    name = next(key for key in reversed(keys) if isinstance(key, str))
    dotted = "".join(f"[{key}]" if isinstance(key, int) else f".{_spelled(key)}" for key in keys)[1:]
    if _SECRET.search(name) or (known is not None and name not in known):
        return Shown(dotted, None, hidden=True)
    if isinstance(value, list):
        each = [_plain(one, name) for one in value]
        return Shown(dotted, [one for one, _ in each], any(hidden for _, hidden in each))
    return Shown(dotted, *_plain(value, name))


def _plain(value: object, name: str) -> tuple[Json, bool]:
    """Return a single value as JSON without what is secret in it, and whether that was anything."""
    if isinstance(value, bool | int):
        return value, False
    if isinstance(value, datetime | date | time):
        return value.isoformat(), False
    return _text(str(value), name)


def _text(text: str, name: str) -> tuple[Json, bool]:
    if name != "trust_block" and _KEY.fullmatch(text):
        return None, True
    if text.startswith("external:") or (name == "signer" and ":" in text and not text.startswith(_NAMED)):
        return f"{text.partition(':')[0]}:{_LEFT_OUT}", True  # a command may hold what opens a key
    safe = _URL.sub(lambda found: _where(found[0], in_full=name in _IN_FULL), text)
    return safe, safe != text


def _where(url: str, *, in_full: bool) -> str:
    """Return a URL without user, password and query; a path may be a key, too, if it is no well-known name."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _LEFT_OUT
    host = parts.netloc.rpartition("@")[2]
    path = parts.path if in_full or parts.path in ("", "/") else f"/{_LEFT_OUT}"
    return f"{parts.scheme}://{host}{path}{'?' + _LEFT_OUT if parts.query or parts.fragment else ''}"


def _spelled(key: str) -> str:
    """Return a part of a dotted key as TOML spells it."""
    if _BARE.fullmatch(key) and not _KEY.fullmatch(key):
        return key
    safe, _ = _text(key, "")
    return json.dumps(_LEFT_OUT if safe is None else safe, ensure_ascii=False)
