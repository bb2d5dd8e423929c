"""Real chains on loopback: anvil where its binary is found, and the in-process chain of eth-tester behind HTTP."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mltrust import open_anchor
from mltrust.core.digest import Digest
from mltrust.interfaces import Home, Submission

NODE_MODULES = Path(__file__).parents[1] / "node" / "node_modules"
ANVIL_KEYS = (
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
)
TESTER_KEYS = tuple(f"{number:064x}" for number in (1, 2))
# The account that signed the deployment of the factory once for all chains, and what it signed.
FACTORY_DEPLOYER = "0x3fab184622dc19b6109349b94811493bf2a45362"
FACTORY_DEPLOYMENT = (
    "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe"
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
    "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
    "1ba02222222222222222222222222222222222222222222222222222222222222222"
    "a02222222222222222222222222222222222222222222222222222222222222222"
)


def find_anvil():
    """Return the binary itself: the npm wrapper leaves it running when it is told to end."""
    if named := os.environ.get("MLTRUST_ANVIL"):
        return named
    machine = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    system = {"Windows": "win32"}.get(platform.system(), platform.system().lower())
    binary = "anvil.exe" if system == "win32" else "anvil"
    packaged = NODE_MODULES / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / binary
    return shutil.which("anvil") or (str(packaged) if packaged.is_file() else None)


@dataclass
class Chain:
    """A chain that runs: where its node is, and the private keys that own something there."""

    url: str
    keys: tuple
    chain_id: int
    counter: int = 0

    def rpc(self, method, *params):
        from mltrust.anchors.ethereum.chain.rpc import Rpc

        return Rpc(self.url).call(method, *params)

    def mine(self, blocks=1):
        """Add blocks, so that those before become final."""
        self.rpc("anvil_mine", hex(blocks))

    @property
    def head(self):
        return int(self.rpc("eth_blockNumber"), 16)


class Anvil(Chain):
    """anvil in a process of its own."""

    def __init__(self, binary, *arguments):
        command = [binary, "--port", "0", "--host", "127.0.0.1", "--slots-in-an-epoch", "1", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := re.search(r"Listening on (\S+)", line):
                break
        else:
            raise RuntimeError("anvil did not start:\n" + "".join(said))
        super().__init__(f"http://{found[1]}", ANVIL_KEYS, 31337)
        self.drain = threading.Thread(target=lambda: [None for _ in self.process.stdout], daemon=True)
        self.drain.start()
        self.chain_id = int(self.rpc("eth_chainId"), 16)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.drain.join()
        self.process.stdout.close()


def _hexed(value):
    """Write what eth-tester says as the execution API does."""
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [_hexed(item) for item in value]
    return {key: _hexed(item) for key, item in value.items()}


class _TesterNode:
    """Answers JSON-RPC from the chain in this process; what eth-tester does not know comes from py-evm below it."""

    def __init__(self):
        from web3 import EthereumTesterProvider, Web3

        self.web3 = Web3(EthereumTesterProvider())
        self.web3.middleware_onion.clear()
        self.tester = self.web3.provider.ethereum_tester
        self._request = self.web3.provider.request_func(self.web3, self.web3.middleware_onion)
        self._lock = threading.Lock()
        self._own = {
            "anvil_mine": lambda blocks: self.tester.mine_blocks(int(blocks, 16)),
            "debug_getRawHeader": self._header,
            "debug_getRawReceipts": lambda number: [receipt.encode() for receipt in self._receipts(number)],
            "eth_getRawTransactionByHash": self._transaction,
        }

    @property
    def chain(self):
        return self.tester.backend.chain

    def _block(self, number):
        return self.chain.get_canonical_block_by_number(int(number, 16))

    def _header(self, number):
        import rlp

        return rlp.encode(self._block(number).header)

    def _receipts(self, number):
        return self._block(number).get_receipts(self.chain.chaindb)

    def _transaction(self, transaction):
        return self.chain.get_canonical_transaction(bytes.fromhex(transaction[2:])).encode()

    def answer(self, request):
        method, params = request["method"], request["params"]
        with self._lock:
            try:
                if method in self._own:
                    return {"result": _hexed(self._own[method](*params))}
                said = self._request(method, params)
            except Exception as error:  # noqa: BLE001  # whatever it is, a node answers
                return {"error": {"code": -32000, "message": f"{error}"}}
        return {"error": said["error"]} if "error" in said else {"result": _hexed(said["result"])}


@dataclass
class Server:
    """A JSON-RPC server on loopback. `answer(request)` gives `result` or `error`; None hangs up."""

    answer: object
    seen: list = field(default_factory=list)

    def __post_init__(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.seen.append(request["method"])
                said = server.answer(request)
                if said is None:
                    return  # the connection closes without an answer
                body = said if isinstance(said, bytes) else json.dumps({"jsonrpc": "2.0", "id": request["id"], **said})
                body = body if isinstance(body, bytes) else body.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # whoever asked may have been killed
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def stop(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class Tester(Chain):
    """The chain of eth-tester, with the factory that anvil has from the beginning."""

    def __init__(self):
        self.node = _TesterNode()
        self.server = Server(self.node.answer)
        super().__init__(self.server.url, TESTER_KEYS, 131277322940537)
        gift = {"from": self.node.tester.get_accounts()[0], "to": FACTORY_DEPLOYER, "value": 10**17, "gas": 21000}
        self.node.tester.send_transaction(gift)
        self.rpc("eth_sendRawTransaction", FACTORY_DEPLOYMENT)

    def stop(self):
        self.server.stop()


class Talk:
    """A dialogue that remembers what was said, knows one secret, and agrees or not."""

    def __init__(self, *, agrees=True, password="open sesame"):
        self.told, self.asked, self.agrees, self.password = [], [], agrees, password

    def tell(self, message):
        self.told.append(message)

    def secret(self, prompt):
        self.asked.append(prompt)
        return self.password

    def agree(self, question):
        self.asked.append(question)
        return self.agrees


@dataclass
class User:
    """Somebody with a home, who signs with a key and asks some nodes."""

    chain: Chain
    folder: Path
    batch: Callable
    signer: str | None = None
    talk: Talk = field(default_factory=Talk)

    @property
    def home(self):
        return Home(self.folder / "data", self.folder / "state", self.talk)

    def anchor(self, uri="ethereum:local", **settings):
        given = {"rpc": [self.chain.url], "chain_id": self.chain.chain_id, "timeout": 20, "signer": self.signer}
        given = {key: value for key, value in {**given, **settings}.items() if value is not None}
        if uri != "ethereum:local" and "chain_id" not in settings:
            del given["chain_id"]
        return open_anchor(uri, self.home, given)

    def configure(self, name="local", **settings):
        """Write the configuration the installed command reads."""
        given = {"rpc": [self.chain.url], "timeout": 20, "signer": self.signer, **settings}
        if name == "local":
            given["chain_id"] = self.chain.chain_id
        lines = [f"{key} = {json.dumps(value)}" for key, value in given.items() if value is not None]
        self.folder.mkdir(exist_ok=True)
        (self.folder / "config.toml").write_text("\n".join([f"[ethereum.{name}]", *lines, ""]))
        return self

    def environment(self):
        noise = ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS", "GITHUB_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(noise)}
        return {**kept, "MLTRUST_HOME": str(self.folder)}

    def start(self, *arguments, **options):
        """Start the installed command."""
        command = [str(Path(sys.executable).with_name("mltrust")), *map(str, arguments)]
        return subprocess.Popen(command, env=self.environment(), cwd=self.folder.parent, **options)

    def run(self, *arguments, code=0):
        """Run the installed command and require its exit code; return what it printed, and stderr after it."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with self.start(*arguments, **pipes) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err
        return out + err

    def many(self, commands):
        """Run many commands in one process, for the sake of time, and require their codes; return what each said."""
        done = self.batch(self.folder.parent, commands, MLTRUST_HOME=str(self.folder))
        codes = [each.code for each in done]
        assert codes == list(commands.values()), done
        return [each.out + each.err for each in done]

    def publish(self, *digests, final=True, **settings):
        """Publish and, unless told otherwise, wait until the block is final; return the receipts."""
        receipts = self.anchor(**settings).publish([Submission(digest) for digest in digests])
        if final:
            self.chain.mine(3)
        return receipts


