"""`mltrust ledger witness`, and the checkpoints of a ledger anchored elsewhere: what each side types, and finds out."""

import json
import shutil
import subprocess

import pytest


@pytest.fixture(scope="module")
def _there(_tiny, tmp_path_factory, command):
    base = tmp_path_factory.mktemp("there")
    shutil.copytree(_tiny, base, dirs_exist_ok=True)
    (base / "model/mltrust.seal.json").unlink()
    assert command(base)("seal", "model", "--anchor", "ledger:shared").code == 0
    return base


@pytest.fixture
def there(_there, mltrust, bare):
    """Return the URI of a ledger that vouches for the model."""
    shutil.copytree(_there, mltrust.cwd, dirs_exist_ok=True)
    return f"ledger:{mltrust.cwd / 'shared'}"


@pytest.fixture
def witness(mltrust):
    return mltrust.at(mltrust.cwd / "witness")


@pytest.fixture
def reader(mltrust):
    return mltrust.at(mltrust.cwd / "reader")


def release(mltrust, bare, text, home=None):
    (bare / "README.md").write_text(text)
    assert (home or mltrust)("seal", bare, "--anchor", "ledger:shared").code == 0


def requires(command, there, *keys, at_least=None):
    """Configure that the ledger counts only with these witnesses."""
    command.home.mkdir(exist_ok=True)
    listed = ", ".join(f'"{key}"' for key in keys)
    more = f"at_least = {at_least}\n" if at_least else ""
    (command.home / "config.toml").write_text(f'["ledger"."{there[7:]}"]\nwitnesses = [{listed}]\n{more}')


def anchor_check(done):
    (found,) = [check for check in done.json()["checks"] if check["kind"] == "anchor"]
    return found


def fork(mltrust, bare, text):
    """Put the ledger back to `saved`, and let its keeper, having forgotten it, publish something else."""
    shutil.rmtree(mltrust.cwd / "shared")
    shutil.copytree(mltrust.cwd / "saved", mltrust.cwd / "shared")
    forger = mltrust.at(mltrust.cwd / "forger")
    shutil.copytree(mltrust.home / "data/keys", forger.home / "data/keys", dirs_exist_ok=True)
    release(mltrust, bare, text, forger)


class TestCosigning:
    def test_it_prints_and_keeps_the_cosigned_checkpoint(self, mltrust, witness, there):
        before = (mltrust.cwd / "shared/checkpoint").read_bytes()
        done = witness("ledger", "witness", "--ledger", there)
        assert done.code == 0
        assert done.out.encode().startswith(before)
        assert done.out.count("— mltrust.witness/") == 1
        assert "at size 1, and kept there" in done.err
        assert mltrust("ledger", "checkpoint", "--ledger", there).out == done.out
        assert (mltrust.cwd / "shared/checkpoint").read_bytes() == before

    def test_its_key(self, witness):
        key = witness("ledger", "witness", "--key").out
        assert key.startswith("mltrust.witness/")
        assert key.count("\n") == 1
        assert witness("ledger", "witness", "--key").out == key

    def test_where_it_may_not_write_the_keeper_takes_it_in(self, mltrust, witness, there):
        done = witness("ledger", "witness", "--ledger", there, "--print")
        key = witness("ledger", "witness", "--key").out.strip()
        assert "takes it in: mltrust ledger witness --add FILE" in done.err
        assert not (mltrust.cwd / "shared/cosignatures").exists()
        (mltrust.cwd / "cosigned").write_text(done.out)
        refused = mltrust("ledger", "witness", "--ledger", there, "--add", "cosigned")
        assert refused.code == 3
        assert "none of the witnesses cosigned it" in refused.err
        taken = mltrust("ledger", "witness", "--ledger", there, "--add", "-", "--witness", key, input=done.out.encode())
        assert taken.code == 0
        assert taken.out == ""
        assert "took in the cosignature of mltrust.witness/" in taken.err
        assert mltrust("ledger", "checkpoint", "--ledger", there).out == done.out

    def test_taking_in_as_configured(self, mltrust, witness, there):
        (mltrust.cwd / "cosigned").write_text(witness("ledger", "witness", "--ledger", there, "--print").out)
        requires(mltrust, there, witness("ledger", "witness", "--key").out.strip())
        assert mltrust("ledger", "witness", "--ledger", there, "--add", "cosigned").code == 0

    @pytest.mark.parametrize("content", ["", "x", "a\n\nb\n", "\0", "x" * 100_000])
    def test_what_is_no_checkpoint_is_not_taken_in(self, mltrust, witness, there, content):
        key = witness("ledger", "witness", "--key").out.strip()
        (mltrust.cwd / "cosigned").write_text(content)
        assert mltrust("ledger", "witness", "--ledger", there, "--add", "cosigned", "--witness", key).code == 3
        assert not (mltrust.cwd / "shared/cosignatures").exists()

    def test_its_own_keeper_is_told_that_this_proves_nothing(self, mltrust, there):
        done = mltrust("ledger", "witness", "--ledger", there)
        assert done.code == 0
        assert "a witness should be somebody else" in done.err

    @pytest.mark.parametrize(
        "options",
        [("--key", "--print"), ("--key", "--add", "x"), ("--witness", "x"), ("--add", "x", "--witness", "nonsense")],
    )
    def test_options_that_make_no_sense(self, mltrust, there, options):
        (mltrust.cwd / "x").write_text("x")
        assert mltrust("ledger", "witness", "--ledger", there, *options).code == 2

    def test_no_ledger(self, witness):
        assert witness("ledger", "witness", "--ledger", "ledger:nowhere").code == 3


