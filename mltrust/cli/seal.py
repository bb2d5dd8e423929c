"""`mltrust seal`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.naming import Publishing, publishing
from mltrust.cli.options import (
    Artifact,
    Engine,
    Exclude,
    Format,
    FormatOption,
    Jobs,
    RecordsChoice,
    RecordsIndexOption,
    RecordsOption,
    SaltsOption,
    Suite,
    SuiteChoice,
    check_records,
    speaking,
)
from mltrust.cli.signers import KeyOption, TokenFileOption, given_for_signers, refuse_inside, signing_and_publishing
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from mltrust.interfaces import Anchor


@speaking
@publishing
def seal(
    how: Publishing,
    console: Console,
    artifact: Artifact,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write the seal.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What to call it (default: the file name).")
    ] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option("--anchor", metavar="URI", help="Publish here instead of your own ledger. Repeatable."),
    ] = None,
    no_anchor: Annotated[bool, typer.Option("--no-anchor", help="Publish nowhere.")] = False,
    key: KeyOption = None,
    identity_token_file: TokenFileOption = None,
    annotation: Annotated[
        list[str] | None, typer.Option("--annotation", metavar="K=V", help="Write this into the seal. Repeatable.")
    ] = None,
    exclude: Exclude = None,
    suite: Suite = SuiteChoice.BLAKE3,
    records: RecordsOption = RecordsChoice.AUTO,
    records_index: RecordsIndexOption = False,
    blind: Annotated[
        bool,
        typer.Option("--blind", help="Give every record a salt, kept beside the seal, so that none can be guessed."),
    ] = False,
    salts: SaltsOption = None,
    with_sha256: Annotated[
        bool | None,
        typer.Option(
            "--with-sha256/--no-with-sha256",
            help="Record the SHA-256 of every file, too (default: where Git LFS is used).",
            show_default=False,
        ),
    ] = None,
    oms: Annotated[
        Path | None,
        typer.Option(
            "--oms", metavar="FILE", help="Write an OpenSSF Model Signing bundle, too, signed by an EC --key."
        ),
    ] = None,
    reread: Annotated[
        bool, typer.Option("--reread", help="Read every file, also those unchanged since they were last read here.")
    ] = False,
    jobs: Jobs = None,
    engine: Engine = "threads",
    format_: FormatOption = Format.TEXT,
) -> None:
    """Seal a file or folder: fingerprint it, publish the fingerprint, write the seal file.

    The seal is written to ARTIFACT/mltrust.seal.json for a folder, ARTIFACT.seal.json for a file. Sealing
    something else over an existing seal records the old one as superseded.

    \b
    Examples:
      mltrust seal model/
      mltrust seal model/ --name acme/reader-7b --annotation license=apache-2.0
      mltrust seal model/ --exclude 'runs/' --anchor ledger:/srv/ledger
      mltrust seal weights.safetensors --suite sha256 --no-anchor
      mltrust seal model/ --key ~/keys/release.key
      mltrust seal s3://bucket/model --output model.seal.json
      mltrust seal model/ --reread
      mltrust seal model/ --with-sha256
      mltrust seal model/ --key signing.pem --oms model/model.sig
      mltrust seal data/ --records keep
      mltrust seal data/ --records-index
      mltrust seal people.jsonl --blind --salts ~/private/people.salts
    """
    from mltrust import api
    from mltrust.beside.paths import salts_path, store_path
    from mltrust.cli.export import check_bundle, write_bundle
    from mltrust.cli.home import digest_cache, remote_settings, user_home
    from mltrust.renderers import json_v1, text
    from mltrust.sealfile import seal_path

    token = given_for_signers(identity_token_file=identity_token_file)
    signers, given = signing_and_publishing(key or (), anchor or (), how, console, token)
    how = replace(how, given=given)
    if no_anchor and (anchor or how.given):
        raise UsageError("--no-anchor goes with no --anchor, nor with options of publishing")
    check_records(records, index=records_index, blind=blind)
    keys = user_home(console).data
    if keys.resolve().is_relative_to(Path(artifact).resolve()):
        hint = "Set MLTRUST_HOME to a folder elsewhere."
        raise UsageError(f"{artifact} holds your own keys ({keys}): they would be sealed with it", hint=hint)
    refuse_inside(artifact, key or ())
    why_sha256 = "asked for" if with_sha256 else "for the OMS bundle" if oms else "this repository uses Git LFS"
    with_sha256 = check_bundle(oms, output or seal_path(Path(artifact)), signers, with_sha256)
    anchors = [] if no_anchor else _anchors(anchor or (), how, console)
    if anchors and not any(backend.vouches for backend in anchors):
        console.talk("note: these anchors say since when it exists, not whose it is; name one that does as well")
    with console.progress() as progress:
        done = api.seal(
            artifact,
            output=output,
            name=name,
            anchors=anchors,
            signers=signers,
            suite=suite.value,
            exclude=exclude or (),
            annotations=_annotations(annotation or ()),
            means=api.default_means(
                jobs,
                progress,
                engine,
                remote_settings(artifact),
                records=records is not RecordsChoice.OFF,
                records_index=records_index,
            ),
            cache=digest_cache(console, reread=reread),
            keep_records=records is RecordsChoice.KEEP,
            blind=blind,
            salts=salts,
            with_sha256=with_sha256,
            beside=(oms,) if oms else (),
        )
    write_bundle(oms, done, signers, console)
    kept_salts = (salts or salts_path(done.path)) if blind else None
    if kept_salts:
        console.talk(f"salts in {kept_salts}: keep them, and to yourself; nothing is verified without")
    if records_index and not done.bundle.manifest.indexed:
        console.talk("note: there is no file of records without names here, so there is no record index")
    keep = records is RecordsChoice.KEEP
    store = store_path(done.path) if keep and done.bundle.manifest.record_files else None
    if keep and store is None:
        console.talk("note: there is no file of records here, so there is no record store")
    elsewhere = [backend.name for backend in anchors if not backend.carried]
    if format_ is Format.JSON:
        told = done.bundle, str(done.path), done.notices, elsewhere, done.recalled
        console.result(json_v1.sealed(*told, beside=(store, kept_salts, oms)))
    elif not console.quiet:
        told = done.bundle, str(done.path), done.notices, elsewhere, done.recalled
        console.result(text.sealed(*told, why_sha256=why_sha256))


def _anchors(uris: Sequence[str], how: Publishing, console: Console) -> "list[Anchor]":
    from mltrust.cli.trusting import open_publishing, own_ledger

    if not uris and not how.given:
        return [own_ledger(console)]
    return open_publishing(uris, console, how.given, yes=how.yes)


def _annotations(pairs: "list[str] | tuple[()]") -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key or key in found:
            raise UsageError(f"annotation {ascii(pair)[:80]} is not a new K=V", hint="--annotation license=mit")
        found[key] = value
    return found
