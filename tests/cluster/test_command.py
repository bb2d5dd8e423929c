"""The installed command on a cluster."""

import signal
import subprocess
import sys

import pytest

MANY = 700


@pytest.fixture
def artifact(tmp_path, fill_model):
    folder = fill_model(tmp_path / "artifact")
    for name in range(MANY):
        (folder / f"{name}.json").write_text(f"{name}" * name)
    return folder


@pytest.fixture
def large(tmp_path):
    """A folder that takes a second to hash: a sparse file under many names."""
    folder = tmp_path / "large"
    folder.mkdir()
    with (folder / "0").open("wb") as file:
        file.truncate(2**28)
    for name in range(1, 20):
        (folder / f"{name}").hardlink_to(folder / "0")
    return folder


def uri_of(address):
    return address.replace("tcp://", "dask://").replace("tls://", "dask+tls://")


def test_the_same_fingerprint_and_a_seal_that_verifies(artifact, local_cluster, mltrust):
    uri = uri_of(local_cluster.scheduler_address)
    here = mltrust("fingerprint", artifact)
    assert mltrust("fingerprint", artifact.name, "--engine", uri) == here  # relative, to a folder of its own
    assert mltrust("seal", artifact, "--no-anchor", "--engine", uri)[0] == 0
    assert mltrust("verify", artifact, "--content-only", "--engine", uri, "--jobs", "1")[0] == 0
    (artifact / "17.json").write_text("18" * 17)
    code, out, _ = mltrust("verify", artifact, "--content-only", "--engine", uri)
    assert code == 1
    assert "17.json" in out


def test_rows_are_told_apart_there_as_here(fill_dataset, tmp_path, local_cluster, mltrust):
    data, uri = fill_dataset(tmp_path / "data"), uri_of(local_cluster.scheduler_address)
    here = mltrust("fingerprint", data, "--records-index")
    assert here[0] == 0
    assert mltrust("fingerprint", data, "--records-index", "--engine", uri) == here
    assert here != mltrust("fingerprint", data, "--records", "off", "--engine", uri)
    code, out, _ = mltrust("seal", data, "--no-anchor", "--engine", uri)
    assert (code, "6 files, 0 tensors, 12,020 records" in out) == (0, True)
    (data / "table.csv").write_text('id,text\n1,"open\n')
    code, out, _ = mltrust("verify", data, "--content-only", "--engine", uri)
    assert code == 1
    assert "malformed     table.csv" in out
    assert "the quote opened in line 2 is never closed" in out


def test_whoever_is_interrupted_or_killed(large, machines, start, mltrust, wait_until):
    uri = uri_of(machines.client.scheduler.address)
    command = ("mltrust", "fingerprint", large, "--engine", uri)

    interrupted = start(*command)
    wait_until(machines.working)
    interrupted.send_signal(signal.SIGINT)
    assert interrupted.communicate() == ("", "")
    assert interrupted.returncode == 130
    wait_until(lambda: not machines.working())  # the work was taken back

    running = start(*command)
    wait_until(lambda: machines.working() == 2)
    machines.workers[0].kill()
    assert running.poll() is None
    out, err = running.communicate()
    assert (running.returncode, out, err) == mltrust("fingerprint", large)
    assert len(machines.client.nthreads()) == 1

    running = start(*command)
    wait_until(machines.working)
    machines.scheduler.kill()
    out, err = running.communicate()
    said, _hint = err.splitlines()
    assert (running.returncode, out) == (3, "")
    assert said == f"error: {uri}: the scheduler is gone, or dropped the work"


def test_nobody_there(artifact, mltrust):
    patience = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    code, out, err = mltrust("fingerprint", artifact, "--engine", "dask://127.0.0.1:1", **patience)
    assert (code, out) == (3, "")
    assert err.startswith("error: dask://127.0.0.1:1: no connection to a scheduler: ")


def test_without_the_extra(artifact):
    script = (
        "import sys; sys.modules['distributed'] = None; sys.argv[0] = 'mltrust'\n"
        "from mltrust.cli.app import main; main()"
    )
    command = [sys.executable, "-c", script, "fingerprint", artifact, "--engine", "dask://127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'mltrust[dask]'" in done.stderr


def test_another_version_on_a_worker(artifact, tmp_path, make_cluster, start_worker, mltrust):
    other = tmp_path / "other"
    files = {"mltrust-0.0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: mltrust\nVersion: 0.0.1\n"}
    files["mltrust/__init__.py"] = "__version__ = '0.0.1'\n"
    for name, text in files.items():
        (other / name).parent.mkdir(parents=True)
        (other / name).write_text(text)
    cluster = make_cluster(0)
    start_worker(cluster.scheduler_address, PYTHONPATH=str(other))
    code, out, err = mltrust("fingerprint", artifact, "--engine", uri_of(cluster.scheduler_address))
    assert (code, out) == (3, "")
    assert " has mltrust 0.0.1; here it is mltrust " in err


def test_over_tls(artifact, tmp_path, make_cluster, mltrust):
    from distributed.security import Security

    security = Security.temporary()
    cluster = make_cluster(1, protocol="tls", security=security)
    settings = {"CA_FILE": security.tls_ca_file}
    settings |= {"CLIENT__CERT": security.tls_client_cert, "CLIENT__KEY": security.tls_client_key}
    for name, text in settings.items():
        (tmp_path / name).write_text(text)
    tls = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(tmp_path / name) for name in settings}
    command = ("fingerprint", artifact, "--engine", uri_of(cluster.scheduler_address))
    assert mltrust(*command, **tls) == mltrust("fingerprint", artifact)
    code, _, err = mltrust(*command)
    assert code == 3
    assert "TLS" in err
