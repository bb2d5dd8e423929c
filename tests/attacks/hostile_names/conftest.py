"""Two worlds that are the same but for the names in them: of one they are hostile, of the other plain."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mltrust import registry
from mltrust.anchors.ledger.checkpoint import Checkpoint
from mltrust.cli.commands import whole_grammar
from mltrust.core.merkle import EMPTY_ROOT
from mltrust.core.note import Signer
from mltrust.testing.hostile_names import FILE_NAMES

SESSION = Path(__file__).with_name("session.py")
TABLES = Path(__file__).with_name("commands.txt")
LEAVES = {" ".join(command.words): command for command in whole_grammar().leaves()}
ENDED = re.compile(r"\n<<(\d+):(\w+)>>\n")

# All at once, as a file can be called: what begins a line, in whatever way it began, and what is obeyed in one.
WORST = (
    "::error::a\n::error::b\r::error::c\x85::error::d\u2028::error::e\x1b[31m\x1b]0;t\x07\x9b7m\u202e##[error]##vso[t.x]"
    "##teamcity[m]<b>|`[u](x)![i](x)&#0;'\"\\{0}%0A$(id)"
)
AWS = {"ACCESS_KEY_ID": "testing", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}
ELSEWHERE = {f"AWS_{name}": value for name, value in AWS.items()}
ELSEWHERE |= {"HF_HUB_DISABLE_TELEMETRY": "1", "GIT_CONFIG_GLOBAL": os.devnull}


@dataclass(frozen=True)
class World:
    """A folder in which everything has a name: `names` are of files and tensors, `worst` is one for everything else."""

    folder: Path
    names: Sequence[str]
    worst: str
    server: str

    @property
    def files(self):
        """The names as far as files can have them."""
        found = [name.replace("/", "|") for name in self.names]
        del found[FILE_NAMES.index(".")]
        return found

    def environment(self, **more):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV") if name in os.environ}
        own = {"MLTRUST_HOME": str(self.folder / "home"), "LANG": "C.UTF-8", "TERM": "xterm", "COLUMNS": "100"}
        own |= {"AWS_ENDPOINT_URL": self.server, "HF_ENDPOINT": self.server, f"MLTRUST_{self.worst}": self.worst}
        return {**kept, **ELSEWHERE, **own, **more}

    def start(self, commands, environment, **streams):
        listed = self.folder / "commands.json"
        listed.write_text(json.dumps([[str(part) for part in command] for command in commands]))
        command = [sys.executable, "-P", str(SESSION), str(listed)]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment(**environment), **streams)

    def run(self, commands, **environment):
        """Return code, stdout and stderr of each."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with self.start(commands, environment, **pipes) as process:
            out, err = (_told(stream.decode()) for stream in process.communicate(timeout=240))
        assert len(out) == len(err) == len(commands), err
        return [(code, told, err[number][1]) for number, (code, told) in enumerate(out)]

    def on(self, terminal, commands):
        """Return code and all that a terminal was sent, of each."""
        code, screen = terminal(lambda **streams: self.start(commands, {}, **streams))
        assert code == 0, screen[-2000:]
        return _told(screen.replace("\r\n", "\n"))[::2]  # each ends on both streams, which are one here

    def rows(self, name):
        """Return a table as commands in this world."""
        texts = {
            "WORST": self.worst,
            "SHORT": self.worst[:180],
            "NAMED": self.worst.replace(":", ";"),
            "FILE": self.files[3],
            "SERVER": self.server,
            "EXTERNAL": f"'{self.folder}/external'",
        }
        several = {
            "ANNOTATIONS": [f"--annotation={n}{each.replace('=', '')}={each}" for n, each in enumerate(self.names)],
            "REPORTS": [f"--report={each}=NUMBER.{each}" for each in registry.names("renderers")],
        }
        for number, (words, called) in enumerate(_table(name)):
            for each in _every(words, called):
                found = {**texts, "EACH": each, "VALUED": each, "NUMBER": str(number)}
                parts = [part for word in words for part in several.get(word, [word])]
                yield [re.sub("|".join(found), lambda word, found=found: found[word[0]], part) for part in parts]

    def edit(self):
        """Change every file of the model in one way or another, and write seals with odd signatures and receipts."""
        for number, name in enumerate(self.files):
            path = self.folder / "model" / name
            other = path.with_name(f"{name[:200]}{number % 4}")
            ways = (path.unlink, partial(path.write_text, "changed"), partial(path.rename, other), other.touch)
            ways[number % 4]()
        seal = json.loads((self.folder / "model/mltrust.seal.json").read_text())
        receipt = seal["receipts"][0]
        evidence = dict.fromkeys(("entry", "checkpoint", "record", "token", self.worst), self.worst)
        kinds = ("ledger", *registry.names("anchors"))
        seal["signatures"] += [{"keyid": name, "sig": "AAAA"} for name in self.names[:40]]
        seal["receipts"] += [{**receipt, "kind": kind, "evidence": evidence} for kind in kinds]
        (self.folder / "odd.seal.json").write_text(json.dumps(seal))
        seal["receipts"] = [{**receipt, "time": {"not_before": self.worst, "not_after": self.worst}}]
        (self.folder / "odder.seal.json").write_text(json.dumps(seal))

    def all(self, run, *tables):
        """Have `run` run the commands of the tables, after what they look at was made; return each with its end."""
        made, looked = list(self.rows("before")), [row for table in tables for row in self.rows(table)]
        done = run(made)
        self.edit()
        return list(zip(made + looked, done + run(looked), strict=True))


