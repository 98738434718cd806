# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of upgrades: see upgrading.py."""
import subprocess

import pytest

from upgrading import Served


@pytest.fixture
def served(tmp_path):
    running = []

    def start(*arguments, **how):
        running.append(Served(tmp_path, *arguments, **how))
        return running[-1].wait()
    yield start
    faults = []
    for one in running:
        try:
            one.stop()
        except AssertionError as fault:
            one.kill()
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    folder / "key.pem", "-out", folder / "cert.pem", "-days", "3", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
    return folder / "cert.pem", folder / "key.pem"
