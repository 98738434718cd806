# SPDX-License-Identifier: Apache-2.0
"""The walls of the site where work waits, where it writes and where it starts: what happens at each is what
src/base/limits.h says."""
import base64
import contextlib
import hashlib
import io
import json
import os
import re
import select
import socket
import sqlite3
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

import limits
import writing
from limits import lowered
from serving import HOST, make, run

ENDLESS = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
PUBLIC = "--setting", "metrics.public", "true"
TUS = {"Tus-Resumable": "1.0.0"}


def until(condition):
    end = time.monotonic() + 60
    while not (got := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return got


def metric(site, name, lane=None):
    name += f'{{lane="{lane}"}} ' if lane else " "
    return next(float(line[len(name):]) for line in site.get("/-/metrics").text.splitlines() if line.startswith(name))


@pytest.fixture
def start(tmp_path):
    started = []

    def go(*options, path=None, **more):
        started.append(writing.serve(path or writing.make(tmp_path / "data.db"), "--state", tmp_path / "state", *PUBLIC,
                                     *options, **more))
        return started[-1]
    yield go
    for one in started:
        one.stop()


@contextlib.contextmanager
def locked(path):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("begin immediate")
    try:
        yield
    finally:
        db.execute("rollback")
        db.close()


class Asked:
    """A request of its own connection that nobody waits for."""

    def __init__(self, site, path, head="", method="GET", body=""):
        self.socket = socket.create_connection((HOST, site.port), timeout=120)
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}{length}\r\n{body}".encode())

    def answer(self):
        got = b""
        while piece := self.socket.recv(65536):
            got += piece
        return got.decode()


# ---- queues


def test_queue_of_sql(start):
    site = start("--setting", "sql_time_limit_ms", "60000", "--setting", "num_sql_threads", "1", "--setting",
                 "trusted_proxies", "127.0.0.1", env=lowered(SQL_QUEUE=2))  # LIMIT_SQL_QUEUE
    path = "/data/-/query.json?" + urllib.parse.urlencode({"sql": ENDLESS})
    asked = [Asked(site, path, "X-Forwarded-For: 192.0.2.1\r\n")]
    until(lambda: metric(site, "vitrine_workers_busy", "sql") == 1)
    asked += [Asked(site, path, f"X-Forwarded-For: 192.0.2.{n}\r\n") for n in (2, 3)]
    until(lambda: metric(site, "vitrine_queue_length", "sql") == 2)
    got = Asked(site, path, "X-Forwarded-For: 192.0.2.4\r\n").answer()
    assert got.startswith("HTTP/1.1 503") and "\r\nretry-after: 1\r\n" in got and "Try again" in got
    for one in asked:
        one.socket.close()
    until(lambda: metric(site, "vitrine_workers_busy", "sql") == 0)


def test_queue_of_pages(start, tmp_path):
    (tmp_path / "templates/pages").mkdir(parents=True)
    (tmp_path / "templates/pages/endless.html").write_text("{{ sql('%s') }}" % ENDLESS)
    site = start("--setting", "sql_time_limit_ms", "60000", "--template-dir", tmp_path / "templates",
                 env=lowered(PAGE_QUEUE=1))  # LIMIT_PAGE_QUEUE
    waiting, refused = [], 0

    def full():
        """Two are at work and one waits: any further one is refused."""
        nonlocal refused
        waiting.append(Asked(site, "/endless"))
        for one in select.select([o.socket for o in waiting], [], [], 0.05)[0]:
            refused += one.recv(65536).startswith(b"HTTP/1.1 503")
            one.close()
        waiting[:] = [o for o in waiting if o.socket.fileno() >= 0]
        return refused and len(waiting) == 3

    until(full)
    got = site.get("/data/docs/1.json")
    assert got.status == 503 and got.header("retry-after") == "1" and "Try again" in got.json()["error"]
    for one in waiting:
        one.socket.close()
    until(lambda: site.get("/data/docs/1").status == 200)


