"""Nodes that are slow, broken or hostile, and what is shown of them."""

import json
import re
import socket
import threading
import time
from contextlib import suppress

import pytest

from mltrust.anchors.ethereum.chain import rpc as module
from mltrust.anchors.ethereum.chain.node import Node
from mltrust.anchors.ethereum.chain.rpc import RefusedError, Rpc, UnreachableError
from mltrust.errors import AnchorError


@pytest.fixture
def raw():
    """Return a function that starts a server: it answers with bytes, naps for floats, then hangs up or waits."""
    closing = []

    def start(*answers, wait=False):
        listener = socket.create_server(("127.0.0.1", 0))
        held = []

        def serve():
            for answer in answers:
                connection, _ = listener.accept()
                _read_request(connection)
                for part in answer if isinstance(answer, list) else [answer]:
                    try:
                        time.sleep(part) if isinstance(part, float) else connection.sendall(part)
                    except OSError:
                        break
                held.append(connection)
                if not wait:
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        closing.append((listener, thread, held))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener, thread, held in closing:
        while thread.is_alive():  # it may wait for somebody who never came
            with suppress(OSError):
                socket.create_connection(listener.getsockname()).close()
            thread.join(0.1)
        for connection in held:
            connection.close()
        listener.close()


def _read_request(connection):
    """Read all of it: to close with something unread would reset the connection."""
    data = b""
    while b"\r\n\r\n" not in data and (part := connection.recv(65536)):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(dict(re.findall(rb"(?im)^(content-length): *(\d+)", head.lower())).get(b"content-length", 0))
    while len(body) < length and (part := connection.recv(65536)):
        body += part


def http(body, status="200 OK", headers=""):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def answer(result, number=1):
    return {"jsonrpc": "2.0", "id": number, "result": result}


def test_an_answer(raw):
    assert Rpc(raw(http(answer("0x1")))).call("eth_chainId") == "0x1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        {"jsonrpc": "2.0", "id": 1},
        {"id": 1, "result": 1},
        answer("0x1", number=2),
        b'{"jsonrpc":"2.0","id":1,"id":1,"result":1}',
        b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"jsonrpc":"2.0","id":1,"result":"\xff"}',
    ],
)
def test_what_is_no_answer(raw, body):
    with pytest.raises(UnreachableError):
        Rpc(raw(http(body))).call("eth_chainId")


def test_an_error_is_shown_and_harmless(raw):
    body = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "\x1b[31m::error:: " + "x" * 10_000}}
    with pytest.raises(RefusedError) as raised:
        Rpc(raw(http(body))).call("eth_chainId")
    assert "\x1b" not in str(raised.value)
    assert len(str(raised.value)) < 500
    for error in (None, 1, {"message": 5}, {}, "x"):
        body = {"jsonrpc": "2.0", "id": 1, "error": error}
        with pytest.raises(AnchorError):
            Rpc(raw(http(body))).call("eth_chainId")


def test_an_error_under_an_http_status(raw):
    body = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32600, "message": "no"}}
    with pytest.raises(RefusedError, match="no"):
        Rpc(raw(http(body, "400 Bad Request"))).call("eth_chainId")
    with pytest.raises(UnreachableError, match="HTTP 401"):
        Rpc(raw(http(b"who are you?", "401 Unauthorized"))).call("eth_chainId")


def test_a_redirect_is_not_followed(raw):
    target = raw(http(answer("0x1")))
    with pytest.raises(UnreachableError, match="HTTP 302"):
        Rpc(raw(http(b"", "302 Found", f"Location: {target}\r\n"))).call("eth_chainId")


def test_a_busy_node_is_asked_again_but_never_to_send(raw):
    naps = []
    busy, good = http(b"", "429 Too Many Requests"), http(answer("0x1", number=3))
    assert Rpc(raw(busy, busy, good), sleep=naps.append).read("eth_chainId") == "0x1"
    assert naps == [0.5, 1.0]
    with pytest.raises(UnreachableError, match="busy: HTTP 429"):
        Rpc(raw(busy, good), sleep=naps.append).call("eth_sendRawTransaction", "0x00")
    assert len(naps) == 2


