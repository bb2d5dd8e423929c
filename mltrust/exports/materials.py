"""What a bill of materials says of a seal in whatever format: the artifact as a whole, and each of its files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from uuid import NAMESPACE_URL, UUID, uuid5

from mltrust.core.bundle import Bundle
from mltrust.core.digest import Digest, suite_named
from mltrust.core.leaf import Entry, Kind
from mltrust.core.names import count
from mltrust.errors import UsageError
from mltrust.statements.seal import PREDICATE_TYPE, SealPredicate, read_seal

MAX_LICENSE = 1000  # characters of an expression

Pairs = tuple[tuple[str, str], ...]


class Sort(Enum):
    """What an artifact or a file is, as far as a seal knows."""

    MODEL = "model"
    DATASET = "dataset"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Material:
    """One file: its path, the digests of all its bytes as pairs of algorithm and hex, and properties by name."""

    path: str
    sort: Sort
    hashes: Pairs
    properties: Pairs


@dataclass(frozen=True)
class Bill:
    """What is said of the artifact as a whole."""

    bundle: Bundle

    @cached_property
    def predicate(self) -> SealPredicate:
        """The predicate of the seal; `FormatError` if it is none."""
        return read_seal(self.bundle.statement)

    @cached_property
    def digest(self) -> Digest:
        """The digest of the statement, which binds all that is said here."""
        return self.bundle.statement.digest()

    @property
    def serial(self) -> UUID:
        """What the document is called: the same for the same statement."""
        return uuid5(NAMESPACE_URL, f"{PREDICATE_TYPE}#{self.digest}")

    @property
    def name(self) -> str:
        """The name of the artifact."""
        return self.bundle.statement.subject[0].name

    @property
    def version(self) -> str:
        """The fingerprint of the artifact, in hex."""
        return self.predicate.fingerprint().hex()

    @property
    def sort(self) -> Sort:
        """A model where there are tensors, a dataset where there are records."""
        totals = self.predicate.totals
        if totals.tensors:
            return Sort.MODEL
        return Sort.DATASET if totals.records else Sort.OTHER

    @cached_property
    def license(self) -> str | None:
        """The SPDX license expression of the annotation `license`; None where there is none, or another text."""
        return _expression(self.predicate.annotations.get("license", ""))

    @property
    def properties(self) -> Pairs:
        """What else the statement says, sorted by name; of the annotations every one, whatever it is called."""
        said, totals = self.predicate, self.predicate.totals
        found = {"statement": str(self.digest), "suite": said.suite, "fingerprint": self.version, "root": said.root}
        found |= {"content-root": said.content_root or "", "supersedes": said.supersedes or ""}
        found |= {"files": str(totals.files), "bytes": str(totals.bytes)}
        found |= {"tensors": str(totals.tensors), "records": str(totals.records or "")}
        pairs = {f"mltrust:{name}": value for name, value in found.items() if value}
        pairs |= {f"mltrust:annotation:{name}": value for name, value in said.annotations.items()}
        return tuple(sorted(pairs.items()))

    def materials(self) -> Iterator[Material]:
        """Yield what is said of each file, in the order of the manifest."""
        content = suite_named(self.predicate.suite).content
        for entry in self.bundle.manifest.entries:
            hashes = {content: entry.leaf.digest}
            if entry.sha256:
                hashes["sha256"] = entry.sha256
            found = tuple((name, value.hex()) for name, value in hashes.items() if value)
            yield Material(entry.path, _sort(entry), found, _properties(entry))

    def unsaid(self) -> list[str]:
        """Say in words what of the seal a bill of materials leaves out."""
        tensors, signatures = self.predicate.totals.tensors, len(self.bundle.signatures)
        pieces = (piece for piece in self.bundle.manifest.pieces() if isinstance(piece, Entry))
        bare = sum(not piece.leaf.digest and not piece.sha256 for piece in pieces)
        found = {
            f"the digests of {count(tensors, 'tensor')}: it says how many there are": tensors,
            f"a digest of {count(bare, 'file')}, known by parts; a seal made with --with-sha256 has one": bare,
            f"{count(signatures, 'signature')} of the seal": signatures,
        }
        return [what for what, number in found.items() if number]


def _sort(entry: Entry) -> Sort:
    kinds = {Kind.SAFETENSORS: Sort.MODEL, Kind.RECORDS: Sort.DATASET}
    return kinds.get(entry.leaf.kind, Sort.OTHER)


def _properties(entry: Entry) -> Pairs:
    """Return the properties of a file, sorted by name: a safetensors file has the root of its parts for a digest."""
    leaf = entry.leaf
    if leaf.kind is Kind.FILE:
        return (("mltrust:bytes", str(leaf.size)),)
    found = {"bytes": str(leaf.size), "kind": leaf.kind.value, "root": leaf.child_root.hex()}
    if leaf.kind is Kind.SAFETENSORS:
        found["tensors"] = str(sum(1 for _ in entry.tensors()))
    elif leaf.records is not None:
        found |= {"records": str(leaf.child_size), "format": leaf.records.format}
        found["set-root"] = leaf.records.set_root.hex()
    return tuple(sorted((f"mltrust:{name}", value) for name, value in found.items()))


def _expression(text: str) -> str | None:
    """Return a license expression in the spelling of SPDX; None for a text that is none, or names other licenses."""
    from license_expression import get_spdx_licensing

    if len(text) > MAX_LICENSE:
        return None
    licensing = get_spdx_licensing()
    try:
        found = licensing.parse(text, validate=True, strict=True)
        names = [str(symbol) for symbol in licensing.license_symbols(found)] if found is not None else []
    except Exception:  # noqa: BLE001  # of what is no expression, the parser trips over its own assertions and lists
        return None
    return str(found) if names and not any(name.startswith("LicenseRef-") for name in names) else None


@contextmanager
def needing_libraries() -> Iterator[None]:
    """Turn a library that is not installed into a `UsageError`."""
    try:
        yield
    except ImportError as error:
        hint = "Install it: pip install 'mltrust[sbom]'"
        raise UsageError(f"this bill of materials needs the library {error.name}", hint=hint) from error
