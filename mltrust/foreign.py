"""The Python face of what others signed: models that come with a bundle of OpenSSF Model Signing (OMS)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mltrust.artifacts import AnyPath, Artifact, open_artifact
from mltrust.beside.paths import erasures_path, salts_path, store_path
from mltrust.core.exclusion import TEMP_PREFIX, path_pattern
from mltrust.core.oms.bundle import MAX_BUNDLE_BYTES, OmsBundle, read_bundle
from mltrust.core.oms.statement import GIT_PATHS
from mltrust.core.report import Notice, Report
from mltrust.disk.documents import read_document
from mltrust.errors import UsageError
from mltrust.interfaces import Means, Seen, Trust, TrustedKey, TrustedSigner
from mltrust.means import default_means
from mltrust.operations.oms import verify_oms as verify_source
from mltrust.sealfile import seal_path


def verify_oms(
    artifact: AnyPath,
    bundle: AnyPath,
    *,
    trust: Trust,
    exclude: Sequence[str] = (),
    old: bool = False,
    means: Means | None = None,
) -> Report:
    """Verify a file or folder against an OMS bundle and the signers in `trust`; no seal is needed, or looked at.

    Left out are the paths that the bundle says were, what belongs to git at the top, the bundle itself, what mltrust
    keeps beside a seal (none of these if they are signed), and what the gitignore patterns in `exclude` name: the
    report lists all of it. `old` takes the signatures of model-signing 0.2.0, too, where certificates made them.
    """
    return verify_oms_seen(artifact, bundle, trust=trust, exclude=exclude, old=old, means=means)[0]


def verify_oms_seen(
    artifact: AnyPath,
    bundle: AnyPath,
    *,
    trust: Trust,
    exclude: Sequence[str] = (),
    old: bool = False,
    means: Means | None = None,
) -> tuple[Report, Seen]:
    """Do what `verify_oms` does; return beside the report what it was made of, as renderers want it."""
    if trust.fingerprint is not None:
        raise UsageError("a fingerprint is that of a seal, and a bundle has none", hint="Name a key, or certificates.")
    if trust.anchors:
        hint = "Name a signer's key, certificates or an identity."
        raise UsageError(f"{trust.anchors[0].name} vouches for seals, and a bundle is none", hint=hint)
    means, path = means or default_means(records=False), Path(bundle)
    read = read_bundle(read_document(path, MAX_BUNDLE_BYTES), str(path))
    place = open_artifact(artifact, means.remote)
    is_file = not place.is_folder()
    patterns = () if is_file else (*_left_out(read), *_ours(place, path, read), *exclude)
    source = place.source(tuple(dict.fromkeys(patterns)))
    signers = [_taking_old(signer) for signer in trust.signers] if old else trust.signers
    asked = replace(trust, signers=signers, assumed=())
    report, seen = verify_source(source, _by_ids(read, asked), asked, means, is_file=is_file)
    report = report.model_copy(update={"notices": (*report.notices, *_seal_notices(place))})
    return report, replace(seen, artifact=place.shown, folder=place.folder)


def _left_out(bundle: OmsBundle) -> Sequence[str]:
    """Return the patterns of what the bundle says is left out, and of what is no part of a model unless it is listed.

    That is what belongs to git at the top (OMS section 6.2.1), and what a killed write of ours left there.
    """
    listed = {file.name.split("/")[0] for file in bundle.statement.files}
    paths = (*(bundle.statement.ignored or ()), *(path for path in GIT_PATHS if path not in listed))
    temporary = () if any(name.startswith(TEMP_PREFIX) for name in listed) else (f"/{TEMP_PREFIX}*",)
    return [*map(path_pattern, paths), *temporary]


def _ours(place: Artifact, bundle: Path, read: OmsBundle) -> Sequence[str]:
    """Return the patterns of our files inside a folder, unless they are signed: bundle, seal, and what is beside it."""
    if place.path is None:
        return ()
    folder, seal = place.path.resolve(), seal_path(place.path)
    kept = (bundle, seal, salts_path(seal), store_path(seal), erasures_path(seal))
    places = (each.parent.resolve() / each.name for each in kept)  # a link is a file in the folder it lies in
    inside = {each.relative_to(folder).as_posix() for each in places if each.is_relative_to(folder)}
    return [path_pattern(each) for each in sorted(inside.difference(file.name for file in read.statement.files))]


def _seal_notices(place: Artifact) -> Sequence[Notice]:
    if place.path is None or not seal_path(place.path).exists():
        return ()
    message = "a seal is kept with the model; it was not looked at: verify it without --oms"
    return (Notice(code="seal-not-verified", path=seal_path(place.path).name, message=message),)


def _taking_old(signer: TrustedSigner) -> TrustedSigner:
    from mltrust.signers.certificate import CertificateVerifier

    def taking(key: TrustedKey) -> TrustedKey:
        if not isinstance(key.verifier, CertificateVerifier):
            hint = "Name certificates alone: --certificate-chain."
            raise UsageError(f"{signer.name}: old signatures are read where certificates made them", hint=hint)
        return replace(key, verifier=replace(key.verifier, old=True))

    return replace(signer, keys=[taking(key) for key in signer.keys])


def _by_ids(bundle: OmsBundle, trust: Trust) -> OmsBundle:
    """Give signatures with a hint at a trusted key the id of that key, by which a verifier tells what is its own."""
    ids = _hints(trust)
    if not ids:
        return bundle
    found = (each.model_copy(update={"keyid": ids.get(each.keyid, each.keyid)}) for each in bundle.signatures)
    return replace(bundle, signatures=tuple(found))


def _hints(trust: Trust) -> Mapping[str, str]:
    signers = [*trust.signers, *(signer for group in trust.groups for signer in group.signers)]
    if not signers:
        return {}
    from mltrust.core.oms.statement import key_hint
    from mltrust.signers.key import KeyVerifier

    keys = [key.verifier.key for signer in signers for key in signer.keys if isinstance(key.verifier, KeyVerifier)]
    return {key_hint(key): key.id for key in keys}
