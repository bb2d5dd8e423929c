"""The published Certificate Transparency tree, and proofs of it that must be refused."""

import json
from pathlib import Path

import pytest

from mltrust.core.merkle import EMPTY_ROOT, Tree, leaf_hash, node_hash, verify_consistency, verify_inclusion

VECTORS = json.loads(Path(__file__).with_name("rfc6962.json").read_text(encoding="utf-8"))
LEAVES = [bytes.fromhex(leaf) for leaf in VECTORS["leaves"]]
ROOTS = [bytes.fromhex(root) for root in VECTORS["roots"]]


def cases(kind, verdict):
    return [pytest.param(case, id=case["name"]) for case in VECTORS[kind][verdict]]


def unhex(path):
    return [bytes.fromhex(value) for value in path]


def included(case):
    leaf, root = bytes.fromhex(case["leaf"]), bytes.fromhex(case["root"])
    return verify_inclusion(leaf, case["index"], case["size"], unhex(case["path"]), root)


def consistent(case):
    old_root, root = bytes.fromhex(case["old_root"]), bytes.fromhex(case["root"])
    return verify_consistency(case["old_size"], case["size"], old_root, root, unhex(case["path"]))


def test_hashes():
    hashes = VECTORS["hashes"]
    assert bytes.fromhex(hashes["empty_root"]) == EMPTY_ROOT
    for case in hashes["leaf"]:
        assert leaf_hash(bytes.fromhex(case["data"])).hex() == case["hash"]
    for case in hashes["node"]:
        assert node_hash(bytes.fromhex(case["left"]), bytes.fromhex(case["right"])).hex() == case["hash"]


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_roots(size):
    assert Tree(LEAVES[:size]).root == ROOTS[size]
    assert Tree(LEAVES).root_at(size) == ROOTS[size]


@pytest.mark.parametrize("case", cases("inclusion", "accept"))
def test_inclusion_is_proved_and_accepted(case):
    assert Tree(LEAVES).inclusion_path(case["index"], case["size"]) == unhex(case["path"])
    assert included(case) is True


@pytest.mark.parametrize("case", cases("consistency", "accept"))
def test_consistency_is_proved_and_accepted(case):
    assert Tree(LEAVES).consistency_path(case["old_size"], case["size"]) == unhex(case["path"])
    assert consistent(case) is True


@pytest.mark.parametrize("case", cases("inclusion", "reject"))
def test_inclusion_is_refused(case):
    assert included(case) is False


@pytest.mark.parametrize("case", cases("consistency", "reject"))
def test_consistency_is_refused(case):
    assert consistent(case) is False
