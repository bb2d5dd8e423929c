"""The record index: a tree over the digests of records in which one can be looked up, and be found missing.

A compressed binary trie (Patricia trie) over 32-byte keys, each once. Bit 0 of a key is its first; the bit of a node is
the first at which the keys below it differ: those with 0 are on the left. With TAG = NS("mltrust/record-index/1"):

    the empty index    SHA-256(0x02 || TAG)
    a key              SHA-256(0x00 || TAG || key)
    a node             SHA-256(0x01 || TAG || u16(bit) || left || right)

The same keys give the same root. A path is what a lookup meets from the root down: the bit of each node and the hash of
the child it does not enter, then the key it ends at. The asked key is present if that is it, else it is absent.

**One root gives one answer for one key**, whoever made the index and however it is made. Each hash has one preimage
(or SHA-256 is broken), and its first byte and length say which of the three it is of. So the root determines what is at
the top; a node determines its bit, and the asked key's own bit there, not the path, says which child comes next, and so
on down to one key. Two paths that lead to one root therefore end at the same key, which is the asked one or is not. The
bits of a path grow, so it ends after 256 nodes at most; and the key at its end must have the asked key's bits at all of
them, as it has in an index that was made as above.

That an index is of just the records beside it, only who has them can tell: `verify` computes it anew. In one that
leaves a record out, or has it in the wrong place, the answer for that record is "absent", or there is none.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import StrEnum
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.leaf import ns

KEY_BITS = 8 * DIGEST_SIZE
_TAG = ns(b"mltrust/record-index/1")
_KEY = b"\x00" + _TAG
_NODES = [b"\x01" + _TAG + bit.to_bytes(2, "big") for bit in range(KEY_BITS)]

EMPTY_INDEX_ROOT = sha256(b"\x02" + _TAG).digest()
"""The root of the index without keys."""


class Answer(StrEnum):
    """What an index says of a key."""

    PRESENT = "present"
    ABSENT = "absent"


class Step(NamedTuple):
    """A node on the way of a lookup: its bit, and the hash of the child that is not entered."""

    bit: int
    sibling: bytes


class IndexPath(NamedTuple):
    """The way of a lookup from the root down, and the key it ends at: empty where the index is."""

    steps: tuple[Step, ...]
    found: bytes


def lookup(key: bytes, path: IndexPath, root: bytes) -> Answer | None:
    """Return what `path` proves of `key` in the index under `root`; None if it proves nothing.

    1. Key, root and siblings are 32 bytes each, the key found too or it is empty; the bits grow and are below 256.
    2. Without a key found there are no steps, and the root is that of the empty index: absent.
    3. At the bit of every step, the key found is as the asked one.
    4. The hash of the key found is joined, from the last step to the first, with each sibling: it stands on the left if
       the asked key's bit is 0. That must lead to the root.
    5. Present if the key found is the asked one, else absent.
    """
    if not _is_well_formed(key, path, root):  # 1
        return None
    if not path.found:  # 2
        return Answer.ABSENT if not path.steps and root == EMPTY_INDEX_ROOT else None
    asked, found = int.from_bytes(key, "big"), int.from_bytes(path.found, "big")
    if any(_bit(asked ^ found, step.bit) for step in path.steps):  # 3
        return None
    node = _key_hash(path.found)
    for bit, sibling in reversed(path.steps):  # 4
        node = _node_hash(bit, sibling, node) if _bit(asked, bit) else _node_hash(bit, node, sibling)
    if node != root:
        return None
    return Answer.PRESENT if found == asked else Answer.ABSENT  # 5


def _is_well_formed(key: bytes, path: IndexPath, root: bytes) -> bool:
    hashes = [key, root, *(step.sibling for step in path.steps), *([path.found] if path.found else [])]
    bits = [-1, *(step.bit for step in path.steps), KEY_BITS]
    rising = all(low < high for low, high in pairwise(bits))
    return rising and all(len(each) == DIGEST_SIZE for each in hashes)


def _bit(number: int, bit: int) -> int:
    return number >> (KEY_BITS - 1 - bit) & 1


def _key_hash(key: bytes) -> bytes:
    return sha256(_KEY + key).digest()


def _node_hash(bit: int, left: bytes, right: bytes) -> bytes:
    return sha256(_NODES[bit] + left + right).digest()


class IndexCrown:
    """The root of the index over keys that come sorted; it keeps one hash for each node above the last key."""

    def __init__(self) -> None:
        self._open: list[tuple[int, bytes]] = []  # nodes that lack their right child: bit and left child
        self._last: int | None = None
        self._node = EMPTY_INDEX_ROOT  # what ends with the last key and is complete so far

    def extend(self, keys: Iterable[bytes]) -> None:
        """Add keys, none below the last; one that came already counts once."""
        opened, node, last = self._open, self._node, self._last
        for key in keys:
            number = int.from_bytes(key, "big")
            if last is not None:
                if number == last:
                    continue
                bit = KEY_BITS - (number ^ last).bit_length()
                while opened and opened[-1][0] > bit:
                    node = _node_hash(*opened.pop(), node)
                opened.append((bit, node))
            last, node = number, sha256(_KEY + key).digest()
        self._node, self._last = node, last

    @property
    def root(self) -> bytes:
        """The root of the index over all keys so far."""
        node = self._node
        for bit, left in reversed(self._open):
            node = _node_hash(bit, left, node)
        return node


def paths(keys: Sequence[bytes], wanted: Iterable[bytes]) -> tuple[bytes, dict[bytes, IndexPath]]:
    """Return the root of the index over sorted `keys`, and for each wanted key, present or not, its path.

    Every node is hashed once, however many keys are wanted.
    """
    asked = sorted(set(wanted))
    if not keys:
        return EMPTY_INDEX_ROOT, {key: IndexPath((), b"") for key in asked}
    ways = _Ways(keys)
    root = ways.walk(0, len(keys), asked)
    return root, {key: IndexPath(tuple(reversed(steps)), found) for key, (found, steps) in ways.found.items()}


class _Ways:
    """Follows wanted keys down to where they end, and notes their steps on the way back."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys
        self.found: dict[bytes, tuple[bytes, list[Step]]] = {}

    def walk(self, low: int, high: int, wanted: Sequence[bytes]) -> bytes:
        """Return the hash of the node over the keys from `low` to before `high`, for which the `wanted` come by."""
        first, last = self._keys[low], self._keys[high - 1]
        if not wanted:
            crown = IndexCrown()
            crown.extend(self._keys[at] for at in range(low, high))
            return crown.root
        if first == last:
            self.found |= {key: (first, []) for key in wanted}
            return _key_hash(first)
        number = int.from_bytes(last, "big")
        bit = KEY_BITS - (int.from_bytes(first, "big") ^ number).bit_length()
        sides: tuple[list[bytes], list[bytes]] = ([], [])
        for key in wanted:
            sides[_bit(int.from_bytes(key, "big"), bit)].append(key)
        below = KEY_BITS - 1 - bit
        middle = bisect_left(self._keys, (number >> below << below).to_bytes(DIGEST_SIZE, "big"), low, high)
        nodes = self.walk(low, middle, sides[0]), self.walk(middle, high, sides[1])
        for side, sibling in zip(sides, reversed(nodes), strict=True):
            for key in side:
                self.found[key][1].append(Step(bit, sibling))
        return _node_hash(bit, *nodes)
