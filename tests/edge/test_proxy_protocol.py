# SPDX-License-Identifier: Apache-2.0
"""--proxy-protocol: a proxy in front says who the client is."""
import json
import re
import socket
import subprocess
import threading

import pytest

from edge_rig import Edge, Strict
from test_config import make_cert

V2 = b"\r\n\r\n\0\r\nQUIT\n"
IPV4 = bytes([192, 0, 2, 7, 10, 0, 0, 1]) + (50000).to_bytes(2, "big") + (443).to_bytes(2, "big")
GET = b"GET /headers HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxied")
    cert, key = make_cert(folder, "a.test")
    edge = Edge(folder, "--proxy-protocol", "127.0.0.1", "--listen", f"unix:{folder}/open.sock", "--listen-tls",
                "127.0.0.1:0", "--cert", cert, key, "--access-log", folder / "access.log", "--grace", "2")
    edge.folder, edge.tls = folder, next(p for p in edge.ports if p != edge.port)
    edge.deploy()
    yield edge
    edge.stop()


@pytest.mark.parametrize("header, client, proto", [
    (b"PROXY TCP4 192.0.2.7 10.0.0.1 50000 443\r\n", "192.0.2.7", "http"),
    (b"PROXY TCP6 2001:db8::7 ::1 50000 443\r\n", "2001:db8::7", "http"),
    (V2 + b"\x21\x11\0\x0c" + IPV4, "192.0.2.7", "http"),
    (V2 + b"\x21\x11\0\x14" + IPV4 + b"\x20\0\5\1\0\0\0\0", "192.0.2.7", "https"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1", "http"),
    (V2 + b"\x20\0\0\0", "127.0.0.1", "http")])
def test_the_client_is_who_the_proxy_says(proxied, header, client, proto):
    for pieces in ([header + GET], [header, GET], [bytes([b]) for b in header] + [GET]):
        with proxied.client() as c:
            for piece in pieces:
                c.send(piece)
            head = c.answer().text
            assert f"X-Forwarded-For: {client}\r\n" in head and f"X-Forwarded-Proto: {proto}\r\n" in head
            c.send(GET)  # once for a connection
            assert f"X-Forwarded-For: {client}\r\n" in c.answer().text
    last = json.loads((proxied.folder / "access.log").read_text().splitlines()[-1])
    assert last["client"] == client


@pytest.mark.parametrize("begin", [GET, b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n" + GET, b"PROXY " + b"a" * 200,
                                   V2 + b"\x21\x11\xff\xff" + IPV4, V2 + b"\x31\x11\0\x0c" + IPV4])
def test_who_must_say_it_and_does_not_is_closed(proxied, begin):
    with proxied.client() as c:
        c.send(begin)
        assert c.closed()


def test_others_say_nothing(proxied):
    with Strict(f"{proxied.folder}/open.sock") as c:
        assert c.get("/headers").status == 200
    with Strict(f"{proxied.folder}/open.sock") as c:
        c.send(b"PROXY TCP4 192.0.2.7 10.0.0.1 50000 443\r\n" + GET)
        assert c.answer().status == 400


def test_it_comes_before_tls(proxied):
    out = subprocess.run(["curl", "-sS", "--haproxy-protocol", "--http2", "--cacert", proxied.folder / "a.test.pem",
                          "--resolve", f"a.test:{proxied.tls}:127.0.0.1", "-w", "%{http_version}",
                          f"https://a.test:{proxied.tls}/headers"], check=True, capture_output=True, text=True).stdout
    assert "X-Forwarded-For: 127.0.0.1\r\n".strip() in out and "X-Forwarded-Proto: https" in out and out.endswith("2")


def test_a_list_with_a_mistake(proxied):
    proxied.run("edge", "--proxy-protocol", "nobody", "--listen", "127.0.0.1:0", code=2)


# ---- to apps ----

class Listener:
    """An app that takes down how each connection begins, up to the end of a head, and answers in a kept manner."""

    def __init__(self):
        self.begins, self.lock = [], threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        with s:
            data = b""
            while not re.search(rb"HTTP/1.1\r\n(.*\r\n)*\r\n$", data):
                piece = s.recv(65536)
                if not piece:
                    return
                data += piece
            with self.lock:
                self.begins.append(data)
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            s.recv(1)

    def of(self, path):
        """How the connections began over which that path was asked for."""
        with self.lock:
            return [b for b in self.begins if b"GET " + path + b" " in b]


@pytest.fixture
def plain(tmp_path):
    edge, app = Edge(tmp_path, "--grace", "2"), Listener()
    yield edge, app
    edge.stop()
    app.socket.close()


def test_an_app_hears_who_the_client_is(plain):
    edge, app = plain
    edge.run("deploy", "web", "--to", f"127.0.0.1:{app.port}", "--health", "/up", "--send-proxy", "v1")
    assert app.of(b"/up")[0].startswith(b"PROXY UNKNOWN\r\nGET /up "), "the edge's own question is nobody's"
    with edge.client() as c:
        port = c.s.getsockname()[1]
        for path in ("/one", "/two"):
            assert c.get(path).text == "ok"
        edge.run("edge", "upgrade")
        assert c.get("/upgraded").text == "ok"
    for path in (b"/one", b"/two", b"/upgraded"):  # a connection for each, or one visitor would speak in another's name
        assert app.of(path)[0].startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nGET " % (port, edge.port)), app.begins
    # the next version hears it in another way, and then not at all
    edge.run("deploy", "web", "--to", f"127.0.0.1:{app.port}", "--health", "/up2", "--send-proxy", "v2")
    assert app.of(b"/up2")[0].startswith(V2 + b"\x20\0\0\0GET /up2 ")
    with edge.client() as c:
        assert c.get("/three").text == "ok"
    assert app.of(b"/three")[0].startswith(V2 + b"\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1")
    edge.run("deploy", "web", "--to", f"127.0.0.1:{app.port}", "--health", "/up3")
    assert edge.get("/four").text == "ok"
    assert app.of(b"/four")[0].startswith(b"GET /four ")
    _, errors = edge.run("deploy", "web", "--to", f"127.0.0.1:{app.port}", "--send-proxy", "v3", code=2)
    assert "send_proxy must be v1, v2 or off" in errors


def test_through_two_edges(proxied, tmp_path):
    """What a proxy in front said goes on, also over HTTP/2 and TLS; health checks of the first pass the second."""
    front = Edge(tmp_path, "--proxy-protocol", "127.0.0.1", "--grace", "2", "--listen-tls", "127.0.0.1:0", "--cert",
                 proxied.folder / "a.test.pem", proxied.folder / "a.test.key")
    try:
        front.run("deploy", "web", "--to", f"127.0.0.1:{proxied.port}", "--health", "/up", "--send-proxy", "v2")
        with front.client() as c:
            c.send(b"PROXY TCP4 192.0.2.7 10.0.0.1 50000 443\r\n")
            head = c.get("/headers").text
            assert "X-Forwarded-For: 192.0.2.7\r\n" in head and "X-Forwarded-Proto: http\r\n" in head
        tls = next(p for p in front.ports if p != front.port)
        out = subprocess.run(["curl", "-sS", "--haproxy-protocol", "--http2", "--cacert", proxied.folder / "a.test.pem",
                              "--resolve", f"a.test:{tls}:127.0.0.1", f"https://a.test:{tls}/headers"], check=True,
                             capture_output=True, text=True).stdout
        assert "X-Forwarded-For: 127.0.0.1" in out and "X-Forwarded-Proto: https" in out
    finally:
        front.stop()
