# SPDX-License-Identifier: Apache-2.0
"""Uploads that lose their instance: sent again from what the edge kept, executed once."""
import hashlib
import os
import random
import signal
import socket
import threading
import time

import pytest

import serving

SIZE = 3_000_000


def data(size=SIZE):
    return random.Random(size).randbytes(size)


class Upload:
    """A client that sends its body when it is told to, and never twice."""

    def __init__(self, edge, body, chunked=False, path="/echo?a", method="POST"):
        self.client, self.body, self.at, self.chunked = edge.client(), body, 0, chunked
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        self.client.send(f"{method} {path} HTTP/1.1\r\nHost: test\r\n{framing}\r\n\r\n")

    def send(self, to):
        """Sends up to that part of the whole."""
        end = int(len(self.body) * to)
        while self.at < end:
            piece = self.body[self.at:min(end, self.at + 50000)]
            self.client.send(b"%x\r\n%s\r\n" % (len(piece), piece) if self.chunked else piece)
            self.at += len(piece)
        if self.chunked and to == 1:
            self.client.send("0\r\n\r\n")

    def digest(self):
        return f"{len(self.body)} {hashlib.sha256(self.body).hexdigest()}"


def counter(edge, name, app="web"):
    return edge.status(app)[name]


def kept(edge):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(edge.state / "control.sock"))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    return int(text.split("\nvitrine_edge_upload_kept_bytes ")[1].split()[0])


def let_go(edge):
    """The answer may be with its client a moment before the edge is done."""
    edge.wait(lambda: kept(edge) == 0, "it is kept for ever")


def deploy(edge, tmp_path, tag, *options):
    edge.deploy(tag=tag, options=("--health", "/up", "--drain", "0.05", "--env", f"EXECUTED={tmp_path / 'executed'}",
                                  "--env", f"GIVE_BACK={tmp_path / 'give-back'}", *options))


def executed(tmp_path):
    file = tmp_path / "executed"
    return file.read_text().splitlines() if file.exists() else []


def pass_through(edge, upload, part):
    """Sends up to that part and waits until the edge has all of it on disk, or has sent it on."""
    upload.send(part)
    low = int(len(upload.body) * part) - 70000
    edge.wait(lambda: kept(edge) >= low, "it is not kept")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [SIZE, 60_000])
def test_an_upload_lives_through_deploys(edge, tmp_path, chunked, size):
    deploy(edge, tmp_path, "v0")
    upload = Upload(edge, data(size), chunked)
    for n in range(1, 5):
        pass_through(edge, upload, n / 5)
        deploy(edge, tmp_path, f"v{n}")
    upload.send(1)
    got = upload.client.answer()
    assert (got.status, got.text) == (200, upload.digest())
    assert executed(tmp_path) == [f"a {upload.digest()}"]
    assert counter(edge, "replays") == 4 and counter(edge, "unspooled") == 0
    let_go(edge)
    upload.client.request()  # its connection goes on
    assert upload.client.answer().text.startswith("v4 ")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_upload_lives_through_the_death_of_its_instance(edge, tmp_path, method):
    deploy(edge, tmp_path, "v0")
    upload = Upload(edge, data(), method=method)
    for part in (0.3, 0.6):
        pass_through(edge, upload, part)
        old = edge.status("web")["instances"][0]["pid"]
        os.kill(old, signal.SIGKILL)
        edge.wait(lambda old=old: [i["pid"] for i in edge.status("web")["instances"] if i["state"] == "ready"]
                  not in ([], [old]), "not back")
    upload.send(1)
    got = upload.client.answer()
    assert (got.status, got.text) == (200, upload.digest())
    assert executed(tmp_path) == [f"a {upload.digest()}"]


def test_an_upload_that_took_longer_than_a_request_may_wait(edge, tmp_path):
    """What counts is how long it waits for the next instance, not how long it has been on its way."""
    deploy(edge, tmp_path, "v0", "--hold", "2")
    began, upload = time.monotonic(), Upload(edge, data())
    pass_through(edge, upload, 0.3)
    edge.wait(lambda: time.monotonic() > began + 2.1, "time stands still")
    for part in (0.5, 0.7):
        old = edge.status("web")["instances"][0]["pid"]
        os.kill(old, signal.SIGKILL)
        edge.wait(lambda old=old: [i["pid"] for i in edge.status("web")["instances"] if i["state"] == "ready"]
                  not in ([], [old]), "not back")
        pass_through(edge, upload, part)
    upload.send(1)
    got = upload.client.answer()
    assert (got.status, got.text) == (200, upload.digest())
    assert executed(tmp_path) == [f"a {upload.digest()}"]


def test_what_the_app_may_have_executed_is_not_sent_again(edge, tmp_path):
    """All of the body was sent, no answer came: nobody knows, so the client is told."""
    deploy(edge, tmp_path, "v0")
    body = data()
    with edge.client() as c:
        c.request("/exit?a", method="POST", body=body)
        assert c.answer().status == 502
    assert counter(edge, "replays") == 0
    let_go(edge)


