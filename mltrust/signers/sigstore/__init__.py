"""Sigstore: signing by who somebody is, without a key that anybody keeps.

A certificate authority (Fulcio) certifies a key for ten minutes, for whoever shows a token of an identity provider; the
key signs once and is forgotten; a public log (Rekor) says when. Whoever verifies names the identity and its provider.

Whom to trust: `roots`. Signing: `signer`, and `token` for who one is. Verifying, without a network: `verifier`.
The library, sigstore-python, is an optional extra and imported when it is needed.
"""

from mltrust.signers.sigstore.signer import SigstoreSigner
from mltrust.signers.sigstore.verifier import SigstoreVerifier

__all__ = ["SigstoreSigner", "SigstoreVerifier"]