def test_a_node_that_hangs_up_is_asked_again(raw):
    assert Rpc(raw(b"", http(answer("0x1", number=2))), sleep=lambda _: None).read("eth_chainId") == "0x1"
    short = http(answer("0x1"))[:-3]
    assert Rpc(raw(short, http(answer("0x1", number=2))), sleep=lambda _: None).read("eth_chainId") == "0x1"


def test_silence_ends(raw):
    with pytest.raises(UnreachableError, match=r"did not answer eth_chainId within 0\.3 s"):
        Rpc(raw(b"", wait=True), timeout=0.3).call("eth_chainId")


def test_an_endless_answer_ends(raw, monkeypatch):
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 100_000)
    endless = [b"HTTP/1.1 200 OK\r\n\r\n", *[b" " * 10_000] * 50]
    with pytest.raises(UnreachableError, match="more than 100000 bytes"):
        Rpc(raw(endless)).call("eth_chainId")


def test_an_answer_byte_by_byte_ends(raw):
    dripping = [b"HTTP/1.1 200 OK\r\n\r\n", *[b" ", 0.05] * 40]
    with pytest.raises(UnreachableError, match=r"did not answer eth_chainId within 0\.5 s"):
        Rpc(raw(dripping), timeout=0.5).call("eth_chainId")


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\nX: ", *[b"a", 0.05] * 200],
        [b"HTTP/1.1 100 Continue\r\n\r\n", 0.05] * 200,
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", *[b"X: y\r\n", 0.05] * 200],
        [b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\n", *[b" ", 0.05] * 200],
    ],
)
def test_headers_and_trailers_that_never_end_are_left(raw, parts):
    """Each part comes in time; all of them together never would."""
    url = raw(parts)
    with pytest.raises(UnreachableError, match=r"did not answer eth_chainId within 0\.4 s"):
        Rpc(url, timeout=0.4).call("eth_chainId")
    for thread in threading.enumerate():
        if thread.name == module.THREAD:
            thread.join(5)
            assert not thread.is_alive()  # nobody goes on reading


@pytest.mark.parametrize("quoted", ["/v3/secret-key?token=a%2Fsecret", "secret-key", "a/secret", "a%2Fsecret"])
def test_a_node_that_quotes_the_secret_of_its_url_is_not_repeated(raw, quoted):
    for padding in ("", "x" * 195):  # the cut must not leave a part of it
        body = {"jsonrpc": "2.0", "id": 1, "error": {"message": f"{padding}no such project: {quoted}"}}
        with pytest.raises(RefusedError) as raised:
            Rpc(raw(http(body)) + "/v3/secret-key?token=a%2Fsecret").call("eth_chainId")
        assert "secr" not in f"{raised.value}{raised.value.said}"


def test_nobody_is_there():
    with pytest.raises(UnreachableError, match="cannot be reached"):
        Rpc("http://127.0.0.1:1/secret-key").call("eth_chainId")


def test_a_secret_in_the_url_is_never_shown():
    node = Rpc("https://node.example:8545/v3/secret-key?token=secret-key")
    assert node.name == "https://node.example:8545"


@pytest.mark.parametrize(
    ("question", "bad"),
    [
        (Node.chain_id, [None, 1, "1", "0x", "0xg", "0x" + "1" * 65, [], {}]),
        (lambda node: node.block(5), ["x", [], {}, {"number": "0x5"}, {"number": "0x6", "hash": "0x" + "00" * 32}]),
        (lambda node: node.place(bytes(32)), ["x", {"blockHash": 1}, {"blockHash": "0x" + "00" * 32}]),
        (lambda node: node.code(bytes(20)), [None, "", "0x1", "60", 5]),
        (lambda node: node.used(bytes(20), "pending"), [None, 1, "0x20000000000000", "0xfffffffffffffffff"]),
        (lambda node: node.block("latest"), [{"number": "0x20000000000000", "hash": "0x" + "00" * 32}]),
    ],
)
def test_answers_of_another_form(serve, question, bad):
    for result in bad:
        node = Node(Rpc(serve(lambda request, result=result: {"result": result}).url))
        with pytest.raises(UnreachableError, match="another form"):
            question(node)
