"""The Merkle tree of RFC 9162 section 2.1 over SHA-256: trees, their proofs, and the verification of proofs.

A leaf is any bytes, a hash 32 bytes, a path a list of hashes in RFC order, an index counts from zero. Trees and
inclusion paths come from pymerkle, which only this module imports. Its consistency proofs are not those of the RFC, so
these are made here; and proofs are verified here, by the steps of the RFC, from nothing but the arguments.

A root does not commit to its size: whoever signs or anchors a root must sign or anchor the size with it.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import count, islice

from pymerkle import BaseMerkleTree  # type: ignore[import-untyped]  # ships no types

from mltrust.core.digest import DIGEST_SIZE

_SIZES = range(2**64)  # a tree size is a uint64 (RFC 9162 section 4.10)
_PAIR = 2 * DIGEST_SIZE
_BATCH = 2**16  # leaves hashed at a time
_MAX_PATH = 65  # hashes in the longest path of such a tree: one for each level, and one to start from


def leaf_hash(data: bytes) -> bytes:
    """Hash the data of one leaf to 32 bytes (RFC 9162 section 2.1.1)."""
    return sha256(b"\x00" + data).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> bytes:
    """Hash the data of many leaves, 32 bytes each, side by side."""
    return b"".join([sha256(b"\x00" + data).digest() for data in leaves])


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two child hashes to the 32 bytes of their parent (RFC 9162 section 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


EMPTY_ROOT = sha256(b"").digest()
"""The root of the tree without leaves (RFC 9162 section 2.1.1)."""


class Tree:
    """An append-only tree over `leaves`, read once; it keeps about 64 bytes a leaf and never the leaves' data.

    A `size` means the first so many leaves, or all when absent. A leaf that is not bytes-like, or an index or size
    that is not exactly an int, is a `TypeError`.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels = _Levels()
        self._levels.append_entries(leaves)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._levels._get_size()

    @property
    def root(self) -> bytes:
        """The root of all leaves, 32 bytes."""
        return self.root_at(self.size)

    def root_at(self, size: int) -> bytes:
        """Return the root of the first `size` leaves (RFC 9162 section 2.1.1); `ValueError` if there are fewer."""
        return bytes(self._levels.get_root(self._checked_size(size)))

    def append(self, leaf: bytes) -> None:
        """Add one leaf after the last."""
        self._levels.append_entry(leaf)

    def extend(self, hashes: bytes) -> None:
        """Add leaves by their hashes, side by side as `leaf_hashes` gives them."""
        self._levels.append_hashes(hashes)

    def inclusion_path(self, index: int, size: int | None = None) -> list[bytes]:
        """Prove that the leaf at `index` is in the tree of `size` leaves (RFC 9162 section 2.1.3.1).

        Raises:
            ValueError: This tree has fewer than `size` leaves, or `size` is negative.
            IndexError: `index` is outside the first `size` leaves.
        """
        size = self._checked_size(size)
        _check("index", index, range(size), IndexError)
        # pymerkle counts leaves from one, and its path begins with the leaf itself.
        return list(self._levels.prove_inclusion(index + 1, size).path[1:])

    def consistency_path(self, old_size: int, size: int | None = None) -> list[bytes]:
        """Prove that the tree of `size` leaves begins with that of `old_size` (RFC 9162 section 2.1.4.1).

        The path is empty where nothing is left to prove: when the sizes are equal, or `old_size` is zero.

        Raises:
            ValueError: This tree has fewer than `size` leaves, or `old_size` is above `size`, or one is negative.
        """
        size = self._checked_size(size)
        _check("old_size", old_size, range(size + 1), ValueError)
        return self._levels.consistency_path(old_size, size) if old_size else []

    def _checked_size(self, size: int | None) -> int:
        if size is None:
            return self.size
        _check("size", size, range(self.size + 1), ValueError)
        return size


