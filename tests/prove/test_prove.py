# SPDX-License-Identifier: Apache-2.0
"""A judge is tested with servers that lie: each kind of fault must be seen, named and counted, and nothing else."""
import re

import pytest

import limits
import serving

FAULTS = ["lost", "truncated", "wrong", "reordered", "refused", "doubled", "unseen"]


def kind_of(report, kind="keepalive"):
    return next(k for k in report["kinds"] if k["kind"] == kind)


def body(text):
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text)


def test_all_kinds_are_clean_against_the_backend(app, prove, tmp_path):
    backend = app("--ledger", tmp_path / "ledger")
    status, report, errors = prove("--app", backend.url, "--seconds", "2", "--slow-ms", "800", "-k", "keepalive:20", "-k", "new:3",
                                   "-k", "pipeline:3", "-k", "upload:3", "-k", "download:3", "-k", "websocket:5")
    assert status == 0 and report["clean"] and report["counted_on_both_sides"], (report, errors)
    for kind in report["kinds"]:
        assert kind["requests"] > 0 and kind["ok"] == kind["requests"], kind
        assert not any(kind[fault] for fault in FAULTS), kind
    assert kind_of(report)["connections_opened"] == 20
    assert kind_of(report, "websocket")["connections_opened"] == 5
    assert kind_of(report, "new")["connections_opened"] == kind_of(report, "new")["requests"]


def test_post_and_back_to_back(app, prove):
    backend = app()
    status, report, _ = prove("--app", "--post", "--interval", "0", "--seconds", "1", "-k", "keepalive:4", "--size", "70000",
                              backend.url)
    assert status == 0 and report["clean"], report


def test_unix_socket(app, prove, tmp_path):
    app("--socket", tmp_path / "s")
    status, report, _ = prove("--app", "--uds", tmp_path / "s", "http://anything/", "--seconds", "1", "-k", "keepalive:3")
    assert status == 0 and report["clean"], report


def test_a_restarted_backend_loses_requests_and_the_ledger_survives(app, prove, tmp_path):
    """The backend is killed and started again by the change: the client sees it, and both books still agree."""
    backend = app("--ledger", tmp_path / "ledger")
    port, script = backend.port, tmp_path / "again"
    script.write_text(f"kill -9 {backend.process.pid}\n"
                      f"{serving.PROGRAM} prove app --port {port} --ledger {tmp_path}/ledger >{tmp_path}/out 2>&1 &\n"
                      f"echo $! > {tmp_path}/pid\n"
                      f"until grep -q answers {tmp_path}/out; do sleep 0.02; done\n")
    status, report, _ = prove("--app", backend.url, "-c", f"sh {script}", "-n", "1", "--before", "500", "--after", "500",
                              "-k", "keepalive:40", "-k", "download:2", "--slow-ms", "300")
    serving.os.kill(int((tmp_path / "pid").read_text()), 15)
    backend.process.wait()
    backend.process.returncode = 0
    assert status == 1 and not report["clean"]
    assert report["changes"] == {**report["changes"], "done": 1, "failed": 0}
    kept, slow = kind_of(report), kind_of(report, "download")
    assert kept["lost"] or kept["connections_closed_idle"], kept
    assert slow["truncated"] or slow["lost"], slow
    assert not any(k[f] for k in report["kinds"] for f in ("doubled", "unseen", "wrong", "reordered")), report