def test_an_app_that_gives_an_upload_back(edge, tmp_path):
    flag = tmp_path / "give-back"
    flag.touch()
    deploy(edge, tmp_path, "v0")
    upload = Upload(edge, data(), path="/give-back?a")
    upload.send(0.5)
    edge.wait(lambda: counter(edge, "replays") > 0, "not given back")
    flag.unlink()
    upload.send(1)
    got = upload.client.answer()
    assert (got.status, got.text) == (200, upload.digest())
    assert executed(tmp_path) == [f"a {upload.digest()}"]
    # One that gives everything back, always: an end, and no client sees a 379.
    flag.touch()
    upload = Upload(edge, data(), path="/give-back?b")
    upload.send(1)
    got = upload.client.answer()
    assert got.status == 503 and "replaced during the upload" in got.text
    assert counter(edge, "replays") >= 100  # LIMIT_EDGE_REPLAYS
    assert [line for line in executed(tmp_path) if line.startswith("b ")] == []


def test_apps_that_do_not_want_it(edge, tmp_path):
    deploy(edge, tmp_path, "v0", "--spool", "off")
    (tmp_path / "give-back").touch()
    upload = Upload(edge, data(200_000), path="/give-back?a")
    upload.send(1)
    assert upload.client.answer().status == 379  # its own business then
    assert "vitrine-replay" not in edge.get("/headers", method="POST", body=b"x").text.lower()
    assert counter(edge, "spooled") == 0
    let_go(edge)
    _, err = edge.run("deploy", "web", "--to", ":1", "--spool", "maybe", code=2)
    assert "spool must be on or off" in err


def test_no_room_for_what_is_kept(make_edge, tmp_path):
    """Uploads pass all the same; one whose instance ends is lost, and that is counted and told."""
    edge = make_edge("--spool-max", "1000000", "--grace", "2")
    deploy(edge, tmp_path, "v0")
    with edge.client() as c:
        c.request("/echo?a", method="POST", body=data())
        assert c.answer().text == f"{SIZE} {hashlib.sha256(data()).hexdigest()}"
    assert counter(edge, "unspooled") == 1
    let_go(edge)
    assert "--spool-max is reached" in edge.log()
    upload = Upload(edge, data())
    upload.send(0.5)
    edge.wait(lambda: counter(edge, "unspooled") == 2, "it found room")
    deploy(edge, tmp_path, "v1")
    assert upload.client.closed()
    assert [line.split()[0] for line in executed(tmp_path)] == ["a"]


def test_the_field_that_offers_replay_is_the_edges_own(edge, tmp_path):
    deploy(edge, tmp_path, "v0")
    text = edge.get("/headers", method="POST", body=b"x", headers=("Vitrine-Replay: 1", "vitrine_replay: 2")).text
    assert text.count("eplay") == 1 and "Vitrine-Replay: 379\r\n" in text
    assert "eplay" not in edge.get("/headers", headers=("Vitrine-Replay: 379",)).text


def test_many_uploads_at_once(edge, tmp_path):
    deploy(edge, tmp_path, "v0")
    uploads = [Upload(edge, data(200_000 + n), chunked=n % 2 == 1, path=f"/echo?{n}") for n in range(16)]
    for u in uploads:
        u.send(0.5)
    edge.wait(lambda: kept(edge) > 16 * 90_000, "they are not kept")
    deploy(edge, tmp_path, "v1")
    threads = [threading.Thread(target=u.send, args=(1,)) for u in uploads]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(u.client.answer().text == u.digest() for u in uploads)
    assert sorted(executed(tmp_path)) == sorted(f"{n} {u.digest()}" for n, u in enumerate(uploads))


def test_vitrine_serve_gives_uploads_back_when_it_is_told_to_end(edge, tmp_path):
    database = serving.make(tmp_path / "d.db", "create table t(a);")
    edge.run("deploy", "web", "--run", f"{serving.PROGRAM} serve {database} --uds {{socket}} --state {tmp_path}/s",
             "--health", "/-/health")
    old = edge.status("web")["instances"][0]["pid"]
    upload = Upload(edge, data(400_000), path="/-/nothing")
    pass_through(edge, upload, 0.5)
    os.kill(old, signal.SIGTERM)  # by somebody else: the edge knows nothing of it
    edge.wait(lambda: counter(edge, "replays") == 1, "not given back")
    edge.wait(lambda: [i["pid"] for i in edge.status("web")["instances"] if i["state"] == "ready"] not in ([], [old]),
              "not back")
    upload.send(1)
    assert upload.client.answer().status in (403, 404, 405)
    assert counter(edge, "replays") < 100


def test_two_uploads_of_one_http2_connection_live_through_deploys(edge, tmp_path):
    from test_h2 import H2
    deploy(edge, tmp_path, "v0")
    bodies = [data(400_000), data(500_000)]
    with H2(edge.address) as c:
        streams = [c.request(f"/echo?{n}", method="POST", end=False) for n in range(2)]
        for n in range(1, 4):
            for stream, body in zip(streams, bodies):
                c.send(stream, body[len(body) * (n - 1) // 4:len(body) * n // 4], end=False)
            edge.wait(lambda n=n: kept(edge) >= 900_000 * n // 4 - 140_000, "they are not kept")
            deploy(edge, tmp_path, f"v{n}")
        for stream, body in zip(streams, bodies):
            c.send(stream, body[len(body) * 3 // 4:])
        c.until(lambda: all(c.streams[s]["ended"] for s in streams))
        digests = [f"{len(body)} {hashlib.sha256(body).hexdigest()}" for body in bodies]
        assert [c.streams[s]["body"].decode() for s in streams] == digests
    assert sorted(executed(tmp_path)) == [f"{n} {d}" for n, d in enumerate(digests)]
    assert counter(edge, "replays") >= 4
