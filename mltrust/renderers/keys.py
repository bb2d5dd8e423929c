"""Public keys, for people and programs: kinds, ids, and the keys in PEM. Text between blocks of PEM is passed over."""

from collections.abc import Iterable, Iterator

from mltrust.core.canonical import Json
from mltrust.core.names import shown
from mltrust.core.public_key import PublicKey
from mltrust.renderers.json_v1 import document
from mltrust.renderers.styled import Text

Named = tuple[str, PublicKey]  # a comment, and the key


def generated(key: PublicKey, private: str, public: str) -> Text:
    """Render what was made, and where it is."""
    lines = [
        Text.assemble(("MADE", "bold green"), f"  a key of kind {key.kind}"),
        *(Text(f"  key id       {part.id}{_half(key, part.kind)}") for part in key.parts),
        Text(f"  private key  {shown(private)}: keep it to yourself, and a copy elsewhere"),
        Text(f"  public key   {shown(public)}: give it to those who verify"),
    ]
    return Text.lines(lines)


def generated_as_json(key: PublicKey, private: str, public: str) -> str:
    """Return what was made, and where it is, as one JSON document; nothing of it is secret."""
    return document("key-made", {"key": _fields("", key), "private_key_file": private, "public_key_file": public})


def as_text(keys: Iterable[Named]) -> str:
    """Return what can be kept as a public key file, if it is one key."""
    return "\n".join(line for comment, key in keys for line in _lines(comment, key)) or "no keys that can sign"


def _lines(comment: str, key: PublicKey) -> Iterator[str]:
    yield f"kind     {key.kind}"
    if comment:
        yield f"comment  {shown(comment)}"
    yield from (f"key id   {part.id}{_half(key, part.kind)}" for part in key.parts)
    yield from key.to_pem().decode("ascii").splitlines()


def _half(key: PublicKey, kind: str) -> str:
    return f"  ({kind})" if len(key.parts) > 1 else ""


def as_json(keys: Iterable[Named]) -> str:
    """Return the keys as one JSON document."""
    return document("keys", {"keys": [_fields(comment, key) for comment, key in keys]})


def _fields(comment: str, key: PublicKey) -> dict[str, Json]:
    return {
        "comment": comment,
        "kind": key.kind,
        "parts": [{"kind": part.kind, "id": part.id} for part in key.parts],
        "pem": key.to_pem().decode("ascii"),
    }
