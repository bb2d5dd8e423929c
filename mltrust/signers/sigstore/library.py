"""The library, if it is installed, and what it raises."""

import logging

from mltrust.core.names import printable
from mltrust.errors import UsageError

_MAX_REASON = 400


class NotInstalledError(UsageError):
    """The extra is not installed."""


def require() -> None:
    """Import the library, and keep its log messages off the terminal; `NotInstalledError` if it is not there."""
    try:
        import sigstore.sign
        import sigstore.verify  # noqa: F401  # what signing does without
    except ImportError as error:
        hint = "Install it: pip install 'mltrust[sigstore]'"
        raise NotInstalledError(f"Sigstore needs the extra sigstore: {error}", hint=hint) from error
    logging.getLogger("sigstore").addHandler(logging.NullHandler())  # else Python shows them where nobody else does


def reason(error: BaseException) -> str:
    """Return in one bounded line why the library gave up: its clients often say it in the cause alone."""
    told = [str(each) for each in (error, error.__cause__) if each is not None and str(each)]
    response = getattr(error.__cause__, "response", None)  # of a service, which says in the body what it refuses
    told += [response.text] if response is not None else []
    line = " ".join(": ".join(told).split()) or type(error).__name__
    return printable(line if len(line) <= _MAX_REASON else f"{line[:_MAX_REASON]}...")
