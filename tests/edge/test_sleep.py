# SPDX-License-Identifier: Apache-2.0
"""Apps that sleep until somebody asks, what visitors read of apps that do not run, and limits of one app."""
import html.parser
import json
import os
import re
import signal
import sys
import threading
import time

import pytest

import serving
from edge_rig import APP, Edge, Strict, alive
from test_config import Secure, make_cert
from test_kill import Tough, is_compiled_in


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """One edge for tests that deploy apps of their own names."""
    edge = Edge(tmp_path_factory.mktemp("edge"), "--grace", "2", "--loops", "2")
    yield edge
    edge.stop()


def deploy(edge, name, tag="v1", seconds="0.05", *options, run=None, code=0):
    run = run or f"{sys.executable} {APP} {{socket}} {tag}"
    return edge.run("deploy", name, "--host", f"{name}.test", "--run", run, "--health", "/up",
                    *(["--sleep", seconds] if seconds else []), *options, code=code)


def rests(edge, name):
    return edge.status(name)["rest"]


def until(edge, name, state):
    edge.wait(lambda: rests(edge, name) == state, f"{name} is not {state}")


def pids(edge, name):
    return [i["pid"] for i in edge.status(name)["instances"] if "pid" in i]


def test_it_sleeps_and_wakes(calm):
    deploy(calm, "a", "v1", "0.05", "--host", "*.deep.a.test")
    until(calm, "a", "asleep")
    assert calm.status("a")["instances"] == []
    assert re.search(r"^a .* asleep\b", calm.run("list")[0], re.MULTILINE)
    assert "asleep" in calm.run("status", "a")[0]
    for host in ("a.test", "x.deep.a.test", "A.TEST:80"):
        until(calm, "a", "asleep")
        assert calm.get(host=host).text.startswith("v1 ")


def test_all_that_come_at_once_wake_it_once(calm, tmp_path):
    flag = tmp_path / "slow"
    deploy(calm, "many", run=f"while test -e {flag}; do sleep 0.01; done; exec {sys.executable} {APP} {{socket}} v1")
    until(calm, "many", "asleep")
    flag.touch()
    clients = [calm.client() for _ in range(40)]
    for c in clients:
        c.request("/", host="many.test")
    calm.wait(lambda: calm.status("many")["waiting"] == 40, "not all are held")
    clients.pop(3).close()
    calm.wait(lambda: calm.status("many")["waiting"] == 39, "one that left is held")
    flag.unlink()
    answers = {c.answer().text for c in clients}
    for c in clients:
        c.close()
    assert len(answers) == 1 and answers.pop().startswith("v1 ")
    assert calm.log().count("many wakes") == 1
    end = time.monotonic() + 60  # the last answer may be with its client before it is over here
    while True:
        with Strict(f"{calm.state}/control.sock") as control:
            said = control.get("/metrics").text
        if 'vitrine_edge_in_hand{app="many"} 0\n' in said or time.monotonic() > end:
            break
    assert 'vitrine_edge_wakes_total{app="many"} 1\n' in said and 'vitrine_edge_held_total{app="many"} 40\n' in said
    assert re.search(r'^vitrine_edge_apps\{state="asleep"\} [0-9]+$', said, re.MULTILINE)
    assert re.search(r'^vitrine_edge_in_hand\{app="many"\} 0$', said, re.MULTILINE)


def test_what_is_in_hand_keeps_it_awake(calm):
    deploy(calm, "busy", "v1", "0.2")
    with calm.client() as events, calm.client() as ws, calm.client() as slow:
        events.request("/quiet-events", host="busy.test")
        assert events.head()[0] == 200
        ws.request("/ws", host="busy.test", headers=["Connection: Upgrade", "Upgrade: websocket"])
        assert ws.head()[0] == 101 and ws.exactly(6) == b"hello "
        before = pids(calm, "busy")
        slow.request("/slow?900", host="busy.test")
        assert slow.answer().text == "v1 slow"
        assert pids(calm, "busy") == before and calm.status("busy")["in_hand"] == 2
        events.close()
        ws.send("x")
        assert ws.exactly(1) == b"X"
        ws.close()
    until(calm, "busy", "asleep")
    assert not any(alive(pid) for pid in before)


