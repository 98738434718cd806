# SPDX-License-Identifier: Apache-2.0
"""Certificates that an edge gets from an authority: who gets one, how it is proven, what renewal touches (nothing)."""
import contextlib
import http.server
import json
import os
import pathlib
import ssl
import threading
import urllib.parse

import pytest
from certs_rig import wait_until

APP = ("--health", "/up")


def hosts(*names):
    return APP + tuple(part for name in names for part in ("--host", name))


class Registry:
    """What --acme-on-demand asks."""

    def __init__(self, known):
        self.known, self.asked = set(known), []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["domain"][0]
                outer.asked.append(name)
                self.send_response(200 if name in outer.known else 404)
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/may?of=edge"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def registry():
    r = Registry({"custom.example.net"})
    yield r
    r.close()


@pytest.fixture(scope="module")
def edge(world, registry):
    e = world.edge("--acme-on-demand", "ask=" + registry.url, "--redirect-https", "443", "--loops", "2")
    e.deploy(options=hosts("a.example.org", "b.example.org"))
    e.deploy("any", options=APP)
    e.wait_cert("a.example.org")
    e.wait_cert("b.example.org")
    yield e


def test_hosts_of_routes_get_one(edge):
    for host in ("a.example.org", "b.example.org"):
        status, _, body = edge.get(host, "/hello")
        assert (status, body) == (200, b"hello")
    cert = edge.cert("a.example.org")
    assert cert["from"] == "route" and cert["failures"] == 0 and cert["error"] is None and "Pebble" in cert["issuer"]
    assert cert["begins"] < cert["renew_at"] < cert["expires"]
    assert json.loads(edge.run("certs", "list", "--json")[0])["certificates"] == edge.certs()
    out, _ = edge.run("certs")
    assert "a.example.org" in out and "valid" in out
    out, _ = edge.run("certs", "show", "a.example.org")
    assert "Pebble" in out
    _, err = edge.run("certs", "show", "unknown.example.org", code=5)
    assert "there is no certificate" in err and "vitrine certs list" in err


def test_files_are_whole_and_secret(edge):
    folder = pathlib.Path(edge.state) / "certs"
    text = (folder / "a.example.org.pem").read_text()
    assert text.count("BEGIN PRIVATE KEY") == 1 and text.count("BEGIN CERTIFICATE") == 2
    files = list(folder.iterdir())
    assert len([f for f in files if f.name.startswith("account-") and f.suffix == ".json"]) == 1
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in files), files
    assert folder.stat().st_mode & 0o777 == 0o700


def test_h2_is_agreed_on_with_every_certificate(edge):
    for host in ("a.example.org", "b.example.org"):
        with edge.handshake(host, alpn=("h2", "http/1.1")) as s:
            assert s.selected_alpn_protocol() == "h2"


def test_a_visitor_waits_for_the_first_certificate(edge):
    edge.deploy("fresh", options=hosts("fresh.example.org"))
    with edge.handshake("fresh.example.org") as s:  # no wait in between: the handshake itself waits
        assert ("DNS", "fresh.example.org") in s.getpeercert()["subjectAltName"]
        assert edge.get("fresh.example.org", "/hello", s)[2] == b"hello"


def test_renewal_touches_no_connection(edge):
    with contextlib.ExitStack() as stack:
        context = ssl.create_default_context(cafile=str(edge.root()))
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # its sessions can be taken before any answer
        kept = [stack.enter_context(edge.handshake("a.example.org")) for _ in range(16)]
        first = edge.handshake("a.example.org", context=context)
        session = first.session
        first.close()
        old = kept[0].getpeercert()["serialNumber"]
        for s in kept:
            assert edge.get("a.example.org", "/hello", s)[0] == 200
        out, err = edge.run("certs", "renew", "a.example.org")
        assert "has a new certificate" in out and "the authority looks at a.example.org" in err
        for s in kept:
            assert edge.get("a.example.org", "/hello", s)[0] == 200
        new = {edge.serial("a.example.org") for _ in range(16)}  # of all loops
        assert len(new) == 1 and old not in new
        with edge.handshake("a.example.org", context=context, session=session) as s:
            assert s.session_reused


