"""What the commands about ledgers share: which ledger is meant, and what is shown where one contradicts itself."""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.errors import ContradictionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mltrust.anchors.ledger import LedgerAnchor

ESCAPED = "Write --format json: there it is escaped."
LedgerOption = Annotated[
    str | None, typer.Option("--ledger", metavar="URI", help="ledger:PATH or a configured name (default: your own).")
]


def open_ledger(uri: str | None, console: Console) -> "LedgerAnchor":
    """Return the ledger of a URI or a short name, or the user's own."""
    from mltrust.anchors.ledger import LedgerAnchor
    from mltrust.cli.trusting import open_named, own_ledger

    backend = own_ledger(console) if uri is None else open_named(uri, console)
    if not isinstance(backend, LedgerAnchor):
        raise UsageError(f"{uri} names no ledger", hint="Write ledger:PATH.")
    return backend


@contextmanager
def showing_evidence(console: Console) -> "Iterator[None]":
    """End with FAILED where the ledger contradicts itself, showing what was signed that contradicts each other."""
    try:
        yield
    except ContradictionError as error:
        console.error(error)
        for line in "\n".join(error.evidence).splitlines():
            console.talk(f"| {line}")
        raise typer.Exit(Exit.FAILED) from error
