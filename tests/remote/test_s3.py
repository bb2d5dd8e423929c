"""Artifacts in a bucket: a real S3 API on loopback, real s3fs, the installed command."""

import threading
import time

import pytest

from mltrust import api
from mltrust.comparing import diff
from mltrust.configuration import Configuration
from mltrust.core.digest import BLAKE3
from mltrust.core.exclusion import DEFAULT_EXCLUDE
from mltrust.engines.threads import ThreadsEngine
from mltrust.errors import ArtifactError, ChangedError, UsageError
from mltrust.interfaces import FileEntry, Segment, Silent, Trust
from mltrust.sources.local import LocalSource
from mltrust.sources.remote.fetching import Patience
from mltrust.sources.remote.s3 import S3Source


@pytest.fixture
def model(s3, tmp_path, fill_model):
    """Return a small model, here and in the bucket under `models/tiny`."""
    folder = fill_model(tmp_path / "tiny")
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("[core]\n")
    (folder / "odd").mkdir()
    (folder / "odd/a b?#%41&ü\u202e.txt").write_text("odd\n")
    (folder / "large.bin").write_bytes(bytes(range(256)) * 2**16)
    s3.fill(folder, "models/tiny/")
    s3.put_all({"models/tiny/": b"", "models/tiny/empty folder/": b"", "models/tiny-2/another": b"another"})
    return folder


def test_a_bucket_and_a_folder_have_one_fingerprint(model, mltrust):
    here = str(api.fingerprint(model))
    there = mltrust("fingerprint", "s3://bucket/models/tiny")
    assert (there.code, there.out, there.err) == (0, here + "\n", "")
    assert str(api.fingerprint("s3://bucket/models/tiny/")) == str(api.fingerprint("S3://bucket/models/tiny")) == here
    assert diff(model, "s3://bucket/models/tiny").changes == ()


@pytest.mark.usefixtures("unmeasured")
def test_rows_of_a_bucket_and_of_a_folder_have_one_fingerprint(fill_dataset, tmp_path, mltrust, s3):
    data = fill_dataset(tmp_path / "data")
    s3.fill(data, "data/")
    here = mltrust("fingerprint", data, "--records-index")
    assert here.code == 0
    assert mltrust("fingerprint", "s3://bucket/data", "--records-index") == here
    assert mltrust("fingerprint", "s3://bucket/data", "--records", "off") != here
    assert mltrust("seal", data, "--records", "keep", "--no-anchor").code == 0

    rows = (data / "train.jsonl").read_text().replace('"row 41"', '"row 0"')
    s3.put("data/train.jsonl", rows.encode())
    seal = ("--seal", data / "mltrust.seal.json")
    failed = mltrust("verify", "s3://bucket/data", *seal, "--content-only")
    assert failed.code == 1
    assert "changed  row 42" in failed.out
    assert "changed  row 42" in mltrust("diff", data, "s3://bucket/data").out


@pytest.mark.usefixtures("unmeasured")
def test_sealed_there_verified_here_and_the_other_way_round(model, mltrust, s3):
    refused = mltrust("seal", "s3://bucket/models/tiny")
    assert refused.code == 2
    assert "--output" in refused.err
    sealed = mltrust("seal", "s3://bucket/models/tiny", "--output", "tiny.seal.json")
    assert (sealed.code, sealed.err) == (0, "")
    assert '"name": "tiny"' in (model.parent / "tiny.seal.json").read_text()
    assert mltrust("verify", model, "--seal", "tiny.seal.json").code == 0
    report = mltrust("verify", "s3://bucket/models/tiny", "--seal", "tiny.seal.json", "--format", "json").json()
    assert report["verdict"] == "verified"
    assert report["scope"]["left_out"] == [".git"]

    unsealed = mltrust("verify", "s3://bucket/models/tiny")
    assert unsealed.code == 3
    assert "no seal is kept with s3://bucket/models/tiny" in unsealed.err
    s3.put("models/tiny/mltrust.seal.json", (model.parent / "tiny.seal.json").read_bytes())
    assert mltrust("verify", "s3://bucket/models/tiny").code == 0
    assert diff("s3://bucket/models/tiny/mltrust.seal.json", model).changes == ()

    s3.put("models/tiny/config.json", b"{}")
    s3.put("models/tiny/more", b"")
    failed = mltrust("verify", "s3://bucket/models/tiny")
    assert failed.code == 1
    assert "config.json" in failed.out
    assert "more" in failed.out
    assert len(diff(model, "s3://bucket/models/tiny").changes) == 2


