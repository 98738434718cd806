# SPDX-License-Identifier: Apache-2.0
"""Authorities that lie, stall, refuse and change their minds: each costs one try, is told in words, and what was shown
before is shown still."""
import contextlib
import json
import re
import ssl
import time

import pytest
from certs_rig import World, wait_until
from clock import THERE, Clock
from liar import Liar

import limits

APP = ("--health", "/up", "--host", "a.example.org")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        w = World(stack, tmp_path_factory.mktemp("liar"))
        liar = Liar(stack, w.ca)
        e = w.edge(directory=liar.directory)
        e.deploy(options=APP)
        e.wait_cert("a.example.org")
        yield e, liar


def refused(stage, code=None):
    e, liar = stage
    before = e.serial("a.example.org")
    import serving
    got, out, err = serving.run("certs", "renew", "a.example.org", "--state", e.state, timeout=90)
    liar.lie = lambda *_: None
    assert got != 0 and (code is None or got == code), (got, out, err)
    assert e.serial("a.example.org") == before and e.get("a.example.org", "/hello")[2] == b"hello"
    cert = e.cert("a.example.org")
    assert cert["state"] == "renewal failed" and cert["error"] in err and cert["retry_at"]
    return err


def test_what_is_no_directory(stage):
    _, liar = stage
    for body in (b"", b"<html>", b"[]", b"{}", b'{"newNonce": 1}', b'{"newNonce": "file:///etc/passwd"}', b"\xff" * 100,
                 b'{"newNonce": "https://x/\\"y"}'):
        liar.instead("/dir", 200, body)
        assert "is no directory of an ACME authority" in refused(stage)
    liar.instead("/dir", 404, b"nothing")
    assert "it answered 404 and gave no reason" in refused(stage)


def test_answers_that_are_too_large(stage):
    _, liar = stage
    liar.instead("/dir", 200, b"{" + b" " * limits.LIMIT_ACME_ANSWER + b"}")
    assert "larger than" in refused(stage)


def test_nonces(stage):
    e, liar = stage
    liar.header("/", "replay-nonce", "")
    assert "the authority gives no nonce" in refused(stage)
    for nonce in ('x","alg":"none', "a b", "n" * (limits.LIMIT_ACME_NONCE + 1)):
        liar.header("/", "replay-nonce", nonce)
        assert "the authority gives no nonce" in refused(stage)
    liar.asked.clear()
    liar.lie = lambda path, s, h, b: None if path in ("/dir", "/nonce-plz") else (
        400, [("Replay-Nonce", "again"), ("Content-Type", "application/problem+json")],
        json.dumps({"type": "urn:ietf:params:acme:error:badNonce", "detail": "never"}).encode())
    err = refused(stage)
    assert "(badNonce)" in err
    assert len([1 for m, _, _ in liar.asked if m == "POST"]) == limits.LIMIT_ACME_TRIES


def test_orders_and_challenges_that_make_no_sense(stage):
    _, liar = stage
    long_url = "https://127.0.0.1/" + "x" * limits.LIMIT_ACME_URL
    for at, change, text in (
            ("/order-plz", lambda v: v.pop("finalize"), "did not say where it is"),
            ("/order-plz", lambda v: v.update(authorizations=[]), "0 authorizations"),
            ("/order-plz", lambda v: v.update(authorizations=[5]), "an address that is none"),
            ("/order-plz", lambda v: v.update(authorizations=[long_url]), "an address that is none"),
            ("/authZ/", lambda v: v.update(status="strange"), "\"strange\" from the beginning"),
            ("/authZ/", lambda v: v.update(challenges=[]), "does not offer"),
            ("/authZ/", lambda v: [c.update(token="../../x") for c in v["challenges"]], "no token that can be used"),
            ("/authZ/", lambda v: [c.update(token="t" * (limits.LIMIT_ACME_TOKEN + 1)) for c in v["challenges"]],
             "no token that can be used"),
            ("/authZ/", lambda v: [c.update(url="ftp://x") for c in v["challenges"]], "an address that is none"),
            ("/my-order/", lambda v: v.pop("status"), "it has no status"),
            ("/my-order/", lambda v: v.update(status="invalid", error={
                "type": "urn:ietf:params:acme:error:caa", "detail": "line one\nline\x1b[31m two"}),
             "line one line [31m two (caa)"),
            ("/my-order/", lambda v: v.update(certificate="") if v.get("certificate") else None, "an address that is none")):
        liar.json(at, change)
        assert text in refused(stage), text


