import pytest

from mltrust.anchors.ledger import LedgerAnchor
from mltrust.interfaces import Home
from mltrust.testing import AnchorContract, MemoryAnchor


class TestMemoryAnchor(AnchorContract):
    @pytest.fixture
    def anchor(self):
        return MemoryAnchor("one")

    @pytest.fixture
    def other(self):
        return MemoryAnchor("two")


class TestLedgerAnchor(AnchorContract):
    @pytest.fixture
    def anchor(self, tmp_path):
        return LedgerAnchor(tmp_path / "one", Home(tmp_path / "data", tmp_path / "state"))

    @pytest.fixture
    def other(self, tmp_path):
        return LedgerAnchor(tmp_path / "two", Home(tmp_path / "data", tmp_path / "state"))


class _ByKey:
    """Publishes in a ledger, confirms by its key alone."""

    def __init__(self, ledger):
        self._ledger = ledger
        self.publish = ledger.publish

    def confirm(self, receipt, digest):
        return LedgerAnchor.from_key(self._ledger.verifier_key(), {}).confirm(receipt, digest)


def test_hostile_evidence_never_passes_by_key_alone(tmp_path):
    ledger = LedgerAnchor(tmp_path / "one", Home(tmp_path / "data", tmp_path / "state"))
    AnchorContract().test_hostile_evidence_never_passes(_ByKey(ledger))