def test_deploys_of_a_sleeping_app(calm):
    deploy(calm, "d", "v1", "0.1", "--asleep")  # the first: nothing was started yet
    assert rests(calm, "d") == "asleep" and "d.1" not in calm.log()
    assert calm.get(host="d.test").text.startswith("v1 ")
    until(calm, "d", "asleep")
    out, err = deploy(calm, "d", "v2", "0.1", "--asleep", "--drain", "0.1")
    assert "is written down; the next request starts it" in out + err
    assert calm.status("d")["instances"] == []
    assert calm.get(host="d.test").text.startswith("v2 ")
    with calm.client() as c:
        c.request("/quiet-events", host="d.test")
        assert c.head()[0] == 200
        deploy(calm, "d", "v3", "600", "--asleep")  # it is awake: the usual way
        assert rests(calm, "d") == "awake"
    assert calm.get(host="d.test").text.startswith("v3 ")
    deploy(calm, "d", "v4", "600")
    calm.run("rollback", "d")
    assert calm.get(host="d.test").text.startswith("v3 ")
    deploy(calm, "d", "v5", None)
    deploy(calm, "d", "v6", "0.1")  # from now on it sleeps
    until(calm, "d", "asleep")
    assert "nothing would start it" in deploy(calm, "d", "v5", None, "--asleep", code=2)[1]
    assert "can sleep" in calm.run("deploy", "e", "--to", "127.0.0.1:1", "--sleep", "1", code=2)[1]


def test_a_pause_of_a_sleeping_app(calm):
    deploy(calm, "p")
    until(calm, "p", "asleep")
    calm.run("pause", "p")
    with calm.client() as c:
        c.request("/", host="p.test")
        calm.wait(lambda: calm.status("p")["waiting"] == 1, "not held")
        assert rests(calm, "p") == "asleep"
        calm.run("resume", "p")
        assert c.answer().text.startswith("v1 ")
    until(calm, "p", "asleep")
    calm.run("stop", "p", "--message", "Back at noon")
    assert calm.get(host="p.test").status == 503 and rests(calm, "p") == "asleep"


def test_requests_at_the_edge_of_sleep_are_not_lost(calm):
    deploy(calm, "edge", "v1", "0.02")
    faults, ended = [], threading.Event()

    def ask(pause):
        with calm.client() as c:
            while not ended.wait(pause):
                got = c.get(host="edge.test")
                if got.status != 200:
                    faults.append(got)
    asker = threading.Thread(target=ask, args=(0.021,))
    asker.start()
    calm.wait(lambda: calm.log().count("edge wakes") >= 12 or faults, "it does not fall asleep")
    ended.set()
    asker.join()
    assert faults == []


def test_it_sleeps_on_after_a_stop_a_kill_and_an_upgrade(make_edge):
    edge = make_edge("--grace", "2", "--loops", "2")
    deploy(edge, "night")
    deploy(edge, "day", "v1", "600")
    until(edge, "night", "asleep")
    day = pids(edge, "day")
    edge.run("edge", "upgrade")
    assert rests(edge, "night") == "asleep" and pids(edge, "day") == day
    assert edge.get(host="night.test").text.startswith("v1 ")
    edge.kill()
    edge.start()
    assert pids(edge, "day") == day, "what runs is taken over"
    assert edge.get(host="night.test").text.startswith("v1 ")
    edge.stop()
    edge.start()
    assert {a["name"]: a["rest"] for a in edge.status()["apps"]} == {"night": "asleep", "day": "asleep"}
    assert edge.get(host="day.test").text.startswith("v1 ")


def test_it_wakes_while_the_edge_is_upgraded(make_edge, tmp_path):
    cert, key = make_cert(tmp_path, "n.test")
    edge = make_edge("--grace", "5", "--loops", "1", "--listen-tls", "127.0.0.1:0", "--cert", cert, key)
    flag = tmp_path / "slow"
    deploy(edge, "n", "v1", "0.05", run=f"while test -e {flag}; do sleep 0.01; done; exec {sys.executable} {APP} "
                                        "{socket} v1")
    until(edge, "n", "asleep")
    flag.write_text("")
    upgrading = threading.Thread(target=lambda: edge.run("edge", "upgrade"))
    with edge.client() as plain, Secure(("127.0.0.1", edge.ports[1]), "n.test") as secure, \
            Secure(("127.0.0.1", edge.ports[1]), "n.test") as late:
        for c in (plain, secure):
            c.request("/", host="n.test")
        edge.wait(lambda: edge.status("n")["waiting"] == 2, "not held")
        upgrading.start()
        edge.wait_for(lambda: "takes over" in edge.log(), "no upgrade")
        late.request("/", host="n.test")  # to the process that leaves
        flag.unlink()
        for c in (plain, secure, late):
            assert c.answer().text.startswith("v1 ")
    upgrading.join()
    until(edge, "n", "asleep")


