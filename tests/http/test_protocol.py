# SPDX-License-Identifier: Apache-2.0
"""What a well-behaved client sees."""
import gzip
import re
import socket
import time

import pytest

import limits


def test_answer_has_the_fields_of_a_server(server):
    got = server.get("/hello")
    assert (got.status, got.body) == (200, b"hello\n")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", got.header("date"))
    assert got.header("server") == "http_server_cli"
    assert got.header("content-length") == "6"
    assert got.header("connection") is None


def test_keep_alive_and_close(server):
    client = server.connect()
    for _ in range(3):
        assert client.get("/hello").body == b"hello\n"
    got = client.get("/hello", "Connection: close")
    assert got.header("connection") == "close"
    assert client.closed()


def test_http_1_0(server):
    client = server.connect().send("GET /hello HTTP/1.0\r\n\r\n")
    assert client.answer().header("connection") == "close"
    assert client.closed()
    client = server.connect()
    for _ in range(2):
        client.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert client.answer().header("connection") == "keep-alive"
    client = server.connect().send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    got = client.answer()
    assert got.header("transfer-encoding") is None and got.header("connection") == "close"
    assert len(got.body) == 3 * 70


def test_pipelined_answers_come_in_order(server):
    client = server.connect()
    slow = "GET /work?ms=100&bytes=1 HTTP/1.1\r\nHost: h\r\n\r\n"
    client.send("".join(f"GET /echo?{i} HTTP/1.1\r\nHost: h\r\n\r\n{slow if i == 5 else ''}" for i in range(50)))
    for i in range(50):
        assert f"query ?{i}\n".encode() in client.answer().body
        if i == 5:
            assert client.answer().body == b"T"


def test_pipelined_beyond_one_buffer(server):
    client = server.connect()
    request = "GET /echo?%d HTTP/1.1\r\nHost: h\r\nX-Pad: " + "p" * 700 + "\r\n\r\n"
    client.send("".join(request % i for i in range(200)))
    for i in range(200):
        assert f"query ?{i}\n".encode() in client.answer().body


def test_bodies_by_length_chunked_and_pipelined(server):
    client = server.connect()
    assert client.get("/body", method="POST", body="x" * 100).body == b"x" * 100
    assert client.get("/body", method="POST", body="").body == b""
    big = "0123456789" * 150000
    assert client.get("/body", method="PUT", body=big).body == big.encode()
    head = "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.send(head + "3\r\nabc\r\n5;x=y\r\n12345\r\n0\r\nT: v\r\n\r\n" + "GET /echo?next HTTP/1.1\r\nHost: h\r\n\r\n")
    assert client.answer().body == b"abc12345"
    assert b"?next\n" in client.answer().body
    chunk = "2710\r\n" + "c" * 10000 + "\r\n"
    client.send(head + chunk * 100 + "0\r\n\r\n" + head + "1\r\nz\r\n0\r\n\r\n")
    assert client.answer().body == b"c" * 1000000
    assert client.answer().body == b"z"
    assert server.stats()["bodies_bytes"] == 0


@pytest.mark.parametrize("pause", [0, 0.002])
def test_every_cut_gives_the_same(server, pause):
    request = ("POST /body?x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
               "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz")
    client = server.connect()
    for at in range(1, len(request)):
        client.send(request[:at])
        time.sleep(pause)
        client.send(request[at:])
        assert client.answer().body == b"abc"
        assert client.answer().body == b"xyz"


