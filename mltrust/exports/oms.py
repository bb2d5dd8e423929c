"""An OpenSSF Model Signing (OMS 1.0) bundle: the files of a seal and their SHA-256, signed by one key or identity.

Written so that every reader of such bundles takes it: method `files`, algorithm `sha256`, names in the order of their
code points, no links. The fingerprint of the seal stands beside the root, and a file with tensors or records is
annotated with their root, so whoever trusts the bundle can go on to the seal, and to proofs of its parts.
"""

import json
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring
from typing import ClassVar

from mltrust.core import canonical
from mltrust.core.exclusion import TEMP_PREFIX
from mltrust.core.leaf import Entry
from mltrust.core.names import count
from mltrust.core.oms.statement import (
    GIT_PATHS,
    MAX_IGNORED,
    MAX_RESOURCES,
    PREDICATE_TYPE,
    Serialization,
    key_hint,
    root_of,
)
from mltrust.core.public_key import CURVES, PublicKey
from mltrust.core.sigstore_bundle import bundle_of
from mltrust.core.statement import Statement, Subject
from mltrust.errors import UsageError
from mltrust.interfaces import Exporter, Sealing, Signer
from mltrust.statements.seal import read_seal

_GLOB = frozenset("*?[")
_NONE = b'"resources":[]'  # of the predicate, which comes before all that has a name of others in it


class OmsExporter(Exporter):
    """Writes the bundle, signed by the first signer whose signatures OMS knows."""

    name: ClassVar[str] = "oms"
    ending: ClassVar[str] = ".sig"
    needs_sha256: ClassVar[bool] = True
    signs: ClassVar[bool] = True
    says_left_out: ClassVar[bool] = True

    def check(self, signers: Sequence[Signer]) -> None:
        """Refuse a run without a key on a NIST curve, or an identity."""
        _fitting(signers)

    def export(self, sealing: Sealing) -> bytes:
        """Return the bundle; `UsageError` where nobody can sign it, or OMS cannot say what was sealed."""
        signer = _fitting(sealing.signers)
        payload = payload_of(sealing)
        (signature,) = signer.sign(payload)
        material = signature.material or _key_material(signer.public_key())
        signature = signature.model_copy(update={"keyid": "", "material": material})
        return (json.dumps(bundle_of(payload, signature)) + "\n").encode("ascii")

    def omitted(self, sealing: Sealing) -> Sequence[str]:
        """Name what OMS never covers, though the seal does."""
        paths = sealing.bundle.manifest.paths
        found = sorted({path.split("/")[0] for path in paths if _is_of_git(path)})
        number = sum(map(_is_of_git, paths))
        return [f"{', '.join(found)} ({count(number, 'file')}), as OMS asks"] if found else []


def payload_of(sealing: Sealing) -> bytes:
    """Return what is signed: the statement of the bundle, spelled as RFC 8785 does.

    `UsageError` where nothing is left to be said, or a name cannot be.
    """
    seal = sealing.bundle.statement
    suite = read_seal(seal).suite
    pairs = zip(sealing.bundle.manifest.entries, sealing.sha256s(), strict=True)
    files = [(entry, digest) for entry, digest in pairs if not _is_of_git(entry.path)]
    if not files:
        raise UsageError("OMS leaves out all there is in the seal, and takes no empty model")
    ignored = sorted({*GIT_PATHS, *map(_sayable, _lasting(sealing.left_out))})
    _refuse_more(len(files), MAX_RESOURCES, "files", "Seal its folders one by one.")
    _refuse_more(len(ignored), MAX_IGNORED, "paths that are left out", "Exclude the folders they lie in.")
    how = Serialization(method="files", hash_type="sha256", allow_symlinks=False, ignore_paths=tuple(ignored))
    digest = {"sha256": root_of(digest for _, digest in files).hex(), suite: seal.subject[0].digest[suite]}
    statement = Statement(
        subject=(Subject(name=seal.subject[0].name, digest=digest),),
        predicate_type=PREDICATE_TYPE,
        predicate={"resources": [], "serialization": how.to_json()},
    )
    resources = ",".join(_resource(entry, digest, suite) for entry, digest in files)  # in the order of the manifest
    return statement.payload().replace(_NONE, b'"resources":[%b]' % resources.encode("utf-8"), 1)


def _resource(entry: Entry, digest: bytes, suite: str) -> str:
    """Write a resource; one with tensors or records is annotated with the root and the number of its parts."""
    leaf, annotations = entry.leaf, ""
    if leaf.child_size:
        said = {"kind": str(leaf.kind), "root": leaf.child_root.hex(), "size": leaf.child_size}
        annotations = f'"annotations":{canonical.dumps({suite: said}).decode()},'
    return f'{{"algorithm":"sha256",{annotations}"digest":"{digest.hex()}","name":{encode_basestring(leaf.name)}}}'


def _is_of_git(path: str) -> bool:
    return path.startswith(".git") and path.split("/", 1)[0] in GIT_PATHS


def _lasting(left_out: Sequence[str]) -> Iterator[str]:
    """Yield what is left out but for what a killed write left: nobody signs that such a file may be there."""
    return (path for path in left_out if not path.startswith(TEMP_PREFIX))


def _refuse_more(number: int, limit: int, what: str, hint: str) -> None:
    if number > limit:
        raise UsageError(f"{number:,} {what}: no bundle with more than {limit:,} is read here", hint=hint)


def _sayable(path: str) -> str:
    """Return a path that is left out; section 6.2.1 allows no pattern among them, nor what looks like one."""
    if _GLOB & set(path):
        hint = "Rename it, or exclude the folder it lies in."
        raise UsageError(f"{path}: is left out of the seal, and OMS cannot say so: a name with *, ? or [", hint=hint)
    return path


def _fitting(signers: Sequence[Signer]) -> Signer:
    """Return the first signer with a key on a NIST curve, or with a certificate."""
    keys = [(signer, signer.public_key()) for signer in signers]
    for signer, key in keys:
        if key is None or key.kind in CURVES:
            return signer
    if not signers:
        raise UsageError("somebody has to sign an OMS bundle", hint="Name a P-256 key with --key FILE.")
    kinds = ", ".join(key.kind for _, key in keys if key)
    hint = "Make one with mltrust key generate --type p256. The seal itself may be signed with any key: mltrust sign."
    raise UsageError(f"OMS bundles are signed with keys on P-256, P-384 or P-521, and this is {kinds}", hint=hint)


def _key_material(key: PublicKey | None) -> dict[str, canonical.Json]:
    if key is None:
        raise UsageError("the signer has neither a key nor a certificate")
    return {"publicKey": {"hint": key_hint(key)}}
