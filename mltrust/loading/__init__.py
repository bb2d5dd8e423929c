"""The Python face of loading: tensors made of bytes that were verified, and of nothing else."""

from mltrust.loading.opening import load_file, open_verified
from mltrust.loading.verified import VerifiedArtifact

__all__ = ["VerifiedArtifact", "load_file", "open_verified"]