class TestRefusing:
    @pytest.fixture(autouse=True)
    def cosigned(self, mltrust, bare, witness, there):
        shutil.copytree(mltrust.cwd / "shared", mltrust.cwd / "saved")
        release(mltrust, bare, "two")
        self.mine = witness("ledger", "witness", "--ledger", there).out

    def refused(self, witness, there):
        """The witness says no, shows both checkpoints, and signs nothing."""
        done = witness("ledger", "witness", "--ledger", there)
        assert done.code == 1
        assert done.out == ""
        shown = [line[2:] for line in done.err.splitlines() if line.startswith("| ")]
        assert shown.count(self.mine.splitlines()[0]) == 2
        return shown

    def test_a_rollback(self, mltrust, witness, there):
        shutil.rmtree(mltrust.cwd / "shared")
        (mltrust.cwd / "saved").rename(mltrust.cwd / "shared")
        shown = self.refused(witness, there)
        assert [line for line in shown if line.isdigit()] == ["2", "1"]

    def test_a_fork_of_one_size_also_after_forgetting(self, mltrust, bare, witness, there):
        fork(mltrust, bare, "other")
        shown = self.refused(witness, there)
        assert [line for line in shown if line.isdigit()] == ["2", "2"]
        shutil.rmtree(witness.home / "state/ledgers/checkpoints")
        assert self.refused(witness, there)[: len(self.mine.splitlines())] == self.mine.splitlines()

    def test_a_fork_shows_its_cosignature_to_everybody(self, mltrust, bare, reader, there):
        shutil.copytree(mltrust.cwd / "shared/cosignatures", mltrust.cwd / "saved/cosignatures")
        shutil.rmtree(mltrust.cwd / "shared")
        shutil.copytree(mltrust.cwd / "saved", mltrust.cwd / "shared")
        done = reader("ledger", "check", "--ledger", there)
        assert done.code == 1
        assert "| — mltrust.witness/" in done.err
        checked = reader("verify", bare, "--anchor", there, "--format", "json")
        assert checked.code == 1
        assert anchor_check(checked)["state"] == "rollback"
        assert len(anchor_check(checked)["evidence"]) == 2


