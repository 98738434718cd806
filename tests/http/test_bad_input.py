# SPDX-License-Identifier: Apache-2.0
"""What a careless, broken or hostile client gets: the right status, a closed connection, and nobody else suffers."""
import contextlib
import socket
import time

import pytest

import limits

HOST = "GET /hello HTTP/1.1\r\nHost: h\r\n"
POST = "POST /body HTTP/1.1\r\nHost: h\r\n"
HIDDEN = "GET /hello?smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

REFUSED = {
    "bare LF": (400, "GET /hello HTTP/1.1\nHost: h\n\n"),
    "bare LF in fields": (400, HOST + "A: b\n\r\n"),
    "obs-fold": (400, HOST + "A: b\r\n c\r\n\r\n"),
    "space before colon": (400, POST + "Content-Length : 5\r\n\r\nhello"),
    "bad name": (400, HOST + "A(b): c\r\n\r\n"),
    "NUL in value": (400, HOST + "A: b\0c\r\n\r\n"),
    "CR in value": (400, HOST + "A: b\rc\r\n\r\n"),
    "NUL in target": (400, "GET /he\0llo HTTP/1.1\r\nHost: h\r\n\r\n"),
    "high byte in target": (400, "GET /h\xe9 HTTP/1.1\r\nHost: h\r\n\r\n"),
    "fragment": (400, "GET /hello#x HTTP/1.1\r\nHost: h\r\n\r\n"),
    "no host": (400, "GET /hello HTTP/1.1\r\n\r\n"),
    "two hosts": (400, HOST + "Host: h\r\n\r\n"),
    "bad host": (400, "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "CL and TE": (400, POST + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN),
    "TE and CL": (400, POST + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + HIDDEN),
    "two CL": (400, POST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    "two equal CL": (400, POST + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    "CL list": (400, POST + "Content-Length: 5, 5\r\n\r\nhello"),
    "CL with sign": (400, POST + "Content-Length: +5\r\n\r\nhello"),
    "CL in hex": (400, POST + "Content-Length: 0x5\r\n\r\nhello"),
    "CL too large for anything": (413, POST + "Content-Length: 99999999999999999999\r\n\r\n"),
    "unknown TE": (501, POST + "Transfer-Encoding: gzip\r\n\r\n"),
    "TE list": (501, POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "TE twice": (400, POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "TE with vertical tab": (400, POST + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "TE in 1.0": (400, "POST /body HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunk size with 0x": (400, POST + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
    "chunk size overflow": (400, POST + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\na\r\n"),
    "chunk with bare LF": (400, POST + "Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n"),
    "chunk longer than said": (400, POST + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"),
    "chunk extension too long": (400, POST + "Transfer-Encoding: chunked\r\n\r\n1;" + "x" * 300 + "\r\na\r\n0\r\n\r\n"),
    "trailers too long": (431, POST + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + "x" * 9000 + "\r\n\r\n"),
    "HTTP/2": (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/0.9": (400, "GET /hello\r\n"),
    "TLS": (400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "junk": (400, "\x00\x00\x00\x00"),
    "CONNECT": (501, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"),
    "line too long": (414, "GET /" + "a" * 40000 + " HTTP/1.1\r\nHost: h\r\n\r\n"),
    "line without end": (414, "GET /" + "a" * 40000),
    "method without end": (414, "A" * 40000),
    "header too long": (431, HOST + "A: " + "b" * limits.LIMIT_HTTP_HEAD + "\r\n\r\n"),
    "headers too long": (431, HOST + "".join(f"A{i}: {'b' * 1000}\r\n" for i in range(70)) + "\r\n"),
    "too many headers": (431, HOST + "".join(f"A{i}: b\r\n" for i in range(101)) + "\r\n"),
    "body too large": (413, POST + "Content-Length: 3000000\r\n\r\n"),
    "chunked body too large": (413, POST + "Transfer-Encoding: chunked\r\n\r\n" + ("ffff\r\n" + "x" * 65535 + "\r\n") * 40),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(server, case):
    status, request = REFUSED[case]
    client = server.connect()
    try:
        client.send(request)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it had read enough
    text = client.rest().decode("latin-1")
    assert text.startswith(f"HTTP/1.1 {status} ") and text.count("\r\ndate: ") == 1, text[:300]
    assert "\r\nconnection: close\r\n" in text
    head, body = text.split("\r\n\r\n", 1)
    assert body.startswith(f"{status} ") and len(body) > 15
    assert server.get("/hello").status == 200


def test_the_answer_survives_what_is_still_being_sent(server):
    """A 413 while megabytes are on their way must arrive: closing at once would reset it away."""
    client = server.connect()
    client.send(POST + "Content-Length: 2500000\r\n\r\n")
    try:
        client.send("x" * 2500000)
    except OSError:
        pytest.fail("the server closed without taking what was sent")
    assert client.answer().status == 413


def test_limits_may_be_set(start):
    server = start("line_bytes=100", "head_bytes=300", "header_count=3", "body_bytes=10", "bodies_bytes=15")
    client = server.connect()
    assert client.get("/" + "a" * 86).status == 404
    assert client.get("/" + "a" * 87).status == 414
    client = server.connect()
    assert client.get("/hello", "A: b", "C: d").status == 200
    assert client.get("/hello", "A: b", "C: d", "E: f").status == 431
    assert server.get("/hello", "A: " + "b" * 300).status == 431
    assert server.get("/body", method="POST", body="x" * 10).status == 200
    assert server.get("/body", method="POST", body="x" * 11).status == 413
    first = server.connect().send(POST + "Content-Length: 10\r\n\r\n123456789")
    server.wait_for(lambda s: s["bodies_bytes"] == 9)
    assert server.get("/body", method="POST", body="x" * 10).status == 503
    assert first.send("0").answer().body == b"1234567890"
    assert server.stats()["bodies_bytes"] == 0


# ---- time ----

SHORT = ("head_ms=500", "body_ms=500", "body_total_ms=1500", "idle_ms=500", "write_ms=500", "linger_ms=500")


def test_idle_connections_are_closed(start):
    server = start(*SHORT)
    client = server.connect()
    assert client.closed()
    client = server.connect()
    client.get("/hello")
    assert client.closed()
    assert server.stats()["timeouts"] == 0


def test_slow_head_is_408(start):
    server = start(*SHORT)
    client = server.connect().send("GET /hello HTTP/1.1\r\n")
    slow = server.connect()
    for i in range(1000):  # a byte now and then must not keep it open
        try:
            slow.send(("GET /hello HTTP/1.1\r\nHost: " + "h" * 1000)[i])
        except OSError:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("it was kept open")
    assert slow.rest().startswith(b"HTTP/1.1 408 ")
    assert client.answer().status == 408
    assert client.closed()
    assert server.stats()["timeouts"] == 2


def test_only_an_empty_line_then_silence_is_just_closed(start):
    server = start(*SHORT)
    client = server.connect().send("\r\n")
    assert client.closed()


def test_slow_body_is_408(start):
    server = start(*SHORT)
    client = server.connect().send(POST + "Content-Length: 5\r\n\r\nab")
    assert client.answer().status == 408
    slow = server.connect().send(POST + "Content-Length: 500\r\n\r\n")
    sent = 0
    with contextlib.suppress(OSError):
        while sent < 499:  # each piece in time, all together too slow
            slow.send("a")
            sent += 1
            time.sleep(0.05)
    assert 3 < sent < 499 and slow.rest().startswith(b"HTTP/1.1 408 ")


def test_a_client_that_does_not_read_is_cut(start):
    server = start(*SHORT)
    client = server.connect()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.send("GET /big?n=50000000 HTTP/1.1\r\nHost: h\r\n\r\n")
    now = server.wait_for(lambda s: s["connections"] == 1)
    assert now["timeouts"] == 1 and now["access_incomplete"] == 1
    stream = server.connect()
    stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.send("GET /stream?pieces=1000&size=100000 HTTP/1.1\r\nHost: h\r\n\r\n")
    server.wait_for(lambda s: s["stream_closes"] == 1 and s["connections"] == 1)


def test_a_client_that_reads_slowly_is_served(start):
    """Slower than the send buffer drains to a third within the deadline, but never still."""
    server = start(*SHORT)
    client = server.connect()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.send("GET /big?n=4000000 HTTP/1.1\r\nHost: h\r\n\r\n")
    for _ in range(40):
        client.exactly(20000)
        time.sleep(0.05)
    assert len(client.rest()) > 3000000
    assert server.stats()["access_incomplete"] == 0


def test_slow_loris_does_not_slow_others(start):
    server = start("head_ms=60000")
    for _ in range(300):
        server.connect().send("GET /hello HTTP/1.1\r\nHost: h\r\nX: ")
    client = server.connect()
    for _ in range(200):
        assert client.get("/hello").status == 200
    assert server.stats()["connections"] == 302  # all of them are waited for still


# ---- clients that leave ----

def test_half_a_request(server):
    for piece in ("G", "GET /hello HTTP/1.1\r\nHost", POST + "Content-Length: 5\r\n\r\nab",
                  POST + "Transfer-Encoding: chunked\r\n\r\n5\r\nab"):
        client = server.connect().send(piece)
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest() == b""
    assert server.stats()["connections"] == 1


def test_request_and_end_at_once_is_answered(server):
    client = server.connect().send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
    client.sock.shutdown(socket.SHUT_WR)
    assert client.answer().body == b"hello\n"


def test_half_closed_client_gets_a_long_answer(server):
    client = server.connect().send("GET /big?n=20000000 HTTP/1.1\r\nHost: h\r\n\r\n")
    time.sleep(0.1)
    client.sock.shutdown(socket.SHUT_WR)
    assert len(client.answer().body) == 20000000


def test_client_gone_while_a_worker_runs(server):
    for _ in range(5):
        client = server.connect().send("GET /work?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n")
        server.wait_for(lambda s: s["handling"] == 2)
        client.close()
    now = server.wait_for(lambda s: s["late_answers"] == 5 and s["connections"] == 1)
    assert now["on_gone_calls"] == 5 and now["gone"] == 5


def reset(client):
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()


def test_client_gone_mid_answer(server):
    for target in ("/big?n=50000000", "/stream?pieces=1000&size=100000", "/stream?pieces=1000&size=100&ms=2"):
        for leave in (reset, lambda c: c.close()):
            client = server.connect().send(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
            assert client.exactly(100)
            leave(client)
    server.wait_for(lambda s: s["connections"] == 1 and s["stream_closes"] == 4)


def test_reset_while_reading(server):
    for piece in ("", "GET /", POST + "Content-Length: 500\r\n\r\nab"):
        reset(server.connect().send(piece))
    server.wait_for(lambda s: s["connections"] == 1)
