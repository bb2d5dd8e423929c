"""For whoever writes plugs: public contract suites that every plug of a kind must pass, and stand-ins for tests.

A suite is a class with pytest tests. Inherit it in a test file, give the fixtures it asks for, and run pytest. Only the
suites need pytest, so they are loaded when they are asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mltrust.testing.memory_anchor import MemoryAnchor

if TYPE_CHECKING:
    from mltrust.testing.anchor_contract import AnchorContract

__all__ = ["AnchorContract", "MemoryAnchor"]

_SUITES = {"AnchorContract": "mltrust.testing.anchor_contract"}


def __getattr__(name: str) -> object:
    if name in _SUITES:
        return getattr(import_module(_SUITES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
