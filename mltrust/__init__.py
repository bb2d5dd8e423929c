"""Integrity for machine-learning artifacts: fingerprint, seal, anchor, verify.

import mltrust

mltrust.seal("model/", anchors=[ledger])
mltrust.verify("model/", trust=mltrust.Trust(anchors=[ledger])).require()
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mltrust.api import (
        Fingerprint,
        Sealed,
        anchor,
        default_means,
        fingerprint,
        seal,
        verify,
        verify_seen,
    )
    from mltrust.comparing import diff, diff_seen
    from mltrust.configuration import Configuration
    from mltrust.core.bundle import Bundle
    from mltrust.core.changes import Change, ChangeKind, Difference
    from mltrust.core.proof import Proof
    from mltrust.core.report import AnchorState, Check, CheckKind, Outcome, Report, Verdict
    from mltrust.disk.digest_cache import DigestCache
    from mltrust.downloading import download, download_seen
    from mltrust.erasing import erase
    from mltrust.errors import MltrustError, NotVerifiedError, UnreadableError, UsageError
    from mltrust.exporting import export
    from mltrust.foreign import verify_oms, verify_oms_seen
    from mltrust.interfaces import Anchor, Home, Means, Progress, Quorum, Renderer, Seen, Submission, Trust
    from mltrust.loading import VerifiedArtifact, load_file, open_verified
    from mltrust.opening import anchor_by_key, open_anchor
    from mltrust.operations.rows import RowOptions
    from mltrust.proving import check, prove, prove_records
    from mltrust.rendering import render
    from mltrust.sealfile import read_seal_file
    from mltrust.signing import open_signer, sign
    from mltrust.staging import verify_staged

__version__ = "0.1.0"

# Where each public name lives. It is imported when first used: `mltrust --help` needs none of them.
_HOMES = {
    "mltrust.api": "Fingerprint Sealed anchor default_means fingerprint seal verify verify_seen",
    "mltrust.comparing": "diff diff_seen",
    "mltrust.configuration": "Configuration",
    "mltrust.core.bundle": "Bundle",
    "mltrust.core.changes": "Change ChangeKind Difference",
    "mltrust.core.proof": "Proof",
    "mltrust.core.report": "AnchorState Check CheckKind Outcome Report SignatureState Verdict",
    "mltrust.disk.digest_cache": "DigestCache",
    "mltrust.downloading": "download download_seen",
    "mltrust.erasing": "erase",
    "mltrust.errors": "MltrustError NotVerifiedError UnreadableError UsageError",
    "mltrust.exporting": "export",
    "mltrust.foreign": "verify_oms verify_oms_seen",
    "mltrust.interfaces": "Anchor Home Means Progress Quorum Renderer Seen Submission Trust TrustedKey TrustedSigner",
    "mltrust.loading": "VerifiedArtifact load_file open_verified",
    "mltrust.opening": "anchor_by_key open_anchor",
    "mltrust.operations.rows": "RowOptions",
    "mltrust.proving": "check prove prove_records",
    "mltrust.rendering": "render",
    "mltrust.sealfile": "read_seal_file",
    "mltrust.signing": "open_signer sign",
    "mltrust.staging": "verify_staged",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Anchor",
    "AnchorState",
    "Bundle",
    "Change",
    "ChangeKind",
    "Check",
    "CheckKind",
    "Configuration",
    "Difference",
    "DigestCache",
    "Fingerprint",
    "Home",
    "Means",
    "MltrustError",
    "NotVerifiedError",
    "Outcome",
    "Progress",
    "Proof",
    "Quorum",
    "Renderer",
    "Report",
    "RowOptions",
    "Sealed",
    "Seen",
    "SignatureState",
    "Submission",
    "Trust",
    "TrustedKey",
    "TrustedSigner",
    "UnreadableError",
    "UsageError",
    "Verdict",
    "VerifiedArtifact",
    "anchor",
    "anchor_by_key",
    "check",
    "default_means",
    "diff",
    "diff_seen",
    "download",
    "download_seen",
    "erase",
    "export",
    "fingerprint",
    "load_file",
    "open_anchor",
    "open_signer",
    "open_verified",
    "prove",
    "prove_records",
    "read_seal_file",
    "render",
    "seal",
    "sign",
    "verify",
    "verify_oms",
    "verify_oms_seen",
    "verify_seen",
    "verify_staged",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'mltrust' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
