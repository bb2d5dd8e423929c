"""`mltrust key revoke`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.options import Format, FormatOption, speaking
from mltrust.cli.signers import PasswordFileOption, given_for_signers, public_key
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from mltrust.interfaces import Settings


@speaking
def revoke(
    console: Console,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Key files, or key ids.", show_default=False)
    ] = None,
    identity: Annotated[
        list[str] | None, typer.Option("--identity", metavar="ID", help="sigstore: an identity. Repeatable.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Such as 2026-01-31T12:00:00Z (default: now).")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Shown to whoever meets the key.")
    ] = None,
    list_: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="The list to add it to (default: your own).")
    ] = None,
    password_file: PasswordFileOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Revoke keys: add them to a list of keys that vouch for nothing since a time.

    What an anchor you trust proves to be older than that still counts. Your own list always holds for you; give others
    a list of its own, which their policy names in [trust] revocations. Half a hybrid key that is revoked is no key.
    Revoking again keeps the earlier time.

    \b
    Examples:
      mltrust key revoke release.key.pub --reason 'laptop stolen'
      mltrust key revoke sha256:4f0c... --since 2026-01-31T00:00:00Z --list revoked.json
    """
    from mltrust.cli.home import revocations_path
    from mltrust.core.receipt import timestamp
    from mltrust.core.revocations import Revocation
    from mltrust.disk import revocations
    from mltrust.renderers.revoked import revoked

    given = given_for_signers(password_file=password_file)
    named = [*(each for key in keys or () for each in _ids(key, console, given)), *(identity or ())]
    if not named:
        raise UsageError("nobody is named to be revoked", hint="Name a key file, a key id, or --identity.")
    when = timestamp(datetime.now(UTC) if since is None else _time(since))
    path = revocations_path() if list_ is None else list_
    found = revocations.revoke(path, [Revocation.of(each, when, reason) for each in named])
    entries = [found.by_key[each] for each in dict.fromkeys(named)]
    if format_ is Format.JSON or not console.quiet:
        console.result(revoked(entries, str(path), as_json=format_ is Format.JSON))


def _ids(key: str, console: Console, given: "Settings") -> tuple[str, ...]:
    from mltrust.core.revocations import KEY_ID

    if KEY_ID.fullmatch(key):
        return (key,)
    if key.startswith("sha256:"):
        raise UsageError(f"{key[:80]} is no key id", hint="It has 64 digits: mltrust key show, or show a seal.")
    return public_key(key, console, given).ids


def _time(text: str) -> datetime:
    hint = "Write it such as 2026-01-31T12:00:00Z, with its zone."
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--since {text[:40]}: not a time", hint=hint) from error
    raise UsageError(f"--since {text[:40]}: says no time zone", hint=hint)
