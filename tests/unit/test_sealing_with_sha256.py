"""Seals that record SHA-256 beside the suite's digests: what they say, what they do not change, and what is refused."""

import gzip
import hashlib
import json
import os
import tarfile

import numpy
import pyarrow
import pytest
from pyarrow import parquet
from safetensors.numpy import save_file

from mltrust import api
from mltrust.core.bundle import Bundle
from mltrust.core.leaf import Kind, Leaf
from mltrust.core.manifest import Manifest
from mltrust.core.merkle import Tree
from mltrust.core.names import count
from mltrust.core.report import Outcome, Verdict
from mltrust.disk.digest_cache import DigestCache
from mltrust.disk.git_lfs import uses_git_lfs
from mltrust.engines.remembering import GUARD_NS
from mltrust.errors import FormatError, SealError, UsageError
from mltrust.interfaces import Trust

ALONE = Trust(content_only=True)
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


@pytest.fixture(scope="module")
def _folder(tmp_path_factory):
    """Return files of every kind, small and large."""
    made = tmp_path_factory.mktemp("all") / "artifact"
    made.mkdir()
    tensors = {name: numpy.arange(size, dtype=numpy.float32) for name, size in (("z", 3), ("a", 70_000), ("e", 0))}
    save_file(tensors, made / "m.safetensors", {"format": "pt"})
    rows = b"".join(b'{"n": %d}\n' % number for number in range(999))
    (made / "rows.jsonl").write_bytes(rows)
    (made / "rows.jsonl.gz").write_bytes(gzip.compress(rows, mtime=0))
    (made / "rows.csv").write_bytes(b"n,m\n" + b"1,2\n" * 500)
    parquet.write_table(pyarrow.table({"n": list(range(5000))}), made / "rows.parquet", row_group_size=700)
    with tarfile.open(made / "rows.tar", "w") as archive:
        archive.add(made / "rows.csv", "0.csv")
    (made / "empty").touch()
    (made / "large").write_bytes(bytes(range(256)) * 2**15 + b"end")
    (made / "small").write_bytes(b"small")
    return made


@pytest.fixture
def folder(_folder, tmp_path):
    """Return them under another name, which costs no copy."""
    made = tmp_path / "artifact"
    made.mkdir()
    for each in _folder.iterdir():
        os.link(each, made / each.name)
    return made


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).digest()


def files_in(folder):
    return [path for path in sorted(folder.iterdir()) if path.name != "mltrust.seal.json"]


class TestWhatIsRecorded:
    @pytest.mark.parametrize("suite", ["blake3", "sha256"])
    @pytest.mark.parametrize("jobs", [1, 2])
    def test_files_of_every_kind(self, suite, jobs, folder):
        files, means = files_in(folder), api.default_means(jobs, records_index=True)
        plain = api.fingerprint(folder, suite=suite, means=means)
        sealed = api.seal(folder, suite=suite, means=means, with_sha256=True)
        manifest = sealed.bundle.manifest
        assert [entry.path for entry in manifest.entries] == [path.name for path in files]
        assert list(manifest.sha256s) == [sha256_of(path) for path in files]
        assert {entry.leaf.kind for entry in manifest.entries} == {Kind.FILE, Kind.SAFETENSORS, Kind.RECORDS}
        leaves = [Leaf(Kind.FILE, path.name, path.stat().st_size, sha256_of(path)).data() for path in files]
        assert sealed.predicate.sha256_root == Tree(leaves).root.hex()
        assert (sealed.predicate.fingerprint(), manifest) == (plain.value, plain.manifest)
        read = Bundle.parse(sealed.path.read_bytes())
        assert read.to_json() == sealed.path.read_bytes()
        assert list(read.manifest.sha256s) == list(manifest.sha256s)
        assert api.verify(folder, trust=ALONE).verdict is Verdict.VERIFIED

    def test_a_seal_without_it_is_what_it_was(self, folder):
        sealed = api.seal(folder)
        assert b"sha256_root" not in sealed.path.read_bytes()
        assert b'"sha256": ' not in sealed.path.read_bytes().partition(b'"manifest"')[2]
        assert sealed.predicate.sha256_root is None

    def test_sealing_again_to_add_it(self, folder):
        first = api.seal(folder, with_sha256=False)
        second = api.seal(folder, with_sha256=True)
        assert second.predicate.supersedes == str(first.bundle.statement.digest())
        assert Bundle.parse(second.path.read_bytes()).manifest.has_sha256
        before = second.path.read_bytes()
        api.seal(folder, with_sha256=True)
        assert second.path.read_bytes() == before
        third = api.seal(folder, with_sha256=False)
        assert third.predicate.supersedes == str(second.bundle.statement.digest())
        assert not Bundle.parse(third.path.read_bytes()).manifest.has_sha256

    def test_blinded_files_have_none(self, folder):
        with pytest.raises(UsageError, match="guessed at by the SHA-256"):
            api.seal(folder, blind=True, with_sha256=True)
        sealed = api.seal(folder, blind=True)
        text = sealed.path.read_text()
        row = next(line for line in text.splitlines() if line.startswith('{"path": "rows.jsonl"'))
        odd = row.replace('"format"', f'"sha256": "{"0" * 64}", "format"')
        with pytest.raises(FormatError, match="nothing that is not its own"):
            Bundle.parse(text.replace(row, odd).encode())


