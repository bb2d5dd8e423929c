"""Exit codes: the same for every command and format, documented as API. All others are reserved."""

from enum import IntEnum

import typer

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


def of_os_error(error: OSError) -> UnreadableError:
    """Return what is said of a path that cannot be looked at."""
    return UnreadableError(f"{error.filename or 'this machine'}: {error.strerror or error}")


def as_trouble(error: Exception) -> MltrustError | None:
    """Return an exception as the error it amounts to; None if it only ends a command."""
    if isinstance(error, MltrustError):
        return error
    if isinstance(error, OSError):
        return of_os_error(error)
    if is_end(error):
        return None
    return MltrustError(f"internal error: {type(error).__name__}: this is a defect of mltrust")


def is_end(error: Exception) -> bool:
    """Tell whether an exception is Typer's own way to end a command: a usage error, an exit code, an abort."""
    return hasattr(error, "exit_code") or isinstance(error, typer.Abort)


def for_error(error: MltrustError) -> Exit:
    """Return the exit code of an error."""
    if isinstance(error, NotVerifiedError):
        return Exit.FAILED
    if isinstance(error, UsageError):
        return Exit.USAGE
    if isinstance(error, UnreadableError | WriteError):
        return Exit.UNDECIDED
    return Exit.INTERNAL
