"""Our reading of a safetensors file held against the safetensors library's."""

from collections.abc import Iterator
from pathlib import Path

from mltrust.core.manifest import Entry
from mltrust.core.report import Notice
from mltrust.errors import FormatError
from mltrust.readers.safetensors.header import BITS


def cross_check(entry: Entry, path: Path | None) -> Iterator[Notice]:
    """Raise `FormatError` if the library sees other tensors in the file than `entry` lists.

    Where the library refuses a file for a dtype it does not know either, a notice says so. It can be
    asked only about local files and where NumPy, which it needs to open one, is installed.
    """
    if path is None:
        return
    try:
        theirs = _as_the_library_reads(path)
    except ModuleNotFoundError:
        message = "not held against the safetensors library, which needs NumPy to open it"
        yield Notice(code="not-cross-checked", path=entry.path, message=message)
        return
    except Exception as error:  # the library's own error type; any refusal means the same
        if all(tensor.dtype in BITS for tensor in entry.tensors()):
            raise FormatError(entry.path, f"the safetensors library refuses it: {error}") from error
        yield Notice(
            code="unknown-dtype",
            path=entry.path,
            message="holds a dtype the installed safetensors library does not know",
        )
        return
    ours = {tensor.name: (tensor.dtype, tensor.shape) for tensor in entry.tensors()}
    if ours != theirs or dict(entry.metadata) != _metadata(path):
        raise FormatError(entry.path, "the safetensors library reads other tensors or metadata in it")


def _as_the_library_reads(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as opened:
        slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118  # it is no mapping
        return {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as opened:
        return opened.metadata() or {}
