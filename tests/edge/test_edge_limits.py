# SPDX-License-Identifier: Apache-2.0
"""The walls of the edge: what happens at each is what src/base/limits.h says."""
import http.server
import json
import subprocess
import threading

import pytest

import limits
import serving
from test_h2 import H2, text


@pytest.fixture
def small(make_edge, monkeypatch):
    """small(EDGE_APPS=1, ...) starts an edge with these limits."""
    def start(*options, **names):
        for name, value in limits.lowered(**names).items():
            monkeypatch.setenv(name, value)
        return make_edge("--grace", "2", *options)
    return start


def test_bytes_that_are_held(small):
    edge = small("--loops", "1", EDGE_HOLD_BYTES=6000)  # LIMIT_EDGE_HOLD_BYTES
    edge.deploy(options=("--hold", "600"))
    edge.run("pause", "web")
    with edge.client() as one, edge.client() as two:
        one.request("/", headers=["X: " + "y" * 4000])
        edge.wait(lambda: edge.status("web")["waiting"] == 1, "not held")
        two.request("/", headers=["X: " + "y" * 4000])
        got = two.answer()
        assert got.status == 503 and "Too many" in got.text and got.header("retry-after")
        edge.run("resume", "web")
        assert one.answer().status == 200


def test_bodies_of_http2_that_are_held(small):
    """They come into memory while their request waits, so they count; what is let go gives its room back."""
    edge = small("--loops", "1", EDGE_HOLD_BYTES=24000)  # of which one app has a quarter
    edge.deploy(options=("--hold", "600"))
    edge.run("pause", "web")
    with H2(edge.address) as one, H2(edge.address) as two:
        first = one.request("/echo", method="POST", body=b"x" * 3000, end=False)
        one.arrived()
        edge.wait(lambda: edge.status("web")["waiting"] == 1, "not held")
        second = two.request("/echo", method="POST", body=b"y" * 2000, end=False)
        two.arrived()
        edge.wait(lambda: edge.status("web")["waiting"] == 2, "not held")
        two.send(second, b"y" * 2000, end=False)  # the drop too much
        refused = two.wait(second)
        assert refused["status"] == 503 and "Too many" in text(refused)
        third = two.request("/echo", method="POST", body=b"z" * 2000)
        edge.wait(lambda: edge.status("web")["waiting"] == 2, "not held")
        one.send(first, b"x" * 10)
        edge.run("resume", "web")
        assert text(one.wait(first)).startswith("3010 ")
        assert text(two.wait(third)).startswith("2000 ")
        edge.run("pause", "web")
        again = two.request("/echo", method="POST", body=b"v" * 5000)
        edge.wait(lambda: edge.status("web")["waiting"] == 1, "not held: what was let go is still counted")
        edge.run("resume", "web")
        assert text(two.wait(again)).startswith("5000 ")


def test_apps_jobs_and_lines(small, tmp_path):
    edge = small(EDGE_APPS=1, EDGE_JOB_LINES=2, EDGE_JOBS=1)  # LIMIT_EDGE_APPS, LIMIT_EDGE_JOB_LINES, LIMIT_EDGE_JOBS
    out, err = edge.deploy("one")
    said = [line for line in (out + err).splitlines() if line.strip()]
    _, err = edge.run("deploy", "two", "--run", "x {port}", code=7)
    assert "1 apps already" in err and "remove" in err
    file = tmp_path / "apps.yaml"
    file.write_text("apps:\n" + "".join(f"  {name}:\n    run: x {{port}}\n" for name in ("one", "two")))
    _, err = edge.run("edge", "apply", file, code=7)
    assert "more than 1 apps" in err
    # all that a deploy says is in the log; who follows it is shown the first lines
    assert edge.log().count("deploy one: ") > 2
    assert 0 < len(said) <= 4
    for _ in range(2):
        edge.deploy("one")

    def job(number):
        control = serving.UnixConnection(str(edge.state / "control.sock"), 10)
        control.request("GET", f"/jobs/{number}")
        answer = control.getresponse()
        text = answer.read()
        control.close()
        return answer.status, json.loads(text)
    assert job(3)[0] == 200 and len(job(3)[1]["lines"]) == 2
    assert job(1)[0] == 404


