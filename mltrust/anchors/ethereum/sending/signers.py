"""Who signs a transaction. A private key is never an argument, never in a message, and held no longer than needed.

    keystore:FILE                    an encrypted key file (Web3 Secret Storage), opened by a password
    keyring:NAME                     the operating system's keyring: service mltrust, this user name, the key in hex
    external:ADDRESS COMMAND...      a command that signs: a hardware wallet, a key service, a wrapper
    env:VARIABLE                     an environment variable: for CI, with a warning

An external command gets the unsigned transaction as JSON on its standard input (the names of the execution API), and
writes the raw signed transaction in hexadecimal. No shell is involved.
"""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from mltrust.anchors.ethereum.chain.profiles import Config, Kind
from mltrust.anchors.ethereum.chain.recovery import INSTALL
from mltrust.anchors.ethereum.proof.addresses import checksummed, parse_address
from mltrust.anchors.ethereum.sending.known_accounts import KNOWN
from mltrust.anchors.ethereum.sending.unsigned import Unsigned
from mltrust.core import canonical
from mltrust.disk import keys
from mltrust.disk.commands import Bounds, run
from mltrust.disk.documents import read_document
from mltrust.errors import AnchorError, FormatError, UnreadableError, UsageError
from mltrust.interfaces import Dialogue

KINDS = "keystore:FILE, keyring:NAME, external:ADDRESS COMMAND or env:VARIABLE"
SERVICE = "mltrust"
EXTERNAL_SECONDS = 180.0
MAX_EXTERNAL_BYTES = 2**20

_MAX_FILE_BYTES = 64 * 1024


class TransactionSigner(Protocol):
    """Signs transactions for one address (20 bytes)."""

    address: bytes

    def unlock(self) -> None:
        """Ask for the password, if one is needed: nobody should wait for it while the journal is locked."""

    def sign(self, transaction: Unsigned) -> bytes:
        """Return the raw signed transaction; it is not checked yet."""


def open_signer(config: Config, dialogue: Dialogue) -> TransactionSigner:
    """Return the signer that is configured; a password is asked for when first something is signed.

    Raises:
        UsageError: There is none, it makes no sense, or its key is one that everybody has.
    """
    if config.signer is None:
        raise UsageError(f"{config.name}: nobody was named to sign", hint=f"Give --signer {KINDS}.")
    signer = _opened(config.signer, config.password_file, dialogue)
    if signer.address in KNOWN and config.profile.kind is not Kind.DEV:
        what = f"everybody has the key of {checksummed(signer.address)}: it is a development account"
        raise UsageError(what, hint="Make a key of your own; whatever is sent to this one is taken at once.")
    return signer


def _opened(named: str, password_file: Path | None, dialogue: Dialogue) -> TransactionSigner:
    kind, _, rest = named.partition(":")
    if not rest or kind not in _KINDS:
        raise UsageError("signer: it names none", hint=f"Write {KINDS}.")  # not repeated: it may be a part of a key
    return _KINDS[kind](rest, password_file, dialogue)


class _KeySigner:
    """Signs with a key in memory."""

    def __init__(self, key: str | bytes, where: str) -> None:
        try:
            self._account = _eth_account().from_key(key)
        except (ValueError, TypeError):
            hint = "It is 32 bytes, written as 64 hexadecimal digits."
            raise UsageError(f"{where} holds no private key", hint=hint) from None  # its text may hold a part of it
        self.address: bytes = bytes.fromhex(self._account.address[2:])

    def unlock(self) -> None:
        """Do nothing: the key is there."""

    def sign(self, transaction: Unsigned) -> bytes:
        fields = {**transaction.to_json(), "type": 2}
        return bytes(self._account.sign_transaction(fields).raw_transaction)