class TestRequiring:
    def test_open_until_it_cosigned(self, mltrust, bare, witness, reader, there):
        requires(reader, there, witness("ledger", "witness", "--key").out.strip())
        done = reader("verify", bare, "--anchor", there, "--format", "json")
        assert done.code == 3
        found = anchor_check(done)
        assert (found["outcome"], found["state"]) == ("unchecked", "not-final")
        assert "--refresh" in found["hint"]
        assert witness("ledger", "witness", "--ledger", there).code == 0
        done = reader("verify", bare, "--anchor", there, "--format", "json")
        assert done.code == 0
        assert (anchor_check(done)["state"], anchor_check(done)["level"]) == ("verified", "witnessed")
        status = reader("ledger", "check", "--ledger", there, "--format", "json").json()
        assert (status["size"], status["witnessed_size"]) == (1, 1)
        release(mltrust, bare, "two")
        assert reader("verify", bare, "--anchor", there).code == 3
        assert "witnessed size   1" in reader("ledger", "check", "--ledger", there).out

    def test_offline_once_the_receipt_is_refreshed(self, mltrust, bare, witness, reader, there):
        key = mltrust("ledger", "checkpoint", "--ledger", there, "--key").out.strip()
        theirs = witness("ledger", "witness", "--key").out.strip()
        entry = f'{{ key = "{key}", witnesses = ["{theirs}"], at_least = 1 }}'
        (mltrust.cwd / "policy.toml").write_text(f"[trust]\nrequire = [{entry}]\n")
        assert witness("ledger", "witness", "--ledger", there).code == 0
        assert reader("verify", bare, "--policy", "policy.toml").code == 3
        before = (bare / "mltrust.seal.json").read_bytes()
        assert mltrust("anchors", bare, "--anchor", there, "--refresh").code == 0
        refreshed = (bare / "mltrust.seal.json").read_bytes()
        assert refreshed != before
        shutil.rmtree(mltrust.cwd / "shared")
        done = reader("verify", bare, "--policy", "policy.toml", "--format", "json")
        assert done.code == 0
        assert anchor_check(done)["level"] == "witnessed"
        assert mltrust.at(mltrust.cwd / "nobody")("verify", bare, "--key", key).code == 0

    def test_one_of_two(self, mltrust, bare, witness, reader, there):
        other = mltrust.at(mltrust.cwd / "other")
        keys = [command("ledger", "witness", "--key").out.strip() for command in (witness, other)]
        assert witness("ledger", "witness", "--ledger", there).code == 0
        requires(reader, there, *keys, at_least=1)
        assert reader("verify", bare, "--anchor", there).code == 0
        requires(reader, there, *keys)
        done = reader("verify", bare, "--anchor", there)
        assert done.code == 3
        assert "cosigned by 1 of 2 witnesses so far, at least 2 must" in done.out

    @pytest.mark.parametrize(
        "table", ["witnesses = []", "witnesses = 1", 'witnesses = ["x"]', "at_least = 1", "witness = []"]
    )
    def test_a_configuration_that_makes_no_sense(self, bare, reader, there, table):
        reader.home.mkdir()
        (reader.home / "config.toml").write_text(f'["ledger"."{there[7:]}"]\n{table}\n')
        assert reader("verify", bare, "--anchor", there).code == 2


