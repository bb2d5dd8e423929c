"""Exit codes: the same for every command and format, documented as API. All others are reserved."""

from enum import IntEnum

from mltrust.errors import MltrustError, NotVerifiedError, UnreadableError, UsageError, WriteError


class Exit(IntEnum):
    """What the process says when it ends."""

    OK = 0  # verified, or done
    FAILED = 1  # verification failed; `diff` found differences; `check` refused a proof
    USAGE = 2  # the command line or the configuration makes no sense
    UNDECIDED = 3  # could not decide, read or write: no seal, malformed input, nobody trusted, anchor unreachable
    INTERNAL = 4  # a defect of mltrust; never a finding
    INTERRUPTED = 130  # Ctrl-C


_VERDICTS = {
    "verified": Exit.OK,
    "failed": Exit.FAILED,
    "inconclusive": Exit.UNDECIDED,
}


def for_verdict(verdict: str) -> Exit:
    """Return the exit code of a verdict."""
    return _VERDICTS[verdict]


def for_error(error: MltrustError) -> Exit:
    """Return the exit code of an error."""
    if isinstance(error, NotVerifiedError):
        return Exit.FAILED
    if isinstance(error, UsageError):
        return Exit.USAGE
    if isinstance(error, UnreadableError | WriteError):
        return Exit.UNDECIDED
    return Exit.INTERNAL
