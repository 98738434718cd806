# SPDX-License-Identifier: Apache-2.0
"""Many connections, few descriptors, and the end."""
import resource
import signal
import socket
import threading
import time

import pytest


@pytest.fixture
def many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = min(before[1], 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (want, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_idle_connections_cost_little(start, many_files):
    server = start()
    client = server.connect()
    client.get("/hello")
    for _ in range(200):  # what the first ones cost is not the question
        server.connect().get("/hello")
    before, count = server.rss_kib(), 2500
    for _ in range(count):
        server.connect().get("/hello")
    assert server.stats()["idle"] >= count
    grown = server.rss_kib() - before
    limit = 1.5 if "asan" not in open(f"/proc/{server.process.pid}/maps").read() else 6
    assert grown / count < limit, f"{grown} KiB for {count} connections"
    assert client.get("/hello").status == 200
    for one in server.clients:
        one.close()
    server.clients.clear()
    server.wait_for(lambda s: s["connections"] == 1)


def test_out_of_descriptors(start):
    server = start("nofile=64")
    clients = [server.connect() for _ in range(80)]
    answered = clients[0].get("/hello")
    assert answered.status == 200
    time.sleep(0.5)
    for client in clients[:40]:
        client.close()
    assert clients[79].get("/hello").status == 200  # waited in the backlog
    cpu = [float(x) for x in open(f"/proc/{server.process.pid}/stat").read().split()[13:15]]
    assert sum(cpu) < 100, "the loop was busy while it had to wait"


def test_connection_limit(start):
    server = start("connections_max=5")
    clients = [server.connect() for _ in range(6)]
    for client in clients[:5]:
        assert client.get("/hello").status == 200
    clients[5].send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
    clients[5].sock.settimeout(0.5)
    with pytest.raises(socket.timeout):
        clients[5].answer()
    clients[0].close()
    clients[5].sock.settimeout(60)
    assert clients[5].answer().status == 200


def test_graceful_stop(start):
    server = start("grace_ms=600000")
    idle, busy = server.connect(), server.connect()
    idle.get("/hello")
    busy.send("GET /work?ms=2000&bytes=9 HTTP/1.1\r\nHost: h\r\n\r\n")
    stream = server.connect().send("GET /stream?pieces=20&ms=40&size=10 HTTP/1.1\r\nHost: h\r\n\r\n")
    stream.exactly(20)
    server.wait_for(lambda s: s["handling"] == 2)
    server.process.send_signal(signal.SIGTERM)
    assert idle.closed()
    with pytest.raises(OSError):
        socket.create_connection(server.address)
    got = busy.answer()
    assert (got.status, len(got.body), got.header("connection")) == (200, 9, "close")
    assert stream.rest().endswith(b"0\r\n\r\n")
    assert server.process.wait(60) == 0


def test_grace_is_capped(start):
    server = start("grace_ms=300")
    stuck = server.connect().send("GET /stream?pieces=100000&ms=20 HTTP/1.1\r\nHost: h\r\n\r\n")
    half = server.connect().send("GET /hello HTTP/1.1\r\n")
    work = server.connect().send("GET /work?ms=600000 HTTP/1.1\r\nHost: h\r\n\r\n")
    server.wait_for(lambda s: s["streaming"] == 1 and s["handling"] == 2)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
    assert not stuck.rest().endswith(b"0\r\n\r\n")
    assert half.rest() == work.rest() == b""


def test_requests_in_flight_at_stop_are_not_lost(start):
    """Clients in a loop: every request that was sent is answered in full, or the connection was closed before any byte
    of an answer."""
    server = start("grace_ms=60000")
    torn, answered = [], []

    def client():
        try:
            one = server.connect()
            while True:
                one.send("GET /work?ms=1&bytes=500 HTTP/1.1\r\nHost: h\r\n\r\n")
                got = one.answer()
                assert len(got.body) == 500
                answered.append(got.status)
                if got.header("connection") == "close":
                    return
        except EOFError as end:
            if end.args[0]:
                torn.append(end.args[0])
        except OSError:
            pass
    threads = [threading.Thread(target=client) for _ in range(16)]
    for thread in threads:
        thread.start()
    server.wait_for(lambda _: len(answered) > 200)
    server.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(60)
    assert server.process.wait(60) == 0
    assert len(answered) > 50 and not torn


def test_parallel_mix(server):
    """Everything at once from many threads, some leaving early; then nothing is left behind."""
    faults = []

    def client(seed):
        targets = ["/hello", "/blob", "/work?ms=1&bytes=2000", "/stream?pieces=5&size=3000", "/big?n=300000", "/none"]
        try:
            one = server.connect()
            for i in range(60):
                target = targets[(seed + i) % len(targets)]
                if (seed + i) % 13 == 0:
                    one.send(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
                    one.close()
                    one = server.connect()
                else:
                    got = one.get(target, *(["Accept-Encoding: gzip"] if i % 2 else []))
                    assert got.status == (404 if target == "/none" else 200)
        except Exception as fault:  # shown by the main thread
            faults.append(repr(fault))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    for one in server.clients:
        one.close()
    now = server.wait_for(lambda s: s["connections"] == 1)
    assert now["bodies_bytes"] == 0 and now["streaming"] == 0


# ---- named faults; in a program without them these are plain requests ----

def test_full_lane_only_delays_a_stream(start):
    server = start(fault="http.stream_lane:2")
    assert len(server.get("/stream?pieces=10&size=1000").body) == 10000
    server.wait_for(lambda s: s["stream_closes"] == 1)


def test_kernel_without_openat2(start, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.txt").write_text("a")
    (tmp_path / "out").symlink_to("/etc")
    server = start(f"static={tmp_path}", fault="http.openat2:1+")
    assert server.get("/static/sub/a.txt").body == b"a"
    for path, status in (("out/passwd", 404), ("sub", 403), ("sub/a.txt/x", 404), ("no/a.txt", 404)):
        assert server.get("/static/" + path).status == status


def test_accept_without_descriptors(start):
    server = start(fault="listener.accept:2")
    for _ in range(4):
        assert server.get("/hello").status == 200


def test_disk_error_is_one_failed_request(start, tmp_path):
    (tmp_path / "a.txt").write_text("a")
    server = start(f"static={tmp_path}", fault="http.static_read:1")
    assert server.get("/static/a.txt").status in (200, 500)
    assert server.get("/static/a.txt").body == b"a"
