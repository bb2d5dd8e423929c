"""A list of SHA-256 digests that `sha256sum --check` of GNU coreutils reads, in the folder the paths count from."""

from typing import ClassVar

from mltrust.interfaces import Exporter, Sealing

# The manual of coreutils, md5sum: such a name is escaped, and its line then starts with a backslash.
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r"})


class Sha256SumExporter(Exporter):
    """Writes one line for each file, in the order of the seal."""

    name: ClassVar[str] = "sha256sum"
    ending: ClassVar[str] = ".sha256"
    needs_sha256: ClassVar[bool] = True

    def export(self, sealing: Sealing) -> bytes:
        """Return the list."""
        paths = sealing.bundle.manifest.paths
        return "".join(map(_line, paths, sealing.sha256s())).encode("utf-8")


def _line(path: str, digest: bytes) -> str:
    name = path.translate(_ESCAPES)
    mark = "\\" if name != path else ""
    return f"{mark}{digest.hex()}  {'./-' if name == '-' else name}\n"  # a bare - would be the standard input
