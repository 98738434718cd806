# SPDX-License-Identifier: Apache-2.0
"""vitrine backup and restore: whole copies beside writers and servers, kept by rule, checked, and brought back."""
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

import limits
import serving

FAULTS = limits.COMPILED_IN


def vitrine(*arguments, status=0, env=None):
    done = subprocess.run([serving.PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})})
    fits = done.returncode > 0 if status == "error" else done.returncode == status
    assert fits, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def lines(*arguments):
    return [json.loads(line) for line in vitrine(*arguments, "--json").splitlines()]


def make(path, rows=100, wal=True):
    with sqlite3.connect(path) as db:
        if wal:
            db.execute("pragma journal_mode = wal")
        db.execute("create table t (id integer primary key, s text)")
        db.execute("create virtual table search using fts5 (s)")
        db.executemany("insert into t (s) values (?)", [(f"row {i}",) for i in range(rows)])
    db.close()
    return path


def rows(path):
    db = sqlite3.connect(path)
    try:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        return db.execute("select * from t order by id").fetchall()
    finally:
        db.close()


def change(path, sql):
    db = sqlite3.connect(path)
    with db:
        db.execute(sql)
    db.close()


@pytest.mark.parametrize("wal", [True, False])
def test_there_and_back(tmp_path, wal):
    db, folder, back = make(tmp_path / "data.db", wal=wal), tmp_path / "deep/backups", tmp_path / "back.db"
    one, = lines("backup", db, "--to", folder)
    assert one["name"] == "data" and one["tables"]["t"] == 100 and one["bytes"] == os.path.getsize(one["file"])
    change(db, "insert into t (s) values ('new')")
    two, = lines("backup", db, "--to", folder)
    assert [x["id"] for x in lines("restore", folder)] == [one["id"], two["id"]]
    assert "101 rows" in vitrine("restore", folder).replace("103 rows", "101 rows")
    vitrine("restore", folder, "data", "--to", back)
    assert rows(back) == rows(db) and len(rows(back)) == 101
    vitrine("restore", folder, "--at", one["taken"], "--to", tmp_path / "older.db")
    assert len(rows(tmp_path / "older.db")) == 100
    assert not list(tmp_path.glob("*.part")) and not list(folder.glob("**/*.part"))


def test_what_has_not_changed_takes_no_room(tmp_path):
    db, folder = make(tmp_path / "data.db"), tmp_path / "b"
    one, = lines("backup", db, "--to", folder)
    two, = lines("backup", db, "--to", folder)
    assert one["sha256"] == two["sha256"] and one["file"] != two["file"]
    assert os.stat(one["file"]).st_ino == os.stat(two["file"]).st_ino


