"""The rules for files: what is listed, what is refused, and that nothing changes unseen while it is read."""

import os
import shutil
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from mltrust.api import seal
from mltrust.core.changes import ChangeKind
from mltrust.core.digest import BLAKE3
from mltrust.core.exclusion import DEFAULT_EXCLUDE, MAX_PATTERNS
from mltrust.core.report import CheckKind, Outcome, Verdict
from mltrust.engines.threads import SMALL, WIDE_BLOCK
from mltrust.errors import ArtifactError, ChangedError, UnreadableError, UsageError
from mltrust.operations.fingerprint import fingerprint
from mltrust.sources import listing, local
from mltrust.sources.local import LocalSource

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and special files as POSIX has them")
ODD = ["a\nb", "\x1b[31mred", "[red]x", "::error::x", "\u202eexe", "é", "e\u0301", "-rf", " ", "~", "a:b", "n" * 255]
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "artifact"
    made.mkdir()
    (made / "kept").write_text("kept")
    return made


def listed(path, exclude=DEFAULT_EXCLUDE):
    return sorted(file.path for file in LocalSource(path, exclude).files())


def put(path, content="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def bind_socket(path):
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path is short
        try:
            bound.bind(path.name)
        finally:
            os.chdir(here)


class TestWhatIsNotContent:
    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (os.mkfifo, "is a FIFO"),
            (bind_socket, "is a socket"),
            (lambda path: path.symlink_to("/dev/zero"), "leads out of the artifact"),
            (lambda path: path.symlink_to("/etc/passwd"), "leads out of the artifact"),
            (lambda path: path.symlink_to("../artifact2"), "leads nowhere"),
            (lambda path: path.symlink_to("nowhere"), "leads nowhere"),
            (lambda path: path.symlink_to(path.name), "leads nowhere or in a loop"),
            (lambda path: path.symlink_to("kept/below"), "leads nowhere"),
            (lambda path: path.symlink_to("n" * 300), "leads nowhere"),
            (lambda path: path.symlink_to("/"), "leads out of the artifact"),
            (lambda path: path.symlink_to(".."), "leads out of the artifact"),
            (lambda path: path.symlink_to("."), "or a loop"),
        ],
    )
    def test_is_refused_by_name(self, make, words, folder):
        make(folder / "odd")
        with pytest.raises(ArtifactError, match=words) as caught:
            listed(folder)
        assert caught.value.path == "odd"
        assert listed(folder, ("/odd",)) == ["kept"]

    def test_the_artifact_itself(self, folder):
        os.mkfifo(folder / "fifo")
        (folder / "device").symlink_to("/dev/zero")
        for name, words in {"fifo": "is a FIFO", "device": "is a device", "absent": "does not exist"}.items():
            with pytest.raises(ArtifactError, match=words):
                listed(folder / name)

    def test_a_link_inside_to_a_fifo(self, folder):
        os.mkfifo(folder / "z")
        (folder / "a").symlink_to("z")
        with pytest.raises(ArtifactError, match="is a FIFO"):
            listed(folder)

    def test_two_links_in_a_ring(self, folder):
        (folder / "a").symlink_to("b")
        (folder / "b").symlink_to("a")
        with pytest.raises(ArtifactError, match="in a loop"):
            listed(folder)

    def test_nothing_to_seal(self, tmp_path, means):
        (tmp_path / "empty" / "folders").mkdir(parents=True)
        with pytest.raises(ArtifactError, match="holds no files"):
            fingerprint(LocalSource(tmp_path / "empty"), means, BLAKE3)

    def test_a_device_named_outright_is_never_read(self, tmp_path, seal_folder):
        with pytest.raises(ArtifactError, match="is a device"):
            seal_folder(Path("/dev/zero"))

    def test_all_but_regular_files_fail_at_verification_too(self, folder, seal_folder, verify_folder):
        bundle = seal_folder(folder)
        os.mkfifo(folder / "fifo")
        with pytest.raises(ArtifactError, match="is a FIFO"):
            verify_folder(folder, bundle)


