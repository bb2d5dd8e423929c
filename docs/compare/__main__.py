"""Try other tools on the same changes: `python docs/compare --folder FOLDER`, or `make compare`.

Environments, builds and the full output of every run go to FOLDER. The table goes to `docs/comparison.md`, between its
two marks; `--print` leaves the page alone.
"""

import argparse
import datetime
import re
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from artifact import CHANGES, FORGED, GGUF, NOTHING, WEIGHTS, Change, make
from tools import Run, Tool, UnavailableError, dvc, gguf_hash, git_lfs, hf, mltrust, model_signing, opentimestamps, sums

PAGE = Path(__file__).parent.parent / "comparison.md"
BEGIN, END = "<!-- observed: `make compare` writes what follows -->", "<!-- observed: end -->"
NO_NETWORK = "nothing, and there is no network"
_OFFLINE = ("unshare", "--map-root-user", "--net")
# What a tool that reads one file of weights is not asked.
_ONE_FILE = {change.title for change in CHANGES if change.title.startswith(("a file is", "one row", "rows", "same"))}
_NOT_ASKED = {"gguf-hash": _ONE_FILE, "OpenTimestamps": _ONE_FILE}

# Lines that name what is well, or what was asked for.
_NO_FINDING = re.compile(r"\bok\s*$|^Assuming target filename", re.I)

Maker = Callable[[Path], AbstractContextManager[Tool]]


def makers(folder: Path) -> dict[str, Maker]:
    """Return for each tool a function that makes it; it is given the folder that the tool shall record."""

    def always(make_tool: Callable[[], Tool]) -> Maker:
        return lambda _: nullcontext(make_tool())

    return {
        "mltrust": always(mltrust),
        "model-signing": always(lambda: model_signing(folder)),
        "DVC": always(lambda: dvc(folder)),
        "Git LFS": always(git_lfs),
        "hf cache verify": hf,
        "gguf-hash": always(lambda: gguf_hash(folder)),
        "OpenTimestamps": always(lambda: opentimestamps(folder)),
        "sha256sum": always(lambda: sums("sha256sum")),
        "b3sum": always(lambda: sums("b3sum")),
    }


def column(name: str, maker: Maker, kept: Path) -> dict[str, str]:
    """Return the version of a tool and what it said of every change, each in a folder of its own."""
    cells: dict[str, str] = {}
    for change in (*CHANGES, FORGED):
        if change.title in _NOT_ASKED.get(name, ()):
            cells[change.title] = "-"
        else:
            cells["version"], cells[change.title] = _tried(name, maker, change, kept)
    cells[NO_NETWORK] = (
        _tried(name, maker, NOTHING, kept, before=_OFFLINE)[1] if _can_leave_the_network() else "not run"
    )
    return cells


def _can_leave_the_network() -> bool:
    try:
        return subprocess.run([*_OFFLINE, "true"], capture_output=True, check=False).returncode == 0  # noqa: S603  # ours
    except OSError:
        return False


def _tried(name: str, maker: Maker, change: Change, kept: Path, before: tuple[str, ...] = ()) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make(work / "model", GGUF if name == "gguf-hash" else WEIGHTS)
        with maker(work / "model") as tool:
            tool.run_or_leave([*tool.prefix, *tool.record], work)
            change.happen(work / "model")
            if change is FORGED:
                if tool.forge is None:
                    return tool.version, "-"
                tool.run_or_leave(tool.forge, work)
            run = tool.run(tool.check, work, before=before)
    (kept / f"{name}, {NO_NETWORK if before else change.title}.txt").write_text(run.output, encoding="utf-8")
    return tool.version, cell(run, change)


def cell(run: Run, change: Change) -> str:
    """Say in few words what a run said of a change: its exit code, and what the lines that report something name."""
    lines = [line for line in run.output.splitlines() if not line.startswith("$ ")]
    said = "\n".join(line for line in lines if not _NO_FINDING.search(line))
    named = next((word for word, texts in change.words if all(text in said for text in texts)), None)
    silent = "not seen" if run.code == 0 else "nothing named"
    return f"{run.code}, {named or silent}" if change.words else str(run.code)


def table(columns: dict[str, dict[str, str]], absent: dict[str, str]) -> str:
    """Write what was observed as Markdown; tools that said the same of everything share a column."""
    titles = [*(change.title for change in CHANGES), FORGED.title, NO_NETWORK]
    shared: dict[tuple[str, ...], list[str]] = {}
    for name, cells in columns.items():
        shared.setdefault(tuple(cells[title] for title in titles), []).append(name)
    rows = [["what happened", *map(", ".join, shared.values())], ["---"] * (len(shared) + 1)]
    rows += [[title, *said] for title, *said in zip(titles, *shared, strict=True)]
    versions = ", ".join(f"{name} {cells['version']}" for name, cells in columns.items())
    said = [f"Observed on {datetime.datetime.now(datetime.UTC):%Y-%m-%d} with {versions}."]
    said += [f"{name}: not run, for it cannot be had here ({why})." for name, why in absent.items()]
    return "\n".join([" ".join(said), "", *("| " + " | ".join(row) + " |" for row in rows)])


def main() -> None:
    """Try every tool, print the table, and put it into the page."""
    parser = argparse.ArgumentParser(description="Try other tools on the same changes.")
    parser.add_argument(
        "--folder", type=Path, required=True, help="environments, builds and all output, outside of here"
    )
    parser.add_argument("--print", action="store_true", help="leave the page alone")
    options = parser.parse_args()
    kept = options.folder.resolve() / "said"
    kept.mkdir(parents=True, exist_ok=True)
    columns, absent = {}, {}
    for name, maker in makers(options.folder.resolve()).items():
        try:
            columns[name] = column(name, maker, kept)
        except UnavailableError as why:
            absent[name] = str(why)
    observed = table(columns, absent)
    print(observed)  # noqa: T201  # a script
    if not options.print:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n\n{observed}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
