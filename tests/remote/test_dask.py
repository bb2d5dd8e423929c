"""A bucket is read by the workers of a cluster, each over connections of its own."""

import os

import pytest

from mltrust import api
from mltrust.core.exclusion import DEFAULT_EXCLUDE
from mltrust.errors import ChangedError

distributed = pytest.importorskip("distributed")


@pytest.fixture
def engine():
    options = {"processes": False, "protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=2, **options) as cluster:
        yield cluster.scheduler_address.replace("tcp", "dask")


def test_workers_read_a_bucket(s3, engine, fill_model, tmp_path):
    folder = fill_model(tmp_path / "model")
    (folder / "large.bin").write_bytes(os.urandom(20_000_000))
    for name in range(300):
        (folder / f"{name}.json").write_text(f"{name}")
    s3.fill(folder, "model/")
    means = api.default_means(engine=engine)
    here = api.fingerprint(folder, exclude=DEFAULT_EXCLUDE)
    assert str(api.fingerprint("s3://bucket/model", exclude=DEFAULT_EXCLUDE, means=means)) == str(here)

    def replace(path, _environ):
        if path.endswith("/large.bin"):
            s3.before = lambda path, environ: None
            s3.put("model/large.bin", os.urandom(20_000_000))

    s3.before = replace
    with pytest.raises(ChangedError) as caught:
        api.fingerprint("s3://bucket/model", means=means)
    assert caught.value.path == "large.bin"
