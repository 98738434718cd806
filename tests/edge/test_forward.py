# SPDX-License-Identifier: Apache-2.0
"""Requests and answers through the edge, byte by byte."""
import hashlib
import json
import socket
import threading

import pytest


def test_an_answer_passes_and_fields_of_one_hop_do_not(shared):
    with shared.client() as c:
        for _ in range(3):
            got = c.get("/")
            assert got.status == 200 and got.text.startswith("v1 ")
            assert got.header("x-app") == "yes"
            for name in ("keep-alive", "x-hop", "connection"):
                assert got.header(name) is None


def test_the_app_learns_who_asked_and_nothing_forged(shared):
    forged = ["X-Forwarded-For: 1.2.3.4", "X_Forwarded_For: 1.2.3.4", "Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4",
              "X-Forwarded-Proto: https", "Connection: close, X-Secret", "X-Secret: 1", "TE: trailers", "Keep-Alive: 5",
              "Cookie: a=b"]
    head = shared.get("/headers?q=1", headers=forged, host="example.org:80").text
    assert head.startswith("GET /headers?q=1 HTTP/1.1\r\nHost: example.org:80\r\n")
    assert "1.2.3.4" not in head and "Secret" not in head and "Keep-Alive" not in head and "TE:" not in head
    assert "X-Forwarded-For: 127.0.0.1\r\n" in head and "X-Forwarded-Proto: http\r\n" in head
    assert "X-Forwarded-Host: example.org:80\r\n" in head and "Cookie: a=b\r\n" in head
    assert "Connection" not in head


def test_a_trusted_proxy_is_believed(make_edge):
    edge = make_edge("--trusted-proxies", "127.0.0.0/8", "--grace", "2")
    edge.deploy()
    head = edge.get("/headers", headers=["X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https",
                                         "X-Forwarded-Host: outside", "Forwarded: for=1.2.3.4"]).text
    assert "X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n" in head
    assert "X-Forwarded-Proto: https\r\n" in head and "X-Forwarded-Host: outside\r\n" in head
    assert "Forwarded: for=1.2.3.4\r\n" in head and "Forwarded: for=127.0.0.1;proto=http\r\n" in head


@pytest.mark.parametrize("path, text", [
    ("/chunked", b"one two " + b"x" * 70000), ("/until-close", b"y" * 100000), ("/old", b"old"),
    ("/big?1000000", b"z" * 1000000), ("/hello", b"hello")])
def test_bodies_of_every_framing(shared, path, text):
    with shared.client() as c:
        for _ in range(2):
            got = c.get(path)
            assert got.status == 200 and got.body == text
    with shared.client() as c:
        c.send(f"GET {path} HTTP/1.0\r\n\r\n")
        assert c.head()[0] == 200
        assert c.f.read() == text


def test_answers_without_a_body(shared):
    with shared.client() as c:
        assert c.get("/nothing").status == 204
        got = c.get("/not-modified")
        assert got.status == 304 and got.header("content-length") == "500"
        c.request("/hello", method="HEAD")
        got = c.head()
        assert got[0] == 200
        c.f.read(0)


def test_interim_answers(shared):
    with shared.client() as c:
        c.request("/hints")
        status, headers, _ = c.head()
        assert status == 103 and ("Link", "</a.css>") in headers
        assert c.answer().text == "hinted"
        c.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert c.head()[0] == 100
        c.send("hello")
        assert c.answer().text.startswith("5 ")


@pytest.mark.parametrize("size", [0, 1, 16000, 70000, 3000000])
def test_uploads(shared, size):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    want = f"{size} {hashlib.sha256(body).hexdigest()}"
    with shared.client() as c:
        assert c.get("/echo", method="POST", body=body).text == want
        c.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, size, 7001):
            part = body[at:at + 7001]
            c.send(b"%X;ext=1\r\n%s\r\n" % (len(part), part))
        c.send("0\r\nX-Trailer: 1\r\n\r\n")
        assert c.answer().text == want
        assert c.get("/hello").text == "hello"