def test_versions_that_are_kept(edge):
    for n in range(limits.LIMIT_EDGE_VERSIONS + 3):
        edge.deploy(tag=f"v{n}")
    kept = [v["number"] for v in edge.status("web")["versions"]]
    assert kept == list(range(limits.LIMIT_EDGE_VERSIONS + 3, 2, -1))[:len(kept)]
    assert len(kept) == limits.LIMIT_EDGE_VERSIONS + 1  # the one that serves, and those to go back to


def test_what_is_asked_for_and_kept(small):
    edge = small(EDGE_CONTROL=9000, EDGE_STATE=5000)
    edge.deploy()
    _, err = edge.deploy("two", options=("--env", "X=" + "y" * 9000), code=7)  # LIMIT_EDGE_CONTROL
    assert "longer than 9000 bytes" in err and "file" in err
    edge.deploy("three", options=("--env", "X=" + "y" * 6000, "--host", "three.test"))
    assert "the state is larger than 5000 bytes" in edge.log()  # LIMIT_EDGE_STATE: it serves, and says so
    assert edge.get(host="three.test").status == 200
    edge.stop()
    file = edge.state / "state.json"
    whole = file.read_text()
    file.write_text(whole.ljust(5001))
    done = subprocess.run([str(edge.process.args[0]), "edge", "--listen", "127.0.0.1:0", "--state", str(edge.state)],
                          capture_output=True, timeout=60, text=True)
    assert done.returncode == 78 and "state.json" in done.stderr and "5000" in done.stderr
    file.write_text(whole)
    edge.start()


def test_tries(edge):
    """Instances that hang up instead of answering: so many are asked, then the client is told."""
    asked = []

    class Instance(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.path == "/up":
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                asked.append(self.path)
                self.close_connection = True

        def log_message(self, *_):
            pass

    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Instance) for _ in range(limits.LIMIT_EDGE_TRIES + 2)]
    for one in servers:
        threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True).start()
    edge.run("deploy", "web", "--health", "/up", *(part for one in servers for part in ("--to", f"127.0.0.1:{one.server_port}")))
    assert edge.get("/x").status == 502
    assert asked == ["/x"] * limits.LIMIT_EDGE_TRIES
    for one in servers:
        one.shutdown()
        one.server_close()


def test_heads_of_answers(edge):
    edge.deploy()
    for n, status in (limits.LIMIT_EDGE_BLOCK - 500, 200), (limits.LIMIT_EDGE_BLOCK, 502):
        assert edge.get(f"/head?{n}").status == status


def test_files_of_certificates(make_edge, tmp_path):
    """A long one serves, a longer one is refused: LIMIT_TLS_FILE."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key.pem", "-out",
                    tmp_path / "cert.pem", "-days", "2", "-subj", "/CN=a.test"], check=True, capture_output=True)
    whole = (tmp_path / "cert.pem").read_text()
    (tmp_path / "cert.pem").write_text(whole.ljust(limits.LIMIT_TLS_FILE, "\n"))
    make_edge("--listen-tls", "127.0.0.1:0", "--cert", tmp_path / "cert.pem", tmp_path / "key.pem").stop()
    (tmp_path / "cert.pem").write_text(whole.ljust(limits.LIMIT_TLS_FILE + 1, "\n"))
    status, _, err = serving.run("edge", "--listen-tls", "127.0.0.1:0", "--cert", tmp_path / "cert.pem", tmp_path / "key.pem",
                                 "--state", tmp_path / "other")
    assert status not in (0, 1) and "cert.pem" in err and str(limits.LIMIT_TLS_FILE) in err, (status, err)
