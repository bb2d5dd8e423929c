"""SHA-256s that a seal records beside its digests: the sealer's word, until they are compared with the bytes."""

from collections.abc import Iterator

from mltrust.core.manifest import Manifest
from mltrust.core.names import count, few
from mltrust.core.report import Check, CheckKind, Outcome
from mltrust.errors import UsageError

_NAME = "sha256"
_COMPLETE = "Compare again with all of the sealed files; of a Git LFS pointer: git lfs pull."


def require_sha256s(sealed: Manifest) -> None:
    """Raise `UsageError` if there is nothing to compare with."""
    if not sealed.has_sha256:
        hint = "Verify without --with-sha256: all that the seal states is compared then."
        raise UsageError("the seal records no SHA-256 of its files", hint=hint)


def sha256_check(sealed: Manifest, found: Manifest) -> Check:
    """Return what comes out of comparing the sealed SHA-256s with those of the bytes, which `found` has.

    1. A file that differs from the sealed one is a difference already, and nothing is to be learnt from its SHA-256.
    2. Of every other, the SHA-256 must be the sealed one: else who made the seal stated a false one.
    3. Where some could not be compared, whoever asked for all of them has no yes.
    """
    differing = list(sealed.differing(found))  # 1
    others = {entry.path for pair in differing for entry in pair if entry is not None}
    pairs = zip(_but(others, sealed), _but(others, found), strict=True)  # the same files, in the same order
    false = [path for (path, stated), (_, computed) in pairs if stated != computed]  # 2
    if false:
        summary = f"the seal states a false SHA-256 of {count(len(false), 'file')}: {few(false)}"
        return Check(kind=CheckKind.SEAL, name=_NAME, outcome=Outcome.FAIL, summary=summary, names=tuple(false))
    left = sum(before is not None for before, _ in differing)
    if left:  # 3
        summary = (
            f"the SHA-256 of {count(left, 'sealed file')} could not be compared; of {sealed.size - left:,} it is right"
        )
        return Check(
            kind=CheckKind.SEAL, name=_NAME, outcome=Outcome.UNCHECKED, summary=summary, hint=_COMPLETE, required=True
        )
    summary = f"the sealed SHA-256s are those of the bytes, too: {count(sealed.size, 'file')}"
    return Check(kind=CheckKind.SEAL, name=_NAME, outcome=Outcome.PASS, summary=summary)


def _but(others: set[str], manifest: Manifest) -> Iterator[tuple[str, bytes]]:
    found = zip(manifest.paths, manifest.sha256s, strict=True)
    return (pair for pair in found if pair[0] not in others)
