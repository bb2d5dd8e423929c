"""Anchors by URI and by key, and signers by key, certificates and identity: from what the caller wrote to the plug."""

import os
import re
from pathlib import Path

from mltrust import registry
from mltrust.core.note import looks_like_a_key
from mltrust.disk.documents import read_document
from mltrust.errors import FormatError, UnreadableError, UsageError
from mltrust.interfaces import Anchor, Home, Settings, SignatureVerifier

MAX_KEY_FILE_BYTES = 64 * 1024
_READS_AS_PUBLIC_KEY = re.compile(r"\s*(-----BEGIN |(ssh|ecdsa|sk)-\S+\s)")


def open_anchor(uri: str, home: Home, settings: Settings | None = None) -> Anchor:
    """Return the anchor a URI such as `ledger:PATH` names; `home` is where it may keep keys and memory.

    `settings` that mean nothing to that kind of anchor are a `UsageError`.
    """
    scheme, _, rest = uri.partition(":")
    if not rest or scheme not in registry.names("anchors"):
        known = ", ".join(f"{name}:…" for name in registry.names("anchors"))
        raise UsageError(f"{ascii(uri)[:80]} names no anchor", hint=f"There are: {known}")
    plug: type[Anchor] = registry.load("anchors", scheme)
    _refuse_unknown(settings or {}, plug)
    return plug.from_uri(uri, home, settings or {})


def canonical(uri: str, base: Path) -> str:
    """Return the one spelling of a URI: a path in it made absolute, counted from `base`, links not followed."""
    scheme, _, rest = uri.partition(":")
    if rest and "\0" not in rest and scheme in registry.names("anchors"):
        plug: type[Anchor] = registry.load("anchors", scheme)
        if plug.by_path:
            return f"{scheme}:{os.path.normpath(base.absolute() / rest)}"
    return uri


def settings_of(named: str) -> frozenset[str]:
    """Return the names of the settings that the anchor of a URI or a key understands; none if it names no anchor."""
    scheme = named.partition(":")[0]
    if looks_like_a_key(named):
        return _by_key(named, {})[0].settings
    plug: type[Anchor] | None = registry.load("anchors", scheme) if scheme in registry.names("anchors") else None
    return plug.settings if plug else frozenset()


def _refuse_unknown(settings: Settings, plug: type[Anchor]) -> None:
    if unknown := sorted(set(settings) - plug.settings):
        known = ", ".join(sorted(plug.settings)) or "none"
        raise UsageError(
            f"{ascii(unknown[0])[:80]} is no setting of {plug.scheme} anchors", hint=f"There are: {known}."
        )


def anchor_by_key(key: str, settings: Settings | None = None) -> Anchor:
    """Return an anchor that confirms receipts offline by a public key alone."""
    plug, backend = _by_key(key, settings or {})
    _refuse_unknown(settings or {}, plug)
    return backend


def _by_key(key: str, settings: Settings) -> tuple[type[Anchor], Anchor]:
    for scheme in registry.names("anchors"):
        plug: type[Anchor] = registry.load("anchors", scheme)
        backend = plug.from_key(key, {name: settings[name] for name in settings if name in plug.settings})
        if backend is not None:
            return plug, backend
    raise UsageError(f"{ascii(key)[:80]} is no key of a known kind", hint="mltrust ledger checkpoint shows a ledger's.")


def reads_as_public_key(text: str) -> bool:
    """Tell whether a text reads as a public key in PEM or OpenSSH form, well-formed or not; no path does."""
    return _READS_AS_PUBLIC_KEY.match(text) is not None


def verifier_by_key(name: str | None, data: bytes, where: str) -> SignatureVerifier:
    """Return who signs with a public key in PEM, DER or OpenSSH form, without a name called by its id.

    `UsageError` names `where` if it is none.
    """
    from mltrust.core.public_key import read_public_key
    from mltrust.signers.key import KeyVerifier

    try:
        key = read_public_key(data, where)
    except UnreadableError as error:
        raise UsageError(str(error), hint="mltrust key show prints the public key of a private one.") from error
    return KeyVerifier(key.id if name is None else name, key)


def verifier_by_key_file(name: str, path: Path) -> SignatureVerifier:
    """Return who signs with the public key in a file; `UsageError` if it cannot be read or holds none."""
    return verifier_by_key(name, _named_file(path, MAX_KEY_FILE_BYTES), str(path))


def verifier_by_certificates(name: str, path: Path) -> SignatureVerifier:
    """Return who signs with a certificate that leads to one of the roots in a file, in PEM or DER."""
    from mltrust.signers.certificate import MAX_ROOTS_BYTES, CertificateVerifier

    try:
        return CertificateVerifier(name, _named_file(path, MAX_ROOTS_BYTES))
    except FormatError as error:
        raise UsageError(str(error), hint="Name the certificates of the authority. A public key is no such.") from error


def verifier_by_identity(name: str, identity: str, issuer: str, trust_root: Path | None) -> SignatureVerifier:
    """Return who signs as an identity that an issuer knows, under a Sigstore trust root."""
    from mltrust.signers.sigstore.verifier import SigstoreVerifier

    if trust_root is not None and not trust_root.is_file():  # else it would be missed with the first signature only
        raise UsageError(f"{trust_root}: no such file; it is to be the trust root")
    return SigstoreVerifier(name, identity=identity, issuer=issuer, trust_root=trust_root)


def _named_file(path: Path, limit: int) -> bytes:
    try:
        return read_document(path, limit)
    except UnreadableError as error:  # the caller named what is not there
        raise UsageError(str(error)) from error