def test_one_object(s3, tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"weights")
    s3.put("deep/weights.bin", b"weights")
    sealed = api.seal(tmp_path / "weights.bin")
    assert str(api.fingerprint("s3://bucket/deep/weights.bin")) == sealed.predicate.fingerprint().hex()
    s3.put("deep/weights.bin.seal.json", sealed.path.read_bytes())
    assert api.verify("s3://bucket/deep/weights.bin", trust=Trust(content_only=True)).verdict == "verified"
    s3.put("deep/weights.bin/below", b"")
    with pytest.raises(UsageError) as caught:
        api.fingerprint("s3://bucket/deep/weights.bin")
    assert "Write s3://bucket/deep/weights.bin/" in caught.value.hint


def replace_at(s3, key, nth, data):
    """Put `data` under `key` while the nth request for it waits."""

    def before(path, environ):
        if path == f"/bucket/{key}" and environ["REQUEST_METHOD"] == "GET":
            s3.seen = getattr(s3, "seen", 0) + 1
            if s3.seen == nth:
                s3.put(key, data)

    s3.seen = 0
    s3.before = before


@pytest.mark.parametrize(
    ("name", "nth"), [("large.bin", 1), ("large.bin", 2), ("config.json", 1), ("model-1.safetensors", 2)]
)
def test_an_object_replaced_in_the_middle_is_named(model, mltrust, s3, name, nth):
    replace_at(s3, f"models/tiny/{name}", nth, bytes((model / name).stat().st_size))
    done = mltrust("fingerprint", "s3://bucket/models/tiny")
    assert (done.code, done.out) == (3, "")
    assert f"error: {name}: changed while it was read" in done.err


def test_an_object_removed_in_the_middle_is_named(model, s3):
    source = S3Source("s3://bucket/models/tiny")
    files = list(source.files())
    s3.remove("models/tiny/large.bin")
    with pytest.raises(ArtifactError, match=r"large\.bin: does not exist"):
        list(ThreadsEngine(2).digest([[Segment(file, 0, file.size) for file in files]], source, BLAKE3, Silent()))


@pytest.mark.usefixtures("unmeasured")
def test_a_listing_of_several_pages_and_many_tiny_objects(s3):
    names = [f"{number % 7}/{number}" for number in range(1010)]
    s3.put_all({f"many/{name}": name.encode() for name in names})
    source, looked_into = S3Source("s3://bucket/many"), 100
    files = list(source.files())
    assert [file.path for file in files] == sorted(names)
    assert [source.read(file, 0, file.size) for file in files[:looked_into]] == [
        file.path.encode() for file in files[:looked_into]
    ]
    asked = s3.requests("/bucket/many/")
    assert looked_into <= len(asked) <= looked_into + 40, "read ahead, and not far"
    segments = [Segment(file, 0, file.size) for file in files[:looked_into]]
    [digests] = ThreadsEngine(1).digest([segments], source, BLAKE3, Silent())
    assert digests == [BLAKE3.digest(file.path.encode()) for file in files[:looked_into]]
    assert set(s3.requests("/bucket/many/").values()) == {1}, "an object was asked for twice"


@pytest.mark.parametrize("key", ["a//b", "a/../b", "../b", "./a", "a/./b", "/a"])
def test_keys_that_are_no_paths_are_refused(s3, key):
    s3.put(f"bad/{key}", b"x")
    with pytest.raises(ArtifactError, match="plain relative path"):
        list(S3Source("s3://bucket/bad/").files())


def test_what_only_looks_like_a_folder(s3):
    s3.put("m/marker/", b"")
    s3.put("m/file", b"x")
    assert [file.path for file in S3Source("s3://bucket/m").files()] == ["file"]
    s3.put("m/full/", b"hidden content")
    with pytest.raises(ArtifactError, match="has a folder's name, and content"):
        list(S3Source("s3://bucket/m").files())
    s3.put("n/mltrust.seal.json/evil", b"x")
    with pytest.raises(ArtifactError, match="a folder stands where a file of mltrust belongs"):
        list(S3Source("s3://bucket/n", DEFAULT_EXCLUDE).files())


def test_exclusions_are_those_of_a_folder(s3, tmp_path):
    patterns = (*DEFAULT_EXCLUDE, "*.log", "runs/", "/docs/**/draft", "!no"[1:])
    paths = [
        "a.log",
        "b/a.log",
        "runs/x",
        "b/runs/y/z",
        "runs.txt",
        "docs/a/draft",
        "docs/b",
        ".git/x",
        "b/.git/x",
        "no/x",
    ]
    paths += [".cache/huggingface/x", ".cache/other", ".mltrust-tmp-1", "b/no", "keep"]
    for path in paths:
        s3.put(f"e/{path}", b"x")
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    here, there = LocalSource(tmp_path, patterns), S3Source("s3://bucket/e", patterns)
    assert [file.path for file in there.files()] == [file.path for file in here.files()]
    assert sorted(there.left_out) == sorted(here.left_out) != []