def test_certificates_that_are_none_of_ours(stage):
    e, liar = stage
    liar.instead("/certZ/", 200, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert "does not begin with a certificate" in refused(stage)
    with open(e.state / "certs" / "a.example.org.pem") as f:  # for the name, but for another key
        old = re.search(r"-----BEGIN CERTIFICATE-----.*", f.read(), re.DOTALL).group(0)
    liar.instead("/certZ/", 200, old.encode())
    assert "does not belong to the certificate" in refused(stage)


def test_an_authority_that_is_busy(stage):
    e, liar = stage
    times = []

    def lie(path, *_):
        if path == "/order-plz" and len(times) < 2:
            times.append(time.monotonic())
            return 503, [("Replay-Nonce", "x"), ("Retry-After", "1")], b""
        return None
    liar.lie = lie
    out, _ = e.run("certs", "renew", "a.example.org")
    assert "has a new certificate" in out and len(times) == 2


def test_a_rate_limit(stage):
    e, liar = stage
    liar.instead("/order-plz", 429, json.dumps({"type": "urn:ietf:params:acme:error:rateLimited",
                                                "detail": "too many certificates (5) already issued"}).encode(),
                 ("Retry-After", "86400"), ("Replay-Nonce", "x"))
    before = time.time()
    err = refused(stage, 74)
    assert "too many certificates (5) already issued (rateLimited)" in err and "when the authority allows it" in err
    retry_at = time.mktime(time.strptime(e.cert("a.example.org")["retry_at"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert retry_at >= before + 86000


def test_terms_nobody_agreed_to():
    import serving
    code, _, err = serving.run("edge", "--listen-tls", "127.0.0.1:0", "--acme", "a@example.org", "--state", "/nowhere")
    assert code == 64 and "--acme-agree" in err and "letsencrypt.org" in err


@pytest.mark.parametrize("options, text", (
    (("--acme-agree",), "nobody said --acme"),
    (("--acme", "x", "--acme-agree"), "one mail address"),
    (("--acme", "-", "--acme-agree", "--acme-directory", "x"), "Give an URL"),
    (("--acme", "-", "--acme-agree", "--acme-domain", "*.example.org"), "--acme-dns"),
    (("--acme", "-", "--acme-agree", "--acme-domain", "no_dots"), "Give a name in lower case"),
    (("--acme", "-", "--acme-agree", "--acme-challenge", "dns-01"), "--acme-dns"),
    (("--acme", "-", "--acme-agree", "--acme-challenge", "x"), "Choose http-01"),
    (("--acme", "-", "--acme-agree", "--acme-dns", "exec:/nonexistent"), "may be run"),
    (("--acme", "-", "--acme-agree", "--acme-dns", "rfc2136:key=x"), "server="),
    (("--acme", "-", "--acme-agree", "--acme-dns", "rfc2136:server=127.0.0.1:53,key=/nonexistent"), "/nonexistent"),
    (("--acme", "-", "--acme-agree", "--acme-ca", "/nonexistent"), "no file"),
    (("--acme", "-", "--acme-agree", "--acme-on-demand", "yes"), "ask=URL"),
    (("--acme-domain", "a.example.org"), "nobody said --acme"),
))
def test_options(options, text, tmp_path):
    import serving
    code, _, err = serving.run("edge", "--listen-tls", "127.0.0.1:0", "--state", tmp_path, *options)
    assert code and text in err, err


def test_a_key_file_that_is_none(tmp_path):
    import serving
    for body, text in (("x", "holds no key"), ('key "a" { algorithm hmac-md5; secret "aGFsbG8="; };', "hmac-md5"),
                       ("x" * (limits.LIMIT_DNS_KEY_FILE + 1), "at most 65536")):
        (tmp_path / "key").write_text(body)
        code, _, err = serving.run("edge", "--listen-tls", "127.0.0.1:0", "--state", tmp_path, "--acme", "-", "--acme-agree",
                                   "--acme-dns", f"rfc2136:server=127.0.0.1:53,key={tmp_path}/key")
        assert code and text in err, err


@pytest.mark.skipif(not THERE, reason="a program without a clock that can be set")
def test_when_to_renew(make_world, tmp_path, monkeypatch):
    """Renewal information (RFC 9773): a window that has begun is obeyed, though not at once by a certificate that is new,
    and the new order names what it replaces."""
    clock = Clock(tmp_path)
    for name, value in clock.env.items():
        monkeypatch.setenv(name, value)
    w = make_world()
    liar = Liar(w.stack, w.ca)
    soon, told = {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}, []
    window = {"start": "2030-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z"}

    def lie(path, status, headers, body):
        if path == "/dir":
            return 200, headers, json.dumps({**json.loads(body), "renewalInfo": liar.directory[:-3] + "info"}).encode()
        if path.startswith("/info/"):
            told.append(path)
            return 200, [("Retry-After", "60")], json.dumps({"suggestedWindow": window}).encode()
        return None
    liar.lie = lie
    e = w.edge(directory=liar.directory)
    e.deploy(options=APP)
    assert e.wait_cert("a.example.org")["renew_at"] == "2030-01-01T00:00:00Z"
    first = e.serial("a.example.org")
    assert re.fullmatch(r"/info/[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", told[0])
    window.update(soon)
    e.run("certs", "renew", "a.example.org")  # it gives a certificate that it wants replaced at once
    second = e.serial("a.example.org")
    assert second != first and e.orders() == 2
    window.update(start="2030-01-01T00:00:00Z", end="2030-01-01T00:00:00Z")
    clock.set(7 * 3600)
    e.deploy(options=(*APP, "--env", "N=1"))  # it looks at its certificates
    wait_until(lambda: e.serial("a.example.org") not in (first, second) and
               e.cert("a.example.org")["renew_at"] == "2030-01-01T00:00:00Z", e.log)
    import base64
    orders = [json.loads(base64.urlsafe_b64decode(json.loads(b)["payload"] + "=="))
              for m, p, b in liar.asked if p == "/order-plz" and m == "POST"]
    assert "replaces" not in orders[0] and orders[1]["replaces"] == told[0][6:]


def test_a_slow_authority(make_world, monkeypatch):
    # LIMIT_ACME_REQUEST_MS, LIMIT_CERT_OBTAIN_MS
    for name, value in limits.lowered(ACME_REQUEST_MS=300).items():
        monkeypatch.setenv(name, value)
    w = make_world()
    liar = Liar(w.stack, w.ca)
    liar.lie = lambda path, *_: 2
    e = w.edge(directory=liar.directory)
    e.deploy(options=APP)
    assert "does not answer in time" in e.wait_cert("a.example.org", "failed")["error"]
    e.stop()
    for name, value in limits.lowered(CERT_OBTAIN_MS=700).items():
        monkeypatch.setenv(name, value)
    liar.lie = lambda *_: None
    liar.json("/my-order/", lambda v: v.update(status="processing"))
    e = w.edge(directory=liar.directory)
    e.deploy(options=APP)
    error = e.wait_cert("a.example.org", "failed")["error"]
    assert "did not finish within" in error or "does not answer in time" in error
    with pytest.raises(ssl.SSLError):
        e.handshake("a.example.org")
