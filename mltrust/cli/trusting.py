"""From options to trust: whom the user named, what is configured, and whom mltrust assumes where nobody is named."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mltrust import opening
from mltrust.cli.console import Console
from mltrust.cli.home import own_ledger_uri, own_revocations, user_configuration, user_home
from mltrust.cli.naming import Named
from mltrust.configuration import Configuration
from mltrust.core.digest import parse_fingerprint
from mltrust.core.note import looks_like_a_key
from mltrust.disk.documents import read_document
from mltrust.errors import FormatError, UsageError
from mltrust.interfaces import Anchor, Home, Settings, SignatureVerifier, Trust, TrustedKey, TrustedSigner


def open_named(uri: str, console: Console, given: Settings | None = None, *, yes: bool = False) -> Anchor:
    """Return the anchor of a URI or of a short name in the user's configuration.

    What of `given` it does not understand is a `UsageError`; `yes` consents to what publishing costs.
    """
    (backend,) = open_publishing([uri], console, given or {}, yes=yes)
    return backend


def open_publishing(uris: Sequence[str], console: Console, given: Settings, *, yes: bool = False) -> list[Anchor]:
    """Return the anchors of several URIs or short names; each is given what it understands of `given`."""
    return user_configuration().open_all(uris, user_home(console, yes=yes), given)


def own_ledger(console: Console) -> Anchor:
    """Return the user's own ledger, with what is configured for it."""
    home = user_home(console)
    return user_configuration().open(own_ledger_uri(home), home)


def trust(named: Named, console: Console, *, content_only: bool = False) -> Trust:
    """Return the trust a command was given.

    1. A policy file, where one is named: all it asks for, with whatever else is named. One that names nobody is never
       met.
    2. Else those the options name, and only those; where they only say since when, the own ledger is asked as well.
    3. Else the `[trust]` table of the user's configuration; one that only says what is revoked, or of which kind those
       who vouch must be, leaves it to 4.
    4. Else the user's own ledger, if there is one.
    5. Whatever the user revoked, or a configuration or policy says is revoked, is so in all these cases.
    """
    home, configured = user_home(console), user_configuration()
    if named.policy is not None:
        configured = Configuration.read(named.policy).over(configured)
        demanded = replace(configured.trust(home), content_only=content_only)
        base = _with_named(demanded, named, configured, home)
    elif named.anybody or content_only:
        base = _with_named(Trust(content_only=content_only), named, configured, home)
        base = base if _says_whose(base) else replace(base, assumed=_assumed(console))
    else:
        base = _by_default(configured, home, console)
    return base if content_only else replace(base, revoked=configured.revoked() | own_revocations())  # 5


def _by_default(configured: Configuration, home: Home, console: Console) -> Trust:
    base = configured.trust(home)
    if not base.empty_policy:
        return base  # 3
    table = configured.trust_table
    if table is not None and not {"kinds", "revocations"} & set(table):
        raise UsageError(f"{configured.where}: [trust] names nobody: an empty policy is never met")
    return replace(base, empty_policy=False, assumed=_assumed(console))  # 4


def _says_whose(base: Trust) -> bool:
    known = base.content_only or base.fingerprint or base.signers
    return bool(known) or any(anchor.vouches for anchor in base.anchors)


def _assumed(console: Console) -> list[Anchor]:
    from mltrust.anchors.ledger import LedgerAnchor

    backend = own_ledger(console)
    return [backend] if isinstance(backend, LedgerAnchor) and backend.begun() else []


def _with_named(base: Trust, named: Named, configured: Configuration, home: Home) -> Trust:
    found = [_key(key, configured) for key in named.keys]
    keys = [key for key in found if isinstance(key, str)]
    given = dict(named.given)
    if keys and any("keys" in opening.settings_of(configured.uri(uri)) for uri in named.anchors):
        given["keys"], keys = keys, []  # the anchor says which of its records count by them
    anchors = configured.open_all([*named.anchors, *keys], home, given)
    signers = [key for key in found if isinstance(key, TrustedSigner)]
    return replace(
        base,
        anchors=[*base.anchors, *anchors],
        signers=[*base.signers, *signers, *_without_key(named)],
        fingerprint=_checked(named.fingerprint),
    )


def _without_key(named: Named) -> Iterator[TrustedSigner]:
    """Yield those who sign with certificates."""
    if named.certificates is not None:
        yield _signer(opening.verifier_by_certificates(str(named.certificates), named.certificates))
    if named.identity is not None:
        who = named.identity
        yield _signer(opening.verifier_by_identity(who.name, who.name, who.issuer, who.root))


def _signer(verifier: SignatureVerifier) -> TrustedSigner:
    return TrustedSigner(verifier.name, [TrustedKey(verifier)])


def _checked(fingerprint: str | None) -> str | None:
    try:
        return None if fingerprint is None else parse_fingerprint(fingerprint, "--fingerprint")
    except FormatError as error:
        raise UsageError(str(error)) from error


def _key(key: str, configured: Configuration) -> str | TrustedSigner:
    """Return the verifier key of a ledger as text, or the signer that `key` is: a key, a name, or a file with a key.

    What reads as a key is never looked up as a file, and nor is a configured name: the working folder may be the
    artifact, and hold one of that name.
    """
    path, hint = Path(key), "mltrust key show prints one, and mltrust ledger checkpoint --key that of a ledger."
    if looks_like_a_key(key):
        return key
    if opening.reads_as_public_key(key):
        return _signer(opening.verifier_by_key(None, key.encode(), "--key"))
    if key in configured.signers:
        return configured.signer(key)
    if not path.is_file():
        if key.startswith("sigstore:"):
            hint = "Who signs with Sigstore is named by --identity and --issuer."
        raise UsageError(f"--key {key}: neither a key nor a signer's name nor a file", hint=hint)
    data = read_document(path, opening.MAX_KEY_FILE_BYTES)
    lines = data.decode("utf-8", "replace").splitlines()
    text = lines[0].strip() if lines else ""
    if looks_like_a_key(text):
        return text
    return _signer(opening.verifier_by_key(key, data, f"--key {key}"))
