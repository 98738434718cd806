# SPDX-License-Identifier: Apache-2.0
"""kill -9 at every named point of getting a certificate: what was there is shown, no file is half written, and the next
try ends well."""
import pathlib
import ssl
import sys

import pytest
import serving
from certs_rig import HERE

FAULTS = b"VITRINE_FAULT" in serving.PROGRAM.read_bytes() and b"certs.begin" in serving.PROGRAM.read_bytes()
APP = ("--health", "/up", "--host", "a.example.org")


def whole(folder):
    for path in pathlib.Path(folder).glob("*.pem"):
        text = path.read_text()
        assert text.count("-----BEGIN PRIVATE KEY-----") == 1 and text.rstrip().endswith("-----END CERTIFICATE-----")


def deploy(e):
    """However it ends."""
    serving.run("deploy", "web", "--run", f"{sys.executable} {HERE.parent}/edge/app.py {{port}} v1", *APP, "--state", e.state,
                timeout=60)


@pytest.mark.skipif(not FAULTS, reason="built without fault points")
@pytest.mark.parametrize("point", ("acme.account", "acme.presented", "certs.write", "certs.written"))
def test_the_child(make_world, monkeypatch, point):
    w = make_world()
    monkeypatch.setenv("VITRINE_FAULT", f"{point}:1:kill")
    e = w.edge()
    monkeypatch.delenv("VITRINE_FAULT")
    e.deploy(options=APP)
    if point == "certs.written":  # its work was done
        e.wait_cert("a.example.org")
        assert e.get("a.example.org", "/hello")[2] == b"hello" and e.orders() == 1
        return
    cert = e.wait_cert("a.example.org", "failed")
    assert "ended before it was done (killed by SIGKILL" in cert["error"]
    whole(e.state / "certs")
    e.kill()
    e.start()
    with pytest.raises(ssl.SSLError):
        e.handshake("a.example.org")
    e.run("certs", "renew", "a.example.org")
    assert e.get("a.example.org", "/hello")[2] == b"hello"
    whole(e.state / "certs")


@pytest.mark.skipif(not FAULTS, reason="built without fault points")
def test_the_edge(make_world, monkeypatch):
    w = make_world()
    monkeypatch.setenv("VITRINE_FAULT", "certs.begin:1:kill")
    e = w.edge()
    monkeypatch.delenv("VITRINE_FAULT")
    deploy(e)
    e.wait_for(lambda: "the edge is gone (killed by SIGKILL" in e.log(), "it was not killed")
    e.wait_for(lambda: e.try_pid(), "it does not come back")
    deploy(e)
    e.wait_for(lambda: e.cert("a.example.org"), "not known")
    assert e.orders() == 0 and e.cert("a.example.org")["failures"] == 1  # the try counts as failed: no hurry
    e.run("certs", "renew", "a.example.org")
    assert e.get("a.example.org", "/hello")[2] == b"hello"


@pytest.mark.skipif(not FAULTS, reason="built without fault points")
def test_renewed_before_the_last_child_is_gone(make_world, monkeypatch):
    w = make_world()
    monkeypatch.setenv("VITRINE_FAULT", "certs.told:1:sleep:2000")
    e = w.edge()
    e.deploy(options=APP)
    e.wait_cert("a.example.org")
    serial = e.serial("a.example.org")
    e.run("certs", "renew", "a.example.org")
    assert e.serial("a.example.org") != serial
