"""Signs with a command: a wrapper of a key service or of hardware, `external:COMMAND`.

The command line is split as a shell does, and run without one, with one more argument:

    public-key    writes the public key, in PEM, DER or OpenSSH form
    sign          reads from its standard input what is to be signed, and writes the bytes of the signature

What is to be signed is the PAE of DSSE, as it is: the command hashes it if its kind of key needs that. A signature
of an elliptic curve is in DER. What the command writes to its standard error is shown.
"""

import shlex
from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import ClassVar, Self

from mltrust.core.dsse import Signature, pae
from mltrust.core.public_key import MAX_KEY_BYTES, KeyPart, PublicKey, read_public_key
from mltrust.disk.commands import Bounds, run
from mltrust.errors import FormatError, SigningError, UsageError
from mltrust.interfaces import Home, Settings, Signer
from mltrust.signers.own import checked

SECONDS = 180.0
MAX_SIGNATURE_BYTES = 16 * 1024

_LAST = 10  # lines


class ExternalSigner(Signer):
    """Lets a command sign with one key; a hybrid one is two."""

    scheme: ClassVar[str] = "external"

    def __init__(self, command: Sequence[str], tell: Callable[[str], None], seconds: float = SECONDS) -> None:
        self._command = command
        self._tell = tell
        self._seconds = seconds

    @property
    def name(self) -> str:
        """How the signer is called in messages: arguments may hold what is nobody's business."""
        return f"{self.scheme}:{self._command[0]}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:  # noqa: ARG003  # it has no settings
        """Return the signer of `external:COMMAND`, which is not run yet."""
        scheme, _, rest = uri.partition(":")
        if scheme != cls.scheme or "\0" in rest:
            raise UsageError("this names no command", hint="Write external:COMMAND.")
        try:
            command = shlex.split(rest)
        except ValueError as error:
            raise UsageError("external: an unfinished quote") from error
        if not command or not command[0]:
            raise UsageError("external: names no command", hint="Write external:COMMAND.")
        return cls(command, home.dialogue.tell)

    def public_key(self) -> PublicKey:
        """Return the public key that the command writes."""
        return PublicKey((self._part,))

    def sign(self, payload: bytes) -> Sequence[Signature]:
        """Let the command sign, and check its signature."""
        part = self._part
        return [checked(part, payload, self._run("sign", pae(payload), MAX_SIGNATURE_BYTES), self.name)]

    @cached_property
    def _part(self) -> KeyPart:
        where = f"{self.name} public-key"
        try:
            key = read_public_key(self._run("public-key", b"", MAX_KEY_BYTES), where)
        except FormatError as error:
            raise SigningError(str(error), hint="The command must write its public key, in PEM.") from error
        if len(key.parts) != 1:
            raise UsageError(
                f"{where}: a hybrid key, and a command signs with one", hint="Name a command for each half."
            )
        return key.parts[0]

    def _run(self, what: str, given: bytes, limit: int) -> bytes:
        last: deque[str] = deque(maxlen=_LAST)

        def heard(line: str) -> None:
            last.append(line)
            self._tell(f"{self._command[0]}: {line}")

        def trouble(happened: str) -> SigningError:
            said = f": {' / '.join(filter(None, last))}" if any(last) else ""
            return SigningError(f"{self.name} {what} {happened}{said}", hint="Nothing was signed.")

        return run([*self._command, what], given, Bounds(self._seconds, limit), trouble, heard)
