"""The key that signed a transaction, recovered by the extra: a receipt carries it, so that verifying needs no extra."""

from mltrust.anchors.ethereum.proof.transaction import Transaction
from mltrust.errors import AnchorError

INSTALL = "Install it: pip install 'mltrust[ethereum]'"


def public_key(transaction: Transaction) -> bytes:
    """Return the 64 bytes of the key that signed, recovered from the signature.

    Raises:
        AnchorError: The signature is none, or the extra is not installed.
    """
    try:
        from eth_keys.datatypes import Signature
        from eth_keys.exceptions import BadSignature
        from eth_utils.exceptions import ValidationError
    except ImportError as error:
        raise AnchorError("this needs the extra ethereum", hint=INSTALL) from error
    try:
        signature = Signature(vrs=(transaction.parity, transaction.r, transaction.s))
        return bytes(signature.recover_public_key_from_msg_hash(transaction.signing_hash).to_bytes())
    except (BadSignature, ValidationError) as error:
        raise AnchorError("the transaction has a false signature") from error