class TestLinks:
    def test_inside_the_artifact_they_are_content(self, folder):
        put(folder / "sub" / "file")
        (folder / "to-file").symlink_to("sub/file")
        (folder / "to-link").symlink_to("to-file")
        (folder / "to-folder").symlink_to("sub")
        assert listed(folder) == ["kept", "sub/file", "to-file", "to-folder/file", "to-link"]

    def test_a_copy_in_place_of_a_link_is_the_same_artifact(self, folder, seal_folder, verify_folder):
        (folder / "twin").symlink_to("kept")
        bundle = seal_folder(folder)
        (folder / "twin").unlink()
        shutil.copy(folder / "kept", folder / "twin")
        assert verify_folder(folder, bundle).verdict is Verdict.VERIFIED

    def test_a_linked_folder_inside_a_linked_folder(self, folder):
        put(folder / "real" / "file")
        put(folder / "more" / "file")
        (folder / "real" / "link").symlink_to("../more")
        assert listed(folder) == ["kept", "more/file", "real/file", "real/link/file"]
        (folder / "again").symlink_to("real")
        with pytest.raises(ArtifactError, match="inside a linked folder"):
            listed(folder)

    @pytest.mark.parametrize("target", ["..", "../..", "../../a", "."])
    def test_a_link_to_a_folder_above_ends(self, target, folder):
        put(folder / "a" / "b" / "file")
        (folder / "a" / "b" / "up").symlink_to(target)
        with pytest.raises(ArtifactError, match="or a loop"):
            listed(folder)

    def test_a_linked_root_is_what_it_leads_to(self, folder, tmp_path):
        (tmp_path / "door").symlink_to("artifact")
        (folder / "in").symlink_to("kept")
        assert listed(tmp_path / "door") == ["in", "kept"]

    def test_a_neighbour_with_a_longer_name_is_outside(self, folder):
        put(folder.with_name("artifact-2") / "secret")
        (folder / "link").symlink_to("../artifact-2/secret")
        with pytest.raises(ArtifactError, match="leads out of the artifact"):
            listed(folder)

    def test_a_hard_link_edited_outside_is_found(self, folder, tmp_path, seal_folder, verify_folder):
        os.link(folder / "kept", tmp_path / "outside")
        bundle = seal_folder(folder)
        (tmp_path / "outside").write_text("edit")
        assert verify_folder(folder, bundle).verdict is Verdict.FAILED


