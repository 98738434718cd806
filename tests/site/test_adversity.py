# SPDX-License-Identifier: Apache-2.0
"""Broken files, hostile requests, exhausted resources: a clear error or a refusal; the process lives, and memory does
not grow."""
import os
import pwd
import random
import resource
import shutil
import socket
import sqlite3
import time
import urllib.parse

import pytest

import serving
from serving import GROWTH_ENV, HOST, make, run, tilde

GOOD = "create table t (id integer primary key, n integer); insert into t values (1, 42);"


def refused_at_start(path, *says):
    """The program does not start with this file, says which and why; exit status of a known fault."""
    status, out, err = run("serve", path, "--port", "0")
    assert status not in (0, 1) and 0 < status < 128, (status, err)
    assert os.path.basename(path) in err and all(word in err for word in says), err
    assert out == ""


# ---- files


@pytest.mark.parametrize("content", [b"hello, this is a text file\n" * 100, b"\0" * 8192, b"PK\3\4" + b"x" * 1000,
                                     b"SQLite format 2\0" + b"\1" * 4096])
def test_not_a_database(tmp_path, content):
    path = tmp_path / "wrong.db"
    path.write_bytes(content)
    refused_at_start(path, "not a")


def test_directory_beside_a_file(tmp_path):
    (tmp_path / "folder.db").mkdir()
    good = make(tmp_path / "good.db", GOOD)
    status, _, err = run("serve", good, tmp_path / "folder.db", "--port", "0")
    assert status not in (0, 1) and "folder.db" in err and "directory" in err, err


def test_no_permission(tmp_path):
    if os.getuid():
        pytest.skip("only root can become another user")
    nobody = pwd.getpwnam("nobody")
    program = shutil.copy(serving.PROGRAM, tmp_path / "program")
    path = make(tmp_path / "private.db", GOOD)
    os.chmod(path, 0o600)
    folder = tmp_path
    while str(folder) not in ("/", "/tmp"):
        os.chmod(folder, 0o755)
        folder = folder.parent
    done = serving.subprocess.run([str(program), "serve", str(path), "--port", "0"], user=nobody.pw_uid,
        group=nobody.pw_gid,
                                  extra_groups=[], stdout=serving.subprocess.PIPE, stderr=serving.subprocess.PIPE,
                                  timeout=30,
                                  env={"PATH": os.environ["PATH"]})
    err = done.stderr.decode()
    assert done.returncode not in (0, 1) and "private.db" in err and "ermission" in err, (done.returncode, err)


@pytest.mark.parametrize("wal", [False, True], ids=["rollback journal", "write-ahead log"])
def test_read_only_folder(tmp_path, wal):
    """A file that another user owns, in a folder where nothing can be made."""
    if os.getuid():
        pytest.skip("only root can become another user")
    nobody = pwd.getpwnam("nobody")
    folder = tmp_path / "read-only"
    folder.mkdir()
    path = make(folder / "theirs.db", GOOD, wal)
    program = shutil.copy(serving.PROGRAM, tmp_path / "program")
    os.chmod(path, 0o644)
    os.chmod(folder, 0o555)
    parent = tmp_path
    while str(parent) not in ("/", "/tmp"):
        os.chmod(parent, 0o755)
        parent = parent.parent
    before = serving.PROGRAM
    serving.PROGRAM = program
    try:
        site = serving.Server(path, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[]).wait()
        try:
            assert site.json("/theirs/t.json")["rows"] == [{"id": 1, "n": 42}]
        finally:
            site.stop()
    finally:
        serving.PROGRAM = before