def test_queue_of_sign_ins(start, tmp_path):
    digest = hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 300_000)
    (tmp_path / "c.json").write_text(json.dumps({"plugins": {"datasette-auth-passwords": {
        "ann_password_hash": "pbkdf2_sha256$300000$salt$" + base64.b64encode(digest).decode()}}}))
    site = start("--config", tmp_path / "c.json", env=lowered(SIGN_IN_QUEUE=1))  # LIMIT_SIGN_IN_QUEUE
    head = "Content-Type: application/x-www-form-urlencoded\r\n"
    asked = [Asked(site, "/-/login", head, "POST", "username=ann&password=password") for _ in range(6)]
    got = [one.answer() for one in asked]
    assert {text[9:12] for text in got} == {"302", "503"}
    assert all("retry-after: 1" in text for text in got if text[9:12] == "503")


def upload(site, name="a.csv", data="id,n\n1,2\n"):
    """What making it answers; complete when that is 201."""
    got = site.ask("POST", "/-/upload", {**writing.bearer(), **TUS, "Upload-Length": str(len(data)), "Upload-Metadata":
                                         "filename " + base64.b64encode(name.encode()).decode()})
    if got.status == 201 and data:
        done = site.ask("PATCH", got.header("location"), {**writing.bearer(), **TUS, "Upload-Offset": "0",
                                                          "Content-Type": "application/offset+octet-stream"}, data)
        assert done.status == 204, done
    return got


def test_queue_of_imports(start, tmp_path):
    site = start(env=lowered(IMPORT_QUEUE=1))  # LIMIT_IMPORT_QUEUE
    pages = [upload(site).header("location").replace("/-/upload/", "/-/import/") for _ in range(8)]

    def begin(n):
        fields = {"action": "start", "mode": "create", "database": "data", "table": f"t{n}", "name.0": "id", "name.1": "n"}
        return site.form(pages[n], **fields)

    with locked(tmp_path / "data.db"):
        began = 0
        while (got := begin(began)).status == 303:
            began += 1
        assert got.status == 503 and "Too many imports are waiting" in got.text and 1 <= began < 8
    until(lambda: all(site.ask("GET", page + ".json", writing.cookie()).json()["state"] == "done"
                      for page in pages[:began]))
    assert begin(began).status == 303


def test_queue_of_uploads(start, tmp_path):
    site = start(env=lowered(UPLOAD_QUEUE=1))  # LIMIT_UPLOAD_QUEUE
    assert metric(site, "vitrine_queue_limit", "upload") == 1

    def send(n):
        own = site.connect()
        own.request("POST", f"/data/t{n}/-/import?pk=id", "".join(json.dumps({"id": i, "s": "x" * 1000}) + "\n"
                                                                 for i in range(1500)),
                    {**writing.bearer(), "Content-Type": "application/x-ndjson", "Accept": "application/json"})
        answer = own.getresponse()
        got = json.loads(answer.read())
        own.close()
        return answer.status, got.get("created")

    with ThreadPoolExecutor(5) as pool:  # two are written at a time, one waits, the others try again
        assert list(pool.map(send, range(5))) == [(200, 1500)] * 5


@pytest.mark.parametrize("limit", [{"API_LOG_QUEUE": 5}, {"API_LOG_BYTES": 40_000}])  # LIMIT_API_LOG_QUEUE, LIMIT_API_LOG_BYTES
def test_api_log_that_cannot_be_written(start, tmp_path, limit):
    site = start("--setting", "api_log", "1", "--internal", tmp_path / "internal.db", env=lowered(**limit))
    row = {"row": {"title": "x" * 5000}}
    site.post("/data/docs/-/insert", row, 201)
    until(lambda: site.get("/-/api-log.json", writing.bearer()).json()["requests"])
    with locked(tmp_path / "internal.db"):
        for _ in range(12):
            site.post("/data/docs/-/insert", row, 201)
        dropped = metric(site, "vitrine_api_log_dropped_total")
        assert 0 < dropped < 12
    until(lambda: len(site.get("/-/api-log.json", writing.bearer()).json()["requests"]) + dropped == 13)


