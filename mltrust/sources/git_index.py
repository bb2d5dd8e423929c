"""What is staged in git: the files of an artifact as the next commit would hold them, not as they lie in the work tree.

Everything in a repository is hostile, so git runs confined (`disk.git.confinement`), and nothing of the work tree is
read. What is not staged is not there: a file that was removed from the index is missing, one that was never added is
not seen. The bytes are those git stores, after its filters: of a file kept with Git LFS that is the pointer.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import ClassVar, NoReturn, Self

from mltrust.core.exclusion import SEAL_ENDING, SEAL_NAME, Exclusions
from mltrust.disk.git.blobs import WHOLE_BYTES, Blobs, Content
from mltrust.disk.git.index import FSCK, Index
from mltrust.disk.git.objects import MISSING
from mltrust.errors import ArtifactError, ChangedError, SealError, UnreadableError, UsageError
from mltrust.interfaces import FileEntry, SealedSource, Segment
from mltrust.sources.git_tree import Tree, Walk, checked, file_id

_MAX_LINK_BYTES = 4096
_TRIES = 5
_AGAIN = "Run again when nothing is being staged."


class StagedFiles:
    """The index of a work tree and the content of its files, for one artifact or several, until it is left."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.blobs = Blobs(index)
        self._lock = Lock()
        self._stamp: tuple[int, ...] = ()
        self._tree: Tree | None = None
        self._links: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.blobs.close()

    def tree(self) -> Tree:
        """Return what is staged now; it is listed again where git has written another index."""
        with self._lock:
            for _ in range(_TRIES):
                stamp = self.index.stamp()
                if self._tree is not None and stamp == self._stamp:
                    return self._tree
                self._tree, self._stamp = Tree(self.index.entries()), stamp
        raise UnreadableError(
            f"{self.index.file}: changes all the time", hint="Run again when nothing is being staged."
        )

    def link(self, oid: str) -> str:
        """Return what a link says; nothing if that is too long for one. All links are read at once."""
        if oid not in self._links:
            found = self.index.headers([oid, *self.tree().links()])
            sizes = {each: head.size for each, head in found.items() if head.kind == "blob"}
            short = {each: size for each, size in sizes.items() if size <= _MAX_LINK_BYTES}
            texts = (data.decode("utf-8", "surrogateescape") for data in self.blobs.read_each(short.items()))
            self._links |= dict.fromkeys(found, "") | dict(zip(short, texts, strict=True))
        return self._links[oid]


