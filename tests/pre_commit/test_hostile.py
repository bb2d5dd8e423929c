"""A repository made by an attacker: nothing of it runs, and nothing but what would be committed is believed."""

import hashlib
import os
import signal
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from mltrust.disk.git import blobs, index
from mltrust.errors import ArtifactError, UnreadableError
from mltrust.interfaces import Trust
from mltrust.sources.git_index import GitIndexSource
from mltrust.staging import staged, verify_staged

BYTES = Trust(content_only=True)
DATA = b"content of a file\n"


@pytest.fixture
def plain(make_repository):
    repository = make_repository()
    repository.write("model/a", DATA)
    repository.write("model/b", b"b\n")
    repository.seal()
    repository.git("add", "--all")
    return repository


def verify(repository):
    return verify_staged(repository.path / "model", trust=BYTES)


def object_file(repository, path):
    oid = repository.git("rev-parse", f":{path}")
    found = repository.path / ".git/objects" / oid[:2] / oid[2:]
    found.chmod(0o644)
    return found


def loose(data, said=None):
    return zlib.compress(b"blob %d\0" % (len(data) if said is None else said) + data)


def test_nothing_of_the_repository_runs(plain, tmp_path):
    trap, mark = tmp_path / "trap", tmp_path / "mark"
    trap.write_text(f"#!/bin/sh\necho sprung >> {mark}\ncat\n")
    trap.chmod(0o755)
    hooks = plain.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "pre-commit", "fsmonitor-watchman", "post-checkout"):
        (hooks / name).write_text(trap.read_text())
        (hooks / name).chmod(0o755)
    settings = ("core.fsmonitor", "core.pager", "diff.external", "diff.x.textconv", "filter.x.clean", "filter.x.smudge")
    settings += ("core.sshCommand", "core.gitProxy", "credential.helper", "filter.x.process", "diff.x.command")
    for name in settings:
        plain.git("config", name, str(trap))
    plain.git("config", "alias.diff-index", f"!{trap}")
    plain.git("config", "trace2.eventTarget", str(tmp_path / "trace"))
    (plain.path / ".git/info/attributes").write_text("* filter=x diff=x text eol=crlf ident\n")
    assert verify(plain).verdict == "verified"
    assert not mark.exists()
    assert not (tmp_path / "trace").exists()
    plain.run("git", "status")
    assert mark.exists()  # git as it comes would have run it


def test_replaced_objects_do_not_count(plain):
    oid = plain.git("hash-object", "-w", "--stdin", data=b"other")
    staged_oid = plain.git("rev-parse", ":model/a")
    plain.git("replace", staged_oid, oid)
    assert plain.git("cat-file", "blob", staged_oid) == "other"
    assert verify(plain).verdict == "verified"
    plain.stage("model/a", b"other")
    plain.git("replace", "--delete", staged_oid)
    plain.git("replace", plain.git("rev-parse", ":model/a"), staged_oid)
    assert verify(plain).verdict == "failed"


def test_an_object_is_what_its_id_says(plain):
    """Sealed bytes put under the id of others: here they would match, and whoever fetches the commit has the others."""
    plain.stage("model/a", b"something else")
    object_file(plain, "model/a").write_bytes(loose(DATA))
    with pytest.raises(ArtifactError, match=r"a: the staged object [0-9a-f]{40} is damaged"):
        verify(plain)


@pytest.mark.parametrize(
    "content",
    [b"", b"x", loose(DATA)[:-4], loose(DATA[:-3], len(DATA)), zlib.compress(b"odd")],
    ids=["empty", "no object", "cut", "short", "no header"],
)
def test_damaged_objects(plain, content, monkeypatch):
    monkeypatch.setattr(index, "SILENT_SECONDS", 1.0)  # git waits to be asked more where an object is too short
    object_file(plain, "model/a").write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        verify(plain)
    assert caught.value.path == "a"
    assert caught.value.hint


