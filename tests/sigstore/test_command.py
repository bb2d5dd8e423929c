"""The installed command, from a key that nobody keeps to a report; and other tools that read and write the same."""

import base64
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from mltrust.core.oms.bundle import read_bundle
from mltrust.core.report import Outcome

PEER = Path(sys.prefix, "peer", "bin", "model_signing")
HIDDEN = """
import sys
sys.modules["sigstore"] = None
from mltrust.cli.app import main
main()
"""


@pytest.fixture
def mltrust(tmp_path, fill_model, run_installed, run_many):
    fill_model(tmp_path / "model")
    environment = {"MLTRUST_HOME": str(tmp_path / "home"), "NO_COLOR": "1", "COLUMNS": "400"}

    def run(*arguments):
        return run_installed(tmp_path, *arguments, **environment)

    run.folder, run.many = tmp_path, lambda commands: run_many(tmp_path, commands, **environment)
    return run


@pytest.fixture
def signing(here):
    return ("--key", f"sigstore:{here.config}", "--identity-token-file", here.token_file())


@pytest.fixture
def trusting(here):
    return ("--identity", "alice@example.org", "--issuer", here.url, "--trust-root", here.root)


def test_sealed_and_verified_without_a_key(mltrust, here, signing, trusting):
    done = mltrust("seal", "model", "--no-anchor", *signing)
    assert (done.code, done.err) == (0, f"Signed as alice@example.org, known to {here.url}\n")
    shutil.copytree(mltrust.folder / "model", mltrust.folder / "changed")
    (mltrust.folder / "changed" / "config.json").write_text("{}")
    verify = ["verify", *trusting]
    commands = [[*verify, "model"], [*verify, "model", "--format", "json"], [*verify, "changed"]]
    done, report, changed = mltrust.many(commands)
    assert done.code == 0, done
    assert f"signed by alice@example.org, known to {here.url}, not later than 20" in done.out
    assert f"trusted: {here.root}" in done.out
    [check] = [each for each in report.json()["checks"] if each["kind"] == "signature"]
    assert (check["state"], check["kinds"], check["level"]) == ("verified", ["sigstore"], f"sigstore: {here.root}")
    assert changed.code == 1


@pytest.mark.usefixtures("unmeasured")
def test_whoever_is_not_named_does_not_vouch(mltrust, here, signing, trusting):
    expected = {
        ("--identity", "bob@example.org", *trusting[2:]): 1,
        (*trusting[:2], "--issuer", "https://example.org", *trusting[4:]): 1,
        (*trusting[:4], "--trust-root", here.config): 0,  # a configuration holds the root as well
        trusting[:4]: 1,  # the public instance knows nothing of this one
        trusting[:2]: 2,
        (*trusting[:4], "--trust-root", "none.json"): 2,
    }
    seal = ["seal", "model", "--no-anchor", *signing]
    sealed, *verified = mltrust.many([seal, *(["verify", "model", *each] for each in expected)])
    assert sealed.code == 0
    assert [done.code for done in verified] == list(expected.values())


@pytest.mark.usefixtures("unmeasured")
def test_a_seal_is_signed_later_by_somebody_else_as_well(mltrust, here, signing, trusting):
    commands = [["seal", "model", "--no-anchor", *signing]]
    commands += [["sign", "model", *signing[:3], here.token_file("bob@example.org")]]
    commands += [["verify", "model", "--identity", f"{who}@example.org", *trusting[2:]] for who in ("alice", "bob")]
    assert [done.code for done in mltrust.many(commands)] == [0] * 4
    seal = json.loads((mltrust.folder / "model" / "mltrust.seal.json").read_text())
    assert [sorted(each) for each in seal["signatures"]] == [["keyid", "sig", "verificationMaterial"]] * 2


def test_a_token_is_for_nobody_else(mltrust, here, signing):
    done = mltrust("seal", "model", "--no-anchor", *signing[2:])
    assert (done.code, "identity-token-file" in done.err) == (2, True)
    assert not (mltrust.folder / "model" / "mltrust.seal.json").exists()


