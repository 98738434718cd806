# SPDX-License-Identifier: Apache-2.0
"""The edge is replaced by a new process of itself: nobody notices, and whatever fails leaves the old one at work."""
import contextlib
import hashlib
import os
import pathlib
import shutil
import signal
import ssl
import threading

import pytest

import serving
from edge_rig import Strict, alive
from test_config import make_cert
from test_deploy import Loads


def upgrade(edge, *options):
    before = edge.pid
    out, _ = edge.run("edge", "upgrade", *options)
    assert edge.pid != before
    return before, out


def test_connections_requests_and_apps_go_on(make_edge):
    edge = make_edge("--grace", "5", "--loops", "2")
    edge.deploy()
    app = edge.status("web")["instances"][0]["pid"]
    edge.run("deploy", "far", "--host", "far.test", "--to", edge.status("web")["instances"][0]["address"])
    with Loads(edge.address, count=6) as loads, edge.client() as idle, edge.client() as half, edge.client() as ws, \
            edge.client() as silent, edge.client() as far:
        far.request("/ws", headers=["Connection: Upgrade", "Upgrade: websocket"], host="far.test")
        assert far.head()[0] == 101 and far.exactly(6) == b"hello "
        assert idle.get("/hello").text == "hello"
        half.send("GET /hello HTTP/1.1\r\nHo")
        ws.request("/ws", headers=["Connection: Upgrade", "Upgrade: websocket"])
        assert ws.head()[0] == 101 and ws.exactly(6) == b"hello "
        for _ in range(5):
            before, _ = upgrade(edge)
            assert not alive(before), "the command returns when the old process has ended"
            ws.send("still here")
            assert ws.exactly(10) == b"STILL HERE"
            far.send("still here")  # of an app that the edge did not start
            assert far.exactly(10) == b"STILL HERE"
            assert idle.get("/hello").text == "hello"
        half.send("st: a\r\n\r\n")
        assert half.answer().text == "hello"
        assert silent.get("/hello").text == "hello", "connected before all that, and asks only now"
    assert loads.faults() == [] and all(load.connections == 1 for load in loads.loads)
    assert edge.status("web")["instances"][0]["pid"] == app
    assert edge.process.poll() is None, "the number that people know stays"


def test_requests_that_wait_keep_their_order(make_edge):
    edge = make_edge("--grace", "5", "--loops", "1")
    edge.deploy(options=("--health", "/up", "--hold-rate", "20"))
    edge.run("pause", "web")
    clients = [edge.client() for _ in range(20)]
    for n, c in enumerate(clients):
        c.request(f"/echo?id={n}", method="POST", body=b"%d" % n * 1000)
        edge.wait(lambda n=n: edge.status("web")["waiting"] == n + 1, "not held")
    gone = clients.pop(7)
    gone.close()
    edge.wait(lambda: edge.status("web")["waiting"] == 19, "one that left still waits")
    upgrade(edge)
    edge.wait(lambda: edge.status("web")["waiting"] == 19, "not all went over")
    edge.process.send_signal(signal.SIGUSR2)
    edge.wait(lambda: edge.log().count("took over") == 2, "no second upgrade")
    edge.wait(lambda: edge.status("web")["waiting"] == 19, "not all went over again")
    edge.run("resume", "web")
    for c in clients:
        assert c.answer().status == 200
        c.close()
    order = [line.split()[0] for line in edge.get("/counts").text.splitlines()]
    assert order == [str(n) for n in range(20) if n != 7]


def test_an_upload_ends_with_the_old_process_and_no_deploy_cuts_it(edge):
    edge.deploy(tag="v1")
    with edge.client() as c:
        c.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + "x" * 100000)
        edge.wait(lambda: edge.status("web")["instances"][0]["requests_in_hand"] == 1, "not begun")
        before, _ = upgrade(edge, "--no-wait")
        assert alive(before)
        deploy = threading.Thread(target=lambda: edge.deploy(tag="v2"))
        deploy.start()
        edge.wait(lambda: edge.get().text.startswith("v2 "), "the new version does not serve")
        c.send("x" * 100000)
        assert c.answer().text == "200000 " + hashlib.sha256(b"x" * 200000).hexdigest()
        deploy.join()
        edge.wait(lambda: not alive(before), "the old process stays")
        assert c.get().text.startswith("v2 "), "after its upload the connection went over"


