"""What is worth knowing about an artifact before anybody trusts it: it proves nothing, it warns."""

import json
from collections.abc import Iterator, Sequence
from posixpath import basename

from mltrust.core.json_values import object_of
from mltrust.core.manifest import Manifest
from mltrust.core.names import printable
from mltrust.core.report import Notice
from mltrust.interfaces import ArtifactSource, FileEntry

_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib")
_CONFIGS = {"config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json"}
_ADAPTER = "adapter_config.json"
_MAX_CONFIG = 4 * 2**20
_HEAD = 4
_MAX_UNCLEAR = 1000  # a folder of more such files holds samples, not checkpoints; and each costs a read
NOTEWORTHY = (*_PICKLES, ".bin", "config.json")
"""How the paths end of the files that `notices` may look into."""


def notices(manifest: Manifest, files: Sequence[FileEntry], source: ArtifactSource) -> Iterator[Notice]:
    """Yield colliding names, pickles, code that loads with the model, and adapters whose base is not here.

    `files` holds those that are `NOTEWORTHY`, at least.
    """
    for group in manifest.collisions():
        same = ", ".join(group[1:])
        message = f"differs only in case or Unicode form from {same}; some file systems hold one of them"
        yield Notice(code="name-collision", path=group[0], message=message)
    unclear = [file for file in files if file.path.endswith(".bin")]
    pickled = {file.path for file in unclear[:_MAX_UNCLEAR] if _is_pickle(file, source)}
    for file in files:
        name = file.path.rpartition("/")[2]
        if name.endswith(_PICKLES) or file.path in pickled:
            yield Notice(code="pickle", path=file.path, message="a pickle: loading it can run any code")
        if name in _CONFIGS or name == _ADAPTER:
            yield from _config_notices(file, source)
    if len(unclear) > _MAX_UNCLEAR:
        message = f"this and {len(unclear) - _MAX_UNCLEAR - 1} more .bin files were not looked into for pickles"
        yield Notice(code="pickles-not-looked-for", path=unclear[_MAX_UNCLEAR].path, message=message)


def _is_pickle(file: FileEntry, source: ArtifactSource) -> bool:
    """Tell PyTorch's archives (zip) and bare pickles (protocol 2 and up, a stop at the end) from other binary files."""
    head = source.read(file, 0, min(file.size, _HEAD))
    if head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return source.read(file, file.size - 1, 1) == b"."
    return head.startswith(b"PK\x03\x04")


def _config_notices(file: FileEntry, source: ArtifactSource) -> Iterator[Notice]:
    config = _load(file, source)
    if "auto_map" in config:
        where = config["auto_map"]
        elsewhere = "--" in json.dumps(where)
        message = "auto_map makes loaders run code" + (" from another repository, not sealed here" if elsewhere else "")
        yield Notice(code="remote-code", path=file.path, message=message)
    base = config.get("base_model_name_or_path")
    if basename(file.path) == _ADAPTER and isinstance(base, str):
        message = f"an adapter of {printable(base[:200])}, whose weights are not sealed here"
        yield Notice(code="base-not-sealed", path=file.path, message=message)


def _load(file: FileEntry, source: ArtifactSource) -> dict[str, object]:
    """Read a configuration leniently: whether it is well-formed is its loader's affair."""
    if file.size > _MAX_CONFIG:
        return {}
    return object_of(source.read(file, 0, file.size)) or {}