class TestEditedSeals:
    @pytest.fixture
    def sealed(self, folder):
        return json.loads(api.seal(folder, with_sha256=True).path.read_bytes())

    def verdict(self, folder, document):
        (folder / "mltrust.seal.json").write_text(json.dumps(document))
        report = api.verify(folder, trust=ALONE)
        (agreement,) = (check for check in report.checks if check.name == "seal")
        assert "the seal was edited: the SHA-256 of a file contradicts" in agreement.summary
        with pytest.raises(SealError, match="the seal was edited"):
            api.seal(folder)
        return report.verdict

    def test_one_sha256(self, folder, sealed):
        for row in sealed["manifest"]["entries"]:
            good, row["sha256"] = row["sha256"], "0" * 64
            assert self.verdict(folder, sealed) is Verdict.FAILED
            row["sha256"] = good

    def test_all_of_them_removed(self, folder, sealed):
        for row in sealed["manifest"]["entries"]:
            del row["sha256"]
        assert self.verdict(folder, sealed) is Verdict.FAILED

    def test_one_of_them_removed(self, folder, sealed):
        del sealed["manifest"]["entries"][3]["sha256"]
        (folder / "mltrust.seal.json").write_text(json.dumps(sealed))
        with pytest.raises(FormatError, match="some entries have a SHA-256"):
            api.verify(folder, trust=ALONE)

    def test_all_of_them_added(self, folder):
        document = json.loads(api.seal(folder).path.read_bytes())
        for row in document["manifest"]["entries"]:
            row["sha256"] = sha256_of(folder / row["path"]).hex()
        assert self.verdict(folder, document) is Verdict.FAILED


class TestFalseSha256s:
    """A sealer who states SHA-256s that are not those of the bytes contradicts nobody who does not compute them."""

    @pytest.fixture
    def seal(self, folder, suite, false):
        bundle = api.seal(folder, suite=suite, with_sha256=True).bundle
        entries = (each._replace(sha256=b"!" * 32) if each.path in false else each for each in bundle.manifest.entries)
        manifest = Manifest.of(entries)
        predicate = {**bundle.statement.predicate, "sha256_root": manifest.sha256_root.hex()}
        statement = bundle.statement.model_copy(update={"predicate": predicate})
        (folder / "mltrust.seal.json").write_bytes(Bundle(statement, manifest).to_json())
        return folder

    def compared(self, folder, **options):
        report = api.verify(folder, trust=ALONE, with_sha256=True, **options)
        (check,) = (check for check in report.checks if check.name == "sha256")
        return report.verdict, check

    @pytest.mark.parametrize(
        ("suite", "false"),
        [("blake3", ("large", "m.safetensors", "rows.csv")), ("sha256", ("m.safetensors",))],
    )
    def test_they_are_found_where_that_is_asked_for(self, seal, false):
        assert api.verify(seal, trust=ALONE).verdict is Verdict.VERIFIED
        verdict, check = self.compared(seal)
        assert (verdict, check.names) == (Verdict.FAILED, false)
        assert check.summary == f"the seal states a false SHA-256 of {count(len(false), 'file')}: {', '.join(false)}"

    @pytest.mark.parametrize("suite", ["blake3", "sha256"])
    def test_true_ones_pass_and_what_is_not_here_is_no_pass(self, folder, suite):
        api.seal(folder, suite=suite, with_sha256=True)
        verdict, check = self.compared(folder)
        assert (verdict, check.outcome) == (Verdict.VERIFIED, Outcome.PASS)
        assert f"those of the bytes, too: {len(files_in(folder))} files" in check.summary
        large = sha256_of(folder / "large").hex(), (folder / "large").stat().st_size
        (folder / "large").unlink()
        (folder / "large").write_text(POINTER.format(*large))
        assert api.verify(folder, trust=ALONE).verdict is Verdict.VERIFIED, "a pointer that matches"
        verdict, check = self.compared(folder)
        assert (verdict, check.outcome) == (Verdict.INCONCLUSIVE, Outcome.UNCHECKED)
        assert "of 1 sealed file could not be compared" in check.summary
        for each in ("rows.jsonl.gz", "m.safetensors"):  # malformed, so read as a whole
            (folder / each).unlink()
            (folder / each).write_bytes(b"no such thing")
        verdict, check = self.compared(folder)
        assert (verdict, check.outcome) == (Verdict.FAILED, Outcome.UNCHECKED)

    def test_a_seal_without_any_is_refused(self, folder):
        api.seal(folder, with_sha256=False)
        with pytest.raises(UsageError, match="records no SHA-256"):
            self.compared(folder)