def test_a_cap_ends_what_does_not_end(make_edge):
    edge = make_edge("--upgrade-grace", "1")
    edge.deploy()
    with edge.client() as c:
        c.request("/never")
        edge.wait(lambda: edge.status("web")["instances"][0]["requests_in_hand"] == 1, "not begun")
        before, _ = upgrade(edge)
        assert not alive(before) and c.closed()


def test_a_new_process_that_cannot_start_changes_nothing(make_edge, tmp_path):
    cert, key = make_cert(tmp_path, "a.test")
    edge = make_edge("--listen-tls", "127.0.0.1:0", "--cert", cert, key)
    edge.deploy()
    before, app = edge.pid, edge.status("web")["instances"][0]["pid"]
    with edge.client() as c:
        assert c.get("/hello").status == 200
        whole = key.read_text()
        key.write_text("no key")
        _, err = edge.run("edge", "upgrade", code=6)
        assert "a.test.key" in err and "goes on" in err
        assert edge.pid == before and c.get("/hello").status == 200
        assert edge.status("web")["instances"][0]["pid"] == app
        edge.deploy(tag="v2")
        key.write_text(whole)
        upgrade(edge)
        assert c.get().text.startswith("v2 ")


def test_apps_are_the_new_process_s(edge):
    edge.deploy(tag="v1")
    upgrade(edge)
    app = edge.status("web")["instances"][0]["pid"]
    os.kill(app, signal.SIGKILL)
    edge.wait(lambda: edge.get().text.split()[1] != str(app), "not replaced")
    edge.wait(lambda: not os.path.exists(f"/proc/{app}"), "nobody waits for it")
    upgrade(edge)
    edge.deploy(tag="v2")
    edge.run("rollback", "web")
    assert edge.get().text.startswith("v1 ")
    edge.run("remove", "web")
    upgrade(edge)
    assert edge.status()["apps"] == []


class Resuming(Strict):
    def __init__(self, address, context, session=None):
        super().__init__(address)
        self.s = context.wrap_socket(self.s, server_hostname="a.test", session=session)
        self.f = self.s.makefile("rb")


def test_tls_ends_with_an_answer_and_sessions_are_resumed(make_edge, tmp_path):
    cert, key = make_cert(tmp_path, "a.test")
    edge = make_edge("--listen-tls", "127.0.0.1:0", "--cert", cert, key)
    edge.deploy()
    address = ("127.0.0.1", edge.ports[1])
    context = ssl.create_default_context(cafile=cert)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with Resuming(address, context) as c:
        assert c.get("/hello").header("connection") is None
        session = c.s.session
        before, _ = upgrade(edge, "--no-wait")
        got = c.get("/hello")
        assert got.text == "hello" and got.header("connection") == "close" and c.closed()
    edge.wait(lambda: not alive(before), "the old process stays")
    with Resuming(address, context, session) as c:
        assert c.s.session_reused and c.get("/hello").text == "hello"
    edge.run("edge", "reload")
    with Resuming(address, context, session) as c:
        assert c.s.session_reused and c.get("/hello").text == "hello"


def test_changes_during_an_upgrade_wait_for_it(edge):
    edge.deploy(tag="v1")
    faults = []

    def deploys():
        for n in range(4):
            try:
                edge.deploy(tag=f"d{n}")
            except AssertionError as fault:
                faults.append(str(fault))
    changes = threading.Thread(target=deploys)
    with Loads(edge.address) as loads:
        changes.start()
        while changes.is_alive():
            edge.run("edge", "upgrade", "--no-wait")
        changes.join()
    assert not faults and loads.faults() == []
    assert edge.get().text.startswith("d3 ")
    assert edge.log().count("took over") >= 2


@pytest.mark.parametrize("kind", ["unix", "systemd"])
def test_listening_elsewhere(make_edge, tmp_path, kind, monkeypatch):
    if kind == "unix":
        edge = make_edge(listen=(f"unix:{tmp_path}/e.sock",))
        edge.deploy()
        with Strict(f"{tmp_path}/e.sock") as c:
            assert c.get("/hello").text == "hello"
            upgrade(edge)
            assert c.get("/hello").text == "hello"
        with Strict(f"{tmp_path}/e.sock") as c:
            assert c.get("/hello").text == "hello"
        return
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    edge = make_edge(listen=(), activated=True)
    edge.deploy()
    for _ in range(2):
        with edge.client() as c:
            assert c.get("/hello").text == "hello"
        upgrade(edge)
    beats = edge.told().count("WATCHDOG=1")
    edge.wait(lambda: edge.told().count("WATCHDOG=1") > beats + 1, "the new process does not say that it turns")
    told = edge.told()
    assert "READY=1" in told and "RELOADING=1" in told and "FDSTORE=1" in told and "MAINPID" not in told


