# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 from clients: python3-h2 is the strict peer, then curl, h2load and h2spec.

Its limits are met frame by frame in tests/unit/http/test_h2.c."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import pytest

import limits
from test_config import make_cert


class H2:
    """One connection. h2 itself raises on everything that breaks RFC 9113."""

    def __init__(self, address, window=None, context=None):
        self.s = socket.create_connection(address, timeout=60)
        if context:
            self.s = context.wrap_socket(self.s, server_hostname="a.test")
        self.c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.c.initiate_connection()
        if window is not None:
            self.c.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.auto, self.streams, self.away, self.unread, self.pongs = window is None, {}, [], b"", 0
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def flush(self):
        data = self.c.data_to_send()
        if data:
            self.s.sendall(data)

    def request(self, path="/", method="GET", headers=(), body=None, end=True, authority="test", scheme="http"):
        stream = self.c.get_next_available_stream_id()
        named = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority), *headers]
        self.c.send_headers(stream, named, end_stream=end and body is None)
        self.streams[stream] = {"interim": [], "status": None, "headers": None, "body": b"", "ended": False,
                                "reset": None}
        self.flush()
        if body is not None:
            self.send(stream, body, end)
        return stream

    def send(self, stream, body, end=True):
        while body:
            room = min(self.c.local_flow_control_window(stream), self.c.max_outbound_frame_size, len(body))
            if not room:
                self.once()
                continue
            self.c.send_data(stream, body[:room], end_stream=end and room == len(body))
            body = body[room:]
            self.flush()

    def once(self):
        data = self.s.recv(65536)
        if not data:
            raise EOFError(self.streams)
        self.unread += data
        while len(self.unread) >= 9 and len(self.unread) >= (n := 9 + int.from_bytes(self.unread[:3], "big")):
            for e in self.c.receive_data(self.unread[:n]):
                self.on(e)
            self.unread = self.unread[n:]
        self.flush()

    def on(self, e):
        if isinstance(e, h2.events.ConnectionTerminated):
            self.away.append((e.last_stream_id, int(e.error_code)))
            if not e.error_code:  # h2 takes it for the end, but streams in hand go on (section 6.8)
                self.c.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
            return
        self.pongs += isinstance(e, h2.events.PingAckReceived)
        of = self.streams.get(getattr(e, "stream_id", None))
        if of is None:
            return
        if isinstance(e, h2.events.InformationalResponseReceived):
            of["interim"].append(dict(e.headers))
        elif isinstance(e, h2.events.ResponseReceived):
            of["headers"] = e.headers
            of["status"] = int(dict(e.headers)[":status"])
        elif isinstance(e, h2.events.DataReceived):
            of["body"] += e.data
            if self.auto and e.flow_controlled_length:
                self.c.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
        elif isinstance(e, h2.events.StreamEnded):
            of["ended"] = True
        elif isinstance(e, h2.events.StreamReset):
            of["reset"] = int(e.error_code)

    def until(self, condition):
        while not condition():
            self.once()

    def wait(self, stream):
        of = self.streams[stream]
        self.until(lambda: of["ended"] or of["reset"] is not None)
        return of

    def arrived(self):
        """Returns when the other side has read all that was sent."""
        before = self.pongs
        self.c.ping(b"arrived?")
        self.flush()
        self.until(lambda: self.pongs > before)

    def get(self, path="/", **options):
        return self.wait(self.request(path, **options))


def text(answer):
    return answer["body"].decode()


def test_answers_of_every_kind(shared):
    want = {"/chunked": b"one two " + b"x" * 70000, "/until-close": b"y" * 100000, "/old": b"old", "/hello": b"hello",
            "/big?1000000": b"z" * 1000000, "/events": b"data: 1\n\ndata: 2\n\n"}
    with H2(shared.address) as c:
        opened = {path: c.request(path) for path in want}
        for path, stream in opened.items():
            got = c.wait(stream)
            assert (got["status"], got["body"], got["reset"]) == (200, want[path], None), path
        got = c.get("/hello", method="HEAD")
        assert got["status"] == 200 and got["body"] == b"" and ("content-length", "5") in got["headers"]
        for path, status in (("/nothing", 204), ("/not-modified", 304)):
            got = c.get(path)
            assert got["status"] == status and got["body"] == b"" and got["ended"]
        got = c.get("/hints")
        assert [i[":status"] for i in got["interim"]] == ["103"] and text(got) == "hinted"
        got = c.get("/")
        names = [name for name, _ in got["headers"]]
        assert "x-app" in names and not {"connection", "keep-alive", "x-hop", "transfer-encoding"} & set(names)


