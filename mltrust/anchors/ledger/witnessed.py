"""Checkpoints that witnesses cosigned, as they lie in the folder of a ledger.

    cosignatures/<SHA-256 of the witness's key>     the last checkpoint it cosigned: a note with the signature of the
                                                    keeper and the cosignature

A file of its own for each witness: the keeper appends without minding them, and they never touch what the keeper
writes. Whoever can write in the folder can write here, so nothing is believed but signatures: a file that the key of
the ledger has not signed is as good as absent. One that it has signed is a checkpoint like any other: a ledger that
does not hold it contradicts itself.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.cosignature import MAX_WITNESSES, CosignerKey, cosignatures, time_of
from mltrust.anchors.ledger.log import LOCK
from mltrust.core.note import MAX_NOTE_BYTES, NoteSignature, Signed, VerifierKey
from mltrust.disk import state
from mltrust.errors import AnchorError, FormatError

FOLDER = "cosignatures"

_NAME = re.compile(r"[0-9a-f]{64}")


def read(folder: Path, key: VerifierKey) -> tuple[SignedCheckpoint, ...]:
    """Return the cosigned checkpoints of the ledger of `key` from small to large, each with all its cosignatures.

    Read them before the log: then whatever they cover is in it.
    """
    found: dict[str, SignedCheckpoint] = {}
    for path in _files(folder / FOLDER):
        signed = _signed(path, key)
        if signed is not None:
            plain = found.get(signed.note.text) or without_cosignatures(signed, key)
            found[signed.note.text] = plain.with_signatures(_fitting(plain, cosignatures(signed)))
    return tuple(sorted(found.values(), key=lambda each: each.checkpoint.size))


def keep(folder: Path, witness: CosignerKey, signed: SignedCheckpoint, lock_seconds: float) -> None:
    """Keep what `witness` cosigned durably, unless what lies there of it is newer."""
    file = folder / FOLDER / sha256(str(witness).encode()).hexdigest()
    with state.locked(folder / LOCK, lock_seconds):
        state.make_folder(file.parent)
        old = _parsed(file)
        if old is None or _age(old, witness) < _age(signed, witness):
            state.replace(file, signed.text.encode())


def without_cosignatures(signed: SignedCheckpoint, key: VerifierKey) -> SignedCheckpoint:
    """Return a checkpoint with the signature of `key` alone."""
    mine = signed.note.signature_of(key)
    bare = type(signed.note)(signed.note.text, () if mine is None else (mine,))
    return SignedCheckpoint(signed.checkpoint, bare)


def _age(signed: SignedCheckpoint, witness: CosignerKey) -> tuple[int, int]:
    time = time_of(signed, witness)
    return (-1, -1) if time is None else (signed.checkpoint.size, time)


def _files(folder: Path) -> list[Path]:
    with suppress(OSError):
        names = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
        return names[:MAX_WITNESSES]
    return []


def _signed(path: Path, key: VerifierKey) -> SignedCheckpoint | None:
    signed = _parsed(path)
    return signed if signed is not None and signed.signed_by(key) is Signed.VALID else None


def _parsed(path: Path) -> SignedCheckpoint | None:
    with suppress(AnchorError, FormatError):
        return SignedCheckpoint.parse(state.read(path, MAX_NOTE_BYTES) or b"", str(path))
    return None


def _fitting(signed: SignedCheckpoint, more: Iterable[NoteSignature]) -> Iterator[NoteSignature]:
    # As many as a note has room for: names are long where somebody wants them to be.
    room = MAX_NOTE_BYTES - len(signed.text.encode())
    for each in more:
        room -= len(each.format().encode())
        if room < 0:
            return
        yield each