@pytest.mark.parametrize("fault, lie", [
    ("lost", lambda request, n: None if n % 10 == 5 else body(b"same")),
    ("truncated", lambda request, n: b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\nsame" if n % 10 == 5 else
     body(b"same")),
    ("wrong", lambda request, n: body(b"othe" if n % 10 == 5 else b"same")),
    ("wrong", lambda request, n: body(b"same more" if n % 10 == 5 else b"same")),
    ("wrong", lambda request, n: b"junk\r\n\r\n" if n % 10 == 5 else body(b"same")),
    ("refused", lambda request, n: b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n" if n % 10 == 5 else body(b"same")),
], ids=["closes", "cuts", "changes a byte", "adds bytes", "no HTTP", "503"])
def test_each_lie_is_named(liar, prove, fault, lie):
    server = liar(lie)
    timeout = ["--timeout", "2500"] if fault == "truncated" else []
    status, report, _ = prove(server.url, "--seconds", "2", "-k", "keepalive:5", "--interval", "50", *timeout)
    seen = kind_of(report)
    assert status == 1 and not report["clean"] and not report["counted_on_both_sides"]
    assert seen[fault] > 0 and seen["first_fault"].startswith(fault), seen
    assert not any(seen.get(other) for other in FAULTS if other != fault), seen
    assert seen["ok"] + seen[fault] == seen["requests"]


ID = re.compile(rb"[?&]id=(\d+)")


def with_id(number, size):
    return b"HTTP/1.1 200 OK\r\nprove-id: %d\r\ncontent-length: %d\r\n\r\n" % (number, size)


def ledger_of(ids):
    return b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % (8 * len(ids)) + b"".join(
        i.to_bytes(8, "little") for i in ids)


@pytest.mark.parametrize("fault, copies, other", [("doubled", 2, 0), ("unseen", 0, 0), ("reordered", 1, 1)])
def test_what_only_both_books_tell(liar, prove, fault, copies, other):
    """A backend that executes twice, or never, or answers somebody else; --size 0, so that there is no body to check."""
    ids = []

    def answer(request, number):
        if b"/ledger" in request:
            return ledger_of(ids)
        mine = int(ID.search(request).group(1))
        ids.extend([mine] * copies)
        return with_id(mine + other, 0)
    server = liar(answer)
    status, report, _ = prove("--app", server.url, "--seconds", "1", "-k", "keepalive:2", "--size", "0")
    seen = kind_of(report)
    assert status == 1 and seen[fault] > 0, seen
    assert not any(seen[f] for f in FAULTS if f != fault), seen


def test_a_changed_upload_is_noticed_by_the_backend(app):
    backend = app()
    connection = serving.http.client.HTTPConnection("127.0.0.1", backend.port, timeout=60)
    connection.request("POST", "/echo?run=7&id=1&size=5", body=b"not the pattern")
    answer = connection.getresponse()
    assert answer.status == 422 and answer.read() == b""
    connection.request("GET", "/ledger?run=7")
    assert connection.getresponse().read() == b"", "what was wrong is not executed"
    connection.request("GET", "/nothing")
    answer = connection.getresponse()
    assert answer.status == 404
    answer.read()
    connection.close()


def test_a_failed_change_is_no_proof(app, prove):
    backend = app()
    status, report, _ = prove("--app", backend.url, "-c", "exit 3", "-c", "true", "-n", "1", "--every", "100", "--before", "200",
                              "--after", "200", "-k", "keepalive:2")
    assert status == 1 and not report["clean"] and report["changes"]["failed"] == 1 and report["changes"]["done"] == 2


def test_a_stall_is_paid_by_all_who_would_have_asked(app, prove):
    """A backend stopped for a second: requests that were due in it count their waiting, not only the one under way."""
    backend = app()
    status, report, _ = prove("--app", backend.url, "-c", f"kill -STOP {backend.process.pid}; sleep 1; kill -CONT "
                              f"{backend.process.pid}", "-n", "1", "--before", "500", "--after", "500", "-k", "keepalive:4",
                              "--interval", "20", "--stale", "0")
    seen = kind_of(report)
    assert status == 0, report
    assert seen["latency_ms"]["max"] > 900
    assert seen["latency_ms"]["p90"] > 300, "about half of all requests were due while nothing answered"


def test_a_websocket_whose_upgrade_takes_long_still_says_its_first_message(app, prove):
    """Its moment comes while the upgrade is under way: it is sent when that is done."""
    backend = app()
    status, report, _ = prove("--app", backend.url, "-c", f"kill -STOP {backend.process.pid}; sleep 0.4; kill -CONT "
                              f"{backend.process.pid}", "-n", "1", "--before", "0", "--after", "300", "-k", "websocket:20",
                              "--timeout", "4000")
    seen = kind_of(report, "websocket")
    assert status == 0 and report["clean"], seen
    assert seen["latency_ms"]["max"] > 200 and seen["connections_opened"] == 20


def test_an_answer_that_is_late_is_lost(app, prove):
    backend = app()
    status, report, _ = prove("--app", backend.url, "-c", f"kill -STOP {backend.process.pid}; sleep 0.6; kill -CONT "
                              f"{backend.process.pid}", "-n", "1", "--before", "300", "--after", "300", "-k", "keepalive:4",
                              "--timeout", "200")
    seen = kind_of(report)
    assert status == 1 and seen["lost"] > 0 and "in time" in seen["first_fault"], seen
    assert seen["latency_ms"]["max"] < 400


def test_bytes_are_those_declared(liar, prove):
    server = liar(lambda request, n: body(b"same"))
    right = "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5"
    status, report, _ = prove(server.url, "--seconds", "1", "--sha256", right, "-k", "keepalive:1")
    assert status == 0 and report["clean"]
    status, report, errors = prove(server.url, "--seconds", "1", "--sha256", "00", "-k", "keepalive:1")
    assert status == 2 and report is None and right in errors


def test_report_as_text_and_page(app, tmp_path):
    backend = app()
    page = tmp_path / "report.html"
    status, out, _ = serving.run("prove", "--app", backend.url, "--seconds", "1", "-k", "keepalive:2", "--html", page, "--title",
                                 "a <b> & c")
    assert status == 0 and "clean" in out and "keepalive" in out
    html = page.read_text()
    assert "<svg" in html and "a &lt;b&gt; &amp; c" in html and "<script" not in html and "Clean:" in html


@pytest.mark.parametrize("arguments, words", [
    ([], "URL is missing"),
    (["ftp://x/"], "http://"),
    (["http://127.0.0.1:99999/"], "no valid host and port"),
    (["http://x/", "http://y/"], "one URL"),
    (["http://x/", "-k", "carrier-pigeon"], "no kind of connection"),
    (["http://x/", "-n", "-1"], "--times must be"),
    (["http://127.0.0.1:1/", "-k", "upload"], "needs --app"),
    (["http://127.0.0.1:1/", "-k", "keepalive:0"], "connections"),
    (["http://127.0.0.1:1/", "--stale", "90"], "--stale"),
    (["http://127.0.0.1:1/", "-k", f"new:{limits.LIMIT_PROVE_CONNECTIONS + 1}"], f"to {limits.LIMIT_PROVE_CONNECTIONS}"),
    (["http://127.0.0.1:1/", "-k", f"new:{limits.LIMIT_PROVE_CONNECTIONS}", "-k", "keepalive:1"], "connections are possible"),
    (["http://127.0.0.1:1/", "--depth", limits.LIMIT_PROVE_DEPTH + 1], f"to {limits.LIMIT_PROVE_DEPTH}"),
    (["http://127.0.0.1:1/", "-c", "true", "-n", limits.LIMIT_PROVE_CHANGES + 1], f"to {limits.LIMIT_PROVE_CHANGES}"),
    (["http://127.0.0.1:1/", "-c", "true", "-c", "true", "-n", limits.LIMIT_PROVE_CHANGES], "changes are possible"),
    (["http://127.0.0.1:1/"], "first question"),
    (["app", "--port", "x"], "--port must be"),
    (["app", "what"], "options only"),
])
def test_wrong_usage_is_told(arguments, words):
    status, out, errors = serving.run("prove", *arguments)
    assert status != 0 and out == "" and words in errors, errors


def test_help():
    for arguments in (["prove", "--help"], ["prove", "app", "--help"]):
        status, out, errors = serving.run(*arguments)
        assert status == 0 and "Usage" in out and errors == ""


def test_sizes_have_an_end(liar, app, monkeypatch):
    """Bodies that others are compared with (LIMIT_PROVE_BODY), ids of a backend (LIMIT_PROVE_LEDGER)."""
    monkeypatch.setenv("VITRINE_LIMITS", limits.lowered(PROVE_BODY=1000, PROVE_LEDGER=800)["VITRINE_LIMITS"])
    for n, good in (1000, True), (1001, False):
        one = liar(lambda request, number, n=n: body(b"x" * n))
        status, _, errors = serving.run("prove", one.url, "--seconds", "1", "-k", "keepalive:1")
        assert (status == 0) == good, errors
    assert "first question" in errors and "larger than 1000 bytes" in errors
    backend = app()
    status, out, errors = serving.run("prove", "--app", backend.url, "--seconds", "1", "--interval", "0", "-k", "keepalive:4")
    assert status > 1 and "nothing is proved" in errors


def test_the_time_line_gets_coarser(liar, monkeypatch, tmp_path):
    monkeypatch.setenv("VITRINE_LIMITS", limits.lowered(PROVE_TICKS=4)["VITRINE_LIMITS"])  # LIMIT_PROVE_TICKS
    one = liar(lambda request, number: body(b"x"))
    page = tmp_path / "report.html"
    status, _, errors = serving.run("prove", one.url, "--seconds", "2", "-k", "keepalive:2", "--interval", "10", "--stale", "5",
                                    "--html", page)
    assert status == 0, errors
    points = re.findall(r"[ML][0-9.]+ [0-9.]+", page.read_text())
    assert 1 < len(points) <= 4, points
