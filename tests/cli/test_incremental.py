"""`seal`, `seal --reread`, `verify` and `verify --quick` on one machine: what is read again, and what is said of it."""

import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from mltrust.core.digest import BLAKE3
from mltrust.disk.digest_cache import KEY_SIZE, DigestCache, Table
from mltrust.engines.remembering import GUARD_NS

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing is remembered"),
    pytest.mark.usefixtures("unmeasured"),
]

NOT_REREAD = "not reread"
FILES = 7


@pytest.fixture(scope="module")
def aged(_tiny, tmp_path_factory):
    """Return sealed copies of the tiny model, each with its home, all of them old enough to be remembered."""
    base = tmp_path_factory.mktemp("aged")
    for number in range(6):
        shutil.copytree(_tiny / "home", base / str(number) / "home")
        shutil.copytree(_tiny / "model", base / str(number) / "model")
    time.sleep(GUARD_NS / 1e9)
    return iter(sorted(base.iterdir()))


@pytest.fixture
def machine(aged, mltrust):
    """Return the command in a folder with `model`, sealed there, so that its digests are remembered."""
    folder = next(aged)
    command = type(mltrust)(folder / "home", folder)
    done = command("seal", "model")
    assert (done.code, done.err) == (0, "")
    assert NOT_REREAD not in done.out
    return command


def scope(done):
    found = done.json()["scope"]
    return found["files_not_reread"], found["bytes_not_reread"]


def size(machine):
    return sum(path.stat().st_size for path in (machine.cwd / "model").rglob("*") if path.is_file()) - seal_size(
        machine
    )


def seal_size(machine):
    return (machine.cwd / "model/mltrust.seal.json").stat().st_size


def edit(path, data):
    """Write other bytes of the same number in place, and put the time of the modification back."""
    kept = path.stat()
    assert len(data) == kept.st_size
    with path.open("r+b") as opened:
        opened.write(data)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))


def test_what_is_said_and_what_is_found(machine):
    model = machine.cwd / "model"
    quick = machine("verify", "model", "--quick")
    assert quick.code == 0
    assert "no difference from the sealed bytes was found: 7 files" in quick.out
    assert f"not reread   7 files ({size(machine):,} bytes), unchanged since last read here" in quick.out
    assert scope(machine("verify", "model", "--quick", "--format", "json")) == (FILES, size(machine))

    plain = machine("verify", "model")
    assert plain.code == 0
    assert "all bytes are the sealed ones" in plain.out
    assert NOT_REREAD not in plain.out
    assert scope(machine("verify", "model", "--format", "json")) == (0, 0)

    kept = (model / "config.json").read_bytes()
    edit(model / "config.json", kept.replace(b"4", b"5"))
    found = machine("verify", "model", "--quick", "--format", "json")
    assert found.code == 1
    assert [change["name"] for change in found.json()["changes"]] == ["config.json"]
    assert scope(found) == (FILES - 1, size(machine) - len(kept))
    edit(model / "config.json", kept)
    assert machine("verify", "model", "--quick").code == 0


def test_seal_again(machine):
    again = machine("seal", "model")
    assert f"not reread   7 files ({size(machine):,} bytes)" in again.out
    as_json = machine("seal", "model", "--format", "json").json()
    assert (as_json["files_not_reread"], as_json["bytes_not_reread"]) == (FILES, size(machine))
    weights = machine.cwd / "model/model.safetensors"
    data = weights.read_bytes()
    edit(weights, data[:-1] + b"!")
    changed = machine("seal", "model", "--format", "json").json()
    assert changed["fingerprint"] != as_json["fingerprint"]
    assert (changed["files_not_reread"], changed["bytes_not_reread"]) == (FILES - 1, size(machine) - len(data))
    everything = machine("seal", "model", "--reread", "--format", "json").json()
    assert everything["fingerprint"] == changed["fingerprint"] == machine("fingerprint", "model").out.strip()
    assert (everything["files_not_reread"], everything["bytes_not_reread"]) == (0, 0)


def remembered(machine):
    model, cache = machine.cwd / "model", DigestCache(machine.home / "cache")
    table = cache.read(str(model), BLAKE3.name)
    assert len(table) == FILES + 5  # the weights are a header and five tensors
    return model, cache, table


def test_a_plain_verification_never_looks_at_the_cache(machine):
    model, cache, table = remembered(machine)
    cache.write(str(model), BLAKE3.name, Table(table.keys, bytes(len(table.digests))))
    plain = machine("verify", "model", "--format", "json")
    assert (plain.code, scope(plain)) == (0, (0, 0))
    quick = machine("verify", "model", "--quick", "--format", "json")
    assert (quick.code, scope(quick)) == (1, (FILES, size(machine)))
    fingerprint = machine("fingerprint", "model").out
    anew = machine("seal", "model", "--reread", "--format", "json").json()
    assert anew["fingerprint"] == fingerprint.strip()
    mended = machine("verify", "model", "--quick", "--format", "json")
    assert (mended.code, scope(mended)) == (0, (FILES, size(machine)))


def test_a_cache_that_vouches_for_other_bytes(machine):
    """Whoever can write your cache can fool --quick, which says that it did not read; and nothing else."""
    model, cache, table = remembered(machine)
    edit(model / "tokenizer.json", b'{"vocab": ["a", "x"]}\n')
    found = (model / "tokenizer.json").stat()
    stamps = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    forged = struct.pack("=QQQqqQQ", *stamps, 0, found.st_size)
    rows = [table.keys[at : at + KEY_SIZE] for at in range(0, len(table.keys), KEY_SIZE)]
    keys = b"".join(forged if row[8:16] == forged[8:16] else row for row in rows)
    cache.write(str(model), BLAKE3.name, Table(keys, table.digests))
    quick = machine("verify", "model", "--quick")
    assert quick.code == 0
    assert f"not reread   7 files ({size(machine):,} bytes)" in quick.out
    assert machine("verify", "model").code == 1


def test_a_cache_that_is_not_to_be_trusted(machine):
    cache = machine.home / "cache"
    cache.chmod(0o777)
    for command in (("seal", "model"), ("verify", "model", "--quick")):
        quiet, loud = machine(*command), machine(*command, "--verbose")
        assert quiet.code == loud.code == 0
        assert NOT_REREAD not in quiet.out + loud.out
        assert quiet.err == ""
        assert "others than you can write" in loud.err
    shutil.rmtree(cache)
    cache.write_text("in the way")
    assert machine("seal", "model").code == machine("verify", "model", "--quick").code == 0
    assert cache.read_text() == "in the way"
    cache.unlink()
    assert machine("seal", "model", "--no-anchor").code == 0
    [file] = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert "is damaged" in machine("verify", "model", "--quick", "-v").err


def test_many_at_once(machine):
    commands = [("verify", "model", "--quick"), ("seal", "model", "--reread")] * 2
    running = [machine.popen(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for command in commands]
    ends = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * 4, ends
    assert scope(machine("verify", "model", "--quick", "--format", "json")) == (FILES, size(machine))


def test_a_cache_in_the_artifact(mltrust, model):
    done = mltrust.at(model / "home")("verify", "model", "--content-only", "--quick")
    assert done.code == 2
    assert "lies in the artifact" in done.err
    assert not Path(model / "home" / "cache").exists()
