"""What somebody planted in the artifact or the working folder is neither trusted nor followed."""

import os
import sys

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_planted_link_excludes_nothing(mltrust, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "mltrust.seal.json").symlink_to("later.py")
    assert mltrust("seal", model).code == 0
    (model / "later.py").write_text("evil")
    assert mltrust("verify", model).code == 1


def test_a_key_is_not_looked_up_in_the_working_folder(mltrust, tmp_path):
    for who in ("good", "evil"):
        (tmp_path / who).mkdir()
        (tmp_path / who / "x").write_text(who)
        assert mltrust("seal", tmp_path / who, "--anchor", f"ledger:{tmp_path / who}-ledger").code == 0
    keys = [
        mltrust("ledger", "checkpoint", "--key", "--ledger", f"ledger:{tmp_path / who}-ledger").out.strip()
        for who in ("good", "evil")
    ]
    planted = mltrust.cwd / keys[0]
    planted.parent.mkdir(parents=True)
    planted.write_text(keys[1] + os.linesep)
    assert mltrust("verify", tmp_path / "good", "--key", keys[0]).code == 0
    assert mltrust("verify", tmp_path / "evil", "--key", keys[0]).code == 1


def test_own_keys_are_never_sealed(mltrust, tmp_path):
    model = tmp_path / "holds-home"
    model.mkdir()
    (model / "config.json").write_text("{}")
    done = mltrust("seal", model, env={"MLTRUST_HOME": str(model / "home")})
    assert done.code == 2
    assert "your own keys" in done.err
    assert "MLTRUST_HOME" in done.err
    assert sorted(path.name for path in model.iterdir()) == ["config.json"]


def test_a_seal_named_by_its_folder(mltrust, tmp_path):
    model = tmp_path / "by-folder"
    model.mkdir()
    (model / "config.json").write_text("{}")
    assert mltrust("seal", model).code == 0
    assert mltrust("verify", model, "--seal", model).code == 0


def test_keys_policies_and_revocations_planted_in_an_artifact_count_for_nothing(mltrust, model, new_key):
    """Whoever runs mltrust inside an artifact must not take from it whom to trust, or whom no longer."""
    key, evil = (new_key(mltrust.cwd / f"{name}.key", seed=seed) for seed, name in enumerate(("good", "evil"), 1))
    (mltrust.home / "config.toml").write_text(f"[signers.ada]\nkey = '{key}.pub'\n")
    assert mltrust("sign", model, "--key", evil).code == 0
    public = (mltrust.cwd / "evil.key.pub").read_text()
    planted = "[signers.ada]\nkey = 'ada'\n[trust]\nrequire = ['ada']\n"
    for name in ("ada", "good.key.pub", "policy.toml", "config.toml", "revocations.json"):
        (model / name).write_text(planted if name.endswith("toml") else public)
    inside = type(mltrust)(mltrust.home, model)
    by_name, by_text, by_policy = inside.many(
        [
            ["verify", ".", "--key", "ada"],
            ["verify", ".", "--key", (mltrust.cwd / "good.key.pub").read_text()],
            ["verify", ".", "--policy", "policy.toml"],
        ]
    )
    for done in (by_name, by_text):
        assert done.code == 1
        assert "no signature by" in done.out
    assert "signed by ada" in by_policy.out, "only where the caller names it"
    for name in ("ada", "good.key.pub", "policy.toml", "config.toml", "revocations.json"):
        (model / name).unlink()
    assert mltrust("sign", model, "--key", key).code == 0
    assert inside("verify", ".", "--key", "ada").code == 0
