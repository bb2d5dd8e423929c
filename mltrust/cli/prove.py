"""`mltrust prove`."""

from pathlib import Path
from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.options import SealFile, speaking, write_result


@speaking
def prove(
    console: Console,
    seal: SealFile,
    file: Annotated[str, typer.Option("--file", metavar="PATH", help="A file of the sealed artifact.")],
    tensor: Annotated[str | None, typer.Option("--tensor", metavar="NAME", help="One tensor of it.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write (default: stdout).")] = None,
) -> None:
    """Write a proof that one file or one tensor is part of the sealed artifact.

    The proof carries everything to check it offline: the statement, the path to its root, the receipts.

    \b
    Examples:
      mltrust prove model/mltrust.seal.json --file model.safetensors --tensor lm_head.weight -o proof.json
      mltrust prove model/ --file config.json > proof.json
    """
    from mltrust import api, sealfile
    from mltrust.renderers import json_v1

    proof = api.prove(sealfile.seal_file(seal), file=file, tensor=tensor).serialize()
    if output is None:
        console.result(json_v1.as_ascii(proof.decode("utf-8")))
    else:
        write_result(output, proof)
        console.talk(f"proof written to {output}")
