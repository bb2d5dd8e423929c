"""What the user says about an authority, and the certificates the user's files hold.

Certificates are read when they are needed, from files the user named and from nowhere else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mltrust.disk.documents import read_document
from mltrust.errors import UnreadableError, UsageError
from mltrust.interfaces import Settings

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

NAMES = frozenset({"roots", "intermediates", "policy", "timeout"})

_MAX_FILE_BYTES = 2**20
_DEFAULT_SECONDS, _MAX_SECONDS = 30.0, 600.0
_OID = re.compile(r"[0-2](\.(0|[1-9]\d{0,19})){1,30}")
_PEM = b"-----BEGIN "


@dataclass(frozen=True, slots=True)
class Chosen:
    """The settings of one authority: files of certificates, the policy it must use, seconds to wait for it."""

    roots: tuple[Path, ...] = ()
    intermediates: tuple[Path, ...] = ()
    policy: str | None = None
    seconds: float = _DEFAULT_SECONDS

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Check the settings; whatever makes no sense is a `UsageError` that names it."""
        policy = settings.get("policy")
        if policy is not None and not (isinstance(policy, str) and _OID.fullmatch(policy)):
            raise UsageError(f"policy: {ascii(policy)[:80]} is no object identifier", hint='Write "1.2.3.4".')
        return cls(_paths(settings, "roots"), _paths(settings, "intermediates"), policy, _seconds(settings))

    def certificates(self) -> "tuple[list[Certificate], list[Certificate]]":
        """Return the certificates of the roots and of the intermediates.

        Raises:
            UsageError: A file holds no certificates; a root is issued by another; an intermediate is a root, which
                the library would trust as one.
        """
        return _load(self.roots, roots=True), _load(self.intermediates, roots=False)


def _paths(settings: Settings, name: str) -> tuple[Path, ...]:
    value = settings.get(name, ())
    values: Sequence[object] = value if isinstance(value, list | tuple) else (value,)
    paths = [Path(each) for each in values if isinstance(each, str | PathLike) and each and "\0" not in str(each)]
    # From the working folder none is taken: it may be the artifact, and hold a root of whoever made it.
    if len(paths) != len(values) or not all(path.is_absolute() for path in paths):
        hint = f'Write {name} = "/etc/mltrust/{name}.pem"'
        raise UsageError(f"{name}: must be the absolute path of a file, or a list of them", hint=hint)
    return tuple(paths)


def _seconds(settings: Settings) -> float:
    value = settings.get("timeout", _DEFAULT_SECONDS)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _MAX_SECONDS:
        raise UsageError(f"timeout: must be a number of seconds, at most {_MAX_SECONDS:g}")
    return float(value)


def _load(paths: Sequence[Path], *, roots: bool) -> "list[Certificate]":
    name = "roots" if roots else "intermediates"
    found: list[Certificate] = []
    for path in paths:
        try:
            found += _parse(read_document(path, _MAX_FILE_BYTES))
            odd = [each for each in found if (each.issuer == each.subject) is not roots]
        except UnreadableError as error:
            raise UsageError(f"{name}: {error}") from error
        except ValueError as error:
            raise UsageError(f"{name}: {path} holds no certificates, neither PEM nor DER") from error
        if odd:
            what = "a certificate that another one issued" if roots else "a root, which would be trusted as one"
            raise UsageError(
                f"{name}: {path} holds {what}", hint="`roots` is for roots, `intermediates` for all others."
            )
    return list(dict.fromkeys(found))


def _parse(data: bytes) -> "list[Certificate]":
    from cryptography import x509

    return x509.load_pem_x509_certificates(data) if _PEM in data else [x509.load_der_x509_certificate(data)]
