"""Git LFS pointers: parsed strictly, and what they stand for compared with what was sealed."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mltrust import api
from mltrust.core.changes import ChangeKind
from mltrust.core.lfs import Pointer, is_pointer
from mltrust.core.report import CheckKind, Outcome, Verdict
from mltrust.errors import ArtifactError
from mltrust.interfaces import Trust

OID, OTHER = "a" * 64, "b" * 64
VERSION = "version https://git-lfs.github.com/spec/v1\n"
POINTER = f"{VERSION}oid sha256:{OID}\nsize 12345\n"
EXTENDED = f"{VERSION}ext-0-foo sha256:{OID}\next-1-b.ar sha256:{OTHER}\noid sha256:{'c' * 64}\nsize 7\n"


class TestSpelling:
    def test_as_it_is_written(self):
        assert Pointer.parse(POINTER.encode()) == (bytes.fromhex(OID), 12345)

    def test_with_extensions_it_stands_for_what_the_first_was_given(self):
        assert Pointer.parse(EXTENDED.encode()) == (bytes.fromhex(OID), None)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("spec/v1\n", "spec/v2\n"),
            ("spec/v1\n", "spec/v1\r\n"),
            ("https://git-lfs", "https://hawser"),
            ("oid sha256:a", "oid sha256:A"),
            ("oid sha256:a", "oid  sha256:a"),
            ("oid sha256:a", "oid sha256:"),
            ("oid sha256:", "oid sha1:"),
            ("size 12345", "size 012345"),
            ("size 12345", "size -1"),
            ("size 12345", "size +1"),
            ("size 12345", "size 1e3"),
            ("size 12345", "size \u0663"),
            ("size 12345", f"size {10**19}"),
            ("size 12345\n", "size 12345"),
            ("size 12345\n", "size 12345\n\n"),
            ("size 12345\n", "size 12345\nsize 12345\n"),
            ("size 12345\n", "size 12345\nx y\n"),
            ("oid", "ext-0-Foo sha256:" + OTHER + "\noid"),
            ("oid", "ext-10-foo sha256:" + OTHER + "\noid"),
            ("oid", f"ext-0-a sha256:{OTHER}\next-0-b sha256:{OTHER}\noid"),
            ("oid", f"ext-1-a sha256:{OTHER}\next-0-b sha256:{OTHER}\noid"),
            (f"oid sha256:{OID}\nsize 12345\n", f"size 12345\noid sha256:{OID}\n"),
        ],
    )
    def test_in_any_other_way_it_is_none(self, old, new):
        assert old in POINTER
        assert Pointer.parse(POINTER.replace(old, new, 1).encode()) is None

    @given(st.binary(max_size=1100))
    @example(b"x" * 2000)
    def test_anything(self, data):
        for text in (data, VERSION.encode() + data, POINTER.encode() + data):
            found = Pointer.parse(text)
            assert (found is None) == (text != POINTER.encode())

    def test_every_one_is_noticed(self):
        assert is_pointer(POINTER.encode())
        assert is_pointer(EXTENDED.encode())


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "artifact"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "rows.jsonl").write_text('{"a": 1}\n' * 30)
    (made / "weights.bin").write_bytes(b"weights" * 1000)
    return made


def pointer_to(path, **instead):
    content = path.read_bytes()
    said = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), **instead}
    path.write_text(f"{VERSION}oid sha256:{said['oid']}\nsize {said['size']}\n")
    return len(content)


def verified(folder):
    report = api.verify(folder, trust=Trust(content_only=True))
    (content,) = (check for check in report.checks if check.kind is CheckKind.CONTENT)
    return report, content


class TestBesideASealWithSha256:
    @pytest.fixture
    def folder(self, folder):
        api.seal(folder, with_sha256=True)
        return folder

    def test_one_that_matches(self, folder):
        size = pointer_to(folder / "weights.bin")
        report, content = verified(folder)
        assert (report.verdict, report.changes) == (Verdict.VERIFIED, ())
        assert content.summary == (
            "no difference was found in what is here; 1 file is a Git LFS pointer that matches the sealed SHA-256; "
            "its content is not here"
        )
        assert (report.scope.pointers, report.scope.bytes_not_here) == (1, size)
        assert report.scope.bytes == sum(path.stat().st_size for path in folder.iterdir() if "seal" not in path.name)

    def test_all_of_them(self, folder):
        for name in ("config.json", "rows.jsonl", "weights.bin"):
            pointer_to(folder / name)
        report, content = verified(folder)
        assert (report.verdict, report.scope.pointers, report.scope.records) == (Verdict.VERIFIED, 3, 0)
        assert "all bytes" not in content.summary

    @pytest.mark.parametrize("odd", [{"oid": OTHER}, {"size": 6999}, {"size": "07000"}])
    def test_one_that_does_not(self, odd, folder):
        pointer_to(folder / "rows.jsonl")
        pointer_to(folder / "weights.bin", **odd)
        report, content = verified(folder)
        assert (report.verdict, content.outcome) == (Verdict.FAILED, Outcome.FAIL)
        assert [(change.name, change.kind) for change in report.changes] == [("weights.bin", ChangeKind.POINTER)]
        assert "to other content" in report.changes[0].note
        assert report.scope.pointers == 1

    def test_one_to_another_sealed_file(self, folder):
        (folder / "config.json").write_bytes((folder / "weights.bin").read_bytes())
        pointer_to(folder / "config.json")
        assert verified(folder)[0].verdict is Verdict.FAILED

    def test_one_that_was_not_sealed(self, folder):
        (folder / "more.bin").write_bytes(b"more")
        pointer_to(folder / "more.bin")
        report, _ = verified(folder)
        assert [change.kind for change in report.changes] == [ChangeKind.ADDED]
        assert report.verdict is Verdict.FAILED

    def test_what_is_here_is_compared_all_the_same(self, folder):
        pointer_to(folder / "weights.bin")
        (folder / "config.json").write_text("[]")
        report, _ = verified(folder)
        assert [change.name for change in report.changes] == ["config.json"]

    def test_it_is_not_sealed(self, folder):
        pointer_to(folder / "weights.bin")
        with pytest.raises(ArtifactError, match="Git LFS pointer"):
            api.seal(folder, with_sha256=True)

    def test_many_files(self, folder):
        for number in range(5000):
            (folder / f"{number}").write_bytes(b"%d" % number)
        api.seal(folder, with_sha256=True)
        for name in ("weights.bin", "17", "4999"):
            pointer_to(folder / name)
        assert verified(folder)[0].verdict is Verdict.VERIFIED
        (folder / "18").write_bytes(b"19")
        assert [change.name for change in verified(folder)[0].changes] == ["18"]


def test_without_sha256_it_is_undecided(folder):
    api.seal(folder, with_sha256=False)
    pointer_to(folder / "weights.bin")
    report, content = verified(folder)
    assert (report.verdict, content.outcome) == (Verdict.INCONCLUSIVE, Outcome.UNCHECKED)
    assert report.scope.pointers == 0
