"""A time-stamp authority as an anchor: it says when a digest existed, to whoever trusts its roots, and never whose."""

from collections.abc import Sequence
from typing import ClassVar, Self

from mltrust.anchors.rfc3161 import exchange, settings, verify
from mltrust.anchors.rfc3161.evidence import KIND, receipt_for, stamp_of
from mltrust.anchors.rfc3161.kept import Kept
from mltrust.anchors.rfc3161.settings import Chosen
from mltrust.anchors.rfc3161.stamp import Stamp, imprint_of, refusal
from mltrust.anchors.rfc3161.verify import Roots
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome
from mltrust.errors import AnchorError, FormatError, UsageError
from mltrust.interfaces import Anchor, Home, Settings, Submission

LEVEL = "time-only"
STRONGER = "an anchor or a key that also says whose it is: anybody can have any digest stamped"


class Rfc3161Anchor(Anchor):
    """A time-stamp authority (RFC 3161), asked at a URL when publishing and never when verifying.

    The user's `roots` alone decide whose time stamps count; the URL is how the authority is called.
    """

    scheme: ClassVar[str] = KIND
    settings: ClassVar[frozenset[str]] = settings.NAMES
    vouches: ClassVar[bool] = False

    def __init__(self, url: str, home: Home, chosen: Chosen) -> None:
        self._url = url
        self._home = home
        self._chosen = chosen
        self._kept = Kept(home.state, url)

    @property
    def name(self) -> str:
        """How the authority is called in reports and messages: as its URI."""
        return f"{self.scheme}:{self._url}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:
        """Return the authority that `rfc3161:URL` names.

        Settings: `roots` and `intermediates` (paths of PEM or DER files), `policy` (the object identifier its time
        stamps must be of), `timeout` (seconds to wait for it, 30 by default, at most 600).
        """
        scheme, _, url = uri.partition(":")
        if scheme != cls.scheme or not url:
            raise UsageError(f"{ascii(uri)[:120]} names no authority", hint="Write rfc3161:URL, an http or https URL.")
        return cls(exchange.checked(url), home, Chosen.of(settings))

    def publish(self, submissions: Sequence[Submission]) -> Sequence[Receipt]:
        """Have SHA-256 digests stamped, one request each; return the receipts.

        A digest that was stamped before has the receipt it was given then, unless that does not hold under the roots
        of today. What was stamped is kept at once, whatever becomes of the rest.

        Raises:
            UsageError: A digest is not SHA-256, or a setting makes no sense.
            AnchorError: The authority is out of reach, refuses, or answers with what proves nothing.
        """
        digests = [submission.digest for submission in submissions]
        for digest in digests:
            if digest.algorithm != "sha256":
                raise UsageError(f"an authority is asked about SHA-256 digests, not {digest}")
        if not digests:
            return ()
        roots = self._roots()
        self._kept.prepare()
        found = self._stamped(list(dict.fromkeys(digests)), roots)
        if roots is None:
            self._home.dialogue.tell(f"{self.name}: stamped, and not verified, for no roots are known. {self._how()}")
        return tuple(found[digest] for digest in digests)

    def confirm(self, receipt: Receipt, digest: Digest) -> Check:
        """Check offline that `receipt` proves to whoever trusts the roots that `digest` existed at its time.

        1. It is a time stamp, well-formed, over this digest, and of the time that the receipt states.
        2. The user named roots.
        3. An authority under these roots made it, at a time when its certificates were valid, under the policy
           that is required: see `verify.require_trusted`.
        """
        try:
            # 1.
            stamp = stamp_of(receipt, digest)
            # 2.
            roots = self._needed_roots()
            # 3.
            authority = verify.require_trusted(stamp, roots, digest.value)
        except FormatError as error:
            return Check.of_trouble(self.name, verify.false(str(error)))
        except AnchorError as error:
            return Check.of_trouble(self.name, error)
        return self._verified(receipt, authority)

    def find(self, submission: Submission) -> Sequence[Receipt]:
        """Return the receipt this user was given for the digest, if there is one: an authority cannot look up."""
        receipt = self._kept.find(submission.digest) if submission.digest.algorithm == "sha256" else None
        return () if receipt is None else (receipt,)

    def _verified(self, receipt: Receipt, authority: str) -> Check:
        return Check(
            kind=CheckKind.ANCHOR,
            name=self.name,
            outcome=Outcome.PASS,
            state=AnchorState.VERIFIED,
            summary=f"not later than {receipt.time.not_after}, by the clock of {authority}; it says when, not whose",
            time=receipt.time,
            level=LEVEL,
            stronger=STRONGER,
            voice=f"{self.scheme} {authority}",
            vouches=self.vouches,
        )

    def _roots(self) -> Roots | None:
        roots, between = self._chosen.certificates()
        return Roots(roots, between, self._chosen.policy) if roots else None

    def _needed_roots(self) -> Roots:
        roots = self._roots()
        if roots is None:
            raise AnchorError("no roots are known that its time stamp could be verified with", hint=self._how())
        return roots

    def _how(self) -> str:
        return f'Set roots in the table [rfc3161."{self._url}"] of your configuration, or verify with --roots FILE.'

    def _stamped(self, digests: Sequence[Digest], roots: Roots | None) -> dict[Digest, Receipt]:
        found: dict[Digest, Receipt] = {}
        for digest in digests:
            try:
                found[digest] = self._old(digest) or self._new(digest, roots)
            except AnchorError as error:
                if not found:
                    raise
                message = f"{error}; {len(found)} of {len(digests)} are stamped and kept"
                raise AnchorError(message, hint=error.hint) from error
        return found

    def _old(self, digest: Digest) -> Receipt | None:
        receipt = self._kept.find(digest)
        if receipt is None:
            return None
        check = self.confirm(receipt, digest)
        return receipt if check.outcome is Outcome.PASS or check.state is AnchorState.UNAVAILABLE else None

    def _new(self, digest: Digest, roots: Roots | None) -> Receipt:
        """Ask for a time stamp, check it as far as the user's roots allow, and keep it.

        1. The answer is strict DER, and granted.
        2. It is over this digest and carries the nonce of this request: it is no older answer.
        3. Where roots are known, it is verified as it will be by others.
        """
        request = verify.request(digest.value)
        answer = exchange.ask(self._url, request.as_bytes(), self._chosen.seconds)
        # 1.
        stamp = self._read(answer)
        # 2.
        if stamp.info.imprint != imprint_of(digest.value) or stamp.info.nonce != request.nonce:
            raise AnchorError(f"{self._url} answered another question", hint="Ask another authority.")
        # 3.
        if roots is not None:
            self._require(stamp, roots, digest, request.nonce)
        receipt = receipt_for(stamp, digest)
        self._kept.keep(receipt, digest)
        return receipt

    def _read(self, answer: bytes) -> Stamp:
        try:
            refused = refusal(answer)
            if refused is not None:
                raise AnchorError(f"{self._url} refused: {refused}", hint="Try later, or another authority.")
            stamp = Stamp.parse(answer).in_order()
            stamp.certificate()
            verify.decode(stamp.response)
        except FormatError as error:
            hint = "Ask another authority: this one is not strict about DER, or not a time-stamp authority."
            raise AnchorError(f"the answer of {self._url} cannot be used: {error.what}", hint=hint) from error
        return stamp

    def _require(self, stamp: Stamp, roots: Roots, digest: Digest, nonce: int | None) -> None:
        try:
            verify.require_trusted(stamp, roots, digest.value, nonce)
        except (AnchorError, FormatError) as error:
            hint = error.hint or "Ask another authority."
            raise AnchorError(f"the answer of {self._url} is of no use: {error}", hint=hint) from error
