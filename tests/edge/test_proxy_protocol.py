# SPDX-License-Identifier: Apache-2.0
"""--proxy-protocol: a proxy in front says who the client is."""
import json
import subprocess

import pytest

from edge_rig import Strict
from test_config import make_cert

V2 = b"\r\n\r\n\0\r\nQUIT\n"
IPV4 = bytes([192, 0, 2, 7, 10, 0, 0, 1]) + (50000).to_bytes(2, "big") + (443).to_bytes(2, "big")
GET = b"GET /headers HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    from edge_rig import Edge
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