def test_expect_continue(server):
    client = server.connect()
    client.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert client.answer().status == 100
    assert client.send("abc").answer().body == b"abc"
    client.send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc")
    assert client.answer().status == 200  # the body was here already
    client.send("POST /body?limit=2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert client.answer().status == 413
    assert client.closed()


def test_head(server):
    client = server.connect()
    for target, length in (("/hello", "6"), ("/blob", "20000"), ("/big?n=70000", "70000")):
        got = client.get(target, method="HEAD")
        assert (got.status, got.header("content-length")) == (200, length)
    assert client.get("/stream", method="HEAD").header("content-length") is None
    assert client.get("/hello").body == b"hello\n"
    assert server.stats()["stream_closes"] == 1


@pytest.mark.parametrize("target", ["/hello", "/blob", "/work?bytes=3000"])
def test_not_modified(server, target):
    client = server.connect()
    first = client.get(target)
    tag = first.header("etag")
    for value in (tag, "W/" + tag, f'"other", {tag}', "*"):
        got = client.get(target, f"If-None-Match: {value}")
        assert got.status == 304
        assert got.header("etag") == tag
        assert got.header("content-length") is None and got.header("content-type") is None
    assert client.get(target, 'If-None-Match: "other"').status == 200
    assert client.get(target, "If-None-Match: *", method="POST").status == 200
    zipped = client.get(target, "Accept-Encoding: gzip").header("etag")
    assert client.get(target, f"If-None-Match: {zipped}").status == 304


@pytest.mark.parametrize("target", ["/blob", "/work?bytes=3000", "/stream?size=5000&gzip=1"])
def test_gzip(server, target):
    client = server.connect()
    plain = client.get(target)
    packed = client.get(target, "Accept-Encoding: gzip, deflate, br")
    assert plain.header("content-encoding") is None and plain.header("vary") == "Accept-Encoding"
    assert packed.header("content-encoding") == "gzip" and packed.header("vary") == "Accept-Encoding"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 10
    assert client.get(target, "Accept-Encoding: gzip;q=0").header("content-encoding") is None


def test_targets(server):
    client = server.connect()
    got = client.get("http://other:99/echo?q=%20").body.decode()
    assert "path /echo\n" in got and "query ?q=%20\n" in got and "host other:99\n" in got
    assert client.get("*", method="OPTIONS").status == 404
    assert client.get("/none").status == 404


def test_worker_answers(server):
    clients = [server.connect() for _ in range(8)]
    for i, client in enumerate(clients):
        client.send(f"GET /work?ms=30&bytes={i + 1} HTTP/1.1\r\nHost: h\r\n\r\n")
    for i, client in enumerate(clients):
        assert len(client.answer().body) == i + 1


def test_full_queue_is_503(start):
    server = start("threads=1", "queue=1")
    request = "GET /work?ms=600000 HTTP/1.1\r\nHost: h\r\n\r\n"
    held = [server.connect().send(request)]
    while len(held) < 2:  # once the worker has taken the first, another one may wait
        one = server.connect().send(request)
        if server.wait_for(lambda s: s["handling"] == 3 or one.has_answer())["handling"] == 3:
            held.append(one)
        else:
            assert one.answer().status == 503
            one.close()
    for _ in range(3):
        assert server.get("/work?ms=600000").status == 503
    for one in held:
        one.close()
    server.wait_for(lambda s: s["late_answers"] == 2 and s["connections"] == 1)
    assert server.get("/work?ms=1").status == 200


@pytest.mark.parametrize("size", [1, 70, 65536, 200000])
def test_streams(server, size):
    client = server.connect()
    got = client.get(f"/stream?pieces=20&size={size}")
    assert len(got.body) == 20 * size
    assert client.get("/hello").status == 200
    server.wait_for(lambda s: s["stream_closes"] == 1 and s["streaming"] == 0)


def test_a_long_body_has_time_for_its_bytes(start):
    """In memory all of it has body_total_ms; on its way to a sink each byte buys time: LIMIT_HTTP_SINK_RATE."""
    server = start("body_total_ms=400")
    asked = []
    for path, ahead in ("/body", 20000), ("/sink", 20000), ("/sink", 2):
        asked.append(server.connect())
        asked[-1].send(f"POST {path} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 20004\r\n\r\n")
        assert b" 100 " in asked[-1].until(b"\r\n\r\n")
        asked[-1].send("x" * ahead)
    assert 20000 / limits.LIMIT_HTTP_SINK_RATE > 4 and 2 / limits.LIMIT_HTTP_SINK_RATE < 0.1
    memory, sink, slow = asked
    assert memory.answer().status == 408
    assert b"200 OK" not in slow.rest()  # cut off
    sink.send("last")
    got = sink.answer()
    assert (got.status, got.body) == (200, b"20004 ")


def test_a_piece_of_a_stream_has_a_size(server):
    for more in 0, 1:
        client = server.connect()
        client.send(f"GET /stream?pieces=2&size={limits.LIMIT_HTTP_STREAM_PIECE + more} HTTP/1.1\r\nHost: h\r\n"
                    "Connection: close\r\n\r\n")
        assert client.rest().endswith(b"0\r\n\r\n") == (not more)


def test_empty_stream(server):
    client = server.connect()
    got = client.get("/stream?pieces=0")
    assert (got.header("transfer-encoding"), got.body) == ("chunked", b"")
    assert client.get("/hello").status == 200


def test_stream_to_a_slow_reader_waits(server):
    client = server.connect()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    before = server.rss_kib()
    client.send("GET /stream?pieces=1000&size=65536 HTTP/1.1\r\nHost: h\r\n\r\n")
    server.wait_for(lambda s: s["streaming"] == 1)
    time.sleep(0.5)
    assert server.stats()["streaming"] == 1
    assert server.rss_kib() - before < 4096  # the rest of the 64 MB is not made
    assert len(client.answer().body) == 1000 * 65536


def test_stream_that_fails(server):
    got = server.get("/stream?fail_at=0")
    assert got.status == 500 and b"broke as asked" in got.body
    client = server.connect()
    client.send("GET /stream?fail_at=2&pieces=5 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert not client.rest().endswith(b"0\r\n\r\n")
    server.wait_for(lambda s: s["stream_closes"] == 2)


def test_header_injection_is_a_500(server):
    assert server.get("/header?v=plain").header("x-test") == "plain"
    for evil in ("a%0d%0aSet-Cookie:%20x", "a%0ab", "a%00b", "a%0db"):
        got = server.get(f"/header?v={evil}")
        assert got.status == 500 and got.header("set-cookie") is None


def test_statuses_without_body(server):
    client = server.connect()
    client.send("GET /status?code=204 HTTP/1.1\r\nHost: h\r\n\r\n")
    got = client.answer()
    assert got.status == 204 and got.header("content-length") is None
    assert client.get("/hello").status == 200


def test_access_lines(server):
    client = server.connect()
    for _ in range(5):
        client.get("/hello")
    client.send("BAD\r\n\r\n").answer()
    assert server.stats()["access_lines"] == 6


# ---- files ----

@pytest.fixture
def files(start, tmp_path):
    (tmp_path / "a.css").write_bytes(b"body {}\n" * 500)
    (tmp_path / "big.bin").write_bytes(bytes(range(256)) * 8192)
    (tmp_path / "sub").mkdir()
    (tmp_path / "escape").symlink_to("/etc/passwd")
    return start(f"static={tmp_path}"), tmp_path


def test_static_files(files):
    server, folder = files
    client = server.connect()
    got = client.get("/static/a.css")
    assert (got.status, got.header("content-type"), got.body) == (200, "text/css", b"body {}\n" * 500)
    assert client.get("/static/a.css", f"If-None-Match: {got.header('etag')}").status == 304
    assert client.get("/static/a.css", f"If-Modified-Since: {got.header('last-modified')}").status == 304
    assert client.get("/static/a.css", "Accept-Encoding: gzip").header("content-encoding") == "gzip"
    for _ in range(2):
        assert client.get("/static/big.bin").body == bytes(range(256)) * 8192
    (folder / "a.css").write_bytes(b"new")
    assert client.get("/static/a.css").body == b"new"
    (folder / "a.css").unlink()
    assert client.get("/static/a.css").status == 404
    assert client.get("/static/big.bin", method="POST", body="x").status == 405


@pytest.mark.parametrize("name", ["a.css", "big.bin"])
def test_static_ranges(files, name):
    server, folder = files
    whole = (folder / name).read_bytes()
    client = server.connect()
    for field, first, last in (("0-9", 0, 9), ("100-", 100, len(whole) - 1), ("-7", len(whole) - 7, len(whole) - 1)):
        got = client.get(f"/static/{name}", f"Range: bytes={field}")
        assert got.status == 206 and got.body == whole[first:last + 1]
        assert got.header("content-range") == f"bytes {first}-{last}/{len(whole)}"
    got = client.get(f"/static/{name}", "Range: bytes=99999999-")
    assert got.status == 416 and got.header("content-range") == f"bytes */{len(whole)}"
    assert client.get(f"/static/{name}", "Range: bytes=0-1,3-4").body == whole
    assert client.get(f"/static/{name}", "Range: bytes=0-1", 'If-Range: "x"').body == whole


@pytest.mark.parametrize("path, status", [
    ("../etc/passwd", 404), ("%2e%2e/%2e%2e/etc/passwd", 404), ("..%2f..%2fetc/passwd", 404), ("escape", 404),
    ("a.css%00.txt", 404), ("sub", 403), ("sub/", 403), ("", 403), ("a.css/", 404), ("none", 404), ("%", 404)])
def test_static_refuses(files, path, status):
    server, _ = files
    got = server.get("/static/" + path)
    assert got.status == status and b"root:" not in got.body


# ---- sockets ----

def test_unix_socket(start, tmp_path):
    server = start(f"listen=unix:{tmp_path}/s")
    assert b"peer unix:" in server.get("/echo").body


def test_ipv6_and_several_listeners(start):
    server = start("listen=127.0.0.1:0", "listen=[::1]:0")
    host, port = server.listens[1].rsplit(":", 1)
    with socket.create_connection((host.strip("[]"), int(port))) as sock:
        sock.sendall(b"GET /echo HTTP/1.0\r\n\r\n")
        assert b"peer [::1]:" in sock.makefile("rb").read()


def test_tls(start, certificate):
    cert, key, context = certificate
    server = start(f"tls_cert={cert}", f"tls_key={key}")
    client = server.connect(tls=context)
    assert b"secure 1\n" in client.get("/echo").body
    assert client.get("/big?n=3000000").body == client.get("/big?n=3000000").body
    big = "b" * 1500000
    assert len(client.get("/body", method="POST", body=big).body) == len(big)
    assert len(client.get("/stream?pieces=10&size=100000").body) == 1000000
    client.send("GET /echo?1 HTTP/1.1\r\nHost: h\r\n\r\n" * 20)
    assert all(b"?1\n" in client.answer().body for _ in range(20))
    assert client.get("/hello", "Connection: close").status == 200
    assert client.closed()
    plain = server.connect().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert not plain.rest().startswith(b"HTTP/1.1 200")
    with pytest.raises(OSError):
        server.connect(tls=__import__("ssl").create_default_context())
    again = server.connect(tls=context)
    assert again.get("/hello").status == 200
