# SPDX-License-Identifier: Apache-2.0
"""Imports on a schedule: only what differs is written, with history; nothing is done twice or at the same time, and what
was missed is made up for. No test waits for a schedule: the first run is due at once, later ones are asked for."""
import email.utils
import http.server
import json
import sqlite3
import threading
import time
import xml.etree.ElementTree

import pytest

from writing import bearer, cookie, make, serve

ONE = "id,name,size\n1,a,10\n2,b,20\n3,c,30\n4,d,40\n"
TWO = "id,name,size,new\n1,a,10,x\n2,B,20,\n3,c,30,\n5,e,50,\n"


@pytest.fixture
def start(tmp_path):
    started = []

    def go(*imports, sql="create table other (id integer primary key)"):
        make(tmp_path / "data.db", sql) if not (tmp_path / "data.db").exists() else None
        config = {"databases": {"data": {"imports": [
            {"table": "things", "schedule": "every 1d", "pk": "id", "file": str(tmp_path / "things.csv"), **i}
            for i in imports]}}}
        (tmp_path / "c.json").write_text(json.dumps(config))
        started.append(serve(tmp_path / "data.db", "--config", tmp_path / "c.json", "--internal", tmp_path / "internal.db"))
        return started[-1]
    yield go
    for server in started:
        server.stop()


def entry(site, table="things"):
    imports = site.get("/-/imports.json", bearer()).json()["imports"]
    return next(i for i in imports if i["table"] == table)


def until(condition, what):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition(what()):
            return what()
        time.sleep(0.02)
    raise AssertionError(what())


def ran(site, table="things"):
    """After the run that is due or going on."""
    return until(lambda e: not e["running"] and e["last_run"], lambda: entry(site, table))


def run_again(site, table="things"):
    site.post("/-/imports", {"database": "data", "table": table}, 202)
    return ran(site, table)


def test_only_what_differs(start, tmp_path):
    (tmp_path / "things.csv").write_text(ONE)
    site = start({"history": True, "vanished": "delete"})
    got = ran(site)
    assert (got["result"], got["rows"], got["added"], got["changed"], got["removed"]) == ("imported", 4, 4, 0, 0), got
    assert site.rows("things") == [{"id": i, "name": n, "size": i * 10} for i, n in enumerate("abcd", 1)]
    assert run_again(site)["result"] == "not modified"
    (tmp_path / "things.csv").write_text(TWO)
    got = run_again(site)
    assert (got["added"], got["changed"], got["removed"]) == (1, 3, 1), got  # the new column is empty, not null
    assert [(r["id"], r["name"], r["new"]) for r in site.rows("things")] == [
        (1, "a", "x"), (2, "B", ""), (3, "c", ""), (5, "e", "")]
    changes = site.json("/data/things/-/history.json")["changes"]
    assert changes[-1]["op"] == "start" and {c["via"] for c in changes} == {"import"}
    assert changes[0]["who"].endswith("things.csv")
    feed = xml.etree.ElementTree.fromstring(site.get("/data/things/-/history.atom").text)
    titles = [e.findtext("{http://www.w3.org/2005/Atom}title") for e in feed.findall("{http://www.w3.org/2005/Atom}entry")]
    assert "things 4 deleted" in titles and "things 2 changed" in titles and "things 5 added" in titles
    page = site.get("/-/imports", cookie()).text
    assert "data/things" in page and "Run now" in page
    assert site.get("/-/imports").status == site.get("/-/imports.json").status == 403
    assert site.post("/-/imports", {"database": "data", "table": "things"}, 403, {})
    assert site.post("/-/imports", {"database": "data", "table": "nope"}, 404)


def test_keeping_and_marking(start, tmp_path):
    (tmp_path / "things.csv").write_text(ONE)
    site = start({"vanished": "mark"})
    ran(site)
    (tmp_path / "things.csv").write_text("id,name,size\n1,a,10\n3,c,30\n4,d,40\n")
    assert run_again(site)["removed"] == 1
    assert [r["id"] for r in site.rows("things") if r["vanished_at"]] == [2]
    (tmp_path / "things.csv").write_text(ONE + "\n")
    assert run_again(site)["changed"] == 1
    assert not [r for r in site.rows("things") if r["vanished_at"]]


