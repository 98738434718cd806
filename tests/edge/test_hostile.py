# SPDX-License-Identifier: Apache-2.0
"""Clients and apps that mean harm, and a world that fails. Everything else must go on meanwhile."""
import pathlib
import resource
import subprocess
import time

import pytest

from edge_rig import Strict

CHUNKED = "POST /echo?id=bomb HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def memory_kb(edge):
    text = pathlib.Path(f"/proc/{edge.status()['pid']}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


@pytest.mark.parametrize("bomb, status", [
    ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "y" * 40000 + "\r\n\r\n", 431),
    ("GET / HTTP/1.1\r\nHost: a\r\n" + "".join(f"X{n}: y\r\n" for n in range(101)) + "\r\n", 431),
    ("GET / HTTP/1.1\r\nHost: a\r\n" + "X" * 40000 + ": y\r\n\r\n", 431),
    ("\r\n" * 20000 + "GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (CHUNKED + "1;" + "x" * 100000 + "\r\na\r\n0\r\n\r\n", 400),
    (CHUNKED + "0" * 100000 + "1\r\na\r\n0\r\n\r\n", 400),
    (CHUNKED + "0\r\n" + "T: " + "y" * 100000 + "\r\n\r\n", 431),
    (CHUNKED + "0\r\n" + "T: y\r\n" * 20000 + "\r\n", 431),
    (CHUNKED + "0\r\nContent-Length: 3\r\n\r\n", 400),
])
def test_bombs_in_heads_chunks_and_trailers(shared, bomb, status):
    with shared.client() as c:
        try:
            c.send(bomb)
            got = c.answer().status
        except ConnectionError:
            got = None  # reset while we still sent: nothing to read, nothing passed on
        assert got in ((status, None) if status else (200, 400, None))
    assert shared.get("/hello").text == "hello"
    assert "bomb" not in shared.get("/counts").text


@pytest.mark.parametrize("path", ["/endless-head", "/endless-reason"])
def test_apps_whose_head_has_no_end(shared, path):
    shared.get("/hello")
    before = memory_kb(shared)
    for _ in range(5):
        got = shared.get(path)
        assert got.status == 502 and "app" in got.text
    assert memory_kb(shared) - before < 20000
    assert shared.get("/hello").text == "hello"


def test_an_app_that_says_103_for_ever_comes_to_an_end(shared):
    before = memory_kb(shared)
    with shared.client() as c:
        c.request("/endless-interim")
        heads = [103]
        while heads[-1] == 103:
            heads.append(c.head()[0])
        assert heads[-1] == 502 and 100 < len(heads) < 10000
        assert shared.get("/hello").text == "hello"
    assert memory_kb(shared) - before < 20000


@pytest.mark.parametrize("target", ["/%0d%0aSet-Cookie:%20evil=1", "/a?b=%0d%0aX:%20y", "/%0a", "//evil.test/%2e%2e"])
def test_answers_are_not_split_by_what_clients_send(edge, target):
    edge.run("deploy", "old", "--redirect", "https://new.test")
    got = edge.get(target)
    assert got.status == 308 and got.header("location") == "https://new.test" + target
    assert got.header("set-cookie") is None and len(got.headers) == 4


def test_hosts_that_are_no_hosts(shared):
    for host in ("a b", "a\tb", "a/b", "a@b", "a\x00b", "[::1", "a:b:c"):
        with shared.client() as c:
            c.send(f"GET /headers HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert c.answer().status == 400, host
    with shared.client() as c:
        c.send("GET /headers HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert c.answer().status == 400


def test_bodies_that_trickle_are_ended(make_edge):
    """Neither a pause nor the trick of one byte now and then keeps a connection for ever."""
    edge = make_edge("--body-timeout", "1", "--min-upload-rate", "1000", "--grace", "2")
    edge.deploy()
    with edge.client() as silent, edge.client() as slow, edge.client() as good:
        for c in (silent, slow):
            c.send("POST /echo?id=slow HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        good.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        slow.s.settimeout(0.1)
        got = b""
        for _ in range(200):
            slow.send("x")
            if good:
                good.send(b"x" * 500)
            try:
                got = slow.s.recv(4096)
                break
            except TimeoutError:
                pass
        assert got.startswith(b"HTTP/1.1 408 ")
        assert silent.answer().status == 408
    assert "slow" not in edge.get("/counts").text


def test_no_descriptor_left(make_edge):
    """Clients wait or are told 503 while there is none; with the first free one all goes on."""
    edge = make_edge("--grace", "2", "--loops", "1")
    edge.deploy()
    assert edge.get("/hello").text == "hello"
    pid = edge.status()["pid"]
    folder = pathlib.Path(f"/proc/{pid}/fd")
    used = len(list(folder.iterdir()))
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 6, hard))
    clients = [edge.client() for _ in range(40)]
    for c in clients:
        c.request("/hello")
    edge.wait(lambda: len(list(folder.iterdir())) >= used + 5, "none is used")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1024, hard))
    for c in clients:
        assert c.answer().status in (200, 503)
        c.close()
    assert edge.get("/hello").text == "hello"
    edge.deploy(tag="v2")
    assert edge.get("/").text.startswith("v2 ") and edge.status()["pid"] == pid


CLOCK = """
#define _GNU_SOURCE
#include <time.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
static long jump(void) { static long n; static const long by[] = {0, 31536000, -86400, 40, -31536000}; return by[n++ % 5]; }
int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        t->tv_sec += jump();
    return rc;
}
"""


def test_a_wall_clock_that_jumps_by_a_year_at_every_look(make_edge, tmp_path, monkeypatch):
    source, library = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0")
    edge = make_edge("--grace", "2", "--access-log", tmp_path / "access.log")
    monkeypatch.delenv("LD_PRELOAD")
    edge.deploy()
    for n in range(50):
        assert edge.get("/hello").text == "hello"
    edge.run("pause", "web")
    with edge.client() as c:
        c.request("/")
        edge.wait(lambda: edge.status("web")["waiting"] == 1, "not held")
        edge.deploy(tag="v2")
        edge.run("resume", "web")
        assert c.answer().text.startswith("v2 ")
    edge.kill()
    edge.start()
    assert edge.get("/").text.startswith("v2 ")


def test_health_that_flaps_fast_changes_no_answer(edge, tmp_path):
    """The last instance stays, whatever its probes say; and nobody is turned away while it flaps."""
    flag = tmp_path / "flag"
    edge.deploy(mode=("flapping", flag))
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        flag.touch()
        assert edge.get("/hello").text == "hello"
        flag.unlink()
        assert edge.get("/hello").text == "hello"


def test_a_full_disk_loses_no_upload_that_needs_no_second_instance(make_edge, tmp_path, monkeypatch):
    """With fault points compiled in the disk is full from the third piece on; without them nothing is."""
    monkeypatch.setenv("VITRINE_FAULT", "spool.write:3+")
    edge = make_edge("--grace", "2")
    monkeypatch.delenv("VITRINE_FAULT")
    edge.deploy()
    body = b"x" * 3_000_000
    got = edge.get("/echo", method="POST", body=body)
    assert got.status == 200 and got.text.startswith("3000000 ")
    app = edge.status("web")
    assert app["spooled"] == 1 and app["unspooled"] in (0, 1)
    with Strict(f"{edge.state}/control.sock") as c:
        assert "vitrine_edge_upload_kept_bytes 0\n" in c.get("/metrics").text