class Crown:
    """The root of leaves that come one batch after the other: it keeps one hash a level, so it can prove nothing."""

    def __init__(self) -> None:
        self._tops = _Tops()

    def extend(self, hashes: bytes) -> None:
        """Add leaves by their hashes, side by side as `leaf_hashes` gives them."""
        self._tops.append_hashes(hashes)

    @property
    def root(self) -> bytes:
        """The root of all leaves so far, 32 bytes."""
        return bytes(self._tops.get_root())


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether `path` proves that the leaf at `index`, in the tree of `size` leaves under `root`, is `leaf`.

    The numbers are the steps of RFC 9162 section 2.1.3.2. `leaf` is the leaf's data and is always hashed, so that no
    inner node passes for a leaf. `size` comes from whoever vouches for `root`. Never raises: what is not exactly an
    int, bytes, or a list or tuple of hashes, as what fits no tree, proves nothing.
    """
    if type(leaf) is not bytes or not (_are_sizes(index, size) and _are_hashes(root) and _is_path(path)):
        return False
    # 1. The leaf must be in the tree.
    if index >= size:
        return False
    # 2-3. Start with the leaf, at its place; from there the path must lead just to the top (4a, 4c and the half of 5).
    r = leaf_hash(leaf)
    sides = _sides(index, size - 1, len(path))
    if sides is None:
        return False
    # 4. Join each hash on its side.
    for p, left in zip(path, sides, strict=True):
        r = node_hash(p, r) if left else node_hash(r, p)
    # 5. It must have led to the root.
    return r == root


def verify_consistency(old_size: int, size: int, old_root: bytes, root: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether `path` proves that the `size` leaves under `root` begin with the `old_size` under `old_root`.

    The numbers are the steps of RFC 9162 section 2.1.4.2. On equal sizes and on an empty old tree the RFC is silent:
    with C2SP tlog-witness the path must be empty, equal sizes have equal roots, and any tree begins with the empty one,
    which has no root but `EMPTY_ROOT`. Both sizes come from whoever vouches for the roots. Never raises, in the manner
    of `verify_inclusion`.
    """
    if not (_are_sizes(old_size, size) and _are_hashes(old_root, root) and _is_path(path)):
        return False
    # 0. What the RFC leaves out.
    if old_size == 0 and old_root != EMPTY_ROOT:
        return False
    if old_size in (0, size):
        return not path and (old_size != size or old_root == root)
    # 1. Between two sizes there is something to prove.
    if old_size > size or not path:
        return False
    # 2. A perfect old tree is itself the node to start from.
    hashes = [old_root, *path] if old_size.bit_count() == 1 else list(path)
    # 3-4. From the last leaf of the old tree, rise to the largest perfect subtree it ends.
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    # 5. Start both trees there; from there the path must lead just to the top (6a, 6c and a third of 7).
    fr = sr = hashes[0]
    sides = _sides(fn, sn, len(hashes) - 1)
    if sides is None:
        return False
    # 6. Join each hash on its side: one on the left is in both trees, one on the right is new.
    for c, left in zip(hashes[1:], sides, strict=True):
        fr, sr = (node_hash(c, fr), node_hash(c, sr)) if left else (fr, node_hash(sr, c))
    # 7. It must have led to both roots.
    return fr == old_root and sr == root


def _sides(fn: int, sn: int, hops: int) -> list[bool] | None:
    # On which side each hash of a path from node `fn` stands, on a level whose last node is `sn`: is it the left? None
    # unless so many hops end just at the top. These are the shifts of RFC 9162 sections 2.1.3.2 (4) and 2.1.4.2 (6).
    sides = []
    for _ in range(hops):
        if sn == 0:
            return None
        left = fn & 1 == 1 or fn == sn
        while left and fn and not fn & 1:  # a last node without sibling rises as it is
            fn, sn = fn >> 1, sn >> 1
        sides.append(left)
        fn, sn = fn >> 1, sn >> 1
    return sides if sn == 0 else None


def _are_sizes(*values: object) -> bool:
    # Exact types here and below: a bool is no number, and a subclass could run code of its own.
    return all(type(value) is int and value in _SIZES for value in values)


