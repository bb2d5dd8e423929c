"""`verify hf://... --into DIR`, and what the real client downloads from the same Hub."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mltrust import api, download
from mltrust.core.report import Verdict
from mltrust.errors import MltrustError, UnreadableError, UsageError, WriteError
from mltrust.interfaces import Trust

ANYBODY = Trust(content_only=True)
SNAPSHOT = """
print(snapshot_download("org/tiny", cache_dir=sys.argv[1]))
try:
    hf_hub_download("org/tiny", "adapter_config.json", cache_dir=sys.argv[1])  # as transformers does
except errors.EntryNotFoundError:
    pass
"""


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def content_only(path, **how):
    return api.verify(path, trust=ANYBODY, **how)


@pytest.fixture
def pushed(hub, sealed, tmp_path):
    hub.repository().push(sealed)
    return tmp_path


class TestInto:
    def test_a_verified_copy_with_its_seal(self, hub, model, mltrust, tmp_path):
        assert mltrust("seal", model, "--with-sha256").code == 0
        hub.repository().push(model)
        done = mltrust("verify", "hf://org/tiny", "--into", "copy", "--with-sha256", "--report", "json=report.json")
        assert done.code == 0, done.err
        assert "all bytes are the sealed ones: 7 files" in done.out
        assert "kept in copy" in done.err
        assert json.loads((tmp_path / "report.json").read_text())["scope"]["bytes_not_here"] == 0
        assert files_of(tmp_path / "copy") == files_of(model)
        assert (tmp_path / "copy").stat().st_mode == model.stat().st_mode
        assert mltrust("verify", "copy").code == 0

    def test_nothing_is_downloaded_that_the_listing_shows_to_be_another_one(self, hub, sealed, tmp_path):
        hub.repository().push({**files_of(sealed), "extra.bin": b"Weights" * 1000})
        assert download("hf://org/tiny", tmp_path / "copy", trust=ANYBODY).verdict is Verdict.FAILED
        assert hub.given() == 0
        assert not (tmp_path / "copy").exists()

    def test_nor_if_nobody_vouches(self, hub, sealed, mltrust, tmp_path):
        hub.repository().push(sealed)
        done = mltrust("verify", "hf://org/tiny", "--into", "copy")
        assert (done.code, hub.given(), (tmp_path / "copy").exists()) == (3, 0, False)
        assert "nothing was kept" in done.err

    def test_a_hub_that_lists_one_thing_and_sends_another(self, hub, sealed, tmp_path):
        hub.repository().push(sealed)
        hub.instead["extra.bin"] = b"Weights" * 1000
        report = download("hf://org/tiny", tmp_path / "copy", trust=ANYBODY)
        assert [change.name for change in report.changes] == ["extra.bin"]
        assert report.verdict is Verdict.FAILED
        assert hub.given() > 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]

    def test_a_pointer_in_the_place_of_what_it_stands_for(self, hub, sealed, tmp_path, pointer_to):
        """It names the sealed SHA-256, and may even have the sealed size: it is not the content all the same."""
        (sealed / "tiny.bin").write_bytes(b"x" * 128)
        api.seal(sealed, with_sha256=True)
        hub.repository().push(sealed)
        hub.instead["tiny.bin"] = pointer_to(b"x" * 128)
        report = download("hf://org/tiny", tmp_path / "copy", trust=ANYBODY)
        assert [(change.name, change.kind) for change in report.changes] == [("tiny.bin", "pointer")]
        assert report.verdict is Verdict.INCONCLUSIVE
        assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]

    def test_a_hub_that_lists_more_when_it_is_asked_again(self, hub, sealed, tmp_path):
        hub.repository().push(sealed)
        hub.page = 1000

        def changed(found):
            again = found["path"] == "extra.bin" and hub.asked("/tree/")
            return found | {"lfs": {**found["lfs"], "size": 2**50}} if again else found

        hub.changed = changed
        with pytest.raises(MltrustError, match=r"extra\.bin: is listed otherwise than it was a moment ago"):
            download("hf://org/tiny", tmp_path / "copy", trust=ANYBODY)
        assert hub.given() == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]

    def test_a_connection_that_breaks_leaves_nothing(self, hub, sealed, tmp_path, monkeypatch):
        monkeypatch.setattr("random.uniform", lambda *_: 0)
        hub.repository().push(sealed)

        def break_off(request, url):
            if "/lfs-storage/" in url.path:
                request.close_connection = True
                return 206, {"Content-Range": "bytes 0-6999/7000", "Content-Length": "7000"}, b"x" * 10
            return None

        hub.odd = break_off
        with pytest.raises(UnreadableError):
            download("hf://org/tiny", tmp_path / "copy", trust=ANYBODY)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]

    def test_a_seal_without_sha256_and_a_seal_from_here(self, hub, model, tmp_path):
        seal = api.seal(model, output=tmp_path / "tiny.seal.json").path
        hub.repository(kind="datasets").push(model, "v1")
        report = download("hf://datasets/org/tiny@v1", tmp_path / "copy", trust=ANYBODY, seal=seal)
        assert report.verdict is Verdict.VERIFIED
        assert (tmp_path / "copy/mltrust.seal.json").read_bytes() == seal.read_bytes()

    @pytest.mark.parametrize("there", ["folder", "file", "link"])
    def test_what_is_there_stays(self, there, hub, sealed, tmp_path):
        hub.repository().push(sealed)
        target = tmp_path / "copy"
        if there == "folder":
            target.mkdir()
        elif there == "file":
            target.write_text("mine")
        else:
            target.symlink_to("nowhere")
        with pytest.raises(UsageError, match="is there already"):
            download("hf://org/tiny", target, trust=ANYBODY)
        assert hub.log == []

    def test_names_that_some_file_systems_confuse(self, hub, model, tmp_path):
        (model / "CONFIG.json").write_text("{}")
        api.seal(model, with_sha256=True)
        hub.repository().push(model)
        with pytest.raises(MltrustError, match="would be one file on some file systems"):
            download("hf://org/tiny", tmp_path / "copy", trust=ANYBODY)
        assert hub.given() == 0

    def test_a_name_that_is_a_file_and_a_folder(self, hub, sealed, tmp_path):
        """No seal of a folder says so, but one can be written by hand: nothing is left of it."""
        api.seal(sealed, with_sha256=True)
        hub.repository().push({**files_of(sealed), "config.json/x": b"x"})
        assert download("hf://org/tiny", tmp_path / "copy", trust=ANYBODY).verdict is Verdict.FAILED
        assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]

    @pytest.mark.parametrize(
        ("url", "folder", "error", "what"),
        [
            ("tiny", "copy", UsageError, "cannot be downloaded"),
            ("hf://org/tiny", "no/copy", WriteError, "cannot be written"),
            ("hf://org/tiny/config.json", "copy", UsageError, "is a single file"),
        ],
    )
    def test_what_makes_no_sense(self, url, folder, error, what, pushed, monkeypatch):  # noqa: PLR0917  # a table
        monkeypatch.chdir(pushed)
        with pytest.raises(error, match=what):
            download(url, folder, trust=ANYBODY)

    def test_options_that_contradict_each_other(self, hub, mltrust):
        done = mltrust("verify", "hf://org/tiny", "--into", "copy", "--quick")
        assert (done.code, "--quick goes with no --into" in done.err) == (2, True)


class TestTheRealClient:
    """What huggingface_hub writes is verified as it lies there."""

    @pytest.fixture
    def seal(self, hub, model, tmp_path):
        hub.repository().push(model)
        return api.seal(model, output=tmp_path / "tiny.seal.json", with_sha256=True).path

    def test_a_snapshot_in_the_cache(self, client, seal, tmp_path):
        cache = tmp_path / "cache"
        snapshot = Path(client(SNAPSHOT, cache))
        repository = cache / "models--org--tiny"
        assert {"blobs", "refs", "snapshots", "trees", ".no_exist"} <= {path.name for path in repository.iterdir()}
        assert (snapshot / "extra.bin").is_symlink()
        report = content_only(snapshot, seal=seal)
        assert (report.verdict, report.scope.files, report.scope.left_out) == (Verdict.VERIFIED, 7, ())
        blob = (snapshot / "extra.bin").resolve()
        assert blob.parent.name == "blobs"
        blob.write_bytes(b"Weights" * 1000)
        assert Path(client(SNAPSHOT, cache)) == snapshot  # the client does not look at what it has
        report = content_only(snapshot, seal=seal)
        assert (report.verdict, [change.name for change in report.changes]) == (Verdict.FAILED, ["extra.bin"])

    def test_a_part_of_a_snapshot_and_a_local_folder(self, client, seal, tmp_path):
        snapshot = client(
            "print(snapshot_download('org/tiny', cache_dir=sys.argv[1], allow_patterns=['*.json']))\n"
            "snapshot_download('org/tiny', local_dir=sys.argv[2])",
            tmp_path / "cache",
            tmp_path / "copy",
        )
        report = content_only(snapshot, seal=seal)
        assert report.verdict is Verdict.FAILED
        assert {change.kind for change in report.changes} == {"removed"}
        assert (tmp_path / "copy/.cache/huggingface").is_dir()
        report = content_only(tmp_path / "copy", seal=seal)
        assert (report.verdict, report.scope.left_out) == (Verdict.VERIFIED, (".cache/huggingface",))

    def test_the_same_bytes_as_the_source_reads(self, hub, model):
        hub.repository(kind="datasets").push(model)
        assert str(api.fingerprint("hf://datasets/org/tiny")) == str(api.fingerprint(model))


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_clone_without_what_is_in_git_lfs(hub, sealed, tmp_path, monkeypatch):
    """The same is said of what the Hub lists and of a clone that has the pointers, and they are the same bytes."""
    hub.repository().push(sealed)
    listed = content_only("hf://org/tiny")
    for name in ("model.safetensors", "extra.bin"):
        data = (sealed / name).read_bytes()
        sha256 = hub.entry(name, data)["lfs"]["oid"]
        lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{sha256}", f"size {len(data)}", "")
        (sealed / name).write_bytes("\n".join(lines).encode())
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    names = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "release"]):
        subprocess.run(["git", *names, *command], cwd=sealed, check=True)
    subprocess.run(["git", "clone", "-q", sealed, tmp_path / "clone"], check=True, capture_output=True)
    report = content_only(tmp_path / "clone")
    assert report.verdict is listed.verdict is Verdict.VERIFIED
    assert report.scope.left_out == (".git", "mltrust.seal.json")
    for name in ("files", "bytes", "pointers", "bytes_not_here"):
        assert getattr(report.scope, name) == getattr(listed.scope, name)
