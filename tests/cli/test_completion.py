"""The scripts of `mltrust completion`, in the shells that they are for."""

import os
import pty
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

BASH = """
source script.bash
while IFS= read -r line; do
    IFS=' ' read -r -a COMP_WORDS <<< "$line"
    [[ $line == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _mltrust
    printf '%s\\n' "${COMPREPLY[@]}" END
done
"""
# Completion of zsh runs only while a line is edited: what would be offered goes to a file, a line of it to a terminal.
ZSH = """
autoload -Uz compinit && compinit -u -D
LISTMAX=1000000  # it would ask before it lists more
source script.zsh
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)* ]]; then builtin compadd "$@"; return; fi
    local -a hits
    builtin compadd -O hits "$@"
    print -rl -- $hits >> offered
    builtin compadd "$@"
}
_capture() { _main_complete }
zle -C capture list-choices _capture
run() { zle capture; print -r -- END >> offered; BUFFER= }
zle -N run
bindkey '^T' run
print -r -- END >> offered
"""
FISH = """
source script.fish
while read --local line
    complete -C "$line"
    echo END
end
"""
CONFIG = """
[anchors]
release = "ledger:/srv/releases"
"odd $(touch gone) `touch gone`" = "ledger:/srv/odd"
[signers.alice]
key = "alice.pub"
"""
SCHEMES = {"ethereum:", "git-notes:", "ledger:", "rfc3161:"}
SIGNERS = {"ssh-agent:", "external:", "sigstore:"}
EXPORTS = {"cyclonedx", "dsse", "oms", "sha256sum", "spdx"}
GROUPS = {"key": {"generate", "show", "revoke"}, "config": {"show", "path", "names"}}

# A line that is being typed, and what is offered. Bash completes names of files by itself, where nothing is.
LINES = {
    "mltrust fin": {"fingerprint"},
    "mltrust key ": GROUPS["key"],
    "mltrust config ": GROUPS["config"],
    "mltrust seal --su": {"--suite"},
    "mltrust key generate --no": {"--no-password"},
    "mltrust seal --suite ": {"blake3", "sha256"},
    "mltrust seal model -q --suite s": {"sha256"},
    "mltrust key generate --type ": {"ed25519", "p256", "ml-dsa-65", "hybrid"},
    "mltrust verify --format j": {"json", "junit"},
    "mltrust config names ": {"anchors", "signers"},
    "mltrust completion ": {"bash", "zsh", "fish"},
}
OFFERED_TOO = {
    "mltrust ": {"seal", "verify", "key", "completion"},
    "mltrust seal -": {"--output", "--suite", "--quiet", "--help"},
    "mltrust verify --anchor ": {"release", "odd $(touch gone) `touch gone`", *SCHEMES},
    "mltrust ledger log --ledger rel": {"release"},
    "mltrust verify --key al": {"alice"},
    "mltrust seal --key ": SIGNERS,
    "mltrust export ": EXPORTS,
}
FILES = {"mltrust verify mod": "model", "mltrust seal --output mod": "model", "mltrust sign model mod": "model"}
TYPED = [*LINES, *OFFERED_TOO, *FILES]


@pytest.fixture
def offered(mltrust):
    """Return what a shell offers for each line of `TYPED`, given a way to ask it."""
    mltrust.home.mkdir()
    (mltrust.home / "config.toml").write_text(CONFIG)
    (mltrust.cwd / "model").mkdir()

    def ask(shell, asking):
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        script = mltrust("completion", shell)
        assert (script.code, script.err) == (0, "")
        (mltrust.cwd / f"script.{shell}").write_text(script.out)
        path = os.pathsep.join((str(Path(mltrust.popen.__globals__["SCRIPT"]).parent), os.environ["PATH"]))
        blocks = asking(mltrust.cwd, mltrust.environment(PATH=path))
        assert not (mltrust.cwd / "gone").exists()
        return dict(zip(TYPED, (set(filter(None, block.split("\n"))) for block in blocks), strict=True))

    return ask


def piped(*command):
    def ask(folder, environment):
        typed = "".join(f"{line}\n" for line in TYPED)
        done = subprocess.run(
            command, cwd=folder, env=environment, input=typed, capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stderr == ""
        return done.stdout.split("END\n")[:-1]

    return ask


def edited(folder, environment):
    """Type into zsh, on a terminal, a line after the other."""
    (folder / "setup.zsh").write_text(ZSH)
    told, (parent, child) = folder / "offered", pty.openpty()
    told.touch()
    os.set_blocking(parent, False)
    with subprocess.Popen(
        ["zsh", "-f", "-i"], cwd=folder, env={**environment, "TERM": "dumb"},
        stdin=child, stdout=child, stderr=child, start_new_session=True,
    ) as shell:  # fmt: skip
        os.close(child)
        try:
            for number, typed in enumerate(["source ./setup.zsh\n", *(f"{line}\x14" for line in TYPED)], 1):
                os.write(parent, typed.encode())
                await_block(told, number, parent)
        finally:
            shell.kill()  # it would not listen to anything less
    os.close(parent)
    return told.read_text().split("END\n")[1:-1]


def await_block(told, number, terminal):
    begin, screen = time.monotonic(), b""
    while told.read_text().count("END\n") < number:
        with suppress(BlockingIOError):
            screen += os.read(terminal, 65536)
        assert time.monotonic() - begin < 60, screen.decode(errors="replace")
        time.sleep(0.005)


def check(found, *, files):
    for line, expected in LINES.items():
        assert found[line] == expected, line
    for line, expected in OFFERED_TOO.items():
        assert found[line] >= expected, line
    for line, file in FILES.items():
        assert {each.rstrip("/") for each in found[line]} == ({file} if files else set()), line


def test_bash(offered):
    found = offered("bash", piped("bash", "--norc", "-c", BASH))
    unquoted = {line: {each.replace("\\", "") for each in names} for line, names in found.items()}
    check(unquoted, files=False)
    assert r"odd\ \$\(touch\ gone\)\ \`touch\ gone\`" in found["mltrust verify --anchor "]


def test_zsh(offered):
    check(offered("zsh", edited), files=True)


def test_fish(offered):
    described = offered("fish", piped("fish", "--no-config", "-c", FISH))
    check({line: {each.partition("\t")[0] for each in names} for line, names in described.items()}, files=True)
    assert "seal\tfingerprint an artifact, publish it, write its seal" in described["mltrust "]


@pytest.mark.parametrize("text", ['[anchors]\n"two\\nlines" = "ledger:a"\nok = 5\n', "[[anchors]]\nx = 1\n", ""])
def test_names_are_told_one_a_line_and_nothing_else(mltrust, text):
    """Completion asks for them: whatever else is wrong with a configuration, it is not the time to say so."""
    assert mltrust("config", "names", "anchors").out == ""
    mltrust.home.mkdir()
    (mltrust.home / "config.toml").write_text(text)
    done = mltrust("config", "names", "anchors")
    assert (done.code, done.out, done.err) == (0, "ok\n" if "ok" in text else "", "")