def test_held_back(start, tmp_path):
    (tmp_path / "things.csv").write_text(ONE)
    site = start({"vanished": "delete"})  # and no max_removed_percent: LIMIT_SCHEDULE_REMOVED, half of them
    ran(site)
    (tmp_path / "things.csv").write_text("id,name,size\n1,changed,10\n")
    got = run_again(site)
    assert got["result"] == "failed" and "held back: 3 of 4" in got["error"] and got["failures"] == 1
    assert "max_removed_percent" in got["hint"]
    assert [r["name"] for r in site.rows("things")] == ["a", "b", "c", "d"]
    (tmp_path / "things.csv").write_text("id,name,size\n1,changed,10\n2,b,20\n")
    got = run_again(site)
    assert (got["result"], got["removed"], got["failures"], got["error"]) == ("imported", 2, 0, None)


def test_failures_back_off(start, tmp_path):
    site = start({}, {"table": "broken", "schedule": "at six"}, {"table": "none", "pk": []})
    got = ran(site)
    assert got["result"] == "failed" and "There is no file" in got["error"]
    waits = []
    for n in range(2, 5):
        got = run_again(site)
        assert got["failures"] == n
        times = [time.mktime(time.strptime(got[k], "%Y-%m-%dT%H:%M:%SZ")) for k in ("last_run", "next_run")]
        waits.append(times[1] - times[0])
    assert all(60 * 2**i <= w < 60 * 2**(i + 1) for i, w in enumerate(waits, 1)), waits
    assert "is no schedule" in entry(site, "broken")["problem"] and "pk" in entry(site, "none")["problem"]
    assert "cannot run" in site.get("/-/imports", cookie()).text
    site.post("/-/imports", {"database": "data", "table": "broken"}, 404)
    (tmp_path / "things.csv").write_text(ONE)
    assert run_again(site)["failures"] == 0


def test_state_is_kept_and_missed_runs_are_made_up_for_once(start, tmp_path):
    (tmp_path / "things.csv").write_text(ONE)
    site = start({})
    first = ran(site)
    site.stop()
    site = start({})
    assert entry(site)["last_run"] == first["last_run"] and not entry(site)["running"]
    site.stop()
    db = sqlite3.connect(tmp_path / "internal.db")
    db.execute("update import_runs set next_run = 1000000, started = 900000, etag = ''")
    db.commit()
    db.close()
    site = start({})
    got = until(lambda e: e["last_run"] > "2001", lambda: entry(site))
    assert got["result"] == "imported" and got["added"] == 0
    site.stop()
    db = sqlite3.connect(tmp_path / "internal.db")  # as after a clock that was far in the future
    db.execute("update import_runs set next_run = 9999999999")
    db.commit()
    db.close()
    site = start({"schedule": "every 1m"})
    assert entry(site)["next_run"] is not None
    site.post("/-/imports", {"database": "data", "table": "things"}, 202)
    assert ran(site)["next_run"] < "2200"


class Web(http.server.BaseHTTPRequestHandler):
    body, etag, seen, status = ONE, '"1"', [], 200

    def do_GET(self):
        Web.seen.append(self.headers.get("If-None-Match"))
        if Web.status != 200 or self.headers.get("If-None-Match") == Web.etag:
            self.send_response(Web.status if Web.status != 200 else 304)
            self.end_headers()
            return
        data = Web.body.encode()
        self.send_response(200)
        self.send_header("ETag", Web.etag)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Date", email.utils.formatdate())
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def test_from_the_web(start):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        site = start({"file": "", "url": f"http://127.0.0.1:{server.server_port}/things.csv", "history": True})
        assert ran(site)["added"] == 4
        assert run_again(site)["result"] == "not modified" and Web.seen[-1] == '"1"'
        Web.body, Web.etag = TWO, '"2"'
        got = run_again(site)
        assert got["result"] == "imported" and got["added"] == 1 and got["removed"] == 0  # vanished rows are kept
        Web.status = 404
        got = run_again(site)
        assert got["result"] == "failed" and "404" in got["error"]
        Web.status = 200
        assert run_again(site)["result"] == "not modified"
    finally:
        server.shutdown()
        server.server_close()


def test_the_end_of_the_process_is_no_failure(start, tmp_path):
    rows = "".join(f"{i},{'x' * 50}\n" for i in range(300000))
    (tmp_path / "things.csv").write_text("id,name\n" + rows)
    site = start({})
    until(lambda e: e["running"] or e["last_run"], lambda: entry(site))
    site.stop()
    db = sqlite3.connect(tmp_path / "internal.db")
    assert db.execute("select count(*) from import_runs where failures > 0").fetchone() == (0,)
    there = sqlite3.connect(tmp_path / "data.db").execute(
        "select count(*) from sqlite_schema where name = 'things'").fetchone()[0]
    assert not there or sqlite3.connect(tmp_path / "data.db").execute("select count(*) from things").fetchone() == (300000,)
