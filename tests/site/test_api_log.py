# SPDX-License-Identifier: Apache-2.0
"""The API log, and `vitrine replay`: what is recorded, what is not, who may see it, and that requests sent again to a
copy of the database give the same answers."""
import json
import shutil
import sqlite3
import time

import pytest

import serving
from serving import run
from writing import bearer, cookie, make, serve, signed

FULL = ("api_log", "1")


@pytest.fixture
def start(tmp_path):
    started = []

    def go(*settings, name="data.db", fresh=True, internal="internal.db"):
        path = tmp_path / name if not fresh else make(tmp_path / name)
        options = [o for k, v in settings for o in ("--setting", k, v)]
        started.append(serve(path, "--internal", tmp_path / internal, *options))
        started[-1].internal = tmp_path / internal
        return started[-1]
    yield go
    for server in started:
        server.stop()


def logged(site, least):
    """What was recorded; it is written in the background."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        got = site.get("/-/api-log.json", bearer()).json()["requests"]
        if len(got) >= least:
            return got
        time.sleep(0.01)
    raise AssertionError(f"{len(got)} requests, not {least}")


def test_what_is_recorded(start):
    site = start(FULL)
    site.post("/data/docs/-/insert", {"row": {"title": "é"}}, 201, {**bearer("root"), "X-Api-Token": "hidden"})
    site.post("/data/docs/-/insert", {"row": {"title": "x"}}, 403, {})
    site.form("/data/docs/1/-/edit-row?x=1", **{"v.title": "changed"})
    site.get("/data/docs/1.json")
    site.form("/-/login", username="a", password="opensesame")
    edited, refused, inserted = logged(site, 3)
    assert len(logged(site, 3)) == 3
    assert (inserted["method"], inserted["path"], inserted["actor"], inserted["status"]) == (
        "POST", "/data/docs/-/insert", "root", 201)
    assert json.loads(inserted["body"]) == {"row": {"title": "é"}} and json.loads(inserted["answer"])["ok"] is True
    assert inserted["duration_ms"] > 0 and inserted["body_cut"] is False
    headers = {k.lower(): v for k, v in inserted["headers"].items()}
    assert headers["authorization"] == headers["x-api-token"] == "***" and headers["content-type"] == "application/json"
    assert (refused["actor"], refused["status"]) == (None, 403)
    assert edited["path"] == "/data/docs/1/-/edit-row?x=1"
    assert {k.lower(): v for k, v in edited["headers"].items()}["cookie"] == "***"
    page = site.get("/-/api-log", cookie()).text
    assert "/data/docs/-/insert" in page and "opensesame" not in page
    lines = [json.loads(x) for x in site.get("/-/api-log.ndjson", bearer()).text.splitlines()]
    assert [x["id"] for x in lines] == [1, 2, 3]
    for path in ("/-/api-log", "/-/api-log.json", "/-/api-log.ndjson"):
        assert site.get(path).status == 403
    assert site.get("/-/api-log.nope", bearer()).status == 404
    db = sqlite3.connect(site.internal)
    assert db.execute("select count(*) from api_log").fetchone() == (3,)
    assert "opensesame" not in str(db.execute("select * from api_log").fetchall())


def test_it_is_off_unless_asked_for(start):
    site = start()
    site.post("/data/docs/-/insert", {"row": {"title": "x"}}, 201)
    answer = site.get("/-/api-log.json", bearer()).json()
    assert answer["enabled"] is False and answer["requests"] == []
    assert "not being recorded" in site.get("/-/api-log", bearer()).text


def test_bounds(start):
    site = start(FULL, ("api_log_max_rows", "3"), ("api_log_max_body_bytes", "20"))
    for i in range(8):
        site.post("/data/docs/-/insert", {"row": {"title": "x" * 40}}, 201)
        logged(site, min(i + 1, 3))
    end = time.monotonic() + 60
    while site.get("/-/api-log.json", bearer()).json()["requests"][0]["id"] < 8 and time.monotonic() < end:
        time.sleep(0.01)
    got = logged(site, 3)
    assert [r["id"] for r in got] == [8, 7, 6]
    assert all(r["body_cut"] and len(r["body"]) == 20 for r in got)


def test_what_waits_is_written_at_the_end(start):
    site = start(FULL)
    for _ in range(20):
        site.post("/data/docs/-/insert", {"row": {"title": "x"}}, 201)
    site.stop()
    assert sqlite3.connect(site.internal).execute("select count(*) from api_log").fetchone() == (20,)


def token():
    return "dstok_" + signed({"a": "root", "t": int(time.time())}, "token")


def test_replay(start, tmp_path):
    make(tmp_path / "copy.db")
    site = start(FULL)
    site.post("/data/docs/-/insert", {"row": {"title": "a"}, "return": True}, 201)
    site.post("/data/docs/1/-/update", {"update": {"title": "b"}, "return": True}, 200)
    site.post("/data/docs/-/alter", {"operations": [{"op": "add_column", "args": {"name": "z", "type": "text"}}]}, 200)
    site.post("/data/docs/99/-/delete", {}, 404)
    logged(site, 4)
    lines = site.get("/-/api-log.ndjson", bearer()).text
    site.stop()
    (tmp_path / "log.ndjson").write_text(lines)
    (tmp_path / "fresh").mkdir()
    shutil.copy(tmp_path / "copy.db", tmp_path / "fresh/data.db")
    other = start(name="fresh/data.db", fresh=False, internal="other.db")
    to = f"http://{serving.HOST}:{other.port}"
    status, out, err = run("replay", "--from", tmp_path / "internal.db", "--to", to, "--dry-run")
    assert (status, err) == (0, "") and out.count("would") == 4
    status, out, err = run("replay", "--from", tmp_path / "internal.db", "--to", to + "/", "--token", token())
    assert (status, err) == (0, ""), out
    assert "4 sent: 4 the same, 0 differ" in out
    # once more: the row is another one, the column is there by now
    status, out, err = run("replay", "--from", tmp_path / "log.ndjson", "--to", to, "--token", token(), "--json")
    results = [json.loads(line) for line in out.splitlines()]
    assert status == 1 and [r["result"] for r in results] == ["DIFFERS", "same", "DIFFERS", "same"] or results[1]["difference"]
    assert results[0]["difference"] == ".rows[0].id" and results[2]["status"] == 400
    status, out, _ = run("replay", "--from", tmp_path / "log.ndjson", "--to", to, "--token", token(), "--only",
                         "/data/docs/99", "--json")
    assert status == 0 and len(out.splitlines()) == 1
    status, out, _ = run("replay", "--from", tmp_path / "log.ndjson", "--to", to, "--since", "9999")
    assert status == 0 and out.startswith("0 sent")
    status, out, _ = run("replay", "--from", tmp_path / "log.ndjson", "--to", to, "--only", "/data/docs/-/insert")
    assert status == 1 and "201 -> 403" in out  # nobody is signed in
    status, out, _ = run("replay", "--from", tmp_path / "log.ndjson", "--to", to, "--token", token(), "--only",
                         "/data/docs/-/insert", "--ignore", "id", "--ignore", "z")
    assert status == 0, out


def test_replay_of_nothing_useful(tmp_path):
    to = ("--to", "http://127.0.0.1:1")
    (tmp_path / "bad.ndjson").write_text('{"method": "POST", "path": "/x"}\nnonsense\n')
    make(tmp_path / "other.db")
    status, out, err = run("replay", "--from", tmp_path / "bad.ndjson", *to)
    assert status != 0 and "bad.ndjson, line 2" in err and "failed" in out
    assert "holds no API log" in run("replay", "--from", tmp_path / "other.db", *to)[2]
    assert run("replay", "--from", tmp_path / "nope", *to)[0] != 0
    assert run("replay", *to)[0] == run("replay", "--from", "x")[0] == run("replay", "--speed", "x")[0] == 64
    (tmp_path / "cut.ndjson").write_text('{"method": "POST", "path": "/x", "body_cut": true}\n')
    status, out, _ = run("replay", "--from", tmp_path / "cut.ndjson", *to)
    assert status == 0 and "skipped" in out
