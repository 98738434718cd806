# SPDX-License-Identifier: Apache-2.0
"""A change of a file is in the very next answer, however it comes: never an old answer, never an error."""
import json
import os
import shutil
import sqlite3
import threading

import pytest

from serving import make

SCRIPT = "create table t (id integer primary key, n integer); insert into t values (1, 0);"


def writer(path):
    return sqlite3.connect(path, isolation_level=None, timeout=60)


@pytest.mark.parametrize("wal", [False, True], ids=["rollback journal", "write-ahead log"])
def test_commit_is_in_the_next_answer(server, tmp_path, wal):
    path = make(tmp_path / "live.db", SCRIPT, wal)
    site, db = server(path), writer(path)
    for n in range(1, 200):
        db.execute("update t set n = ?", (n,))
        assert site.json("/live/t/1.json")["rows"][0]["n"] == n
        assert site.json("/live/t.json")["rows"][0]["n"] == n
        if n % 20 == 0:
            assert f">{n}<" in site.get("/live/t?_labels=off").text.replace(" ", "")
            assert site.sql("live", "select n from t")["rows"] == [{"n": n}]
            if wal:
                db.execute("pragma wal_checkpoint(truncate)" if n % 40 else "pragma wal_checkpoint")
                assert site.json("/live/t/1.json")["rows"][0]["n"] == n
    db.close()
    assert site.json("/live/t/1.json")["rows"][0]["n"] == 199


@pytest.mark.parametrize("wal", [False, True], ids=["rollback journal", "write-ahead log"])
def test_nobody_is_behind_in_a_crowd(server, tmp_path, wal):
    """Requests of one wake-up share one look at the file. Whoever asks after a commit still sees it."""
    path = make(tmp_path / "live.db", SCRIPT, wal)
    site, committed, behind, done = server(path), [0], [], threading.Event()

    def ask(which):
        connection = site.connect()
        while not done.is_set():
            least = committed[0]
            connection.request("GET", "/live/t.json" if which % 2 else "/live/t/1.json")
            seen = json.loads(connection.getresponse().read())["rows"][0]["n"]
            if seen < least:
                behind.append((seen, least))
        connection.close()

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    db = writer(path)
    for n in range(1, 300):
        db.execute("update t set n = ?", (n,))
        committed[0] = n
    db.close()
    done.set()
    for thread in threads:
        thread.join()
    assert not behind


@pytest.mark.parametrize("wal", [False, True], ids=["rollback journal", "write-ahead log"])
def test_uncommitted_is_not_seen(server, tmp_path, wal):
    path = make(tmp_path / "live.db", SCRIPT, wal)
    site, db = server(path), writer(path)
    db.execute("begin immediate")
    db.execute("update t set n = 5")
    assert site.json("/live/t/1.json")["rows"][0]["n"] == 0
    db.execute("rollback")
    assert site.json("/live/t/1.json")["rows"][0]["n"] == 0
    db.execute("begin")
    db.execute("update t set n = 6")
    db.execute("commit")
    assert site.json("/live/t/1.json")["rows"][0]["n"] == 6


@pytest.mark.parametrize("wal", [False, True], ids=["rollback journal", "write-ahead log"])
def test_schema_change(server, tmp_path, wal):
    path = make(tmp_path / "live.db", SCRIPT, wal)
    site, db = server(path), writer(path)
    assert site.get("/live/later.json").status == 404
    db.execute("create table later (x)")
    assert site.json("/live/later.json")["rows"] == []
    db.execute("alter table t add column extra default 'e'")
    assert site.json("/live/t/1.json")["rows"] == [{"id": 1, "n": 0, "extra": "e"}]
    assert [t["name"] for t in site.json("/live.json")["tables"]] == ["later", "t"]
    db.execute("drop table later")
    assert site.get("/live/later.json").status == 404 and "later" not in site.get("/live").text
    db.execute("create view v as select n + 1 as m from t")
    assert site.json("/live/v.json")["rows"] == [{"m": 1}]
    assert site.json("/.json")["databases"][0]["views_count"] == 1


def test_count_follows(server, tmp_path):
    path = make(tmp_path / "live.db", SCRIPT)
    site, db = server(path), writer(path)
    for n in range(2, 30):
        db.execute("insert into t (n) values (?)", (n,))
        assert site.json("/live/t.json", _extra="count", _size=0)["count"] == n
        assert site.json("/live.json")["tables"][0]["count"] == n


def test_vacuum_and_journal_mode(server, tmp_path):
    path = make(tmp_path / "live.db", SCRIPT)
    site, db = server(path), writer(path)
    for mode in ("truncate", "persist", "memory", "delete", "wal"):
        db.execute(f"pragma journal_mode = {mode}")
        db.execute("update t set n = n + 1")
        wanted = db.execute("select n from t").fetchone()[0]
        assert site.json("/live/t/1.json")["rows"][0]["n"] == wanted, mode
    db.execute("vacuum")
    assert site.json("/live/t/1.json")["rows"][0]["n"] == 5


@pytest.mark.parametrize("cache", ["64", "0"])
def test_file_is_replaced(server, tmp_path, cache):
    path = make(tmp_path / "live.db", SCRIPT)
    site = server(path, "--cache", cache)
    for n in range(1, 6):
        new = make(tmp_path / "new.db", SCRIPT + f"update t set n = {n};")
        os.replace(new, path)
        assert site.json("/live/t/1.json")["rows"][0]["n"] == n


def test_file_is_deleted_and_comes_back(server, tmp_path):
    path = make(tmp_path / "live.db", SCRIPT)
    other = make(tmp_path / "other.db", SCRIPT)
    site = server(path, other)
    assert site.json("/live/t/1.json")["ok"]
    os.unlink(path)
    answer = site.get("/live/t/1.json")
    assert answer.status in (200, 500, 503, 404)
    if answer.status != 200:
        assert "live" in answer.json()["error"]
    assert site.json("/other/t/1.json")["ok"] and site.get("/").status == 200
    make(path, SCRIPT + "update t set n = 77;")
    assert site.json("/live/t/1.json")["rows"][0]["n"] == 77
    site.alive()


def test_file_is_overwritten_in_place(server, tmp_path):
    path = make(tmp_path / "live.db", SCRIPT)
    site = server(path)
    assert site.json("/live/t/1.json")["rows"][0]["n"] == 0
    script = "create table other (x); insert into other values (1);" + SCRIPT + "update t set n = 9;"
    new = make(tmp_path / "new.db", script)
    shutil.copyfile(new, path)
    assert site.json("/live/t/1.json")["rows"][0]["n"] == 9
    path.write_bytes(b"no longer a database at all" * 1000)
    answer = site.get("/live/t/1.json")
    assert answer.status >= 400 and answer.json()["ok"] is False
    site.alive()


def test_locked_by_a_writer(server, tmp_path):
    """While a writer holds the file alone, an answer comes from the cache or says that it is locked; later it works."""
    path = make(tmp_path / "live.db", SCRIPT)
    site, db = server(path, "--cache", "0"), writer(path)
    db.execute("begin exclusive")
    answer = site.get("/live/t/1.json")
    assert answer.status in (400, 500, 503) and "lock" in answer.json()["error"].lower(), answer
    assert site.get("/-/versions.json").status == 200
    db.execute("commit")
    assert site.json("/live/t/1.json")["rows"][0]["n"] == 0
