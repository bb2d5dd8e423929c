"""Signs with a key that an SSH agent holds: `ssh-agent:WHICH`, by the protocol of draft-miller-ssh-agent.

WHICH is a key id (`sha256:` and hexadecimal digits), the comment of a key, or the path of a public key file. The agent
hears the PAE of DSSE and signs it as it is: RFC 8709 for Ed25519, RFC 5656 for ECDSA. Keys of hardware tokens (`sk-`)
sign something else around it and serve only SSH; certificates and RSA keys are passed over.
"""

import base64
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from mltrust.core.dsse import Signature, pae
from mltrust.core.names import shown
from mltrust.core.public_key import DAMAGED, MAX_KEY_BYTES, KeyPart, PublicKey, part_of, read_public_key
from mltrust.disk.documents import read_document
from mltrust.errors import SigningError, UnreadableError, UsageError
from mltrust.interfaces import Home, Settings, Signer
from mltrust.signers.own import checked

SECONDS = 120.0  # somebody may have to agree first
MAX_MESSAGE_BYTES = 256 * 1024  # as OpenSSH has it
MAX_KEYS = 2048

_FAILURE, _REQUEST_KEYS, _KEYS, _REQUEST_SIGNATURE, _SIGNATURE = 5, 11, 12, 13, 14
_ED25519 = b"ssh-ed25519"
_ECDSA = (b"ecdsa-sha2-nistp256", b"ecdsa-sha2-nistp384", b"ecdsa-sha2-nistp521")
_LIST = "mltrust key show ssh-agent: lists those it holds."


@dataclass(frozen=True)
class HeldKey:
    """A key that an agent holds: what the agent calls it, its comment, and its public part."""

    blob: bytes
    comment: str
    part: KeyPart

    @property
    def kind(self) -> bytes:
        """The name of its kind in SSH."""
        return _Fields(self.blob).string()


class SshAgentSigner(Signer):
    """Asks the agent at the other end of the socket whose path is the setting `socket`."""

    scheme: ClassVar[str] = "ssh-agent"
    settings: ClassVar[frozenset[str]] = frozenset({"socket"})

    def __init__(self, which: str, agent: "Agent") -> None:
        self._which = which
        self._agent = agent

    @property
    def name(self) -> str:
        """How the signer is called in messages."""
        return f"{self.scheme}:{self._which}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:  # noqa: ARG003  # the agent itself asks
        """Return the signer of `ssh-agent:WHICH`; the agent is not asked yet."""
        scheme, _, which = uri.partition(":")
        if scheme != cls.scheme or not which or "\0" in which:
            raise UsageError(f"{ascii(uri)[:80]} names no key of an SSH agent", hint=f"Write ssh-agent:WHICH. {_LIST}")
        return cls(which, Agent.from_settings(settings))

    def public_key(self) -> PublicKey:
        """Return the public key, which the agent must hold."""
        return PublicKey((self._held.part,))

    def sign(self, payload: bytes) -> Sequence[Signature]:
        """Let the agent sign, and check its signature."""
        return [checked(self._held.part, payload, self._agent.sign(self._held, pae(payload)), self.name)]

    @cached_property
    def _held(self) -> HeldKey:
        held = self._agent.held()
        found = [key for key in held if self._which in (key.part.id, key.comment)] or self._by_file(held)
        if len({key.blob for key in found}) > 1:
            raise UsageError(
                f"the SSH agent holds several keys called {shown(self._which)}", hint=f"Name one by its id: {_LIST}"
            )
        return found[0]

    def _by_file(self, held: Sequence[HeldKey]) -> list[HeldKey]:
        absent = UsageError(f"the SSH agent holds no key called {shown(self._which)}", hint=_LIST)
        try:
            data = read_document(Path(self._which), MAX_KEY_BYTES)
        except UnreadableError as error:
            raise absent from error
        try:
            key = read_public_key(data, self._which)
        except UnreadableError as error:
            raise UsageError(str(error), hint="Name the public key file.") from error
        found = [each for each in held if PublicKey((each.part,)) == key]
        if not found:
            raise absent
        return found


