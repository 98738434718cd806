# SPDX-License-Identifier: Apache-2.0
"""Apps by a file, certificates, reload."""
import json
import signal
import ssl
import subprocess
import sys

import pytest

from edge_rig import APP, Strict

FILE = """
apps:
  one:
    host: one.test
    run: {python} {app} {{port}} {one}
    health: /up
    env: {{A: 1}}
  two:
    host: [two.test, "*.two.test"]
    path: /
    run: {python} {app} {{socket}} two
    health: /up
    replicas: 2
    drain_seconds: 1.5
  old:
    host: old.test
    redirect: https://one.test
"""


def write(tmp_path, one="one", text=FILE):
    path = tmp_path / "edge.yaml"
    path.write_text(text.format(python=sys.executable, app=APP, one=one))
    return path


def test_a_file_is_applied_and_only_what_differs_is_touched(edge, tmp_path):
    file = write(tmp_path)
    out, _ = edge.run("edge", "apply", "--dry-run", file)
    assert "add one" in out and "add two" in out and "3 to be changed" in out
    assert edge.status()["apps"] == []
    out, _ = edge.run("edge", "apply", file)
    assert "3 changed, 0 as the file says" in out
    assert edge.get(host="one.test").text.startswith("one ") and edge.get(host="x.two.test").text.startswith("two ")
    pids = {i["pid"] for i in edge.status("two")["instances"]}
    out, _ = edge.run("edge", "apply", file)
    assert out.strip() == "0 changed, 3 as the file says"
    out, _ = edge.run("edge", "apply", write(tmp_path, one="uno"))
    assert "change one: run\n" in out and "1 changed, 2 as" in out
    assert edge.get(host="one.test").text.startswith("uno ")
    assert {i["pid"] for i in edge.status("two")["instances"]} == pids


def test_apps_that_are_not_in_the_file(edge, tmp_path):
    edge.deploy("extra", "x", options=("--host", "x.test", "--health", "/up"))
    out, _ = edge.run("edge", "apply", write(tmp_path))
    assert "keep extra" in out and edge.get(host="x.test").status == 200
    out, _ = edge.run("edge", "apply", "--remove", write(tmp_path))
    assert "remove extra" in out and edge.get(host="x.test").status == 404


@pytest.mark.parametrize("text, words", [
    ("apps: [", "line 2"), ("x: 1", "holds \"apps:\""), ("apps:\n  a: 1\n", "a: an app is described"),
    ("apps:\n  a: {to: ':80', wrong: 1}\n", "a: \"wrong\" is nothing"),
    ("apps:\n  one: {to: ':80'}\n  B: {to: ':80'}\n", "B: \"B\" is no name")])
def test_a_file_with_a_mistake_is_refused_whole(edge, tmp_path, text, words):
    file = tmp_path / "edge.yaml"
    file.write_text(text)
    _, err = edge.run("edge", "apply", file, code=2)
    assert words in err and "edge.yaml" in err
    assert edge.status()["apps"] == []


def make_cert(folder, name):
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


class Secure(Strict):
    def __init__(self, address, name):
        super().__init__(address)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
        self.s = context.wrap_socket(self.s, server_hostname=name)
        self.f = self.s.makefile("rb")

    def cert(self):
        return self.s.getpeercert(binary_form=True)


def der(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def test_tls_by_name_and_new_certificates_without_a_lost_connection(make_edge, tmp_path):
    a, b = make_cert(tmp_path, "a.test"), make_cert(tmp_path, "b.test")
    edge = make_edge("--grace", "2", "--listen-tls", "127.0.0.1:0", "--cert", *a, "--cert", *b)
    edge.deploy()
    address = ("127.0.0.1", edge.ports[1])
    with Secure(address, "a.test") as first, Secure(address, "b.test") as second, Secure(address, "c.test") as third:
        assert first.cert() == der(a[0]) and second.cert() == der(b[0]) and third.cert() == der(a[0])
        assert first.s.selected_alpn_protocol() == "http/1.1"
        assert "X-Forwarded-Proto: https\r\n" in first.get("/headers").text
        assert second.get("/big?3000000").body == b"z" * 3000000
        body = b"q" * 500000
        assert second.get("/echo", method="POST", body=body).text.startswith("500000 ")
        old = der(b[0])
        make_cert(tmp_path, "b.test")
        assert der(b[0]) != old
        edge.run("edge", "reload")
        with Secure(address, "b.test") as fresh:
            assert fresh.cert() == der(b[0]) and fresh.get("/hello").text == "hello"
        assert first.get("/hello").text == "hello" and second.get("/hello").text == "hello"
        a[1].write_text("no key")
        _, err = edge.run("edge", "reload", code=78)
        assert "a.test.key" in err
        with Secure(address, "a.test") as fresh:
            assert fresh.get("/hello").text == "hello"
    with Strict(address) as plain:
        plain.request("/")
        assert plain.closed()


def test_hangup_reopens_the_access_log(make_edge, tmp_path):
    log = tmp_path / "access.log"
    edge = make_edge("--access-log", log, "--grace", "2")
    edge.deploy()
    with edge.client() as c:
        c.get("/hello")
        edge.wait(lambda: log.read_text().count("\n") == 1, "no line")
        log.rename(tmp_path / "access.log.1")
        edge.process.send_signal(signal.SIGHUP)
        edge.wait(lambda: log.exists() and "read again" in edge.log(), "not reopened")
        c.get("/hello")
        edge.wait(lambda: log.read_text().count("\n") == 1, "no line in the new one")
    assert json.loads((tmp_path / "access.log.1").read_text())["status"] == 200
