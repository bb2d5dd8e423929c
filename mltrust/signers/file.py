"""Signs with a private key in a file: `file:PATH`."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

from mltrust.core.dsse import Signature, pae
from mltrust.core.private_key import PrivateKey
from mltrust.core.public_key import PublicKey
from mltrust.disk import keys, private_keys
from mltrust.errors import UsageError
from mltrust.interfaces import Home, Settings, Signer
from mltrust.signers.own import checked


class FileSigner(Signer):
    """Holds the key from when it is first needed; an encrypted one asks for its password then."""

    scheme: ClassVar[str] = "file"
    settings: ClassVar[frozenset[str]] = frozenset({"password_file"})

    def __init__(self, path: Path, password: Callable[[], str]) -> None:
        self._path = path
        self._password = password

    @property
    def name(self) -> str:
        """How the signer is called in messages."""
        return f"{self.scheme}:{self._path}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:
        """Return the signer of `file:PATH`; the setting `password_file` names a file with its password."""
        scheme, _, rest = uri.partition(":")
        if scheme != cls.scheme or not rest or "\0" in rest:
            raise UsageError(f"{ascii(uri)[:80]} names no key file", hint="Write file:PATH.")
        given = settings.get("password_file")
        if given is None:
            return cls(Path(rest), lambda: home.dialogue.secret(f"the password of {rest}"))
        if not isinstance(given, str) or not given or "\0" in given:
            raise UsageError("password_file must be a path")
        return cls(Path(rest), lambda: keys.read_password(Path(given)))

    def public_key(self) -> PublicKey:
        """Return the public key of the private one, which is opened for it."""
        return self._key.public

    def sign(self, payload: bytes) -> Sequence[Signature]:
        """Sign with each part of the key."""
        message = pae(payload)
        return [checked(part.public, payload, part.sign(message), self.name) for part in self._key.parts]

    @cached_property
    def _key(self) -> PrivateKey:
        return private_keys.read(self._path, self._password)
