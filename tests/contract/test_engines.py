"""The engines mltrust comes with keep the contract of engines."""

import pytest

from mltrust.engines.threads import BLOCK, SMALL, WIDE_BLOCK, ThreadsEngine
from mltrust.testing.engine_contract import EngineContract


class TestThreadsEngine(EngineContract):
    awkward_sizes = (SMALL, BLOCK, 2 * BLOCK, WIDE_BLOCK, 2 * WIDE_BLOCK)

    @pytest.fixture
    def make_engine(self):
        return ThreadsEngine
