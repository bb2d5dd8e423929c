"""The sources mltrust comes with keep the contract of sources."""

import pytest

from mltrust.sources.local import LocalSource
from mltrust.testing.memory_source import MemorySource
from mltrust.testing.source_contract import SourceContract


class TestLocalSource(SourceContract):
    @pytest.fixture
    def make_source(self, tmp_path):
        def make(files):
            for path, data in files.items():
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_bytes(data)
            return LocalSource(tmp_path)

        return make

    @pytest.fixture
    def rewrite(self, tmp_path):
        def write(_source, path, data):
            if data is None:
                (tmp_path / path).unlink()
            else:
                (tmp_path / path).write_bytes(data)

        return write


class TestMemorySource(SourceContract):
    @pytest.fixture
    def make_source(self):
        return MemorySource

    @pytest.fixture
    def rewrite(self):
        return lambda source, path, data: source.remove(path) if data is None else source.put(path, data)
