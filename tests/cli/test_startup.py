"""What a command loads before it works: never measured in seconds, but in what is there when it ends."""

import ast
from importlib.util import find_spec

import pytest

LOADED = """
import sys
import typer.core, typer.main
before = set(sys.modules)  # versions of Typer differ in what they bring along
from mltrust.cli.app import main
try:
    main()
finally:
    print(sorted(set(sys.modules) - before), file=sys.stderr)
"""
DRAWING = {"rich.console", "rich.text", "rich.progress"}
CHOOSING = {"pathspec"}  # the default patterns do without
ASKING = {"mltrust.opening", "mltrust.configuration", "mltrust.core.note", "cryptography", "tomllib", "getpass"}
RECORDS = {
    "mltrust.beside.new_salts",
    "mltrust.beside.tombstones",
    "mltrust.comparing",
    "mltrust.core.expectations",
    "mltrust.core.record_index",
    "mltrust.core.row_difference",
    "mltrust.disk.records",
    "mltrust.disk.salts",
    "mltrust.operations.check",
    "mltrust.operations.diff",
    "mltrust.operations.erase",
    "mltrust.operations.expectations",
    "mltrust.operations.prove",
    "mltrust.operations.prove_records",
    "mltrust.readers.records.archive",
    "mltrust.readers.records.compressed",
    "mltrust.readers.records.parquet.footer",
    "mltrust.readers.records.parquet.schema",
    "mltrust.statements.erasure",
}
BESIDE = {"mltrust.beside.store", "mltrust.disk.digest_cache"}
VERIFYING = {"mltrust.operations.verify", "mltrust.operations.rows"}
OTHERS = {"numpy", "safetensors", "git", "dask", "mltrust.anchors.ledger", "mltrust.cli.ledger", "mltrust.cli.ethereum"}
FORMATS = {
    f"mltrust.renderers.{name}" for name in ("ndjson", "sarif", "junit", "github", "markdown", "html", "findings")
}
PLAIN = DRAWING | CHOOSING | ASKING | RECORDS | OTHERS | FORMATS  # what no command needs for a plain model


def loaded(mltrust, *arguments):
    done = mltrust.python(LOADED, *arguments)
    assert done.code == 0, done.err
    return set(ast.literal_eval(done.err))


@pytest.mark.parametrize(
    ("arguments", "never"),
    [
        (
            ["fingerprint"],
            PLAIN | BESIDE | VERIFYING | {"mltrust.cli.verify", "mltrust.renderers.text"},
        ),
        (["verify", "--content-only"], PLAIN | {"mltrust.cli.seal"}),
        (["seal", "--no-anchor"], PLAIN | VERIFYING | {"mltrust.cli.verify"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_loads_only_what_it_needs(mltrust, arguments, never):
    file = mltrust.cwd / "plain"
    file.mkdir()
    (file / "file.bin").write_bytes(b"x")
    if arguments[0] == "verify":
        assert mltrust("seal", file, "--no-anchor").code == 0
    assert loaded(mltrust, *arguments, str(file)) & never == set()


def test_what_is_left_out_above_is_loaded_where_it_is_needed(mltrust, model):
    """The names above are those of real modules, and the check sees them."""
    found = loaded(mltrust, "verify", str(model), "--color", "always")
    always = ASKING - {"getpass", "tomllib"}  # where coverage is measured, tomllib is there before
    assert (DRAWING - {"rich.progress"}) | always | {"mltrust.anchors.ledger"} <= found
    assert loaded(mltrust, "fingerprint", str(model), "--exclude", "*.txt") >= CHOOSING
    junit = {"mltrust.renderers.junit", "mltrust.renderers.findings"}
    assert loaded(mltrust, "verify", str(model), "--format", "text", "--report", "junit=report.xml") & FORMATS == junit


def test_what_completion_asks_for_loads_no_plug(mltrust):
    mltrust.home.mkdir()
    (mltrust.home / "config.toml").write_text('[anchors]\nrelease = "ledger:/srv/releases"\n')
    found = loaded(mltrust, "config", "names", "anchors")
    assert found & ((DRAWING | RECORDS | OTHERS | ASKING) - {"tomllib", "getpass"}) == set()


def test_what_plain_models_do_without_are_real_modules():
    assert all(find_spec(name) for name in RECORDS | BESIDE | VERIFYING | FORMATS)


def test_importing_the_library_builds_no_model(mltrust):
    code = """
import mltrust.api
from mltrust.core.model import Document
def below(kind):
    return [each for child in kind.__subclasses__() for each in (child, *below(child))]
print([kind.__name__ for kind in below(Document) if kind.__pydantic_complete__], len(below(Document)) > 5)
"""
    assert mltrust.python(code).out == "[] True\n"


def test_packages_are_looked_through_once(mltrust):
    code = """
import importlib.metadata as metadata, sys
looks, real = [], metadata.distributions
metadata.distributions = lambda *_, **__: looks.append(1) or real()
from mltrust.cli.app import main
try:
    main()
finally:
    print(len(looks), file=sys.stderr)
"""
    (mltrust.cwd / "file").write_bytes(b"x")
    assert mltrust.python(code, "fingerprint", "file").err == "1\n"


@pytest.mark.parametrize(("arguments", "collects"), [(["--version"], False), (["diff", "a", "ftp://b"], True)])
def test_nothing_is_walked_over_except_what_a_network_leaves_behind(mltrust, arguments, collects):
    code = """
import atexit, gc, sys
atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 1000, file=sys.stderr))
from mltrust.cli.app import main
main()
"""
    assert mltrust.python(code, *arguments).err.splitlines()[-1] == f"{collects} True"
