"""The root of what an artifact holds, whatever files hold it."""

from collections.abc import Collection, Iterable
from itertools import groupby

from mltrust.core.digest import Digest
from mltrust.core.leaf import Entry, Kind, Leaf
from mltrust.core.merkle import Tree, leaf_hashes
from mltrust.core.names import sort_key


def content_root(entries: Collection[Entry]) -> bytes:
    """Return the root over all tensors and metadata of `entries`.

    Unchanged by saving again and by sharding: tensors are sorted by name, then by their other
    fields; each distinct pair of metadata counts once, since every shard repeats it.
    """
    tensors = sorted((leaf for entry in entries for leaf in entry.tensors()), key=_name)
    pairs = sorted({pair for entry in entries for pair in entry.metadata}, key=_pair_key)
    tree = Tree(_metadata_leaf(*pair).data() for pair in pairs)
    tree.extend(leaf_hashes(data for _, same in groupby(tensors, key=_name) for data in _in_order(same)))
    return tree.root


def _name(leaf: Leaf) -> str:
    return leaf.name


def _in_order(same: Iterable[Leaf]) -> list[bytes]:
    """Return the data of leaves of one name, sorted."""
    return sorted(leaf.data() for leaf in same)


def _pair_key(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return sort_key(pair[0]), sort_key(pair[1])


def _metadata_leaf(key: str, value: str) -> Leaf:
    """Bind one pair of metadata: its value is short text, so SHA-256 serves in every suite."""
    data = value.encode("utf-8")
    return Leaf(Kind.METADATA, key, len(data), Digest.sha256(data).value)