def _are_hashes(*values: object) -> bool:
    return all(type(value) is bytes and len(value) == DIGEST_SIZE for value in values)


def _is_path(path: object) -> bool:
    return (type(path) is list or type(path) is tuple) and len(path) <= _MAX_PATH and _are_hashes(*path)


def _check(name: str, value: int, among: range, error: type[Exception]) -> None:
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value not in among:
        raise error(f"{name} must be in {among}")


class _Levels(BaseMerkleTree):  # type: ignore[misc]  # pymerkle ships no types
    """pymerkle's tree over one flat row of hashes per level: row k has the root of every 2**k whole leaves."""

    def __init__(self) -> None:
        super().__init__(algorithm="sha256")
        self._rows = [bytearray()]

    def append_entries(self, entries: Iterable[bytes]) -> None:
        # Many leaves before any node above them: several times quicker than one by one.
        coming = iter(entries)
        while hashes := leaf_hashes(islice(coming, _BATCH)):
            self.append_hashes(hashes)

    def append_hashes(self, hashes: bytes) -> None:
        self._rows[0] += hashes
        for level in count():
            if level + 1 == len(self._rows):
                self._rows.append(bytearray())
            below, above = self._rows[level : level + 2]
            if not (parents := _parents(below[2 * len(above) :])):
                return  # no new pair here, so none above
            above += parents

    def consistency_path(self, old_size: int, size: int) -> list[bytes]:
        # SUBPROOF of RFC 9162 section 2.1.4.1 from the top down; the node it ends at is omitted if it is the old tree.
        nodes, start, end = [], 0, size
        while end != old_size:
            split = start + (1 << (end - start - 1).bit_length() - 1)
            left, right = (start, split), (split, end)
            (start, end), sibling = (left, right) if old_size <= split else (right, left)
            nodes.append(sibling)
        nodes += [(start, end)] if start else []
        with self.lock:  # pymerkle's, against an append half done in another thread
            return [self._get_root(*node) for node in reversed(nodes)]

    # The storage pymerkle asks for.

    def _encode_entry(self, data: bytes) -> bytes:
        return data

    def _store_leaf(self, data: bytes, digest: bytes) -> int:  # noqa: ARG002  # the data is not kept
        self.append_hashes(digest)
        return self._get_size()

    def _get_size(self) -> int:
        return len(self._rows[0]) // DIGEST_SIZE

    def _get_leaf(self, index: int) -> bytes:
        return self._get_subroot(index - 1, 1)

    def _get_leaves(self, offset: int, width: int) -> list[bytes]:
        return [self._get_subroot(at, 1) for at in range(offset, offset + width)]

    def _get_subroot(self, offset: int, width: int) -> bytes:
        # Looked up, where pymerkle would hash `width` leaves again and cache the result.
        level = width.bit_length() - 1
        at = (offset >> level) * DIGEST_SIZE
        return bytes(self._rows[level][at : at + DIGEST_SIZE])


class _Tops(_Levels):
    """The same tree without its nodes: a hash is dropped once it has a parent, and a root asks for none of those."""

    def append_hashes(self, hashes: bytes) -> None:
        for row in self._rows:
            row.extend(hashes)
            hashes = _parents(row)
            del row[: len(row) - len(row) % _PAIR]
        while hashes:
            self._rows.append(bytearray(hashes[len(hashes) - len(hashes) % _PAIR :]))
            hashes = _parents(hashes)

    def _get_size(self) -> int:
        return sum(len(row) // DIGEST_SIZE << level for level, row in enumerate(self._rows))

    def _get_subroot(self, offset: int, width: int) -> bytes:  # noqa: ARG002  # of each width there is one at most
        return bytes(self._rows[width.bit_length() - 1])


def _parents(row: bytes | bytearray) -> bytes:
    # The hash of every whole pair in a row of hashes.
    return b"".join([sha256(b"\x01" + row[at : at + _PAIR]).digest() for at in range(0, len(row) - DIGEST_SIZE, _PAIR)])
