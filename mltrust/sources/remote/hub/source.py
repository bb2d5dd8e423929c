"""A repository of the Hub as a source: all of its bytes, or small files and what the Hub lists of all others."""

import re
from functools import cached_property
from typing import NamedTuple

from mltrust.errors import UsageError
from mltrust.interfaces import Settings
from mltrust.sources.remote.buckets import refuse_credentials
from mltrust.sources.remote.hub.client import HubClient
from mltrust.sources.remote.hub.listing import ListedHubStore
from mltrust.sources.remote.hub.store import HubStore, Repository
from mltrust.sources.remote.source import RemoteSource
from mltrust.sources.remote.store import Store, needing

_KINDS = ("models", "datasets", "spaces")
_NAME = re.compile(r"(?!\.+\Z)[A-Za-z0-9._-]{1,96}")
_SHOWN_COMMIT = 12


class HubSource(RemoteSource):
    """Files of a repository at one commit."""

    scheme = "hf"
    extra = "hub"
    settings = {"endpoint": str}  # noqa: RUF012  # a constant

    @classmethod
    def locate(cls, url: str) -> str:
        """Return the path in the repository."""
        return _Place.of(url).path

    @classmethod
    def last_part(cls, key: str) -> str:
        """Return the last part of a path, or the repository's name."""
        if key.startswith(f"{cls.scheme}://"):
            key = _Place.of(key).repository.name
        return super().last_part(key)

    def make_store(self, settings: Settings) -> Store:
        """Return the store of the repository."""
        return self._repository(settings)

    def _repository(self, settings: Settings) -> HubStore:
        with needing(self.scheme, self.extra):
            client = HubClient(settings.get("endpoint"))
        place = _Place.of(self.url)
        return HubStore(client, place.repository, place.revision)

    @cached_property
    def commit(self) -> str:
        """The commit that the revision is: 40 hexadecimal digits. Asked once."""
        commit: str = self._line.ask(self._line.asking(lambda store: store.commit()), self.shown)
        return commit

    @property
    def pinned(self) -> str:
        """The URL with the commit in the place of the revision."""
        return _Place.of(self.url)._replace(revision=self.commit).url()

    def listed(self) -> "ListedHubSource":
        """Return the same at the same commit, as the Hub lists it: no file that it knows by SHA-256 is read."""
        made = ListedHubSource(self.pinned, self.exclude, self.name, self._given, patience=self._line.patience)
        made.shown = self.shown
        return made


class ListedHubSource(HubSource):
    """A repository as git has it: a Git LFS pointer, made of the Hub's listing, in the place of each large file.

    Small files, which the Hub knows by git's SHA-1 alone, are fetched.
    """

    @property
    def told_by(self) -> str:
        """Who said what the pointers say."""
        return f"the Hub (commit {self.commit[:_SHOWN_COMMIT]})"

    def make_store(self, settings: Settings) -> Store:
        """Return the store of the listing."""
        return ListedHubStore(self._repository(settings))


class _Place(NamedTuple):
    """What a URL names: a repository, a revision (None: the default branch), and a path in it."""

    repository: Repository
    revision: str | None
    path: str

    @classmethod
    def of(cls, url: str) -> "_Place":
        """Take a URL apart; `UsageError` if it names no repository."""
        parts = url.removeprefix("hf://").split("/")
        kind = parts.pop(0) if parts[0] in _KINDS else "models"
        owner, last, *path = (*parts, "", "")[: max(2, len(parts))]
        refuse_credentials(owner)
        name, _, revision = last.partition("@")
        if not _NAME.fullmatch(owner) or not _NAME.fullmatch(name) or not url.isprintable():
            hint = "Write hf://OWNER/NAME, hf://datasets/OWNER/NAME or hf://spaces/OWNER/NAME."
            raise UsageError(f"{ascii(url)[:80]} names no repository", hint=hint)
        return cls(Repository(kind, f"{owner}/{name}"), revision.replace("%2F", "/") or None, "/".join(path))

    def url(self) -> str:
        """Put it together again."""
        kind = "" if self.repository.kind == "models" else f"{self.repository.kind}/"
        revision = f"@{self.revision.replace('/', '%2F')}" if self.revision else ""
        path = f"/{self.path}" if self.path else ""
        return f"hf://{kind}{self.repository.name}{revision}{path}"
