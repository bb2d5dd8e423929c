"""Seals that were edited, lost or replaced; seals of single files; seals that follow one another."""

import json
import os
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")

EDITS = {
    "root": lambda seal: seal["statement"]["predicate"].update(root="0" * 64),
    "content root": lambda seal: seal["statement"]["predicate"].update(content_root="0" * 64),
    "totals": lambda seal: seal["statement"]["predicate"]["totals"].update(bytes=1),
    "size": lambda seal: seal["statement"]["predicate"].update(size=1),
    "fingerprint": lambda seal: seal["statement"]["subject"][0].update(digest={"mltrust-1": "0" * 64}),
    "exclusion": lambda seal: seal["statement"]["predicate"]["parameters"]["exclude"].append("/config.json"),
    "digest in the manifest": lambda seal: seal["manifest"]["entries"][1].update(digest="0" * 64),
    "entry removed": lambda seal: seal["manifest"]["entries"].pop(1),
    "dtype in the manifest": lambda seal: seal["manifest"]["entries"][-2]["children"][1].update(dtype="F16"),
}
QUIET_EDITS = {  # nothing contradicts these but the digest of the statement
    "annotation": lambda seal: seal["statement"]["predicate"]["annotations"].update(license="none"),
    "name": lambda seal: seal["statement"]["subject"][0].update(name="other"),
    "supersedes": lambda seal: seal["statement"]["predicate"].update(supersedes="sha256:" + "0" * 64),
    "receipt": lambda seal: seal["receipts"][0].update(time={"not_before": None, "not_after": "2001-01-01T00:00:00Z"}),
    "evidence": lambda seal: seal["receipts"][0]["evidence"].update(index=1),
}


def edit(path, change):
    seal = json.loads(path.read_bytes())
    change(seal)
    path.write_text(json.dumps(seal))


@pytest.mark.parametrize("what", [*EDITS, *QUIET_EDITS])
def test_an_edited_seal_is_refused(mltrust, model, seal_file, key, what):
    edit(seal_file, {**EDITS, **QUIET_EDITS}[what])
    commands = [("verify", model), ("verify", model, "--key", key), ("verify", model, "--format", "json")]
    own, offline, data = mltrust.many(commands)
    assert offline.code == 1
    if what in ("receipt", "evidence"):  # the ledger at hand knows the statement, whatever the receipt says
        assert own.code == 0
        return
    assert own.code == data.code == 1
    failed = [check["kind"] for check in data.json()["checks"] if check["outcome"] == "fail"]
    assert ("seal" in failed) or ("anchor" in failed)
    assert own.out.startswith("FAILED")


def test_content_only_sees_what_contradicts_the_seal_itself(mltrust, model):
    copies = [Path(shutil.copytree(model, mltrust.cwd / what)) for what in EDITS]
    for copy, change in zip(copies, EDITS.values(), strict=True):
        edit(copy / "mltrust.seal.json", change)
    for done in mltrust.many(("verify", copy, "--content-only") for copy in copies):
        assert done.code in (1, 3)
    assert mltrust("verify", model, "--content-only").code == 0


def test_a_stripped_receipt_is_missed_offline_only(mltrust, model, seal_file, key):
    edit(seal_file, lambda seal: seal.update(receipts=[]))
    own, offline = mltrust.many([("verify", model), ("verify", model, "--key", key)])
    fresh = mltrust.at(mltrust.cwd / "fresh")("verify", model)
    assert (own.code, offline.code, fresh.code) == (0, 1, 3)
    assert "anchor       FAIL" in offline.out
    assert "[absent]" in offline.out