def test_the_app_sees_a_request_of_http1(shared):
    with H2(shared.address) as c:
        head = text(c.get("/headers?q=1", authority="example.org:80",
                          headers=[("cookie", "a=b"), ("x-forwarded-for", "1.2.3.4"), ("te", "trailers"),
                                   ("cookie", "c=d")]))
    assert head.startswith("GET /headers?q=1 HTTP/1.1\r\nHost: example.org:80\r\n")
    assert "cookie: a=b; c=d\r\n" in head and "1.2.3.4" not in head and "te:" not in head.lower()
    assert "X-Forwarded-For: 127.0.0.1\r\n" in head and "X-Forwarded-Host: example.org:80\r\n" in head


def test_bodies_of_any_size_and_framing(edge):
    edge.deploy()
    body = os.urandom(3_000_000)
    want = f"{len(body)} {hashlib.sha256(body).hexdigest()}"
    with H2(edge.address) as c:
        assert text(c.get("/echo", method="POST", body=body)) == want
        assert text(c.get("/echo", method="POST", body=body, headers=[("content-length", str(len(body)))])) == want
        stream = c.request("/echo", "POST", headers=[("expect", "100-continue")], end=False)
        c.until(lambda: c.streams[stream]["interim"])
        c.send(stream, b"abc", end=False)
        c.c.send_headers(stream, [("trailer-field", "1")], end_stream=True)  # trailers end at the edge
        c.flush()
        assert text(c.wait(stream)).startswith("3 ")
        assert c.streams[stream]["interim"][0][":status"] == "100"


def test_answers_that_lie_reset_their_stream_alone(shared):
    with H2(shared.address) as c:
        slow = c.request("/slow?200")
        for path in ("/short", "/cut-chunk", "/bad-chunk"):
            got = c.get(path)
            assert got["reset"] == 2 and not got["ended"], path
        for path in ("/empty", "/no-http", "/both", "/two-lengths", "/huge-head", "/unasked-101", "/split"):
            assert c.get(path)["status"] == 502, path
        assert c.get("/never")["status"] == 504
        got = c.get("/early", method="POST", body=b"x" * 60000)
        assert got["status"] == 413 and got["body"] == b"too much"
        assert text(c.wait(slow)) == "v1 slow"


def test_a_hundred_streams_at_once(shared):
    with H2(shared.address) as c:
        slow = c.request("/slow?100")
        fast = [c.request(f"/big?{5000 + i}") for i in range(110)]
        for i, stream in enumerate(fast):
            assert c.wait(stream)["body"] == b"z" * (5000 + i)
        assert text(c.wait(slow)) == "v1 slow"
        c.until(lambda: c.c.remote_settings.max_concurrent_streams == 128)


def test_a_client_that_does_not_read_stops_the_app_and_nobody_else(shared):
    with H2(shared.address, window=0) as c:
        stuck = c.request("/big?500000")
        c.until(lambda: c.streams[stuck]["status"])
        other = c.request("/nothing")
        assert c.wait(other)["status"] == 204 and c.streams[stuck]["body"] == b""
        c.c.increment_flow_control_window(10, stuck)
        c.flush()
        c.until(lambda: len(c.streams[stuck]["body"]) == 10)
        c.c.increment_flow_control_window(600000)
        c.c.increment_flow_control_window(600000, stuck)
        c.flush()
        assert c.wait(stuck)["body"] == b"z" * 500000