def test_queue_of_upkeep(start, tmp_path):
    """Who finds it full does it: what is logged is written, and no request waits for ever."""
    site = start("--setting", "api_log", "1", "--internal", tmp_path / "internal.db", env=lowered(UPKEEP_QUEUE=1))
    assert metric(site, "vitrine_queue_limit", "upkeep") == 1  # LIMIT_UPKEEP_QUEUE
    for _ in range(30):
        site.post("/data/docs/-/insert", {"row": {"title": "x"}}, 201)
    until(lambda: len(site.get("/-/api-log.json?_size=100", writing.bearer()).json()["requests"]) == 30)


# ---- writing


def test_another_process_holds_the_lock(start, tmp_path):
    site = start(env=lowered(DB_WRITE_BUSY_MS=100))  # LIMIT_DB_WRITE_BUSY_MS
    with locked(tmp_path / "data.db"):
        got = site.post("/data/docs/-/insert", {"row": {"title": "x"}}, 503)
        assert "locked" in got.json()["error"] and "try again" in got.json()["hint"] and got.header("retry-after")
    site.post("/data/docs/-/insert", {"row": {"title": "x"}}, 201)


def test_writes_that_take_long(start, tmp_path):
    many = "with recursive c(i) as (select 1 union all select i + 1 from c where i < 20000) insert into %s select i from c;"
    make(tmp_path / "data.db", writing.SCHEMA + "create table many (n); create table other (n);" + many % "many" +
         many % "other")
    site = start(path=tmp_path / "data.db", env=lowered(WRITE_TIME_MS=300))  # LIMIT_WRITE_TIME_MS
    slow = "update many set n = (select count(*) from other where other.n > many.n)"
    got = site.post("/data/-/execute-write", {"sql": slow}, 400).json()
    assert "300 ms" in got["error"], got
    assert site.json("/data/many.json?_size=1&_shape=array") == [{"rowid": 1, "n": 1}]


def test_writes_of_a_size(start):
    site = start(env=lowered(IMPORT_RECORD=1000, UPLOADS=3))
    # LIMIT_WRITE_COLUMNS
    for n, status in (limits.LIMIT_WRITE_COLUMNS, 201), (limits.LIMIT_WRITE_COLUMNS + 1, 400):
        got = site.post("/data/-/create", {"table": f"t{n}", "row": {f"c{i}": 1 for i in range(n)}}, status)
    assert "too many columns" in got.json()["error"] and str(limits.LIMIT_WRITE_COLUMNS) in got.json()["error"]
    # LIMIT_IMPORT_RECORD
    lines = [json.dumps({"id": i, "title": "x" * n}) for i, n in ((50, 10), (51, 960), (52, 10))]
    good = site.ask("POST", "/data/docs/-/import", {**writing.bearer(), "Content-Type": "application/x-ndjson",
                                                    "Accept": "application/json"}, "\n".join(lines))
    assert good.status == 200 and good.json()["created"] == 3
    lines[1] = json.dumps({"id": 61, "title": "x" * 1000})
    lines[0], lines[2] = lines[0].replace("50", "60"), lines[2].replace("52", "62")
    got = site.ask("POST", "/data/docs/-/import", {**writing.bearer(), "Content-Type": "application/x-ndjson",
                                                   "Accept": "application/json"}, "\n".join(lines))
    assert got.json()["ok"] is False and "1000 bytes" in got.text, got
    assert [r["id"] for r in site.rows("docs") if r["id"] >= 60] in ([], [60])
    # LIMIT_UPLOADS, LIMIT_UPLOAD_NAME
    for n in 10, limits.LIMIT_UPLOAD_NAME, limits.LIMIT_UPLOAD_NAME + 100:
        page = upload(site, "é" + "n" * (n - 6) + ".csv").header("location").replace("/-/upload/", "/-/import/")
        name = site.ask("GET", page + ".json", writing.cookie()).json()["name"]
        assert len(name.encode()) == min(n, limits.LIMIT_UPLOAD_NAME)
    got = upload(site)
    assert got.status == 429 and "3 uploads" in got.text and "delete" in got.text, got
    page = site.ask("DELETE", page.replace("/-/import/", "/-/upload/"), {**writing.bearer(), **TUS})
    assert page.status == 204 and upload(site).status == 201


