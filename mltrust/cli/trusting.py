"""From options to trust: whom the user named, and whom mltrust assumes where nobody was named."""

import re
from collections.abc import Sequence
from pathlib import Path

from mltrust import api
from mltrust.cli.home import anchor_names, own_ledger_uri, user_home
from mltrust.core.digest import parse_hex, suite_named
from mltrust.disk.documents import read_document
from mltrust.errors import FormatError, UsageError
from mltrust.interfaces import Anchor, Trust

_MAX_KEY_BYTES = 4096
_KEY = re.compile(r"[^+\s]+\+[0-9a-f]{8}\+\S+")  # name+id+key, as C2SP verifier keys are written


def open_named(uri: str) -> Anchor:
    """Return the anchor of a URI or of a short name in the user's configuration."""
    return api.open_anchor(anchor_names().get(uri, uri), user_home())


def own_ledger() -> Anchor:
    """Return the user's own ledger."""
    home = user_home()
    return api.open_anchor(own_ledger_uri(home), home)


def trust(
    anchors: Sequence[str] | None, keys: Sequence[str] | None, fingerprint: str | None, *, content_only: bool = False
) -> Trust:
    """Return the trust the options name; the own ledger, if there is one, where they name nobody."""
    named = [*map(open_named, anchors or ()), *(api.anchor_by_key(_key_text(key)) for key in keys or ())]
    if named or content_only or fingerprint is not None:
        return Trust(anchors=named, fingerprint=_checked(fingerprint), content_only=content_only)
    home = user_home()
    return Trust(assumed=[own_ledger()] if (home.data / "ledger").exists() or (home.data / "keys").exists() else [])


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
    if _KEY.fullmatch(key):
        return key
    if not path.is_file():
        raise UsageError(f"--key {key}: neither a key nor a file", hint="mltrust ledger checkpoint --key prints one.")
    lines = read_document(path, _MAX_KEY_BYTES).decode("utf-8", "replace").splitlines()
    return lines[0].strip() if lines else ""
