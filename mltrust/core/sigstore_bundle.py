"""Sigstore bundles (`sigstore_bundle.proto`, v0.3): one DSSE signature and all it takes to check it."""

from mltrust.core import canonical
from mltrust.core.dsse import Envelope, Signature

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def bundle_of(payload: bytes, signature: Signature) -> dict[str, canonical.Json]:
    """Put `payload`, an in-toto statement, and one signature with its material together again into a bundle."""
    bare = signature.model_copy(update={"material": None})
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": signature.material,
        "dsseEnvelope": Envelope.around(payload, (bare,)).to_json(),
    }
