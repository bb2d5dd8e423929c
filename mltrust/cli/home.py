"""The user's own things: where they are kept, and the short names of anchors.

`MLTRUST_HOME` moves all of them into one folder. The configuration is read from the user's folder
alone, never from an artifact or the current folder.
"""

import os
import tomllib
from pathlib import Path

from mltrust.errors import UsageError
from mltrust.interfaces import Home

_KEYS = {"anchors"}


def user_home() -> Home:
    """Return where keys, the own ledger and what was remembered are kept."""
    if base := os.environ.get("MLTRUST_HOME"):
        return Home(Path(base) / "data", Path(base) / "state")
    import platformdirs

    return Home(platformdirs.user_data_path("mltrust"), platformdirs.user_state_path("mltrust"))


def config_path() -> Path:
    """Return where the user's configuration is."""
    if base := os.environ.get("MLTRUST_HOME"):
        return Path(base) / "config.toml"
    import platformdirs

    return platformdirs.user_config_path("mltrust") / "config.toml"


def anchor_names() -> dict[str, str]:
    """Return the short names of anchors: `[anchors]` with `name = "scheme:rest"`; an unknown key is an error."""
    path = config_path()
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    for key in config:
        if key not in _KEYS:
            raise UsageError(f"{path}: unknown key {key!r}", hint=f"Known: {', '.join(sorted(_KEYS))}.")
    anchors = config.get("anchors", {})
    if not isinstance(anchors, dict) or not all(isinstance(uri, str) for uri in anchors.values()):
        raise UsageError(f'{path}: [anchors] needs lines such as release = "ledger:/srv/ledger"')
    return anchors


def own_ledger_uri(home: Home) -> str:
    """Return the URI of the user's own ledger, made on first use."""
    return f"ledger:{home.data / 'ledger'}"
