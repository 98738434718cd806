# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the edge, its supervisor and its apps, at any moment and at every named point: the service is back on the
same socket, the state file is whole, and no process is left over."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest

import serving
from edge_rig import APP, Edge, Strict, alive
from serving import run


class Tough(Edge):
    """An edge of which any process may be killed; whoever is left is stopped by the command."""

    def stop(self):
        pids = {self.process.pid, self.pid}
        code, _, err = run("edge", "stop", "--state", self.state)
        assert code == 0, err + self.log()
        self.wait_for(lambda: not any(alive(pid) for pid in pids), "it does not end")
        if self.process.poll() is None:
            self.process.wait(120)
        self.process.stdout.close()


@pytest.fixture
def tough(tmp_path, monkeypatch):
    made = []

    def make(fault=None, *options):
        if fault:
            monkeypatch.setenv("VITRINE_FAULT", fault)
        made.append(Tough(tmp_path, "--grace", "2", *options))
        monkeypatch.delenv("VITRINE_FAULT", raising=False)
        return made[-1]
    yield make
    for edge in made:
        edge.stop()


def fine(edge, tag):
    """It serves that version, by one process, and says so in a whole state file."""
    edge.wait_for(lambda: (edge.try_get("/") or "").startswith(tag + " "), f"{tag} does not serve")
    app = edge.status("web")
    assert [i["state"] for i in app["instances"]] == ["ready"], app
    state = json.loads((edge.state / "state.json").read_text())
    assert [a["name"] for a in state["apps"]] == ["web"]
    pid = app["instances"][0]["pid"]
    edge.wait_for(lambda: apps_of(edge) == {pid}, f"other processes than {pid} are left: {apps_of(edge)}")


def apps_of(edge):
    """Processes of test apps that listen where this edge's apps do."""
    log = edge.state / "logs" / "web.log"
    ports = set(re.findall(r"listens on (\d+)", log.read_text())) if log.exists() else set()
    found = set()
    for line in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(APP).encode() in words and words[words.index(str(APP).encode()) + 1].decode() in ports:
            found.add(int(line.parent.name))
    return {pid for pid in found if alive(pid)}


def test_the_edge_dies(tough):
    edge = tough()
    edge.deploy(tag="v1")
    app = edge.status("web")["instances"][0]["pid"]
    edge.run("pause", "web")
    for _ in range(4):
        pid = edge.pid
        os.kill(pid, signal.SIGKILL)
        with Strict(edge.address) as c:  # waits in the queue of the socket until the next one is there
            c.request("/")
            edge.wait_for(lambda pid=pid: edge.try_pid() not in (None, pid), "not started again")
            edge.wait_for(lambda: edge.status("web")["waiting"] == 1, "not held")
            edge.run("resume", "web")
            assert c.answer().text == f"v1 {app}"
        edge.run("pause", "web")
    edge.run("resume", "web")
    assert edge.process.poll() is None
    fine(edge, "v1")


def test_the_supervisor_dies(tough):
    edge = tough()
    edge.deploy(tag="v1")
    with edge.client() as c:
        assert c.get("/hello").text == "hello"
        edge.process.kill()
        edge.process.wait()
        edge.wait_for(lambda: "another one is started" in edge.log(), "nobody noticed")
        assert c.get("/hello").text == "hello"
    edge.run("edge", "upgrade")
    pid = edge.pid
    edge.wait_for(lambda: edge.supervisors() and os.kill(pid, signal.SIGKILL) is None, "no supervisor")
    edge.wait_for(lambda: edge.try_pid() not in (None, pid), "the new supervisor starts no edge")
    fine(edge, "v1")