@pytest.fixture(scope="session")
def anvil_binary():
    """Return the path of anvil; skip where it is not."""
    found = find_anvil()
    if found is None:
        pytest.skip("anvil is not here: npm was missing when the test environment was made (make test installs it)")
    return found


@pytest.fixture
def start_anvil(anvil_binary):
    """Return a function that starts anvil with arguments of its own."""
    started = []

    def start(*arguments):
        started.append(Anvil(anvil_binary, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def anvil(start_anvil):
    """Return a new chain in anvil: a block for every transaction, final two blocks later."""
    return start_anvil()


@pytest.fixture
def tester():
    """Return a new chain in this process, where every block is final at once."""
    chain = Tester()
    yield chain
    chain.stop()


@pytest.fixture(params=["anvil", "tester"])
def chain(request):
    """Return each of the chains."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def serve():
    """Return a function that starts a JSON-RPC server on loopback which answers as it is told."""
    started = []

    def start(answer):
        started.append(Server(answer))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def between(serve):
    """Return a function that puts a server before a chain: `change(request, pass_on)` answers, or passes it on."""

    def start(chain, change):
        def pass_on(request):
            from mltrust.anchors.ethereum.chain.rpc import RefusedError

            try:
                return {"result": chain.rpc(request["method"], *request["params"])}
            except RefusedError as error:
                return {"error": {"code": -32000, "message": error.said}}

        return serve(lambda request: change(request, pass_on))

    return start


@pytest.fixture
def user(tmp_path, monkeypatch, run_many):
    """Return a function that makes a user of a chain; `number` says whose key signs."""

    def make(chain, number=0, name=None):
        variable = f"MLTRUST_TEST_KEY_{number}"
        monkeypatch.setenv(variable, chain.keys[number])
        return User(chain, tmp_path / (name or f"user{number}"), run_many, f"env:{variable}")

    return make


@pytest.fixture
def deployed(user):
    """Return a function that puts the contract on a chain, and gives the user who did."""

    def deploy(chain, number=0):
        made = user(chain, number)
        made.anchor().publishing().deploy()
        return made

    return deploy


@pytest.fixture
def digests():
    """Return a function that makes so many digests."""
    return lambda number, seed="": [Digest.sha256(f"{seed}{each}".encode()) for each in range(number)]
