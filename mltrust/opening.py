"""Anchors by URI and by key: from what the caller wrote to the plug that it names."""

import os
from pathlib import Path

from mltrust import registry
from mltrust.core.note import looks_like_a_key
from mltrust.errors import UsageError
from mltrust.interfaces import Anchor, Home, Settings


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
