"""The statement of a seal in a DSSE envelope (v1.0), with the signatures of keys: what in-toto's tools read."""

import json
from collections.abc import Sequence
from typing import ClassVar

from mltrust.core.dsse import Envelope
from mltrust.core.names import count
from mltrust.errors import UsageError
from mltrust.interfaces import Exporter, Sealing


class DsseExporter(Exporter):
    """Writes the envelope. A signature by a certificate needs what stands in no plain envelope, so it is left out."""

    name: ClassVar[str] = "dsse"
    ending: ClassVar[str] = ".dsse.json"

    def export(self, sealing: Sealing) -> bytes:
        """Return the envelope; `UsageError` if no key has signed the seal."""
        bundle = sealing.bundle
        by_keys = [signature for signature in bundle.signatures if signature.material is None]
        if not by_keys:
            what = "no key has signed the seal" if not bundle.signatures else "only certificates have signed the seal"
            raise UsageError(f"{what}, and an envelope holds signatures of keys", hint="mltrust sign SEAL --key FILE")
        envelope = Envelope.around(bundle.statement.payload(), by_keys)
        return (json.dumps(envelope.to_json(), indent=2) + "\n").encode("ascii")

    def omitted(self, sealing: Sealing) -> Sequence[str]:
        """Count the signatures by certificates."""
        left = sum(signature.material is not None for signature in sealing.bundle.signatures)
        what = f"{count(left, 'signature')} by certificates: an envelope has no place for them"
        return [what] if left else []