class _KeystoreSigner:
    """Signs with the key in a keystore, once it is opened."""

    def __init__(self, file: str, password_file: Path | None, dialogue: Dialogue) -> None:
        self._path = Path(file)
        self._password_file = password_file
        self._dialogue = dialogue
        self._key: _KeySigner | None = None
        self._keystore = _keystore(self._path)
        address = self._keystore.get("address")
        if isinstance(address, str):
            self.address = parse_address("0x" + address.removeprefix("0x").lower(), str(self._path))
        else:
            self.address = self._unlocked().address

    def unlock(self) -> None:
        self._unlocked()

    def sign(self, transaction: Unsigned) -> bytes:
        return self._unlocked().sign(transaction)

    def _unlocked(self) -> _KeySigner:
        if self._key is None:
            if self._password_file is not None:
                password = keys.read_password(self._password_file)
            else:
                password = self._dialogue.secret(f"the password of {self._path}")
            try:
                key = _eth_account().decrypt(self._keystore, password)
            except (ValueError, KeyError, TypeError, NotImplementedError):  # whatever the library makes of a bad file
                hint = "Is the password right? Is the file a keystore of version 3?"
                # Without its cause, whose text may hold a part of the key.
                raise UsageError(f"{self._path} cannot be opened", hint=hint) from None
            self._key = _KeySigner(bytes(key), str(self._path))
        return self._key


class _ExternalSigner:
    """Lets a command sign."""

    def __init__(self, rest: str, _password_file: Path | None, _dialogue: Dialogue) -> None:
        try:
            address, *self._command = shlex.split(rest)
        except ValueError as error:
            raise UsageError("signer: external: an unfinished quote") from error
        self.address = parse_address(address, "signer: external:ADDRESS COMMAND")
        if not self._command:
            raise UsageError("signer: external names no command", hint="Write external:ADDRESS COMMAND.")

    def unlock(self) -> None:
        """Do nothing: the command asks."""

    def sign(self, transaction: Unsigned) -> bytes:
        asked = json.dumps({**transaction.to_json(), "from": checksummed(self.address)})
        bounds = Bounds(EXTERNAL_SECONDS, MAX_EXTERNAL_BYTES)
        said = run(self._command, asked.encode() + b"\n", bounds, self._trouble)
        try:
            return bytes.fromhex(said.decode("ascii").strip().removeprefix("0x"))
        except (UnicodeDecodeError, ValueError) as error:
            raise self._trouble("gave no hexadecimal") from error

    def _trouble(self, what: str) -> AnchorError:
        return AnchorError(f"signer: {self._command[0]} {what}", hint="Nothing was sent.")


def _of_keyring(name: str, _password_file: Path | None, _dialogue: Dialogue) -> TransactionSigner:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise AnchorError("the keyring needs the extra ethereum", hint=INSTALL) from error
    try:
        key = keyring.get_password(SERVICE, name)
    except (KeyringError, OSError) as error:
        raise UsageError(f"the keyring cannot be read: {type(error).__name__}", hint="Is it unlocked?") from error
    if key is None:
        raise UsageError(f"the keyring has no {name!a}", hint=f"Run: keyring set {SERVICE} {shlex.quote(name)}")
    return _KeySigner(key.strip(), "the keyring")


def _of_environment(name: str, _password_file: Path | None, dialogue: Dialogue) -> TransactionSigner:
    key = os.environ.get(name)
    if key is None:
        raise UsageError(f"signer: there is no environment variable {name[:80]!a}")
    dialogue.tell(f"warning: the key comes from the environment variable {name}: every program run here can read it")
    return _KeySigner(key.strip(), f"the environment variable {name}")


_KINDS: dict[str, Callable[[str, Path | None, Dialogue], TransactionSigner]] = {
    "keystore": _KeystoreSigner,
    "keyring": _of_keyring,
    "external": _ExternalSigner,
    "env": _of_environment,
}


def _keystore(path: Path) -> dict[str, canonical.Json]:
    try:
        value = canonical.loads(read_document(path, _MAX_FILE_BYTES), str(path), floats=True)
    except FormatError as error:
        raise UsageError(f"{path}: no keystore: {error.what}") from error
    except UnreadableError as error:
        raise UsageError(str(error), hint="Is the path of the keystore right?") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path}: no keystore")
    return value


def _eth_account() -> Any:  # noqa: ANN401  # its class is not typed
    try:
        from eth_account import Account
    except ImportError as error:
        raise AnchorError("signing needs the extra ethereum", hint=INSTALL) from error
    return Account
