"""The rows of mltrust: everything read, and again with what it remembers of the last time."""

import json
from functools import partial
from itertools import count
from pathlib import Path

import artifacts
from artifacts import Artifact
from commands import Bench, Command, Promise, mltrust, remove

from mltrust import read_seal_file
from mltrust.statements.seal import read_seal

_FULL = {
    "model": Promise(ratio=1.10, anonymous=200),
    "small": Promise(ratio=0.70, anonymous=500),
    **dict.fromkeys(("jsonl", "csv", "parquet"), Promise(seconds=4)),  # a leaf for each of a million rows
}
_AGAIN = {"model": Promise(share=0.30, anonymous=200), "small": Promise(share=0.30, anonymous=500)}
_SEAL, _VERIFY = "mltrust seal --reread", "mltrust verify"
_SHA256, _BESIDE = "mltrust seal --suite sha256", "mltrust seal --with-sha256"
_WITH_SHA256 = {"model": Promise(share=1.15), "small": Promise(), "single": Promise()}
"""Both hashes of every file, by a seal in SHA-256 alone; of a single file, SHA-256 goes from beginning to end."""
_NOWHERE, _JSON = ("--no-anchor", "-o"), ("--format", "json")
_edits = count(1)


def ours(bench: Bench, artifact: Artifact) -> list[Command]:
    """Return the rows of mltrust; what it remembers is filled by making the seal that `verify` reads."""
    kept, made = _kept(bench, artifact), bench.folder / f"{artifact.key}.made.json"
    program, path = mltrust(), str(artifact.path)
    bench.prepare(program, "seal", path, "--reread", *_NOWHERE, str(kept))
    verify = (program, "verify", path, "--content-only", "--seal", str(kept))
    full = _FULL.get(artifact.key, Promise())
    seal = (program, "seal", path, "--reread", *_NOWHERE, str(made))
    return [
        Command("mltrust fingerprint", (program, "fingerprint", path), promise=full),
        Command(_SEAL, seal, partial(remove, [made]), promise=full),
        Command(_VERIFY, verify, promise=full),
        *(_with_sha256(artifact, made) if artifact.key in _WITH_SHA256 else ()),
        *(_again(bench, artifact, kept, verify) if artifact.key in _AGAIN else ()),
    ]


def not_reread(output: str) -> int:
    """Return how many bytes a run says it took from what it remembered instead of reading them."""
    said = json.loads(output)
    found: int = said.get("scope", said)["bytes_not_reread"]
    return found


def readers(bench: Bench, artifact: Artifact) -> tuple[str, ...]:
    """Return the readers that the seal of an artifact names."""
    predicate = read_seal(read_seal_file(_kept(bench, artifact)).statement)
    return tuple(reader.name for reader in predicate.parameters.readers)


def _kept(bench: Bench, artifact: Artifact) -> Path:
    return bench.folder / f"{artifact.key}.kept.json"


def _with_sha256(artifact: Artifact, made: Path) -> list[Command]:
    """Return what reads everything and hashes it in SHA-256, alone and beside BLAKE3."""
    seal, clean = (
        (mltrust(), "seal", str(artifact.path), "--reread", *_JSON, *_NOWHERE, str(made)),
        partial(remove, [made]),
    )
    return [
        Command(_SHA256, (*seal, "--suite", "sha256"), clean),
        Command(_BESIDE, (*seal, "--with-sha256"), clean, full=_SHA256, promise=_WITH_SHA256[artifact.key]),
    ]


def _again(bench: Bench, artifact: Artifact, kept: Path, verify: tuple[str, ...]) -> list[Command]:
    """Return what reads little: nothing has changed, or one shard. These print JSON, for `not_reread` to look into."""
    promise = _AGAIN[artifact.key]
    seal = (mltrust(), "seal", str(artifact.path), *_JSON, *_NOWHERE, str(kept))
    bench.prepare(*seal)
    rows = [
        Command("mltrust seal, unchanged", seal, full=_SEAL, promise=promise),
        Command("mltrust verify --quick", (*verify, *_JSON, "--quick"), full=_VERIFY, promise=promise),
    ]
    if artifact.key == "model":
        rows.append(_one_changed(bench, artifact))
    return rows


def _one_changed(bench: Bench, artifact: Artifact) -> Command:
    """Seal a second folder of the same shards, one of which is written to before each run."""
    shard = artifacts.changing(bench.folder, artifact)
    seal = (mltrust(), "seal", str(shard.parent), *_JSON, *_NOWHERE, str(bench.folder / "changing.json"))
    bench.prepare(*seal)
    return Command("mltrust seal, 1 shard changed", seal, partial(_edit, shard), full=_SEAL)


def _edit(shard: Path) -> None:
    """Change the last tensor of a shard."""
    number = next(_edits).to_bytes(8, "big")
    with shard.open("r+b") as opened:
        opened.seek(-len(number), 2)
        opened.write(number)