@dataclass(frozen=True)
class Agent:
    """An SSH agent. Each question is a connection of its own."""

    path: str
    seconds: float = SECONDS

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the agent at the setting `socket`; `UsageError` if there is none."""
        path = settings.get("socket")
        if path is None:
            hint = 'Start one with eval "$(ssh-agent)", add a key with ssh-add, and run it again.'
            raise UsageError("there is no SSH agent: SSH_AUTH_SOCK names none", hint=hint)
        if not isinstance(path, str) or not path or "\0" in path:
            raise UsageError("socket must be the path of an SSH agent's socket")
        return cls(path)

    def held(self) -> list[HeldKey]:
        """Return the keys it holds that can sign statements."""
        fields = self._ask(bytes([_REQUEST_KEYS]), _KEYS)
        number = fields.number()
        if number > MAX_KEYS:
            raise SigningError(f"the SSH agent says it holds {number} keys, at most {MAX_KEYS} are read")
        pairs = [(fields.string(), fields.string()) for _ in range(number)]
        fields.end()
        held = ((blob, comment, _part(blob)) for blob, comment in pairs)
        return [HeldKey(blob, comment.decode("utf-8", "replace"), part) for blob, comment, part in held if part]

    def sign(self, key: HeldKey, message: bytes) -> bytes:
        """Return its signature over `message`, as `KeyPart.verifies` takes it."""
        request = bytes([_REQUEST_SIGNATURE]) + _string(key.blob) + _string(message) + bytes(4)
        if len(request) > MAX_MESSAGE_BYTES:
            hint = "Sign it with a key in a file."
            raise SigningError(f"too large for an SSH agent, which reads {MAX_MESSAGE_BYTES} bytes", hint=hint)
        answer = self._ask(request, _SIGNATURE)
        signature = _Fields(answer.string())
        answer.end()
        kind, value = signature.string(), signature.string()
        signature.end()
        if kind != key.kind:
            raise SigningError(f"the SSH agent signed as {shown(kind.decode('latin-1')[:80])}, not as the key's kind")
        return value if kind == _ED25519 else _in_der(value)

    def _ask(self, request: bytes, wanted: int) -> "_Fields":
        answer = _Fields(self._exchange(request))
        kind = answer.byte()
        if kind == _FAILURE:
            raise SigningError("the SSH agent refused", hint="Is it locked, or did nobody agree?")
        if kind != wanted:
            raise SigningError(f"the SSH agent answered with a message of type {kind}, not {wanted}")
        return answer

    def _exchange(self, request: bytes) -> bytes:
        family = getattr(socket, "AF_UNIX", None)
        if family is None:
            raise UsageError("this system reaches no SSH agent by a socket", hint="Sign with a key in a file.")
        deadline = time.monotonic() + self.seconds
        try:
            with socket.socket(family, socket.SOCK_STREAM) as connection:
                connection.settimeout(self.seconds)
                connection.connect(self.path)
                connection.sendall(_string(request))
                size = int.from_bytes(_received(connection, 4, deadline))
                if not 1 <= size <= MAX_MESSAGE_BYTES:
                    raise SigningError(f"the SSH agent announces an answer of {size} bytes")
                return _received(connection, size, deadline)
        except TimeoutError as error:
            raise SigningError(f"the SSH agent did not answer within {self.seconds:g} s") from error
        except OSError as error:
            hint = "Is it running? ssh-add -l asks it."
            raise SigningError(f"the SSH agent cannot be reached: {error.strerror or error}", hint=hint) from error


def _received(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise SigningError("the SSH agent hung up")
        data += chunk
    return bytes(data)


def _part(blob: bytes) -> KeyPart | None:
    """Return the public key in the form of SSH; None if it is not of a kind that signs statements."""
    kind = _Fields(blob).string()
    if kind != _ED25519 and kind not in _ECDSA:
        return None
    try:
        return part_of(load_ssh_public_key(kind + b" " + base64.b64encode(blob)), "a key of the SSH agent")
    except (UnsupportedAlgorithm, *DAMAGED) as error:
        raise SigningError("the SSH agent holds a damaged key") from error


def _in_der(value: bytes) -> bytes:
    fields = _Fields(value)
    r, s = fields.integer(), fields.integer()
    fields.end()
    return encode_dss_signature(r, s)


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


class _Fields:
    """The fields of a message (RFC 4251, section 5), read one after the other; `SigningError` if one is cut short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        return self._taken(1)[0]

    def number(self) -> int:
        return int.from_bytes(self._taken(4))

    def string(self) -> bytes:
        return self._taken(self.number())

    def integer(self) -> int:
        found = int.from_bytes(self.string(), signed=True)
        if found <= 0:
            raise SigningError("the SSH agent gave a number that is none of a signature")
        return found

    def end(self) -> None:
        if self._at < len(self._data):
            raise SigningError("the SSH agent said more than belongs there")

    def _taken(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise SigningError("the SSH agent gave an answer that is cut short")
        taken, self._at = self._data[self._at : end], end
        return taken
