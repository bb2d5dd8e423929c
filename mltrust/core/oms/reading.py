"""What a bundle of OpenSSF Model Signing states, read: predicate 1.0, and the one of 0.2 that named files as subjects.

Refused are names that are no plain relative paths, names that stand twice, a statement of no file, and exclusions of
everything. Order is as it comes: the root is over the hashes in the order in which they are listed.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import ValidationError

from mltrust.core import canonical
from mltrust.core.canonical import Json
from mltrust.core.digest import BLAKE3, SHA256, Suite, parse_hex
from mltrust.core.model import first_surprise
from mltrust.core.names import check_path, check_text
from mltrust.core.oms.statement import MAX_IGNORED, MAX_RESOURCES, PREDICATE_TYPE, Serialization, root_of
from mltrust.errors import FormatError, UnreadableError

OLD_PREDICATE_TYPE = "https://model_signing/Digests/v0.1"
SINGLE = "."
"""What signers call the one file of a model that is a file."""

_STATEMENT = "https://in-toto.io/Statement/v1"
_MAX_VALUES = 8 * MAX_RESOURCES  # annotations counted in
_SUITES = {"sha256": SHA256, "blake3": BLAKE3}  # their content digest is the plain hash of a file
_MAX_DIGESTS = 16
_OLD_ALGORITHM = "file-sha256"
_NOT_READ = "mltrust reads bundles of whole files, hashed by SHA-256 or BLAKE3."


class Listed(NamedTuple):
    """A file that is signed: its path and the hash of its bytes."""

    name: str
    digest: bytes


@dataclass(frozen=True)
class OmsStatement:
    """The files of a model, in the order they are listed in, and how they were read.

    `suite` has the hash of a file, `root` is the one that is stated (None in the old predicate), `ignored` are the
    paths that were left out (None: it is not said), and `digests` all that the subject bears.
    """

    name: str
    files: Sequence[Listed]
    suite: Suite
    root: bytes | None
    digests: Mapping[str, str]
    ignored: tuple[str, ...] | None
    allow_links: bool

    def computed_root(self) -> bytes:
        """Return SHA-256 over the hashes as they are listed (OMS section 6.5.1), whatever algorithm they are of."""
        return root_of(file.digest for file in self.files)


def read_statement(payload: bytes, where: str) -> OmsStatement:
    """Parse the payload of a bundle; `FormatError`, or `UnreadableError` for what mltrust does not read."""
    statement = canonical.loads(payload, where, max_values=_MAX_VALUES, floats=True)
    if not isinstance(statement, dict) or statement.get("_type") != _STATEMENT:
        raise FormatError(where, f"not an in-toto statement of type {_STATEMENT}")
    subjects = _objects(statement.get("subject"), where, "subject")
    kind = statement.get("predicateType")
    if kind == OLD_PREDICATE_TYPE:
        return _read_old(subjects, where)
    if kind != PREDICATE_TYPE:
        raise FormatError(where, f"its predicateType is not {PREDICATE_TYPE}")
    if len(subjects) != 1:
        raise FormatError(where, f"it has {len(subjects)} subjects, and a model is one")
    predicate = statement.get("predicate")
    if not isinstance(predicate, dict):
        raise FormatError(where, "predicate is not there, or not an object")
    how = _serialization(predicate.get("serialization"), where)
    resources = _objects(predicate.get("resources"), where, "resources")
    digests = _digests(subjects[0], where)
    return OmsStatement(
        name=check_text(_text(subjects[0].get("name"), where, "subject.name"), where),
        files=_unique([_listed(each, how.hash_type, where) for each in resources], where),
        suite=_SUITES[how.hash_type],
        root=parse_hex(digests.get("sha256", ""), f"{where}: subject"),
        digests=digests,
        ignored=None if how.ignore_paths is None else tuple(_ignored(path, where) for path in how.ignore_paths),
        allow_links=how.allow_symlinks,
    )


def _read_old(subjects: Sequence[Mapping[str, Json]], where: str) -> OmsStatement:
    """Read the predicate of release 0.2: files are its subjects, and it says neither a root nor what was left out."""
    for each in subjects:
        annotations = each.get("annotations")
        if isinstance(annotations, dict) and annotations.get("actual_hash_algorithm", _OLD_ALGORITHM) != _OLD_ALGORITHM:
            raise UnreadableError(f"{where}: a bundle of parts of files", hint=_NOT_READ)
    found = [
        _listed(
            {"name": each.get("name"), "algorithm": "sha256", "digest": _digests(each, where).get("sha256")},
            "sha256",
            where,
        )
        for each in subjects
    ]
    return OmsStatement("", _unique(found, where), SHA256, None, {}, None, allow_links=False)


def _serialization(value: Json, where: str) -> Serialization:
    text = json.dumps(value).encode("ascii")
    canonical.check_bounds(text, where, canonical.MAX_DEPTH, MAX_IGNORED + 2**8)  # each may be a costly surprise
    try:
        how = Serialization.model_validate_json(text)
    except ValidationError as error:
        raise FormatError(where, f"serialization: {first_surprise(error)}") from error
    if how.method != "files":
        raise UnreadableError(f"{where}: its method is {how.method!a}, not files", hint=_NOT_READ)
    if how.hash_type not in _SUITES:
        raise UnreadableError(f"{where}: its hash_type is {how.hash_type!a}", hint=_NOT_READ)
    return how


def _listed(resource: Mapping[str, Json], algorithm: str, where: str) -> Listed:
    name = _text(resource.get("name"), where, "the name of a resource")
    if name != SINGLE:
        check_path(name, f"{where}: resources")
    if resource.get("algorithm") != algorithm:
        raise FormatError(where, f"the algorithm of {ascii(name)[:80]} is not the hash_type, {algorithm}")
    return Listed(name, parse_hex(_text(resource.get("digest"), where, "the digest of a resource"), where))


def _unique(found: list[Listed], where: str) -> list[Listed]:
    """Refuse a name that stands twice, and `.` beside others: one of them would not be looked at."""
    counts = Counter(file.name for file in found)
    if len(counts) != len(found):
        raise FormatError(where, f"{ascii(counts.most_common(1)[0][0])[:80]} is listed twice")
    if SINGLE in counts and len(found) > 1:
        raise FormatError(where, "the model itself is listed as a file, beside others")
    return found


def _ignored(path: str, where: str) -> str:
    if path == SINGLE:
        raise FormatError(where, "ignore_paths leaves out the whole model: nothing would be checked")
    return check_path(path, f"{where}: ignore_paths")


def _digests(subject: Mapping[str, Json], where: str) -> dict[str, str]:
    digests = subject.get("digest")
    if not isinstance(digests, dict) or len(digests) > _MAX_DIGESTS:
        raise FormatError(where, f"a subject without a digest, or with more than {_MAX_DIGESTS}")
    return {name: _text(value, where, "a digest of a subject") for name, value in digests.items()}


def _objects(value: Json, where: str, what: str) -> list[dict[str, Json]]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_RESOURCES:
        raise FormatError(where, f"{what}: expected a list of 1 to {MAX_RESOURCES}")
    found = [each for each in value if isinstance(each, dict)]
    if len(found) != len(value):
        raise FormatError(where, f"{what}: not a list of objects")
    return found


def _text(value: Json, where: str, what: str) -> str:
    if not isinstance(value, str):
        raise FormatError(where, f"{what} is not there, or not a text")
    return value
