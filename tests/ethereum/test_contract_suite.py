"""The suite of every anchor, on real chains."""

from typing import ClassVar

import pytest

from mltrust.anchors.ethereum import EthereumAnchor
from mltrust.testing import AnchorContract


class Patient(EthereumAnchor):
    """Publishes, and adds blocks until what it published is final."""

    def publish(self, submissions):
        receipts = super().publish(submissions)
        self.chain.mine(3)
        return receipts


class EthereumContract(AnchorContract):
    settings: ClassVar = {}

    @pytest.fixture
    def anchors(self, chain, deployed, user):
        def make(number):
            made = deployed(chain) if number == 0 else user(chain, number)
            opened = made.anchor(**self.settings)
            patient = Patient(opened.config, made.home)
            patient.chain = chain
            return patient

        return make

    @pytest.fixture
    def uri(self):
        return "ethereum:sepolia"

    @pytest.fixture
    def anchor(self, anchors):
        return anchors(0)

    @pytest.fixture
    def other(self, anchors, anchor):
        return anchors(1)


class TestEvents(EthereumContract):
    pass


class TestCalldata(EthereumContract):
    settings: ClassVar = {"mode": "calldata"}


del EthereumContract, AnchorContract