@pytest.mark.usefixtures("unmeasured")
def test_without_the_extra_the_command_says_what_to_install(mltrust, here, signing, trusting):
    def run(*arguments):
        command = [sys.executable, "-c", HIDDEN, *map(str, arguments)]
        environment = {**os.environ, "MLTRUST_HOME": str(mltrust.folder / "home")}
        done = subprocess.run(
            command, cwd=mltrust.folder, env=environment, capture_output=True, check=False, timeout=60
        )
        return done.returncode, done.stdout.decode() + done.stderr.decode()

    code, said = run("seal", "model", "--no-anchor", *signing)
    assert (code, "pip install 'mltrust[sigstore]'" in said, "Traceback" in said) == (2, True, False)
    assert mltrust("seal", "model", "--no-anchor", *signing).code == 0
    code, said = run("verify", "model", *trusting)
    assert (code, "pip install 'mltrust[sigstore]'" in said, "INCONCLUSIVE" in said) == (3, True, True)


@pytest.mark.usefixtures("unmeasured")
def test_on_a_terminal_the_user_consents_and_logs_in(mltrust, here, trusting, on_terminal):
    mltrust("seal", "model", "--no-anchor")

    script = [Path(sys.executable).with_name("mltrust"), "sign", "model", "--key", f"sigstore:{here.config}"]
    home = {"MLTRUST_HOME": str(mltrust.folder / "home"), "BROWSER": "false"}  # one that does not open
    run = partial(on_terminal, partial(subprocess.Popen, script, cwd=mltrust.folder, env={**os.environ, **home}))
    code, screen = run((b"[y/N]", b"n\n"))
    assert (code, "publishes who you are" in screen, "not signed" in screen) == (2, True, True)
    code, screen = run((b"[y/N]", b"y\n"), (b"code: ", b"alice@example.org\n"))
    assert code == 0, screen
    assert f"{here.url}/auth?" in screen
    assert mltrust("verify", "model", *trusting).code == 0


@pytest.mark.usefixtures("unmeasured")
def test_a_bundle_that_model_signing_reads(mltrust, here, signing, trusting):
    verify = ["verify", "model", "--oms", "model.sig"]
    commands = [
        ["seal", "model", "--no-anchor", "--with-sha256", *signing],
        ["export", "oms", "model", "--output", "model.sig", *signing],
        [*verify, *trusting],
        [*verify, "--identity", "bob@example.org", *trusting[2:]],
    ]
    assert [done.code for done in mltrust.many(commands)] == [0, 0, 0, 1]
    bundle = read_bundle((mltrust.folder / "model.sig").read_bytes(), "model.sig")
    assert here.verifier().confirm(bundle.payload, bundle.signatures).outcome is Outcome.PASS
    for who, code in (("alice", 0), ("bob", 1)):
        done = _peer(
            mltrust.folder, "verify", "sigstore", "model", "--signature", "model.sig", "--trust_config", here.config,
            "--identity", f"{who}@example.org", "--identity_provider", here.url,
        )  # fmt: skip
        assert done.returncode == code, done


def test_a_bundle_that_model_signing_wrote(mltrust, here, trusting):
    token = here.token_file().read_text().strip()
    done = _peer(
        mltrust.folder, "sign", "sigstore", "model", "--signature", "model.sig", "--trust_config", here.config,
        "--identity_token", token,
    )  # fmt: skip
    assert done.returncode == 0, done
    document = json.loads((mltrust.folder / "model.sig").read_text())
    payload = base64.b64decode(document["dsseEnvelope"]["payload"]).replace(b"config.json", b"Config.json")
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (mltrust.folder / "changed.sig").write_text(json.dumps(document))
    verify = ["verify", "model", *trusting, "--oms"]
    assert [done.code for done in mltrust.many([[*verify, each] for each in ("model.sig", "changed.sig")])] == [0, 1]


def _peer(folder, *arguments):
    if not PEER.is_file():
        pytest.skip("model-signing is not installed in an environment of its own: make test does that")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE"))}
    command = [PEER, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, check=False, timeout=120)
