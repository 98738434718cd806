# SPDX-License-Identifier: Apache-2.0
"""Backends and liars for the tests of `vitrine prove`."""
import json
import re
import signal
import socket
import subprocess
import threading

import pytest

import serving


class Program:
    """A running `vitrine prove app`."""

    def __init__(self, *arguments):
        command = [str(a) for a in (serving.PROGRAM, "prove", "app", *arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        found = re.search(r":(\d+) ", line)
        assert found or "unix:" in line, (line, self.process.stderr.read())
        self.port = int(found.group(1)) if found else None
        self.url = f"http://127.0.0.1:{self.port}/"

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        errors = self.process.communicate(timeout=60)[1].decode()
        assert self.process.returncode == 0, (self.process.returncode, errors)
        assert not serving.SANITIZER.search(errors), errors


@pytest.fixture
def app():
    running = []

    def start(*arguments):
        running.append(Program(*arguments))
        return running[-1]
    yield start
    for one in running:
        one.stop()


class Liar:
    """A server that answers what `answer(request bytes, number of the request)` says; None: closes without a word."""

    def __init__(self, answer):
        self.answer, self.count, self.lock = answer, 0, threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            waiting = b""
            while True:
                try:
                    while b"\r\n\r\n" not in waiting:
                        piece = connection.recv(65536)
                        if not piece:
                            return
                        waiting += piece
                    request, waiting = waiting.split(b"\r\n\r\n", 1)
                    with self.lock:
                        self.count += 1
                        number = self.count
                    said = self.answer(request, number)
                    if said is None:
                        return
                    connection.sendall(said)
                except OSError:
                    return

    def close(self):
        self.socket.close()


@pytest.fixture
def liar():
    running = []

    def start(answer):
        running.append(Liar(answer))
        return running[-1]
    yield start
    for one in running:
        one.close()


def prove(*arguments, timeout=90):
    """Runs the client: (exit status, report, standard error)."""
    status, out, errors = serving.run("prove", "--json", *arguments, timeout=timeout)
    return status, json.loads(out) if out else None, errors


@pytest.fixture(name="prove")
def prove_fixture():
    return prove
