"""A Hub that lies: whatever it answers, it is refused in bounded time and space, and no name of its leads anywhere."""

import gzip
import itertools
import json

import pytest

from mltrust.core.report import Verdict
from mltrust.errors import MltrustError, UnreadableError
from mltrust.sources.remote.hub import client, store

SHA256 = "a" * 64


def entry(path, **more):
    return {"type": "file", "path": path, "size": 1, "oid": "b" * 40, **more}


def answers(path, value, headers=None):
    """Return what answers requests whose path holds `path` with this JSON."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return lambda _request, url: (200, headers or {}, body) if path in url.path else None


def refused(verify, what, **how):
    with pytest.raises(UnreadableError, match=what) as caught:
        verify(**how)
    assert "\x1b" not in str(caught.value)
    return caught.value


@pytest.fixture(autouse=True)
def pushed(hub, sealed):
    return hub.repository().push(sealed)


TREES = {
    "a name that leads out": ([entry("../x")], "not a plain relative path"),
    "one that leads out further in": ([entry("a/../../x")], "not a plain relative path"),
    "an absolute name": ([entry("/etc/passwd")], "not a plain relative path"),
    "a name with a NUL": ([entry("a\0b")], "not a plain relative path"),
    "an empty name": ([entry("")], "not a plain relative path"),
    "a lone surrogate": (b'[{"type":"file","path":"\\ud800","size":1,"oid":"' + b"b" * 40 + b'"}]', "surrogate"),
    "a long name": ([entry("a" * 5000)], "at most 4096"),
    "no name": ([entry(None)], "without a path"),
    "a name twice": ([entry("a"), entry("a")], "stands in it twice"),
    "a key twice": (b'[{"type":"file","type":"file"}]', "duplicate key"),
    "a negative size": ([entry("a", size=-1)], "not a number of bytes"),
    "a negative size in Git LFS": ([entry("a", lfs={"oid": SHA256, "size": -1})], "not a number of bytes"),
    "a size no file has": ([entry("a", size=2**63)], "not below 2\\^53"),
    "a size with a point": ([entry("a", size=1.5)], "not a number of bytes"),
    "no digest": ([entry("a", oid=None)], "not a digest"),
    "another digest": ([entry("a", lfs={"oid": "md5:" + "a" * 32, "size": 1})], "not a digest"),
    "something else": ([{"type": "submodule", "path": "a"}], "neither a file nor a directory"),
    "no list": ({"error": "x"}, "not a list"),
    "no JSON": (b"<html>", "not JSON"),
    "not UTF-8": (b'["\xff"]', "not UTF-8"),
    "JSON that is deep": (b"[" * 100_000, "nested deeper"),
    "many values": (b"[" + b"0," * 2**21 + b"0]", "more than"),
}


@pytest.mark.parametrize("case", TREES)
def test_what_it_lists(case, hub, verify):
    tree, what = TREES[case]
    hub.odd = answers("/tree/", tree)
    refused(verify, what, download="name" in case)


def test_a_size_of_many_terabytes_is_a_difference_and_nothing_else(hub, verify):
    def grown(found):
        return found | {"lfs": {**found["lfs"], "size": 2**52}} if found["path"] == "extra.bin" else found

    hub.changed = grown
    assert verify().verdict is Verdict.FAILED
    hub.changed = lambda found: found | {"size": 2**52} if found["path"] == "config.json" else found
    assert refused(verify, "config.json: has 4,503,599,627,370,496 bytes").hint == "Read all of it with --download."
    assert hub.given() == 0


@pytest.mark.parametrize("commit", ["main", "a" * 39, "A" * 40, "../" * 13 + "a", None, 7])
def test_what_it_calls_a_commit(commit, hub, verify):
    hub.odd = answers("/revision/", {"sha": commit})
    refused(verify, "which is no commit")


class TestAListingInParts:
    def test_that_never_ends(self, hub, verify, monkeypatch):
        monkeypatch.setattr(store, "MAX_LISTED", 30)
        pages = itertools.count()

        def more(_request, url):
            if "/tree/" not in url.path:
                return None
            number = next(pages)
            link = {"Link": f'<{hub.url}{url.path}?recursive=true&cursor={number}>; rel="next"'}
            return 200, link, json.dumps([entry(f"{number}")]).encode()

        hub.odd = more
        refused(verify, "more than 30 files and folders")

    @pytest.mark.parametrize(("page", "what"), [([], "an empty one"), ([entry("a")], "stands in it twice")])
    def test_that_brings_nothing_new(self, page, what, hub, verify):
        def again(_request, url):
            link = {"Link": f'<{hub.url}{url.path}?cursor=x>; rel="next"'}
            return (200, link, json.dumps(page).encode()) if "/tree/" in url.path else None

        hub.odd = again
        refused(verify, what)

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:1/api/models/org/tiny/tree/x",
            "https://elsewhere.example/api",
            "file:///etc/passwd",
            "//elsewhere.example/x",
            "/api/models/org/other/tree/x",
            "http://user:top-secret@127.0.0.1/",
            "gopher://x",
            "http://[",
        ],
    )
    def test_that_goes_on_elsewhere(self, url, hub, verify):
        hub.odd = answers("/tree/", [entry("a")], {"Link": f'<{url}>; rel="next"'})
        error = refused(verify, "goes on elsewhere|makes no sense")
        assert "top-secret" not in str(error)


AWAY = [
    "file:///etc/passwd",
    "http://127.0.0.1:1/x",
    "https://user:top-secret@elsewhere.example/",
    "ftp://127.0.0.1/x",
    "data:,x",
    "http://[",
    "",
]


@pytest.mark.parametrize("at", ["/revision/", "/tree/", "/paths-info/", "/resolve/"])
def test_redirects_that_lead_away(at, hub, verify):
    for url in AWAY:
        hub.odd = lambda _request, asked, url=url: (302, {"Location": url}) if at in asked.path else None
        error = refused(verify, "redirects|makes no sense")
        assert "top-secret" not in str(error)


def test_the_token_stays_with_the_hub(hub, storage, verify, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_loopback")
    hub.repository().private = True
    storage.storage["x"] = b"weights" * 1000
    where = {"Location": f"{storage.url}/lfs-storage/x?signature=secret"}
    hub.odd = lambda _request, url: (302, where) if url.path.endswith("/extra.bin") else None
    assert verify(download=True).verdict is Verdict.VERIFIED
    assert {each.token for each in hub.asked("/org/tiny")} == {"Bearer hf_loopback"}
    assert {each.token for each in storage.log} == {None}
    assert sum(each.given for each in storage.log) >= 7000
    storage.odd = lambda _request, _url: (418, {}, b"")
    assert "secret" not in str(refused(verify, "the Hub answers 418", download=True))


class TestWhatItSends:
    def test_other_bytes_of_a_small_file(self, hub, verify):
        hub.instead["config.json"] = b'{"hidden": 5}\n'
        refused(verify, "config.json: the Hub sends other bytes than it lists")

    def test_other_bytes_of_the_weights_are_seen_by_whoever_reads_them(self, hub, verify):
        hub.instead["extra.bin"] = b"Weights" * 1000
        assert verify().verdict is Verdict.VERIFIED  # it is the Hub's word, and said to be
        report = verify(download=True)
        assert report.verdict is Verdict.FAILED
        assert [change.name for change in report.changes] == ["extra.bin"]

    @pytest.mark.parametrize(("weights", "verdict"), [(b"weights", Verdict.INCONCLUSIVE), (b"Weights", Verdict.FAILED)])
    def test_a_pointer_as_content(self, weights, verdict, hub, verify, sealed, pointer_to):  # noqa: PLR0917  # fixtures
        """Git has it, and Git LFS does not: the Hub lists no SHA-256, and what it sends are not the weights."""
        found = hub.entry
        hub.entry = lambda path, data: (
            {**found("small", data), "path": path} if path == "extra.bin" else found(path, data)
        )
        hub.repository().push(sealed)
        hub.repository().commits[hub.repository().refs["main"]]["extra.bin"] = pointer_to(weights * 1000)
        refused(verify, "extra.bin: is a Git LFS pointer, and the Hub lists nothing in Git LFS for it")
        report = verify(download=True)
        assert (report.verdict, report.scope.pointers) == (verdict, 0)
        assert [(change.name, change.kind) for change in report.changes] == [("extra.bin", "pointer")]

    def test_more_than_it_was_asked_for(self, hub, verify):
        hub.odd = lambda _request, url: (
            (206, {"Content-Range": "bytes 0-13/14"}, b"x" * 15) if url.path.endswith("config.json") else None
        )
        refused(verify, "more bytes than it was asked for")

    @pytest.mark.parametrize("said", ["bytes 0-13/15", "bytes 1-14/14", "bytes 0-13/*", "x", ""])
    def test_another_range(self, said, hub, verify):
        hub.odd = lambda _request, url: (
            (206, {"Content-Range": said}, b"x" * 14) if url.path.endswith("config.json") else None
        )
        refused(verify, "bytes 0-13/14 were asked for")

    def test_from_another_commit(self, hub, verify, pushed):
        content = (206, {"Content-Range": "bytes 0-13/14", "X-Repo-Commit": pushed[::-1]}, b'{"hidden": 4}\n')
        hub.odd = lambda _request, url: content if url.path.endswith("config.json") else None
        refused(verify, "from another commit")

    def test_compressed_whatever_it_is_asked_for(self, hub, verify):
        hub.odd = answers("/tree/", gzip.compress(b"[]"), {"Content-Encoding": "gzip"})
        refused(verify, "sends it encoded")

    def test_too_much_json(self, hub, verify, monkeypatch):
        monkeypatch.setattr(client, "_MAX_JSON", 1000)
        hub.odd = answers("/tree/", [entry("a" * 2000)])
        refused(verify, "more than 1000 bytes of JSON")

    def test_a_seal_that_is_none(self, hub, verify, sealed):
        files = {"mltrust.seal.json": b"{}", "a": b"a"}
        hub.repository().push(files)
        refused(verify, "the seal of hf://org/tiny")

    def test_a_seal_in_git_lfs_is_read(self, hub, verify):
        """A long seal is kept there by the Hub: what counts is its content, and not the pointer."""
        found = hub.entry

        def in_lfs(path, data):
            if path != "mltrust.seal.json":
                return found(path, data)
            return {**found("x.bin", data), "path": path}

        hub.entry = in_lfs
        assert verify().verdict is Verdict.VERIFIED


def test_a_connection_that_breaks_again_and_again(hub, verify, monkeypatch):
    monkeypatch.setattr("random.uniform", lambda *_: 0)

    def hang_up(request, url):
        if "/tree/" in url.path:
            request.close_connection = True
            request.connection.shutdown(2)
            return 200, {}, b"[]"
        return None

    hub.odd = hang_up
    refused(verify, "tried 6 times")


def test_names_are_escaped_where_they_are_shown(hub, mltrust, sealed):
    names = ["evil\x1b[31m.bin", "::error::x.bin", "a\nb.json", "rtl\u202e.txt"]
    files = {path.relative_to(sealed).as_posix(): path.read_bytes() for path in sealed.rglob("*") if path.is_file()}
    hub.repository().push(files | dict.fromkeys(names, b"x"))
    done = mltrust("verify", "hf://org/tiny", "--content-only")
    assert done.code == 1
    for odd in ("\x1b", "\u202e", "\n::error", "\nb.json"):
        assert odd not in done.out
    assert r"evil\x1b[31m.bin" in done.out


def test_it_is_the_same_for_every_command(hub, sealed):
    from mltrust import api

    hub.odd = answers("/tree/", [entry("../x")])
    with pytest.raises(MltrustError, match="not a plain relative path"):
        api.fingerprint("hf://org/tiny")
