"""Prove that a file, or one tensor of it, is part of the sealed artifact: the seal alone is needed."""

from collections.abc import Sequence

from mltrust.core.bundle import Bundle
from mltrust.core.manifest import Entry, Kind, Leaf
from mltrust.core.merkle import Tree
from mltrust.core.proof import Absence, LeafFields, Level, Proof
from mltrust.errors import UsageError
from mltrust.operations.seal import whole


def prove(bundle: Bundle, path: str, tensor: str | None = None) -> Proof:
    """Return the proof that `path`, or one tensor of it, is in the sealed artifact."""
    entry, top = found_file(bundle, path)
    return proof_of(bundle, [top] if tensor is None else [top, _tensor_level(entry, tensor)])


def found_file(bundle: Bundle, path: str) -> tuple[Entry, Level]:
    """Return the entry of a file of the seal, which must be whole, and the level of a proof that it is."""
    found = whole(bundle).manifest.find(path)
    if found is None:
        raise UsageError(f"no file {path!a} in the seal", hint="mltrust show SEAL lists the files.")
    index, entry = found
    return entry, level_of(entry.leaf, index, bundle.manifest.tree())


def level_of(leaf: Leaf, index: int, tree: Tree) -> Level:
    """Return the level of a proof that `leaf` is at `index` in `tree`."""
    path = tuple(step.hex() for step in tree.inclusion_path(index))
    return Level(leaf=LeafFields.of(leaf), index=index, path=path)


def proof_of(bundle: Bundle, levels: Sequence[Level], absence: Absence | None = None) -> Proof:
    """Return a proof with all that the seal says of itself."""
    return Proof(
        statement=bundle.statement,
        levels=tuple(levels),
        absence=absence,
        signatures=bundle.signatures,
        receipts=bundle.receipts,
    )


def _tensor_level(entry: Entry, tensor: str) -> Level:
    for index, child in enumerate(entry.children):
        if child.kind is Kind.TENSOR and child.name == tensor:
            return level_of(child, index, entry.tree())
    raise UsageError(f"no tensor {tensor!a} in {entry.path!a}", hint="mltrust show SEAL lists the tensors.")
