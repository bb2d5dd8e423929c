"""`verify hf://...`: what the Hub lists is compared with the seal, and no byte of the weights is asked for."""

import hashlib
import pickle

import pytest

from mltrust import api, registry, render
from mltrust.core.report import Verdict
from mltrust.errors import UnreadableError, UsageError
from mltrust.interfaces import Trust
from mltrust.sources.remote.hub import HubSource

WEIGHTS = ("model.safetensors", "extra.bin")


@pytest.fixture
def pushed(hub, sealed):
    hub.repository().push(sealed)


def said(report):
    (content,) = (check for check in report.checks if check.kind == "content")
    return content


def resolved(hub):
    """Return which files were got, without those that a commit always needs."""
    return sorted(each.path.split("/")[-1] for each in hub.asked("/resolve/") if "seal" not in each.path)


def test_a_released_revision(hub, model, mltrust):
    assert mltrust("seal", model, "--with-sha256").code == 0
    commit = hub.repository().push(model)
    done = mltrust("verify", "hf://org/tiny")
    size = sum((model / name).stat().st_size for name in WEIGHTS)
    assert done.code == 0, done.err
    assert done.out.startswith("VERIFIED  tiny")
    listed = f"2 files are listed by the Hub (commit {commit[:12]}) with the sealed size and SHA-256"
    assert f"{listed}; their content was not read" in done.out
    what = "lists only a size and a SHA-256, which are the sealed ones"
    assert f"not checked  {size:,} bytes of 2 files, for which the Hub (commit {commit[:12]}) {what}" in done.out
    assert hub.given() == 0
    assert resolved(hub) == [".gitattributes", "config.json", "rows.jsonl", "vocab%20%C3%A9.txt"]


def test_a_seal_named_here_and_a_dataset_at_a_tag(hub, sealed, verify, tmp_path):
    seal = (sealed / "mltrust.seal.json").rename(tmp_path / "tiny.seal.json")
    hub.repository(kind="datasets").push(sealed, "release/1")
    report = verify("hf://datasets/org/tiny@release%2F1", seal=seal)
    assert (report.verdict, report.scope.pointers) == (Verdict.VERIFIED, 2)
    assert hub.given() == 0


def test_a_folder_and_a_file_of_it(hub, sealed, verify, model, tmp_path):
    weights = {"models/a/" + path.name: path.read_bytes() for path in sealed.iterdir() if path.is_file()}
    hub.repository(kind="spaces").push({**weights, "models/other": b"x"})
    for name in ("rows.jsonl", "model.safetensors"):
        api.seal(model / name, output=tmp_path / f"{name}.seal.json", with_sha256=True)
        report = verify(f"hf://spaces/org/tiny/models/a/{name}", seal=tmp_path / f"{name}.seal.json")
        assert report.verdict is Verdict.VERIFIED
    report = verify("hf://spaces/org/tiny/models/a")
    assert [(change.kind, change.name) for change in report.changes] == [("removed", "tokenizer/vocab é.txt")]
    assert hub.given() == 0


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


