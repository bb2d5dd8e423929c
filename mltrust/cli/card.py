"""`mltrust card`."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.options import Format, FormatOption, SealFile, speaking
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from mltrust.core.bundle import Bundle
    from mltrust.renderers.card import Card

_REPOSITORY = re.compile(r"(?:(?:datasets|spaces)/)?[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_MAX_README = 2**24


@speaking
def card(
    console: Console,
    seal: SealFile,
    repo: Annotated[
        str, typer.Option("--repo", metavar="OWNER/NAME", help="The repository of the Hub that will have the files.")
    ] = "",
    write: Annotated[
        Path | None, typer.Option("--write", metavar="README", help="Put it into this README, in its place.")
    ] = None,
    badge: Annotated[
        Path | None, typer.Option("--badge", metavar="FILE", help="Write a badge, an SVG picture, and show it.")
    ] = None,
    before_seal: Annotated[
        bool, typer.Option("--before-seal", help="Say nothing of a seal, so that the README can be sealed as well.")
    ] = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Print the block of a model card: what the seal says, and how to verify. Nothing is verified.

    A README is content of a model: to write into it what the seal says would break the seal. So either the seal
    leaves the README out (--exclude /README.md), and nobody verifies it; or the card is written before sealing
    and says nothing of the seal (--before-seal). A README that is sealed is not written.

    \b
    Examples:
      mltrust card model/
      mltrust card model/ --repo acme/model --write model/README.md
      mltrust card model/ --before-seal --write model/README.md
    """
    from mltrust.renderers import json_v1
    from mltrust.renderers.card import Card

    if repo and not _REPOSITORY.fullmatch(repo):
        hint = "Write OWNER/NAME, datasets/OWNER/NAME or spaces/OWNER/NAME."
        raise UsageError(f"--repo {ascii(repo)[:80]} names no repository", hint=hint)
    path, bundle = _found(seal, before_seal=before_seal)
    found = Card(bundle, repo, _beside(badge, write))
    for target in filter(None, (write, badge)):
        _refuse_sealed(target, path, found)
    if badge is not None:
        _write(badge, found.svg().encode())
    if write is not None:
        _write(write, _readme(write, found))
    if format_ is Format.JSON:
        console.result(json_v1.document("card", found.to_json()))
    elif write is None:
        console.exact(f"---\n{found.front_matter()}---\n\n{found.block()}")
    elif before_seal:
        console.talk("Now seal the folder: the card is part of it.")


def _found(named: Path, *, before_seal: bool) -> "tuple[Path, Bundle | None]":
    """Return where the seal is, and the seal itself, unless nothing is to be said of it."""
    from mltrust import sealfile

    path = sealfile.seal_file(named)
    if not before_seal:
        return path, sealfile.read_seal_file(path, whole=True)
    if not named.exists():
        raise UsageError(f"{named} does not exist")
    return path, None


def _beside(badge: Path | None, readme: Path | None) -> str:
    """Return where the picture is, seen from the README, as a link has it."""
    if badge is None:
        return ""
    from urllib.parse import quote

    seen = os.path.relpath(badge.absolute(), (readme or badge).absolute().parent)
    return quote(Path(seen).as_posix())


def _refuse_sealed(target: Path, seal: Path, card: "Card") -> None:
    """Refuse to write what the seal speaks of, or would miss: it would not verify any more."""
    from mltrust.core.exclusion import Exclusions
    from mltrust.sealfile import sealed_by
    from mltrust.statements.seal import read_seal

    folder, real = sealed_by(seal), target.parent.resolve() / target.name
    if card.bundle is None or folder is None or not real.is_relative_to(folder.resolve()):
        return
    path = real.relative_to(folder.resolve()).as_posix()
    exclusions = Exclusions(read_seal(card.bundle.statement).parameters.exclude)
    if not (exclusions.match(path, folder=False) or exclusions.folder_above(path)):
        hint = f"Seal with --exclude /{path}, then nobody verifies it; or write the card first: --before-seal."
        raise UsageError(f"{target} is covered by the seal: to write it would break that", hint=hint)


def _readme(path: Path, card: "Card") -> bytes:
    from mltrust.disk.documents import read_document
    from mltrust.renderers.readme import with_card

    old = read_document(path, _MAX_README) if path.exists() else b""
    return with_card(old, card.front_matter(), card.block(), str(path))


def _write(path: Path, data: bytes) -> None:
    """Write a file as a whole, unless it is that already; its mode stays."""
    from mltrust.disk.documents import read_document, write_atomically

    if not path.exists():
        write_atomically(path, data)
    elif read_document(path, _MAX_README) != data:
        write_atomically(path, data, mode=path.stat().st_mode & 0o777)