class TestHubCache:
    @pytest.fixture
    def snapshot(self, tmp_path):
        cache = tmp_path / "models--org--name"
        made = cache / "snapshots" / "0123abcd"
        for name, blob in {"config.json": "b1", "onnx/model.onnx": "b2", "onnx/deep/er/x": "b3"}.items():
            put(cache / "blobs" / blob, blob)
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).symlink_to(os.path.relpath(cache / "blobs" / blob, (made / name).parent))
        return made

    def test_links_into_blobs_are_content(self, snapshot, seal_folder, verify_folder, tmp_path):
        bundle = seal_folder(snapshot)
        assert [entry.path for entry in bundle.manifest.entries] == ["config.json", "onnx/deep/er/x", "onnx/model.onnx"]
        plain = tmp_path / "plain"
        shutil.copytree(snapshot, plain)
        assert verify_folder(plain, bundle).verdict is Verdict.VERIFIED
        (snapshot.parent.parent / "blobs" / "b3").write_text("B3")
        assert [change.name for change in verify_folder(snapshot, bundle).changes] == ["onnx/deep/er/x"]

    def test_links_elsewhere_are_not(self, snapshot):
        put(snapshot.parent.parent / "refs" / "main")
        (snapshot / "main").symlink_to("../../refs/main")
        with pytest.raises(ArtifactError, match="leads out"):
            listed(snapshot)

    def test_links_to_another_snapshot_are_not(self, snapshot):
        put(snapshot.parent / "other" / "file")
        (snapshot / "other").symlink_to("../other")
        with pytest.raises(ArtifactError, match="leads out"):
            listed(snapshot)

    def test_without_blobs_it_is_no_cache(self, snapshot):
        cache = snapshot.parent.parent
        (cache / "blobs").rename(cache / "objects")
        with pytest.raises(ArtifactError, match="leads nowhere"):
            listed(snapshot)
        (cache / "blobs").symlink_to("objects")
        with pytest.raises(ArtifactError, match="leads out"):
            listed(snapshot)

    def test_blobs_of_a_folder_of_another_name_are_outside(self, snapshot):
        snapshot.parent.rename(snapshot.parent.with_name("snapshot"))
        with pytest.raises(ArtifactError, match="leads out"):
            listed(snapshot.parent.with_name("snapshot") / snapshot.name)


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ODD,
    )
    def test_odd_ones_are_content_like_any_other(self, name, folder, seal_folder, verify_folder):
        put(folder / name)
        put(folder / ("d" + name[1:]) / name)
        bundle = seal_folder(folder)
        assert bundle.manifest.find(name) is not None
        assert verify_folder(folder, bundle).verdict is Verdict.VERIFIED
        (folder / name).unlink()
        assert verify_folder(folder, bundle).verdict is Verdict.FAILED

    @pytest.mark.skipif(os.sys.platform == "darwin", reason="the file system takes no such names")
    @pytest.mark.parametrize("name", [b"\xff", b"caf\xe9", b"\xed\xa0\x80"])
    def test_those_that_are_no_text_are_refused(self, name, folder):
        os.close(os.open(os.fsencode(folder) + b"/" + name, os.O_CREAT))
        with pytest.raises(ArtifactError, match="not valid UTF-8") as caught:
            listed(folder)
        assert str(caught.value).isascii()

    @pytest.mark.skipif(os.sys.platform == "darwin", reason="the file system takes no such names")
    def test_a_folder_that_is_itself_called_so_can_be_sealed(self, tmp_path, seal_folder, verify_folder):
        """Its own name is no part of the artifact; it only labels the seal."""
        odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
        put(odd / "file")
        bundle = seal_folder(odd)
        assert bundle.statement.subject[0].name == r"caf\xe9"
        assert verify_folder(odd, bundle).verdict is Verdict.VERIFIED

    @pytest.mark.parametrize(("levels", "fits"), [(1500, True), (2100, False)])
    def test_very_deep_folders_end_in_a_result_or_an_error(self, levels, fits, tmp_path, seal_folder, verify_folder):
        """1,500 levels are read; beyond the longest path of the system there is an error, never a crash or a gap."""
        with self._deep(tmp_path, levels):
            if fits:
                assert verify_folder(tmp_path, seal_folder(tmp_path)).verdict is Verdict.VERIFIED
            else:
                with pytest.raises(ArtifactError):
                    seal_folder(tmp_path)

    @staticmethod
    @contextmanager
    def _deep(root, levels):
        """Make a file below so many folders, step by step: no path is that long, and rmtree recurses."""
        here = Path.cwd()
        try:
            os.chdir(root)
            for _ in range(levels):
                Path("d").mkdir()
                os.chdir("d")
            Path("f").write_text("x")
            os.chdir(here)
            yield
        finally:
            os.chdir(root)
            depth = 0
            while Path("d").is_dir():
                os.chdir("d")
                depth += 1
            Path("f").unlink(missing_ok=True)
            for _ in range(depth):
                os.chdir("..")
                Path("d").rmdir()
            os.chdir(here)