CHANGES = {
    "other weights of that size": (
        {"extra.bin": b"Weights" * 1000},
        [("changed", "extra.bin")],
    ),
    "shorter weights": ({"extra.bin": b"weights" * 999}, [("truncated", "extra.bin")]),
    "one shard for the other": ({"extra.bin": "model.safetensors"}, [("changed", "extra.bin")]),
    "other configuration": ({"config.json": b'{"hidden": 5}\n'}, [("changed", "config.json")]),
    "weights that are added": ({"more.bin": b"more"}, [("added", "more.bin")]),
    "weights that are missing": ({"extra.bin": None}, [("removed", "extra.bin")]),
    "weights with another name": (
        {"other.bin": "extra.bin", "extra.bin": None},
        [("removed", "extra.bin"), ("added", "other.bin")],
    ),
    "a small file that is missing": ({"config.json": None}, [("removed", "config.json")]),
    "weights in the place of a small file": ({"config.json": None, "config.json/a.bin": b"x"}, None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_tampered_revision(change, hub, sealed, verify):
    edits, expected = CHANGES[change]
    files = files_of(sealed)
    for path, data in edits.items():
        files[path] = files[data] if isinstance(data, str) else data
    files = {path: data for path, data in files.items() if data is not None}
    hub.repository().push(files)
    report = verify()
    assert report.verdict is Verdict.FAILED
    if expected is not None:
        assert [(change.kind, change.name) for change in report.changes] == expected
    assert hub.given() == 0


def test_it_is_named_to_the_user(hub, sealed, mltrust):
    files = files_of(sealed)
    commit = hub.repository().push({**files, "extra.bin": b"weights" * 999, "model.safetensors": b"other"})
    done = mltrust("verify", "hf://org/tiny", "--content-only")
    assert done.code == 1
    told = mltrust("verify", "hf://org/tiny", "--content-only", "--format", "json").json()
    assert told["scope"]["told_by"] == f"the Hub (commit {commit[:12]})"
    after = {change["name"]: change["after"] for change in told["changes"]}
    assert after["extra.bin"]["size"] == 6993
    assert after["extra.bin"]["digest"] == hashlib.sha256(b"weights" * 999).hexdigest()
    assert "truncated     extra.bin  7,000 -> 6,993 bytes  the Hub (commit " in done.out
    assert ") lists other content" in done.out
    assert hub.given() == 0


def test_without_sha256_nothing_is_a_yes(hub, model, verify):
    api.seal(model)
    hub.repository().push(model)
    report = verify()
    assert (report.verdict, said(report).outcome) == (Verdict.INCONCLUSIVE, "unchecked")
    assert said(report).hint == "Read all bytes with --download; or seal again, with --with-sha256."
    assert hub.given() == 0
    files = files_of(model)
    hub.repository().push({**files, "extra.bin": b"weights" * 999})
    assert verify().verdict is Verdict.FAILED  # the size alone says so
    assert verify(download=True).verdict is Verdict.FAILED
    hub.repository().push(files)
    assert verify(download=True).verdict is Verdict.VERIFIED
    assert hub.given() > 0


def test_the_suite_that_hashes_with_sha256_has_it(hub, model, verify):
    (model / "model.safetensors").unlink()  # its leaves are tensors: its seal has no hash of the whole
    api.seal(model, suite="sha256")
    hub.repository().push(model)
    report = verify()
    assert (report.verdict, report.scope.pointers) == (Verdict.VERIFIED, 1)
    hub.repository().push({**files_of(model), "extra.bin": b"Weights" * 1000})
    assert verify().verdict is Verdict.FAILED
    assert hub.given() == 0


def test_all_bytes_of_a_commit_that_was_resolved_once(hub, sealed, verify):
    repository = hub.repository()
    commit = repository.push(sealed)

    def push(_request, url):
        if "/paths-info/" in url.path:  # somebody pushes as soon as the revision is resolved
            repository.push({"config.json": b"other"})

    hub.odd = push
    assert verify().verdict is Verdict.VERIFIED
    repository.refs["main"] = commit
    assert verify(download=True).verdict is Verdict.VERIFIED
    assert hub.given() >= sum((sealed / name).stat().st_size for name in WEIGHTS)
    assert all(commit in each.path for each in hub.log if "/revision/main" not in each.path and "/lfs" not in each.path)


@pytest.mark.parametrize(
    ("make", "url", "what"),
    [
        (lambda hub: None, "hf://org/none", "hf auth login"),
        (lambda hub: setattr(hub.repository(), "private", True), "hf://org/tiny", "hf auth login"),
        (lambda hub: setattr(hub.repository(), "gated", True), "hf://org/tiny", "is gated"),
        (lambda hub: None, "hf://org/tiny@v9", "no such revision"),
        (lambda hub: None, "hf://org/tiny@" + "0" * 40, "no such revision"),
        (lambda hub: None, "hf://org/tiny/nothing", "does not exist"),
        (lambda hub: hub.repository().push({"a": b"a"}), "hf://org/tiny", "no seal is kept with"),
        (lambda hub: setattr(hub, "odd", lambda *_: (403,)), "hf://org/tiny", "the Hub forbids it"),
        (lambda hub: setattr(hub, "odd", lambda *_: (418,)), "hf://org/tiny", "the Hub answers 418"),
    ],
)
@pytest.mark.usefixtures("pushed")
def test_what_cannot_be_had(make, url, what, hub, verify):
    make(hub)
    with pytest.raises(UnreadableError) as caught:
        verify(url)
    assert what in f"{caught.value} {caught.value.hint}"
    assert "\x1b" not in str(caught.value)


def test_it_is_an_error_in_one_line(hub, mltrust):
    done = mltrust("verify", "hf://org/none")
    assert (done.code, done.out) == (3, "")
    error, hint = done.err.splitlines()
    assert error == "error: the seal of hf://org/none: the Hub shows no such repository (it answers 401)"
    assert hint.startswith("hint: Check the name and the kind.")


def test_a_private_repository_with_a_token(hub, sealed, verify, monkeypatch):
    hub.repository().private = True
    hub.repository().push(sealed)
    monkeypatch.setenv("HF_TOKEN", "hf_loopback")
    assert verify().verdict is Verdict.VERIFIED
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(UnreadableError, match="no such repository"):
        verify()


def test_nothing_is_asked_offline(hub, sealed, mltrust):
    hub.repository().push(sealed)
    offline = mltrust("verify", "hf://org/tiny", HF_HUB_OFFLINE="1")
    assert (offline.code, "HF_HUB_OFFLINE is set" in offline.err) == (3, True)
    assert hub.log == []


def test_a_hub_that_is_busy_for_a_moment(hub, sealed, verify, monkeypatch):
    monkeypatch.setattr("random.uniform", lambda *_: 0)
    hub.repository().push(sealed)
    seen = set()

    def busy(request, url):
        if url.path not in seen:
            seen.add(url.path)
            return 503 if "tree" in url.path else 429, {"Retry-After": "0"}
        return None

    hub.odd = busy
    assert verify().verdict is Verdict.VERIFIED


def test_small_files_are_few_and_small(hub, sealed, verify, monkeypatch):
    hub.repository().push(sealed)
    for limit, value in (("MAX_SMALL", 30), ("MAX_FETCHED", 60), ("MAX_FILES", 2)):
        with monkeypatch.context() as patched:
            patched.setattr(f"mltrust.sources.remote.hub.listing.{limit}", value)
            with pytest.raises(UnreadableError, match=r"at most 30|more than") as caught:
                verify()
            assert caught.value.hint == "Read all of it with --download."


@pytest.mark.parametrize("url", ["hf://tiny", "hf://datasets", "hf://../..", "hf://o/..", "hf://o/n?x", "hf://"])
def test_what_names_no_repository(url, verify):
    with pytest.raises(UsageError, match="names no repository"):
        verify(url)


def test_a_listed_source_travels_to_workers(hub, sealed):
    """With its commit: a worker reads the same pointers and small files, whatever was pushed meanwhile."""
    repository = hub.repository()
    commit = repository.push(sealed)
    source = HubSource("hf://org/tiny").listed()
    files = {file.path: file for file in source.files()}
    repository.push({"config.json": b"other"})
    again = pickle.loads(pickle.dumps(source))
    assert (again.url, again.told_by) == (f"hf://org/tiny@{commit}", source.told_by)
    with again.open(files["extra.bin"]) as opened:
        buffer = memoryview(bytearray(200))
        found = bytes(buffer[: opened.read_into(buffer, 0)])
    assert found == again.read(files["extra.bin"], 0, len(found))
    assert found.endswith(b"\nsize 7000\n")
    assert again.read(files["config.json"], 2, 6) == b"hidden"
    assert hub.given() == 0


@pytest.mark.parametrize("name", registry.names("renderers"))
def test_every_format_says_what_nobody_read(name, hub, sealed):
    commit = hub.repository().push(sealed)
    report, seen = api.verify_seen("hf://org/tiny", trust=Trust(content_only=True))
    said = "".join(render(report, name, seen))
    assert f"the Hub (commit {commit[:12]})" in said.replace("&#32;", " ")
    assert "was not read" in said or "lists only a size and a SHA-256" in said
    assert "Git LFS pointer is here" not in said
