"""Git LFS pointers: a few lines that stand where content should be."""

_FIRST_LINE = b"version https://git-lfs.github.com/spec/"
_MIN_SIZE = 100
_MAX_SIZE = 1024


def may_be_pointer(size: int) -> bool:
    """Tell from the size of a file alone whether it is worth a look."""
    return _MIN_SIZE <= size < _MAX_SIZE


def is_pointer(data: bytes) -> bool:
    """Tell whether the whole content of a file is a Git LFS pointer (git-lfs docs/spec.md)."""
    return may_be_pointer(len(data)) and data.startswith(_FIRST_LINE) and b"\noid sha256:" in data
