"""Every socket: how mltrust touches the world, and what a plug must do.

A plug is one file, one line under `[project.entry-points."mltrust.<kind>"]` and one test class that
inherits the public contract suite in `mltrust.testing`.
"""

from mltrust.interfaces.anchoring import Anchor, Dialogue, Home, Mute, Submission
from mltrust.interfaces.exporting import Exporter, Sealing
from mltrust.interfaces.hashing import HashingDigester
from mltrust.interfaces.listing import Listable, Listed
from mltrust.interfaces.loading import LoadingEngine
from mltrust.interfaces.progress import Progress, Silent
from mltrust.interfaces.reading import (
    ArtifactReader,
    ArtifactSource,
    Digester,
    Engine,
    EnginePlug,
    FileEntry,
    Means,
    OpenFile,
    Parts,
    RecordReader,
    Remembering,
    RemoteEngine,
    Row,
    SealedSource,
    Segment,
    SourcePlug,
)
from mltrust.interfaces.rendering import Renderer, Seen
from mltrust.interfaces.settings import Settings
from mltrust.interfaces.signing import SignatureVerifier, Signer
from mltrust.interfaces.trusting import Quorum, Trust, TrustedKey, TrustedSigner

__all__ = [
    "Anchor",
    "ArtifactReader",
    "ArtifactSource",
    "Dialogue",
    "Digester",
    "Engine",
    "EnginePlug",
    "Exporter",
    "FileEntry",
    "HashingDigester",
    "Home",
    "Listable",
    "Listed",
    "LoadingEngine",
    "Means",
    "Mute",
    "OpenFile",
    "Parts",
    "Progress",
    "Quorum",
    "RecordReader",
    "Remembering",
    "RemoteEngine",
    "Renderer",
    "Row",
    "SealedSource",
    "Sealing",
    "Seen",
    "Segment",
    "Settings",
    "SignatureVerifier",
    "Signer",
    "Silent",
    "SourcePlug",
    "Submission",
    "Trust",
    "TrustedKey",
    "TrustedSigner",
]
