# SPDX-License-Identifier: Apache-2.0
"""Apps that nobody deploys by hand: a watched folder, and the labels of containers."""
import json
import os
import socket
import subprocess
import sys
import threading

import pytest

import serving
from edge_rig import APP
from fake_engine import Engine, container

FILE = "host: {host}\nrun: {python} {app} {{port}} {tag}\nhealth: /up\n"


def put(folder, name, tag, host=None, text=None):
    text = text or FILE.format(host=host or f"{name}.test", python=sys.executable, app=APP, tag=tag)
    (folder / f".{name}.new").write_text(text)
    os.replace(folder / f".{name}.new", folder / f"{name}.yaml")


def problem(edge, app):
    return next((a["problem"] for s in edge.status()["sources"] for a in s["apps"] if a["app"] == app), None)


def answers(edge, host, text, status=200):
    def looks():
        got = edge.get(host=host)
        return got.status == status and got.text.startswith(text)
    edge.wait(looks, f"{host} does not answer {status} {text}")


def test_who_comes_before_the_first_apps_waits(make_edge, tmp_path):
    folder = tmp_path / "apps"
    folder.mkdir()
    put(folder, "shop", None, text=FILE.format(host="shop.test", python=sys.executable, app=APP, tag="one late 1"))
    edge = make_edge("--apps", folder, "--grace", "2")
    got = edge.get(host="shop.test")
    assert got.status == 200 and got.text.startswith("one ")
    assert edge.get(host="other.test").status == 404


def test_a_folder_of_app_files(make_edge, tmp_path):
    folder = tmp_path / "apps"
    folder.mkdir()
    put(folder, "shop", "one")
    edge = make_edge("--apps", folder, "--grace", "2")
    answers(edge, "shop.test", "one ")
    before = edge.status("shop")
    put(folder, "blog", "two")  # drop a file, get a route; the other app is not touched
    answers(edge, "blog.test", "two ")
    assert edge.status("shop")["instances"][0]["pid"] == before["instances"][0]["pid"]
    put(folder, "shop", "three")  # change it, deploy
    answers(edge, "shop.test", "three ")
    assert edge.status("shop")["versions"][0]["number"] == 2

    # A broken file is refused whole, with its line; what ran goes on.
    for text, words in (("host: shop.test\nto: ':80'\nwrong: 1\n", "shop.yaml: line 3: \"wrong\" is nothing"),
                        ("host: [shop.test\n", "shop.yaml: line 2"),
                        ("path: /a?b\nto: ':80'\n", "shop.yaml: line 1: \"/a?b\" is no path"),
                        ("run: ./app\n", "shop.yaml: line 1: shop: the command does not say"),
                        ("- a\n", "shop.yaml: line 1: the file holds"), ("", "shop.yaml: line 1"),
                        ("name: x\nto: ':80'\n", "shop.yaml: line 1: name")):
        put(folder, "shop", None, text=text or "# nothing\n")
        edge.wait(lambda w=words: w in (problem(edge, "shop") or ""), f"no problem {words}")
        edge.wait(lambda w=words: w in edge.log(), f"no line {words} in the log")
        assert edge.get(host="shop.test").text.startswith("three ")
    out, _ = edge.run("status")
    assert "name: an app is called as its file is" in out
    put(folder, "shop", "four")
    answers(edge, "shop.test", "four ")
    assert problem(edge, "shop") is None

    # A version that does not come up is told, and the old one goes on.
    put(folder, "shop", None, text=FILE.format(host="shop.test", python=sys.executable, app=APP, tag="bad dies"))
    edge.wait(lambda: "did not stay up" in (problem(edge, "shop") or ""), "no word of the failed deploy")
    assert edge.get(host="shop.test").text.startswith("four ")

    # By hand and by file do not mix.
    _, err = edge.run("deploy", "blog", "--to", "127.0.0.1:1", code=6)
    assert "blog is what file blog.yaml says" in err and str(folder) in err
    _, err = edge.run("remove", "blog", code=6)
    assert "file blog.yaml" in err
    edge.deploy("own", "own", options=("--host", "own.test", "--health", "/up"))
    put(folder, "own", "taken")
    edge.wait(lambda: "deployed by hand" in (problem(edge, "own") or ""), "no word of the app by hand")
    assert edge.get(host="own.test").text.startswith("own ")

    # JSON is as good; two files of one name are one too many; what an editor leaves is nobody.
    (folder / "json.json").write_text(json.dumps({"host": "json.test", "redirect": "https://blog.test"}))
    (folder / "blog.yml").write_text("host: second.test\nto: '127.0.0.1:1'\n")
    (folder / ".hidden.yaml").write_text("to: '127.0.0.1:1'\n")
    (folder / "backup.yaml~").write_text("to: '127.0.0.1:1'\n")
    edge.wait(lambda: edge.get(host="json.test").status == 308, "no app of the JSON file")
    edge.wait(lambda: "file blog.yaml describes the app \"blog\" already" in edge.run("list")[0], "no word of the second")
    assert {a["name"] for a in edge.status()["apps"]} == {"shop", "blog", "own", "json"}
    (folder / "blog.yml").unlink()

    (tmp_path / "edge.yaml").write_text("apps: {}\n")
    out, _ = edge.run("edge", "apply", "--remove", "--dry-run", tmp_path / "edge.yaml")
    assert "keep blog: file blog.yaml describes it" in out and "remove own" in out and "remove blog" not in out

    (folder / "blog.yaml").unlink()  # remove it, remove
    edge.wait(lambda: edge.get(host="blog.test").status == 404, "blog is still there")

    # After a restart: what changed meanwhile is made so, what is gone goes.
    put(folder, "shop", "four")
    edge.wait(lambda: problem(edge, "shop") is None, "shop is not well")
    put(folder, "third", "x")
    answers(edge, "third.test", "x ")
    edge.stop()
    (folder / "third.yaml").unlink()
    put(folder, "shop", "five")
    edge.start()
    answers(edge, "shop.test", "five ")
    edge.wait(lambda: edge.get(host="third.test").status == 404, "third is still there")
    assert edge.get(host="own.test").status == 200


