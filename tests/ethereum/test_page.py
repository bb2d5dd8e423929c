"""The how-to page, typed in as it stands, on a chain that plays the one it names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "ethereum.md"
FENCE = re.compile(r"^( *)```(console|toml)\n(.*?)^\1```$", re.M | re.S)
SKIPPED = "the package is installed already"


def steps():
    """Yield a file's name and content, or a command, its exit code and the lines shown below it."""
    text = PAGE.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        indent, language, body = found.groups()
        lines = [line.removeprefix(indent) for line in body.splitlines()]
        if SKIPPED in text[: found.start()].rstrip().rpartition("\n")[2]:
            continue
        if language == "toml":
            yield lines[0].removeprefix("# file: "), "\n".join(lines[1:]), None
            continue
        command, shown = "", []
        for line in [*lines, "$ "]:
            if line.startswith("$ "):
                if command:
                    code = re.search(r"  # exit (\d)$", command)
                    yield command, int(code[1]) if code else 0, shown
                command, shown = line[2:], []
            elif line.startswith("> ") and not shown:
                command += "\n" + line[2:]
            else:
                shown.append(line)


def pattern(shown):
    gap = r"[^\n]*".join
    return "".join(
        r"(?:.*\n)*?" if line in ("...", "…") else gap(map(re.escape, re.split(r"…|\.\.\.", line))) + r" *\n"
        for line in shown
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are typed into bash")
def test_the_page(start_anvil, tmp_path):
    chain = start_anvil("--chain-id", "11155111")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "100",
    }
    ran = 0
    for first, second, shown in steps():
        if shown is None:
            file = tmp_path / first
            file.parent.mkdir()
            file.write_text(re.sub(r"^rpc = .*$", f'rpc = ["{chain.url}"]', second, flags=re.M))
            continue
        script = f"[ -f .state ] && . ./.state\ntrap 'code=$?; export -p > .state; exit $code' EXIT\n{first}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == second, f"{first}\n{done.stdout}"
        if shown:
            assert re.fullmatch(pattern(shown), done.stdout), f"{first}\n{done.stdout}"
        if first.startswith("echo"):  # the faucet
            chain.rpc("anvil_setBalance", done.stdout.strip(), hex(10**18))
        if first.startswith("mltrust verify"):  # a quarter of an hour passes
            chain.mine(3)
        ran += 1
    assert ran >= 15
