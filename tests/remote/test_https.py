"""A file on a web server that breaks off, lies, changes and points elsewhere."""

import hashlib
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mltrust import api
from mltrust.core.digest import BLAKE3
from mltrust.engines.threads import ThreadsEngine
from mltrust.errors import ArtifactError, ChangedError, FormatError, SealError, UsageError
from mltrust.interfaces import Segment, Silent, Trust
from mltrust.sources.remote.fetching import Patience
from mltrust.sources.remote.https import HttpSource, HttpsSource

DATA = hashlib.shake_256(b"data").digest(3 * 2**20 + 11)


def open_source(page):
    return HttpSource(page.url, patience=Patience(4, 0.001))


def digest(source):
    files = list(source.files())
    [[found]] = ThreadsEngine(2).digest([[Segment(files[0], 0, files[0].size)]], source, BLAKE3, Silent())
    return found


def test_here_and_there_are_one(web, mltrust, tmp_path):
    content = Trust(content_only=True)
    (tmp_path / "model.bin").write_bytes(DATA)
    page = web.put("/models/model.bin", DATA)
    assert mltrust("fingerprint", page.url).out == f"{api.fingerprint(tmp_path / 'model.bin')}\n"
    assert mltrust("seal", page.url, "--output", "s.json").code == 0
    assert api.verify(tmp_path / "model.bin", seal=tmp_path / "s.json", trust=content).verdict == "verified"
    with pytest.raises(SealError, match="no seal is kept with"):
        api.verify(page.url, trust=content)
    web.put("/models/model.bin.seal.json", (tmp_path / "s.json").read_bytes())
    assert mltrust("verify", page.url).code == 0
    page.data = DATA[:-1] + b"!"
    assert api.verify(page.url, trust=content).verdict == "failed"


def test_an_answer_that_breaks_off_goes_on_where_it_broke(web):
    asked = []

    def drop(request, number):
        asked.append(request.headers["Range"])
        if number in (2, 3):
            begin, end = request.range(page)
            said = {**page.headers, "Content-Range": f"bytes {begin}-{end - 1}/{len(DATA)}"}
            request.answer(206, said, DATA[begin : begin + 2**20], length=end - begin)
            request.hang_up()
            return True
        return False

    page = web.put("/x", DATA, behave=drop)
    assert digest(open_source(page)) == BLAKE3.digest(DATA)
    begins = [int(each.removeprefix("bytes=").partition("-")[0]) for each in asked[1:4]]
    assert begins == sorted(set(begins))
    assert begins[0] == 0 < begins[1] <= 2**20 < begins[2] <= 2**21


@pytest.mark.parametrize("status", [500, 502, 503, 429, "hang up", "short", "empty"])
def test_trouble_that_passes(web, status):
    def trouble(request, number):
        if number % 3 == 0:
            return False
        begin, end = request.range(page)
        said = {**page.headers, "Content-Range": f"bytes {begin}-{end - 1}/{len(DATA)}"}
        if isinstance(status, int):
            request.answer(status)
        elif status == "hang up":
            request.hang_up()
        else:
            request.answer(206, said, DATA[begin:end][: 100 if status == "short" else 0], length=end - begin)
            request.hang_up()
        return True

    page = web.put("/x", DATA)
    source = open_source(page)
    assert source.is_folder() is False
    page.behave, page.asked = trouble, 0
    assert digest(source) == BLAKE3.digest(DATA)


def test_trouble_that_stays_is_an_error_after_a_bounded_number_of_attempts(web):
    page = web.put("/x", DATA, behave=lambda request, number: request.answer(503) or True)
    with pytest.raises(ArtifactError, match=r"cannot be read \(the server answers 503\); tried 4 times"):
        digest(open_source(page))
    assert page.asked == 4


def said(begin, end, size):
    return {"ETag": '"1"', "Content-Range": f"bytes {begin}-{end - 1}/{size}"}


