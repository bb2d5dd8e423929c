"""Signers by name: one table for each, which says by what their signatures are checked.

    [signers.alice]
    key = "alice.pub"                     a file, a line of OpenSSH, or PEM

    [signers.bob]
    keys = ["old.pub", { key = "new.pub", since = 2026-01-01T00:00:00Z }]

    [signers.acme]
    certificate_chain = "roots.pem"

    [signers.ci]
    identity = "https://github.com/acme/model/.github/workflows/release.yml@refs/heads/main"
    issuer = "https://token.actions.githubusercontent.com"
    trust_root = "root.json"

Any of several keys vouches for the signer. `since` and `until` bound what it vouches for: statements of which an anchor
proves when they were made. No file is opened before somebody asks for the signer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Self

from mltrust import opening
from mltrust.core.note import looks_like_a_key
from mltrust.errors import UsageError
from mltrust.interfaces import SignatureVerifier, TrustedKey, TrustedSigner

_FORMS = (("key",), ("certificate_chain",), ("identity", "issuer"))
_MORE = {"identity": frozenset({"trust_root"})}
_WINDOW = frozenset({"since", "until"})
KEYS = _WINDOW.union({"keys"}, *_FORMS, *_MORE.values())
_HINT = 'Write key = "FILE", keys = [...], certificate_chain = "FILE", or identity = "..." and issuer = "...".'


@dataclass(frozen=True)
class _KeyTable:
    """One way to check signatures, as it was written, and when it counts."""

    fields: Mapping[str, str]
    base: Path
    since: datetime | None = None
    until: datetime | None = None

    def open(self, name: str) -> TrustedKey:
        return TrustedKey(self._verifier(name), self.since, self.until)

    def _verifier(self, name: str) -> SignatureVerifier:
        fields = self.fields
        if "key" in fields:
            if opening.reads_as_public_key(fields["key"]):
                return opening.verifier_by_key(name, fields["key"].encode(), name)
            return opening.verifier_by_key_file(name, self.base / fields["key"])
        if "certificate_chain" in fields:
            return opening.verifier_by_certificates(name, self.base / fields["certificate_chain"])
        root = self.base / fields["trust_root"] if "trust_root" in fields else None
        return opening.verifier_by_identity(name, fields["identity"], fields["issuer"], root)


@dataclass(frozen=True)
class SignerTable:
    """What one `[signers.NAME]` says."""

    keys: tuple[_KeyTable, ...]

    @classmethod
    def of(cls, name: str, table: object, where: str, base: Path) -> Self:
        """Read a table strictly; a `UsageError` names `where`."""
        called = f"{where}: [signers.{ascii(name)[1:-1][:80]}]"
        if not name or ":" in name or looks_like_a_key(name) or not isinstance(table, dict):
            raise UsageError(f"{called} is no table of a signer", hint='Write [signers.alice] and key = "alice.pub".')
        entries = [table]
        if "keys" in table:
            if len(table) > 1 or not isinstance(table["keys"], list) or not table["keys"]:
                raise UsageError(f"{called} keys must be a list, and stand alone", hint=_HINT)
            entries = [{"key": each} if isinstance(each, str) else each for each in table["keys"]]
        return cls(tuple(_key_table(entry, called, base) for entry in entries))

    def open(self, name: str) -> TrustedSigner:
        """Return the signer, with files read; each key stands once."""
        signer = TrustedSigner(name, [key.open(name) for key in self.keys])
        ids = sorted(each for key in signer.keys for each in key.verifier.ids)
        if any(one == two for one, two in pairwise(ids)):
            raise UsageError(f"signer {name} has a key twice", hint="Give each key one time, from since until until.")
        return signer


def _key_table(entry: object, called: str, base: Path) -> _KeyTable:
    if not isinstance(entry, dict):
        raise UsageError(f"{called} {ascii(entry)[:80]} is no key", hint=_HINT)
    forms = [form for form in _FORMS if any(field in entry for field in form)]
    allowed = {field for form in forms for field in (*form, *_MORE.get(form[0], ()))}
    if unknown := sorted(set(entry) - allowed - _WINDOW):
        raise UsageError(f"{called} knows no {ascii(unknown[0])[:80]}", hint=_HINT)
    if len(forms) != 1 or any(field not in entry for field in forms[0]):
        raise UsageError(f"{called} must say in one way how signatures are checked", hint=_HINT)
    fields = {name: value for name, value in entry.items() if name not in _WINDOW}
    for name, value in fields.items():
        if not isinstance(value, str) or not value or "\0" in value:
            raise UsageError(f"{called} {name} must be a text")
    since, until = (_time(entry, name, called) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise UsageError(f"{called} since is not before until: it would never count")
    return _KeyTable(fields, base.absolute(), since, until)


def _time(entry: Mapping[str, object], name: str, called: str) -> datetime | None:
    found = entry.get(name)
    if found is None:
        return None
    if not isinstance(found, datetime) or found.tzinfo is None or found.microsecond:
        hint = f"Write {name} = 2026-01-31T00:00:00Z, without quotes."
        raise UsageError(f"{called} {name} must be a time with a zone, in whole seconds", hint=hint)
    try:
        return found.astimezone(UTC)
    except OverflowError as error:  # its zone takes it out of the calendar
        raise UsageError(f"{called} {name} is a time that UTC has not") from error