class GitIndexSource(SealedSource):
    """Lists and reads the staged files below a folder, or a single one.

    A link is followed if it resolves inside the artifact, as in a local folder; a linked folder once.
    """

    remote: ClassVar[bool] = False

    def __init__(
        self, staged: StagedFiles, path: str, shown: str, exclude: Sequence[str] = (), name: str | None = None
    ) -> None:
        """Take `path` as it is from the top of the work tree, nothing for the top itself."""
        self._staged, self._path, self.shown = staged, path, shown
        self.name = name or path.rpartition("/")[2] or staged.index.top.name or "artifact"
        self.exclude: Sequence[str] = tuple(exclude)
        self.left_out: Sequence[str] = ()
        self._exclusions = Exclusions(exclude)

    def __reduce__(self) -> NoReturn:
        raise UsageError("what is staged is read on this machine only", hint="Verify it with --engine threads.")

    def leaving_out(self, exclude: Sequence[str], name: str | None) -> Self:
        """Return the source of the same place with these exclusions and this name."""
        return type(self)(self._staged, self._path, self.shown, exclude, name)

    def is_folder(self) -> bool:
        """Tell a folder from a single file; raise `ArtifactError` if nothing of it is staged."""
        return self._is_folder(self._staged.tree())

    def _is_folder(self, tree: Tree) -> bool:
        if not tree.is_folder(self._path) and tree.get(self._path) is None:
            raise ArtifactError(self.shown, "nothing of it is staged", hint="Stage it: git add.")
        return tree.is_folder(self._path)

    def seal(self) -> FileEntry:
        """Return the seal that is staged inside a folder, or beside a file; `SealError` if there is none."""
        tree = self._staged.tree()
        name = SEAL_NAME if self._is_folder(tree) else self._path.rpartition("/")[2] + SEAL_ENDING
        root = self._root(tree)
        found = tree.get(f"{root}/{name}" if root else name)
        if found is None:
            hint = "Make one with mltrust seal, and stage it: git add. One that is kept elsewhere: --seal."
            raise SealError(f"no seal is staged with {self.shown}", hint=hint)
        return self._entries([(name, file_id(name, found))])[0]

    # ── Its files ──

    def files(self) -> Iterator[FileEntry]:
        """List the files; raise `ArtifactError` for whatever cannot be verified as content."""
        self.left_out = ()
        tree = self._staged.tree()
        single = None if self._is_folder(tree) else tree.get(self._path)
        if single is not None:
            name = checked(self._path.rpartition("/")[2])
            return iter(self._entries([(name, file_id(name, single))]))
        walk = self._walk(tree)
        found = self._entries(walk.files())
        self.left_out = walk.left_out
        return iter(found)

    def _walk(self, tree: Tree) -> Walk:
        return Walk(tree, self._root(tree), self._exclusions, self._staged.link)

    def _root(self, tree: Tree) -> str:
        """Return where the paths of the files start: the folder, or the one that a single file is in."""
        return self._path if self._is_folder(tree) else self._path.rpartition("/")[0]

    def _entries(self, found: Sequence[tuple[str, str]]) -> list[FileEntry]:
        headers = self._staged.index.headers([oid for _, oid in found])
        for path, oid in found:
            if headers[oid].kind != "blob":
                are = "its content is not in the repository" if headers[oid].kind == MISSING else "it is no file there"
                raise ArtifactError(path, f"is staged, but {are}", hint=FSCK)
        return [FileEntry(path, headers[oid].size, (oid,)) for path, oid in found]

    # ── Their bytes ──

    def local_path(self, file: FileEntry) -> Path | None:  # noqa: ARG002  # the socket's
        """Return None: what lies in the work tree may be something else."""
        return None

    @contextmanager
    def open(
        self,
        file: FileEntry,
        offset: int = 0,  # noqa: ARG002  # the socket's, like the next
        length: int | None = None,  # noqa: ARG002  # the same
    ) -> Iterator[Content]:
        """Open `file`, and check before and after that it is what is staged."""
        yield self._content(file)
        self._check(file)

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset` of what is staged."""
        content, data = self._content(file), bytearray(max(0, min(length, file.size - offset)))
        size = content.read_into(memoryview(data), offset)
        if not size == len(data) == length:
            raise ChangedError(file.path, "became shorter while it was read")
        return bytes(data)

    def read_each(self, segments: Iterable[Segment]) -> Iterator[bytes]:
        """Yield the bytes of whole small files, asked for together; whatever is more is read by itself."""
        some = list(segments)
        if any(each.file.size > WHOLE_BYTES or each.length != each.file.size for each in some):
            yield from (self.read(*each[:3]) for each in some)
            return
        for each in some:
            self._check(each.file)
        done = 0
        try:
            for data in self._staged.blobs.read_each((_oid(each.file), each.length) for each in some):
                yield data
                done += 1
        except UnreadableError:  # which it was comes out as each is read by itself
            yield from (self.read(*each[:3]) for each in some[done:])

    def _content(self, file: FileEntry) -> Content:
        self._check(file)
        try:
            return self._staged.blobs.open(_oid(file), file.size)
        except UnreadableError as error:
            raise ArtifactError(file.path, str(error), hint=error.hint) from error

    def _check(self, file: FileEntry) -> None:
        """Refuse to read on where something else is staged by now: what has an id does not change."""
        try:
            now = self._walk(self._staged.tree()).resolved(file.path)
        except ArtifactError:  # a link leads elsewhere
            now = None
        if now != _oid(file):
            raise ChangedError(file.path, "was staged anew while it was read", hint=_AGAIN)


def _oid(file: FileEntry) -> str:
    return str(file.version[0])
