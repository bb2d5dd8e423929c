"""The peers: other tools on the same bytes, each as it would be used."""

import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from artifacts import Artifact
from commands import Bench, Command, b3sum, find, remove

_PROGRAM_EACH = 1000  # more files than this are too many for a program that takes one


def peers(bench: Bench, artifact: Artifact) -> list[Command]:
    """Return every peer that has something to do on this artifact."""
    return [
        *_sums(bench, artifact),
        *_model_signing(bench, artifact),
        _dvc(bench, artifact),
        _lfs(bench, artifact),
        *_load(artifact),
    ]


def _sums(bench: Bench, artifact: Artifact) -> list[Command]:
    rows = [
        Command("sha256sum", bench.on_files(artifact, "sha256sum")),
        Command("openssl dgst -sha256", bench.on_files(artifact, "openssl", "dgst", "-sha256")),
    ]
    if len(artifact.files) > 1:
        share = max(1, len(artifact.files) // 100)
        argv = bench.on_files(artifact, *b3sum(1), at_once=share, processes=2)
        rows.insert(0, Command("b3sum, 2 processes", argv))
    return rows


def _model_signing(bench: Bench, artifact: Artifact) -> list[Command]:
    program = find("model_signing")
    if not program or not find("openssl"):
        return [Command("model_signing sign key"), Command("model_signing verify key")]
    private, public = _keys(bench)
    kept, made = (bench.folder / f"{artifact.key}{end}" for end in (".kept.sig", ".made.sig"))
    path = str(artifact.path)
    sign = (program, "sign", "key", path, "--private_key", private, "--signature")
    bench.prepare(*sign, str(kept))
    verify = (program, "verify", "key", path, "--public_key", public, "--signature", str(kept))
    return [
        Command("model_signing sign key", (*sign, str(made)), partial(remove, [made])),
        Command("model_signing verify key", verify),
    ]


def _keys(bench: Bench) -> tuple[str, str]:
    private, public = bench.folder / "key.pem", bench.folder / "key.pub"
    curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    for made, command in (
        (private, ("openssl", "genpkey", *curve, "-out", str(private))),
        (public, ("openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public))),
    ):
        if not made.exists():
            bench.prepare(*command)
    return str(private), str(public)


def _dvc(bench: Bench, artifact: Artifact) -> Command:
    """Hash as DVC does, without copying into its cache, and without what it remembers of an earlier run."""
    name, program = "dvc add --no-commit", find("dvc")
    if not program:
        return Command(name)
    home, target = artifact.home, artifact.path.name
    if not (home / ".dvc").exists():
        bench.prepare(program, "--cd", str(home), "init", "--no-scm", "--quiet")
    left = [bench.dvc_state, home / ".dvc" / "tmp", home / ".dvc" / "cache", home / f"{target}.dvc"]
    argv = (program, "--cd", str(home), "add", "--no-commit", "--quiet", target)
    return Command(name, argv, partial(remove, left))


def _lfs(bench: Bench, artifact: Artifact) -> Command:
    name = "git lfs pointer --file"
    if not find("git-lfs"):
        return Command(name)
    if len(artifact.files) > _PROGRAM_EACH:
        return Command(name, why="a process for each file")
    return Command(name, bench.on_files(artifact, "git", "lfs", "pointer", "--file", at_once=1))


def _load(artifact: Artifact) -> list[Command]:
    """Load every tensor, which is what all checking is held against: it happens anyway."""
    shards = [str(file) for file in artifact.files if file.suffix == ".safetensors"]
    if not shards:
        return []
    here = find_spec("safetensors") and find_spec("numpy")
    argv = (sys.executable, str(Path(__file__).with_name("load.py")), *shards) if here else ()
    return [Command("load with safetensors (numpy)", argv)]
