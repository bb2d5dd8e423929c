"""`mltrust show`."""

from mltrust.cli.console import Console
from mltrust.cli.options import Format, FormatOption, SealFile, speaking


@speaking
def show(console: Console, seal: SealFile, format_: FormatOption = Format.TEXT) -> None:
    """Show a seal as a tree: files, tensors, shapes, sizes, digests, signatures, receipts. Nothing is verified.

    \b
    Examples:
      mltrust show model/mltrust.seal.json
      mltrust show model/
      mltrust show weights.safetensors.seal.json --format json
    """
    from mltrust import sealfile
    from mltrust.beside.paths import store_path
    from mltrust.renderers import json_v1, text

    path = sealfile.seal_file(seal)
    bundle = sealfile.read_seal_file(path, whole=True)
    as_json = format_ is Format.JSON
    store = store_path(path)
    shown = text.tree(bundle, store.name if store.exists() else "", verbose=console.verbose)
    console.result(json_v1.as_ascii(bundle.to_json().decode("utf-8")) if as_json else shown)