def test_truncated(server, tmp_path):
    path = make(tmp_path / "short.db",
        GOOD + """with recursive c(i) as (select 2 union all select i + 1 from c where i < 5000)
        insert into t select i, random() from c;""")
    short = shutil.copy(path, tmp_path / "other.db")
    os.truncate(short, os.path.getsize(short) // 2)
    refused_at_start(short, "cut short")
    site = server(path, make(tmp_path / "good.db", GOOD))
    os.truncate(path, os.path.getsize(path) // 2)
    for page in ("/short/t.json?_size=1000", "/short/t?_sort_desc=id", "/short.json", "/short/t.csv?_stream=on", "/"):
        answer = site.get(page)
        assert answer.status in (200, 400, 500), page
    worst = site.get("/short/t.json?_sort_desc=id")
    assert worst.status == 500 and "malformed" in worst.json()["error"] or "short" in worst.json()["error"], worst
    assert site.json("/good/t.json")["rows"] == [{"id": 1, "n": 42}]


def test_damaged_pages(server, tmp_path):
    """Bytes changed at random in copies of a real database: any answer is right but a crash or a hang."""
    source = (serving.DATA / "northwind.db").read_bytes()
    chance = random.Random(20260101)
    for copy in range(12):
        data = bytearray(source)
        for _ in range(chance.choice((1, 30, 2000))):
            data[chance.randrange(0 if copy % 3 == 0 else 100, len(data))] = chance.randrange(256)
        path = tmp_path / f"damaged{copy}.db"
        path.write_bytes(data)
        site = serving.Server(path)
        site.ready.wait(120)
        if site.port is None:
            assert 0 < site.process.wait(120) < 128, site.log()
            site.stopped = True
            continue
        for page in ("", ".json", "/Orders.json", "/Orders", "/Order+Details.json?_sort_desc=Quantity&_facet=ProductID",
                     "/Employees/1", "/Invoices.json?_size=5", "/Products.csv?_stream=on"):
            try:
                assert 200 <= site.get(f"/damaged{copy}{page}").status <= 599
            except (serving.http.client.HTTPException, AssertionError):
                assert site.process.poll() is None, site.log()  # a stream that broke off is cut
        site.alive()
        site.stop()


def test_wal_without_its_files(server, tmp_path):
    """A database in WAL mode, copied without -wal and -shm."""
    path = make(tmp_path / "live.db", GOOD, wal=True)
    copy = shutil.copy(path, tmp_path / "copy.db")
    assert not os.path.exists(str(copy) + "-wal")
    assert server(copy).json("/copy/t.json")["rows"] == [{"id": 1, "n": 42}]


def test_hot_journal(server, tmp_path):
    """A writer died in the middle of a transaction: what it had not committed is not shown."""
    path = make(tmp_path / "hot.db",
        GOOD + """with recursive c(i) as (select 2 union all select i + 1 from c where i < 3000)
        insert into t select i, 0 from c;""")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma cache_size = 2")
    db.execute("begin immediate")
    db.execute("update t set n = 7")
    for suffix in ("", "-journal"):
        shutil.copy(f"{path}{suffix}", f"{tmp_path}/dead.db{suffix}")
    db.execute("rollback")
    refused_at_start(tmp_path / "dead.db", "journal")
    db = sqlite3.connect(tmp_path / "dead.db")  # rolls it back, as the message says
    db.execute("select * from t").fetchone()
    db.close()
    assert server(tmp_path / "dead.db").json("/dead/t/2.json")["rows"][0]["n"] == 0


# ---- names and values


def test_names_with_every_printable_byte(server, tmp_path):
    names = [chr(c) for c in range(0x20, 0x7F)] + ["a" + chr(c) + "b" for c in range(0x20, 0x7F)] + [
        "é", "☃ ☃", "😀", "tab\there", "new\nline", "a.b.json", "x/y/z", "..", "%41", "~41", "-", "_", "select",
        "a" * 500]
    # SQLite compares names without case, and calls what begins with sqlite_ its own
    names = list({name.lower(): name for name in names}.values())
    db = sqlite3.connect(tmp_path / "names.db")
    for n, name in enumerate(names):
        column = serving.quote(name + " column")
        db.execute(f"create table {serving.quote(name)} (id integer primary key, {column} text)")
        db.execute(f"insert into {serving.quote(name)} values (1, ?)", (name,))
    db.commit()
    db.close()
    site = server(tmp_path / "names.db")
    listed = [table["name"] for table in site.json("/names.json")["tables"]]
    assert sorted(listed) == sorted(names)
    for name in names:
        if name in (".", ".."):
            continue
        encoded, column = tilde(name), name + " column"
        assert site.json(f"/names/{encoded}.json")["rows"] == [{"id": 1, column: name}], name
        assert site.json(f"/names/{encoded}/1.json")["rows"] == [{"id": 1, column: name}], name
        assert site.get(f"/names/{encoded}").status == 200 and site.get(f"/names/{encoded}/1").status == 200, name
        assert site.get(f"/names/{encoded}.csv").status == 200
        if not column.startswith("_"):
            assert site.json(f"/names/{encoded}.json", **{column + "__exact": name})["rows"], name
            assert site.json(f"/names/{encoded}.json", _sort=column)["rows"], name
            if not column.startswith("{"):  # means JSON there
                assert site.json(f"/names/{encoded}.json", _facet=column)["rows"], name
    page = site.get("/names")
    assert page.status == 200


def test_database_names(server, tmp_path):
    names = ["with space", "dots.in.it", "é☃", "a~b", "100%", "a+b", "_memory2", "#x", "a'b\"c"]
    site = server(*[make(tmp_path / f"{name}.db", GOOD) for name in names])
    assert sorted(d["name"] for d in site.json("/.json")["databases"]) == sorted(names)
    for name in names:
        assert site.json(f"/{tilde(name)}/t.json")["rows"] == [{"id": 1, "n": 42}], name
        assert site.get(f"/{tilde(name)}").status == 200


def test_two_files_of_one_name(server, tmp_path):
    (tmp_path / "a").mkdir()
    site = server(make(tmp_path / "t.db", GOOD), make(tmp_path / "a/t.db", GOOD))
    assert [d["name"] for d in site.json("/.json")["databases"]] == ["t", "t_2"]


def test_invalid_utf8(server, tmp_path):
    path = make(tmp_path / "bytes.db", """create table t (id integer primary key, a text);
        insert into t values (1, cast(x'ff' as text)), (2, cast(x'61c3' as text)), (3, cast(x'eda080' as text)),
            (4, cast(x'610062' as text)), (5, cast(x'f4908080' as text)), (6, 'fine é');""")
    site = server(path)
    rows = site.json("/bytes/t.json")["rows"]
    assert [row["id"] for row in rows] == [1, 2, 3, 4, 5, 6] and rows[5]["a"] == "fine é"
    for page in ("/bytes/t", "/bytes/t.csv", "/bytes/t.json?_facet=a", "/bytes/t/1", "/bytes/t.json?_sort=a&_size=2"):
        answer = site.get(page)
        assert answer.status == 200, page
        answer.body.decode("utf-8")  # all that goes out is UTF-8
    for path in ("/bytes/t.json?a=%ff", "/bytes/%ff.json", "/%ff", "/bytes/t/%c3.json",
        "/bytes/-/query.json?sql=select+%27%ff%27",
                 "/bytes/~FF.json", "/bytes/t.json?%ff=1", "/bytes/t.json?_sort=%ff"):
        answer = site.get(path)
        assert answer.status in (200, 302, 400, 404), (path, answer)
        answer.body.decode("utf-8")


@pytest.mark.parametrize("path", [
    "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/chinook/..%2f..%2fetc/passwd",
    "/-/static/%2e%2e/%2e%2e/etc/passwd",
    "/-/static/..\\..\\etc\\passwd", "/chinook/~2E~2E", "/chinook/Track%00", "/%00", "/chinook/Track/1%00.json",
    "/chinook~00",
    "/chinook/Track.json?a%00b=1", "/chinook/" + "a" * 4000, "/" + "a/" * 1000, "/chinook/Track/" + "1," * 500 + "1",
    "/chinook/%", "/chinook/%zz", "/chinook/~", "/chinook/~zz", "/chinook/Track.json?%", "/chinook/Track.json?a=%zz",
    "/chinook/Track.json?" + "&" * 1000, "/chinook/Track.json?=", "/chinook/Track.json?_next=%00",
    "/chinook/Track.json?_next=~",
    "/chinook/Track.json?_next=99999999999999999999999", "/chinook/Track.json?_size=99999999999999999999",
    "/chinook/Track.json?_through={", "/chinook/Track.json?_through=[]", "/chinook/Track.json?_timelimit=x",
    "/chinook/Track.json?_facet_size=-1&_facet=GenreId", "/chinook/Track.json?_facet_array=Name",
    "/chinook/Track.json?_facet_date=Name", "/chinook/Track.json?_col=", "/chinook/Track.nope", "/chinook/Track.blob",
    "/chinook/Track/1.blob?_blob_column=Name&_blob_hash=x", "/chinook/-/query.blob?sql=select+1",
    "/chinook/Track.json?_shape=",
    "/northwind/Order+Details/1.json", "/northwind/Order+Details/,.json", "/chinook/Track/9999999999999999999999.json"])
def test_strange_requests(site, path):
    answer = site.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    status = int(answer[9:12])
    assert status in (200, 302, 400, 404, 414), answer[:600]
    assert b"root:" not in answer and b"Traceback" not in answer


# ---- SQL that asks for too much


def test_ten_thousand_columns(site):
    sql = "select " + ", ".join(f"{n} as c{n}" for n in range(10000))
    answer = site.ask("GET", "/chinook/-/query.json?" + urllib.parse.urlencode({"sql": sql}))
    assert answer.status in (400, 414, 431), answer
    sql = "select " + ",".join("1" for _ in range(10000))  # fits into a request line
    assert site.get("/chinook/-/query.json", sql=sql).status in (400, 414)
    sql = "select " + ",".join("1" for _ in range(1900))
    for ending in (".json", "", ".csv"):
        assert site.get(f"/chinook/-/query{ending}", sql=sql).status in (200, 400)
    site.alive()


@pytest.mark.parametrize("sql", [
    "select zeroblob(1000000000)", "select hex(zeroblob(500000000))", "select printf('%1000000000d', 1)",
    "select group_concat(hex(randomblob(1000000))) from Track",
    "select replace(hex(zeroblob(1000000)), '0', hex(zeroblob(1000)))",
    "with recursive c(x) as (select 'a' union all select x || x from c) select x from c limit 1000",
    "select json_group_array(randomblob(100000)) from Track", "select '" + "(" * 3000,
    "select " + "(" * 3000 + "1" + ")" * 3000,
    "select " + "-" * 2001 + " 1", "select 1 " + "union select 1 " * 600,
    "select * from Track, Track, Track, Track order by random()",
    "select like('%_%_%_%_%_%_%_%_%', hex(zeroblob(100000)))", "select * from json_each('[' || hex(zeroblob(1000)))"])
def test_hungry_sql(server, chinook, sql):
    site = server(chinook, "--setting", "sql_time_limit_ms", "1000", env=GROWTH_ENV)
    site.alive()
    before = site.memory_kb()
    for _ in range(3):
        answer = site.get("/chinook/-/query.json", sql=sql)
        assert answer.status in (200, 400, 413, 500, 503, 507), answer
        if answer.status != 200:
            assert answer.json()["error"]
    site.alive()
    assert site.memory_kb() - before < 400_000


# ---- clients


def test_client_goes_away_in_the_middle(server, tmp_path):
    path = make(tmp_path / "big.db", """create table t (id integer primary key, text);
        with recursive c(i) as (select 1 union all select i + 1 from c where i < 20000)
            insert into t select i, hex(randomblob(100)) from c;""")
    site = server(path, "--cache", "0", env=GROWTH_ENV)
    site.alive()
    for n in range(60):
        s = socket.create_connection((HOST, site.port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        whole, half = b"GET /big/t.csv?_stream=on HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /big/t?_size=1000 HTTP/1.1\r\nHo"
        s.sendall(whole if n % 2 else half)
        if n % 4 == 1:
            s.recv(100)
        s.close()
    before = site.memory_kb()
    for _ in range(60):
        s = socket.create_connection((HOST, site.port))
        s.sendall(b"GET /big/t.csv?_stream=on HTTP/1.1\r\nHost: x\r\n\r\n")
        s.recv(1)
        s.close()
    assert site.get("/big/t.json").status == 200
    assert site.memory_kb() - before < 50_000


def test_client_that_does_not_read(server, tmp_path):
    """Its stream waits; others are served; stopping does not wait for it for ever."""
    path = make(tmp_path / "big.db", """create table t (id integer primary key, text);
        with recursive c(i) as (select 1 union all select i + 1 from c where i < 50000)
            insert into t select i, hex(randomblob(100)) from c;""")
    site = server(path)
    lazy = []
    for _ in range(10):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect((HOST, site.port))
        s.sendall(b"GET /big/t.csv?_stream=on HTTP/1.1\r\nHost: x\r\n\r\n")
        s.recv(1)
        lazy.append(s)
    for _ in range(20):
        assert site.get("/big/t/1.json").status == 200
    assert site.get("/big/-/query.json", sql="select 1").status == 200
    for s in lazy:
        s.close()


def test_ten_thousand_idle_connections(server, chinook):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10_000, hard - 500)
    assert count >= 2000, f"only {hard} descriptors are allowed here"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))
    site = server(chinook, env=GROWTH_ENV)
    site.alive()
    before = site.memory_kb()
    idle = [socket.create_connection((HOST, site.port)) for _ in range(count)]
    for n, s in enumerate(idle):
        if n % 2:
            s.sendall(b"GET /chinook HTTP/1.1\r\nHo")  # half a request
    for _ in range(50):
        assert site.get("/chinook/Track/1.json").status == 200
    assert site.memory_kb() - before < count * 30
    for s in idle:
        s.close()
    site.alive()


def test_out_of_descriptors(server, chinook):
    """With few descriptors the server refuses what it cannot take, and recovers."""
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    site = server(chinook, preexec_fn=few)
    site.alive()
    site.hang_up()
    crowd = []
    for _ in range(120):
        s = socket.socket()
        s.settimeout(5)
        s.connect((HOST, site.port))
        crowd.append(s)
    for s in crowd:
        s.close()
    for _ in range(200):
        try:
            if site.get("/chinook/Track/1.json").status == 200:
                break
        except (AssertionError, OSError):
            site.hang_up()
            time.sleep(0.05)
    site.alive()
    assert site.get("/chinook/Artist.json").status == 200


def test_many_databases(server, tmp_path):
    first = make(tmp_path / "d0000.db", GOOD)
    files = [first] + [shutil.copy(first, tmp_path / f"d{n:04}.db") for n in range(1, 600)]
    site = server(*files)
    assert len(site.json("/.json")["databases"]) == 600
    for n in range(0, 600, 7):
        assert site.json(f"/d{n:04}/t/1.json")["rows"] == [{"id": 1, "n": 42}]
    assert site.get("/").status == 200


def test_memory_does_not_grow(server, chinook):
    """The same pages again and again, each with another question, so that none comes from the cache."""
    site = server(chinook, "--cache", "1", env=GROWTH_ENV)

    def ask(n):
        for path in (f"/chinook/Track?_size=50&x={n}", f"/chinook/Track.json?TrackId={n}",
            f"/chinook/Track/{n % 3000 + 1}",
                     f"/chinook/-/query.json?sql=select+{n}", f"/chinook/Nothing{n}", f"/chinook/-/query?sql=selec+{n}",
                     f"/chinook/Album.csv?x={n}"):
            site.get(path)
    for n in range(150):
        ask(n)
    before = site.memory_kb()
    for n in range(150, 600):
        ask(n)
    assert site.memory_kb() - before < 12_000
