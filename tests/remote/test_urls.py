"""Which URLs are taken, and how a package of somebody else's adds a scheme."""

import re
import subprocess
import sys

import pytest

from mltrust import api
from mltrust.errors import UsageError
from mltrust.sources.remote.buckets import short

PLUG = '''
from contextlib import contextmanager
from mltrust.interfaces import FileEntry, SourcePlug


class Shelf(SourcePlug):
    """Three files that exist nowhere; only what a source has to be."""

    remote = True

    def __init__(self, url, exclude=(), name=None):
        self.shown, self.exclude, self.name, self.left_out = url, tuple(exclude), name or "shelf", ()

    @classmethod
    def from_url(cls, url, settings):
        assert settings == {"height": 3}
        return cls(url)

    def leaving_out(self, exclude, name):
        return Shelf(self.shown, exclude, name)

    def is_folder(self):
        return True

    def seal(self):
        return None

    def files(self):
        return iter([FileEntry(name, 1, ()) for name in "abc"])

    def read(self, file, offset, length):
        return file.path.encode()[offset : offset + length]

    def local_path(self, file):
        return None
'''


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "Write the path itself"),
        ("ftp://host/x", "There are: .*s3://"),
        ("local://x", "There are"),
        ("s3://", "Write s3://BUCKET"),
        ("s3:///key", "Write s3://BUCKET"),
        ("gs://", "Write gs://BUCKET"),
        ("az:///x", "Write az://BUCKET"),
        ("hf://gpt2", "Write hf://OWNER/NAME"),
        ("hf://datasets/x", "Write hf://OWNER/NAME"),
        ("s3://bucket/line\nbreak", "printed"),
    ],
)
def test_what_names_nothing(url, why):
    with pytest.raises(UsageError) as caught:
        api.fingerprint(url)
    assert any(re.search(why, each) for each in (str(caught.value), caught.value.hint or ""))


@pytest.mark.parametrize(
    "url", ["s3://k:top-secret@b/x", "gs://k:top-secret@b/x", "az://c@account/x", "hf://k:top-secret@o/n"]
)
def test_credentials_in_a_url(url):
    with pytest.raises(UsageError, match="must not carry credentials") as caught:
        api.fingerprint(url)
    assert "top-secret" not in str(caught.value)


def test_messages_of_libraries_hide_what_signs_a_url():
    error = OSError("403 at\n'https://host/a?X-Amz-Signature=secret&b=1', and (https://host/b?sig=secret).")
    assert short(error) == "403 at 'https://host/a?…', and (https://host/b?…"


@pytest.mark.parametrize(
    ("url", "extra"), [("s3://b/k", "remote"), ("gs://b/k", "gcs"), ("az://c/k", "azure"), ("hf://o/n", "hub")]
)
def test_nothing_is_installed_that_reads_it(url, extra):
    script = "import sys; sys.modules['fsspec'] = None; from mltrust.cli.app import main; main()"
    command = [sys.executable, "-c", script, "fingerprint", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said, hint = done.stderr.splitlines()
    assert (done.returncode, said) == (2, f"error: {url[:5]} needs fsspec"), done.stderr
    assert hint == f"hint: Install it: pip install 'mltrust[{extra}]'"


def test_a_path_that_only_looks_like_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:").mkdir()
    (tmp_path / "s3:/x").write_bytes(b"x")
    (tmp_path / "x").write_bytes(b"x")
    assert api.fingerprint("./s3://x") == api.fingerprint(tmp_path / "s3:/x") == api.fingerprint("x")


def test_a_scheme_of_somebody_elses(tmp_path, mltrust, monkeypatch):
    package = tmp_path / "packages"
    (package / "shelf-1.dist-info").mkdir(parents=True)
    (package / "shelf.py").write_text(PLUG)
    (package / "shelf-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1\n")
    (package / "shelf-1.dist-info/entry_points.txt").write_text("[mltrust.sources]\nshelf = shelf:Shelf\n")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/config.toml").write_text("[remote.shelf]\nheight = 3\n")
    monkeypatch.setenv("PYTHONPATH", str(package))
    (tmp_path / "here").mkdir()
    for name in "abc":
        (tmp_path / "here" / name).write_text(name)
    done = mltrust("fingerprint", "shelf://any")
    assert (done.code, done.out) == (0, f"{api.fingerprint(tmp_path / 'here')}\n"), done.err
