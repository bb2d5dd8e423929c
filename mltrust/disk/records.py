"""Where the hashes of records are kept: 32 bytes a record."""

from hashlib import sha256
from pathlib import Path


def kept_in(folder: Path, path: str) -> Path:
    """Return where in `folder` the hashes of the records of the file `path` are left while an artifact is read."""
    return folder / sha256(path.encode("utf-8")).hexdigest()