class TestWhatIsLeftOut:
    def test_hidden_files_and_planted_bytecode_are_content(self, folder):
        names = [".gitattributes", ".hidden", "__pycache__/m.pyc", ".cache/x", ".dvc/config", "sub/mltrust.seal.json"]
        for name in names:
            put(folder / name)
        assert listed(folder) == sorted(["kept", *names])

    def test_the_defaults_hold_at_the_top_only(self, folder):
        folders = [".git", ".cache/huggingface", ".dvc/cache", ".dvc/tmp"]
        files = ["mltrust.seal.json", ".mltrust-tmp-1"]
        out = [*(f"{name}/x" for name in folders), *files]
        inner = [f"sub/{name}" for name in out]
        for name in out + inner:
            put(folder / name)
        source = LocalSource(folder, DEFAULT_EXCLUDE)
        assert sorted(file.path for file in source.files()) == sorted(["kept", *inner])
        assert sorted(source.left_out) == sorted(folders + files)

    def test_a_file_called_git_is_left_out_like_the_folder(self, folder):
        put(folder / ".git", "gitdir: elsewhere")
        assert listed(folder) == ["kept"]

    @pytest.mark.parametrize("name", ["mltrust.seal.json", ".mltrust-tmp-x"])
    def test_no_content_hides_under_our_names(self, name, folder):
        put(folder / name / "model.py")
        with pytest.raises(ArtifactError, match="a folder stands where a file of mltrust belongs"):
            listed(folder)

    @pytest.mark.parametrize(
        ("pattern", "left"),
        [
            ("/a", ["ab", "b/a", "b/c/a.log", "b/c/d"]),
            ("a", ["ab", "b/c/a.log", "b/c/d"]),
            ("/a*", ["b/a", "b/c/a.log", "b/c/d"]),
            ("*.log", ["a", "ab", "b/a", "b/c/d"]),
            ("/b/c/", ["a", "ab", "b/a"]),
            ("c/", ["a", "ab", "b/a"]),
            ("a/", ["a", "ab", "b/a", "b/c/a.log", "b/c/d"]),
            ("/b/**/d", ["a", "ab", "b/a", "b/c/a.log"]),
            ("[ab]", ["ab"]),
            ("/b", ["a", "ab"]),
            ("/b/c", ["a", "ab", "b/a"]),
            ("?", ["ab"]),
            ("/*", []),
            ("**", []),
            ("nothing", ["a", "ab", "b/a", "b/c/a.log", "b/c/d"]),
        ],
    )
    def test_patterns(self, pattern, left, tmp_path):
        for name in ("a", "ab", "b/a", "b/c/d", "b/c/a.log"):
            put(tmp_path / name)
        assert listed(tmp_path, (pattern,)) == left

    @pytest.mark.parametrize(
        "patterns",
        [
            ("!kept",),
            ("#x",),
            ("",),
            (" ",),
            ("a\nb",),
            ("\x1b[2J",),
            ("*a*b*c*",),
            ("x" * 257,),
            ("\\",),
            ("a\\",),
            ("[z-a]",),
            ("[[]",),
            ("[a||b]",),
            tuple(f"{n}" for n in range(MAX_PATTERNS + 1)),
        ],
    )
    def test_bad_patterns_are_a_usage_error(self, patterns, folder):
        with pytest.raises(UsageError, match="pattern"):
            LocalSource(folder, patterns)

    def test_a_seal_has_no_more_patterns_than_its_format_allows(self, folder):
        with pytest.raises(UsageError, match="at most 256"):
            seal(folder, anchors=[], exclude=[f"/{n}" for n in range(MAX_PATTERNS)])
        with pytest.raises(UsageError, match="not a pattern"):
            seal(folder, anchors=[], exclude=["/a\nb"])


class TestPointers:
    def test_refused_when_sealing(self, folder, seal_folder):
        put(folder / "weights.bin", POINTER)
        with pytest.raises(ArtifactError, match="Git LFS pointer") as caught:
            seal_folder(folder)
        assert "git lfs pull" in caught.value.hint

    def test_undecided_when_verifying(self, folder, seal_folder, verify_folder):
        put(folder / "weights.bin", "x" * 12345)
        bundle = seal_folder(folder)
        put(folder / "weights.bin", POINTER)
        report = verify_folder(folder, bundle)
        assert report.verdict is Verdict.INCONCLUSIVE
        assert [change.kind for change in report.changes] == [ChangeKind.POINTER]
        assert [c.outcome for c in report.checks if c.kind is CheckKind.CONTENT] == [Outcome.UNCHECKED]

    def test_a_pointer_to_another_size_is_a_difference(self, folder, seal_folder, verify_folder):
        put(folder / "weights.bin", "x" * 12346)
        bundle = seal_folder(folder)
        put(folder / "weights.bin", POINTER)
        assert verify_folder(folder, bundle).verdict is Verdict.FAILED

    def test_a_pointer_excuses_no_other_difference(self, folder, seal_folder, verify_folder):
        put(folder / "weights.bin", "x" * 12345)
        bundle = seal_folder(folder)
        put(folder / "weights.bin", POINTER)
        put(folder / "kept", "edit")
        assert verify_folder(folder, bundle).verdict is Verdict.FAILED

    def test_an_added_pointer_is_an_added_file(self, folder, seal_folder, verify_folder):
        bundle = seal_folder(folder)
        put(folder / "weights.bin", POINTER)
        report = verify_folder(folder, bundle)
        assert (report.verdict, report.changes[0].kind) == (Verdict.FAILED, ChangeKind.ADDED)

    def test_text_about_pointers_is_content(self, folder, seal_folder):
        put(folder / "README.md", "See " + POINTER)
        put(folder / "long", POINTER + "x" * 1024)
        assert seal_folder(folder).manifest.size == 3


