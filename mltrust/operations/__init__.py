"""The verbs. They know sockets, never plugs: sources, readers, engines and anchors are handed in."""

from mltrust.operations.anchor import Placed, anchor, refresh
from mltrust.operations.diff import diff
from mltrust.operations.fingerprint import fingerprint, read_found
from mltrust.operations.prove import check, prove
from mltrust.operations.seal import parameters_for, seal, whole
from mltrust.operations.verify import verify, vouching

__all__ = [
    "Placed",
    "anchor",
    "check",
    "diff",
    "fingerprint",
    "parameters_for",
    "prove",
    "read_found",
    "refresh",
    "seal",
    "verify",
    "vouching",
    "whole",
]
