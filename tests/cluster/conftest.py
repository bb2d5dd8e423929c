"""A real Dask cluster: in this process where tests share it, as commands where somebody is to die."""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

_FOLDER = Path(sys.executable).parent
_PATIENCE = 60
_ENVIRONMENT = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"}


@pytest.fixture(scope="module")
def make_cluster():
    """A function that makes a cluster in this process, spoken to over TCP or TLS."""
    distributed = pytest.importorskip("distributed")
    with ExitStack() as stack:

        def make(workers, **options):
            options = {"protocol": "tcp", "processes": False, "dashboard_address": "127.0.0.1:0", **options}
            made = distributed.LocalCluster(n_workers=workers, threads_per_worker=2, **options)
            return stack.enter_context(made)

        yield make


@pytest.fixture(scope="module")
def local_cluster(make_cluster):
    """Two workers of two threads in this process."""
    return make_cluster(2)


@pytest.fixture
def start(tmp_path):
    """A function that starts an installed command; it is killed at the end, if it has not ended."""
    with ExitStack() as stack:

        def run(command, *arguments, **environment):
            process = subprocess.Popen(
                [_FOLDER / command, *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
                env={**_ENVIRONMENT, "MLTRUST_HOME": str(tmp_path / "home"), **environment},
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        yield run


@pytest.fixture
def mltrust(start):
    """A function that runs the installed command: exit code, stdout, stderr."""

    def run(*arguments, **environment):
        process = start("mltrust", *arguments, **environment)
        out, err = process.communicate(timeout=_PATIENCE)
        return process.returncode, out, err

    return run


@dataclass
class Machines:
    """A scheduler and two workers, each a process; `client` looks on."""

    scheduler: subprocess.Popen
    workers: list[subprocess.Popen]
    client: object

    def working(self):
        return sum(bool(tasks) for tasks in self.client.processing().values())


@pytest.fixture
def machines(start, start_worker, tmp_path):
    """A cluster of processes."""
    distributed = pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file)
    scheduler = start("dask", "scheduler", *options)
    wait_until(lambda: file.exists() and file.stat().st_size)
    address = json.loads(file.read_text())["address"]
    workers = [start_worker(address) for _ in range(2)]
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(2)
        yield Machines(scheduler, workers, client)


@pytest.fixture
def start_worker(start):
    """A function that starts a worker as a process of one thread."""
    options = ("--no-nanny", "--nthreads", "1", "--no-dashboard")
    return lambda address, **environment: start("dask", "worker", address, *options, **environment)


@pytest.fixture(name="wait_until")
def _wait_until():
    return wait_until


def wait_until(condition):
    """Wait until something is so."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
