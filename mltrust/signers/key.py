"""Whether a key signed a statement: every part of it must have, and a key id is only a hint which signature to try."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm

from mltrust.core.dsse import MAX_SIGNATURES, Signature, pae
from mltrust.core.names import count
from mltrust.core.public_key import HYBRID, NEEDS_ML_DSA, KeyPart, PublicKey
from mltrust.core.report import Check, CheckKind, Outcome, SignatureState
from mltrust.errors import FormatError

_OUTCOMES = {SignatureState.VERIFIED: Outcome.PASS, SignatureState.UNSUPPORTED: Outcome.UNCHECKED}


@dataclass(frozen=True)
class KeyVerifier:
    """A public key whose signatures the caller trusts, under the name the caller gave it."""

    name: str
    key: PublicKey

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of its parts, and `hybrid` where there are two."""
        return frozenset(self._kinds)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its parts."""
        return self.key.ids

    @property
    def _kinds(self) -> tuple[str, ...]:
        parts = tuple(part.kind for part in self.key.parts)
        return (HYBRID, *parts) if len(parts) > 1 else parts

    def confirm(self, payload: bytes, signatures: Sequence[Signature]) -> Check:
        """Tell whether the key signed `payload`, as DSSE v1.0 does (section "Protocol").

        1. What is signed is the PAE of the payload, under the payload type of in-toto: nothing else is ever tried.
        2. Each part of the key is asked by itself, and all must have signed: half of a hybrid signature is none.
        3. For a part, signatures that bear its id come first, then all others: the id is a hint. One is enough.
        4. Without one, a signature that bears the id is a false one, and else there is none.
        5. What the installed library cannot check stays unchecked, unless another part has failed already.
        """
        message = pae(payload)  # 1
        states = [_state(part, message, signatures) for part in self.key.parts]  # 2
        state = _together(states)
        return Check(
            kind=CheckKind.SIGNATURE,
            name=self.name,
            outcome=_OUTCOMES.get(state, Outcome.FAIL),
            summary=self._summary(state, states, signatures),
            state=state,
            kinds=self._kinds,
            voice=self.key.id,
            hint=NEEDS_ML_DSA if state is SignatureState.UNSUPPORTED else None,
        )

    def _summary(self, state: SignatureState, states: Sequence[SignatureState], signatures: Sequence[Signature]) -> str:
        lacking = ", ".join(
            part.kind for part, each in zip(self.key.parts, states, strict=True) if each is not SignatureState.VERIFIED
        )
        others = f", only by others ({count(len(signatures), 'signature')})" if signatures else " or anybody"
        said = {
            SignatureState.VERIFIED: f"signed by {self.name}",
            SignatureState.ABSENT: f"no signature by {self.name}{others}",
            SignatureState.INCOMPLETE: f"only half signed by {self.name}: no signature of its {lacking} key",
            SignatureState.INVALID: f"the signature that says it is by {self.name} is false: {lacking}",
            SignatureState.UNSUPPORTED: f"the signature by {self.name} cannot be checked here: {lacking}",
        }
        return said[state]


def _state(part: KeyPart, message: bytes, signatures: Sequence[Signature]) -> SignatureState:
    theirs = [each for each in signatures if each.keyid == part.id]
    others = [each for each in signatures if each.keyid != part.id]
    try:
        if any(_good(part, message, each) for each in [*theirs, *others][:MAX_SIGNATURES]):  # 3
            return SignatureState.VERIFIED
    except UnsupportedAlgorithm:
        return SignatureState.UNSUPPORTED
    return SignatureState.INVALID if theirs else SignatureState.ABSENT  # 4


def _good(part: KeyPart, message: bytes, signature: Signature) -> bool:
    try:
        return part.verifies(message, signature.value())
    except FormatError:  # not base64
        return False


def _together(states: Sequence[SignatureState]) -> SignatureState:
    """Return the state of all parts: a false one before a missing one, and both before one that cannot be checked."""
    if len(set(states)) == 1:
        return states[0]
    if SignatureState.INVALID in states:
        return SignatureState.INVALID
    if SignatureState.ABSENT not in states:
        return SignatureState.UNSUPPORTED  # 5
    return SignatureState.INCOMPLETE if SignatureState.VERIFIED in states else SignatureState.ABSENT