# ---- start


def test_files_checked_at_start(tmp_path, start):
    good = [make(tmp_path / f"g{i}.db", "create table t (a)") for i in range(2)]
    bad = tmp_path / "bad.db"
    bad.write_bytes(b"no database at all, whatever it is called" * 100)
    for n, env in (2, {}), (2, lowered(CHECK_AT_START=3)):  # LIMIT_CHECK_AT_START
        status, _, err = run("serve", *good[:n], bad, "--port", "0", env=env)
        assert status and "bad.db" in err
    site = start(good[1], bad, path=good[0], env=lowered(CHECK_AT_START=2))
    assert site.get("/g1/t.json").status == 200
    got = site.get("/bad.json")
    assert got.status == 500 and "not a SQLite database" in got.json()["error"]


def test_schemas(start, tmp_path):
    make(tmp_path / "wide.db", "begin;" + "".join(f"create table t{i} (a, b, c);" for i in range(2000)) + "commit")
    site = start(path=tmp_path / "wide.db", env=lowered(SCHEMA_TIME_MS=1))  # LIMIT_SCHEMA_TIME_MS
    got = site.get("/wide/t1.json")
    assert got.status == 400 and "the schema of wide took longer than 1 ms" in got.json()["error"], got


def test_removed_names(server, tmp_path):
    for name in "abc":
        make(tmp_path / f"{name}.db", "create table t (id)")
    site = server(tmp_path, env=lowered(REMOVED_NAMES=1))  # LIMIT_REMOVED_NAMES
    for name in "ab":
        os.unlink(tmp_path / f"{name}.db")
        until(lambda: f"{name} was removed" in site.get(f"/{name}.json").text)  # noqa: B023
    assert site.get("/a.json").json()["error"] == "Database not found"


def test_configuration(tmp_path, start):
    path = tmp_path / "c.json"
    for size, good in (limits.LIMIT_CONFIG_FILE, True), (limits.LIMIT_CONFIG_FILE + 1, False):
        text = json.dumps({"title": "t"})
        path.write_text(text + " " * (size - len(text)))
        status, out, err = run("config", "check", path)
        assert (status == 0) == good, err
    assert str(limits.LIMIT_CONFIG_FILE) in err and "smaller" in err
    path.write_text(json.dumps({"databases": {"data": {"imports": [
        {"table": f"t{i}", "schedule": "every 1d", "pk": "id", "file": "/nowhere"} for i in range(4)]}},
        **{f"unknown{i}": 1 for i in range(limits.LIMIT_CONFIG_LOGGED + 3)}}))
    site = start("--config", path, env=lowered(SCHEDULE_IMPORTS=3))
    assert site.logs("3 more; run vitrine config check")
    log = site.log()
    assert sum(f"unknown{i}" in log for i in range(limits.LIMIT_CONFIG_LOGGED + 3)) == limits.LIMIT_CONFIG_LOGGED
    # LIMIT_SCHEDULE_IMPORTS
    assert len(site.get("/-/imports.json", writing.bearer()).json()["imports"]) == 3
    assert site.logs("more than 3 imports")


def test_secret(tmp_path):
    path = make(tmp_path / "a.db", "create table t (a)")
    (tmp_path / "state").mkdir()
    (tmp_path / "state/secret").write_text("s" * (limits.LIMIT_SECRET_FILE + 1))
    status, _, err = run("serve", path, "--state", tmp_path / "state", "--port", "0")
    assert status and str(limits.LIMIT_SECRET_FILE) in err and "smaller" in err