def test_a_window_that_opens_by_a_byte_at_a_time(make_edge, monkeypatch):
    """LIMIT_EDGE_WRITE_MS passes with less than LIMIT_H2_CRAWL bytes taken: the stream is reset, and no other."""
    for name, value in limits.lowered(EDGE_WRITE_MS=300).items():
        monkeypatch.setenv(name, value)
    edge = make_edge("--grace", "2")
    edge.deploy()
    with H2(edge.address, window=0) as c:
        c.s.settimeout(0.02)
        crawling = c.streams[c.request("/big?100000")]
        while crawling["reset"] is None:
            try:
                c.once()
            except TimeoutError:  # nothing more comes: it gets room for one byte
                c.c.increment_flow_control_window(1, 1)
                c.flush()
        assert crawling["reset"] == 2 and 0 < len(crawling["body"]) < 1024
        c.s.settimeout(20)
        assert c.get("/nothing")["status"] == 204


def test_a_cancelled_request_is_counted_and_others_go_on(shared):
    before = counted(shared, "clients_gone_total")
    with H2(shared.address) as c:
        dropped, kept = c.request("/never"), c.request("/slow?100")
        c.c.reset_stream(dropped, 8)
        assert text(c.wait(kept)) == "v1 slow"
    shared.wait(lambda: counted(shared, "clients_gone_total") == before + 1, "not counted")


def test_what_is_no_request_is_refused(shared):
    with H2(shared.address) as c:
        assert c.get("/", method="TRACE")["status"] == 405
        assert c.get("/", headers=[("x" * 200, "y" * 9000)] * 5)["status"] == 431
        assert c.get("/" + "a" * 20000)["status"] == 414
        assert text(c.get("/hello")) == "hello"
    for broken in ([(":method", "GET"), (":scheme", "http"), (":authority", "a")],
                   [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("connection", "x")],
                   [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("Upper", "x")]):
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        with H2(shared.address) as c:
            c.c.config = config
            c.streams[1] = {"reset": None, "ended": False}
            c.c.send_headers(1, broken, end_stream=True)
            c.flush()
            assert c.wait(1)["reset"] == 1, broken


def test_a_websocket_passes(shared):
    with H2(shared.address) as c:
        c.until(lambda: c.c.remote_settings.enable_connect_protocol == 1)
        c.c.config.validate_outbound_headers = False
        stream = c.c.get_next_available_stream_id()
        c.streams[stream] = {"interim": [], "status": None, "headers": None, "body": b"", "ended": False, "reset": None}
        c.c.send_headers(stream, [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"),
                                  (":path", "/ws"), (":authority", "a"), ("sec-websocket-version", "13")])
        c.flush()
        c.until(lambda: c.streams[stream]["body"] == b"hello ")
        assert c.streams[stream]["status"] == 200
        assert not {"upgrade", "connection", "sec-websocket-accept"} & {n for n, _ in c.streams[stream]["headers"]}
        c.send(stream, b"more", end=False)
        c.until(lambda: c.streams[stream]["body"] == b"hello MORE")
        c.c.end_stream(stream)
        c.flush()
        assert c.wait(stream)["ended"]


def test_requests_wait_are_repeated_and_go_on(edge):
    edge.deploy(options=("--health", "/up", "--replicas", "2"))
    with H2(edge.address) as c:
        edge.run("pause", "web")
        held = [c.request("/echo", "POST", body=b"x" * 1000 * i) for i in range(1, 40)]
        gone = c.request("/echo?id=gone")
        edge.wait(lambda: "vitrine_edge_waiting{app=\"web\"} 40" in metrics(edge), "not held")
        c.c.reset_stream(gone, 8)
        c.flush()
        edge.wait(lambda: "vitrine_edge_waiting{app=\"web\"} 39" in metrics(edge), "still held")
        edge.run("resume", "web")
        for i, stream in enumerate(held, 1):
            assert text(c.wait(stream)).startswith(f"{1000 * i} ")
        assert "gone" not in text(c.get("/counts"))
        assert c.get("/exit", method="POST")["status"] == 502
        assert all(c.get("/hello")["status"] == 200 for _ in range(4))  # the other one, or held until it is back
        edge.deploy(tag="v2", options=("--health", "/up", "--replicas", "2"))
        assert text(c.get("/")).startswith("v2 ")
        assert c.away == []
    # who left while it waited is none
    edge.wait(lambda: counted(edge, 'protocol_requests_total', ',protocol="http2"') == 46, "not counted")


def counted(edge, name, more=""):
    return int(re.search(rf'{name}\{{app="web"{more}\}} (\d+)', metrics(edge)).group(1))


