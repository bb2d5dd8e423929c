"""What others published of files: parsed strictly, never fetched, and told apart by the shape of the document."""

from collections.abc import Iterator

from mltrust.core import canonical
from mltrust.core.expectations.croissant import is_croissant, read_croissant
from mltrust.core.expectations.hub import read_tree
from mltrust.core.expectations.published import Algorithm, Publication, Published, matched
from mltrust.errors import FormatError

MAX_PUBLICATION_BYTES = 2**26

_HINT = "Give a Croissant document (JSON-LD), or the list that the Hub's API gives for tree/REVISION?recursive=true."
_MAX_DEPTH = 64
_MAX_VALUES = 2**22

__all__ = ["MAX_PUBLICATION_BYTES", "Algorithm", "Publication", "Published", "matched", "read_publication"]


def read_publication(data: bytes, where: str) -> Publication:
    """Read a Croissant description or a file listing of the Hugging Face Hub; `FormatError` if it is neither."""
    try:
        value = canonical.loads(data, where, max_depth=_MAX_DEPTH, max_values=_MAX_VALUES, floats=True)
        return Publication(where, tuple(_files(value, where)))
    except FormatError as error:
        error.hint = error.hint or _HINT
        raise


def _files(value: canonical.Json, where: str) -> Iterator[Published]:
    if isinstance(value, list):
        return read_tree(value, where)
    if isinstance(value, dict) and is_croissant(value):
        return read_croissant(value, where)
    raise FormatError(where, "neither a Croissant document nor a file listing of the Hugging Face Hub")