def test_missing_objects_are_never_fetched(plain, tmp_path):
    mark = tmp_path / "mark"
    plain.git("config", "remote.origin.url", f"ext::sh -c touch% {mark}")
    for name, value in {"protocol.ext.allow": "always", "core.repositoryFormatVersion": "1"}.items():
        plain.git("config", name, value)
    plain.git("config", "extensions.partialClone", "origin")
    plain.git("config", "remote.origin.promisor", "true")
    object_file(plain, "model/a").unlink()
    with pytest.raises(UnreadableError):
        verify(plain)
    assert not mark.exists()


def test_a_large_file_takes_no_memory_and_is_read_in_any_order(make_repository, memory_below):
    repository = make_repository()
    size = 96 * 2**20
    data = bytes(range(256)) * (size // 256)
    repository.stage("model/large", data)
    repository.stage("model/small", b"small")
    other = hashlib.sha256(data).digest()
    del data
    with staged(repository.path) as files:
        source = GitIndexSource(files.files, "model", "model")
        large, small = source.files()
        assert source.read(small, 0, 5) == b"small"
        with memory_below(16 * 2**20):
            for offset in (size - 7, 0, size // 2 + 1):
                assert source.read(large, offset, 7) == bytes((offset + at) % 256 for at in range(7))
            hasher, buffer = hashlib.sha256(), memoryview(bytearray(2**20))
            with source.open(large) as opened:
                for offset in range(0, size, 2**20):
                    assert opened.read_into(buffer, offset) == 2**20
                    hasher.update(buffer)
        assert hasher.digest() == other
        assert source.read(small, 1, 3) == b"mal"


def test_a_large_file_is_checked_against_its_id(plain, monkeypatch):
    plain.stage("model/a", b"x" * 3_000_000)
    object_file(plain, "model/a").write_bytes(loose(b"y" * 3_000_000))
    with pytest.raises(ArtifactError, match="is damaged"):
        verify(plain)


def test_git_that_ends_while_it_is_asked(plain, monkeypatch, tmp_path):
    """A git that dies between two files ends nothing but with an error, and another one is asked then."""
    with staged(plain.path) as files:
        source = GitIndexSource(files.files, "model", "model")
        one, two, _ = source.files()
        monkeypatch.setattr(blobs, "_TINY_BYTES", -1)
        assert source.read(one, 0, one.size) == DATA
        os.kill(_reading_git(), signal.SIGKILL)
        with pytest.raises(ArtifactError, match="git ended early"):
            source.read(two, 0, two.size)
        assert source.read(two, 0, two.size) == b"b\n"


def _reading_git():
    """Find the git that reads objects for this process."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and b"cat-file" in (process / "cmdline").read_bytes():
                return int(process.name)
    pytest.skip("processes are not to be looked up here")


def handmade(*entries):
    """Return an index of version 2 with these paths and ids, in this order, whatever git would say of it."""
    body = b"DIRC" + (2).to_bytes(4, "big") + len(entries).to_bytes(4, "big")
    for path, oid in entries:
        entry = bytes(24) + (0o100644).to_bytes(4, "big") + bytes(12) + bytes.fromhex(oid)
        entry += len(path).to_bytes(2, "big") + path
        body += entry + bytes(8 - len(entry) % 8)
    return body + hashlib.sha1(body).digest()


def test_an_index_that_git_would_not_write(plain):
    a, b = (plain.git("rev-parse", f":model/{name}") for name in "ab")
    seal = plain.git("rev-parse", ":model/mltrust.seal.json")
    sealed, file = (b"model/mltrust.seal.json", seal), plain.path / ".git/index"
    file.write_bytes(handmade((b"model/a", a), (b"model/b", b), sealed))
    assert verify(plain).verdict == "verified"
    odd = {
        "a file and a folder": ((b"model/a", a), (b"model/a/x", b), (b"model/b", b), sealed),
        "twice": ((b"model/a", a), (b"model/a", b), (b"model/b", b), sealed),
        "no plain path": ((b"model/../a", a), (b"model/a", a), (b"model/b", b), sealed),
    }
    for what, entries in odd.items():
        file.write_bytes(handmade(*entries))
        assert _is_no_yes(plain), what
    file.write_bytes(handmade((b"model/a", a), (b"model/b", b), sealed)[:-30])
    assert _is_no_yes(plain)


def _is_no_yes(repository):
    try:
        return verify(repository).verdict == "failed"
    except UnreadableError as error:
        return bool(str(error))
