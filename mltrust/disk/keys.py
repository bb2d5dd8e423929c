"""Signing keys of the user, kept apart from what they sign: whoever can write a ledger's folder cannot sign for it.

Each key is one PKCS #8 PEM file that only its owner can read, in the folder `keys` of the caller's data folder, named
by the SHA-256 of its origin. It is on disk before anything that names it. The file `own` in that folder holds the origin
of the key the user signs with where no other is asked for: the one of the user's own ledger.
"""

import os
import shlex
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mltrust.core.note import Signer
from mltrust.disk import state
from mltrust.errors import AnchorError, UsageError

_MAX_KEY_BYTES = 16 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def path(data: Path, origin: str) -> Path:
    """Return where the signing key of `origin` is kept under the data folder."""
    return data / "keys" / f"{sha256(origin.encode()).hexdigest()}.pem"


def own(data: Path, random: Callable[[int], bytes]) -> Signer:
    """Return the key the user signs with by default, made on first use.

    Raises:
        AnchorError: It was made once and is gone: another would be a stranger to all who trust it.
    """
    file = data / "keys" / "own"
    name = state.read(file, _MAX_KEY_BYTES)
    if name is None:
        signer = create(data, random)
        state.replace(file, signer.name.encode())
        return signer
    found = load(data, name.decode("utf-8", "replace"))
    if found is None:
        raise AnchorError(f"{file}: the key it names is gone", hint="Restore it from a backup; or remove this file.")
    return found


def create(data: Path, random: Callable[[int], bytes]) -> Signer:
    """Make a key for a new ledger under a new origin, from `random` bytes, and keep it durably."""
    origin = f"mltrust.local/{random(8).hex()}"
    private = Ed25519PrivateKey.from_private_bytes(random(32))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    state.make_folder(data, parents=True)
    state.make_folder(data / "keys", 0o700)
    state.create(path(data, origin), pem, 0o600)
    return Signer(origin, private)


def load(data: Path, origin: str) -> Signer | None:
    """Return the signing key of `origin`; None if it is not kept here.

    Raises:
        UsageError: Others can read the key.
        AnchorError: The file is not an Ed25519 key.
    """
    file = path(data, origin)
    pem = state.read(file, _MAX_KEY_BYTES)
    if pem is None:
        return None
    found = state.status(file)
    if os.name == "posix" and found is not None and found.st_mode & _OTHERS:
        raise UsageError(f"{file}: others can read this signing key", hint=f"Run: chmod 600 {shlex.quote(str(file))}")
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AnchorError(f"{file}: not a private key", hint="Restore it from a backup.") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise AnchorError(f"{file}: not an Ed25519 key", hint="Restore it from a backup.")
    return Signer(origin, private)
