"""`seal --with-sha256`, and repositories with Git LFS: by the installed command, and the real Git LFS."""

import hashlib
import os
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")


def git(folder, *arguments, **environment):
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **environment}
    names = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", *names, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env={**os.environ, **settings}, capture_output=True, check=True)


def has_git_lfs():
    return bool(shutil.which("git") and shutil.which("git-lfs"))


def test_it_is_recorded_and_shown(mltrust, bare):
    plain = mltrust("fingerprint", bare).out
    done = mltrust("seal", bare, "--with-sha256")
    assert done.code == 0
    assert "SHA-256      of every file is recorded, too (asked for)" in done.out
    assert plain.strip() in done.out
    weights = hashlib.sha256((bare / "model.safetensors").read_bytes()).hexdigest()
    shown, verbose, as_json = mltrust.many(
        [("show", bare), ("show", bare, "--verbose"), ("show", bare, "--format", "json")]
    )
    assert weights not in shown.out
    assert f"sha256:{weights}" in verbose.out
    rows = {row["path"]: row for row in as_json.json()["manifest"]["entries"]}
    assert rows["model.safetensors"]["sha256"] == weights
    same, verified, compared, told, plain, without = mltrust.many(
        [
            ("diff", bare, bare / "mltrust.seal.json"),
            ("verify", bare),
            ("verify", bare, "--with-sha256"),
            ("seal", bare, "--with-sha256", "--format", "json"),
            ("seal", bare, "--output", "plain.seal.json"),
            ("verify", bare, "--seal", "plain.seal.json", "--with-sha256"),
        ]
    )
    assert (same.code, verified.code, compared.code, plain.code, without.code) == (0, 0, 0, 0, 2)
    line = "seal         ok    the sealed SHA-256s are those of the bytes, too: 7 files"
    assert (line in compared.out, line in verified.out) == (True, False)
    assert "the seal records no SHA-256 of its files" in without.err
    assert told.json()["sha256_root"] == as_json.json()["statement"]["predicate"]["sha256_root"]


def test_it_does_not_go_with_blind(mltrust, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n')
    done = mltrust("seal", "rows.jsonl", "--blind", "--with-sha256")
    assert done.code == 2
    assert "guessed at" in done.err
    assert not (tmp_path / "rows.jsonl.seal.json").exists()


@pytest.mark.skipif(not has_git_lfs(), reason="git and git-lfs are not installed")
class TestRealRepository:
    @pytest.fixture
    def clone(self, mltrust, bare):
        """Return a checkout without weights of a repository with Git LFS that was sealed before it was pushed."""
        hub = bare.parent / "hub.git"
        git(bare.parent, "init", "--bare", "--initial-branch=main", hub)
        git(bare, "init", "--initial-branch=main")
        git(bare, "lfs", "install", "--local")
        git(bare, "lfs", "track", "*.safetensors", "*.bin")
        done = mltrust("seal", bare)
        assert "SHA-256      of every file is recorded, too (this repository uses Git LFS)" in done.out
        git(bare, "add", "--all")
        git(bare, "commit", "--message=release")
        git(bare, "remote", "add", "origin", f"file://{hub}")
        git(bare, "push", "origin", "main")
        git(bare.parent, "clone", f"file://{hub}", "clone", GIT_LFS_SKIP_SMUDGE="1")
        return bare.parent / "clone"

    def test_a_checkout_without_weights(self, mltrust, clone, bare):
        pointer = (clone / "data.bin").read_text()
        assert f"oid sha256:{hashlib.sha256((bare / 'data.bin').read_bytes()).hexdigest()}\n" in pointer
        done, as_json = mltrust("verify", clone), mltrust("verify", clone, "--format", "json")
        assert done.code == 0
        assert "2 files are Git LFS pointers that match the sealed SHA-256; their content is not here" in done.out
        missing = sum((bare / name).stat().st_size for name in ("data.bin", "model.safetensors"))
        assert f"not checked  {missing:,} bytes of 2 files, for which only a Git LFS pointer is here" in done.out
        assert "all bytes" not in done.out
        scope = as_json.json()["scope"]
        assert (scope["pointers"], scope["bytes_not_here"]) == (2, missing)
        (clone / "data.bin").write_text(pointer.replace("size 16384", "size 16385"))
        done = mltrust("verify", clone)
        assert done.code == 1
        assert "pointer       data.bin" in done.out
        assert mltrust("seal", clone).code == 3

    def test_with_the_content(self, mltrust, clone):
        git(clone, "lfs", "install", "--local")
        git(clone, "lfs", "pull")
        done = mltrust("verify", clone)
        assert done.code == 0
        assert "all bytes are the sealed ones" in done.out


def test_it_can_be_left_out(mltrust, bare):
    (bare / ".git").mkdir()
    (bare / ".gitattributes").write_text("*.bin filter=lfs\n")
    done, other = mltrust.many([("seal", bare, "--no-with-sha256"), ("seal", bare)])
    assert "SHA-256" not in done.out
    assert "this repository uses Git LFS" in other.out