def test_a_folder_that_is_not_there_is_told(tmp_path):
    code, _, err = serving.run("edge", "--listen", "127.0.0.1:0", "--state", tmp_path / "s", "--apps", tmp_path / "no",
                               timeout=30)
    assert code == 5
    assert str(tmp_path / "no") in err


class Apps:
    """Processes that stand for what runs in containers."""

    def __init__(self):
        self.ports, self.processes = {}, {}

    def start(self, tag):
        port = serving.free_port()
        p = subprocess.Popen([sys.executable, str(APP), str(port), tag], stdout=subprocess.PIPE)
        p.stdout.readline()
        self.processes[tag] = p
        return port

    def stop(self, tag):
        p = self.processes.pop(tag)
        p.kill()
        p.wait()
        p.stdout.close()


@pytest.fixture
def apps():
    made = Apps()
    yield made
    for tag in list(made.processes):
        made.stop(tag)


def labels(router="web", rule="Host(`web.test`)", port=None, **more):
    named = {f"traefik.http.routers.{router}.rule": rule, "traefik.enable": "true"}
    if port:
        named[f"traefik.http.services.{router}.loadbalancer.server.port"] = str(port)
    return {**named, **more}


def test_labels_of_containers(make_edge, apps, tmp_path):
    engine = Engine(tmp_path / "engine.sock")
    one = apps.start("one")
    web = container("web-1", labels(port=one, **{"traefik.http.services.web.loadbalancer.healthcheck.path": "/up"}))
    engine.set(web, container("plain", {}))
    edge = make_edge("--containers", f"unix:{engine.path}", "--grace", "2")
    answers(edge, "web.test", "one ")
    assert [a["name"] for a in edge.status()["apps"]] == ["web"]

    # A new container of the same router takes its part; the old one is told to end and gets nothing from then on.
    two = apps.start("two")
    second = container("web-2", labels(port=two, **{"traefik.http.services.web.loadbalancer.healthcheck.path": "/up"}))
    engine.set(second, web)
    engine.event("start", "web-2")
    edge.wait(lambda: len(edge.status("web")["instances"]) == 2, "no second instance")
    engine.event("kill", "web-1", signal="15")  # still in the list, still running
    edge.wait(lambda: [i["address"] for i in edge.status("web")["instances"]] == [f"127.0.0.1:{two}"], "not left out")
    assert all(edge.get(host="web.test").text.startswith("two ") for _ in range(20))
    apps.stop("one")
    engine.set(second)
    engine.event("die", "web-1")

    # The last one is recreated: nobody sees a 404 or a 502, the request waits.
    engine.set()
    engine.event("kill", "web-2", signal="15")
    engine.event("die", "web-2")
    apps.stop("two")
    with edge.client() as c:
        c.request(host="web.test")
        edge.wait(lambda: edge.status("web")["waiting"] == 1, "it does not wait")
        three = apps.start("three")
        engine.set(container("web-3", labels(port=three)))
        engine.event("start", "web-3")
        assert c.answer().text.startswith("three ")

    # The engine is started anew: what runs goes on, and what it says then counts.
    engine.stop()
    edge.wait(lambda: edge.status()["sources"][0]["problem"], "no word of the lost engine")
    assert edge.get(host="web.test").text.startswith("three ")
    engine.set(container("web-3", labels(port=three, rule="Host(`other.test`) || Host(`more.test`)")))
    engine.start()
    answers(edge, "other.test", "three ")
    answers(edge, "more.test", "three ")
    assert edge.status()["sources"][0]["problem"] is None
    assert edge.get(host="web.test").status == 404