def test_known_passwords(start, tmp_path):
    names = [f"u{i}" for i in range(limits.LIMIT_KNOWN_PASSWORDS + 1)]
    quick = "pbkdf2_sha256$1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs="  # password
    (tmp_path / "c.json").write_text(json.dumps({"plugins": {"datasette-auth-passwords": {
        "http_basic_auth": True, **{f"{name}_password_hash": quick for name in names}}}}))
    site = start("--config", tmp_path / "c.json")

    def ask(name):
        token = base64.b64encode(f"{name}:password".encode()).decode()
        return site.get("/-/actor.json", {"Authorization": "Basic " + token}).json()["actor"]["id"]

    assert [ask(name) for name in names] == names
    token = {"Authorization": "Basic " + base64.b64encode(f"{names[-1]}:password".encode()).decode()}

    def hashed():
        return int(re.search(r'^vitrine_jobs_total{lane="sign-in"} (\d+)', site.get("/-/metrics", token).text, re.M)[1])

    until(lambda: hashed() == len(names))
    for _ in range(5):
        assert ask(names[-1]) == names[-1] and ask(names[0]) == names[0]
    until(lambda: hashed() == len(names) + 1)  # the first was forgotten
    assert ask(names[-1]) == names[-1] and hashed() == len(names) + 1
    for n, to in (limits.LIMIT_SIGN_IN_NEXT, "/" + "n" * (limits.LIMIT_SIGN_IN_NEXT - 1)), (limits.LIMIT_SIGN_IN_NEXT + 1, "/"):
        got = site.ask("POST", "/-/login", {"Content-Type": "application/x-www-form-urlencoded", **token},
                       urllib.parse.urlencode({"username": "u1", "password": "password", "next": "/" + "n" * (n - 1)}))
        assert (got.status, got.header("location")) == (302, to)


def test_counts_on_disk(start, tmp_path):
    make(tmp_path / "big.db", "create table t (id integer primary key);"
         "with recursive c(i) as (select 1 union all select i + 1 from c where i < 110000) insert into t select i from c")
    site = start("--internal", tmp_path / "internal.db", path=tmp_path / "big.db")
    site.get("/big/t.json")
    site.stop()
    with sqlite3.connect(tmp_path / "internal.db") as db:
        db.execute("delete from kept_counts")
        db.execute("with recursive c(i) as (select 1 union all select i + 1 from c where i < ?) insert into kept_counts "
                   "(id, file, table_name, identity, count) select i, 'f', 't' || i, x'00', 1 from c",
                   (limits.LIMIT_COUNTS_ON_DISK + 5,))
    db.close()
    site = start("--internal", tmp_path / "internal.db", path=tmp_path / "big.db")

    def kept():
        site.get("/big/t.json?_size=0&_extra=count")
        db = sqlite3.connect(tmp_path / "internal.db")
        got = db.execute("select count(*), min(id), max(table_name = 't') from kept_counts").fetchone()
        db.close()
        return got

    until(lambda: kept()[2])
    assert kept()[:2] == (limits.LIMIT_COUNTS_ON_DISK, 7)


def test_forms(start, tmp_path):
    new = 2  # rows for columns that may be added
    for n in limits.LIMIT_FORM_COLUMNS - new, limits.LIMIT_FORM_COLUMNS:
        make(tmp_path / "forms.db", f"create table t{n} ({', '.join(f'c{i}' for i in range(n))})")
    site = start(path=tmp_path / "forms.db")
    good = site.ask("GET", f"/forms/t{limits.LIMIT_FORM_COLUMNS - new}/-/alter-table", writing.cookie())
    assert good.status == 200
    got = site.ask("GET", f"/forms/t{limits.LIMIT_FORM_COLUMNS}/-/alter-table", writing.cookie())
    assert got.status == 413 and "too many columns for a form" in got.text and "/-/alter" in got.text


def test_preview_of_a_workbook(start):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("s")
    for row in range(4 * limits.LIMIT_INGEST_PREVIEW_ROWS):
        sheet.append([row + 1 if row else "id"])
    out = io.BytesIO()
    book.save(out)
    site = start()
    page = upload(site, "a.xlsx", out.getvalue()).header("location").replace("/-/upload/", "/-/import/")
    seen = int(re.search("Seen so far: the first ([0-9,]+) rows", site.ask("GET", page, writing.cookie()).text)[1].replace(",", ""))
    assert limits.LIMIT_INGEST_PREVIEW_ROWS <= seen < 3 * limits.LIMIT_INGEST_PREVIEW_ROWS
