r"""Cosignatures, as C2SP tlog-cosignature v1 (c2sp.org/tlog-cosignature) defines them, of type Ed25519.

A witness is somebody other than the keeper, who checks that a ledger only grows and signs its checkpoints. A
cosignature is one more signature line of the checkpoint's note. Its type is 0x04, and what stands after the key id is

    u64 time || 64-byte Ed25519 signature over "cosignature/v1\ntime <time>\n" || text of the note

`time` is in seconds since 1970 by the clock of the witness, big-endian, below 2^63; in the signed text it stands in
decimal digits without leading zeros. It says: at that time, this was the largest checkpoint of this origin that the
witness had seen, and it contradicted none that the witness had seen before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Self

from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.core.note import NoteSignature, Signed, Signer, VerifierKey
from mltrust.core.receipt import timestamp
from mltrust.core.report import AnchorState
from mltrust.errors import ContradictionError, FormatError, UsageError
from mltrust.interfaces import Settings

SETTINGS = frozenset({"witnesses", "at_least"})
MAX_WITNESSES = 64

_TIME_BYTES = 8
_PAYLOAD_BYTES = _TIME_BYTES + 64
_MAX_TIME = 2**63 - 1


class CosignerKey(VerifierKey):
    """The Ed25519 public key of a witness, under its name."""

    __slots__ = ()

    type: ClassVar[bytes] = b"\x04"
    called: ClassVar[str] = "the key of a witness"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Tell whether `signature`, a time and what was signed at it, is this key's over `text`."""
        time = _time(signature)
        return time is not None and VerifierKey.verifies(self, _cosigned(time, text), signature[_TIME_BYTES:])

    @classmethod
    def of(cls, signer: Signer) -> Self:
        """Return the key under which `signer` cosigns."""
        return cls(signer.name, signer.verifier_key.public)


def cosign(signed: SignedCheckpoint, signer: Signer, time: int) -> SignedCheckpoint:
    """Return the checkpoint with one more cosignature, of `time` in seconds since 1970."""
    value = time.to_bytes(_TIME_BYTES, "big") + signer.private.sign(_cosigned(time, signed.note.text).encode())
    return signed.with_signatures([NoteSignature(signer.name, CosignerKey.of(signer).id, value)])


def time_of(signed: SignedCheckpoint, key: CosignerKey) -> int | None:
    """Return when `key` cosigned a checkpoint, in seconds since 1970; None if it did not."""
    signature = signed.note.signature_of(key)
    if signature is None or not key.verifies(signed.note.text, signature.value):
        return None
    return _time(signature.value)


def cosignatures(signed: SignedCheckpoint) -> tuple[NoteSignature, ...]:
    """Return the signatures of a checkpoint that look like cosignatures; whose they are, and whether true, is open."""
    return tuple(each for each in signed.note.signatures if _time(each.value) is not None)


@dataclass(frozen=True, slots=True)
class Witnesses:
    """The witnesses a caller knows of a ledger, of which `at_least` so many must have cosigned."""

    keys: tuple[CosignerKey, ...] = ()
    at_least: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read the settings `witnesses`, a list of keys, and `at_least`, by default all; `UsageError` if odd."""
        if "witnesses" not in settings:
            if "at_least" in settings:
                raise UsageError("at_least says how many witnesses must have cosigned, and none is named")
            return cls()
        keys = tuple(cosigner_key(text) for text in _listed(settings["witnesses"]))
        if len({key.public for key in keys}) != len(keys):
            raise UsageError("witnesses: one key is listed twice", hint="One voice counts once.")
        at_least = settings.get("at_least", len(keys))
        if isinstance(at_least, bool) or not isinstance(at_least, int) or not 1 <= at_least <= len(keys):
            raise UsageError(f"at_least: {ascii(at_least)[:80]} is not from 1 to {len(keys)}, the number of witnesses")
        return cls(keys, at_least)

    def who(self, checkpoints: Iterable[SignedCheckpoint]) -> Mapping[CosignerKey, int]:
        """Return which of them cosigned one of `checkpoints` or more, and when last, in seconds since 1970."""
        found: dict[CosignerKey, int] = {}
        for signed in checkpoints:
            for key in self.keys:
                time = time_of(signed, key)
                if time is not None:
                    found[key] = max(time, found.get(key, 0))
        return found

    def voices(self, signed: SignedCheckpoint) -> int:
        """Return how many of them cosigned a checkpoint; where none is known, how many it seems to have."""
        return len(self.who([signed])) if self.keys else len(cosignatures(signed))

    def reach(self, checkpoints: Iterable[SignedCheckpoint]) -> int | None:
        """Return the size up to which enough of them have cosigned; None where none is known."""
        sizes = dict.fromkeys(self.keys, 0)
        for signed in checkpoints:
            for key in self.who([signed]):
                sizes[key] = max(sizes[key], signed.checkpoint.size)
        return sorted(sizes.values(), reverse=True)[self.at_least - 1] if sizes else None

    def refuse_false(self, signed: SignedCheckpoint) -> None:
        """Raise a `ContradictionError` if a signature under the name and id of one of them is not theirs."""
        for key in self.keys:
            if signed.note.signed_by(key) is Signed.INVALID:
                message = f"the checkpoint has a false cosignature under the name {key.name[:120]!a}"
                raise ContradictionError(message, state=AnchorState.UNSIGNED)


def cosigner_key(text: str) -> CosignerKey:
    """Read the key of a witness as the caller gave it; a mistyped one is a `UsageError`."""
    try:
        return CosignerKey.parse(text, "witness")
    except FormatError as error:
        raise UsageError(
            str(error), hint="mltrust ledger witness --key prints one, on the witness's machine."
        ) from error


def shown_time(time: int) -> str:
    """Write a time for people: RFC 3339 as far as years have four digits, else the seconds."""
    try:
        return timestamp(datetime.fromtimestamp(time, UTC))
    except (OverflowError, ValueError, OSError):
        return f"second {time}"


def _listed(value: object) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise UsageError("witnesses: not a list of keys", hint='Write witnesses = ["name+id+key", ...].')
    if not 1 <= len(value) <= MAX_WITNESSES:
        raise UsageError(f"witnesses: from 1 to {MAX_WITNESSES} keys are listed, not {len(value)}")
    return [each.strip() for each in value]


def _cosigned(time: int, text: str) -> str:
    return f"cosignature/v1\ntime {time}\n{text}"


def _time(value: bytes) -> int | None:
    time = int.from_bytes(value[:_TIME_BYTES], "big")
    return time if len(value) == _PAYLOAD_BYTES and time <= _MAX_TIME else None
