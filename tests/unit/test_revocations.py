"""Lists of revoked keys: what they may say, how they add up, and that nobody's entry is lost."""

import json
import subprocess
import sys

import pytest

from mltrust.core.revocations import MEDIA_TYPE, Revocation, Revocations, moment, read_revocations
from mltrust.disk.revocations import read_list, revoke
from mltrust.errors import FormatError, UnreadableError, UsageError

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def entry(key="a", since=EARLY, reason=None):
    return Revocation.of(key, since, reason)


def document(*entries, **more):
    return json.dumps({"mediaType": MEDIA_TYPE, "revocations": list(entries), **more}).encode()


def test_what_is_written_is_read_again():
    found = Revocations.of([entry("b", reason="lost"), entry("a"), entry("c", LATE)])
    assert read_revocations(found.to_json(), "list") == found
    assert list(json.loads(found.to_json())) == ["mediaType", "revocations"]
    assert not read_revocations(document(), "list")


def test_the_earlier_time_counts_in_any_order():
    early, late = entry(since=EARLY, reason="first"), entry(since=LATE)
    for both in ([early, late], [late, early]):
        assert Revocations.of(both).earliest(["a"]) == early
        assert (Revocations.of(both[:1]) | Revocations.of(both[1:])).earliest(["b", "a"]) == early
    assert Revocations.of([early]).earliest(["b"]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        document({"key": "a"}),
        document({"key": "", "since": EARLY}),
        document({"key": "a", "since": "2026-01-01"}),
        document({"key": "a", "since": "2026-13-01T00:00:00Z"}),
        document({"key": "a", "since": "٢٠٢٦-01-01T00:00:00Z"}),
        document({"key": "a", "since": EARLY, "reason": None}),
        document({"key": "a", "since": EARLY, "until": LATE}),
        document({"key": "a" * 5000, "since": EARLY}),
        document({"key": " a@example.org", "since": EARLY}),
        document({"key": "sha256:" + "AB" * 32, "since": EARLY}),  # no key is called so: it would revoke nobody
        document({"key": "SHA256:" + "ab" * 32, "since": EARLY}),
        document(more=1),
        document().replace(b"revocations.v1", b"revocations.v2"),
        document().replace(b"}", b', "revocations": []}'),
        b"[" * 100_000,
    ],
    ids=lambda data: ascii(data[:12])[2:-1] + str(len(data)),
)
def test_every_surprise_is_named(data):
    with pytest.raises(FormatError, match="list"):
        read_revocations(data, "list")


def test_too_many_are_refused_before_they_are_read():
    entries = [{"key": str(at), "since": EARLY} for at in range(16385)]
    with pytest.raises(FormatError):
        read_revocations(document(*entries), "list")


def test_what_cannot_be_said():
    for key, since, reason in (
        ("", EARLY, None),
        ("a", "now", None),
        ("a", "2026-02-30T00:00:00Z", None),
        ("a", EARLY, ""),
        ("a ", EARLY, None),
        ("sha256:ab", EARLY, None),
    ):
        with pytest.raises(UsageError):
            Revocation.of(key, since, reason)
    assert moment(EARLY, "x") < moment(LATE, "x")


def test_a_list_on_disk(tmp_path):
    path = tmp_path / "new" / "revocations.json"
    with pytest.raises(UnreadableError):
        read_list(path)
    revoke(path, [entry("a", LATE)])
    revoke(path, [entry("b")])
    before = path.stat()
    assert set(revoke(path, [entry("b", LATE)]).by_key) == {"a", "b"}
    assert path.stat().st_mtime_ns == before.st_mtime_ns, "nothing new is not written"
    assert revoke(path, [entry("a", EARLY)]).by_key["a"].since == EARLY
    path.write_text("{")
    with pytest.raises(FormatError):
        revoke(path, [entry("c")])
    assert path.read_text() == "{"


ADD = """
import sys
from pathlib import Path
from mltrust.core.revocations import Revocation
from mltrust.disk.revocations import revoke
for at in range(10):
    revoke(Path(sys.argv[1]), [Revocation.of(f"{sys.argv[2]}-{at}", "2026-01-01T00:00:00Z", None)])
"""


def test_nobodys_entry_is_lost(tmp_path):
    path = tmp_path / "revocations.json"
    running = [subprocess.Popen([sys.executable, "-c", ADD, str(path), name]) for name in "abcd"]
    assert [process.wait(60) for process in running] == [0] * 4
    assert len(read_list(path).by_key) == 40