def test_pipelined_requests_are_answered_in_order(shared):
    with shared.client() as c:
        c.send(b"".join(b"GET /big?%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(1, 60)))
        for n in range(1, 60):
            assert c.answer().body == b"z" * n


def test_every_cut_of_a_request_is_the_same_request(shared):
    data = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    want = f"5 {hashlib.sha256(b'hello').hexdigest()}"
    with shared.client() as c:
        c.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in range(1, len(data)):
            c.send(data[:cut])
            c.send(data[cut:])
            assert c.answer().text == want


def test_tunnels_carry_bytes_both_ways(shared):
    with shared.client() as c:
        c.request("/ws", headers=["Connection: Upgrade", "Upgrade: websocket"])
        status, headers, _ = c.head()
        assert status == 101 and ("Upgrade", "websocket") in headers and ("Connection", "Upgrade") in headers
        assert c.exactly(6) == b"hello "
        big = b"abc" * 50000
        threading.Thread(target=c.send, args=(big,), daemon=True).start()
        assert c.exactly(len(big)) == big.upper()
        c.s.shutdown(socket.SHUT_WR)
        assert c.closed()


def test_an_upgrade_to_http2_is_not_passed_on(shared):
    head = shared.get("/headers", headers=["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                                           "HTTP2-Settings: AAMAAABkAAQAAP__"]).text
    assert "pgrade" not in head and "Settings" not in head


def test_events_come_as_they_are_sent(shared):
    with shared.client() as c:
        c.request("/events")
        c.head()
        assert c.f.readline() == b"9\r\n" and c.exactly(9) == b"data: 1\n\n"


@pytest.mark.parametrize("path", ["/empty", "/cut-head", "/no-http", "/split", "/both", "/two-lengths", "/huge-head",
                                  "/unasked-101", "/odd-coding"])
def test_apps_that_lie_in_the_head_give_502(shared, path):
    with shared.client() as c:
        got = c.get(path)
        assert got.status == 502 and "evil" not in str(got.headers)
        assert "Try again" in got.text
        assert c.get("/hello").text == "hello"  # the client's connection lives on


@pytest.mark.parametrize("path", ["/short", "/cut-chunk", "/bad-chunk"])
def test_an_answer_that_is_cut_does_not_look_whole(shared, path):
    with shared.client() as c, pytest.raises((ConnectionError, EOFError, AssertionError)):
        c.get(path)
    assert shared.get("/hello").text == "hello"


def test_what_follows_an_answer_reaches_nobody(shared):
    with shared.client() as c:
        for _ in range(5):
            assert c.get("/more").text == "hello"
            assert c.get("/hello").text == "hello"


def test_an_app_that_never_answers_gives_504(shared):
    got = shared.get("/never")
    assert got.status == 504 and "in time" in got.text


def test_an_early_answer_to_an_upload_arrives(shared):
    with shared.client() as c:
        c.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        assert c.answer().status == 413


SMUGGLED = [
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
    (b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    (b"Content-Length: +5\r\n\r\nhello", 400),
    (b"Content-Length: 5, 5\r\n\r\nhello", 400),
    (b"Content-Length : 5\r\n\r\nhello", 400),
    (b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    (b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    (b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", 400),
    (b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"Transfer-Encoding: chunked\r\n\r\n0\n\nGET /evil HTTP/1.1\r\n\r\n", 400),
    (b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400),
    (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n", 400),
    (b"Transfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n0\r\n\r\n", 400),
    (b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n0\r\n\r\n", 400),
]


@pytest.mark.parametrize("rest, status", SMUGGLED)
def test_nothing_is_smuggled_past(shared, rest, status):
    with shared.client() as c:
        c.send(b"POST /echo?id=smuggled HTTP/1.1\r\nHost: a\r\n" + rest + b"GET /evil?id=evil HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.answer().status == status
        assert c.closed()
    assert "evil" not in shared.get("/counts").text


def test_underscored_framing_fields_do_not_reach_the_app(shared):
    head = shared.get("/headers", headers=["Content_Length: 7", "Transfer_Encoding: chunked"]).text
    assert "_" not in head.split("\r\n\r\n")[0].replace("/headers", "")


@pytest.mark.parametrize("request_, status", [
    ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505), ("GARBAGE\r\n\r\n", 400),
    ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405), ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    ("GET /" + "a" * 20000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 200 + "\r\n", 431)])
def test_bad_requests_are_refused_here(shared, request_, status):
    with shared.client() as c:
        c.send(request_)
        assert c.answer().status == status


def test_slow_heads_are_ended_and_hold_nobody_up(make_edge):
    edge = make_edge("--head-timeout", "1", "--grace", "2")
    edge.deploy()
    slow = [edge.client() for _ in range(100)]
    for c in slow:
        c.send("GET / HTTP/1.1\r\nHo")
    assert edge.get("/hello").text == "hello"
    for c in slow:
        assert c.answer().status == 408 and c.closed()
        c.close()
    with edge.client() as c:  # one that says nothing at all is just closed
        assert c.closed()


def test_the_largest_body_is_a_setting(make_edge):
    edge = make_edge("--max-body", "1000", "--grace", "2")
    edge.deploy()
    assert edge.get("/echo", method="POST", body=b"x" * 1000).text.startswith("1000 ")
    assert edge.get("/echo", method="POST", body=b"x" * 1001).status == 413
    with edge.client() as c:
        c.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        c.send(b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n")
        assert c.answer().status == 413


def test_routes_by_host_and_path(edge):
    edge.deploy("one", "one", options=("--host", "one.test", "--health", "/up"))
    edge.deploy("two", "two", options=("--host", "*.two.test", "--host", "two.test", "--health", "/up"))
    edge.deploy("part", "part", options=("--host", "one.test", "--path", "/headers", "--strip", "--health", "/up"))
    edge.run("deploy", "moved", "--host", "old.test", "--redirect", "https://one.test")
    with edge.client() as c:
        assert c.get(host="ONE.test.:80").text.startswith("one ")
        assert c.get(host="a.b.two.test").text.startswith("two ")
        assert c.get(host="two.test").text.startswith("two ")
        got = c.get("/headers/headers?x=1", host="one.test")
        assert got.text.startswith("GET /headers?x=1 HTTP/1.1\r\n")
        assert c.get("/headersX", host="one.test").status == 502  # not below /headers: the other app, which lies
        assert c.get(host="three.test").status == 404
        got = c.get("/a/b?c=d", host="old.test")
        assert got.status == 308 and got.header("location") == "https://one.test/a/b?c=d"
        assert c.get("http://two.test/", host="one.test").text.startswith("two ")  # the target counts, not Host


def test_error_pages_fit_the_reader(edge):
    got = edge.get("/", headers=["Accept: text/html,*/*"])
    assert got.status == 404 and got.header("content-type").startswith("text/html") and "<h1>There is no site here</h1>" in got.text
    assert edge.get("/").header("content-type").startswith("text/plain")
    with edge.client() as c:
        c.request("/", method="HEAD")
        assert c.answer("HEAD").status == 404


def test_apps_on_unix_sockets_and_an_edge_on_one(make_edge, tmp_path):
    edge = make_edge("--grace", "2", listen=("127.0.0.1:0", f"unix:{tmp_path}/edge.sock"))
    edge.deploy(where="{socket}")
    assert edge.get("/").text.startswith("v1 ")
    from edge_rig import Strict
    with Strict(f"{tmp_path}/edge.sock") as c:
        assert "X-Forwarded-For: unix\r\n" in c.get("/headers").text


def test_the_access_log_is_one_json_object_a_request(make_edge, tmp_path):
    log = tmp_path / "access.log"
    edge = make_edge("--access-log", log, "--grace", "2")
    edge.deploy()
    edge.get("/hello?\"quoted\"", headers=["User-Agent: tést"])
    edge.get("/empty")
    edge.wait(lambda: log.exists() and log.read_text().count("\n") == 2, "no lines")
    first, second = map(json.loads, log.read_text().splitlines())
    assert (first["status"], first["app"], first["target"]) == (200, "web", "/hello?\"quoted\"")
    assert first["complete"] and first["bytes_out"] > 5 and first["client"] == "127.0.0.1"
    assert second["status"] == 502


def test_slow_clients_hold_nobody_up(shared):
    with shared.client() as slow, shared.client() as c:
        slow.request("/big?30000000")
        slow.head()
        for _ in range(20):
            assert c.get("/hello").text == "hello"
        assert slow.exactly(30000000) == b"z" * 30000000
