# SPDX-License-Identifier: Apache-2.0
"""vitrine replay (docs/replay.md): recorded requests are sent again, in order, and answers that differ are reported. The
whole way, with a site that records, is in tests/site/test_api_log.py."""
import json
import sqlite3

import pytest

import limits
from limits import lowered
from serving import run
from test_post import Receiver

COLUMNS = ("id", "at", "method", "path", "actor", "headers", "body", "body_cut", "status", "answer", "answer_type",
           "answer_cut", "duration_ms")


def recorded(number, body=None, answer='{"ok": true}', status=200, path="/data/t/-/insert", **more):
    return {"id": number, "at": f"2026-01-31T12:00:{number:02d}.000Z", "method": "POST", "path": path, "actor": "ann",
            "headers": {"content-type": "application/json", "authorization": "***", "x-other": "1"},
            "body": json.dumps({"n": number} if body is None else body), "body_cut": False, "status": status,
            "answer": answer, "answer_type": "application/json", "answer_cut": False, "duration_ms": 1.5, **more}


@pytest.fixture(params=["ndjson", "database"])
def log(request, tmp_path):
    """log(REQUEST...) writes them into a file of that kind and returns its path."""
    def write(*requests):
        path = tmp_path / ("log." + request.param)
        if request.param == "ndjson":
            path.write_text("\n".join(map(json.dumps, requests)) + "\n\n")
            return path
        db = sqlite3.connect(path)
        db.execute(f"create table api_log ({', '.join(COLUMNS)})")
        for one in requests:
            row = {**one, "headers": json.dumps(one["headers"]), "body_cut": int(one["body_cut"])}
            db.execute(f"insert into api_log values ({', '.join('?' * len(COLUMNS))})", [row[c] for c in COLUMNS])
        db.commit()
        db.close()
        return path
    return write


@pytest.fixture
def receiver():
    made = []

    def make(*answers):
        made.append(Receiver(*answers))
        return made[-1]
    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def address(receiver):
    return receiver.url.split("/", 3)[0] + "//" + receiver.url.split("/", 3)[2]


def test_help():
    status, out, err = run("replay", "--help")
    assert (status, err) == (0, "") and "--from LOG --to URL" in out and "Exit status 1" in out
    for option in "--token", "--since", "--only", "--speed", "--timeout", "--ignore", "--dry-run", "--json":
        assert option in out


def test_the_same_answers(log, receiver):
    to = receiver((200, {}, '{"ok":  true}'))
    path = log(recorded(1), recorded(2), recorded(3))
    status, out, err = run("replay", "--from", path, "--to", address(to), "--token", "dstok_x")
    assert (status, err) == (0, "") and "3 sent: 3 the same, 0 differ, 0 without an answer; 0 skipped" in out
    assert [body["n"] for body in to.bodies] == [1, 2, 3]
    headers = {name.lower(): value for name, value in to.headers[0].items()}
    assert headers["authorization"] == "Bearer dstok_x" and headers["content-type"] == "application/json"
    assert "x-other" not in headers


def test_differences(log, receiver):
    to = receiver((200, {}, '{"ok": true, "rows": [{"id": 1, "n": 5}]}'), (500, {}, '{"ok": false}'), (200, {}, "{}"))
    path = log(recorded(1, answer='{"rows": [{"n": 6, "id": 1}], "ok": true}'), recorded(2), recorded(3, body_cut=True),
               recorded(4, answer="{}"))
    status, out, _ = run("replay", "--from", path, "--to", address(to), "--json")
    one, two, three, four = map(json.loads, out.splitlines())
    assert status == 1 and one["result"] == "DIFFERS" and one["difference"] == ".rows[0].n"
    assert two["result"] == "DIFFERS" and two["status"] == 500 and four["result"] == "same"
    assert three["result"] == "skipped"
    to = receiver((200, {}, '{"ok": true, "rows": [{"id": 1, "n": 5}]}'))
    assert run("replay", "--from", path, "--to", address(to), "--ignore", "n", "--since", "2026-01-31T12:00:01",
               "--only", "/data/t")[0] == 1  # the others still differ
    assert len(to.bodies) == 3


def test_nobody_answers(log):
    status, out, _ = run("replay", "--from", log(recorded(1)), "--to", "http://127.0.0.1:1")
    assert status == 1 and "1 without an answer" in out
    status, out, err = run("replay", "--from", "/nowhere/log", "--to", "http://127.0.0.1:1")
    assert status not in (0, 1, 64) and "/nowhere/log" in err


def test_nothing_is_sent(log, receiver):
    to = receiver()
    status, out, _ = run("replay", "--from", log(recorded(1), recorded(2)), "--to", address(to), "--dry-run")
    assert status == 0 and out.count("would") == 2 and not to.bodies


def test_size_of_a_file(receiver, tmp_path):
    path, to = tmp_path / "log.ndjson", receiver((200, {}, '{"ok": true}'))
    for n, good in (3, True), (60, False):
        path.write_text("".join(json.dumps(recorded(i % 60)) + "\n" for i in range(n)))
        status, out, err = run("replay", "--from", path, "--to", address(to), env=lowered(REPLAY_FILE=5000))
        assert (status == 0) == good, (out, err)
    assert "5000" in err and "since" in err and len(to.bodies) == 3 and limits.LIMIT_REPLAY_FILE > 5000