@pytest.mark.parametrize("what", ["absent", "empty", "binary", "folder", "fifo", "other json", "newer", "cut"])
def test_a_seal_that_cannot_be_read_decides_nothing(mltrust, model, seal_file, what):
    text = seal_file.read_text()
    seal_file.unlink()
    if what in ("folder", "fifo"):
        seal_file.mkdir() if what == "folder" else os.mkfifo(seal_file)
    elif what != "absent":
        contents = {"empty": "", "binary": "\x00\x01", "other json": "{}", "newer": text.replace(".v1+", ".v9+")}
        seal_file.write_text(contents.get(what, text[: len(text) // 2]))
    text, document = mltrust.many([("verify", model), ("verify", model, "--format", "json")])
    assert (text.code, document.code) == (3, 3)
    assert text.err == document.err
    assert text.err.startswith("error: ")
    assert text.out == ""
    assert json.loads(document.out)["mediaType"] == "application/vnd.mltrust.trouble.v1+json"


def test_the_hint_where_there_is_no_seal(mltrust, bare):
    assert "hint: Make one with mltrust seal" in mltrust("verify", bare).err


def test_sealing_again_changes_nothing(mltrust, model, seal_file):
    edit(seal_file, lambda seal: None)  # spelled otherwise, still the same seal
    for _ in range(2):
        before = seal_file.read_bytes(), seal_file.stat().st_mtime_ns
        done = mltrust("seal", model, "--annotation", "license=mit")
        assert done.code == 0
        assert (seal_file.read_bytes(), seal_file.stat().st_mtime_ns) == before
    assert len(mltrust("ledger", "log").out.splitlines()) == 1


def test_a_first_seal_is_stable_too(mltrust, bare):
    mltrust("seal", bare)
    first = (bare / "mltrust.seal.json").read_bytes()
    assert mltrust("seal", bare).code == 0
    assert (bare / "mltrust.seal.json").read_bytes() == first


def test_sealing_again_after_others_changes_nothing(mltrust, model, seal_file):
    before = seal_file.read_bytes()
    (mltrust.cwd / "other").write_text("x")
    assert mltrust("seal", "other").code == 0
    assert mltrust("seal", model, "--annotation", "license=mit").code == 0
    assert seal_file.read_bytes() == before


def test_releases_form_a_chain(mltrust, model):
    digests = [json.loads(mltrust("anchors", model, "--format", "json").out)["statement"]]
    for edition in "23":
        (model / "README.md").write_text(edition)
        done = mltrust("seal", model, "--format", "json")
        assert done.code == 0
        assert done.json()["supersedes"] == digests[-1]
        digests.append(done.json()["statement"])
    log = mltrust("ledger", "log", "--format", "json").json()["entries"]
    assert [entry["digest"] for entry in log] == digests
    assert [entry["index"] for entry in log] == [0, 1, 2]
    assert mltrust("verify", model).code == 0


def test_an_edited_seal_is_not_built_upon(mltrust, model, seal_file):
    edit(seal_file, EDITS["root"])
    done, *others = mltrust.many([("seal", model), ("prove", model, "--file", "config.json"), ("show", model)])
    assert done.code == 3
    assert "edited" in done.err
    assert [other.code for other in others] == [3, 3]


def test_the_suite_for_fips(mltrust, bare):
    done = mltrust("seal", bare, "--suite", "sha256", "--format", "json")
    assert done.code == 0
    assert done.json()["suite"] == "mltrust-1-sha256"
    assert mltrust("verify", bare).code == 0
    assert "mltrust-1-sha256:" in mltrust("show", bare).out
    (bare / "empty").write_text("x")
    assert mltrust("verify", bare).code == 1


@pytest.mark.parametrize("suite", ["md5", "mltrust-2", ""])
def test_an_unknown_suite_is_refused(mltrust, model, seal_file, suite):
    assert mltrust("seal", model, "--suite", suite or "x").code == 2
    edit(seal_file, lambda seal: seal["statement"]["predicate"].update(suite=suite))
    done = mltrust("verify", model)
    assert done.code == 3
    assert "suite" in done.err


def test_a_suite_that_was_swapped_is_refused(mltrust, model, seal_file):
    def change(seal):
        seal["statement"]["predicate"]["suite"] = "mltrust-1-sha256"
        (value,) = seal["statement"]["subject"][0]["digest"].values()
        seal["statement"]["subject"][0]["digest"] = {"mltrust-1-sha256": value}

    edit(seal_file, change)
    assert mltrust("verify", model, "--content-only").code == 1


def test_exclusions_are_visible_and_hold(mltrust, bare):
    (bare / "runs").mkdir()
    (bare / "runs/log").write_text("1")
    assert mltrust("seal", bare, "--exclude", "runs/", "--exclude", "*.log").code == 0
    (bare / "runs/log").write_text("2")
    (bare / "x.log").write_text("2")
    done, data = mltrust("verify", bare), mltrust("verify", bare, "--format", "json")
    assert done.code == 0
    assert "left out by the seal's rules" in done.out
    assert {"runs", "x.log"} <= set(data.json()["scope"]["left_out"])
    assert "runs/" in data.json()["scope"]["excluded"]
    assert "left out     runs/" in mltrust("show", bare).out
    (bare / "planted").write_text("x")
    assert mltrust("verify", bare).code == 1


@pytest.mark.parametrize("pattern", ["!config.json", "[z-a]", "", "#x", "a\nb"])
def test_a_pattern_that_is_none(mltrust, bare, pattern):
    assert mltrust("seal", bare, "--exclude", pattern).code == 2
    assert not (bare / "mltrust.seal.json").exists()


def test_annotations_and_name(mltrust, bare):
    more = ("--annotation", "license=mit", "--annotation", "url=https://x/?a=b", "--name", "acme/reader-7b")
    assert mltrust("seal", bare, *more).code == 0
    shown = mltrust("show", bare).out
    assert shown.startswith("acme/reader-7b")
    assert "license = mit" in shown
    assert "url = https://x/?a=b" in shown
    wrong = [("license",), ("=x",), ("",), ("a=1", "--annotation", "a=2")]
    for done in mltrust.many(("seal", bare, "--annotation", *given) for given in wrong):
        assert done.code == 2


@pytest.mark.parametrize("name", ["model.safetensors", "data.bin", "empty"])
def test_single_files(mltrust, bare, name):
    path = bare / name
    done = mltrust("seal", path)
    assert done.code == 0
    seal = path.with_name(name + ".seal.json")
    assert seal.is_file()
    assert mltrust("verify", path).code == 0
    path.write_bytes(path.read_bytes() + b"x")
    told = mltrust("verify", path)
    assert told.code == 1
    assert name in told.out
    path.unlink()
    assert mltrust("verify", path).code == 3


def test_a_seal_kept_elsewhere(mltrust, bare):
    assert mltrust("seal", bare, "-o", "release.json").code == 0
    assert not (bare / "mltrust.seal.json").exists()
    assert mltrust("verify", bare).code == 3
    assert mltrust("verify", bare, "--seal", "release.json").code == 0
    (bare / "release.json").write_text("planted")
    assert mltrust("verify", bare, "--seal", "release.json").code == 1


def test_a_seal_kept_inside_under_another_name(mltrust, bare):
    assert mltrust("seal", bare, "-o", bare / "seals/release.json").code == 3
    (bare / "seals").mkdir()
    assert mltrust("seal", bare, "-o", bare / "seals/release.json").code == 0
    assert mltrust("verify", bare, "--seal", bare / "seals/release.json").code == 0
    (bare / "seals/other.json").write_text("planted")
    assert mltrust("verify", bare, "--seal", bare / "seals/release.json").code == 1


def test_a_folder_that_holds_nothing(mltrust, tmp_path):
    (tmp_path / "nothing").mkdir()
    done = mltrust("seal", "nothing")
    assert done.code == 3
    assert "holds no files" in done.err
    assert not (tmp_path / "nothing/mltrust.seal.json").exists()


def test_what_is_worth_knowing_is_said(mltrust, bare):
    (bare / "weights.pt").write_bytes(b"\x80\x02.")
    (bare / "CONFIG.json").write_text("{}")
    (bare / "config.json").write_text('{"auto_map": {"AutoModel": "x--y"}}')
    done, data = mltrust("seal", bare), mltrust("verify", bare, "--format", "json")
    assert done.code == 0
    assert "pickle" in done.out
    codes = {notice["code"] for notice in data.json()["notices"]}
    assert codes == {"pickle", "name-collision", "remote-code"}


def test_a_git_lfs_pointer_is_not_sealed(mltrust, bare):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 16384\n"
    (bare / "data.bin").write_text(pointer)
    done = mltrust("seal", bare)
    assert done.code == 3
    assert "Git LFS pointer" in done.err
    assert "git lfs pull" in done.err


def test_a_git_lfs_pointer_is_never_verified(mltrust, model):
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 16384\n"
    (model / "data.bin").write_text(pointer)
    done = mltrust("verify", model)
    assert done.code == 3
    assert "pointer" in done.out
    (model / "config.json").write_text("{}")
    assert mltrust("verify", model).code == 1
