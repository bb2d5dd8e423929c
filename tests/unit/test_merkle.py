"""The face of the tree: its arguments, its growth, and what verification refuses by type alone."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest

from mltrust.core.merkle import (
    EMPTY_ROOT,
    Crown,
    Tree,
    leaf_hash,
    leaf_hashes,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [f"leaf {index}".encode() for index in range(11)]
HUGE = pytest.param(1 << 100_000, id="huge")
NOT_INTS = [True, False, 1.0, "1", b"1", [1], object()]


@pytest.fixture
def tree():
    return Tree(LEAVES)


def test_the_empty_tree():
    tree = Tree()
    assert (tree.size, tree.root, tree.root_at(0)) == (0, EMPTY_ROOT, EMPTY_ROOT)
    assert tree.consistency_path(0) == []
    with pytest.raises(IndexError):
        tree.inclusion_path(0)


def test_leaves_and_nodes_are_hashed_apart():
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    assert Tree([b"left", b"right"]).root == node_hash(left, right) != leaf_hash(left + right)
    assert Tree([b""]).root == leaf_hash(b"") != EMPTY_ROOT


def test_leaves_may_come_from_a_generator(tree):
    assert Tree(leaf for leaf in LEAVES).root == tree.root
    assert Tree(iter(())).root == EMPTY_ROOT


@pytest.mark.parametrize("begun", range(len(LEAVES) + 1))
def test_appending_equals_constructing(tree, begun):
    grown = Tree(LEAVES[:begun])
    for size, leaf in enumerate(LEAVES[begun:], start=begun):
        assert grown.size == size
        grown.append(leaf)
        assert grown.root == tree.root_at(size + 1)
    for size in range(1, len(LEAVES) + 1):
        assert grown.consistency_path(size) == tree.consistency_path(size)
        assert grown.inclusion_path(size - 1) == tree.inclusion_path(size - 1)


def test_earlier_trees_stay_when_leaves_are_appended(tree):
    root, path, size = tree.root, tree.inclusion_path(3), tree.size
    for leaf in LEAVES:
        tree.append(leaf)
    assert (tree.root_at(size), tree.inclusion_path(3, size)) == (root, path)
    assert verify_consistency(size, tree.size, root, tree.root, tree.consistency_path(size))


def test_size_chooses_an_earlier_tree(tree):
    for size in range(1, len(LEAVES) + 1):
        earlier = Tree(LEAVES[:size])
        assert tree.root_at(size) == earlier.root
        assert tree.inclusion_path(size - 1, size) == earlier.inclusion_path(size - 1)
        assert tree.consistency_path(1, size) == earlier.consistency_path(1)


def test_paths_are_lists_of_hashes(tree):
    for path in (tree.inclusion_path(5), tree.consistency_path(5)):
        assert type(path) is list
        assert path
        assert all(type(value) is bytes and len(value) == 32 for value in path)


def test_threads_may_append_and_read():
    tree = Tree()

    def work(_):
        tree.append(b"leaf")
        size = tree.size
        path = tree.consistency_path(1, size)
        return verify_consistency(1, size, tree.root_at(1), tree.root_at(size), path)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(400)))
    assert tree.root == Tree(repeat(b"leaf", 400)).root


@pytest.mark.parametrize("leaf", ["text", 1, None, ["leaf"]])
def test_a_leaf_must_be_bytes(tree, leaf):
    root = tree.root
    with pytest.raises(TypeError):
        tree.append(leaf)
    assert (tree.size, tree.root) == (len(LEAVES), root)
    with pytest.raises(TypeError):
        Tree([b"leaf", leaf])


@pytest.mark.parametrize("value", NOT_INTS)
def test_numbers_must_be_ints(tree, value):
    for call in (
        lambda: tree.root_at(value),
        lambda: tree.inclusion_path(value),
        lambda: tree.inclusion_path(0, value),
        lambda: tree.consistency_path(value),
        lambda: tree.consistency_path(0, value),
    ):
        with pytest.raises(TypeError, match="must be an int"):
            call()


@pytest.mark.parametrize("size", [-1, len(LEAVES) + 1, 2**64, HUGE])
def test_sizes_must_be_in_the_tree(tree, size):
    for call in (
        lambda: tree.root_at(size),
        lambda: tree.inclusion_path(0, size),
        lambda: tree.consistency_path(0, size),
        lambda: tree.consistency_path(size),
    ):
        with pytest.raises(ValueError, match="size must be in range"):
            call()


def test_the_old_size_is_at_most_the_new(tree):
    with pytest.raises(ValueError, match="old_size must be in range"):
        tree.consistency_path(5, 4)


@pytest.mark.parametrize(("index", "size"), [(-1, None), (11, None), (4, 4), (0, 0), (2**64, None)])
def test_an_index_must_be_in_the_tree(tree, index, size):
    with pytest.raises(IndexError, match="index must be in range"):
        tree.inclusion_path(index, size)


class Number(int):
    pass


class Bytes(bytes):
    def __eq__(self, other):
        return True

    __hash__ = bytes.__hash__


class Sizeless(list):
    def __len__(self):
        raise RuntimeError


def inclusion(tree):
    return {"leaf": LEAVES[1], "index": 1, "size": 11, "path": tree.inclusion_path(1), "root": tree.root}


def consistency(tree):
    return {
        "old_size": 1,
        "size": 11,
        "old_root": tree.root_at(1),
        "root": tree.root,
        "path": tree.consistency_path(1),
    }


@pytest.mark.parametrize(("verify", "make"), [(verify_inclusion, inclusion), (verify_consistency, consistency)])
def test_a_path_may_be_a_list_or_a_tuple(tree, verify, make):
    proof = make(tree)
    assert verify(**proof) is True
    assert verify(**{**proof, "path": tuple(proof["path"])}) is True


@pytest.mark.parametrize(("verify", "make"), [(verify_inclusion, inclusion), (verify_consistency, consistency)])
def test_look_alikes_are_refused(tree, verify, make):
    """Values that compare equal to the right ones, but are not exactly of the right type."""
    proof = make(tree)
    for name, value in proof.items():
        if type(value) is int:
            others = [Number(value), float(value), str(value), value == 1]
        elif type(value) is bytes:
            others = [bytearray(value), memoryview(value), Bytes(value), value.hex(), list(value)]
        else:
            others = [
                iter(value),
                Sizeless(value),
                b"".join(value),
                set(value),
                dict.fromkeys(value),
                [*value[:-1], None],
            ]
        for other in [*others, None]:
            assert verify(**{**proof, name: other}) is False


@pytest.mark.parametrize(("verify", "make"), [(verify_inclusion, inclusion), (verify_consistency, consistency)])
def test_endless_and_huge_arguments_are_refused(tree, verify, make):
    proof = make(tree)
    for path in (repeat(tree.root), [tree.root] * 1_000_000):
        assert verify(**{**proof, "path": path}) is False
    for size in (2**64, 1 << 1_000_000):
        assert verify(**{**proof, "size": size}) is False


def test_the_largest_sizes_can_be_proved():
    """The path of the last of 2**64 - 1 leaves has a hash for each of the 63 perfect subtrees before it."""
    size = 2**64 - 1
    path = [leaf_hash(bytes([level])) for level in range(63)]
    root = leaf_hash(b"last")
    for value in path:
        root = node_hash(value, root)
    assert verify_inclusion(b"last", size - 1, size, path, root) is True


def test_larger_trees_than_a_uint64_counts_are_refused():
    path = [leaf_hash(bytes([level])) for level in range(64)]
    root = leaf_hash(b"first")
    for value in path:
        root = node_hash(root, value)
    assert verify_inclusion(b"first", 0, 2**64 - 1, path, root) is True
    assert verify_inclusion(b"first", 0, 2**64, path, root) is False


def test_the_longest_consistency_path_is_accepted():
    """From 2**63 - 1 leaves to twice as many and one: one hash to start from, then one for every level above."""
    old_size, size = 2**63 - 1, 2**64 - 1
    path = [leaf_hash(bytes([level])) for level in range(65)]
    assert verify_consistency(old_size, size, leaf_hash(b"old"), leaf_hash(b"new"), path) is False
    old_root = root = path[0]
    root = node_hash(root, path[1])
    for value in path[2:64]:
        old_root, root = node_hash(value, old_root), node_hash(value, root)
    root = node_hash(root, path[64])
    assert verify_consistency(old_size, size, old_root, root, path) is True


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 400])
def test_a_crown_has_the_root_of_the_tree_after_every_batch(batch):
    crown = Crown()
    assert crown.root == EMPTY_ROOT
    for start in range(0, 400, batch):
        crown.extend(leaf_hashes(b"%d" % number for number in range(start, start + batch)))
        crown.extend(b"")
        tree = Tree(b"%d" % number for number in range(start + batch))
        assert crown.root == tree.root
        grown = Tree(b"%d" % number for number in range(start))
        grown.extend(leaf_hashes(b"%d" % number for number in range(start, start + batch)))
        assert (grown.root, grown.inclusion_path(0)) == (tree.root, tree.inclusion_path(0))


MILLION = """
from pathlib import Path
from mltrust.core.merkle import Tree, verify_consistency, verify_inclusion

size, index, old_size = 1_000_000, 765_432, 700_001
tree = Tree(number.to_bytes(32, "big") for number in range(size))
assert tree.size == size
assert verify_inclusion(index.to_bytes(32, "big"), index, size, tree.inclusion_path(index), tree.root)
path = tree.consistency_path(old_size)
assert verify_consistency(old_size, size, tree.root_at(old_size), tree.root, path)
# Unlike ru_maxrss, the kernel's own high-water mark does not begin with that of the parent process.
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory from /proc")
def test_a_million_leaves_stay_under_200_megabytes():
    run = subprocess.run([sys.executable, "-c", MILLION], check=True, capture_output=True, text=True)
    assert int(run.stdout) * 1024 < 200_000_000
