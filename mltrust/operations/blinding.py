"""What verifying a blinded artifact takes beside its seal, and what may be said of it then."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mltrust.core.blinding import NO_SALT, Blinded, Blinding, away
from mltrust.core.bundle import Bundle
from mltrust.core.changes import Change
from mltrust.core.manifest import Manifest
from mltrust.core.names import count, printable, shown
from mltrust.core.report import Check, CheckKind, Notice, Outcome
from mltrust.disk.salts import KeptSalts
from mltrust.interfaces import Means, RecordReader
from mltrust.operations.fingerprint import Reading
from mltrust.operations.rows import is_remote
from mltrust.statements.erasure import Tombstone, contradiction, read_erasure

Ask = Callable[[Tombstone], Iterable[Check]]
"""Asks everybody the caller trusts about a tombstone."""


@dataclass(frozen=True)
class Kept:
    """What is kept with a blinded seal: the salts by file, None where they are not here, and the tombstones."""

    salts: Mapping[str, KeptSalts] | None = None
    tombstones: Sequence[Tombstone] = field(default=())

    def erased(self) -> dict[str, dict[int, bytes]]:
        """Return the hashes of the leaves that are gone, by file and index."""
        found: dict[str, dict[int, bytes]] = {}
        for tombstone in self.tombstones:
            found.setdefault(read_erasure(tombstone.statement).file, {}).update(tombstone.erased)
        return found

    def odd(self, bundle: Bundle) -> str | None:
        """Say how the tombstones contradict the seal or each other; None if they do not."""
        sizes = {leaf.name: leaf.child_size for leaf in bundle.manifest.blinded}
        return contradiction(self.tombstones, bundle.statement, lambda path: sizes.get(path, 0))


def blinding_of(manifest: Manifest, kept: Kept) -> Blinding:
    """Return how the files of a sealed `manifest` are blinded."""
    erased, salts = kept.erased(), kept.salts
    files: dict[str, Blinded] = {}
    for leaf in manifest.blinded:
        files[leaf.name] = Blinded(None if salts is None else salts[leaf.name], erased.get(leaf.name, {}), leaf)
    return Blinding(files)


def blinded_means(means: Means, blinding: Blinding) -> Means:
    """Return `means` whose readers of records blind them so; `UsageError` if other machines were to read."""
    if (blinding.files or blinding.secret) and is_remote(means):
        raise away()
    readers = [each.blinded_by(blinding) if isinstance(each, RecordReader) else each for each in means.readers]
    return replace(means, readers=readers)


def not_blinded(manifest: Manifest) -> Iterator[Notice]:
    """Yield the notice that names files which a blinded seal lists by the digests of their bytes."""
    blinded = {leaf.name for leaf in manifest.blinded}
    others = manifest.size - len(blinded)
    if others:
        first = next(path for path in manifest.paths if path not in blinded)
        message = "not blinded: whoever guesses its bytes can tell from the seal that he is right"
        if others > 1:
            message = f"this and {count(others - 1, 'more file')} are {message}".replace("its bytes", "their bytes")
        yield Notice(code="not-blinded", path=first, message=message)


def noted(change: Change, blinding: Blinding, manifest: Manifest) -> Change:
    """Say of a blinded file that was found changed, as it is in `manifest`, what of it does not fit."""
    blinded, entry = blinding.files.get(change.name), manifest.find(change.name)
    if change.note or blinded is None or blinded.sealed is None or blinded.salts is None or entry is None:
        return change
    sealed, found = blinded.sealed.child_size, entry[1].leaf.child_size
    known = f"{sealed:,} sealed, {len(blinded.erased):,} erased" if blinded.erased else f"{sealed:,} sealed"
    note = "the records are not the sealed ones, or not in their order"
    if found > sealed:
        note = f"{found - sealed:,} too many: {known}"
        note += "; an erased one is back, or an erasure is unfinished" if blinded.erased else ""
    elif found < sealed:
        note = f"records are missing: {known}"
    return change.model_copy(update={"note": note})


def about_blinded(content: Check, kept: Kept, manifest: Manifest) -> Check:
    """Return the check of the content of a blinded artifact: it says no more than what blinded leaves can show."""
    if content.outcome is not Outcome.PASS or not manifest.blinded:
        return content
    files = count(len(manifest.blinded), "file")
    if kept.salts is None:
        hint = "Name them with --salts. Who has no salts can check proofs of single records."
        summary = f"{files} not checked: blinded, and the salts are not here"
        return content.model_copy(update={"outcome": Outcome.UNCHECKED, "summary": summary, "hint": hint})
    uncovered = f"of {files}, blinded, line endings and container are not covered"
    return content.model_copy(update={"summary": f"{content.summary}; {uncovered}"})


def erased_from(reading: Reading, blinding: Blinding) -> tuple[int, int]:
    """Return how many records, and bytes, of what was sealed are missing because they were erased."""
    sizes = {file.path: file.size for file in reading.files}
    found = [leaf for leaf in reading.manifest.blinded if (how := blinding.files.get(leaf.name)) and how.erased]
    records = sum(len(blinding.files[leaf.name].erased) for leaf in found)
    return records, sum(leaf.size - sizes.get(leaf.name, leaf.size) for leaf in found)


def erasure_checks(bundle: Bundle, kept: Kept, ask: Ask) -> Iterator[Check]:
    """Yield a check for each tombstone.

    1. Tombstones must be of this seal, in their order (`contradiction`); else none of them counts.
    2. The salts of what they say is erased must be gone.
    3. Each must be vouched for by whom the caller trusts, just as a seal is. That does not vouch for the seal. After
       one that is not, nobody is asked about the next: to ask costs, and they come from whoever made up that one.
    """
    odd = kept.odd(bundle)
    if odd is not None:
        yield _check(Outcome.FAIL, f"the erasures are not to be believed: {odd}")
        return
    asking = True
    for tombstone in kept.tombstones:
        if left := _left(tombstone, kept):
            yield _unfinished(tombstone, left)
        elif asking:
            found = _vouched(tombstone, list(ask(tombstone)))
            asking = found.outcome is Outcome.PASS
            yield found
        else:
            yield _check(Outcome.UNCHECKED, f"{_erased(tombstone)}, and nobody was asked, for the reason before")


def _left(tombstone: Tombstone, kept: Kept) -> list[int]:
    """Return the indexes of erased records whose salts are still there."""
    if kept.salts is None:
        return []
    predicate = read_erasure(tombstone.statement)
    with kept.salts[predicate.file].opened() as take:
        return [record.index for record in predicate.records if take(record.index, 1) != NO_SALT]


def _unfinished(tombstone: Tombstone, left: Sequence[int]) -> Check:
    file = read_erasure(tombstone.statement).file
    what = f"the salt of an erased record is still there: record {left[0] + 1} of {shown(file)}"
    return _check(Outcome.FAIL, f"{what}; the erasure is unfinished", hint=again(tombstone))


def again(tombstone: Tombstone) -> str:
    """Return the hint that says how an erasure is finished."""
    predicate = read_erasure(tombstone.statement)
    records = " ".join(f"--record {record.index + 1}" for record in predicate.records[:8])
    more = " ..." if len(predicate.records) > 8 else ""  # noqa: PLR2004  # as many as a line takes
    return f"Finish it: mltrust erase ARTIFACT --file {shown(predicate.file)} {records}{more}"


def _vouched(tombstone: Tombstone, answers: Sequence[Check]) -> Check:
    what = _erased(tombstone)
    for answer in answers:
        if answer.outcome is Outcome.FAIL:
            return _check(Outcome.FAIL, f"{what}: {answer.summary}", hint=answer.hint)
    voucher = next((one for one in answers if one.outcome is Outcome.PASS and _can_vouch(one)), None)
    pending = (one for one in answers if one.outcome is not Outcome.PASS and (one.required or voucher is None))
    open_ = next(pending, None)
    if voucher is None or open_ is not None:
        why = open_.summary if open_ is not None else "nobody was asked"
        hint = (
            "Trust an anchor (--anchor) or a ledger's key (--key) that vouches for the erasure, not only for the seal."
        )
        return _check(Outcome.UNCHECKED, f"{what}, and nobody you trust vouches for that: {why}", hint=hint)
    when = f", not after {voucher.time.not_after}" if voucher.time and voucher.time.not_after else ""
    passed = _check(Outcome.PASS, f"{what}{when}, by {printable(voucher.name)}")
    return passed.model_copy(update={"time": voucher.time})


def _erased(tombstone: Tombstone) -> str:
    predicate = read_erasure(tombstone.statement)
    reason = f", {printable(predicate.reason)!r}" if predicate.reason else ""
    return f"{count(len(predicate.records), 'record')} of {shown(predicate.file)} erased{reason}"


def _can_vouch(check: Check) -> bool:
    return check.vouches and check.kind in (CheckKind.ANCHOR, CheckKind.SIGNATURE)


def _check(outcome: Outcome, summary: str, hint: str | None = None) -> Check:
    return Check(kind=CheckKind.ERASURE, name="erasure", outcome=outcome, summary=summary, hint=hint, required=True)