class TestDigestCache:
    """What was hashed in either way is not read again."""

    @pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing is remembered")
    @pytest.mark.parametrize("suite", ["blake3", "sha256"])
    def test_not_reread(self, suite, folder, tmp_path, monkeypatch):
        monkeypatch.setattr("mltrust.engines.remembering.GUARD_NS", -GUARD_NS)
        cache, means = DigestCache(tmp_path / "cache"), api.default_means(records=False)
        files = len(files_in(folder))

        def reread(**options):
            return files - api.seal(folder, suite=suite, means=means, cache=cache, **options).recalled.files

        assert reread(with_sha256=True) == files
        first = (folder / "mltrust.seal.json").read_bytes()
        assert reread(with_sha256=True) == 0
        assert (folder / "mltrust.seal.json").read_bytes() == first
        assert api.verify(folder, trust=ALONE, means=means, quick=cache).scope.files_not_reread == files
        assert reread() == 0
        (folder / "small").unlink()
        (folder / "small").write_bytes(b"other")
        # In one table for both, the seal without SHA-256 kept the parts of the file that is cut, and not the whole.
        assert reread(with_sha256=True) == (1 if suite == "blake3" else 2)
        assert list(Bundle.parse((folder / "mltrust.seal.json").read_bytes()).manifest.sha256s) == [
            sha256_of(path) for path in files_in(folder)
        ]

    def test_only_what_is_known_whole(self, folder, tmp_path, monkeypatch):
        """A seal without SHA-256 leaves nothing that one with it could do without reading."""
        monkeypatch.setattr("mltrust.engines.remembering.GUARD_NS", -GUARD_NS)
        cache, means = DigestCache(tmp_path / "cache"), api.default_means(records=False)
        api.seal(folder, means=means, cache=cache)
        assert api.seal(folder, means=means, cache=cache, with_sha256=True).recalled.files == 0


class TestWhereGitLfsIsUsed:
    @pytest.fixture
    def repository(self, tmp_path):
        made = tmp_path / "repository"
        (made / ".git").mkdir(parents=True)
        (made / "models/one").mkdir(parents=True)
        (made / "models/one/weights").write_bytes(b"weights")
        return made

    @pytest.mark.parametrize("place", [".", "models", "models/one"])
    def test_attributes_from_the_top_to_the_artifact(self, place, repository):
        artifact = repository / "models/one"
        assert not uses_git_lfs(artifact)
        (repository / place / ".gitattributes").write_text("*.md text\n*.bin filter=lfs diff=lfs merge=lfs -text\n")
        assert uses_git_lfs(artifact)
        assert uses_git_lfs(artifact / "weights")
        assert api.seal(artifact).bundle.manifest.has_sha256
        assert not api.seal(artifact, with_sha256=False).bundle.manifest.has_sha256
        (repository / ".git").rmdir()
        (repository / ".git").write_text("gitdir: elsewhere\n")  # as in a worktree or a submodule
        assert uses_git_lfs(artifact)
        (repository / ".git").unlink()
        assert not uses_git_lfs(artifact)

    def test_no_further(self, repository, tmp_path):
        (tmp_path / ".gitattributes").write_text("* filter=lfs\n")
        (repository / "models/one/.deeper").mkdir()
        (repository / "models/one/.deeper/.gitattributes").write_text("* filter=lfs\n")
        assert not uses_git_lfs(repository / "models/one")

    @pytest.mark.parametrize(
        "text",
        [b"# *.bin filter=lfs\n", b"filter=lfs text\n", b"*.bin filter=lfsx\n", b"*.bin -filter=lfs\n", b"\xff\0"],
    )
    def test_what_names_nothing(self, text, repository):
        (repository / ".gitattributes").write_bytes(text)
        assert not uses_git_lfs(repository / "models/one")

    @pytest.mark.skipif(os.name != "posix", reason="special files as POSIX has them")
    def test_hostile_places(self, repository):
        attributes = repository / ".gitattributes"
        os.mkfifo(attributes)
        assert not uses_git_lfs(repository)
        attributes.unlink()
        attributes.symlink_to(attributes)
        assert not uses_git_lfs(repository)
        attributes.unlink()
        attributes.mkdir()
        assert not uses_git_lfs(repository)
        attributes.rmdir()
        attributes.write_bytes(b"* filter=lfs\n" + b"#" * 2**20)
        assert not uses_git_lfs(repository)
        loop = repository / "loop"
        loop.symlink_to(loop)
        assert not uses_git_lfs(loop)
