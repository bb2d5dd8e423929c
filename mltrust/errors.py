"""Every exception mltrust raises.

```
MltrustError
├── UsageError         the caller asked for something that makes no sense
├── UnreadableError    could not decide, or could not read
│   ├── FormatError        a document breaks its format (seal, proof, header, ledger, note)
│   │   └── MalformedError     a file of the artifact does, as was seen while all of it was read
│   ├── ArtifactError      a file of the artifact is missing, special, unreadable or a bare pointer
│   │   └── ChangedError       a file changed while it was read
│   ├── SealError          there is no seal, or its parts contradict each other
│   ├── AnchorError        an anchor cannot be reached or refuses to work
│   │   └── ContradictionError     an anchor, or a receipt of it, contradicts itself or what was remembered
│   │       └── ForeignReceiptError    a receipt that somebody else gave
│   └── SigningError       whoever should sign did not
├── WriteError         a file could not be written; the old one is still there
└── NotVerifiedError   `Report.require()` on a report that is not VERIFIED
```

A mismatch is a result, not an exception: it lands in a report. Trouble is an exception.
"""


class MltrustError(Exception):
    """Base of all errors; `hint` says what the caller can do about it.

    Messages may quote names from an artifact as they are: whoever shows a message escapes it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes whole: Exception's own way would make it again of its message alone."""
        return _made_again, (type(self), str(self), self.__dict__)


def _made_again(kind: type[MltrustError], message: str, state: dict[str, object]) -> MltrustError:
    error = kind.__new__(kind, message)
    error.__dict__.update(state)
    return error


class UsageError(MltrustError):
    """The caller's options or configuration make no sense."""


class UnreadableError(MltrustError):
    """Something could not be read or decided; neither a pass nor a finding."""


class FormatError(UnreadableError):
    """A document breaks its format; `where` names the document, `what` the surprise and its place."""

    def __init__(self, where: str, what: str, *, hint: str | None = None) -> None:
        super().__init__(f"{where}: {what}", hint=hint)
        self.where = where
        self.what = what


class MalformedError(FormatError):
    """A file is not of the format its name says; `digest` is that of its bytes all the same."""

    def __init__(self, where: str, what: str, digest: bytes, *, hint: str | None = None) -> None:
        super().__init__(where, what, hint=hint)
        self.digest = digest


class ArtifactError(UnreadableError):
    """A file of the artifact cannot be read as content; `path` names it inside the artifact."""

    def __init__(self, path: str, what: str, *, hint: str | None = None) -> None:
        super().__init__(f"{path}: {what}", hint=hint)
        self.path = path


class ChangedError(ArtifactError):
    """A file changed while it was read, so no digest of it means anything."""


class SealError(UnreadableError):
    """No seal where one is needed, or one whose parts contradict each other."""


class AnchorError(UnreadableError):
    """An anchor cannot be reached or cannot do what was asked."""


class ContradictionError(AnchorError):
    """An anchor contradicts itself or what was remembered of it; `state` is the anchor state it amounts to.

    `evidence` holds the signed documents that contradict each other: whoever has them can show it to others.
    """

    def __init__(self, message: str, *, state: str, hint: str | None = None, evidence: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.state = state
        self.evidence = evidence


class ForeignReceiptError(ContradictionError):
    """A receipt that another gave than the one who was asked: it has nothing to say of it, good or bad."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, state="unknown-key", hint=hint)


class SigningError(UnreadableError):
    """Whoever should sign did not: an agent, a command or a service that cannot be reached or refuses."""


class WriteError(MltrustError):
    """A file could not be written; the old one, if there was one, is still there."""


class NotVerifiedError(MltrustError):
    """`Report.require()` was called on a report that is not VERIFIED."""
