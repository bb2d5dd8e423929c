"""The Dask engine keeps the contract of engines on a real cluster."""

import pytest

from mltrust.engines.dask import DaskEngine
from mltrust.testing.engine_contract import EngineContract


class TestDaskEngine(EngineContract):
    awkward_sizes = (64 * 1024, 2**20)

    @pytest.fixture
    def make_engine(self, local_cluster):
        return lambda jobs: DaskEngine(local_cluster.scheduler_address, jobs)

    @pytest.fixture(params=[1, 5])
    def engine(self, request, make_engine):
        return make_engine(request.param)
