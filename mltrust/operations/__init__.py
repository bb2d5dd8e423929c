"""The verbs. They know sockets, never plugs: sources, readers, engines and anchors are handed in."""

from mltrust.operations.anchor import Placed, anchor, refresh
from mltrust.operations.blinding import Kept, blinded_means, blinding_of, not_blinded
from mltrust.operations.check import check
from mltrust.operations.diff import diff
from mltrust.operations.erase import erase
from mltrust.operations.expectations import Expected
from mltrust.operations.fingerprint import fingerprint, read_found
from mltrust.operations.prove import prove
from mltrust.operations.prove_records import Answer, Asked, RecordFile, prove_records
from mltrust.operations.rows import RowOptions, is_remote, keeping
from mltrust.operations.seal import parameters_for, seal, whole
from mltrust.operations.verify import indexed_as, verify, vouching

__all__ = [
    "Answer",
    "Asked",
    "Expected",
    "Kept",
    "Placed",
    "RecordFile",
    "RowOptions",
    "anchor",
    "blinded_means",
    "blinding_of",
    "check",
    "diff",
    "erase",
    "fingerprint",
    "indexed_as",
    "is_remote",
    "keeping",
    "not_blinded",
    "parameters_for",
    "prove",
    "prove_records",
    "read_found",
    "refresh",
    "seal",
    "verify",
    "vouching",
    "whole",
]
