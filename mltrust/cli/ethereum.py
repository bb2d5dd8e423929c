"""`mltrust ethereum deploy | status | resume`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.cli.naming import Publishing, signing
from mltrust.cli.options import Format, FormatOption, speaking
from mltrust.core.names import count, printable
from mltrust.errors import AnchorError, MltrustError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mltrust.anchors.ethereum import EthereumAnchor
    from mltrust.anchors.ethereum.sending.journal import Entry, Stage
    from mltrust.core.bundle import Bundle
    from mltrust.core.canonical import Json

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Put the contract on a chain, and look after transactions that were sent.",
)

_To = Annotated[str, typer.Option("--to", metavar="URI", help="ethereum:NAME, ethereum:CHAIN_ID or a short name.")]
_SomeTo = Annotated[str | None, typer.Option("--to", metavar="URI", help="A chain (default: all that are configured).")]


def _open(uri: str, console: Console, how: Publishing) -> "EthereumAnchor":
    from mltrust.anchors.ethereum import EthereumAnchor
    from mltrust.cli.trusting import open_named

    backend = open_named(uri, console, how.given, yes=how.yes)
    if not isinstance(backend, EthereumAnchor):
        raise UsageError(f"{uri} names no Ethereum chain", hint="Write ethereum:NAME or ethereum:CHAIN_ID.")
    return backend


def _open_all(uri: str | None, console: Console, how: Publishing) -> "list[EthereumAnchor]":
    from mltrust.cli.home import user_configuration

    configured = [name for name in user_configuration().settings if name.startswith("ethereum:")]
    uris = configured if uri is None else [uri]
    if not uris:
        raise UsageError("no Ethereum chain is configured", hint="Name one with --to.")
    return [_open(name, console, how) for name in uris]


@app.command("deploy", short_help="put the contract on a chain")
@speaking
@signing
def deploy(how: Publishing, console: Console, to: _To, format_: FormatOption = Format.TEXT) -> None:
    """Put the contract AnchorLog on a chain. Its address follows from its code: it is the same on every chain.

    Anybody can do it, once for everybody, and doing it again changes nothing. It has no owner.

    \b
    Examples:
      mltrust ethereum deploy --to ethereum:sepolia --signer keystore:key.json
    """
    from mltrust.anchors.ethereum.proof.addresses import checksummed
    from mltrust.renderers import json_v1

    backend = _open(to, console, how)
    publishing = backend.publishing()
    transaction = publishing.deploy()
    contract = checksummed(publishing.session.contract)
    if format_ is Format.JSON:
        done: dict[str, Json] = {"anchor": backend.name, "contract": contract, "transaction": transaction}
        console.result(json_v1.document("ethereum-deployed", done))
        return
    console.talk(f"{backend.name}: it was there already" if transaction is None else f"deployed by {transaction}")
    console.result(contract)


@app.command("status", short_help="list the transactions sent from here")
@speaking
def status(console: Console, to: _SomeTo = None, format_: FormatOption = Format.TEXT) -> None:
    """List the transactions sent from here: how far each has come, what it cost, and its hash.

    They are journaled (on disk), sent (waiting), included (in a block), final, failed, or lost (another transaction
    took the nonce). Exit code 3 if a chain could not be asked: then it is as it was last seen.

    \b
    Examples:
      mltrust ethereum status
      mltrust ethereum status --to ethereum:sepolia --format json
    """
    from mltrust.renderers import json_v1

    backends = _open_all(to, console, Publishing({}, yes=False))
    asked = [(backend, *_observed(backend, console)) for backend in backends]
    rows = [(backend, entry, stage) for backend, entries, _ in asked for entry, stage in entries]
    if format_ is Format.JSON:
        batches: list[Json] = [_fields(backend, entry, stage) for backend, entry, stage in rows]
        console.result(json_v1.document("ethereum-status", {"transactions": batches}))
    elif rows:
        console.result("\n".join(printable(_line(backend, entry, stage)) for backend, entry, stage in rows))
    if not all(reached for _, _, reached in asked):
        raise typer.Exit(Exit.UNDECIDED)


@app.command("resume", short_help="go on with what was begun")
@speaking
@signing
def resume(
    how: Publishing,
    console: Console,
    to: _SomeTo = None,
    bump: Annotated[
        bool, typer.Option("--bump", help="Replace what is waiting by transactions that offer more.")
    ] = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Go on with what was begun: send again what is in no block, wait for it, and write the receipts to the seals.

    The same bytes are sent, under the same nonce, so nothing is ever published twice. Exit code 3 if something is
    still waiting.

    \b
    Examples:
      mltrust ethereum resume
      mltrust ethereum resume --to ethereum:sepolia --bump --signer keystore:key.json
    """
    from mltrust.renderers import json_v1

    waiting, done = 0, list["Json"]()
    for backend in _open_all(to, console, how):
        publishing = backend.publishing()
        for entry, error in publishing.resume(raise_fees=bump):
            if error is not None:
                console.error(error)
                waiting += 1
                continue
            done.append(_fields(backend, entry, entry.stage))
            if format_ is Format.TEXT and not console.quiet:
                console.result(printable(_line(backend, entry, entry.stage)))
            if _deliver(backend, entry, console):
                publishing.delivered(entry)
    if format_ is Format.JSON:
        console.result(json_v1.document("ethereum-resumed", {"transactions": done, "waiting": waiting}))
    if waiting:
        raise typer.Exit(Exit.UNDECIDED)


