# SPDX-License-Identifier: Apache-2.0
"""Starts tests/support/http_server_cli.c, the server made of src/http alone; every test ends with a clean stop."""
import json
import os
import pathlib
import re
import select
import signal
import socket
import ssl
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
RELATIVE = "tests/unit/http/http_server_cli"
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|SUMMARY: \w+Sanitizer")


def program():
    """Beside the program under test; else in the newest build folder."""
    named = os.environ.get("HTTP_SERVER_CLI")
    if named:
        return pathlib.Path(named)
    places = [p for p in pathlib.Path(os.environ.get("VITRINE_BIN", "/")).resolve().parents]
    places += [TOP / name for name in ("build-asan", "build-test", "build", "build-clang")]
    for place in places:
        if (place / RELATIVE).is_file():
            return place / RELATIVE
    pytest.fail(f"{RELATIVE} was not built: set HTTP_SERVER_CLI, or run meson compile")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return next((v for k, v in self.headers if k == name.lower()), None)


class Client:
    """One connection, at the level of bytes."""

    def __init__(self, sock):
        self.sock = sock
        self.held = b""

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def until(self, mark):
        while mark not in self.held:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError(self.held[:200])
            self.held += more
        head, self.held = self.held.split(mark, 1)
        return head

    def exactly(self, n):
        parts, have = [self.held], len(self.held)
        while have < n:
            more = self.sock.recv(1 << 20)
            if not more:
                raise EOFError(parts[0][:200])
            parts.append(more)
            have += len(more)
        whole = b"".join(parts)
        self.held = whole[n:]
        return whole[:n]

    def rest(self):
        """All bytes to the end; a reset counts as the end."""
        try:
            while more := self.sock.recv(65536):
                self.held += more
        except ConnectionResetError:
            pass
        data, self.held = self.held, b""
        return data

    def answer(self, method="GET"):
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1"
        headers = [(k.lower(), v) for k, v in (line.split(": ", 1) for line in lines[1:])]
        got = Answer(int(status), headers, b"")
        if method == "HEAD" or got.status in (100, 204, 304):
            return got
        if got.header("transfer-encoding") == "chunked":
            chunks = []
            while size := int(self.until(b"\r\n"), 16):
                chunks.append(self.exactly(size))
                assert self.exactly(2) == b"\r\n"
            assert self.exactly(2) == b"\r\n"
            got.body = b"".join(chunks)
        elif got.header("content-length") is not None:
            got.body = self.exactly(int(got.header("content-length")))
        else:
            got.body = self.rest()
        return got

    def get(self, target, *headers, method="GET", body=None):
        lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines) + "\r\n\r\n" + (body or ""))
        return self.answer(method)

    def has_answer(self):
        """Bytes of it are there; reads none."""
        return bool(self.held or select.select([self.sock], [], [], 0)[0])

    def closed(self, seconds=120):
        """True when the server ended the connection and sent nothing more."""
        self.sock.settimeout(seconds)
        try:
            return not self.held and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.sock.close()


class Server:
    def __init__(self, *arguments, fault=""):
        env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
               "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", "VITRINE_FAULT": fault}
        self.process = subprocess.Popen([program(), *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env)
        self.listens = []
        while (line := self.process.stdout.readline().decode().strip()) != "ready":
            if not line:
                pytest.fail("the server did not start: " + self.process.stderr.read().decode())
            self.listens.append(line.removeprefix("listening "))
        self.clients = []

    @property
    def address(self):
        host, port = self.listens[0].rsplit(":", 1)
        return host, int(port)

    def connect(self, timeout=120, tls=None):
        if self.listens[0].startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(self.listens[0].removeprefix("unix:"))
        else:
            sock = socket.create_connection(self.address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout)
        if tls:
            sock = tls.wrap_socket(sock, server_hostname="localhost")
        self.clients.append(Client(sock))
        return self.clients[-1]

    def get(self, target, *headers, **how):
        client = self.connect()
        try:
            return client.get(target, *headers, **how)
        finally:
            client.close()

    def stats(self):
        return json.loads(self.get("/stats").body)

    def wait_for(self, check, seconds=120):
        """Asks /stats until check(stats) holds; returns them."""
        end = time.monotonic() + seconds
        while True:
            now = self.stats()
            if check(now):
                return now
            assert time.monotonic() < end, f"still not so: {now}"
            time.sleep(0.01)

    def rss_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        return 0

    def stop(self, seconds=120):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        for client in self.clients:
            client.close()
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            pytest.fail("the server did not stop: " + err.decode(errors="replace"))
        text = (out + err).decode(errors="replace")
        assert not SANITIZER.search(text), text
        assert self.process.returncode == 0, text


@pytest.fixture
def start():
    """start("name=value"...) -> Server; all are stopped and checked at the end."""
    started = []

    def one(*arguments, **how):
        started.append(Server(*arguments, **how))
        return started[-1]
    yield one
    for server in started:
        server.stop()


@pytest.fixture
def server(start):
    return start()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
                   check=True, stderr=subprocess.DEVNULL)
    context = ssl.create_default_context(cafile=str(cert))
    return cert, key, context
