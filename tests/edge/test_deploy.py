# SPDX-License-Identifier: Apache-2.0
"""Changes under load: nothing is lost, doubled or mixed up; what fails leaves the old as it was."""
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

import serving
from edge_rig import APP, Strict


class Load(threading.Thread):
    """Requests one after another on one kept connection; anything but a whole answer to each is a fault."""

    def __init__(self, address, number, pipelined=1, method="POST"):
        super().__init__(daemon=True)
        self.address, self.number, self.pipelined, self.method = address, number, pipelined, method
        self.ended = threading.Event()
        self.sent, self.answered, self.faults, self.tags, self.connections = 0, 0, [], set(), 0

    def run(self):
        while not self.ended.is_set():
            try:
                self.connections += 1
                with Strict(self.address) as c:
                    self.use(c)
            except (OSError, EOFError, AssertionError) as fault:
                self.faults.append(repr(fault))

    def use(self, c):
        while not self.ended.is_set():
            ids = [f"{self.number}-{self.sent + i}" for i in range(self.pipelined)]
            self.sent += self.pipelined
            body = "" if self.method == "GET" else "Content-Length: 2\r\n"
            c.send("".join(f"{self.method} /?id={i} HTTP/1.1\r\nHost: a\r\n{body}\r\n{'ab' if body else ''}" for i in ids))
            for _ in ids:
                got = c.answer()
                if got.status != 200 or got.header("connection"):
                    self.faults.append(repr(got))
                    return
                self.tags.add(got.text.split()[0])
                self.answered += 1


class Loads:
    def __init__(self, address, count=6, **options):
        self.loads = [Load(address, n, pipelined=1 + 4 * (n % 2), **options) for n in range(count)]

    def __enter__(self):
        for load in self.loads:
            load.start()
        return self

    def __exit__(self, *_):
        for load in self.loads:
            load.ended.set()
        for load in self.loads:
            load.join(120)

    def go_on(self, edge):
        """Waits until all that is asked by now has been answered."""
        before = [load.answered for load in self.loads]
        edge.wait(lambda: self.faults() or all(load.answered - n > load.pipelined
                                               for load, n in zip(self.loads, before, strict=True)), "nothing is answered")

    def faults(self):
        return [fault for load in self.loads for fault in load.faults]

    def tags(self):
        return set().union(*(load.tags for load in self.loads))


