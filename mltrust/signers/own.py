"""What every signer with a key does with a signature before it hands it out."""

from cryptography.exceptions import UnsupportedAlgorithm

from mltrust.core.dsse import Signature, pae
from mltrust.core.public_key import NEEDS_ML_DSA, KeyPart
from mltrust.errors import SigningError, UsageError


def checked(part: KeyPart, payload: bytes, value: bytes, who: str) -> Signature:
    """Return the signature `value` over the PAE of `payload` under the id of its key; `SigningError` if it is not one.

    Whoever signed may have used another key, and a faulty signature can give a private key away; so one that the
    installed library cannot check is a `UsageError`.
    """
    try:
        good = part.verifies(pae(payload), value)
    except UnsupportedAlgorithm as error:
        raise UsageError(f"the signature of {who} cannot be checked here: {part.kind}", hint=NEEDS_ML_DSA) from error
    if not good:
        raise SigningError(f"{who} gave a signature that is not by its key {part.id}", hint="Nothing was signed.")
    return Signature.of(part.id, value)