def own_program(tmp_path, monkeypatch):
    program = tmp_path / "vitrine"
    shutil.copy(serving.PROGRAM, program)
    monkeypatch.setattr(serving, "PROGRAM", str(program))
    return program


def replace(program):
    other = program.with_name("new")
    shutil.copy(program, other)
    other.rename(program)


def sockets(pid):
    found = set()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(link))
    return {name for name in found if name.startswith("socket:")}


def test_the_supervisor_becomes_the_new_program(tmp_path, make_edge, monkeypatch):
    program = own_program(tmp_path, monkeypatch)
    edge = make_edge()
    edge.deploy()
    kept = sockets(edge.process.pid) & sockets(edge.pid)
    assert kept
    replace(program)
    with edge.client() as c:
        assert c.get("/hello").text == "hello"
        upgrade(edge)
        edge.wait(lambda: os.readlink(f"/proc/{edge.process.pid}/exe") == str(program), "the supervisor is the old one")
        assert os.readlink(f"/proc/{edge.pid}/exe") == str(program)
        edge.wait(lambda: kept <= sockets(edge.process.pid), "it has not asked what it is to keep")
        os.kill(edge.pid, signal.SIGKILL)
    edge.wait(lambda: edge.try_get() == "hello", "not started again by the new supervisor")


@pytest.mark.skipif(b"supervisor.join" not in serving.PROGRAM.read_bytes(), reason="built without fault points")
def test_the_new_program_of_the_supervisor_has_the_sockets_from_the_beginning(tmp_path, make_edge, monkeypatch):
    """The edge dies before the supervisor, which has just become the new program, could ask it anything: who connects
    meanwhile waits in the queue of the same socket."""
    program = own_program(tmp_path, monkeypatch)
    monkeypatch.setenv("VITRINE_FAULT", "supervisor.join:1:sleep:3000")
    edge = make_edge()
    edge.deploy()
    replace(program)
    edge.run("edge", "upgrade", "--no-wait")
    edge.wait(lambda: os.readlink(f"/proc/{edge.process.pid}/exe") == str(program), "the supervisor is the old one")
    pid = edge.pid
    listening = sockets(pid)
    os.kill(pid, signal.SIGKILL)
    edge.wait(lambda: not alive(pid), "it lives")
    with Strict(edge.address) as c:  # refused if nobody had the socket
        edge.wait(lambda: listening & sockets(edge.process.pid), "it has none of them")
        c.request("/hello")
        assert c.answer().text == "hello"
    assert edge.pid != pid and edge.process.poll() is None


@pytest.mark.skipif(b"supervisor.join" not in serving.PROGRAM.read_bytes(), reason="built without fault points")
@pytest.mark.parametrize("moment", ["edge.keep:1", "heir.alone:1", "supervisor.join:1"])
def test_told_to_end_in_the_middle_of_an_upgrade(tmp_path, make_edge, monkeypatch, moment):
    """When the old process has given everything away and the new one is not yet known; before the supervisor becomes the
    new program; and before that program knows which process serves. The word comes to whoever serves in the end."""
    program = own_program(tmp_path, monkeypatch)
    monkeypatch.setenv("VITRINE_FAULT", f"{moment}:sleep:2000")
    edge = make_edge("--grace", "2")
    edge.deploy()
    app = edge.status("web")["instances"][0]["pid"]
    replace(program)
    said = {"edge.keep:1": "takes over", "heir.alone:1": "takes over", "supervisor.join:1": "becomes the new program"}
    edge.run("edge", "upgrade", "--no-wait")
    edge.wait(lambda: said[moment] in edge.log(), "no upgrade")
    edge.process.send_signal(signal.SIGTERM)
    edge.process.wait(60)
    assert edge.process.returncode == 0, edge.log()
    edge.wait_for(lambda: not alive(app), "the app is left over")