def test_the_app_dies_while_nobody_looks(tough):
    edge = tough()
    edge.deploy(tag="v1")
    pid, app = edge.pid, edge.status("web")["instances"][0]["pid"]
    os.kill(edge.process.pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    os.kill(app, signal.SIGKILL)
    os.kill(edge.process.pid, signal.SIGCONT)
    fine(edge, "v1")


def test_an_edge_that_never_started_is_not_started_again(tmp_path):
    done = subprocess.run([serving.PROGRAM, "edge", "--listen", "127.0.0.1:0", "--state", tmp_path / "s", "--listen-tls",
                           "127.0.0.1:0", "--cert", "none.pem", "none.key"], capture_output=True, timeout=60)
    assert done.returncode != 0 and b"none.pem" in done.stderr and b"started again" not in done.stderr


# ---- at each named point ----

def is_compiled_in():
    return b"edge.deploy.switched" in pathlib.Path(serving.PROGRAM).read_bytes()


def change(edge, *arguments):
    """A command that may find nobody to do it."""
    return run(*arguments, "--state", edge.state, timeout=60)[0] == 0


def deploy(edge, tag, *mode):
    command = " ".join(["/usr/bin/python3", str(APP), "{port}", tag, *mode])
    return change(edge, "deploy", "web", "--run", command, "--health", "/up", "--timeout", "2")


# What makes the process come by, on top of a deploy of v1. Those of sleep are in test_sleep.py; at edge.stop the service is
# told to end, at supervisor.start there is none.
POINTS = {
    "edge.save:1": None, "edge.save:2": None, "edge.saved:2": None, "edge.save:3": None, "edge.saved:3": None,
    "edge.deploy.started:1": None, "edge.deploy.switch:1": None, "edge.deploy.switched:1": None,
    "edge.deploy.done:1": None, "edge.keep:1": None,
    "supervisor.keep:2": lambda e: change(e, "edge", "reload"),
    "edge.deploy.failed:1": lambda e: deploy(e, "bad", "dies"), "edge.pause:1": lambda e: change(e, "pause", "web"),
    "edge.leave:1": lambda e: change(e, "edge", "upgrade"), "heir.found:1": lambda e: change(e, "edge", "upgrade"),
    "heir.restored:1": lambda e: change(e, "edge", "upgrade"), "heir.adopt:1": lambda e: change(e, "edge", "upgrade"),
    "heir.alone:1": lambda e: change(e, "edge", "upgrade"), "takeover.switch:1": lambda e: change(e, "edge", "upgrade"),
    "takeover.give:1": lambda e: change(e, "edge", "upgrade"), "takeover.leave:1": lambda e: change(e, "edge", "upgrade"),
    "takeover.hello:1": lambda e: change(e, "edge", "upgrade"), "takeover.ready:1": lambda e: change(e, "edge", "upgrade"),
    "takeover.adopt:1": lambda e: change(e, "edge", "upgrade"), "takeover.start:1": lambda e: change(e, "edge", "upgrade"),
    "takeover.sockets:1": lambda e: change(e, "edge", "upgrade"),
    "takeover.warm:1": lambda e: change(e, "edge", "upgrade"),
    "edge.remove:1": lambda e: change(e, "deploy", "two", "--host", "two.test", "--redirect", "https://a.test") and
    change(e, "remove", "two"),
}


@pytest.mark.skipif(not is_compiled_in(), reason="built without fault points")
@pytest.mark.parametrize("point", POINTS)
def test_points(tough, point):
    edge = tough(f"{point}:kill")
    for _ in range(3):  # the command fails with the edge that it spoke to; asked again, it is done
        if deploy(edge, "v1"):
            break
    stop, answers = threading.Event(), []

    def asks():
        while not stop.is_set():
            answers.append(edge.try_get("/hello"))
    asking = threading.Thread(target=asks)
    with edge.client():
        asking.start()
        if POINTS[point]:
            POINTS[point](edge)
        edge.wait_for(lambda: change(edge, "resume", "web"), "no command is taken")
        fine(edge, "v1")
    stop.set()
    asking.join()
    assert "hello" in answers
    assert deploy(edge, "v2"), edge.log()
    fine(edge, "v2")
    killed = re.search(r"is gone|is started again|killed by|failed|before it had handed over", edge.log())
    assert killed or point.startswith("heir.alone"), edge.log()