class TestUnreadable:
    @contextmanager
    def _no_privileges(self):
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    @pytest.fixture
    def open_folder(self):
        """Return a folder that a process without privileges can reach."""
        made = Path(tempfile.mkdtemp())
        made.chmod(0o777)
        put(made / "sub" / "file")
        put(made / "kept")
        yield made
        (made / "sub").chmod(0o755)
        shutil.rmtree(made)

    @pytest.mark.parametrize("name", ["sub", "sub/file"])
    def test_is_an_error_and_never_absent(self, name, open_folder, seal_folder, verify_folder):
        bundle = seal_folder(open_folder)
        (open_folder / name).chmod(0)
        with self._no_privileges(), pytest.raises(ArtifactError, match="cannot be read: Permission denied") as caught:
            verify_folder(open_folder, bundle)
        assert caught.value.path == name

    def test_a_folder_that_can_be_listed_but_not_entered(self, open_folder, seal_folder, verify_folder):
        bundle = seal_folder(open_folder)
        (open_folder / "sub").chmod(0o444)
        with self._no_privileges(), pytest.raises(UnreadableError, match="Permission denied"):
            verify_folder(open_folder, bundle)


def test_a_sparse_file_of_four_terabytes_is_listed_at_once(folder):
    try:
        os.truncate(put(folder / "sparse"), 4 * 2**40)
    except OSError:
        pytest.skip("the file system takes no such file")
    [_, sparse] = sorted(LocalSource(folder).files(), key=lambda file: file.path)
    assert sparse.size == 4 * 2**40
    assert LocalSource(folder).read(sparse, 4 * 2**40 - 3, 3) == bytes(3)