def test_plain_requests_are_sent_to_https(edge):
    got = edge.get_plain("a.example.org", "/x?y=1")
    assert got.status == 308 and got.header("location") == "https://a.example.org/x?y=1"
    assert edge.get_plain("nobody.example.org", "/hello").status == 200  # no certificate, no redirect


def test_names_of_visitors_are_asked_for(edge, registry):
    with edge.handshake("custom.example.net") as s:
        assert edge.get("custom.example.net", "/hello", s)[2] == b"hello"
    assert edge.cert("custom.example.net")["from"] == "visitor"
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        edge.handshake("stranger.example.net")
    assert registry.asked.count("custom.example.net") == 1 and "stranger.example.net" in registry.asked
    before = len(registry.asked)
    with pytest.raises(ssl.SSLError):  # it is remembered
        edge.handshake("stranger.example.net")
    assert len(registry.asked) == before


def test_names_that_cannot_have_one_are_refused(edge, registry):
    before = len(registry.asked)
    for host in ("localhost", "a.localhost", "x_y", "1.2.3.4.5"):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            edge.handshake(host)
    assert len(registry.asked) == before


def test_a_flood_of_names_asks_no_authority(edge, registry):
    """Each name is refused; the authority hears of none of them, and a certificate that is there is still shown."""
    orders = edge.orders()

    def knock(i):
        with contextlib.suppress(ssl.SSLError, OSError):
            edge.handshake(f"n{i}.flood.example.com").close()
    threads = [threading.Thread(target=knock, args=(i,)) for i in range(60)]
    for t in threads:
        t.start()
    assert edge.get("b.example.org", "/hello")[0] == 200
    for t in threads:
        t.join(60)
        assert not t.is_alive()
    asked = [n for n in registry.asked if n.endswith("flood.example.com")]
    assert len(asked) <= 20, asked  # LIMIT_CERT_GROUP_ORDERS, and LIMIT_CERT_NAMES_PER_S after the first ones
    assert edge.orders() == orders


def test_metrics(edge):
    text = edge.metrics()
    assert 'vitrine_edge_certificate_expiry_seconds{name="a.example.org"} 1' in text
    assert 'vitrine_edge_certificate_failures_total{name="a.example.org"} 0' in text


def test_a_restart_asks_nobody(edge):
    serial, orders = edge.serial("a.example.org"), edge.orders()
    edge.run("edge", "upgrade")
    assert edge.serial("a.example.org") == serial
    edge.kill()
    edge.start()
    wait_until(lambda: edge.try_pid(), "it does not come back")
    assert edge.serial("a.example.org") == serial and edge.orders() == orders
    assert edge.cert("custom.example.net")["state"] == "valid"


@pytest.mark.parametrize("kind", ("http-01", "tls-alpn-01"))
def test_each_kind_of_challenge(make_world, kind):
    w = make_world()
    e = w.edge("--acme-challenge", kind)
    e.deploy(options=hosts("k.example.org"))
    e.wait_cert("k.example.org")
    assert e.get("k.example.org", "/hello")[2] == b"hello"
    _, err = e.run("certs", "renew", "k.example.org")
    assert f"by {kind}\nthe authority is asked for k.example.org\nthe authority looks at k.example.org\n" in err
    with pytest.raises(ssl.SSLError):
        e.handshake("k.example.org", alpn=("acme-tls/1",))


