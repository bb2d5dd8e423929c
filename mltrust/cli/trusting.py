"""From options to trust: whom the user named, what is configured, and whom mltrust assumes where nobody is named."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mltrust import opening
from mltrust.cli.console import Console
from mltrust.cli.home import own_ledger_uri, user_configuration, user_home
from mltrust.cli.naming import Named
from mltrust.configuration import Configuration
from mltrust.core.digest import parse_hex, suite_named
from mltrust.core.note import looks_like_a_key
from mltrust.disk.documents import read_document
from mltrust.errors import FormatError, UsageError
from mltrust.interfaces import Anchor, Home, Settings, Trust

_MAX_KEY_BYTES = 4096


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

    1. A policy file, where one is named: all it asks for, with whatever else is named.
    2. Else those the options name, and only those; where they only say since when, the own ledger is asked as well.
    3. Else the `[trust]` table of the user's configuration.
    4. Else the user's own ledger, if there is one.
    """
    home, configured = user_home(console), user_configuration()
    if named.policy is not None:
        configured = Configuration.read(named.policy).over(configured)
        base = configured.trust(home)
        return _with_named(replace(base, content_only=content_only), named, configured, home)
    if named.anybody or content_only:
        base = _with_named(Trust(content_only=content_only), named, configured, home)
        says_whose = content_only or base.fingerprint or any(anchor.vouches for anchor in base.anchors)
        return base if says_whose else replace(base, assumed=_assumed(console))
    if configured.trust_table is not None:
        return configured.trust(home)
    return Trust(assumed=_assumed(console))


def _assumed(console: Console) -> list[Anchor]:
    from mltrust.anchors.ledger import LedgerAnchor

    backend = own_ledger(console)
    return [backend] if isinstance(backend, LedgerAnchor) and backend.begun() else []


def _with_named(base: Trust, named: Named, configured: Configuration, home: Home) -> Trust:
    keys = [_key_text(key) for key in named.keys]
    given = dict(named.given)
    if keys and any("keys" in opening.settings_of(configured.uri(uri)) for uri in named.anchors):
        given["keys"], keys = keys, []  # the anchor says which of its records count by them
    anchors = configured.open_all([*named.anchors, *keys], home, given)
    return replace(
        base,
        anchors=[*base.anchors, *anchors],
        fingerprint=_checked(named.fingerprint),
    )


def _checked(fingerprint: str | None) -> str | None:
    """Return the hexadecimal digits, also of a fingerprint as reports show it: `mltrust-1:...`."""
    if fingerprint is None:
        return None
    suite, _, digits = fingerprint.rpartition(":")
    try:
        if suite:
            suite_named(suite)
        return parse_hex(digits, "--fingerprint").hex()
    except FormatError as error:
        raise UsageError(str(error)) from error


def _key_text(key: str) -> str:
    """Return the key itself, or the first line of the file `key` names.

    What reads as a key is never looked up as a file: the working folder may be the artifact, and hold one of that name.
    """
    path = Path(key)
    if looks_like_a_key(key):
        return key
    if not path.is_file():
        raise UsageError(f"--key {key}: neither a key nor a file", hint="mltrust ledger checkpoint --key prints one.")
    lines = read_document(path, _MAX_KEY_BYTES).decode("utf-8", "replace").splitlines()
    text = lines[0].strip() if lines else ""
    if not looks_like_a_key(text):
        raise UsageError(f"--key {key}: holds no verifier key", hint="mltrust ledger checkpoint --key prints one.")
    return text
