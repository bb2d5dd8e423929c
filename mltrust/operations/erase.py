"""Erase records of a blinded artifact: the rows and their salts go, a tombstone stays, and the sealed root still holds.

The order is for whoever is killed in between. The tombstone is published and written first, then the salts are erased,
then the file is put in its place: so there is never a row gone that nothing excuses, and the same command, run again,
finishes. Until then `verify` fails and says so.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from mltrust.core.bundle import Bundle
from mltrust.core.leaf import Leaf
from mltrust.core.names import count, shown
from mltrust.disk.salts import KeptSalts, erase_salts
from mltrust.errors import SealError, UsageError
from mltrust.interfaces import Anchor, Means, Signer, Submission
from mltrust.operations.anchor import receipted
from mltrust.operations.blinded_file import BlindedArtifact, BlindedFile
from mltrust.operations.seal import whole
from mltrust.operations.signing import new_signatures, prepare, with_signatures
from mltrust.statements.erasure import Erasure, Tombstone, erasure_statement, read_erasure


@dataclass(frozen=True)
class Wanted:
    """What is to be erased: the records with these indexes, from zero, of `file` (None: the only one), and why.

    `rewritten` is the file without them, where it cannot be made here.
    """

    records: Sequence[int]
    file: str | None = None
    reason: str | None = None
    rewritten: Path | None = None


@dataclass(frozen=True)
class Erased:
    """What became of an erasure: its tombstone, and whether all was done `before`, so that nothing was left to do."""

    tombstone: Tombstone
    before: bool


@dataclass(frozen=True)
class Word:
    """On whose word records are erased: who signs the tombstone, and who publishes it."""

    anchors: Sequence[Anchor]
    signers: Sequence[Signer] = ()


def erase(sealed: BlindedArtifact, wanted: Wanted, word: Word, means: Means) -> Erased:
    """Erase records, or finish what was begun; return the tombstone.

    1. Signers open their keys. The seal must be whole, its salts here, and its tombstones must not contradict it.
    2. An erasure of just these records, for just this reason, that was begun is taken up again; any other that was not
       finished comes first.
    3. The file must hold the sealed records: the hashes of the leaves come from it, or else from that tombstone.
    4. The file without the records is written beside it, under a name of ours, and must lead to the sealed root.
    5. The tombstone is signed by every signer, published through every anchor, then written.
    6. The salts are overwritten where they stand.
    7. The file without the records takes the place of the other.

    Raises:
        UsageError: There are no such records, they were erased before, or this cannot be done with such a file.
        SigningError: Somebody did not sign; nothing was written.
        ArtifactError: The file, or the rewritten one, does not hold the records it has to, or changed meanwhile.
    """
    prepare(word.signers)  # 1
    salts = _checked(sealed)
    leaf = _blinded_file(sealed.bundle, wanted.file)
    begun = _begun(sealed, leaf, wanted)  # 2
    case = BlindedFile.of(sealed, leaf, salts[leaf.name], means, begun)
    gone = begun.erased if begun else case.hashes(wanted.records)  # 3
    lost = begun is not None and case.has_lost(gone)
    with nullcontext() if lost else case.without(gone, wanted.rewritten) as left:  # 4
        tombstone = begun or _stated(sealed, Erasure(leaf.name, gone, wanted.reason))
        tombstone = with_signatures(tombstone, new_signatures(tombstone, word.signers))  # 5
        tombstone = _published(tombstone, word.anchors)
        case.check_unchanged()  # to publish may have taken long
        others = sealed.kept.tombstones
        new = [tombstone if each is begun else each for each in others] if begun else [*others, tombstone]
        before = lost and list(others) == new and case.has_lost_salts(gone)
        if list(others) != new:
            sealed.write(new)
        erase_salts(case.salts, gone)  # 6
        if left is not None:
            left.replace_file()  # 7
    return Erased(tombstone, before)


def _checked(sealed: BlindedArtifact) -> Mapping[str, KeptSalts]:
    if not whole(sealed.bundle).manifest.blinded:
        hint = "Only what is sealed with --blind can lose a record and keep its seal."
        raise UsageError("the seal is not blinded", hint=hint)
    if sealed.kept.salts is None:
        raise UsageError("the salts are not here", hint="Name them with --salts.")
    odd = sealed.kept.odd(sealed.bundle)
    if odd is not None:
        raise SealError(f"the erasures beside the seal are not to be believed: {odd}")
    return sealed.kept.salts


def _blinded_file(bundle: Bundle, path: str | None) -> Leaf:
    leaves = {leaf.name: leaf for leaf in bundle.manifest.blinded}
    if path is None and len(leaves) == 1:
        return next(iter(leaves.values()))
    if path is None:
        raise UsageError(f"{len(leaves)} files of the seal are blinded", hint="Name one with --file.")
    if path not in leaves:
        raise UsageError(f"no blinded file {path!a} in the seal", hint="mltrust show SEAL tells which there are.")
    return leaves[path]


def _begun(sealed: BlindedArtifact, leaf: Leaf, wanted: Wanted) -> Tombstone | None:
    """Return the tombstone of just the wanted records, if there is one; none of them may stand in another."""
    indexes = set(wanted.records)
    beyond = [index for index in indexes if not 0 <= index < leaf.child_size]
    if not indexes or beyond:
        has = count(leaf.child_size, "record")
        raise UsageError(f"no record {min(beyond, default=-1) + 1} in {leaf.name!a}", hint=f"It has {has}, from 1.")
    for tombstone in sealed.kept.tombstones:
        predicate = read_erasure(tombstone.statement)
        here = set(tombstone.erased) if predicate.file == leaf.name else set()
        if here == indexes:
            _refuse_other_reason(predicate.reason, wanted.reason)
            return tombstone
        if here & indexes:
            raise UsageError(f"record {min(here & indexes) + 1} of {leaf.name!a} was erased before")
    return None


def _refuse_other_reason(stated: str | None, wanted: str | None) -> None:
    """Refuse to sign and publish a reason that the caller did not give: whoever left it there may be a stranger."""
    if stated == wanted:
        return
    if stated is None:
        raise UsageError("their erasure was begun without a reason", hint="Leave --reason out to finish it.")
    hint = "If you stand by it, give just that reason; else see who put the tombstone there."
    raise UsageError(f"their erasure was begun for the reason: {shown(stated)}", hint=hint)


def _stated(sealed: BlindedArtifact, erasure: Erasure) -> Tombstone:
    previous = sealed.kept.tombstones[-1].statement if sealed.kept.tombstones else None
    return Tombstone(statement=erasure_statement(sealed.bundle.statement, erasure, previous))


def _published(tombstone: Tombstone, anchors: Sequence[Anchor]) -> Tombstone:
    for backend in anchors:
        (receipt,) = backend.publish([Submission(tombstone.statement.digest())])
        tombstone = receipted(tombstone, receipt, backend)
    return tombstone
