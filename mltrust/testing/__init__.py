"""For whoever writes plugs: public contract suites that every plug of a kind must pass, and stand-ins for tests.

A suite is a class with pytest tests. Inherit it in a test file, give the fixtures it asks for, and run pytest. Only the
suites need pytest, so they are loaded when they are asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mltrust.testing.memory_anchor import MemoryAnchor
from mltrust.testing.memory_source import MemorySource

if TYPE_CHECKING:
    from mltrust.testing.anchor_contract import AnchorContract
    from mltrust.testing.engine_contract import EngineContract
    from mltrust.testing.exporter_contract import ExporterContract
    from mltrust.testing.reader_contract import ReaderContract
    from mltrust.testing.renderer_contract import RendererContract
    from mltrust.testing.signer_contract import SignerContract
    from mltrust.testing.source_contract import SourceContract

__all__ = [
    "AnchorContract",
    "EngineContract",
    "ExporterContract",
    "MemoryAnchor",
    "MemorySource",
    "ReaderContract",
    "RendererContract",
    "SignerContract",
    "SourceContract",
]

_SUITES = {
    "AnchorContract": "mltrust.testing.anchor_contract",
    "EngineContract": "mltrust.testing.engine_contract",
    "ExporterContract": "mltrust.testing.exporter_contract",
    "ReaderContract": "mltrust.testing.reader_contract",
    "RendererContract": "mltrust.testing.renderer_contract",
    "SignerContract": "mltrust.testing.signer_contract",
    "SourceContract": "mltrust.testing.source_contract",
}


def __getattr__(name: str) -> object:
    if name in _SUITES:
        return getattr(import_module(_SUITES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
