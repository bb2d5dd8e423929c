"""The user's own things: where they are kept, what is configured, and how a plug talks with the user.

`MLTRUST_HOME` moves all of them into one folder. The configuration is read from the user's folder
alone, never from an artifact or the current folder.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mltrust.cli.console import Console
from mltrust.core.names import printable
from mltrust.errors import UnreadableError, UsageError
from mltrust.interfaces import Home, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mltrust.configuration import Configuration
    from mltrust.core.revocations import Revocations
    from mltrust.disk.digest_cache import DigestCache


def user_home(console: Console, *, yes: bool = False) -> Home:
    """Return where keys, the own ledger and what was remembered are kept; `yes` consents to every cost."""
    dialogue = Terminal(console, yes)
    if base := os.environ.get("MLTRUST_HOME"):
        return Home(Path(base).absolute() / "data", Path(base).absolute() / "state", dialogue)
    import platformdirs

    return Home(platformdirs.user_data_path("mltrust"), platformdirs.user_state_path("mltrust"), dialogue)


def config_path() -> Path:
    """Return where the user's configuration is."""
    if base := os.environ.get("MLTRUST_HOME"):
        return Path(base) / "config.toml"
    import platformdirs

    return platformdirs.user_config_path("mltrust") / "config.toml"


def user_configuration() -> "Configuration":
    """Return what the user configured; nothing, where there is no such file."""
    from mltrust.configuration import Configuration  # brings all that opening an anchor may need

    path = config_path()
    return Configuration.read(path) if is_there(path) else Configuration(str(path))


def revocations_path() -> Path:
    """Return where the list of keys is that the user revoked."""
    return config_path().with_name("revocations.json")


def own_revocations() -> "Revocations":
    """Return what the user revoked; nothing, where there is no such list."""
    from mltrust.core.revocations import Revocations
    from mltrust.disk.revocations import read_list

    path = revocations_path()
    try:
        return read_list(path) if is_there(path) else Revocations()
    except UnreadableError as error:
        error.hint = error.hint or "Restore it from a backup: without it, the keys you revoked would count again."
        raise


def is_there(path: Path) -> bool:
    """Tell whether a file is there; `OSError` where nobody can look: what may be revoked there is not passed over."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def remote_settings(*artifacts: str) -> "Mapping[str, Settings]":
    """Return what is configured for remote sources; the configuration is read only where one is named."""
    return user_configuration().remote if any("://" in artifact for artifact in artifacts) else {}


def cache_folder() -> Path:
    """Return where digests are remembered."""
    if base := os.environ.get("MLTRUST_HOME"):
        return Path(base).absolute() / "cache"
    import platformdirs

    return platformdirs.user_cache_path("mltrust")


def digest_cache(console: Console, *, reread: bool = False) -> "DigestCache":
    """Return where digests are remembered; why one is not used is told with --verbose."""
    from mltrust.disk.digest_cache import DigestCache

    return DigestCache(cache_folder(), console.talk if console.verbose else lambda _: None, reread=reread)


def own_ledger_uri(home: Home) -> str:
    """Return the URI of the user's own ledger, made on first use."""
    return f"ledger:{home.data / 'ledger'}"


@dataclass(frozen=True)
class Terminal:
    """The dialogue of a plug with the user: on stderr, and only where somebody sits at the terminal."""

    console: Console
    yes: bool

    def tell(self, message: str) -> None:
        """Say it, unless --quiet."""
        self.console.talk(message)

    def secret(self, prompt: str) -> str:
        """Ask without echo."""
        hint = "Name a file that holds it with --password-file."
        self._require_terminal(prompt, hint)
        from getpass import getpass

        try:
            return getpass(f"{printable(prompt)}: ", stream=sys.stderr)
        except EOFError as error:
            raise UsageError(
                f"nothing was typed: {prompt}", hint="Name a file that holds it with --password-file."
            ) from error

    def agree(self, question: str) -> bool:
        """Ask for a y; `--yes` has said it already."""
        if self.yes:
            return True
        self._require_terminal(question, "Consent in advance with --yes.")
        sys.stderr.write(f"{printable(question)} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _require_terminal(self, what: str, hint: str) -> None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError(f"nobody can be asked: {what}", hint=hint)
        self.console.put_bars_away()
