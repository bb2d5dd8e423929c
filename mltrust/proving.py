"""The verbs of proofs, on paths: one file, tensor or record is part of what was sealed, or no record is."""

from collections.abc import Sequence
from pathlib import Path

from mltrust.artifacts import AnyPath, LocalArtifact, open_artifact
from mltrust.beside.kept import blinding_with
from mltrust.core.proof import MAX_PROOF_BYTES, Proof
from mltrust.core.report import Report
from mltrust.disk.documents import read_document
from mltrust.errors import UsageError
from mltrust.interfaces import Means, Trust
from mltrust.means import default_means
from mltrust.operations.anchor import Placed
from mltrust.operations.check import check as check_proof
from mltrust.operations.prove import prove as prove_part
from mltrust.operations.prove_records import Answer, Asked, RecordFile
from mltrust.operations.prove_records import prove_records as prove_each
from mltrust.operations.watched import WatchedSource
from mltrust.sealfile import read_seal_file, sealed_by
from mltrust.verifying import sealed_exclusions


def prove(seal: AnyPath, *, file: str, tensor: str | None = None) -> Proof:
    """Return the proof that one file, or one tensor of it, is in the sealed artifact."""
    return prove_part(read_seal_file(Path(seal)), file, tensor)


def prove_records(
    seal: AnyPath,
    asked: Sequence[Asked],
    *,
    file: str,
    artifact: AnyPath | None = None,
    means: Means | None = None,
    salts: AnyPath | None = None,
) -> list[Answer]:
    """Return an answer for each of `asked` about one sealed file of records; the file is read once for all of them.

    Each is the number of a record, from 1, or bytes that a record has, or spells the same JSON value as. An answer has
    the proof that it is in the artifact; or, if the seal has a record index, that no record has these bytes. `artifact`
    is where the file or folder lies, if not where the seal is kept with it; `salts` are those of a blinded seal, if not
    beside it. A proof discloses one record and its salt.
    """
    means, path = means or default_means(), Path(seal)
    bundle = read_seal_file(path)
    named = artifact or sealed_by(path)
    if named is None:
        hint = "Name it with --artifact."
        raise UsageError(f"no artifact beside {path}, and the records have to be read again", hint=hint)
    place = open_artifact(named, means.remote)
    alone = not place.is_folder()
    source = place.source(() if alone else sealed_exclusions(bundle))
    blinding = blinding_with(Placed(bundle, path), salts)
    here = RecordFile(WatchedSource(source, means.progress), means.readers, alone=alone, blinding=blinding)
    return prove_each(bundle, file, asked, here)


def check(proof: AnyPath, *, trust: Trust, content: AnyPath | None = None, means: Means | None = None) -> Report:
    """Check a proof file, and `content` against it: the bytes of the tensor, or the file that holds it."""
    found = Proof.parse(read_document(Path(proof), MAX_PROOF_BYTES), str(proof))
    if content is not None and Path(content).is_dir():
        raise UsageError(f"{content} is a folder: a proof speaks of one file", hint="Name the file itself.")
    source = LocalArtifact(Path(content)).source(()) if content is not None else None
    return check_proof(found, trust, source, means or default_means())
