"""Verifying Sigstore signatures without a network, for whoever knows an identity and its provider."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mltrust.core import canonical
from mltrust.core.dsse import PAYLOAD_TYPE, Signature
from mltrust.core.names import shown
from mltrust.core.receipt import TimeBounds, timestamp
from mltrust.core.report import Check, CheckKind, Outcome, SignatureState
from mltrust.core.sigstore_bundle import bundle_of
from mltrust.errors import UnreadableError, UsageError
from mltrust.interfaces import SignatureVerifier
from mltrust.signers.sigstore.library import NotInstalledError, reason, require
from mltrust.signers.sigstore.roots import Root, root_of

if TYPE_CHECKING:
    from sigstore.models import Bundle
    from sigstore.verify import Verifier

KIND = "sigstore"
MAX_MATERIAL_BYTES = 2**18

_OLD = "If it was signed lately: upgrade the library sigstore, or name a newer root with --trust-root."
_UNSUPPORTED = "Unsupported DSSE log entry type"  # of a good signature; the library has no class of error for it
_OUTCOMES = {  # the first of these that there is says what became of several signatures
    SignatureState.VERIFIED: Outcome.PASS,
    SignatureState.UNSUPPORTED: Outcome.UNCHECKED,
    SignatureState.UNAVAILABLE: Outcome.UNCHECKED,
    SignatureState.INVALID: Outcome.FAIL,
    SignatureState.UNTRUSTED: Outcome.FAIL,
    SignatureState.ABSENT: Outcome.FAIL,
}


class _Finding(NamedTuple):
    state: SignatureState
    summary: str
    time: TimeBounds | None = None
    hint: str | None = None


class SigstoreVerifier(SignatureVerifier):
    """Trusts what one identity signed, as one provider knows it; both are compared as they are, to the letter.

    `trust_root` is a file: a trusted root, or a client trust configuration; without one, it is the root of the public
    instance that the installed library brings. The network is never used.
    """

    def __init__(self, name: str, *, identity: str | None, issuer: str | None, trust_root: Path | None = None) -> None:
        if not identity or not issuer:
            raise UsageError(
                "a Sigstore signature is trusted by an identity and the provider that knows it",
                hint="Give both: --identity release@example.org --issuer https://accounts.example.org",
            )
        self._name, self._identity, self._issuer, self._trust_root = name, identity, issuer, trust_root

    @property
    def name(self) -> str:
        """How the caller called it."""
        return self._name

    @property
    def kinds(self) -> frozenset[str]:
        """The one kind there is."""
        return frozenset({KIND})

    @property
    def ids(self) -> tuple[str, ...]:
        """The identity."""
        return (self._identity,)

    def confirm(self, payload: bytes, signatures: Sequence[Signature]) -> Check:
        """Tell whether the identity signed `payload`.

        1. Somebody signed with a certificate; signatures of keys are passed over.
        2. Each of these is asked by itself, see `_require`; one good one is enough.
        3. Without one: whatever cannot be told leaves it open; else a false one is told before those of others.

        `UsageError` if the root that the caller named is none.
        """
        found = [each for each in signatures if each.material is not None and "certificate" in each.material]
        if not found:  # 1
            return self._check(_Finding(SignatureState.ABSENT, f"not signed by {self._who}: no Sigstore signature"))
        try:
            require()
            level = f"{KIND}: {shown(self._root.name)}"
        except (NotInstalledError, UnreadableError) as error:
            return self._check(_Finding(SignatureState.UNAVAILABLE, str(error), hint=error.hint))
        order = list(_OUTCOMES)
        findings = [self._tried(payload, each) for each in found]  # 2
        best = min(findings, key=lambda finding: order.index(finding.state))  # 3
        return self._check(best, level)

    @property
    def _who(self) -> str:
        return f"{shown(self._identity)}, known to {shown(self._issuer)}"

    @cached_property
    def _root(self) -> Root:
        return root_of(self._trust_root)

    @cached_property
    def _library(self) -> "Verifier":
        from sigstore.verify import Verifier

        return Verifier(trusted_root=self._root.trusted)

    def _check(self, finding: _Finding, level: str | None = None) -> Check:
        return Check(
            kind=CheckKind.SIGNATURE,
            name=self._name,
            outcome=_OUTCOMES[finding.state],
            summary=finding.summary,
            state=finding.state,
            kinds=(KIND,),
            time=finding.time,
            level=level,
            voice=f"{KIND} {shown(self._issuer)} {shown(self._identity)}",
            hint=finding.hint,
        )

    def _tried(self, payload: bytes, signature: Signature) -> _Finding:
        try:
            time = self._require(payload, signature)
        except Exception as error:  # noqa: BLE001  # it was fed by strangers: whatever it trips over is no pass
            return self._refused(error)
        summary = f"signed by {self._who}, not later than {time.not_after}; trusted: {shown(self._root.name)}"
        return _Finding(SignatureState.VERIFIED, summary, time)

    def _refused(self, error: Exception) -> _Finding:
        from sigstore.errors import CertValidationError, Error, MetadataError
        from sigstore.models import IncompatibleEntry

        from mltrust.signers.sigstore.identity import SomebodyElseError

        known = IncompatibleEntry, MetadataError
        state, what, why = SignatureState.INVALID, "a false Sigstore signature", reason(error)
        if isinstance(error, SomebodyElseError):
            return _Finding(SignatureState.ABSENT, f"not signed by {self._who}: {error}")
        if isinstance(error, CertValidationError):
            state, what = SignatureState.UNTRUSTED, f"the certificate does not lead to {shown(self._root.name)}"
        elif isinstance(error, known) or not isinstance(error, Error | ValueError) or why.startswith(_UNSUPPORTED):
            state, what = SignatureState.UNSUPPORTED, "the Sigstore signature cannot be checked"
        return _Finding(state, f"{what}: {why}", hint=None if self._trust_root else _OLD)

    def _require(self, payload: bytes, signature: Signature) -> TimeBounds:
        """Raise unless `signature` is good; return since when it exists.

        1. The material is of bounded size, and together with the payload a bundle.
        2. The library verifies it (Sigstore client specification, "Verification"): a time is proven, by log or time
           stamp; the certificate leads to the root at that time, and a certificate log knows it; identity and provider
           are those asked for; the log entry is in a tree the log signed, and of this signature; the signature is good.
        3. What was signed is this payload, and is called an in-toto statement.
        """
        from mltrust.signers.sigstore.identity import Identity

        if len(canonical.dumps(signature.material)) > MAX_MATERIAL_BYTES:  # 1
            raise ValueError(f"its material is larger than {MAX_MATERIAL_BYTES} bytes")
        bundle = _bundle(payload, signature)
        found = self._library.verify_dsse(bundle, Identity(self._identity, self._issuer))  # 2
        if found != (PAYLOAD_TYPE, payload):  # 3
            raise ValueError("it is of another payload")
        return TimeBounds(not_after=_not_after(bundle))


def _bundle(payload: bytes, signature: Signature) -> "Bundle":
    from sigstore.models import Bundle

    return Bundle.from_json(json.dumps(bundle_of(payload, signature)))


def _not_after(bundle: "Bundle") -> str:
    """Return when the log took a verified signature in; where the log did not sign that, when the certificate ended.

    Every time that was verified is within that of the certificate. It is read as the library read it: a material can be
    spelled so that others find a time in it which the library passed over, and nobody signed.
    """
    (entry,) = json.loads(bundle.to_json())["verificationMaterial"]["tlogEntries"]
    if entry.get("inclusionPromise") and entry.get("integratedTime"):
        return timestamp(datetime.fromtimestamp(int(entry["integratedTime"]), UTC))
    return timestamp(bundle.signing_certificate.not_valid_after_utc)
