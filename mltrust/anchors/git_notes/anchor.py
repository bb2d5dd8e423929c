"""Git notes as an anchor: a repository, whose records count in it, and what was seen of it before."""

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Self

from mltrust.anchors.git_notes.exchange import Exchange
from mltrust.anchors.git_notes.history import Historian
from mltrust.anchors.git_notes.judgement import Judgement, said_of
from mltrust.anchors.git_notes.memory import Memory
from mltrust.anchors.git_notes.objects import NewObjects
from mltrust.anchors.git_notes.patience import Patience
from mltrust.anchors.git_notes.publishing import Publisher, Request
from mltrust.anchors.git_notes.reading import Place, Reader
from mltrust.anchors.git_notes.receipts import KIND, read_receipt, receipt_of, verified
from mltrust.anchors.git_notes.record import Record
from mltrust.anchors.git_notes.remote import Remote
from mltrust.anchors.git_notes.repository import BRANCH, NOTES, Repository
from mltrust.anchors.git_notes.settings import NAMES, GitNotesSettings, Keys
from mltrust.anchors.git_notes.writing import Writer
from mltrust.core.digest import Digest
from mltrust.core.note import Signed, Signer
from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check
from mltrust.disk.git.process import quoted
from mltrust.errors import AnchorError, ContradictionError, ForeignReceiptError, UsageError
from mltrust.interfaces import Anchor, Home, Settings, Submission

_PUSH_HINT = "Publish with --push there, or push them: git push REMOTE refs/notes/mltrust:refs/notes/mltrust"

_KEY_HINT = (
    "To trust it: --key with the whole verifier key (name+id+base64), from the publisher: "
    "`mltrust anchor` prints it, and so does `mltrust ledger checkpoint --key` if it is the key of a ledger."
)