def test_labels_that_say_too_much(make_edge, apps, tmp_path):
    """A route that is wider than its labels would show what was to be hidden."""
    engine = Engine(tmp_path / "engine.sock")
    port = apps.start("app")
    bad = {
        "auth": labels("auth", "Host(`auth.test`)", port, **{"traefik.http.routers.auth.middlewares": "login@docker"}),
        "headers": labels("headers", "Host(`headers.test`) && Headers(`X-A`, `1`)", port),
        "negated": labels("negated", "!Host(`negated.test`)", port),
        "secure": labels("secure", "Host(`secure.test`)", port,
                         **{"traefik.http.services.secure.loadbalancer.server.scheme": "https"}),
    }
    good = {
        "off": labels("off", "Host(`off.test`)", port, **{"traefik.enable": "false"}),
        "paths": labels("paths", "Host(`a.test`) && PathPrefix(`/shop`) || Host(`b.test`)", port),
        "strip": labels("strip", "Host(`strip.test`) && PathPrefix(`/in`)", port,
                        **{"traefik.http.routers.strip.middlewares": "cut",
                           "traefik.http.middlewares.cut.stripprefix.prefixes": "/in"}),
    }
    engine.set(*(container(name, said) for name, said in {**bad, **good}.items()),
               container("ill", labels("ill", "Host(`ill.test`)", port), status="Up 2 minutes (unhealthy)"))
    edge = make_edge("--containers", f"unix:{engine.path}", "--grace", "2")
    answers(edge, "b.test", "app ")
    edge.wait(lambda: edge.get("/in/hello", host="strip.test").text == "hello", "no stripped path")
    edge.wait(lambda: edge.get("/shop/hello", host="a.test").status != 404, "no route below /shop")
    assert edge.get(host="a.test").status == 404
    told = {a["from"]: a["problem"] for a in edge.status()["sources"][0]["apps"] if a["problem"]}
    assert set(told) == {f"container {name}" for name in bad}, told
    assert "middleware \"login@docker\" is not known" in told["container auth"]
    assert "column 25: Headers is not known" in told["container headers"]
    for name in (*bad, "off", "ill"):
        assert edge.get(host=f"{name}.test").status == 404


def test_an_engine_that_talks_nonsense_changes_nothing(make_edge, apps, tmp_path):
    path = str(tmp_path / "engine.sock")
    answers_ = [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", b""]
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(16)
    seen = []

    def serve():
        while True:
            try:
                s, _ = listening.accept()
            except OSError:
                return
            with s:
                s.recv(4096)
                s.sendall(answers_[len(seen) % len(answers_)])
                seen.append(1)
    threading.Thread(target=serve, daemon=True).start()
    edge = make_edge("--containers", f"unix:{path}", "--grace", "2")
    edge.deploy("own", "own", options=("--health", "/up"))
    edge.wait(lambda: len(seen) > 4, "it is not asked again")
    assert edge.get().text.startswith("own ")
    assert edge.status()["sources"][0]["problem"]
    listening.close()
