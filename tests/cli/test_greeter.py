# SPDX-License-Identifier: Apache-2.0
"""What is answered while a server is still starting: here its configuration is a pipe that nobody has written yet."""
import contextlib
import os
import socket
import threading
import time

import pytest

import serving
from limits import lowered
from serving import make


@pytest.fixture
def starting(tmp_path):
    """A server that waits for its metadata, and what lets it go on."""
    os.mkfifo(tmp_path / "metadata.json")
    port = serving.free_port()
    one = serving.Server(make(tmp_path / "d.db", "create table t (a); insert into t values (1)"), "--metadata",
                         tmp_path / "metadata.json", port=port, env=lowered(GREET_AFTER_MS=1))  # LIMIT_GREET_AFTER_MS
    one.port = port
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((serving.HOST, port), timeout=60).close()
            break
        except ConnectionRefusedError:
            assert time.monotonic() < end

    def go_on():
        (tmp_path / "metadata.json").write_text("{}")
        return one.wait()
    yield one, go_on
    one.stop()


def test_told_while_it_starts(starting):
    server, go_on = starting
    page = server.get("/d/t?a=1")
    assert page.status == 503 and page.header("retry-after") == "2" and page.header("cache-control") == "no-store"
    assert "just starting" in page.text and "location.reload()" in page.text and "http-equiv" not in page.text
    assert server.get("/-/health").status == 200 and server.get("/-/health").json()["ok"] is True
    ready = server.get("/-/ready")
    assert ready.status == 503 and ready.json()["reason"] == "Databases are being opened"
    assert server.get("/d/t.json").json()["ok"] is False
    head = server.ask("HEAD", "/")
    assert head.status == 503 and head.body == b"" and int(head.header("content-length")) == len(page.body)
    assert server.ask("POST", "/d/t/-/insert", {}, b"x" * 100_000).status == 503
    for junk in (b"\r\n\r\n", b"GET", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000, b"\x16\x03\x01" * 100):
        with socket.create_connection((serving.HOST, server.port), timeout=60) as s:
            with contextlib.suppress(OSError):  # it may have hung up already
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                s.recv(100)
    assert server.get("/").status == 503
    go_on()
    assert server.get("/-/ready").status == 200 and server.get("/d/t.json?_shape=array").json() == [{"rowid": 1, "a": 1}]


def test_one_that_says_nothing_holds_nobody_up(starting):
    server, go_on = starting
    silent = socket.create_connection((serving.HOST, server.port), timeout=60)
    assert server.get("/").status == 503
    started = threading.Thread(target=go_on)
    started.start()
    started.join(120)
    assert not started.is_alive() and server.get("/d/t.json").status == 200
    silent.close()