def keep_mtime(act):
    """Return `act`, but with the time stamp of modification put back afterwards."""

    def acted(path):
        before = path.stat()
        act(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return acted


def rewrite(path):
    with path.open("r+b") as file:
        file.write(b"!")


def grow(path):
    with path.open("ab") as file:
        file.write(b"!")


def replace_it(path):
    other = path.with_name(path.name + ".new")
    shutil.copy2(path, other)
    rewrite(other)
    other.replace(path)


def to_fifo(path):
    path.unlink()
    os.mkfifo(path)


def to_folder(path):
    path.unlink()
    path.mkdir()


def to_link(path):
    path.unlink()
    path.symlink_to("/dev/zero")


MEDDLE = {
    "rewritten": rewrite,
    "rewritten, mtime put back": keep_mtime(rewrite),
    "touched": lambda path: os.utime(path, ns=(1, 1)),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "grown": grow,
    "grown and cut again": lambda path: (grow(path), os.truncate(path, path.stat().st_size - 1)),
    "replaced by rename": replace_it,
    "removed": Path.unlink,
    "now a FIFO": to_fifo,
    "now a folder": to_folder,
    "now a link to a device": to_link,
}
SIZES = {"small": 100, "large": SMALL + 1, "wide": 2 * WIDE_BLOCK + 1}
TARGET = "target.bin"


class Meddled(LocalSource):
    """A source during whose reading somebody meddles with one file, once, at a chosen moment."""

    def __init__(self, path, act, moment):
        super().__init__(path)
        self.act, self.moment = act, moment

    def reach(self, moment, file):
        if moment == self.moment and file.path == TARGET:
            self.moment = None
            self.act(self.path / TARGET)

    def files(self):
        found = sorted(super().files(), key=lambda file: file.path)
        self.reach("after listing", found[-1])
        return iter(found)

    def _open(self, file):
        handle = super()._open(file)
        self.reach("after opening", file)
        return handle

    @contextmanager
    def open(self, file, offset=0, length=None):
        with super().open(file) as opened:
            yield Watched(opened, lambda: self.reach("after the first block", file))
            self.reach("after the last block", file)


class Watched:
    def __init__(self, opened, after_block):
        self.opened, self.after_block = opened, after_block

    def read_into(self, buffer, offset):
        size = self.opened.read_into(buffer, offset)
        self.after_block()
        return size


class TestRaces:
    @pytest.fixture(params=SIZES)
    def raced(self, request, folder):
        (folder / TARGET).write_bytes(os.urandom(SIZES[request.param]))
        return folder

    @pytest.mark.parametrize("moment", ["after listing", "after opening"])
    @pytest.mark.parametrize("name", MEDDLE)
    def test_before_it_is_read(self, name, moment, raced, means):
        with pytest.raises(ArtifactError) as caught:
            fingerprint(Meddled(raced, MEDDLE[name], moment), means, BLAKE3)
        assert caught.value.path == TARGET

    @pytest.mark.parametrize("moment", ["after the first block", "after the last block"])
    @pytest.mark.parametrize("name", MEDDLE)
    def test_while_it_is_hashed(self, name, moment, folder, means):
        for size in (SIZES["large"], SIZES["wide"]):
            shutil.rmtree(folder)
            folder.mkdir()
            (folder / TARGET).write_bytes(bytes(size))
            with pytest.raises(ChangedError) as caught:
                fingerprint(Meddled(folder, MEDDLE[name], moment), means, BLAKE3)
            assert caught.value.path == TARGET

    @pytest.mark.parametrize("name", MEDDLE)
    def test_after_the_last_byte_of_a_small_file(self, name, folder, means, monkeypatch):
        (folder / TARGET).write_bytes(bytes(SIZES["small"]))
        true_read = local._read_all

        def read_then_meddle(handle, length, path):
            data = true_read(handle, length, path)
            if path == TARGET:
                MEDDLE[name](folder / TARGET)
            return data

        monkeypatch.setattr(local, "_read_all", read_then_meddle)
        with pytest.raises(ChangedError):
            fingerprint(LocalSource(folder), means, BLAKE3)

    @pytest.mark.parametrize("ahead", [False, True])
    def test_listing_waits_out_the_tick_of_the_newest_change(self, ahead, folder, monkeypatch):
        """Stamps come from a coarse clock; a file dated in the future does not stop the waiting for the others."""
        if ahead:
            os.utime(put(folder / "ahead"), ns=(2**61, 2**61))
        newest = max(path.stat().st_ctime_ns for path in folder.iterdir())
        slept = []
        monkeypatch.setattr(listing, "time", SimpleNamespace(time_ns=lambda: newest + 1_000_000, sleep=slept.append))
        list(LocalSource(folder).files())
        assert slept == [(listing._TICK_NS - 1_000_000) / 1e9]

    def test_an_edit_right_after_listing_is_seen(self, folder):
        for number in range(20):
            put(folder / TARGET, f"old {number:02}")
            source = LocalSource(folder)
            [file] = [file for file in source.files() if file.path == TARGET]
            put(folder / TARGET, f"new {number:02}")
            os.utime(folder / TARGET, ns=file.version[-2:-1] * 2)
            with pytest.raises(ChangedError):
                source.read(file, 0, file.size)

    def test_a_single_file_is_watched_too(self, tmp_path, means):
        path = tmp_path / TARGET
        path.write_bytes(bytes(SIZES["large"]))
        source = LocalSource(path)
        [file] = source.files()
        keep_mtime(rewrite)(path)
        with pytest.raises(ChangedError):
            source.read(file, 0, 1)
        with pytest.raises(ChangedError), source.open(file):
            pass

    def test_a_folder_that_becomes_a_file_meanwhile(self, folder):
        put(folder / "sub" / "file")
        source = LocalSource(folder)
        [file] = [file for file in source.files() if file.path == "sub/file"]
        shutil.rmtree(folder / "sub")
        put(folder / "sub")
        with pytest.raises(ArtifactError):
            source.read(file, 0, 1)