# ---- what visitors read ----

class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data


def read_page(edge, host, status):
    got = edge.get(host=host, headers=["Accept: text/html,*/*;q=0.8"])
    page = Page(got.text)
    assert got.status == status and got.header("content-type") == "text/html; charset=utf-8"
    assert got.header("cache-control") == "no-store"
    names = [tag for tag, _ in page.tags]
    assert names.count("h1") == names.count("main") == names.count("title") == 1
    assert "prefers-color-scheme:dark" in got.text
    assert not [a for _, attrs in page.tags for k, a in attrs.items() if k in ("src", "href") and a], "asks nobody"
    return got, page


def test_a_crash_is_told_with_the_next_try(calm, tmp_path):
    flag = tmp_path / "broken"
    run = f"test -e {flag} && echo secret of the log && exit 3; exec {sys.executable} {APP} {{socket}} v1"
    deploy(calm, "crash", "v1", None, run=run)
    flag.write_text("")
    pid, = pids(calm, "crash")
    os.kill(pid, signal.SIGKILL)
    calm.wait(lambda: calm.status("crash").get("next_try_seconds", 0) > 1, "no growing pauses")
    def told():
        """Between two tries, as nearly always."""
        got, page = read_page(calm, "crash.test", 503)
        return "The next try is in" in page.words and calm.status("crash")["rest"] == "down" and (got, page)

    got, page = calm.wait(told, "no next try")
    seconds = int(got.header("retry-after"))
    assert 1 <= seconds <= 30 and "could not be started" in page.words
    assert re.search(r"So since \d\d:\d\d UTC, \d+ seconds? ago\. The next try is in \d+ seconds?\.", page.words)
    assert "secret" not in got.text and "exit" not in got.text and str(APP) not in got.text
    got = calm.get(host="crash.test", headers=["Accept: application/json"])
    said = json.loads(got.text)
    assert got.status == said["status"] == 503 and said["ok"] is False and said["retry_after"] >= 1
    assert said["retry_after"] == int(got.header("retry-after")) and said["since"].endswith("Z")
    assert calm.get(host="crash.test").header("content-type").startswith("text/plain")
    app = calm.status("crash")
    assert app["rest"] == "down" and app["problem"] == "exited with 3" and app["failures"] >= 5
    assert "exited with 3" in calm.run("status", "crash")[0]
    flag.unlink()
    deploy(calm, "crash", "v1", None)  # a deploy does not wait for the pause
    assert calm.get(host="crash.test").text.startswith("v1 ")


def test_lack_of_memory_is_told_as_such(calm, tmp_path):
    """250: what `vitrine sandbox` ends with then."""
    flag = tmp_path / "hungry"
    run = f"test -e {flag} && exit 250; exec {sys.executable} {APP} {{socket}} v1"
    deploy(calm, "hungry", "v1", None, run=run)
    flag.write_text("")
    pid, = pids(calm, "hungry")
    os.kill(pid, signal.SIGKILL)
    calm.wait(lambda: calm.status("hungry").get("next_try_seconds", 0) > 1, "no growing pauses")
    _, page = read_page(calm, "hungry.test", 503)
    assert "run out of memory" in page.words and "needed more than it may have" in page.words
    assert calm.status("hungry")["problem"] == "ended for lack of memory"


def test_a_start_that_fails_is_told_and_tried_when_asked(calm, tmp_path):
    flag = tmp_path / "broken"
    deploy(calm, "s", "v1", "0.05", run=f"test -e {flag} && exit 3; exec {sys.executable} {APP} {{socket}} v1")
    until(calm, "s", "asleep")
    flag.write_text("")
    with calm.client() as c:
        c.request("/", host="s.test")
        got = c.answer()  # held while the pauses are short, then told
        assert got.status == 503 and "could not be started" in got.text and got.header("retry-after")
    until(calm, "s", "asleep")  # nobody asks: nothing is tried
    tries = calm.status("s")["failures"]
    flag.unlink()
    assert calm.get(host="s.test").text.startswith("v1 ")
    assert tries >= 5