def metrics(edge):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(edge.state / "control.sock"))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := s.recv(65536):
            data += piece
    return data.decode()


def test_stop_says_go_away_twice_and_loses_nothing(make_edge, tmp_path):
    log = tmp_path / "access.log"
    edge = make_edge("--access-log", log, "--grace", "10")
    edge.deploy()
    with H2(edge.address) as c, H2(edge.address) as idle:
        slow = c.request("/slow?700")
        assert c.get("/hello")["status"] == 200 and idle.get("/hello")["status"] == 200
        stopper = threading.Thread(target=edge.stop)
        stopper.start()
        c.until(lambda: (2 ** 31 - 1, 0) in c.away)
        c.until(lambda: (slow + 2, 0) in c.away)
        assert text(c.wait(slow)) == "v1 slow"
        idle.until(lambda: (2 ** 31 - 1, 0) in idle.away)
        idle.until(lambda: (1, 0) in idle.away)
    stopper.join(120)
    assert not stopper.is_alive()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 3 and all(line["protocol"] == "HTTP/2" and line["complete"] for line in lines)


def test_tls_agrees_on_it(make_edge, tmp_path):
    cert, key = make_cert(tmp_path, "a.test")
    edge = make_edge("--listen-tls", "127.0.0.1:0", "--cert", cert, key, "--grace", "2")
    edge.deploy()
    address = ("127.0.0.1", next(p for p in edge.ports if p != edge.port))
    context = ssl.create_default_context(cafile=str(cert))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with H2(address, context=context) as c:
        assert c.s.selected_alpn_protocol() == "h2"
        assert "X-Forwarded-Proto: https\r\n" in text(c.get("/headers", scheme="https"))
        assert c.get("/big?3000000", scheme="https")["body"] == b"z" * 3000000
    for version, option in (("2", "--http2"), ("1.1", "--http1.1")):
        out = subprocess.run(["curl", "-sS", "--cacert", cert, option, "--resolve", f"a.test:{address[1]}:127.0.0.1",
                              "-w", " %{http_version}", f"https://a.test:{address[1]}/hello"],
                             check=True, capture_output=True, text=True).stdout
        assert out == f"hello {version}"


def test_curl_and_h2load(shared, tmp_path):
    data = tmp_path / "data"
    data.write_bytes(os.urandom(700_000))
    base = f"http://127.0.0.1:{shared.port}"
    out = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-T", data, "-w", " %{http_version}",
                          f"{base}/echo"], check=True, capture_output=True, text=True).stdout
    assert out == f"700000 {hashlib.sha256(data.read_bytes()).hexdigest()} 2"
    out = subprocess.run(["h2load", "-n", "2000", "-c", "5", "-m", "50", f"{base}/hello"], check=True,
                         capture_output=True, text=True).stdout
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in out


def test_no_prior_knowledge_is_http1(shared):
    with socket.create_connection(shared.address, timeout=60) as s:
        for part in (b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r", b"\n", b"\0\0\0\4\0\0\0\0\0"):  # in pieces
            s.sendall(part)
            time.sleep(0)
        assert s.recv(9)[3] == 4  # SETTINGS
    with shared.client() as c:
        c.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
        assert c.answer().status in (400, 405, 505)


def test_h2spec(make_edge, tmp_path):
    go = os.environ.get("GOPATH", str(pathlib.Path.home() / "go"))
    program = shutil.which("h2spec", path=os.environ["PATH"] + f":{go}/bin")
    if not program:
        pytest.skip("h2spec is not installed: go install github.com/summerwind/h2spec/cmd/h2spec@latest")
    cert, key = make_cert(tmp_path, "a.test")
    edge = make_edge("--listen-tls", "127.0.0.1:0", "--cert", cert, key, "--grace", "2")
    edge.deploy()
    port = next(p for p in edge.ports if p != edge.port)
    got = subprocess.run([program, "-h", "127.0.0.1", "-p", str(port), "-t", "-k", "-o", "5"], capture_output=True,
                         text=True, timeout=120)
    assert re.search(r"\d+ tests, \d+ passed, 0 skipped, 0 failed", got.stdout), got.stdout[-3000:]