def test_a_name_that_points_elsewhere(make_world):
    w = make_world()
    w.dns.set("add-a", host="away.example.org", addresses=["127.0.0.9"])
    e = w.edge("--acme-challenge", "http-01")
    e.deploy(options=hosts("away.example.org", "here.example.org"))
    cert = e.wait_cert("away.example.org", "failed")
    assert "http-01 away.example.org: the authority says: " in cert["error"] and "(connection)" in cert["error"]
    assert "port 80 for http-01" in cert["hint"] and cert["retry_at"]
    assert e.cert("away.example.org")["failures"] == 1
    with pytest.raises(ssl.SSLError):
        e.handshake("away.example.org")
    e.wait_cert("here.example.org")
    assert e.get("here.example.org", "/hello")[0] == 200
    assert 'failures_total{name="away.example.org"} 1' in e.metrics()
    orders = e.orders()
    e.run("edge", "upgrade")  # nor does a new process try before its time
    assert e.cert("away.example.org")["state"] == "failed" and e.orders() == orders
    w.dns.set("clear-a", host="away.example.org")
    out, _ = e.run("certs", "renew", "away.example.org")
    assert "has a new certificate" in out and e.get("away.example.org", "/hello")[0] == 200


def test_an_account_that_the_authority_wants_to_know(make_world, tmp_path):
    key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    w = make_world(eab={"kid-1": key})
    e = w.edge()
    e.deploy(options=hosts("e.example.org"))
    cert = e.wait_cert("e.example.org", "failed")
    assert "--acme-eab" in cert["hint"], cert
    e.stop()
    (tmp_path / "eab").write_text(key + "\n")
    e = w.edge("--acme-eab", "kid-1", tmp_path / "eab")
    e.deploy(options=hosts("e.example.org"))
    e.wait_cert("e.example.org")


def test_an_authority_that_forgot_us(make_world):
    w = make_world()
    e = w.edge()
    e.deploy(options=hosts("f.example.org"))
    e.wait_cert("f.example.org")
    w.ca.program.stop()
    w.ca.start()
    out, _ = e.run("certs", "renew", "f.example.org")
    assert "has a new certificate" in out
    assert e.get("f.example.org", "/hello")[0] == 200


def test_nonces_that_are_refused(make_world):
    w = make_world(env={"PEBBLE_WFE_NONCEREJECT": "30"})
    e = w.edge()
    e.deploy(options=hosts("n.example.org"))
    e.wait_cert("n.example.org")


def test_certificates_that_live_for_seconds(make_world):
    """They are renewed by themselves, again and again, and no connection notices."""
    w = make_world(validity=6)
    e = w.edge()
    e.deploy(options=hosts("s.example.org"))
    e.wait_cert("s.example.org")
    shown = set()
    blind = ssl.create_default_context()  # on a busy machine they expire before there is a new one
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    with e.handshake("s.example.org", context=blind) as kept:
        def renewed():
            with e.handshake("s.example.org", context=blind) as s:
                shown.add(s.getpeercert(binary_form=True))
            assert e.get("s.example.org", "/hello", kept)[0] == 200
            return len(shown) >= 3
        wait_until(renewed, e.log)


def test_a_disk_that_is_full(make_world):
    if os.geteuid():
        pytest.skip("needs to mount")
    w = make_world()
    e = w.edge()
    folder = pathlib.Path(e.state) / "certs"
    if os.system(f"mount -t tmpfs -o size=16k none {folder}"):
        pytest.skip("needs to mount")
    try:
        e.deploy(options=hosts("d.example.org"))
        e.wait_cert("d.example.org")
        serial = e.serial("d.example.org")
        with contextlib.suppress(OSError), open(folder / "fill", "wb", buffering=0) as f:
            while f.write(b"x" * 4096):
                pass
        _, err = e.run("certs", "renew", "d.example.org", code=74)
        assert "No space" in err, err
        assert e.serial("d.example.org") == serial and e.get("d.example.org", "/hello")[0] == 200
        (folder / "fill").unlink()
        e.run("certs", "renew", "d.example.org")
        assert e.serial("d.example.org") != serial
    finally:
        e.stop()
        os.system(f"umount {folder}")