def _deliver(backend: "EthereumAnchor", entry: "Entry", console: Console) -> bool:
    """Write the receipts of `entry` to the seal files that are still there; tell whether all of them have theirs."""
    from mltrust import api
    from mltrust.interfaces import Trust

    found = dict(_still_there(entry))
    try:
        for path, bundle in found.items():
            if any(receipt.kind == backend.scheme for receipt in bundle.receipts):  # it may be of a block that is gone
                api.consult(path, Trust(anchors=[backend]), refresh=True)
        if found:
            api.anchor(list(found), backend)
            console.talk(f"{count(len(found), 'seal')} with {backend.name} receipts")
    except MltrustError as error:
        console.error(error)
        return False
    return True


def _still_there(entry: "Entry") -> "Iterable[tuple[Path, Bundle]]":
    from mltrust import sealfile

    for digest, path in zip(entry.listed(), entry.paths, strict=False):
        try:
            bundle = sealfile.read_seal_file(Path(path)) if path else None
        except MltrustError:
            continue  # moved, removed, or no seal any more
        if bundle is not None and bundle.statement.digest() == digest:
            yield Path(path), bundle


def _observed(backend: "EthereumAnchor", console: Console) -> "tuple[Sequence[tuple[Entry, Stage]], bool]":
    try:
        return list(backend.publishing().status()), True
    except AnchorError as error:
        console.error(error)
        return [(entry, entry.stage) for entry in backend.journal.everywhere()], False


def _line(backend: "EthereumAnchor", entry: "Entry", stage: "Stage") -> str:
    from mltrust.anchors.ethereum.sending.journal import Stage
    from mltrust.anchors.ethereum.sending.offers import ether

    what = count(len(entry.listed()), "digest") if entry.digests else "deployment"
    cost = "" if entry.paid is None else f"  {ether(int(entry.paid))} ETH"
    failed = bool(entry.digests) and entry.evidence is None and entry.stage is stage is Stage.INCLUDED
    far = "included, failed so far" if failed else stage.value
    return f"{backend.name}  nonce {entry.nonce}  {far}  {what}{cost}  {entry.attempts[-1].hash}"


def _fields(backend: "EthereumAnchor", entry: "Entry", stage: "Stage") -> "dict[str, Json]":
    return {
        "anchor": backend.name,
        "chain_id": entry.chain_id,
        "sender": entry.author,
        "nonce": entry.nonce,
        "purpose": entry.purpose.value,
        "stage": stage.value,
        "digests": len(entry.listed()),
        "transactions": [attempt.hash for attempt in entry.attempts],
        "paid_wei": entry.paid,
    }
