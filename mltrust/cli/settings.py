"""Every value that is set, and its origin: what `config show` shows."""

import os
from collections.abc import Iterator
from pathlib import Path

from mltrust.cli.console import Console
from mltrust.cli.home import cache_folder, config_path, is_there, own_ledger_uri, revocations_path, user_home
from mltrust.renderers.origins import File, Origins, Setting

_HOME = "MLTRUST_HOME"
_DEBUG = "MLTRUST_DEBUG"
_COLORS = (("NO_COLOR", "never"), ("FORCE_COLOR", "always"))


def found(console: Console) -> Origins:
    """Return the files that were looked for, and every value; raise `UsageError` as every command would."""
    files = [_file(config_path(), "configuration"), _file(revocations_path(), "revocations")]
    return Origins(files, [*_folders(console), *_terminal(), *_configured()])


def unknown_variables() -> list[str]:
    """Return the environment variables that look like ours and are none."""
    return sorted(name for name in os.environ if name.startswith("MLTRUST_") and name not in (_HOME, _DEBUG))


def _file(path: Path, what: str) -> File:
    return File(what, str(path), is_there(path))


def _folders(console: Console) -> Iterator[Setting]:
    home = user_home(console)
    places = {
        "folders.configuration": (config_path().parent, "XDG_CONFIG_HOME"),
        "folders.data": (home.data, "XDG_DATA_HOME"),
        "folders.state": (home.state, "XDG_STATE_HOME"),
        "folders.cache": (cache_folder(), "XDG_CACHE_HOME"),
    }
    for name, (path, variable) in places.items():
        yield Setting(name, str(path), variable=_chosen_by(path, variable))
    yield Setting("own-ledger", own_ledger_uri(home), variable=_chosen_by(home.data, "XDG_DATA_HOME"))


def _chosen_by(path: Path, variable: str) -> str | None:
    """Return the environment variable that put a folder where it is."""
    if os.environ.get(_HOME):
        return _HOME
    base = os.environ.get(variable)
    return variable if base and path.is_relative_to(base) else None


def _terminal() -> Iterator[Setting]:
    variable, color = next(((name, means) for name, means in _COLORS if os.environ.get(name)), (None, "auto"))
    yield Setting("color", color, variable=variable)
    yield Setting("debug", bool(os.environ.get(_DEBUG)), variable=_DEBUG if os.environ.get(_DEBUG) else None)
    socket = os.environ.get("SSH_AUTH_SOCK")
    yield Setting("ssh-agent.socket", socket or None, variable="SSH_AUTH_SOCK" if socket else None)


def _configured() -> Iterator[Setting]:
    path = config_path()
    if not is_there(path):
        return
    from mltrust.configuration import Configuration
    from mltrust.configuration.shown import shown_values
    from mltrust.disk.tables import read_tables

    Configuration.read(path)  # what no command could use is an error
    for each in shown_values(read_tables(path)):
        yield Setting(each.key, each.value, each.hidden, file=str(path))
