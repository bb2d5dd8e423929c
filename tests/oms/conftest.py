"""OpenSSF Model Signing with its other implementation: `model_signing`, from an environment of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PEER = Path(sys.prefix, "peer", "bin", "model_signing")


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def model_signing():
    """Return a function that runs `model_signing`, which takes half a second to start."""
    if not PEER.is_file():
        pytest.skip("model-signing is not installed in an environment of its own: make test does that")

    def run(*arguments, cwd=None):
        done = subprocess.run(
            [PEER, *map(str, arguments)],
            cwd=cwd,
            env={key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE"))},
            capture_output=True,
            check=False,
            timeout=120,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