def test_one_that_never_gets_well_is_stopped(calm, tmp_path):
    flag = tmp_path / "ill"
    deploy(calm, "ill", "v1", "0.05", "--timeout", "3", "--hold", "1",
           run=f"test -e {flag} && exec {sys.executable} {APP} {{socket}} v1 unhealthy; "
               f"exec {sys.executable} {APP} {{socket}} v1")
    until(calm, "ill", "asleep")
    flag.write_text("")
    got = calm.get(host="ill.test")
    assert got.status == 503 and got.header("retry-after")
    calm.wait(lambda: "was not healthy within 3 s" in calm.status("ill").get("problem", ""), "it goes on")
    flag.unlink()
    calm.wait(lambda: calm.get(host="ill.test").status == 200, "not tried again")


def test_pages_of_a_stop_and_of_nowhere(calm):
    deploy(calm, "stopped")
    calm.run("stop", "stopped", "--message", "Moving <b>house</b>\nuntil Monday")
    got, page = read_page(calm, "stopped.test", 503)
    assert "Moving <b>house</b>\nuntil Monday" in page.words and "b" not in [t for t, _ in page.tags]
    said = json.loads(calm.get(host="stopped.test", headers=["Accept: application/json"]).text)
    assert said["error"] == "Moving <b>house</b>\nuntil Monday" and said["title"] == "This site is stopped"
    _, page = read_page(calm, "elsewhere.test", 404)
    assert "vitrine" not in page.words.lower() and "deploy" not in page.words


# ---- limits of one app ----

def test_more_requests_a_second_than_it_may(calm):
    deploy(calm, "r", "v1", None, "--rate", "1", "--burst", "3")
    with calm.client() as one, calm.client() as two:  # of both loops
        answers = []  # slowly asked, some more are answered
        while len([a for a in answers if a.status == 429]) < 2 and len(answers) < 200:
            answers.append((one, two)[len(answers) % 2].get(host="r.test"))
        assert [a.status for a in answers[:3]] == [200] * 3 and {a.status for a in answers[3:]} <= {200, 429}
        assert answers[-1].header("retry-after") == "1" and "more requests than it may answer" in answers[-1].text
        assert calm.status("r")["rate_refused"] == 2
        assert one.get(host="nowhere.test").status == 404, "the connection goes on"
        calm.wait(lambda: two.get(host="r.test").status == 200, "never again")
    assert "burst needs rate" in deploy(calm, "r", "v1", None, "--burst", "3", code=2)[1]


def test_more_requests_in_hand_than_it_may_wait_in_order(make_edge, tmp_path):
    edge = make_edge("--grace", "2", "--loops", "1")
    deploy(edge, "h", "v1", None, "--in-hand", "2", "--hold-max", "3")
    clients = [edge.client() for _ in range(6)]
    with Strict(f"{edge.state}/control.sock") as control:
        def at(key):
            return json.loads(control.get("/apps/h").text)[key]
        for n, c in enumerate(clients):
            c.request(f"/until?{tmp_path}/flag" if n < 2 else "/slow?1", host="h.test")
            edge.wait(lambda n=n: at("in_hand") + at("waiting") == min(n + 1, 5), "not there")
        assert at("in_hand") == 2
    got = clients.pop().answer()
    assert got.status == 503 and "Too many" in got.text
    (tmp_path / "flag").touch()
    assert [c.answer().text for c in clients] == ["v1 slow"] * 5
    for c in clients:
        c.close()


# ---- kill -9 ----

@pytest.mark.skipif(not is_compiled_in(), reason="built without fault points")
@pytest.mark.parametrize("point", ["edge.sleep", "edge.asleep", "edge.wake", "edge.woken"])
def test_killed_on_the_way(tmp_path, monkeypatch, point):
    monkeypatch.setenv("VITRINE_FAULT", f"{point}:1:kill")
    edge = Tough(tmp_path, "--grace", "2")
    monkeypatch.delenv("VITRINE_FAULT")
    deploy(edge, "k")
    seen = set()

    def woken():
        try:
            with edge.client(timeout=60) as c:
                got = c.get(host="k.test")
        except (OSError, EOFError):
            return False
        seen.add(got.text.split()[-1])
        return got.status == 200

    def asleep():
        try:
            return rests(edge, "k") == "asleep"
        except AssertionError:  # the edge was killed under the question
            return False
    for _ in range(2):
        edge.wait_for(woken, "it does not wake")
        edge.wait_for(asleep, "it does not fall asleep")
    assert "is started again" in edge.log() or "killed by" in edge.log(), edge.log()
    edge.wait_for(lambda: not any(alive(int(pid)) for pid in seen), "processes are left")
    edge.stop()
