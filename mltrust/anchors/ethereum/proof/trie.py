"""Proofs that a Merkle-Patricia trie holds a value under a key (Yellow Paper, appendix D).

A proof is the raw nodes on the way from the root to the value. Each is named by the one before: by its Keccak-256 or,
if it is shorter than 32 bytes, by standing in it; those that stand in another are not listed. Inclusion only.
"""

from collections import deque
from collections.abc import Sequence

from mltrust.anchors.ethereum.proof import rlp
from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.errors import FormatError

MAX_NODES = 64
"""Nodes in a proof; a trie of transactions or receipts is never deeper than eight."""

MAX_INNER_BYTES = 2**10
"""Bytes of a node that leads to another; a branch of sixteen hashes has 532. So only the last can take long to read."""

_HASH = 32
_BRANCH, _PATH = 17, 2  # items of a node: sixteen children and a value, or a path and what it leads to
_ODD, _LEAF = 1, 2  # flags of a path


def index_key(index: int) -> bytes:
    """Return the key of the transaction and the receipt at `index` in the tries of a block: its RLP."""
    return rlp.encode_integer(index)


def proven_value(root: bytes, key: bytes, proof: Sequence[bytes], where: str) -> bytes:
    """Return the value that `proof` shows to be under `key` in the trie of `root`; `FormatError` if it shows none.

    1. A proof has at most 64 nodes, and none but the last, which holds the value, is long.
    2. The first node has the root as its hash, each next one the hash at which the node before it points.
    3. Follow the key: one nibble through a branch, the whole path of an extension or leaf.
    4. A value is where the key ends, and it is not empty.
    5. Every node was needed.
    """
    # 1.
    if len(proof) > MAX_NODES:
        raise FormatError(where, f"a proof of more than {MAX_NODES} nodes")
    unread, nibbles = deque(proof), _nibbles(key)
    node, ended = _hashed(root, unread, where), False
    while True:
        # 3.
        found, nibbles, ended = _follow(node, nibbles, where)
        if ended:
            break
        # 2.
        node = _embedded(found, where) if isinstance(found, list) else _long(found, unread, where)
    # 4.
    value = rlp.string(found, where)
    if not value:
        raise FormatError(where, "nothing is under the key")
    # 5.
    if unread:
        raise FormatError(where, f"{len(unread)} more nodes than the proof needs")
    return value


def _hashed(reference: bytes, unread: deque[bytes], where: str) -> list[rlp.Item]:
    if not unread or keccak256(unread[0]) != reference:
        raise FormatError(where, "the proof does not lead on from one of its nodes, or not from the root")
    if len(unread) > 1 and len(unread[0]) > MAX_INNER_BYTES:
        raise FormatError(where, f"a node of {len(unread[0])} bytes before the last")
    return rlp.items(rlp.decode(unread.popleft(), where), where)


def _long(reference: bytes, unread: deque[bytes], where: str) -> list[rlp.Item]:
    if len(reference) != _HASH:
        raise FormatError(where, "nothing is under the key")
    if unread and len(unread[0]) < _HASH:
        raise FormatError(where, "a node is named by its hash that should stand in another")
    return _hashed(reference, unread, where)


def _embedded(node: list[rlp.Item], where: str) -> list[rlp.Item]:
    if len(rlp.encode(node)) >= _HASH:
        raise FormatError(where, "a node stands in another that should be named by its hash")
    return node


def _follow(node: list[rlp.Item], nibbles: bytes, where: str) -> tuple[rlp.Item, bytes, bool]:
    """Return what `node` leads to, the nibbles left after it, and whether it is the value."""
    if len(node) == _BRANCH:
        return (node[nibbles[0]], nibbles[1:], False) if nibbles else (node[-1], nibbles, True)
    if len(node) != _PATH:
        raise FormatError(where, f"a node of {len(node)} items")
    path, is_leaf = _path(rlp.string(node[0], where), where)
    if not nibbles.startswith(path) or (is_leaf and path != nibbles) or not (is_leaf or path):
        raise FormatError(where, "the proof is of another key")
    return node[1], nibbles[len(path) :], is_leaf


def _path(encoded: bytes, where: str) -> tuple[bytes, bool]:
    """Read a path in hex-prefix encoding (Yellow Paper, appendix C): its nibbles, and whether it is that of a leaf."""
    nibbles = _nibbles(encoded)
    if not nibbles or nibbles[0] > (_ODD | _LEAF) or (not nibbles[0] & _ODD and nibbles[1]):
        raise FormatError(where, "a path that is not in hex-prefix encoding")
    return nibbles[1 if nibbles[0] & _ODD else 2 :], bool(nibbles[0] & _LEAF)


def _nibbles(data: bytes) -> bytes:
    return bytes(nibble for byte in data for nibble in (byte >> 4, byte & 0x0F))