class GitNotesAnchor(Anchor):
    """Signed records in `refs/notes/mltrust` of a repository.

    Reading executes nothing of the repository and asks no remote but one that is to be fetched from; it needs no right
    to write there, but remembers in `home.state` what it saw. What is fetched once is not fetched again by this object.
    """

    scheme: ClassVar[str] = KIND
    settings: ClassVar[frozenset[str]] = NAMES
    carried: ClassVar[bool] = False
    by_path: ClassVar[bool] = True

    def __init__(
        self,
        folder: Path,
        home: Home,
        settings: GitNotesSettings = GitNotesSettings(),
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = secrets.token_bytes,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = folder
        self._home = home
        self._settings = settings
        self._keys = Keys(settings, home, random)
        self._clock = clock
        self._random = random
        self._patience = Patience(random, sleep)
        self._historian = Historian()
        self._fetched: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """How the anchor is called in reports and messages: as its URI."""
        return f"{self.scheme}:{self._folder}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:
        """Return the anchor that `git-notes:PATH` names; PATH is any folder of a work tree, or a bare repository."""
        scheme, _, path = uri.partition(":")
        if scheme != cls.scheme or not path or "\0" in path:
            raise UsageError(f"{uri[:120]!a} names no repository", hint="Write git-notes:PATH; git-notes:. is here.")
        return cls(Path(path), home, GitNotesSettings.read(settings))

    def publish(self, submissions: Sequence[Submission]) -> Sequence[Receipt]:
        """Publish SHA-256 digests in one commit of notes, and push it if that is asked for; return one receipt each.

        The note stands beside the blob of `content`, or where there is none beside the blob of the digest's text. When
        it returns, the notes are durable here, and the remote has taken them. On an `AnchorError` of pushing they
        are here; publishing them again pushes them.

        Raises:
            UsageError: A digest is not SHA-256, a setting makes no sense, or others can read the signing key.
            ContradictionError: The notes, here or at the remote, went back behind what was seen of them, or records
                were removed at the remote; nothing was pushed.
            AnchorError: The repository cannot be read or written, or the remote not be reached.
        """
        for submission in submissions:
            if submission.digest.algorithm != "sha256":
                raise UsageError(f"git notes take SHA-256 digests, not {submission.digest}")
        if not submissions:
            return ()
        repository = Repository.open(self._folder)
        reader = self._reader(repository)
        now = self._clock()
        writer = Writer(repository, int(now.timestamp()))
        signer = self._keys.signer()
        trusted = tuple({*self._keys.trusted(), signer.verifier_key})
        requests = self._requests(repository, submissions)
        publisher = Publisher(reader, writer, self._patience, signer, now, trusted)
        published = publisher.publish(requests)
        if self._settings.push is not None:
            self._exchange(repository, reader, self._settings.push).push(writer, published, trusted)
        reader.remember(Judgement(reader.read(), trusted).sound())
        self._tell(repository, signer)
        return tuple(receipt_of(record) for record in published.records)

    def confirm(self, receipt: Receipt, digest: Digest) -> Check:
        """Check that `receipt` proves `digest`, and that the notes still stand by it.

        1. It is a receipt of git notes, with one well-formed record.
        2. A key that is trusted signed the record.
        3. The record is for this digest, and of the time that the receipt states.
        4. The notes have not gone back behind what was seen of them, and no record for this digest was removed.
        5. The record stands in them.
        """
        try:
            # 1.
            record = read_receipt(receipt)
            # 2.
            self._require_signature(record)
            # 3.
            if not str(digest) == receipt.digest == record.digest or receipt.time != record.bounds:
                raise ContradictionError("the receipt is for another digest or time", state=AnchorState.REPLACED)
            # 4.
            _, judgement = self._look()
            judgement.refuse_removal(digest)
            # 5.
            place = judgement.place_of(record.format())
            if place is None:
                raise ContradictionError("the record is not in these notes", state=AnchorState.ABSENT)
        except AnchorError as error:
            return Check.of_trouble(self.name, error)
        return verified(self.name, record, self._level(place), judgement)

    def find(self, submission: Submission) -> Sequence[Receipt]:
        """Return receipts for the records of a digest that count; where there are none, for those that do not.

        Raises:
            ContradictionError: A record for it was removed or replaced, its path has one for another digest, or the
                notes went back behind what was seen of them.
            AnchorError: The notes are not here, or not whole; no key is trusted.
        """
        repository, judgement = self._look()
        judgement.refuse_removal(submission.digest)
        found = judgement.records(submission.digest)
        if not found:
            judgement.refuse_replacement(submission.digest, repository.path_of(submission.path))
            found = judgement.foreign(submission.digest)
        return tuple(receipt_of(record) for record, _ in found)

    def _look(self) -> tuple[Repository, Judgement]:
        keys = self._keys.trusted()
        if not keys:
            hint = "Name the verifier keys that count: --key, or keys = [...] in the configuration."
            raise AnchorError(f"nobody said whose records count in {self.name}", hint=hint)
        repository = Repository.open(self._folder)
        reader = self._reader(repository)
        if self._settings.fetch is not None and self._fetched is None:
            self._fetched = self._exchange(repository, reader, self._settings.fetch).fetch()
        places = reader.read(self._fetched)
        if not places:
            self._refuse_nothing(repository)
        judgement = Judgement(places, keys)
        reader.remember(judgement.sound())
        return repository, judgement

    def _reader(self, repository: Repository) -> Reader:
        return Reader(repository, Memory(self._home.state, repository.common), self._historian)

    def _exchange(self, repository: Repository, reader: Reader, remote: str) -> Exchange:
        return Exchange(Remote(repository, repository.require_remote(remote)), reader, self._patience)

    def _requests(self, repository: Repository, submissions: Sequence[Submission]) -> list[Request]:
        # The annotated blobs are written, too: `git notes prune` takes notes of objects that are not there.
        blobs = NewObjects(repository.format)
        requests = []
        for given in submissions:
            content = f"{given.digest}\n".encode() if given.content is None else given.content
            requests.append(Request(given.digest, repository.path_of(given.path), blobs.add("blob", content)))
        repository.write(blobs)
        return requests

    def _tell(self, repository: Repository, signer: Signer) -> None:
        key = signer.verifier_key
        self._home.dialogue.tell(f"{self.name}: records are signed by {key}")
        if self._settings.keys is not None and key not in self._settings.keys:
            self._home.dialogue.tell(f"{self.name}: that key is not among the keys of its configuration")
        if self._settings.push is None and repository.remotes:
            refs = f"{NOTES}:{NOTES} {NOTES}:{BRANCH}"
            command = f"git -C {quoted(str(self._folder))} push {quoted(repository.remotes[0])} {refs}"
            self._home.dialogue.tell(f"{self.name}: others see them once you run: {command}")

    def _require_signature(self, record: Record) -> None:
        said = said_of(record, self._keys.trusted())
        if said is Signed.UNKNOWN:
            message = f"the record is signed by {record.signer[:120]!a}, whom nobody trusts here"
            raise ForeignReceiptError(message, hint=_KEY_HINT)
        if said is Signed.INVALID:
            raise ContradictionError("the record has a false signature", state=AnchorState.UNSIGNED)

    def _level(self, place: Place) -> str:
        if self._fetched is not None:
            return "fetched-notes"
        return "local-notes" if place.ref.startswith("refs/notes/") else "anchors-branch"

    def _refuse_nothing(self, repository: Repository) -> None:
        if self._fetched is not None:
            raise AnchorError(f"{self._settings.fetch} has no notes of mltrust", hint=_PUSH_HINT)
        if repository.remotes:
            hint = f"Fetch them: git fetch {quoted(repository.remotes[0])} {NOTES}:{NOTES}"
            raise AnchorError(f"there are no notes of mltrust in {self._folder}", hint=hint)