LIES = {
    "another range": lambda begin, end: (206, said(begin + 1, end + 1, len(DATA)), DATA[begin + 1 : end + 1]),
    "a shorter range": lambda begin, end: (206, said(begin, end - 1, len(DATA)), DATA[begin : end - 1]),
    "another size": lambda begin, end: (206, said(begin, end, len(DATA) + 1), DATA[begin:end]),
    "no range": lambda begin, end: (206, {"ETag": '"1"'}, DATA[begin:end]),
    "many ranges": lambda begin, end: (206, {"ETag": '"1"', "Content-Range": "multipart"}, DATA[begin:end]),
    "more than it says": lambda begin, end: (206, said(begin, end, len(DATA)), DATA[begin:end] + b"!"),
    "all of it": lambda begin, end: (200, {"ETag": '"1"'}, DATA),
    "compressed": lambda begin, end: (
        206,
        {**said(begin, end, len(DATA)), "Content-Encoding": "gzip"},
        DATA[begin:end],
    ),
    "forbidden": lambda begin, end: (403, {}, b""),
    "an odd status": lambda begin, end: (418, {}, b""),
    "no host": lambda begin, end: (302, {"Location": "https://["}, b""),
    "no port": lambda begin, end: (302, {"Location": "https://host:99999999/x"}, b""),
    "no name": lambda begin, end: (302, {"Location": f"https://{'a' * 300}/x"}, b""),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_are_errors(web, lie):
    page = web.put("/x", DATA)
    source = open_source(page)
    assert not source.is_folder()
    page.behave = lambda request, number: request.answer(*LIES[lie](*request.range(page))) or True
    with pytest.raises(ArtifactError) as caught:
        digest(source)
    assert caught.value.path == "x"
    assert page.asked < 6, "a lie is not asked for again"


def test_a_size_without_end(web):
    page = web.put("/x", DATA)
    page.behave = lambda request, number: (
        request.answer(206, {"ETag": '"1"', "Content-Range": f"bytes 0-0/{'9' * 5000}"}, b"x") or True
    )
    with pytest.raises(ArtifactError, match="answer makes no sense"):
        open_source(page).is_folder()


CHANGES = {
    "another ETag": {"ETag": '"2"'},
    "a weak ETag for a strong one": {"ETag": 'W/"1"'},
    "no ETag any more": {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
}


@pytest.mark.parametrize("kept", [True, False], ids=["If-Match kept", "If-Match passed over"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read(web, pattern, change, kept):
    page = web.put("/x", pattern(40 * 2**20))

    def behave(request, number):
        if number == 4:
            page.headers = CHANGES[change]
        if not kept:
            del request.headers["If-Match"]

    page.behave = behave
    with pytest.raises(ChangedError, match="x: changed while it was read"):
        digest(open_source(page))


@pytest.mark.parametrize(
    "headers",
    [{"ETag": 'W/"1"'}, {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}],
    ids=["weak ETag", "date"],
)
def test_weaker_pins_are_compared_in_every_answer(web, headers):
    page = web.put("/x", DATA, headers=headers)
    source = open_source(page)
    assert digest(source) == BLAKE3.digest(DATA)
    (file,) = source.files()
    page.headers = {name: value.replace("1", "2") for name, value in headers.items()}
    with pytest.raises(ChangedError):
        source.read(file, 0, 5)


@pytest.mark.parametrize(
    ("how", "why"), [({"headers": {}}, "names no version"), ({"ranges": False}, "does not serve byte ranges")]
)
def test_a_server_that_cannot_do_enough_is_refused(web, how, why):
    with pytest.raises(ArtifactError, match=why):
        api.fingerprint(web.put("/x", DATA, **how).url)


@pytest.mark.parametrize("ranges", [True, False])
def test_an_empty_file(web, tmp_path, ranges):
    (tmp_path / "x").write_bytes(b"")
    assert api.fingerprint(web.put("/x", b"", ranges=ranges).url) == api.fingerprint(tmp_path / "x")


def test_redirects_stay_on_the_server_or_go_over_https(web, another_web):
    web.put("/real", DATA)

    def to(location, status=302):
        return lambda request, number: request.answer(status, {"Location": location}) or True

    for status in (301, 302, 307, 308):
        assert digest(open_source(web.put("/x", b"", behave=to("/real", status)))) == BLAKE3.digest(DATA)
    elsewhere = another_web.put("/secret", DATA)
    refused = {
        elsewhere.url: "redirects to",
        "http://169.254.169.254/latest": "redirects to",
        "file:///etc/passwd": "redirects to",
        "https://name:password@host/x": "redirects to",
        "/x": "redirects more than 5 times",
        "": "redirects more than 5 times",
    }
    for location, why in refused.items():
        with pytest.raises(ArtifactError, match=why) as caught:
            digest(open_source(web.put("/x", b"", behave=to(location))))
        assert "password" not in str(caught.value)
    assert elsewhere.asked == 0


def test_what_a_url_may_be(web):
    for url, why in {
        "https://host/folder/": "names no file",
        "https://host": "names no file",
        "https:///x": "names no file",
        "https://name:a-password@host/x": "must not carry credentials",
        "http://host/x": "for this machine alone",
        "http://localhost.evil.example/x": "for this machine alone",
        "https://host/a b": "not a URL as it travels",
        "https://host/a#b": "not a URL as it travels",
        "https://host/ä": "not a URL as it travels",
        "https://ho\\st/x": "not a URL as it travels",
        "https://name:a-password@[::1/x": "makes no sense",
        "https://name:a-password@host:99999999/x": "makes no sense",
        "https://a-password@\u2100/x": "makes no sense",
    }.items():
        with pytest.raises(UsageError, match=why) as caught:
            (HttpsSource if url.startswith("https") else HttpSource)(url)
        assert "a-password" not in str(caught.value)
    assert HttpSource("http://[::1]:80/x").name == "x"
    for path in ("/a%2Fb", "/%2e%2e", "/a%00b", "/a%FF"):
        page = web.put(path, DATA)
        with pytest.raises((ArtifactError, UsageError)):
            list(open_source(page).files())


def test_a_signature_in_a_url_is_used_and_never_shown(web, mltrust, tmp_path):
    seen = []
    page = web.put("/x", DATA, behave=lambda request, number: seen.append(request.path))
    url = page.url + "?X-Amz-Signature=a%2Fsecret"
    assert mltrust("seal", url, "--output", "s.json").code == 0
    assert set(seen) == {"/x?X-Amz-Signature=a%2Fsecret"}
    page.behave = lambda request, number: request.answer(403) or True
    for command in (("fingerprint", url), ("verify", url, "--seal", "s.json"), ("diff", url, "s.json"), ("seal", url)):
        done = mltrust(*command)
        assert done.code in (2, 3)
        assert "secret" not in done.out + done.err
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"secret" not in path.read_bytes()


def test_a_seal_beside_the_file_is_bounded(web, pattern):
    page = web.put("/x", DATA)
    web.put("/x.seal.json", pattern(2**40))
    with pytest.raises(FormatError, match="larger than"):
        api.verify(page.url, trust=Trust(content_only=True))
    web.put("/x.seal.json", b"{")
    with pytest.raises(FormatError, match=f"the seal of {page.url}"):
        api.verify(page.url, trust=Trust(content_only=True))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(web, pattern, memory_below):
    size = 5 * 2**28
    page = web.put("/x", pattern(size))
    source = open_source(page)
    (file,) = source.files()
    hasher = BLAKE3.new()
    for _ in range(size // len(pattern.BLOCK)):
        hasher.update(pattern.BLOCK)
    hasher.update(pattern.BLOCK[: size % len(pattern.BLOCK)])
    segments = [Segment(file, 0, size), Segment(file, 1, 2**27), Segment(file, 2**27, 2**27)]
    with memory_below(200 * 2**20):
        [(whole, first, second)] = ThreadsEngine(2).digest([segments], source, BLAKE3, Silent())
    assert whole == hasher.digest()
    assert first != second


def test_an_interrupt_waits_for_no_server(web):
    stalled, over = threading.Event(), threading.Event()

    def stall(request, number):
        begin, end = request.range(page)
        if end - begin == 1:
            return False
        stalled.set()
        return over.wait(60) or True

    page = web.put("/x", DATA, behave=stall)
    command = [Path(sys.executable).with_name("mltrust"), "fingerprint", page.url]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert stalled.wait(20)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    over.set()
