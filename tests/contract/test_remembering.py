"""The engine that remembers keeps the contract of engines, around one that reads."""

import pytest

from mltrust.core.digest import BLAKE3
from mltrust.disk.digest_cache import DigestCache
from mltrust.engines.remembering import RememberingEngine
from mltrust.engines.threads import SMALL, ThreadsEngine
from mltrust.testing.engine_contract import EngineContract


class TestRememberingEngine(EngineContract):
    awkward_sizes = (SMALL,)

    test_memory_does_not_grow_with_the_file = None  # all reading is done by the engine inside, which is tested alone

    @pytest.fixture
    def suite(self):
        return BLAKE3

    @pytest.fixture(params=[2])
    def engine(self, request, make_engine):
        return make_engine(request.param)

    @pytest.fixture
    def make_engine(self, tmp_path):
        return lambda jobs: RememberingEngine(ThreadsEngine(jobs), DigestCache(tmp_path / "cache"), "artifact")
