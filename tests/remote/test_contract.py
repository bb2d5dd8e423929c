"""The remote sources keep the contract of sources, against real protocols on loopback."""

import itertools
import pickle

import pytest

from mltrust.sources.remote.https import HttpSource
from mltrust.sources.remote.s3 import S3Source
from mltrust.testing.source_contract import SourceContract


class TestS3Source(SourceContract):
    @pytest.fixture
    def make_source(self, s3):
        numbers = itertools.count()

        def make(files):
            prefix = f"artifact {next(numbers)}"
            for path, data in files.items():
                s3.put(f"{prefix}/{path}", data)
            return S3Source(f"s3://bucket/{prefix}/")

        return make

    @pytest.fixture
    def rewrite(self, s3):
        def write(source, path, data):
            key = source.key + path
            s3.remove(key) if data is None else s3.put(key, data)

        return write

    def test_a_source_travels_without_its_connections(self, make_source):
        source = make_source({"a": b"a", "b/c": bytes(300_000)})
        files = list(source.files())
        again = pickle.loads(pickle.dumps(source))
        assert (again.url, again.name, list(again.files())) == (source.url, source.name, files)
        assert again.read(files[1], 5, 200_000) == bytes(200_000)


def test_a_web_server_has_one_file(web):
    page = web.put("/a/model%20one.bin", bytes(range(256)) * 10)
    source = HttpSource(page.url + "?signature=secret")
    (file,) = source.files()
    assert (file.path, file.size, source.name) == ("model one.bin", 2560, "model one.bin")
    assert source.read(file, 256, 10) == bytes(range(10))
    assert not source.is_folder()
    assert "secret" not in source.shown
