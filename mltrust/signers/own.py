"""What every signer with a key does with a signature before it hands it out."""

from mltrust.core.dsse import Signature, pae
from mltrust.core.public_key import KeyPart
from mltrust.errors import SigningError


def checked(part: KeyPart, payload: bytes, value: bytes, who: str) -> Signature:
    """Return the signature `value` over the PAE of `payload` under the id of its key; `SigningError` if it is not one.

    Whoever signed may have used another key, and a faulty signature can give a private key away.
    """
    if not part.verifies(pae(payload), value):
        raise SigningError(f"{who} gave a signature that is not by its key {part.id}", hint="Nothing was signed.")
    return Signature.of(part.id, value)