def test_nothing_there(s3):
    for url, said in {
        "s3://bucket/nowhere": "s3://bucket/nowhere: does not exist",
        "s3://bucket/nowhere/": "holds no files",
        "s3://no-such-bucket/x": "there is no such bucket",
    }.items():
        with pytest.raises(ArtifactError, match=said):
            api.fingerprint(url)


def test_settings_come_from_the_users_configuration(s3, mltrust, tmp_path, monkeypatch):
    s3.put("m/file", b"x", ACL="public-read")
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    configuration = tmp_path / "home/config.toml"
    configuration.write_text(f'[remote.s3]\nendpoint_url = "{s3.url}"\nanon = true\n')
    assert mltrust("fingerprint", "s3://bucket/m").code == 0
    for text, said in {
        "[remote.s3]\nendpoint = 'x'": "no setting of s3://",
        "[remote.s3]\nanon = 'x'": "anon of s3:// must be true or false",
        "[remote.ftp]\na = 1": r"remote\.'ftp'",
        "[remote.local]\na = 1": r"remote\.'local'",
        "[remote]\ns3 = 1": r"remote\.'s3'",
        "[remote.s3]\nendpoint_url = 'https://k:s@host'": "must not carry credentials",
        "remote = 1": "remote must be a table",
    }.items():
        configuration.write_text(text)
        with pytest.raises(UsageError, match=said):
            api.fingerprint("s3://bucket/m", means=api.default_means(remote=Configuration.read(configuration).remote))


def test_credentials_are_never_in_a_url_and_never_shown(s3, mltrust, monkeypatch):
    s3.put("m/file", b"x")
    done = mltrust("fingerprint", "s3://name:a-secret-key@bucket/m")
    assert done.code == 2
    assert "must not carry credentials" in done.err
    assert "a-secret-key" not in done.err
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    done = mltrust("fingerprint", "s3://bucket/m")
    assert done.code == 3
    assert "credentials" in done.err


def test_a_server_out_of_reach_is_given_up(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ArtifactError, match="tried 3 times"):
        list(S3Source("s3://bucket/m", patience=Patience(3, 0.01)).files())


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(UsageError, match="s3:// needs s3fs") as caught:
        api.fingerprint("s3://bucket/m")
    assert caught.value.hint == "Install it: pip install 'mltrust[remote]'"


def test_a_large_object_is_read_in_ranges_and_only_as_far_as_asked(s3):
    data = bytes(range(256)) * 2**17
    s3.put("large", data)
    source = S3Source("s3://bucket/large")
    (file,) = source.files()
    assert source.read(file, 3, 2**25 - 5) == data[3 : 2**25 - 2]
    ranges = []
    s3.before = lambda path, environ: ranges.append(environ.get("HTTP_RANGE"))
    with source.open(file, 2**20, 2**20) as opened:
        buffer = memoryview(bytearray(2**20))
        assert opened.read_into(buffer, 2**20) == 2**20
        assert buffer == data[2**20 : 2**21]
    assert ranges == [f"bytes={2**20}-{2**21 - 1}", None]  # and once its head, on leaving


def test_an_entry_of_another_version_is_refused(s3):
    s3.put("m/file", b"x")
    source = S3Source("s3://bucket/m")
    (file,) = source.files()
    with pytest.raises(ChangedError):
        source.read(FileEntry(file.path, file.size, ('"other"',)), 0, 1)
    with pytest.raises(ChangedError):
        source.read(FileEntry(file.path, 0, file.version), 0, 0)


def test_many_requests_are_under_way_at_once(s3):
    s3.put_all({f"m/{number:02}": bytes(5000) for number in range(60)})
    s3.put_all({f"t/{number:02}": bytes(500) for number in range(60)})
    s3.put_all({"large": bytes(70 * 2**20)})
    lock, now, most = threading.Lock(), 0, 0

    def wait(path, environ):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1

    s3.before = wait
    small = S3Source("s3://bucket/m/")
    segments = [Segment(file, 0, file.size) for file in small.files()]
    assert len(*ThreadsEngine(2).digest([segments], small, BLAKE3, Silent())) == 60
    assert most >= 8, "small objects"
    most = 0
    assert api.fingerprint("s3://bucket/t/").manifest.size == 60
    assert set(s3.requests("/bucket/t/").values()) == {1}
    assert most >= 8, "tiny objects, looked into one by one"
    most, large = 0, S3Source("s3://bucket/large")
    segments = [Segment(file, 0, file.size) for file in large.files()]
    assert list(ThreadsEngine(1).digest([segments], large, BLAKE3, Silent())) == [[BLAKE3.digest(bytes(70 * 2**20))]]
    assert most >= 3, "ranges of one object"
