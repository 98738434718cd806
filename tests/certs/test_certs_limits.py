# SPDX-License-Identifier: Apache-2.0
"""The walls around certificates: what happens at each is what src/base/limits.h says."""
import contextlib
import socket
import ssl
import threading
import time

import pytest
from liar import Liar
from test_certs import Registry

import limits

APP = ("--health", "/up", "--host", "a.example.org")


@pytest.fixture
def lower(monkeypatch):
    def set_them(**names):
        for name, value in limits.lowered(**names).items():
            monkeypatch.setenv(name, value)
    return set_them


@pytest.fixture
def silent():
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        yield s.getsockname()[1]


def refused(e, host):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        e.handshake(host, timeout=60)


def test_handshakes_that_wait(make_world, lower):
    lower(EDGE_HANDSHAKES=1, EDGE_HANDSHAKE_MS=6000)  # LIMIT_EDGE_HANDSHAKES, LIMIT_EDGE_HANDSHAKE_MS
    w = make_world()
    liar = Liar(w.stack, w.ca)
    liar.lie = lambda *_: 20
    e = w.edge("--loops", "1", directory=liar.directory)
    e.deploy(options=APP)
    ended = []

    def wait():
        began = time.monotonic()
        with contextlib.suppress(ssl.SSLError, OSError):
            e.handshake("a.example.org", timeout=60)
        ended.append(time.monotonic() - began)
    threads = [threading.Thread(target=wait) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
        assert not t.is_alive()
    assert len(ended) == 3 and e.cert("a.example.org")["state"] == "obtaining"
    assert len([s for s in ended if s > 5]) == 1  # the others found no room


def test_a_child_that_hangs(make_world, lower, tmp_path):
    lower(CERT_CHILD_MS=500)  # LIMIT_CERT_CHILD_MS
    w = make_world()
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\nexec sleep 60\n")
    hook.chmod(0o755)
    e = w.edge("--acme-dns", f"exec:{hook}", "--acme-domain", "*.example.org")
    e.run("certs", code=0)
    e.wait(lambda: e.cert("*.example.org"), "not known")
    assert "killed by SIGKILL" in e.wait_cert("*.example.org", "failed")["error"]


def test_a_hook_that_hangs(make_world, lower, tmp_path):
    lower(CERT_HOOK_MS=300)  # LIMIT_CERT_HOOK_MS
    w = make_world()
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\nexec sleep 60\n")
    hook.chmod(0o755)
    e = w.edge("--acme-dns", f"exec:{hook}", "--acme-domain", "*.example.org")
    assert "did not end within" in e.wait_cert("*.example.org", "failed")["error"]


def test_a_name_server_that_hangs(make_world, lower, silent):
    lower(DNS_ANSWER_MS=300)  # LIMIT_DNS_ANSWER_MS
    w = make_world()
    e = w.edge("--acme-dns", f"rfc2136:server=127.0.0.1:{silent},zone=example.org,wait=0", "--acme-domain", "*.example.org")
    cert = e.wait_cert("*.example.org", "failed")
    assert "does not answer over TCP" in cert["error"] and "firewall" in cert["hint"]


def test_a_registry_that_hangs(make_world, lower, silent):
    lower(CERT_ASK_MS=300)  # LIMIT_CERT_ASK_MS
    w = make_world()
    e = w.edge("--acme-on-demand", f"ask=http://127.0.0.1:{silent}/")
    refused(e, "a.example.net")
    cert = e.cert("a.example.net")
    assert cert["state"] == "failed" and "is not known" in cert["error"] and "does not answer in time" in cert["error"]


def test_names_in_an_hour(make_world, lower):
    lower(CERT_ORDERS=2)  # LIMIT_CERT_ORDERS
    w = make_world()
    registry = Registry(())
    w.stack.callback(registry.close)
    e = w.edge("--acme-on-demand", "ask=" + registry.url)
    for i in range(4):
        refused(e, f"a.example{i}.net")
    assert registry.asked == ["a.example0.net", "a.example1.net"]


def test_names_in_all(make_world, lower):
    lower(CERTS=1)  # LIMIT_CERTS
    w = make_world()
    registry = Registry({"b.example.net"})
    w.stack.callback(registry.close)
    e = w.edge("--acme-on-demand", "ask=" + registry.url)
    e.deploy(options=(*APP, "--host", "c.example.org"))
    e.wait_cert("a.example.org")
    assert "more than 1 names: none for c.example.org" in e.log()
    refused(e, "b.example.net")
    assert registry.asked == [] and len(e.certs()) == 1


def test_an_account_file_that_is_none(make_world):
    w = make_world()
    e = w.edge()
    e.deploy(options=APP)
    e.wait_cert("a.example.org")
    account = next((e.state / "certs").glob("account-*.json"))
    whole = account.read_text()
    for text, said in (("x" * (limits.LIMIT_ACME_ACCOUNT + 1), "at most"), ("{", "the account file"),
                       ("{}", "private key"), (whole[:200], "the account file")):
        account.write_text(text)
        _, err = e.try_run("certs", "renew", "a.example.org")
        assert said in err and "Move it away" in err, err
    account.unlink()
    e.run("certs", "renew", "a.example.org")
    assert account.read_text() != whole
