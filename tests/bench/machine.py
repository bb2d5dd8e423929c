"""The machine: what was measured with, and on."""

import os
import platform
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("mltrust", "blake3", "safetensors", "numpy", "model-signing", "dvc", "pyarrow")
_PROGRAMS = (("b3sum", "--version"), ("sha256sum", "--version"), ("openssl", "version"), ("git-lfs", "--version"))
_FLAGS = (("AVX-512", " avx512f"), ("SHA", " sha_ni"))


def machine(folder: Path) -> Iterator[str]:
    """Yield lines that describe the machine, and the disk under `folder`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield f"- processor: {_processor()}, {os.cpu_count()} cores; {memory:.0f} GiB of memory"
    release = ".".join(platform.release().split(".")[:2])  # what follows names a build, which tells nobody anything
    yield f"- system: {platform.system()} {release} {platform.machine()}, Python {platform.python_version()}"
    yield f"- file system: {_file_system(folder)}"
    yield f"- versions: {', '.join(_versions())}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    has = [name for name, flag in _FLAGS if flag in text]
    return " with ".join(filter(None, (names[0] if names else platform.processor(), " and ".join(has))))


def _file_system(folder: Path) -> str:
    """Return the type of the file system `folder` is on: the mount whose path is the longest above it."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "not known"
    fields = [line.split() for line in mounts.read_text().splitlines()]
    above = [(len(point), kind) for _, point, kind, *_ in fields if folder.resolve().is_relative_to(point)]
    return max(above)[1]


def _versions() -> Iterator[str]:
    for package in _PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} not here"
    for program in _PROGRAMS:
        try:
            out = subprocess.run(program, check=True, capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError):
            yield f"{program[0]} not here"
        else:
            yield out.splitlines()[0].partition("(Library")[0].partition("(GitHub")[0].strip()
