"""Certificates: whether a signature was made with a certificate that leads to one the caller trusts.

No list of revoked certificates is read; keys can be revoked by their ids, as others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mltrust.core.dsse import MAX_SIGNATURES, Signature, pae
from mltrust.core.oms.legacy import verifies_old
from mltrust.core.public_key import CURVES, KeyPart, part_of
from mltrust.core.receipt import timestamp
from mltrust.core.report import Check, CheckKind, Outcome, SignatureState
from mltrust.errors import FormatError, MltrustError, UsageError
from mltrust.signers.chain import TROUBLE, RefusedError, certificates_of, extension, paths_up, quietly, who

MAX_ROOTS_BYTES = 2**20
KIND = "certificate"

_MAX_ROOTS = 256
_Certificates = Sequence[x509.Certificate]


@dataclass(frozen=True)
class CertificateVerifier:
    """Certificates the caller trusts, in PEM or DER, under a name; whoever has one that leads to them vouches.

    All certificates must be valid now, by `clock`: nothing else says when a signature was made. With `old`, the
    signatures of model-signing 0.2.0 are taken as well, which are over something else than the PAE (`core.oms.legacy`).
    """

    name: str
    roots: bytes
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    old: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not self._trusted:
            raise UsageError(f"{self.name}: holds no certificate")

    @property
    def kinds(self) -> frozenset[str]:
        """One: `certificate`."""
        return frozenset({KIND})

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys of the trusted certificates; with a key that cannot be read, one certifies nobody."""
        with quietly():
            return tuple(dict.fromkeys(id_ for each in self._trusted if (id_ := _id_of(each)) is not None))

    @cached_property
    def _trusted(self) -> Sequence[x509.Certificate]:
        if len(self.roots) > MAX_ROOTS_BYTES:
            raise FormatError(self.name, f"larger than {MAX_ROOTS_BYTES} bytes")
        try:
            with quietly():
                found = _load(self.roots)
        except TROUBLE as error:
            raise FormatError(self.name, "not certificates in PEM, nor one in DER") from error
        if len(found) > _MAX_ROOTS:
            raise FormatError(self.name, f"{len(found)} certificates, at most {_MAX_ROOTS} are read")
        return found

    def confirm(self, payload: bytes, signatures: Sequence[Signature]) -> Check:
        """Tell whether somebody with a certificate that leads to a trusted one signed `payload`.

        For each signature, until one is good:

        1. The certificates are those of its material, the one of the signer first (`x509CertificateChain`).
        2. A path leads from it, by certificates that are there, to a trusted one (RFC 5280 section 6.1): names chain,
           each is signed by the next with a hash that is not broken and a key that is not too short, and by nothing
           but an authority that may sign certificates, within the length it allows. Extensions that are critical and
           not known here are refused, and one that is for other purposes alone (section 4.2.1.12).
        3. All of them, the trusted one too, are valid now. Of several paths, one that is will do.
        4. The signer's is for signatures or for signing code.
        5. Its key is on P-256, P-384 or P-521, and the signature over the PAE of the payload is good by it.

        The keys of all certificates of the path are told in the check, so that each of them can be revoked.
        """
        refused: list[RefusedError] = []
        walk = cache(self._walked)  # the same certificates may come with every signature
        for signature in signatures[:MAX_SIGNATURES]:
            try:
                with quietly():
                    return self._good(payload, signature, walk)
            except RefusedError as error:
                refused.append(error)
            except (*TROUBLE, FormatError) as error:  # what is wrong with a certificate may show late
                refused.append(RefusedError(SignatureState.INVALID, f"it cannot be read: {ascii(str(error))[1:-1]}"))
        said = [each for each in refused if each.state is not SignatureState.ABSENT] or refused
        worst = said[0] if said else RefusedError(SignatureState.ABSENT, "there is no signature")
        unsupported = worst.state is SignatureState.UNSUPPORTED
        outcome = Outcome.UNCHECKED if unsupported else Outcome.FAIL
        return self._check(outcome, worst.state, f"not signed under {self.name}: {worst}", (KIND,))

    def _good(
        self, payload: bytes, signature: Signature, walk: Callable[[_Certificates], _Certificates | Exception]
    ) -> Check:
        certificates = tuple(certificates_of(signature.material))  # 1
        leaf, path = certificates[0], walk(certificates)  # 2, 3
        if isinstance(path, Exception):
            raise path
        key = _signing_key(leaf)  # 4
        value, message = signature.value(), pae(payload)
        good = key.verifies(message, value)  # 5
        if not good and not (self.old and verifies_old(key, payload, value)):
            raise RefusedError(SignatureState.INVALID, f"the signature is false: it is not by the key of {who(leaf)}")
        until = timestamp(min(each.not_valid_after_utc for each in path))
        summary = f"signed by {who(leaf)}, certified under {who(path[-1])} in {self.name}, valid until {until}"
        check = self._check(Outcome.PASS, SignatureState.VERIFIED, summary, (KIND, key.kind))
        above = tuple(id_ for each in path[1:] if (id_ := _id_of(each)) is not None)
        return check.model_copy(update={"voice": key.id, "certified_by": above})

    def _check(self, outcome: Outcome, state: SignatureState, summary: str, kinds: tuple[str, ...]) -> Check:
        hint = None
        if state is SignatureState.EXPIRED:
            hint = "Ask for a signature by a valid certificate; nothing proves when this one was made."
        return Check(
            kind=CheckKind.SIGNATURE,
            name=self.name,
            outcome=outcome,
            summary=summary,
            state=state,
            kinds=kinds,
            hint=hint,
        )

    def _walked(self, certificates: _Certificates) -> _Certificates | Exception:
        """Return a path to a trusted certificate that is valid now, or why there is none."""
        leaf, *others = certificates
        try:
            return self._path(leaf, others)
        except (RefusedError, *TROUBLE) as error:
            return error

    def _path(self, leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> _Certificates:
        odd: list[RefusedError] = []
        for path in paths_up(leaf, others, self._trusted, odd):
            try:
                return self._valid(path)
            except RefusedError as error:
                odd.insert(0, error)
        if odd:
            raise odd[0]
        last = who(leaf)
        raise RefusedError(SignatureState.UNTRUSTED, f"the certificate of {last} leads to none of the trusted ones")

    def _valid(self, path: _Certificates) -> _Certificates:
        now = self.clock()
        for each in path:
            if now > each.not_valid_after_utc:
                ended = timestamp(each.not_valid_after_utc)
                raise RefusedError(SignatureState.EXPIRED, f"the certificate of {who(each)} expired at {ended}")
            if now < each.not_valid_before_utc:
                begins = timestamp(each.not_valid_before_utc)
                state = SignatureState.NOT_YET_VALID
                raise RefusedError(state, f"the certificate of {who(each)} is not valid before {begins}")
        return path


def _load(data: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(data) if b"-----BEGIN" in data else [x509.load_der_x509_certificate(data)]


def _signing_key(leaf: x509.Certificate) -> KeyPart:
    usage, extended = extension(leaf, x509.KeyUsage), extension(leaf, x509.ExtendedKeyUsage)
    signs = extended is not None if usage is None else usage.digital_signature
    if not signs:  # of other purposes it was refused before
        what = f"the certificate of {who(leaf)} is neither for signatures nor for signing code"
        raise RefusedError(SignatureState.UNTRUSTED, what)
    try:
        key = part_of(leaf.public_key(), "certificate")
    except MltrustError:
        key = None
    if key is None or key.kind not in CURVES:
        what = f"the key of {who(leaf)} is not on P-256, P-384 or P-521: such signatures are not checked here"
        raise RefusedError(SignatureState.UNSUPPORTED, what)
    return key


def _id_of(certificate: x509.Certificate) -> str | None:
    try:
        der = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except TROUBLE:
        return None
    return KeyPart(KIND, der).id
