# SPDX-License-Identifier: Apache-2.0
"""The gate: what a sandbox may fetch, and what it may not reach."""
import contextlib
import http.server
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import box as boxes
import limits
import serving

BIG = 3_000_000


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302 if self.path.startswith("/to/") else 200)
        if self.path.startswith("/to/"):
            self.send_header("Location", f"http://{self.path[4:]}")
        body = b"a,b\n1,2\n" if self.path == "/a.csv" else b"x" * BIG
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def web():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def gate(box, web, *options, env=None):
    folder = box.top / "gate"
    folder.mkdir(exist_ok=True)
    if box.identity():
        os.chown(folder, boxes.USER, boxes.USER)
    path = folder / "gate.sock"
    process = box.start(box.program, "gate", "--uds", path, "--allow", "127.0.0.1", "--port", web, "--port", 80, *options,
                        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"Vitrine gate at"), process.stderr.read()
    process.path = path
    yield process
    process.send_signal(signal.SIGTERM)
    process.log = process.stderr.read().decode()
    assert process.wait(120) == 0 and not path.exists()
    assert not serving.SANITIZER.search(process.log), process.log
    process.stdout.close()
    process.stderr.close()


def name(host, port):
    return b"\5\1\0\3" + bytes([len(host)]) + host.encode() + struct.pack(">H", port)


def address(text, port):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return b"\5\1\0" + (b"\4" if ":" in text else b"\1") + socket.inet_pton(family, text) + struct.pack(">H", port)


def knock(path, *said, greeting=b"\5\1\0"):
    """All that the gate answers to these bytes, and the connection."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(str(path))
    s.sendall(greeting)
    got = s.recv(2)
    for one in said:
        s.sendall(one)
        got = s.recv(10)
    return s, got


def reply(path, request):
    s, got = knock(path, request)
    s.close()
    return got[1] if len(got) == 10 else None


def test_a_file_of_the_web(box, web):
    into = box.space / "data/web.db"
    with gate(box, web) as g:
        def fetch(*urls):
            return box.run(*box.sandbox("--folder", box.space, "--gate", g.path, "--memory", 0), box.program, "insert",
                           into, "t", *urls)
        status, out, err = fetch(f"http://127.0.0.1:{web}/a.csv")
        assert status == 0, err
        status, out, err = fetch(f"http://127.0.0.1:{web}/to/127.0.0.2:{web}/a.csv")  # a redirect
        assert status != 0 and "address inside of this network" in err
        assert box.run(*box.sandbox("--folder", box.space, "--memory", 0), box.program, "insert", into, "t",
                       f"http://127.0.0.1:{web}/a.csv")[0] != 0  # and without the gate
    user = boxes.SPACE_USER if box.who == "root" else box.identity().get("user", os.geteuid())
    assert f"user {user}: 127.0.0.2 port {web} is not for spaces" in g.log


INSIDE = ["127.0.0.2", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
          "::1", "::", "fe80::1", "fd00::1", "fd00:ec2::254", "::ffff:127.0.0.2", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]
NAMES = ["127.0.0.2", "2130706434", "0x7f000002", "0177.0.0.2", "127.2", "169.254.169.254", "::1", "[::1]"]


def test_nothing_inside(box, web):
    with gate(box, web) as g:
        assert reply(g.path, address("127.0.0.1", web)) == 0
        assert {a: reply(g.path, address(a, web)) for a in INSIDE} == {a: 2 for a in INSIDE}
        got = {n: reply(g.path, name(n, web)) for n in NAMES}
        assert all(r in (2, 4) for r in got.values()) and got["2130706434"] == 2, got
        assert reply(g.path, address("127.0.0.1", 22)) == 2  # a port that is not open
        assert reply(g.path, name("127.0.0.1", 25)) == 2
        assert reply(g.path, name("no-such-name.invalid", web)) == 4
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
    with gate(box, port) as g:
        assert reply(g.path, address("127.0.0.1", port)) == 5


def test_what_is_no_socks(box, web):
    with gate(box, web) as g:
        for greeting, wanted in ((b"\5\1\2", b"\5\377"), (b"\4\1", b"\5\377"), (b"GET / HTTP/1.1\r\n\r\n", b"\5\377")):
            s, got = knock(g.path, greeting=greeting)
            assert got == wanted and s.recv(10) == b""
            s.close()
        for request, wanted in ((b"\5\2\0\1\177\0\0\1\0\120", 7), (b"\5\3\0\1\177\0\0\1\0\120", 7), (b"\5\1\0\2\0\0\0", 8),
                                (name("a\0b", web), 1), (address("127.0.0.1", 0), 1), (b"\4\1\0\1\177\0\0\1\0\120", 1)):
            assert reply(g.path, request) == wanted
        s, _ = knock(g.path)  # gone in the middle
        s.sendall(b"\5\1")
        s.close()
        assert reply(g.path, address("127.0.0.1", web)) == 0


def get(s, path="/big"):
    s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    got = 0
    with contextlib.suppress(ConnectionError):
        while part := s.recv(65536):
            got += len(part)
    return got


def test_both_ways_and_their_bounds(box, web):
    with gate(box, web, "--max-connections", 2) as g:
        first, _ = knock(g.path, address("127.0.0.1", web))
        second, _ = knock(g.path, address("127.0.0.1", web))
        with contextlib.suppress(ConnectionError):
            third, got = knock(g.path)
            assert got == b""
            third.close()
        assert get(first) > BIG and get(second, "/a.csv") < 1000
        first.close()
        second.close()
        assert eventually(lambda: reply_or_none(g.path, address("127.0.0.1", web)) == 0)  # there is room again
    with gate(box, web, "--max-bytes", 1_000_000) as g:
        s, _ = knock(g.path, address("127.0.0.1", web))
        assert get(s) < BIG
        s.close()
    assert "bytes of this hour are used up" in g.log


def reply_or_none(path, request):
    try:
        return reply(path, request)
    except ConnectionError:
        return None


def eventually(condition):
    end = time.monotonic() + serving.READY_SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_time(box, web):
    """LIMIT_GATE_HELLO_MS, LIMIT_GATE_IDLE_MS; of LIMIT_GATE_CONNECT_MS an address that never answers is needed."""
    with gate(box, web, env=limits.lowered(GATE_HELLO_MS=200, GATE_IDLE_MS=200, GATE_CONNECT_MS=200)) as g:
        silent, _ = knock(g.path)
        idle, got = knock(g.path, address("127.0.0.1", web))
        assert got[1] == 0
        assert silent.recv(1) == b"" and idle.recv(1) == b""
        silent.close()
        idle.close()


def test_many(box, web):
    """LIMIT_GATE_CONNECTIONS: of all users together. Beyond half of them a user has no more than a quarter of its own."""
    for most, of_one in ((2400, 512), (600, 256)):
        held = []
        with gate(box, web, "--max-connections", most) as g:
            for _ in range(of_one):
                s, got = knock(g.path)
                held.append(s)
                assert got == b"\5\0"
            with contextlib.suppress(ConnectionError):
                s, got = knock(g.path)
                held.append(s)
                assert got == b""
            for s in held:
                s.close()


def test_mistakes(box):
    for arguments, text in (((), "--uds SOCKET is missing"), (("--uds", "/nowhere/x"), "/nowhere/x"),
                            (("--uds", "/x", "--port", "0"), "is no number"), (("more",), "no argument is expected"),
                            (("--allow", "no-such-name.invalid"), "no-such-name.invalid")):
        status, _, err = box.run(box.program, "gate", *arguments)
        assert status != 0 and text in err, (arguments, err)
