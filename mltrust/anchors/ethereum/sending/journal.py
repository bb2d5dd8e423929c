"""The journal: what was signed, on disk before it is sent, so that nothing is ever sent twice under two nonces.

One document for each nonce that was used, in the caller's state folder, written whole or not at all:

    ethereum/CHAIN/ADDRESS/NONCE.json      ADDRESS is the sender's; CHAIN the chain id
    ethereum/CHAIN/ADDRESS/lock            held from choosing a nonce until its transaction is sent

On a development chain CHAIN is `CHAIN_ID-GENESIS`, the first digits of the hash of its first block: such chains begin
again with the same id. A document that breaks its format is an error, never a clean slate.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from mltrust.anchors.ethereum.proof.batch import Batch
from mltrust.anchors.ethereum.proof.evidence import Evidence
from mltrust.core import canonical
from mltrust.core.canonical import MAX_INTEGER
from mltrust.core.digest import DIGEST_SIZE, Digest
from mltrust.core.model import Document, first_surprise
from mltrust.disk import state
from mltrust.errors import AnchorError, FormatError

MAX_BATCH = 2**16
MAX_ATTEMPTS = 64
LOCK_SECONDS = 30.0

_MAX_BYTES = 256 * 1024 * 1024
_FOLDER = re.compile(r"0x[0-9a-f]{40}")
_FILE = re.compile(r"(0|[1-9]\d{0,15})\.json")
_Address = Annotated[str, Field(pattern=r"^0x[0-9a-f]{40}$")]
_HEX_DIGEST = 2 * DIGEST_SIZE


class Purpose(StrEnum):
    """What a transaction is for."""

    ANCHOR = "anchor"
    DEPLOY = "deploy"


class Stage(StrEnum):
    """How far a transaction was seen to come; the last three are the end of its story.

    `lost` tells that another transaction took its nonce and is final, `failed` that it was included and failed.
    """

    JOURNALED = "journaled"
    SENT = "sent"
    INCLUDED = "included"
    FINAL = "final"
    LOST = "lost"
    FAILED = "failed"


class Attempt(Document):
    """One signed transaction: its raw bytes and its hash, in hexadecimal."""

    raw: Annotated[str, Field(pattern=r"^0x([0-9a-f]{2})+$", max_length=2**20)]
    hash: Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]

    @property
    def hash_bytes(self) -> bytes:
        """The hash as 32 bytes."""
        return bytes.fromhex(self.hash[2:])


class Entry(Document):
    """All that was signed under one nonce, for one batch, and what became of it.

    `digests` are the digests of the batch one after another; `paths` where the seal files were, "" for none, in the
    same order. `evidence` is that of the batch's first digest once it was included; `paid` what it cost, in wei.
    """

    format: Literal["mltrust-ethereum-journal/1"] = "mltrust-ethereum-journal/1"
    chain_id: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    author: _Address
    nonce: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    purpose: Purpose
    mode: Literal["event", "calldata"]
    contract: _Address | None
    digests: Annotated[str, Field(pattern=r"^([0-9a-f]{64})*$", max_length=_HEX_DIGEST * MAX_BATCH)]
    paths: Annotated[list[str], Field(max_length=MAX_BATCH)]
    attempts: Annotated[list[Attempt], Field(min_length=1, max_length=MAX_ATTEMPTS)]
    stage: Stage
    evidence: Evidence | None = None
    paid: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,40})$")] | None = None
    delivered: bool = False

    @property
    def sender(self) -> bytes:
        """The address it was sent from, 20 bytes."""
        return bytes.fromhex(self.author[2:])

    @property
    def contract_bytes(self) -> bytes | None:
        """The contract whose event counts, 20 bytes; None without one."""
        return None if self.contract is None else bytes.fromhex(self.contract[2:])

    @property
    def is_over(self) -> bool:
        """Whether nothing can become of it any more."""
        return self.stage in (Stage.LOST, Stage.FAILED)

    @property
    def is_pending(self) -> bool:
        """Whether it was not seen included."""
        return self.stage in (Stage.JOURNALED, Stage.SENT)

    def listed(self) -> list[Digest]:
        """Return the digests of the batch, in the order they were given."""
        values = bytes.fromhex(self.digests)
        return [Digest("sha256", values[at : at + DIGEST_SIZE]) for at in range(0, len(values), DIGEST_SIZE)]

    def holds(self, digest: Digest) -> bool:
        """Tell whether `digest` is of the batch."""
        return digest.hex in self.digests and digest in self.listed()

    def batch(self) -> Batch:
        """Return the batch; there is none of a deployment."""
        return Batch(self.listed())

    def changed(self, **fields: object) -> "Entry":
        """Return the entry with these fields changed; `AnchorError` if it could not be read again like that."""
        try:
            return Entry.model_validate({**dict(self), **fields})
        except ValidationError as error:
            raise AnchorError(f"nonce {self.nonce}: what was told fits no journal: {first_surprise(error)}") from error


class Journal:
    """The journal of one chain; many processes may use it at once."""

    def __init__(self, root: Path, chain_id: int, chain: str | None = None) -> None:
        self._root = root / "ethereum"
        self._chain_id = chain_id
        self._chain = chain or str(chain_id)

    def senders(self) -> set[bytes]:
        """Return all addresses for which a signed transaction is in a journal of a chain of this id.

        A folder alone tells nothing: it is made for its lock, before anybody could sign.
        """
        folders = [folder for chain in self._chains() for folder in _folders(chain)]
        return {bytes.fromhex(folder.name[2:]) for folder in folders if _files(folder)}

    def entries(self, sender: bytes | None = None) -> list[Entry]:
        """Return all entries, or those of `sender`, in the order of their nonces.

        Raises:
            AnchorError: One of them cannot be read, or breaks its format.
        """
        folders = [self._folder(sender)] if sender is not None else _folders(self._root / self._chain)
        return [entry for folder in folders for entry in self._read(folder)]

    def everywhere(self) -> Iterator[Entry]:
        """Yield all entries of all chains of this id."""
        for chain in self._chains():
            for folder in _folders(chain):
                yield from self._read(folder)

    @contextmanager
    def locked(self, sender: bytes) -> Iterator[None]:
        """Keep other processes from choosing a nonce of `sender`."""
        state.make_folder(self._folder(sender), parents=True)
        with state.locked(self._folder(sender) / "lock", LOCK_SECONDS):
            yield

    @contextmanager
    def changing(self, entry: Entry) -> Iterator[Entry]:
        """Hold the lock and give `entry` as it is now on disk."""
        with self.locked(entry.sender):
            yield self._entry(self._folder(entry.sender) / f"{entry.nonce}.json")

    def write(self, entry: Entry) -> None:
        """Write `entry` durably, if it can be read again. Call it `locked`."""
        data, where = canonical.dumps(entry.to_json()), f"nonce {entry.nonce}"
        try:
            Entry.from_json(canonical.loads(data, where), where)
        except FormatError as error:
            raise AnchorError(f"this fits no journal: {error}") from error
        state.replace(self._folder(entry.sender) / f"{entry.nonce}.json", data + b"\n")

    def _chains(self) -> Sequence[Path]:
        with state.doing(f"list {self._root}"):
            found = sorted(self._root.iterdir()) if self._root.is_dir() else []
        return [path for path in found if path.name.partition("-")[0] == str(self._chain_id)]

    def _folder(self, sender: bytes) -> Path:
        return self._root / self._chain / f"0x{sender.hex()}"

    def _read(self, folder: Path) -> list[Entry]:
        return [self._entry(path) for path in sorted(_files(folder), key=lambda path: int(path.stem))]

    def _entry(self, path: Path) -> Entry:
        try:
            data = state.read(path, _MAX_BYTES)
            entry = Entry.from_json(canonical.loads(data or b"", str(path)), str(path))
        except FormatError as error:
            hint = "Restore it from a backup. Removing it forgets a transaction that may have been sent."
            raise AnchorError(f"the journal is damaged: {error}", hint=hint) from error
        if (entry.author, f"{entry.nonce}.json", entry.chain_id) != (path.parent.name, path.name, self._chain_id):
            raise AnchorError(f"{path}: the journal is damaged: it is of another transaction")
        return entry


def _folders(chain: Path) -> list[Path]:
    with state.doing(f"list {chain}"):
        found = sorted(chain.iterdir()) if chain.is_dir() else []
    return [path for path in found if _FOLDER.fullmatch(path.name)]


def _files(folder: Path) -> list[Path]:
    with state.doing(f"list {folder}"):
        return [path for path in folder.iterdir() if _FILE.fullmatch(path.name)] if folder.is_dir() else []