def test_beside_a_writer(tmp_path):
    """Every copy is of one moment: the two tables that change together are equal in it. Writers never wait long."""
    db, folder, stop, failed = tmp_path / "data.db", tmp_path / "b", threading.Event(), []
    with sqlite3.connect(db) as c:
        c.executescript("pragma journal_mode = wal; create table t (id integer primary key, s text);"
                        "create table u (id integer primary key, s text);")
        c.executemany("insert into t (s) values (?)", [("x" * 1000,) for _ in range(5000)])
        c.execute("insert into u select * from t")

    def write():
        c = sqlite3.connect(db, timeout=60)
        try:
            while not stop.is_set():
                with c:
                    c.execute("insert into t (s) values ('y')")
                    c.execute("insert into u (s) values ('y')")
        except sqlite3.Error as error:
            failed.append(error)
        c.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        taken = [lines("backup", db, "--to", folder)[0] for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    assert not failed
    assert all(one["tables"]["t"] == one["tables"]["u"] for one in taken)


def test_a_served_database_is_brought_back(server, tmp_path):
    """The server goes on, and its very next answer is the old data; what was there is a backup now."""
    db, folder = make(tmp_path / "data.db"), tmp_path / "b"
    vitrine("backup", db, "--to", folder)
    s = server(db)
    assert s.json("/data/t.json?_size=0&_extra=count")["count"] == 100
    change(db, "delete from t where id > 3")
    assert s.json("/data/t.json?_size=0&_extra=count")["count"] == 3
    first = lines("restore", folder)[0]
    done = lines("restore", folder, "data", "--at", first["taken"], "--to", db)
    assert [d["done"] for d in done] == ["backed up", "restored"]
    assert s.json("/data/t.json?_size=0&_extra=count")["count"] == 100
    assert lines("restore", folder)[-1]["tables"]["t"] == 3
    assert s.log().count("rror") == 0


@pytest.fixture
def server():
    started = []

    def start(*arguments, **options):
        started.append(serving.Server(*arguments, **options).wait())
        return started[-1]
    yield start
    for s in started:
        s.stop()


def test_rules_of_keeping(tmp_path):
    db, folder = make(tmp_path / "data.db", 1), tmp_path / "b"
    one, = lines("backup", db, "--to", folder)
    source = pathlib.Path(one["file"])
    days = ["20260101", "20260102", "20260131", "20260201", "20260215", "20260216", "20260301"]
    for day in days:  # copies of other days, as if taken then
        for hour in ("08", "20"):
            for suffix in (".db", ".json"):
                shutil.copy(source.with_suffix(suffix), source.with_name(f"{day}T{hour}0000.000Z{suffix}"))
    (folder / "data/20250101T000000.000Z.db").write_bytes(b"no json beside it")
    (folder / "data/.20250101T000000.000Z.part").write_bytes(b"half")
    vitrine("backup", db, "--to", folder, "--keep-daily", 3, "--keep-monthly", 4, "--keep", 1)
    left = [x["id"][:11] for x in lines("restore", folder)]
    today = one["id"][:11]
    # newest of three days: today, 1 March, 16 February; of four months: today's, March, February, January
    assert left == ["20260131T20", "20260216T20", "20260301T20", today], left
    assert sorted(p.suffix for p in (folder / "data").iterdir() if p.name != ".lock") == [".db"] * 4 + [".json"] * 4
    vitrine("backup", db, "--to", folder)
    assert len(lines("restore", folder)) == 5  # without a rule nothing goes


def test_several_at_once_and_a_bad_one(tmp_path):
    a, b, bad = make(tmp_path / "a.db"), make(tmp_path / "b.db"), tmp_path / "bad.db"
    bad.write_bytes(b"no database at all" * 100)
    said = vitrine("backup", a, bad, b, "--to", tmp_path / "x", status="error")
    assert "bad.db" in said
    assert [x["name"] for x in lines("restore", tmp_path / "x")] == ["a", "b"]
    assert list((tmp_path / "x").glob("bad/*.db")) == []


def test_damage_is_found_and_nothing_is_touched(tmp_path):
    db, folder, to = make(tmp_path / "data.db", 5000), tmp_path / "b", tmp_path / "to.db"
    one, = lines("backup", db, "--to", folder)
    assert "whole" in vitrine("restore", folder, "--check")
    with open(one["file"], "r+b") as f:
        f.seek(9000)
        f.write(b"rust")
    assert "bytes have changed" in vitrine("restore", folder, "--check", status="error")
    assert "bytes have changed" in vitrine("restore", folder, "data", "--to", to, status="error")
    assert not to.exists()
    make(to, 7)
    vitrine("restore", folder, "data", "--to", to, "--at", one["taken"], status="error")
    assert len(rows(to)) == 7


@pytest.mark.parametrize("arguments, says", [
    (("backup",), "which database"), (("backup", "DB"), "--to FOLDER"), (("backup", "DB", "--to", "B", "--keep", "0"), "1 to"),
    (("backup", "DB", "--to", "B", "--name", "../x"), "no name for a backup"), (("backup", "DB", "DB", "--to", "B"), "same name"),
    (("backup", "gone.db", "--to", "B"), "gone.db"), (("restore",), "which folder"), (("restore", "gone"), "cannot read gone"),
    (("restore", "B", "nobody", "--to", "x.db"), "nobody"),
    (("restore", "B", "data", "--at", "1999", "--to", "x.db"), "oldest is of"),
    (("restore", "B", "--at", "2020"), "--to FILE"), (("backup", "--nope"), "--nope")])
def test_mistakes_are_told(tmp_path, arguments, says):
    db = make(tmp_path / "data.db", 1)
    vitrine("backup", db, "--to", tmp_path / "B")
    names = {"DB": db, "B": tmp_path / "B", "gone.db": tmp_path / "gone.db"}
    done = subprocess.run([serving.PROGRAM, *(str(names.get(a, a)) for a in arguments)], capture_output=True, text=True,
                          cwd=tmp_path)
    assert done.returncode > 0 and says in done.stderr, done
    assert not (tmp_path / "x.db").exists()


def test_names_and_manifests_have_limits(tmp_path):
    db = make(tmp_path / "data.db", 1)
    vitrine("backup", db, "--to", tmp_path / "b", "--name", "n" * limits.LIMIT_BACKUP_NAME)
    vitrine("backup", db, "--to", tmp_path / "b", "--name", "n" * (limits.LIMIT_BACKUP_NAME + 1), status="error")
    said = vitrine("backup", db, "--to", tmp_path / "c", status="error", env=limits.lowered(BACKUP_MANIFEST=50))
    assert str(50) in said and not list((tmp_path / "c").glob("data/2*"))  # LIMIT_BACKUP_MANIFEST


@pytest.mark.skipif(not FAULTS, reason="built without fault points")
@pytest.mark.parametrize("action", ["kill", "fail"])
@pytest.mark.parametrize("point", ["copy.step", "backup.copied", "backup.named", "backup.restore"])
def test_a_kill_leaves_the_old_or_the_new(tmp_path, point, action):
    db, folder, to = make(tmp_path / "data.db", 50), tmp_path / "b", tmp_path / "to.db"
    vitrine("backup", db, "--to", folder)
    change(db, "insert into t (s) values ('new')")
    fault = {"VITRINE_FAULT": f"{point}:1:{action}"}
    wanted = -signal.SIGKILL if action == "kill" else "error"
    if point == "backup.restore":
        vitrine("restore", folder, "data", "--to", to, status=wanted, env=fault)
        assert not to.exists()
    else:
        vitrine("backup", db, "--to", folder, status=wanted, env=fault)
        assert len(lines("restore", folder)) == 1
        if point == "copy.step":
            make(to, 3)
            vitrine("restore", folder, "data", "--to", to, "--no-backup", status=wanted, env=fault)
            assert len(rows(to)) == 3
    vitrine("backup", db, "--to", folder)
    assert len(lines("restore", folder)) == 2
    assert not list((folder / "data").glob(".*.part")) and len(list((folder / "data").glob("*.db"))) == 2
    vitrine("restore", folder, "data", "--to", to, *([] if not to.exists() else ["--no-backup"]))
    assert len(rows(to)) == 51


def test_a_full_disk(tmp_path):
    db, folder = make(tmp_path / "data.db", 20000), tmp_path / "b"
    done = subprocess.run(["sh", "-c", 'ulimit -f 200; trap "" XFSZ; exec "$@"', "sh", serving.PROGRAM, "backup", db, "--to",
                           folder], capture_output=True, text=True)
    assert done.returncode > 0 and ("full" in done.stderr or "large" in done.stderr or "I/O" in done.stderr), done
    assert not list((folder / "data").glob("*2*"))


def test_help():
    for command in ("backup", "restore"):
        assert "--to" in vitrine(command, "--help")
