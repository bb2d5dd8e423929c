"""Trust: whom the caller believes, and what of them all must be there. Never read from the thing under test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mltrust.core.digest import parse_fingerprint
from mltrust.core.revocations import Revocations
from mltrust.errors import FormatError, UsageError
from mltrust.interfaces.anchoring import Anchor
from mltrust.interfaces.signing import SignatureVerifier


@dataclass(frozen=True)
class TrustedKey:
    """A key or an identity that counts for statements an anchor proves not older than `since` and older than `until`.

    Both are instants with a time zone, in whole seconds; None: no limit.
    """

    verifier: SignatureVerifier
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class TrustedSigner:
    """Somebody who signs, under a name; any of the keys vouches for the signer, so that keys can be rotated."""

    name: str
    keys: Sequence[TrustedKey]

    def __post_init__(self) -> None:
        if not self.keys:
            raise UsageError(f"signer {self.name} has no key")

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all keys, and identities."""
        return frozenset(each for key in self.keys for each in key.verifier.ids)


Member = Anchor | TrustedSigner


@dataclass(frozen=True)
class Quorum:
    """A group of anchors and signers of which at least so many must vouch; a voice counts once.

    `name` is what its check is called by; that of the one group without a name is `policy`.
    """

    at_least: int
    members: Sequence[Member]
    name: str = "policy"

    def __post_init__(self) -> None:
        if not 1 <= self.at_least <= len(self.members):
            called = "" if self.name == "policy" else f"{self.name}: "
            raise UsageError(f"{called}at least {self.at_least} of {len(self.members)} is not a policy")
        refuse_shared_keys(self.signers)

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        """Those of its members that are anchors."""
        return tuple(each for each in self.members if not isinstance(each, TrustedSigner))

    @property
    def signers(self) -> tuple[TrustedSigner, ...]:
        """Those of its members that are signers."""
        return tuple(each for each in self.members if isinstance(each, TrustedSigner))


def refuse_shared_keys(signers: Sequence[TrustedSigner]) -> None:
    """Raise a `UsageError` if two of `signers` share a key: one voice counts once."""
    owners: dict[str, str] = {}
    for signer in signers:
        for key in signer.ids:
            if key in owners:
                what = f"{owners[key]} and {signer.name} are one signer: they share a key"
                raise UsageError(what, hint="One voice counts once.")
            owners[key] = signer.name


@dataclass(frozen=True)
class Trust:
    """Whom the caller trusts; never read from the thing under test.

    `anchors` and `signers` were named by the caller: silence of one is a failure; and of each of `groups` so many must
    vouch as it says. `kinds` must all be among those who vouch: of keys (`ed25519`, `p256`, ..., `ml-dsa-65`, `hybrid`,
    `sigstore`, `certificate`) or of anchors, by their scheme. `revoked` keys vouch for nothing newer.
    `assumed` are trusted where nobody was named who says whose it is, such as the user's own ledger: silence of one
    decides nothing.
    `fingerprint` is one the caller has from a source it trusts, as reports show it or its digits alone; `content_only`
    asks for the bytes alone.
    `empty_policy` tells that the caller demands a policy which names nobody: that is never met.
    """

    anchors: Sequence[Anchor] = ()
    signers: Sequence[TrustedSigner] = ()
    groups: Sequence[Quorum] = ()
    kinds: frozenset[str] = frozenset()
    revoked: Revocations = field(default_factory=Revocations)
    assumed: Sequence[Anchor] = ()
    fingerprint: str | None = None
    content_only: bool = False
    empty_policy: bool = False

    @property
    def everybody(self) -> tuple[Anchor, ...]:
        """All anchors that are asked, in order."""
        return (*self.anchors, *(anchor for group in self.groups for anchor in group.anchors), *self.assumed)

    @property
    def names_somebody(self) -> bool:
        """Whether somebody must vouch."""
        return bool(self.anchors or self.signers or self.groups or self.fingerprint is not None)

    def __post_init__(self) -> None:
        if self.content_only and (self.names_somebody or self.kinds or self.assumed or self.empty_policy):
            raise UsageError("to ask for the content only is to ask nobody: name no anchor, key or fingerprint with it")
        if self.fingerprint is not None:  # one that is spelled otherwise would read as one that differs
            try:
                object.__setattr__(self, "fingerprint", parse_fingerprint(self.fingerprint, "fingerprint"))
            except FormatError as error:
                raise UsageError(str(error), hint=error.hint) from error