def _table(name):
    """Return the rows of a table, split into words, each with the words of its command or None."""
    [text] = re.findall(rf"^\[{name}\]\n(.*?)(?=^\[|\Z)", TABLES.read_text(), re.M | re.S)
    for words in [line.split() for line in text.splitlines() if line and not line.startswith("#")]:
        yield words, next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in LEAVES), None)


def _formats(called):
    if called == "export":
        return registry.names("exports")
    return next((each.value.choices for each in LEAVES[called].options if "--format" in each.flags), ())


def _every(words, called):
    if "VALUED" in words:
        return [each.flags[0] for each in LEAVES[called].options if each.value]
    return _formats(called) if any("EACH" in word for word in words) else [""]


def _told(stream):
    pieces = ENDED.split(stream)
    return [(0 if pieces[at + 2] == "None" else int(pieces[at + 2]), pieces[at]) for at in range(0, len(pieces) - 1, 3)]


def _fill(world, safetensors_bytes):
    """Fill the world with a model, two versions of a dataset, and all else that a command is given."""
    folder, worst = world.folder, world.worst
    model = folder / "model"
    model.mkdir(parents=True)
    for number, name in enumerate(world.files):
        (model / name).write_text(str(number))
    (model / f"{world.files[3][:99]}.pkl").write_text("x")
    header = {"__metadata__": {name: name for name in world.names}}
    header |= {name: {"dtype": "U8", "shape": [1], "data_offsets": [n, n + 1]} for n, name in enumerate(world.names)}
    (model / "all.safetensors").write_bytes(safetensors_bytes(header, bytes(range(len(world.names)))))
    (model / "config.json").write_text(json.dumps({"auto_map": {worst: worst}}))
    (model / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": worst}))
    (folder / worst).mkdir()
    (folder / worst / "x").write_text("x")
    for version in ("before", "after"):
        _fill_with_records(folder / version, world)
    (folder / "people.jsonl").write_text("".join(json.dumps({"id": n, "said": worst}) + "\n" for n in range(5)))
    _write_what_is_broken(world, safetensors_bytes)
    _write_a_ledger(world)
    _write_notes(world)


def _fill_with_records(folder, world):
    folder.mkdir()
    rows = [{"id": number, name or "none": f"{name} {folder.name}"} for number, name in enumerate(world.names)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    cells = [name.replace('"', '""') for name in (world.worst, *world.names)]
    (folder / "rows.csv").write_text("".join(f'"{cell}","{folder.name}"\r\n' for cell in cells), newline="")
    with tarfile.open(folder / "members.tar", "w") as packed:
        for name in world.files:
            member = tarfile.TarInfo(f"{name[:90]}.txt")
            member.size = len(folder.name)
            packed.addfile(member, io.BytesIO(folder.name.encode()))


def _write_what_is_broken(world, safetensors_bytes):
    folder, worst = world.folder, world.worst
    (folder / "broken.json").write_text(json.dumps({"mediaType": worst, worst: worst}))
    (folder / "broken.toml").write_text(f"[anchors]\n{json.dumps(worst)} = 1\n")
    (folder / "broken.csv").write_text(f'"a","b"\n"{worst}"{worst}')
    (folder / "external").write_text(f"#!{sys.executable}\nimport sys\nsys.exit({worst!r})\n")
    (folder / "external").chmod(0o755)
    for name in ("dtype", "fifo", "link", "raw"):
        (folder / name).mkdir()
    header = {worst: {"dtype": worst, "shape": [1], "data_offsets": [0, 1]}}
    (folder / "dtype/x.safetensors").write_bytes(safetensors_bytes(header, b"x"))
    os.mkfifo(folder / "fifo" / worst)
    (folder / "link" / worst).symlink_to("/etc/passwd")
    (folder / "raw/name").write_text("x")
    with suppress(OSError):  # some file systems hold Unicode names only
        (folder / "raw" / os.fsdecode(b"\xff\xfe\x1b[31m")).write_text("x")


def _write_a_ledger(world):
    """Write the ledger of somebody with the worst name that a key can have, and configure the worst short names."""
    origin, theirs = re.sub(r"[\s\x00-\x1f+]", "", world.worst), world.folder / "theirs"
    signer = Signer(origin, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    theirs.mkdir()
    (theirs / "entries.jsonl").write_bytes(b"")
    (theirs / "verifier-key").write_text(f"{signer.verifier_key}\n")
    (theirs / "checkpoint").write_text(Checkpoint(origin, 0, EMPTY_ROOT).sign(signer).text)
    short = world.worst.replace(":", ";")
    (world.folder / "home").mkdir()
    (world.folder / "home/config.toml").write_text(
        f"[anchors]\n{json.dumps(short)} = {json.dumps(f'ledger:{world.worst}')}\n"
        f"[signers.{json.dumps(short + '2')}]\n{json.dumps('identity')} = {json.dumps(world.worst)}\nissuer = 'x'\n"
        f'[ethereum.local]\nrpc = ["{world.server}"]\n'
    )


def _write_notes(world):
    who = {f"GIT_{who}_{what}": world.worst for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    repository = world.folder / "repository"

    def git(*arguments):
        command = ["git", "-C", repository, *arguments]
        environment = world.environment(**who)
        return subprocess.run(command, check=True, env=environment, input=b"x", capture_output=True).stdout.decode()

    repository.mkdir()
    git("init", "--quiet")
    blob = git("hash-object", "-w", "--stdin").strip()
    git("notes", "--ref=mltrust", "add", "-m", world.worst, blob)


class _Refusing(BaseHTTPRequestHandler):
    """Refuses everything, in the worst words: in its reason, its headers and its body, as S3, a Hub and a node do."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        words = self.server.words
        said = re.sub(r"[\r\n]", " ", words).encode("utf-8").decode("latin-1")
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_node = self.command == "POST" and "json" in (self.headers.get("Content-Type") or "")
        xml = "".join(f"&#{ord(character)};" for character in words if ord(character) > 31 or character in "\r\n")
        body = f"<Error><Code>Refused{xml}</Code><Message>{xml}</Message></Error>".encode()
        if is_node:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": words}}).encode()
        self.send_response(400 if is_node else 404 if self.command == "HEAD" else 403, said)
        for name in ("X-Error-Code", "X-Error-Message", "Location"):
            self.send_header(name, said)
        self.send_header("Content-Type", "application/json" if is_node else "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def __getattr__(self, name):
        return self.do_GET if name in ("do_HEAD", "do_POST") else self.__getattribute__(name)


@contextmanager
def _refusing(words):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        server.daemon_threads, server.words = True, words
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def worlds(tmp_path, safetensors_bytes):
    """Return the hostile world and the plain one; the servers of each refuse everything, in its worst words."""
    plain = [f"name{number:03}" for number in range(len(FILE_NAMES))]
    with _refusing(WORST) as hostile_server, _refusing("plain") as plain_server:
        found = [
            World(tmp_path / "hostile", FILE_NAMES, WORST, hostile_server),
            World(tmp_path / "plain", plain, "plain", plain_server),
        ]
        for world in found:
            _fill(world, safetensors_bytes)
        yield found


@pytest.fixture
def covered():
    """Return the commands that are run, those that have formats and are run in each, and all there are of both."""
    table = [row for name in ("before", "after", "otherwise") for row in _table(name)]
    run = {called for _, called in table if called}
    in_each = {called for words, called in table if "EACH" in words}
    return run, in_each, set(LEAVES), {called for called in LEAVES if _formats(called)}
