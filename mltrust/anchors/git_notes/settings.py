"""The settings of git notes, and the keys that come of them: who signs, and whose records count."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mltrust.core.note import Signer, VerifierKey
from mltrust.disk import keys
from mltrust.errors import AnchorError, FormatError, UsageError
from mltrust.interfaces import Home, Settings

NAMES = frozenset({"key", "keys", "push", "fetch"})

_PEM_HINT = "It must be an Ed25519 private key in PEM (openssl genpkey -algorithm ed25519), and the password right."


@dataclass(frozen=True)
class GitNotesSettings:
    """`key` is the PEM file to sign with, `keys` whose records count, `push` and `fetch` are names of remotes."""

    key: Path | None = None
    keys: tuple[VerifierKey, ...] | None = None
    push: str | None = None
    fetch: str | None = None

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read the settings as the user wrote them; every surprise is a `UsageError` that names one."""
        key = _text(settings, "key")
        return cls(
            key=None if key is None else Path(key),
            keys=_verifier_keys(settings["keys"]) if "keys" in settings else None,
            push=_text(settings, "push"),
            fetch=_text(settings, "fetch"),
        )


class Keys:
    """Who signs, and whose records count; a password is asked for once."""

    def __init__(self, settings: GitNotesSettings, home: Home, random: Callable[[int], bytes]) -> None:
        self._settings = settings
        self._home = home
        self._random = random
        self._loaded: Signer | None = None

    def signer(self) -> Signer:
        """Return who signs: the key in the file, else the user's own, made on first use."""
        if self._settings.key is None:
            return keys.own(self._home.data, self._random)
        if self._loaded is None:
            self._loaded = _load(self._settings.key, self._home)
        return self._loaded

    def trusted(self) -> tuple[VerifierKey, ...]:
        """Return whose records count: those that were named, else who signs here, if anybody does."""
        if self._settings.keys is not None:
            return self._settings.keys
        signer = keys.own_if_any(self._home.data, self._random) if self._settings.key is None else self.signer()
        return () if signer is None else (signer.verifier_key,)


def _text(settings: Settings, name: str) -> str | None:
    value = settings.get(name)
    if value is not None and (not isinstance(value, str) or not value or "\0" in value):
        raise UsageError(f"{name} must be a text, not {ascii(value)[:80]}")
    return value


def _verifier_keys(value: object) -> tuple[VerifierKey, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
        raise UsageError("keys must be a list of verifier keys, name+id+base64")
    try:
        return tuple(VerifierKey.parse(text, "keys") for text in texts)
    except FormatError as error:
        raise UsageError(str(error), hint="Copy the verifier key as a whole: name+id+base64.") from error


def _load(path: Path, home: Home) -> Signer:
    # Its name comes from the key, so that the same file has the same name everywhere.
    try:
        private = keys.read_private(path, lambda: home.dialogue.secret(f"the password of {path}"))
    except AnchorError as error:
        raise UsageError(str(error), hint=_PEM_HINT) from error
    if private is None:
        raise UsageError(f"there is no key at {path}", hint=_PEM_HINT)
    name = hashlib.sha256(private.public_key().public_bytes_raw()).hexdigest()[:16]
    return Signer(f"mltrust.key/{name}", private)
