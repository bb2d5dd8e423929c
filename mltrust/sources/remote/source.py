"""An artifact behind a URL: what all stores have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, ClassVar, Self

from mltrust.core.exclusion import SEAL_ENDING, SEAL_NAME, Exclusions
from mltrust.core.names import check_path
from mltrust.errors import ArtifactError, ChangedError, FormatError, UsageError
from mltrust.interfaces import FileEntry, Settings, SourcePlug
from mltrust.sources.remote.asking import Asking
from mltrust.sources.remote.buckets import refuse_credentials
from mltrust.sources.remote.fetching import Patience
from mltrust.sources.remote.reading import AHEAD, RemoteFile
from mltrust.sources.remote.store import Page, Store, StoredObject, needing
from mltrust.sources.remote.tiny import TINY, TinyObjects


class RemoteSource(SourcePlug, ABC):
    """Lists and reads the objects under a URL, each pinned to the version that was listed.

    A URL names one object or all objects below it. The keys below it are paths; an empty object whose key ends in a
    slash only stands for a folder, and folders are no content. Nothing is opened before something is asked.
    """

    scheme: ClassVar[str]
    extra: ClassVar[str]
    """The extra of this package that brings what speaks the protocol."""
    settings: ClassVar[Mapping[str, type]]
    """The settings it understands, and of what type each is."""
    remote: ClassVar[bool] = True

    def __init__(
        self,
        url: str,
        exclude: Sequence[str] = (),
        name: str | None = None,
        settings: Settings | None = None,
        *,
        patience: Patience | None = None,
    ) -> None:
        self.url = self.shown = url
        self.key = self.locate(url)
        self.exclude: Sequence[str] = tuple(exclude)
        self.left_out: Sequence[str] = ()
        self.name = name or self.last_part(self.key) or self.last_part(url)
        self._given = self._checked(settings or {})
        self._exclusions = Exclusions(exclude)
        with needing(self.scheme, self.extra):
            from fsspec.asyn import get_loop  # on which every store is asked
        self._line = Asking(partial(self.make_store, self._given), get_loop, patience or Patience())
        self._budget = BoundedSemaphore(AHEAD)
        self._tiny = TinyObjects(lambda file: self._line.start(self._line.fetch(self._stored(file), 0, file.size)))

    @classmethod
    def from_url(cls, url: str, settings: Settings) -> Self:
        """Return the source of `url`, with nothing left out."""
        return cls(url, settings=settings)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without connections; of what is known to be a folder, nobody has to ask that again."""
        made = partial(type(self), patience=self._line.patience)
        slash = "/" if self.key and not self.key.endswith("/") and self.__dict__.get("_object", self) is None else ""
        return made, (self.url + slash, self.exclude, self.name, self._given)

    def leaving_out(self, exclude: Sequence[str], name: str | None) -> Self:
        """Return a source of the same place, over the same connections, with these exclusions and this name."""
        made = type(self)(self.url, exclude, name, self._given)
        made._line = self._line
        if "_object" in self.__dict__:
            made.__dict__["_object"] = self._object
        return made

    @classmethod
    @abstractmethod
    def locate(cls, url: str) -> str:
        """Return the key or prefix that `url` names; raise `UsageError` if it is none of this scheme's."""

    @abstractmethod
    def make_store(self, settings: Settings) -> Store:
        """Return the store, on the loop of fsspec."""

    @classmethod
    def last_part(cls, key: str) -> str:
        """Return the last part of a key: the path of an object that is the whole artifact, and its name."""
        return key.rstrip("/").rpartition("/")[2]

    @classmethod
    def beside(cls, key: str) -> str:
        """Return the key of the seal kept beside a single object."""
        return key + SEAL_ENDING

    @cached_property
    def _object(self) -> StoredObject | None:
        """The object the URL names; None if it names all objects below it."""
        if not self.key or self.key.endswith("/"):
            return None
        found = self._line.ask(self._line.find(self.key), self.shown)
        first = self._line.ask(self._line.page(self.key + "/", None), self.shown)
        below = bool(first.objects or first.more)
        if found is not None and below:
            hint = f"Write {self.shown}/ for the objects below it."
            raise UsageError(f"{self.shown} is an object, and there are objects below it", hint=hint)
        if found is None and not below:
            raise ArtifactError(self.shown, "does not exist")
        return found

    def is_folder(self) -> bool:
        """Tell whether the URL names all objects below it; raise `ArtifactError` if nothing is there."""
        return self._object is None

    def _prefix(self) -> str:
        return self.key.rstrip("/") + "/" if self.key else ""

    # ── Its files ──

    def files(self) -> Iterator[FileEntry]:
        """List the files; raise `ArtifactError` for whatever cannot be sealed or verified as content."""
        left_out: list[str] = []
        self.left_out = left_out
        if self._object is not None:
            yield _entry(self._object, self.last_part(self._object.key))
            return
        prefix, last = self._prefix(), b""
        for found in self._kept(prefix, left_out):
            file = _entry(found, found.key.removeprefix(prefix))
            if file.path.encode() <= last:
                raise ArtifactError(file.path, "is not listed in the order of names: the listing cannot be relied on")
            last = file.path.encode()
            self._tiny.listed(file)
            yield file

    def _kept(self, prefix: str, left_out: list[str]) -> Iterator[StoredObject]:
        """Yield the objects that are content; note what the exclusions leave out, a folder once."""
        skipped = ""
        for found in self._listing(prefix):
            path = found.key.removeprefix(prefix)
            if skipped and path.startswith(skipped):
                continue
            if folder := self._exclusions.folder_above(path):
                left_out.append(folder)
                skipped = folder + "/"
            elif path.endswith("/") or not path:
                if found.size:
                    raise ArtifactError(ascii(path or found.key), "has a folder's name, and content")
            elif self._exclusions.match(path, folder=False):
                left_out.append(path)
            else:
                yield found

    def _listing(self, prefix: str) -> Iterator[StoredObject]:
        """Yield page after page; the next one is asked for while one is looked at."""
        line, asked = self._line, None
        coming: Future[Page] | None = line.start(line.page(prefix, None))
        try:
            while coming is not None:
                page = line.take(coming, self.shown)
                if page.more is not None and page.more == asked:
                    raise ArtifactError(self.shown, "the listing does not go on: the rest of a page is that page again")
                asked = page.more
                coming = line.start(line.page(prefix, asked)) if asked is not None else None
                yield from page.objects
        finally:
            if coming is not None:
                coming.cancel()

    def seal(self) -> FileEntry | None:
        """Return the seal kept below the URL, or beside a single object; None if there is none."""
        key = self._prefix() + SEAL_NAME if self.is_folder() else self.beside(self.key)
        found = self._line.ask(self._line.find(key), f"the seal of {self.shown}")
        return None if found is None else _entry(found, self.last_part(key))

    # ── Their bytes ──

    def local_path(self, file: FileEntry) -> Path | None:  # noqa: ARG002  # the socket's
        """Return None: nothing lies on this machine."""
        return None

    def abandon(self) -> None:
        """End all that is under way."""
        self._line.abandon()

    @contextmanager
    def open(self, file: FileEntry, offset: int = 0, length: int | None = None) -> Iterator[RemoteFile]:
        """Open `file`; every answer is of the version that was listed, and on exit that version is still there.

        Where `offset` and `length` say what will be read, nothing is read ahead beyond it.
        """
        line, wanted = self._line, self._stored(file)
        opened = RemoteFile(
            lambda begin, end: line.start(line.fetch(wanted, begin, end)),
            lambda coming: line.take(coming, file.path),
            file.size,
            None if length is None else offset + length,
            self._budget,
        )
        try:
            yield opened
        finally:
            opened.close()
        line.ask(line.check(wanted), file.path)

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset` of the version that was listed."""
        line, wanted = self._line, self._stored(file)
        if offset + length > file.size:
            raise ChangedError(file.path, "became shorter while it was read")
        if length == 0:
            line.ask(line.check(wanted), file.path)
            return b""
        if length == file.size <= TINY:
            return self._read_tiny(file)
        return bytes(line.ask(line.fetch_long(wanted, offset, offset + length), file.path))

    def _read_tiny(self, file: FileEntry) -> bytes:
        coming = self._tiny.take(file)
        if isinstance(coming, bytes):
            return coming
        data = bytes(self._line.take(coming, file.path))
        self._tiny.arrived(file, data)
        return data

    def _stored(self, file: FileEntry) -> StoredObject:
        if self._object is None:
            key = self._prefix() + file.path
        else:
            key = self.key if file.path == self.last_part(self.key) else self.beside(self.key)
        return StoredObject(key, file.size, file.version)

    @classmethod
    def _checked(cls, given: Settings) -> Settings:
        for key, value in given.items():
            if key not in cls.settings:
                known = ", ".join(sorted(cls.settings)) or "none"
                raise UsageError(f"{ascii(key)[:80]} is no setting of {cls.scheme}://", hint=f"There are: {known}.")
            if type(value) is not cls.settings[key]:
                kind = {str: "text", bool: "true or false"}[cls.settings[key]]
                raise UsageError(f"{key} of {cls.scheme}:// must be {kind}")
            if isinstance(value, str):
                refuse_credentials(value.partition("://")[2].partition("/")[0])
        return dict(given)


def _entry(found: StoredObject, path: str) -> FileEntry:
    try:
        return FileEntry(check_path(path, "artifact"), found.size, found.version)
    except FormatError as error:
        raise ArtifactError(ascii(path), error.what) from error
