"""The folder of a ledger: entries, one checkpoint over them, and the protocol by which both grow.

    entries.jsonl   one entry a line (`entry.py`); a line without its newline is the data of an RFC 9162 leaf
    checkpoint      a signed checkpoint (`checkpoint.py`) over the first lines, as many as it says
    verifier-key    the key of the log, for whoever trusts the ledger on first use; believed by nobody who pinned one
    lock            held by whoever writes; readers hold nothing
    cosignatures/   checkpoints that witnesses cosigned (`witnessed.py`), if there are any
    anchored/       checkpoints that were published elsewhere (`anchored.py`), if there are any

Reading is strict. What the checkpoint covers must be there (else `removed`) and give its root (else `replaced`).
Complete lines after that are entries a crash left durable but unsigned: readers count them, the next append signs
them. Bytes after the last newline are a torn write: readers pass over them, the next append cuts them. Times never run
backwards, so that a line added by hand cannot be older than the last one signed. Nothing else is ever repaired.

Writing goes: lines, fsync, new checkpoint beside the old one, fsync, rename, fsync of the folder, and only then is
anything acknowledged. A new ledger begins with an empty `entries.jsonl`, then its key, then a signed checkpoint of size
zero: until that stands there is no ledger, and no line is written before it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mltrust.anchors.ledger import entry
from mltrust.anchors.ledger.checkpoint import Checkpoint, SignedCheckpoint
from mltrust.anchors.ledger.entry import LINE_BYTES, Entry
from mltrust.core.digest import Digest
from mltrust.core.merkle import EMPTY_ROOT, Tree
from mltrust.core.note import MAX_NOTE_BYTES, Signed, Signer, VerifierKey
from mltrust.core.report import AnchorState
from mltrust.disk import state
from mltrust.errors import AnchorError, ContradictionError, FormatError

ENTRIES = "entries.jsonl"
CHECKPOINT = "checkpoint"
KEY = "verifier-key"
LOCK = "lock"

MAX_LOG_BYTES = 2**29  # some 3.6 million entries, which take about as much memory again
_MAX_KEY_BYTES = 4096
_ATTEMPTS = 3
_RESTORE = "Restore the ledger from a backup; mltrust never repairs one."


@dataclass(frozen=True)
class Log:
    """A ledger as it was read, everything in it checked.

    `lines` are the complete lines with their newlines, `tree` is over all of them, signed or not; `torn` is the number
    of bytes after them.
    """

    folder: Path
    key: VerifierKey
    signed: SignedCheckpoint
    lines: bytes
    tree: Tree
    torn: int

    @property
    def size(self) -> int:
        """The number of signed entries."""
        return self.signed.checkpoint.size

    @property
    def unsigned(self) -> int:
        """The number of entries after the signed ones."""
        return self.tree.size - self.size

    def line(self, index: int) -> bytes:
        """Return the line at `index`, without its newline."""
        return self.lines[index * LINE_BYTES : (index + 1) * LINE_BYTES - 1]

    def entries(self) -> Iterator[Entry]:
        """Yield the signed entries in order."""
        return (Entry.parse(self.line(index), ENTRIES) for index in range(self.size))

    def indices(self, digests: Iterable[Digest]) -> dict[Digest, int]:
        """Return where those of `digests` that are there, signed or not, stand first."""
        wanted = {entry.start(digest): digest for digest in digests}
        found: dict[Digest, int] = {}
        for index in range(self.tree.size):
            at = index * LINE_BYTES
            digest = wanted.get(self.lines[at : at + entry.START_BYTES])
            if digest is not None:
                found.setdefault(digest, index)
        return found

    def begins_with(self, checkpoint: Checkpoint) -> bool:
        """Tell whether the signed entries begin with those that `checkpoint` commits to."""
        return checkpoint.size <= self.size and self.holds(checkpoint)

    def holds(self, checkpoint: Checkpoint) -> bool:
        """Tell whether the complete lines, signed or not, begin with those that `checkpoint` commits to."""
        return checkpoint.size <= self.tree.size and self.tree.root_at(checkpoint.size) == checkpoint.root


def exists(folder: Path) -> bool:
    """Tell whether a ledger was begun in `folder`; one that lost its checkpoint but has entries counts."""
    entries = state.status(folder / ENTRIES)
    return state.status(folder / CHECKPOINT) is not None or (entries is not None and entries.st_size > 0)


def verifier_key(folder: Path) -> VerifierKey | None:
    """Return the key the folder itself names, which proves nothing; None if it names none."""
    path = folder / KEY
    data = state.read(path, _MAX_KEY_BYTES)
    if data is None:
        return None
    try:
        return VerifierKey.parse(_line_of(data, path), str(path))
    except FormatError as error:
        raise ContradictionError(str(error), state=AnchorState.REPLACED, hint=_RESTORE) from error


def read(folder: Path, key: VerifierKey) -> Log:
    """Read the ledger of `key` and check all of it, in time linear in its size.

    Raises:
        ContradictionError: It is not what its checkpoint says, or has none by `key`.
        AnchorError: It cannot be read.
    """
    found = _snapshot(folder)
    for _ in range(_ATTEMPTS):
        try:
            return _verified(folder, key, *found)
        except ContradictionError:
            # A writer may have been at work between the reads; what stands still is judged.
            before, found = found, _snapshot(folder)
            if found == before:
                raise
    return _verified(folder, key, *found)


def begin(folder: Path, signer: Signer) -> None:
    """Make `folder`, where no ledger `exists`, a ledger of no entries. The caller holds the lock."""
    state.sync_folder(folder.parent)
    state.replace(folder / ENTRIES, b"")
    state.replace(folder / KEY, f"{signer.verifier_key}\n".encode())
    empty = Checkpoint(signer.name, 0, EMPTY_ROOT).sign(signer)
    state.replace(folder / CHECKPOINT, empty.text.encode())


def append(log: Log, entries: Sequence[Entry], signer: Signer) -> Log:
    """Add `entries` and sign them with all lines that are not signed yet; durable when it returns.

    The caller holds the lock and has read `log` under it. On an `AnchorError` the entries may still turn up unsigned;
    they are then signed by the next append, and are never lost once this returned.
    """
    added = [item.format() for item in entries]
    lines = log.lines + b"".join(line + b"\n" for line in added)
    if len(lines) > MAX_LOG_BYTES:
        raise AnchorError(f"{log.folder}: the ledger is full", hint="Begin a new one in another folder.")
    # Unsigned lines are written once more: if it was a failed fsync that left them, they may be in memory only.
    offset = log.size * LINE_BYTES
    state.rewrite_tail(log.folder / ENTRIES, offset, lines[offset:])
    for line in added:
        log.tree.append(line)
    signed = Checkpoint(signer.name, log.tree.size, log.tree.root).sign(signer)
    state.replace(log.folder / CHECKPOINT, signed.text.encode())
    return Log(log.folder, log.key, signed, lines, log.tree, 0)


def _snapshot(folder: Path) -> tuple[bytes | None, bytes | None]:
    # The checkpoint first: entries read after it can only be more than it covers.
    return state.read(folder / CHECKPOINT, MAX_NOTE_BYTES), state.read(folder / ENTRIES, MAX_LOG_BYTES)


def _verified(folder: Path, key: VerifierKey, note: bytes | None, data: bytes | None) -> Log:
    # 1. Both files must be there.
    if note is None or data is None:
        gone = folder / (CHECKPOINT if note is None else ENTRIES)
        raise ContradictionError(f"{gone} is gone", state=AnchorState.REMOVED, hint=_RESTORE)
    # 2. The checkpoint must be well-formed and signed by the key of this ledger, for this ledger.
    signed = _signed(note, folder / CHECKPOINT, key)
    size = signed.checkpoint.size
    # 3. As many complete lines as it covers must be there; bytes after the last newline are a torn write.
    lines, torn = data[: data.rfind(b"\n") + 1], len(data) - data.rfind(b"\n") - 1
    count = lines.count(b"\n")
    if count < size:
        message = f"{folder / ENTRIES} has {count} complete entries, its checkpoint covers {size}"
        raise ContradictionError(message, state=AnchorState.REMOVED, hint=_RESTORE)
    # 4. Every line must be an entry, not older than the one before.
    tree = Tree(_checked(lines, folder / ENTRIES, size))
    # 5. The lines it covers must give its root.
    if tree.root_at(size) != signed.checkpoint.root:
        message = f"{folder / ENTRIES}: its first {size} entries are not those its checkpoint covers"
        raise ContradictionError(message, state=AnchorState.REPLACED, hint=_RESTORE)
    return Log(folder, key, signed, lines, tree, torn)


def _signed(note: bytes, path: Path, key: VerifierKey) -> SignedCheckpoint:
    try:
        signed = SignedCheckpoint.parse(note, str(path))
    except FormatError as error:
        raise ContradictionError(str(error), state=AnchorState.REPLACED, hint=error.hint or _RESTORE) from error
    if signed.signed_by(key) is not Signed.VALID:
        message = f"{path} is not signed by the key of this ledger, {str(key)!a}"
        raise ContradictionError(message, state=AnchorState.REPLACED, hint=_RESTORE)
    return signed


def _checked(lines: bytes, path: Path, size: int) -> Iterator[bytes]:
    before = b""
    for index, line in enumerate(_split(lines)):
        try:
            _, time = entry.fields(line, f"{path}, line {index + 1}")
        except FormatError as error:
            raise ContradictionError(
                str(error), state=AnchorState.REPLACED, hint=error.hint or _way_out(index, size)
            ) from error
        if time < before:
            message = f"{path}, line {index + 1}: older than the line before"
            raise ContradictionError(message, state=AnchorState.REPLACED, hint=_way_out(index, size))
        before = time
        yield line


def _split(lines: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(lines):
        end = lines.index(b"\n", at)
        yield lines[at:end]
        at = end + 1


def _way_out(index: int, size: int) -> str:
    if index < size:
        return _RESTORE
    # Only a machine that lost power, or a hand, leaves such a line. Which of them is not ours to guess.
    return f"It was never signed or acknowledged. If nobody edited the file, cut it after line {index} by hand."


def _line_of(data: bytes, path: Path) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(str(path), f"not UTF-8 at byte {error.start}") from error
    if not text.endswith("\n") or "\n" in text[:-1]:
        raise FormatError(str(path), "not exactly one line")
    return text[:-1]