class TestAnchoring:
    def test_one_publication_covers_all_entries(self, mltrust, bare, reader, there):
        release(mltrust, bare, "two")
        public = mltrust.at(mltrust.cwd / "public")
        assert public("seal", "model/config.json", "--anchor", "ledger:public-log").code == 0
        done = mltrust("ledger", "checkpoint", "--ledger", there, "--anchor", "ledger:mine")
        assert done.code == 0
        assert "checkpoint of size 2, sha256:" in done.out
        assert (mltrust.cwd / "shared/anchored/2.json").is_file()
        check = ("ledger", "check", "--ledger", there)
        told, data, silent, unreachable, both = reader.many(
            [
                (*check, "--anchor", "ledger:mine"),
                (*check, "--anchor", "ledger:mine", "--format", "json"),
                (*check, "--anchor", "ledger:public-log"),
                (*check, "--anchor", "ledger:nowhere"),
                (*check, "--anchor", "ledger:mine", "--anchor", "ledger:nowhere"),
            ]
        )
        assert told.code == data.code == 0
        assert "anchored size    2" in told.out
        (answer,) = data.json()["anchored"]
        assert (answer["size"], answer["check"]["outcome"]) == (2, "pass")
        assert silent.code == 1
        assert "vouches for no checkpoint of this ledger [absent]" in silent.out
        assert unreachable.code == 3
        assert "[unavailable]" in unreachable.out
        assert both.code == 3

    def test_as_json(self, mltrust, there):
        done = mltrust("ledger", "checkpoint", "--ledger", there, "--anchor", "ledger:mine", "--format", "json")
        found = done.json()
        assert found["mediaType"] == "application/vnd.mltrust.ledger-anchored.v1+json"
        assert (found["size"], found["check"]["outcome"]) == (1, "pass")
        entries = mltrust("ledger", "log", "--ledger", "ledger:mine", "--format", "json").json()["entries"]
        assert [entry["digest"] for entry in entries] == [found["digest"]]
        again = mltrust("ledger", "checkpoint", "--ledger", there, "--anchor", "ledger:mine", "--format", "json")
        assert again.json() == found

    def test_a_rollback_is_found_by_somebody_who_never_saw_the_ledger(self, mltrust, bare, reader, there):
        shutil.copytree(mltrust.cwd / "shared", mltrust.cwd / "saved")
        release(mltrust, bare, "two")
        assert mltrust("ledger", "checkpoint", "--ledger", there, "--anchor", "ledger:mine").code == 0
        shutil.copyfile(mltrust.cwd / "shared/anchored/2.json", mltrust.cwd / "kept.json")
        shutil.rmtree(mltrust.cwd / "shared")
        (mltrust.cwd / "saved").rename(mltrust.cwd / "shared")
        assert reader("ledger", "check", "--ledger", there).code == 0, "by itself it looks sound"
        assert reader("ledger", "check", "--ledger", there, "--anchor", "ledger:mine").code == 1
        done = reader("ledger", "check", "--ledger", there, "--begins-with", "kept.json")
        assert done.code == 1
        assert "goes back behind a checkpoint it signed: from size 2 to 1" in done.err
        (mltrust.cwd / "shared/anchored").mkdir()
        shutil.copyfile(mltrust.cwd / "kept.json", mltrust.cwd / "shared/anchored/2.json")
        done = reader("ledger", "check", "--ledger", there, "--anchor", "ledger:mine")
        assert done.code == 1
        assert len([line for line in done.err.splitlines() if line.startswith("| — ")]) == 2

    def test_an_edited_receipt(self, mltrust, reader, there):
        assert mltrust("ledger", "checkpoint", "--ledger", there, "--anchor", "ledger:mine").code == 0
        file = mltrust.cwd / "shared/anchored/1.json"
        value = json.loads(file.read_text())
        value["receipts"][0]["evidence"]["entry"] = value["receipts"][0]["evidence"]["entry"].replace("2026", "2025")
        file.write_text(json.dumps(value))
        # The anchor knows the checkpoint all the same; a copy of it that forgot does not.
        assert reader("ledger", "check", "--ledger", there, "--anchor", "ledger:mine").code == 0
        file.write_text("{}")
        assert reader("ledger", "check", "--ledger", there, "--anchor", "ledger:mine").code == 3

    @pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
    def test_in_the_notes_of_a_repository(self, mltrust, bare, reader, there):
        for command in (("init", "-q"), ("config", "user.name", "me"), ("config", "user.email", "me@example.org")):
            subprocess.run(["git", *command], cwd=mltrust.cwd, check=True)
        done = mltrust("ledger", "checkpoint", "--ledger", there, "--anchor", f"git-notes:{mltrust.cwd}")
        assert done.code == 0
        assert "receipt kept" not in done.out
        assert [path.name for path in (mltrust.cwd / "shared/anchored").iterdir()] == ["1.note"]
        checked = mltrust("ledger", "check", "--ledger", there, "--anchor", f"git-notes:{mltrust.cwd}")
        assert checked.code == 0
        assert "anchored size    1" in checked.out

    def test_a_ledger_does_not_anchor_itself(self, mltrust, there):
        assert mltrust("ledger", "checkpoint", "--ledger", there, "--anchor", there).code == 2

    @pytest.mark.parametrize("options", [("--push", "x"), ("--key", "--anchor", "ledger:mine")])
    def test_options_that_go_with_others(self, mltrust, there, options):
        assert mltrust("ledger", "checkpoint", "--ledger", there, *options).code == 2


def test_a_witness_named_on_the_command_line(mltrust, witness, reader, there, bare):
    """Online by the ledger's URI as offline by its key, a witness that is named must have cosigned."""
    key = mltrust("ledger", "checkpoint", "--ledger", there, "--key").out.strip()
    name = witness("ledger", "witness", "--ledger", there, "--key").out.strip()
    for whom in (("--anchor", there), ("--key", key)):
        assert reader("verify", bare, *whom).code == 0
        assert reader("verify", bare, *whom, "--witness", name).code == 3, "not yet"
    assert witness("ledger", "witness", "--ledger", there).code == 0
    assert mltrust("anchors", bare, "--anchor", there, "--refresh").code == 0
    for whom in (("--anchor", there), ("--key", key)):
        done = reader("verify", bare, *whom, "--witness", name)
        assert done.code == 0
        assert "witnessed" in done.out
    assert reader("verify", bare, "--witness", name).code == 2
