"""A page that says why there is no report."""

from mltrust.core.names import printable, shown
from mltrust.errors import MltrustError
from mltrust.interfaces import Seen
from mltrust.renderers.findings import short
from mltrust.renderers.html.page import Head, Page, environment_of

_MAX_TEXT = 2000
_MAX_NAME = 200


def context(error: MltrustError, seen: Seen) -> Page:
    """Return what the page shows of an error."""
    sentences = ["Nothing was verified or compared. That is not a yes:", short(printable(str(error)), _MAX_TEXT)]
    hint = [("Hint", short(printable(error.hint), _MAX_TEXT))] if error.hint else []
    name = short(shown(seen.artifact), _MAX_NAME)
    head = Head(word="NO REPORT", style="inconclusive", sign="?", name=name, sentences=sentences, facts=hint)
    return Page(head=head, environment=environment_of(seen))
