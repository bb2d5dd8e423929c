"""Signing keys of the user, kept apart from what they sign: whoever can write a ledger's folder cannot sign for it.

Each key is one PKCS #8 PEM file that only its owner can read, in the folder `keys` of the caller's data folder, named
by the SHA-256 of its origin. It is on disk before anything that names it. Two files in that folder hold the origin of a
key: `own`, the one the user signs with where no other is asked for, that of the user's own ledger; and `witness`, the
one the user cosigns the checkpoints of others with.
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
from mltrust.core.private_key import unpanicked
from mltrust.disk import state
from mltrust.disk.documents import read_with_status
from mltrust.errors import AnchorError, UnreadableError, UsageError

_OWN = "own"
_LOCAL = "mltrust.local"
_WITNESS = "mltrust.witness"
_LOCK_SECONDS = 30.0
_MAX_KEY_BYTES = 16 * 1024
_MAX_PASSWORD_BYTES = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_RESTORE = "Restore it from a backup."


def path(data: Path, origin: str) -> Path:
    """Return where the signing key of `origin` is kept under the data folder."""
    return data / "keys" / f"{sha256(origin.encode()).hexdigest()}.pem"


def own(data: Path, random: Callable[[int], bytes]) -> Signer:
    """Return the key the user signs with by default, made on first use.

    Raises:
        AnchorError: It was made once and is gone: another would be a stranger to all who trust it.
    """
    return _kept(data, random, _OWN, _LOCAL)


def own_if_any(data: Path, random: Callable[[int], bytes]) -> Signer | None:
    """Return the key the user signs with by default; None if it was not made yet. Raises what `own` does."""
    return None if state.status(data / "keys" / _OWN) is None else own(data, random)


def witness(data: Path, random: Callable[[int], bytes]) -> Signer:
    """Return the key the user cosigns with, made on first use; raises what `own` does."""
    return _kept(data, random, "witness", _WITNESS)


def _kept(data: Path, random: Callable[[int], bytes], role: str, prefix: str) -> Signer:
    file = data / "keys" / role
    name = state.read(file, _MAX_KEY_BYTES)
    if name is None:
        _make_folder(data)
        with state.locked(data / "keys" / "lock", _LOCK_SECONDS):  # two processes must not make one each
            name = state.read(file, _MAX_KEY_BYTES)
            if name is None:
                signer = create(data, random, prefix)
                state.replace(file, signer.name.encode())
                return signer
    found = load(data, name.decode("utf-8", "replace"))
    if found is None:
        raise AnchorError(f"{file}: the key it names is gone", hint="Restore it from a backup; or remove this file.")
    return found


def create(data: Path, random: Callable[[int], bytes], prefix: str = _LOCAL) -> Signer:
    """Make a key under a new origin that starts with `prefix`, from `random` bytes, and keep it durably."""
    origin = f"{prefix}/{random(8).hex()}"
    private = Ed25519PrivateKey.from_private_bytes(random(32))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _make_folder(data)
    state.create(path(data, origin), pem, 0o600)
    return Signer(origin, private)


def _make_folder(data: Path) -> None:
    state.make_folder(data, parents=True)
    state.make_folder(data / "keys", 0o700)


def load(data: Path, origin: str) -> Signer | None:
    """Return the signing key of `origin`; None if it is not kept here.

    Raises:
        UsageError: Others can read the key.
        AnchorError: The file is not an Ed25519 key.
    """
    private = read_private(path(data, origin))
    return None if private is None else Signer(origin, private)


def read_private(file: Path, password: Callable[[], str] | None = None) -> Ed25519PrivateKey | None:
    """Return the Ed25519 private key in a PEM file; None if there is no file. An encrypted one asks for a `password`.

    Raises:
        UsageError: Others can read the key.
        AnchorError: The file is not an Ed25519 private key, or the password is wrong.
    """
    found = state.read_with_status(file, _MAX_KEY_BYTES)
    if found is None:
        return None
    pem, status = found
    refuse_readable_by_others(file, status, "signing key")
    encrypted = password is not None and b"ENCRYPTED" in pem
    secret = password().encode() if password is not None and encrypted else None
    try:
        private = unpanicked(load_pem_private_key, pem, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        what = "the password is wrong, or it is damaged" if encrypted else "not a private key in PEM"
        raise AnchorError(f"{file}: {what}", hint=_RESTORE) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise AnchorError(f"{file}: not an Ed25519 key", hint=_RESTORE)
    return private


def refuse_readable_by_others(file: Path, status: os.stat_result, what: str) -> None:
    """Raise a `UsageError` if others than its owner can read a file; `what` says what is in it.

    The `status` is that of the file which was read: under its name another one may stand by now.
    """
    if os.name == "posix" and status.st_mode & _OTHERS:
        raise UsageError(f"{file}: others can read this {what}", hint=f"Run: chmod 600 {shlex.quote(str(file))}")


def read_password(file: Path) -> str:
    """Return the password in a file, without a line break at its end; `UsageError` if others can read it, too."""
    try:
        data, status = read_with_status(file, _MAX_PASSWORD_BYTES)
        refuse_readable_by_others(file, status, "password")
    except UnreadableError as error:
        raise UsageError(f"password file: {error}") from error
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:  # what could not be read would be lost from the password
        raise UsageError(f"password file: {file}: not UTF-8 text") from error
