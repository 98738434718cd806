# SPDX-License-Identifier: Apache-2.0
"""Backends and liars for the tests of `vitrine prove`."""
import json
import re
import signal
import subprocess

import pytest
from lying_server import Liar

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