def alive(pid):
    """A process whose parent is gone may stay as a zombie where nobody reaps; that is not alive."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_deploys_and_rollbacks_under_load_lose_nothing(edge):
    edge.deploy(tag="v1")
    with Loads(edge.address) as loads:
        for n in range(2, 6):
            edge.deploy(tag=f"v{n}", options=("--health", "/up", "--replicas", str(1 + n % 2)))
        edge.run("rollback", "web")
    assert loads.faults() == []
    assert all(load.connections == 1 for load in loads.loads)  # nobody had to connect again
    assert {"v1", "v2", "v3", "v4", "v5"} >= loads.tags() and len(loads.tags()) >= 3
    assert edge.get().text.startswith("v4 ")
    app = edge.status("web")
    assert [i["version"] for i in app["instances"]] == [app["versions"][0]["number"]]


def test_a_deploy_says_what_it_does_and_returns_when_the_old_one_is_gone(edge, tmp_path):
    edge.deploy(tag="v1")
    old = edge.status("web")["instances"][0]["pid"]
    with edge.client() as c, concurrent.futures.ThreadPoolExecutor(1) as beside:
        c.request(f"/until?{tmp_path}/flag")
        edge.wait(lambda: edge.status("web")["instances"][0]["requests_in_hand"] == 1, "not in hand")
        deploy = beside.submit(edge.deploy, tag="v2")
        edge.wait(lambda: edge.get().text.startswith("v2 "), "not switched")
        assert not deploy.done() and alive(old)
        (tmp_path / "flag").touch()
        assert c.answer().text == "v1 slow"
        _, err = deploy.result()
    assert "version 2 serves" in err and "done" in err
    assert not alive(old)
    assert edge.get().text.startswith("v2 ")


@pytest.mark.parametrize("mode, words", [
    (("unhealthy",), ["was not healthy within 3 s", "GET /up: 503", "the old one goes on", "vitrine logs web"]),
    (("dies",), ["did not stay up", "exited with 3"])])
def test_a_version_that_fails_changes_nothing(edge, mode, words):
    edge.deploy(tag="v1")
    with Loads(edge.address, count=2) as loads:
        seconds = "3" if mode == ("unhealthy",) else "20"
        _, err = edge.deploy(tag="v2", mode=mode, options=("--health", "/up", "--timeout", seconds), code=3)
    for word in words:
        assert word in err, err
    assert loads.faults() == [] and loads.tags() == {"v1"}
    assert len(edge.status("web")["instances"]) == 1
    if mode == ("dies",):
        assert "no database here" in edge.run("logs", "web")[0]


def test_a_first_version_that_fails_leaves_nothing(edge):
    edge.deploy(mode=("unhealthy",), options=("--health", "/up", "--timeout", "0.5"), code=3)
    assert edge.status()["apps"] == []
    assert edge.get().status == 404


class FirstDeploy:
    """A first version that is not well while a flag is there, and somebody who waits for it."""

    def __init__(self, edge, flag):
        self.edge, self.flag, self.code = edge, flag, None
        flag.write_text("")
        command = f"{sys.executable} {APP} {{port}} v1 flapping {flag}"
        self.thread = threading.Thread(target=self.deploy, args=(command,))
        self.thread.start()
        edge.wait(lambda: self.app().get("state") == "starting", "not being started")
        self.client = edge.client(timeout=120)
        self.client.request("/")
        edge.wait(lambda: self.app()["waiting"] == 1, "the request does not wait")

    def deploy(self, command):
        self.code = serving.run("deploy", "web", "--run", command, "--health", "/up", "--timeout", "120", "--hold", "120",
                                "--state", self.edge.state, timeout=180)[0]

    def app(self):
        with Strict(f"{self.edge.state}/control.sock") as control:
            return json.loads(control.get("/apps/web").text)

    def end(self):
        with self.client as c:
            got = c.answer()
        self.thread.join()
        return got


def test_visitors_wait_for_a_first_version(edge, tmp_path):
    first = FirstDeploy(edge, tmp_path / "ill")
    first.flag.unlink()
    got = first.end()
    assert got.status == 200 and got.text.startswith("v1 ") and first.code == 0


def test_visitors_of_a_first_version_that_fails_are_told(edge, tmp_path):
    first = FirstDeploy(edge, tmp_path / "ill")
    os.kill(first.app()["instances"][0]["pid"], signal.SIGKILL)
    assert first.end().status == 404 and first.code == 3
    assert edge.status()["apps"] == []


def test_a_command_that_cannot_run_is_told(edge):
    _, err = edge.run("deploy", "web", "--run", "/nowhere/app {port}", "--timeout", "5", code=3)
    assert "exited with 127" in err


def test_two_deploys_at_once_one_is_refused(edge):
    edge.deploy(tag="v1")
    first = threading.Thread(target=edge.deploy, kwargs={"tag": "v2", "mode": ("late", "1.5")})
    first.start()
    edge.wait(lambda: edge.status("web")["doing"], "not begun")
    _, err = edge.deploy(tag="v3", code=6)
    assert "is under way" in err
    edge.deploy("other", "o", options=("--host", "other.test", "--health", "/up"))  # another app is free
    first.join()
    assert edge.get().text.startswith("v2 ")


def test_an_app_that_ignores_sigterm_is_killed(edge):
    edge.deploy(tag="v1", mode=("deaf",), options=("--health", "/up", "--stop-timeout", "0.3"))
    pid = edge.status("web")["instances"][0]["pid"]
    _, err = edge.deploy(tag="v2")
    assert "is killed" in err and not alive(pid)


def test_what_outlives_the_drain_is_cut(edge):
    edge.deploy(tag="v1", options=("--health", "/up", "--drain", "0.3"))
    with edge.client() as c:
        c.request("/ws", headers=["Connection: Upgrade", "Upgrade: websocket"])
        c.head()
        _, err = edge.deploy(tag="v2")
        assert "1 requests were still in hand" in err
        with pytest.raises((ConnectionError, EOFError)):
            c.exactly(100)


def test_a_tunnel_lives_through_a_deploy_that_has_time(edge):
    edge.deploy(tag="v1")
    with edge.client() as c:
        c.request("/ws", headers=["Connection: Upgrade", "Upgrade: websocket"])
        c.head()
        assert c.exactly(6) == b"hello "
        deploy = threading.Thread(target=edge.deploy, kwargs={"tag": "v2"})
        deploy.start()
        edge.wait(lambda: edge.get().text.startswith("v2 "), "not switched")
        c.send(b"abc")
        assert c.exactly(3) == b"ABC"
        c.close()
        deploy.join()


def test_a_killed_app_comes_back_and_reads_do_not_notice(edge):
    edge.deploy(tag="v1")
    with Loads(edge.address, count=4, method="GET") as loads:
        for _ in range(3):
            before = edge.status("web")["instances"][0]["pid"]
            os.kill(before, signal.SIGKILL)
            edge.wait(lambda: any(i["state"] == "ready" and i["pid"] != before
                                  for i in edge.status("web")["instances"]), "not back")
            loads.go_on(edge)  # a request in whose hand two processes died is given up
    assert loads.faults() == []


def test_a_request_that_kills_apps_is_not_repeated_for_ever(edge):
    edge.deploy(tag="v1")
    got = edge.get("/exit")
    assert got.status == 502
    edge.wait(lambda: edge.get("/hello").status == 200, "not back")


def test_a_write_is_never_sent_twice(edge):
    edge.deploy(tag="v1", options=("--health", "/up", "--replicas", "2"))
    assert edge.get("/exit", method="POST", body=b"x").status == 502
    edge.wait(lambda: len([i for i in edge.status("web")["instances"] if i["state"] == "ready"]) == 2, "not back")


def test_health_that_comes_and_goes(edge, tmp_path):
    flag = tmp_path / "ill"
    edge.deploy(tag="v1", mode=("flapping", flag), options=("--health", "/up", "--replicas", "2"))
    assert {i["state"] for i in edge.status("web")["instances"]} == {"ready"}
    with Loads(edge.address, count=2) as loads:
        flag.write_text("x")
        edge.wait(lambda: {i["state"] for i in edge.status("web")["instances"]} == {"not well"}, "still well")
        flag.unlink()
        edge.wait(lambda: {i["state"] for i in edge.status("web")["instances"]} == {"ready"}, "not well again")
    assert loads.faults() == []


def test_pause_holds_and_resume_lets_go_in_order(edge):
    edge.deploy(tag="v1")
    edge.run("pause", "web")
    clients = [edge.client() for _ in range(20)]
    for n, c in enumerate(clients):
        c.request(f"/echo?id={n}", method="POST", body=b"x")
        edge.wait(lambda: edge.status("web")["waiting"] == n + 1, "not held")
    clients[3].close()  # leaves: its request never reaches the app
    edge.wait(lambda: edge.status("web")["waiting"] == 19, "still held")
    edge.run("resume", "web")
    for n, c in enumerate(clients):
        if n != 3:
            assert c.answer().status == 200
            c.close()
    counts = dict(line.split() for line in edge.get("/counts").text.splitlines())
    assert counts == {str(n): "1" for n in range(20) if n != 3}


def test_pause_of_writes_lets_reads_through(edge):
    edge.deploy(tag="v1")
    edge.run("pause", "web", "--writes-only")
    with edge.client() as writer:
        writer.request("/echo", method="POST", body=b"abc")
        edge.wait(lambda: edge.status("web")["waiting"] == 1, "not held")
        assert edge.get().status == 200
        edge.run("resume", "web")
        assert writer.answer().text.startswith("3 ")


def test_pause_waits_for_what_had_begun(edge, tmp_path):
    edge.deploy(tag="v1")
    with edge.client() as c, concurrent.futures.ThreadPoolExecutor(1) as beside:
        c.request(f"/until?{tmp_path}/flag")
        edge.wait(lambda: edge.status("web")["instances"][0]["requests_in_hand"] == 1, "not in hand")
        pause = beside.submit(edge.run, "pause", "web")
        edge.wait(lambda: edge.status("web")["traffic"] == "paused", "not paused")
        assert not pause.done()
        (tmp_path / "flag").touch()
        pause.result()
        assert edge.status("web")["instances"][0]["requests_in_hand"] == 0
        assert c.answer().text == "v1 slow"


def test_holding_has_bounds(edge):
    edge.deploy(tag="v1", options=("--health", "/up", "--hold", "2", "--hold-max", "2"))
    edge.run("pause", "web")
    with edge.client() as one, edge.client() as two, edge.client() as three:
        for c in (one, two):
            c.request("/")
        edge.wait(lambda: edge.status("web")["waiting"] == 2, "not held")
        three.request("/")
        got = three.answer()
        assert got.status == 503 and "Too many" in got.text and got.header("retry-after")
        assert one.answer().status == 503 and two.answer().status == 503
    app = edge.status("web")
    assert (app["held"], app["held_lost"]) == (3, 3)


def test_held_requests_go_at_a_set_rate(edge):
    edge.deploy(tag="v1", options=("--health", "/up", "--hold-rate", "400"))
    edge.run("pause", "web")
    clients = [edge.client() for _ in range(40)]
    for c in clients:
        c.request("/")
    edge.wait(lambda: edge.status("web")["waiting"] == 40, "not held")
    edge.run("resume", "web")
    for c in clients:
        assert c.answer().status == 200
        c.close()


def test_a_deploy_while_paused_then_resume(edge):
    edge.deploy(tag="v1")
    edge.run("pause", "web")
    with edge.client() as c:
        c.request("/")
        edge.wait(lambda: edge.status("web")["waiting"] == 1, "not held")
        edge.deploy(tag="v2")
        edge.run("resume", "web")
        assert c.answer().text.startswith("v2 ")


def test_stop_says_why_until_resume(edge):
    edge.deploy(tag="v1")
    edge.run("stop", "web", "--message", "Back at <noon>")
    got = edge.get(headers=["Accept: text/html"])
    assert got.status == 503 and "Back at &lt;noon&gt;" in got.text
    edge.run("resume", "web")
    assert edge.get().status == 200


def test_remove_and_the_empty_list(edge):
    edge.deploy(tag="v1")
    edge.run("remove", "web")
    assert edge.get().status == 404
    assert "No apps yet" in edge.run("list")[0]
    assert "there is no app" in edge.run("remove", "web", code=5)[1]


def test_apps_come_back_with_the_edge(edge):
    edge.deploy(tag="v1", options=("--host", "a.test", "--health", "/up", "--env", "X=1"))
    edge.deploy("second", "s", options=("--host", "b.test", "--health", "/up"))
    edge.run("pause", "second")
    edge.stop()
    edge.start()
    edge.wait(lambda: edge.get(host="a.test").status == 200, "not back")
    assert edge.get(host="a.test").text.startswith("v1 ")
    assert edge.status("second")["traffic"] == "paused"


def test_a_killed_edge_finds_its_apps_running(edge):
    edge.deploy(tag="v1")
    pid = edge.get().text.split()[1]
    edge.kill()
    edge.start()
    assert edge.get().text == f"v1 {pid}"
    edge.deploy(tag="v2")
    assert not alive(pid)


def test_an_edge_killed_in_a_deploy_leaves_no_stray(edge):
    edge.deploy(tag="v1")
    deploy = threading.Thread(target=lambda: subprocess.run(
        [str(edge.process.args[0]), "deploy", "web", "--run", f"{sys.executable} {APP} {{port}} v2 unhealthy", "--health",
         "/up", "--state", str(edge.state)], capture_output=True))
    deploy.start()
    edge.wait(lambda: len(edge.status("web")["instances"]) == 2, "not begun")
    stray = next(i["pid"] for i in edge.status("web")["instances"] if i["version"] == 2)
    edge.kill()
    deploy.join()
    edge.start()
    edge.wait(lambda: not alive(stray), "still there")
    assert edge.get().text.startswith("v1 ")


def test_a_client_that_leaves_a_stream_of_events_is_noticed(edge):
    edge.deploy(tag="v1")
    with edge.client() as c:
        c.request("/quiet-events")
        c.head()
    edge.wait(lambda: edge.status("web")["instances"][0]["requests_in_hand"] == 0, "still in hand")


def test_a_damaged_state_file_is_refused_and_kept(edge):
    edge.deploy(tag="v1")
    edge.stop()
    file = edge.state / "state.json"
    whole = file.read_text()
    file.write_text(whole[:50])
    done = subprocess.run([str(edge.process.args[0]), "edge", "--listen", "127.0.0.1:0", "--state", str(edge.state)],
                          capture_output=True, timeout=60)
    assert done.returncode == 78 and b"state.json" in done.stderr and file.read_text() == whole[:50]
    file.write_text(whole)
    edge.start()
    edge.wait(lambda: edge.get().status == 200, "not back")


def test_one_edge_a_state_folder(edge):
    done = subprocess.run([str(edge.process.args[0]), "edge", "--listen", "127.0.0.1:0", "--state", str(edge.state)],
                          capture_output=True, timeout=60)
    assert done.returncode == 6 and b"runs already" in done.stderr


@pytest.mark.parametrize("options, words", [
    (("--run", "app --port 1"), "{port} or {socket}"),
    ((), "--run COMMAND"),
    (("--run", "app {port}", "--to", ":80"), "in one way"),
    (("--to", "nonsense"), "to:"),
    (("--to", ":80", "--host", "a b"), "no host name"),
    (("--to", ":80", "--host", "a:80"), "without port"),
    (("--to", ":80", "--path", "x"), "no path"),
    (("--to", ":80", "--replicas", "0"), "replicas must be a number from 1"),
    (("--to", ":80", "--env", "X"), "NAME=VALUE"),
    (("--redirect", "ftp://x"), "redirect")])
def test_wrong_options_are_told(edge, options, words):
    from serving import run
    code, _, err = run("deploy", "web", *options, "--state", edge.state)
    assert code != 0 and words in err, err


def test_wrong_names_and_no_edge(edge, tmp_path):
    from serving import run
    code, _, err = run("deploy", "Web!", "--to", ":80", "--state", edge.state)
    assert code == 2 and "no name of an app" in err
    code, _, err = run("list", "--state", tmp_path / "none")
    assert code == 5 and "no edge runs" in err and "vitrine edge --listen" in err


def test_many_instances_elsewhere_and_one_dies(edge, tmp_path):
    from edge_rig import WAIT_SECONDS
    apps = []
    try:
        for tag in ("a", "b"):
            path = tmp_path / f"{tag}.sock"
            apps.append(subprocess.Popen([sys.executable, str(APP), str(path), tag], stdout=subprocess.PIPE))
            apps[-1].stdout.readline()
        edge.run("deploy", "web", "--to", f"unix:{tmp_path}/a.sock", "--to", f"unix:{tmp_path}/b.sock", "--health", "/up")
        with Loads(edge.address, count=4, method="GET") as loads:
            edge.wait(lambda: loads.tags() == {"a", "b"}, "not both")
            apps[0].kill()
            apps[0].wait(WAIT_SECONDS)
            edge.wait(lambda: edge.status("web")["retries"] > 0, "no retry")
        assert loads.faults() == []
    finally:
        for app in apps:
            app.kill()
            app.wait()


def test_vitrine_serve_as_app(edge, tmp_path):
    from serving import PROGRAM, make
    db = make(tmp_path / "d.db", "create table t(a); insert into t values (1), (2);")
    for _ in range(2):
        edge.run("deploy", "site", "--run", f"{PROGRAM} serve {db} --uds {{socket}} --state {tmp_path}/s",
                 "--health", "/-/health")
        got = edge.get("/d/t.json?_shape=array")
        assert got.status == 200 and [row["a"] for row in json.loads(got.text)] == [1, 2]


def test_metrics_count_what_happened(edge):
    edge.deploy(tag="v1")
    for _ in range(5):
        edge.get()
    edge.wait(lambda: edge.status("web")["requests"] == 5, "not counted")
    with Strict(f"{edge.state}/control.sock") as c:
        text = c.get("/metrics").text
    assert 'vitrine_edge_requests_total{app="web"} 5' in text
    assert 'vitrine_edge_answers_total{app="web",code="2xx"} 5' in text
    for line in text.splitlines():
        assert line.startswith("# ") or re.fullmatch(r'vitrine_edge_\w+(\{[^}]*\})? [0-9.]+', line), line
