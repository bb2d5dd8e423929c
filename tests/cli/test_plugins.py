"""`mltrust plugins`: what is installed, what it lacks, and what is wrong with it."""

import sys
from importlib.metadata import entry_points

import pytest

from mltrust import registry

BROKEN = "print('loud')\nraise SystemExit('not today')\n"


@pytest.fixture
def install(mltrust):
    """Return a function that installs a package of entry points, each with its module, and returns an environment."""
    site = mltrust.cwd / "site"

    def put(name, points, requires=(), modules=()):
        info = site / f"{name}-1.2.dist-info"
        info.mkdir(parents=True)
        needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n{needs}")
        lines = [line for group, each in points.items() for line in (f"[mltrust.{group}]", *each)]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for module, text in dict(modules).items():
            (site / f"{module}.py").write_text(text)
        return {"PYTHONPATH": str(site)}

    return put


def listed(done):
    return {(each["kind"], each["name"], each["target"]): each for each in done.json()["plugins"]}


def test_all_plugs_of_all_kinds(mltrust):
    done = mltrust("plugins", "--check", "--format", "json")
    assert (done.code, done.err) == (0, "")
    found = listed(done)
    groups = {group for group in entry_points().groups if group.startswith("mltrust.")}
    assert groups == {f"mltrust.{kind}" for kind in registry.KINDS}
    assert {(kind, name) for kind, name, _ in found} >= {
        (kind, name) for kind in registry.KINDS for name in registry.names(kind)
    }
    assert {each["loads"] for each in found.values()} == {True}
    assert found["anchors", "ledger", "mltrust.anchors.ledger:LedgerAnchor"]["distribution"] == "mltrust"


def test_nothing_is_imported_unless_asked_for(mltrust):
    script = "import sys\nfrom mltrust.cli.app import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    loaded = set(mltrust.python(script, "plugins").err.split())
    plugs = ("mltrust.anchors", "mltrust.sources", "mltrust.signers", "mltrust.engines", "mltrust.exports")
    assert not {module for module in loaded if module.startswith(plugs)}
    assert not loaded & {"cryptography", "numpy", "git"}


def test_a_broken_plug_breaks_nothing(mltrust, install):
    names = {"exports": ["loud = loud:Plug", "gone = no_such_module:Plug", "odd = loud", "spdx = loud:Spdx"]}
    environment = install("strange", names, modules={"loud": BROKEN})
    as_json = "--format", "json"
    commands = [("plugins", *as_json), ("plugins", "--check", *as_json), ("plugins", "--check")]
    done, checked, text, other = mltrust.many([*commands, ("fingerprint", sys.executable)], env=environment)
    assert done.code == 3  # a name is claimed twice
    found = listed(done)
    assert {each["loads"] for each in found.values()} == {None}
    assert found["exports", "spdx", "loud:Spdx"]["claimed_by"] == ["mltrust.exports.spdx:SpdxExporter"]
    assert found["exports", "gone", "no_such_module:Plug"]["distribution"] == "strange"

    assert (checked.code, "loud" in checked.err) == (3, True)
    found = listed(checked)
    assert found["exports", "loud", "loud:Plug"]["trouble"] == "SystemExit: not today"
    assert "no_such_module" in found["exports", "gone", "no_such_module:Plug"]["trouble"]
    assert "cannot be imported: SystemExit: not today" in text.out
    assert "its name is claimed by loud:Spdx, too" in text.out
    assert other.code == 0


def test_what_a_plug_lacks_is_named_with_what_installs_it(mltrust, install):
    requires = [
        "no-such-thing>=2; extra == 'deep'",
        "rich>=1; extra == 'deep'",
        "other-thing; extra == 'else'",
        "third-thing; python_version < '3' and extra == 'deep'",
    ]
    environment = install("needy", {"anchors": ["deep = deep:Deep [deep]"]}, requires, {"deep": "class Deep: pass\n"})
    data, text = mltrust.many([("plugins", "--format", "json"), ("plugins",)], env=environment)
    assert data.code == text.code == 0
    assert listed(data)["anchors", "deep", "deep:Deep"]["missing"] == ["no-such-thing"]
    assert "lacks no-such-thing: pip install 'needy[deep]'" in text.out


def test_names_of_plugs_cannot_move_the_cursor(mltrust, install):
    environment = install("odd", {"engines": ["\x1b[2J = deep:Deep"]})
    assert "\x1b" not in mltrust("plugins", env=environment).out
