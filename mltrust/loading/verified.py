"""A sealed artifact that is open for loading."""

import errno
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from mltrust.artifacts import AnyPath
from mltrust.core.manifest import Leaf
from mltrust.core.names import shown
from mltrust.core.report import Report
from mltrust.errors import UsageError, WriteError
from mltrust.loading.frameworks import maker
from mltrust.loading.weights import files_of_tensors
from mltrust.operations.load import LoadedArtifact, Part

_PRIVATE = 0o700


class VerifiedArtifact:
    """A sealed artifact, of which only what was verified is ever returned. `open_verified` makes one.

    Tensors are those of one safetensors file, or of all shards of one index: `keys`, `get_tensor` and `get_tensors`.
    Whole files, of any kind, come by `read` and `extract`. What is not the sealed raises `NotVerifiedError`.
    """

    def __init__(self, artifact: LoadedArtifact, file: str | None, framework: str, device: str) -> None:
        self._artifact, self._file, self._framework, self._device = artifact, file, framework, device
        self._homes: dict[str, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open between two calls: what was returned stays good."""

    @property
    def report(self) -> Report:
        """Who vouches for the seal, and what was handed over so far."""
        return self._artifact.report

    @property
    def paths(self) -> Sequence[str]:
        """The paths of all sealed files."""
        return self._artifact.manifest.paths

    # ── Tensors ──

    def keys(self) -> list[str]:
        """Return the names of the tensors, sorted, as they are in the seal; nothing but an index is read."""
        return sorted(self._tensors(), key=str.encode)

    def metadata(self) -> dict[str, str]:
        """Return the metadata of the file of tensors; of several, what all of them say."""
        paths = dict.fromkeys(self._tensors().values())
        each = [dict(self._artifact.entry(path).metadata) for path in paths if self._artifact.parts(path)]
        first = each[0] if each else {}
        return {key: text for key, text in first.items() if all(other.get(key) == text for other in each)}

    def get_tensor(self, name: str) -> Any:  # noqa: ANN401  # an array or a tensor
        """Return one tensor, read and verified now; nothing of the others is read."""
        return self.get_tensors([name])[name]

    def get_tensors(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Return tensors by name, all (None) or some. All of them are verified before one is returned.

        `UsageError` names one that is not there, or whose dtype the framework does not have.
        """
        parts = self._parts(self.keys() if names is None else list(names))
        make = maker(self._framework, self._device, {leaf.dtype for leaf in _leaves(parts)})
        memory = self._artifact.load(parts)
        made: dict[str, Any] = {}
        for leaf in _leaves(parts):
            made[leaf.name] = make(memory.pop(0), leaf.dtype, leaf.shape)
        return made

    def _tensors(self) -> dict[str, str]:
        """Return the path of the file that each tensor lies in, by its name."""
        if self._homes is None:
            paths = files_of_tensors(self._artifact, self._file)
            entries = map(self._artifact.entry, paths)
            self._homes = {tensor.name: entry.path for entry in entries for tensor in entry.tensors()}
        return self._homes

    def _parts(self, names: Collection[str]) -> list[Part]:
        homes = self._tensors()
        if missing := [name for name in names if name not in homes]:
            raise UsageError(f"there is no tensor {shown(missing[0])[:80]}", hint="keys() returns the names.")
        files = {
            path: {part.leaf.name: part for part in self._artifact.parts(path)}
            for path in dict.fromkeys(homes[name] for name in names)
        }
        return [files[homes[name]][name] for name in dict.fromkeys(names)]

    # ── Files ──

    def read(self, path: str) -> bytes:
        """Return the bytes of one sealed file, such as a configuration or a tokenizer."""
        return bytes(self._artifact.read(path))

    def extract(self, folder: AnyPath, paths: Iterable[str] | None = None) -> list[Path]:
        """Write sealed files, all (None) or some, into a new folder that only this user may enter; return where.

        The folder is there when all of them are. What is in it is what was verified, as long as nobody else can write
        there. Each file is in memory as a whole before it is written. `WriteError` if the folder is there already.
        """
        target, wanted = Path(folder), list(dict.fromkeys(self.paths if paths is None else paths))
        try:
            if target.exists():
                raise FileExistsError(errno.EEXIST, "it is there already")
            with TemporaryDirectory(prefix=".mltrust-", dir=target.parent, ignore_cleanup_errors=True) as made:
                private = Path(made) / "files"
                private.mkdir(mode=_PRIVATE)
                for path in wanted:
                    _write(private, path, self._artifact.read(path))
                private.rename(target)
        except (OSError, ValueError) as error:  # also a path with a null character
            hint = "Name a folder that is not there yet, in one that is."
            why = getattr(error, "strerror", None) or error
            raise WriteError(f"{target}: cannot be written: {why}", hint=hint) from error
        return [target / path for path in wanted]


def _write(folder: Path, path: str, content: memoryview) -> None:
    if os.name == "nt" and not set(path).isdisjoint("\\:"):  # they would lead elsewhere there
        raise OSError(errno.EINVAL, f"{shown(path)} is no name on Windows")
    file = folder / path
    file.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    with file.open("xb") as opened:
        opened.write(content)


def _leaves(parts: Iterable[Part]) -> list[Leaf]:
    return [part.leaf for part in parts]
