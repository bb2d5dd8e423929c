"""Private key files of the user: read where others cannot, and written once."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mltrust.core.private_key import PrivateKey, read_private_key, refuse_public
from mltrust.core.public_key import MAX_KEY_BYTES
from mltrust.disk.documents import read_with_status, sync_folder, write_new_whole
from mltrust.disk.keys import refuse_readable_by_others
from mltrust.errors import FormatError, UnreadableError, UsageError, WriteError

PUBLIC = ".pub"
"""What the name of a public key file ends with, beside that of the private one."""
_DER = b"\x30"
_MAKE = "Make one with mltrust key generate."


def read(path: Path, password: Callable[[], str]) -> PrivateKey:
    """Read a private key file.

    Raises:
        UsageError: It is not there, others can read it, or what `read_private_key` raises.
        FormatError: It is not a private key, or damaged.
    """
    data, status = _read(path)
    refuse_public(data, str(path))
    if b"PRIVATE KEY-----" not in data and not data.startswith(_DER):
        raise UsageError(f"{path}: not a private key in PEM, DER or OpenSSH form", hint=_MAKE)
    refuse_readable_by_others(path, status, "private key")
    return read_private_key(data, str(path), password)


def read_key_file(path: Path) -> bytes:
    """Return what is in a key file, private or public; `UsageError` if it is not there."""
    return _read(path)[0]


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    try:
        return read_with_status(path, MAX_KEY_BYTES)
    except FormatError:
        raise
    except UnreadableError as error:
        raise UsageError(str(error), hint=_MAKE) from error


def refuse_there(path: Path) -> Path:
    """Return where the public key of a new private one goes; `UsageError` if either file is there."""
    public = path.with_name(path.name + PUBLIC)
    for file in (path, public):
        if file.exists() or file.is_symlink():
            raise _there(file)
    return public


def write(path: Path, key: PrivateKey, password: str | None, random: Callable[[int], bytes]) -> Path:
    """Write a private key that only its owner can read, and its public key beside it; return where that is.

    Nothing is ever overwritten: a `UsageError`. The private key comes last, so that none is there without its other
    half; whatever is under its name is a whole key.
    """
    public = refuse_there(path)
    made: list[Path] = []
    try:
        for file, data, mode in (
            (public, key.public.to_pem(), 0o666),
            (path, key.to_pem(password, random), 0o600),
        ):
            _write(file, data, mode, made)
        sync_folder(path.parent)
    except BaseException:  # also an interruption
        for file in made:
            with suppress(OSError):
                file.unlink()
        raise
    return public


def _write(file: Path, data: bytes, mode: int, made: list[Path]) -> None:
    made.append(file)
    try:
        write_new_whole(file, data, mode)
    except FileExistsError as error:  # somebody else's, made just now
        made.remove(file)
        raise _there(file) from error
    except OSError as error:
        raise WriteError(f"{file}: cannot be written: {error.strerror or error}") from error


def _there(file: Path) -> UsageError:
    return UsageError(f"{file}: is there already, and is not overwritten", hint="Name another file with --output.")
