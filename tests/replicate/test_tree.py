# SPDX-License-Identifier: Apache-2.0
"""vitrine backup and restore of whole folders: every file byte for byte, databases while they are written, nothing
outside of the folder, and what was killed goes on."""
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import stat

import pytest

import limits
from test_backup import FAULTS, change, lines, make, rows, vitrine

ODD = [b"plain.txt", b"with space.txt", b"new\nline", b"per%cent%41", "münchen.csv".encode(), b"not-utf8-\xff\xfe", b"-rf",
       b".hidden", b"quote'\"\\", b"n" * 255]


def make_site(folder):
    """What a space holds: databases at two depths, templates, an empty folder, odd names, modes."""
    (folder / "data/templates").mkdir(parents=True)
    (folder / "data/static/deep/deeper").mkdir(parents=True)
    (folder / "data/empty").mkdir()
    (folder / "state/uploads").mkdir(parents=True)
    make(folder / "data/things.db")
    make(folder / "data/things.sqlite", 7)
    make(folder / "data/static/deep/map.mbtiles", 5, wal=False)
    make(folder / "state/internal.db", 3)
    (folder / "data/vitrine.yaml").write_text("title: A site\n")
    (folder / "data/templates/table.html").write_text("<p>{{ x }}</p>\n")
    (folder / "data/nothing.txt").write_bytes(b"")
    (folder / "state/uploads/big.csv").write_bytes(os.urandom(3_000_000))
    for name in ODD:
        (folder / "data/static/deep" / os.fsdecode(name)).write_bytes(name * 3)
    (folder / "data/static/run.sh").write_text("#!/bin/sh\n")
    os.chmod(folder / "data/static/run.sh", 0o4755)
    os.chmod(folder / "data/vitrine.yaml", 0o600)
    os.chmod(folder / "data/empty", 0o2750)
    os.chmod(folder / "data/static/deep/deeper", 0o500)
    os.utime(folder / "data/templates/table.html", ns=(1, 1_234_567_890_123_456_789))
    return folder


def facts(folder):
    """Path -> what it is: for plain files bytes, mode and time, for databases their rows."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        name = os.fsencode(path.relative_to(folder))
        if name.endswith((b"-wal", b"-shm")):  # they come and go as the databases are read here
            continue
        now = path.lstat()
        if stat.S_ISDIR(now.st_mode):
            found[name] = ("folder", now.st_mode & 0o777)
        elif stat.S_ISREG(now.st_mode) and path.read_bytes()[:15] == b"SQLite format 3":
            found[name] = ("database", rows(path), now.st_mode & 0o777)
        elif stat.S_ISREG(now.st_mode):
            found[name] = ("file", path.read_bytes(), now.st_mode & 0o777, now.st_mtime_ns)
    return found


def objects(folder, name="site"):
    return {p.name: p.stat().st_ino for p in (folder / name / "objects").iterdir()}


def test_there_and_back(tmp_path):
    site, folder, back = make_site(tmp_path / "site"), tmp_path / "deep/backups", tmp_path / "back"
    one, = lines("backup", site, "--to", folder)
    assert one["name"] == "site" and one["databases"] == 4 and one["files"] == 5 + len(ODD) and one["folders"] == 8
    assert one["left_out"] == 0
    vitrine("restore", folder, "site", "--to", back)
    assert facts(back) == facts(site)
    assert not (back / "data/static/run.sh").stat().st_mode & stat.S_ISUID, "no set-user-id comes out of a backup"
    assert not list(tmp_path.glob("*.part"))
    # The databases have backups of their own, each under one name.
    names = {x["name"] for x in lines("restore", folder)}
    assert names == {"site", "things", "things.sqlite", "map", "internal"}
    vitrine("restore", folder, "things", "--to", tmp_path / "t.db")
    assert len(rows(tmp_path / "t.db")) == 100
    whole = lines("restore", folder, "--check")
    assert {x["name"] for x in whole} == names and all(x["done"] == "whole" for x in whole)


def test_what_has_not_changed_takes_no_room(tmp_path):
    site, folder = make_site(tmp_path / "site"), tmp_path / "b"
    one, = lines("backup", site, "--to", folder)
    before = objects(folder)
    copies = {p.stat().st_ino for p in folder.glob("things/*.db")}
    assert copies & set(before.values()), "the copy of a database is its content too"
    two, = lines("backup", site, "--to", folder)
    assert objects(folder) == before and one["bytes"] == two["bytes"]
    (site / "data/nothing.txt").write_text("something")
    change(site / "data/things.db", "insert into t (s) values ('new')")
    lines("backup", site, "--to", folder)
    assert len(objects(folder)) == len(before) + 2
    vitrine("restore", folder, "site", "--at", one["id"], "--to", tmp_path / "older")
    assert (tmp_path / "older/data/nothing.txt").read_bytes() == b"" and len(rows(tmp_path / "older/data/things.db")) == 100
    # Keeping: contents go with the last backup that has them.
    lines("backup", site, "--to", folder, "--keep", "1")
    assert [x["name"] for x in lines("restore", folder)].count("site") == 1
    assert len(objects(folder)) == len(before)
    vitrine("restore", folder, "site", "--to", tmp_path / "newest")
    assert facts(tmp_path / "newest") == facts(site)


def test_nothing_outside_is_read(tmp_path):
    site, folder, secret = make_site(tmp_path / "site"), tmp_path / "b", tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("do not copy me")
    (site / "data/out").symlink_to(secret)
    (site / "data/key.txt").symlink_to(secret / "key")
    (site / "data/out.db").symlink_to(make(tmp_path / "other.db"))
    os.mkfifo(site / "data/pipe")
    one, = lines("backup", site, "--to", folder, "--except", "state", "--except", "data/empty")
    assert one["left_out"] == 4 and one["databases"] == 3
    assert not any(b"do not copy" in p.read_bytes() for p in folder.rglob("*") if p.is_file())
    vitrine("restore", folder, "site", "--to", tmp_path / "back")
    assert sorted(p.name for p in (tmp_path / "back").iterdir()) == ["data"]
    assert not (tmp_path / "back/data/empty").exists()
    assert not any(p.is_symlink() for p in (tmp_path / "back").rglob("*"))
    # Neither is anything outside written: a link that stands where a folder was is not followed.
    back = tmp_path / "back"
    shutil.rmtree(back / "data/static/deep")
    (back / "data/static/deep").symlink_to(secret)
    vitrine("restore", folder, "site", "--to", back, "--no-backup", status="error")
    assert [p.name for p in secret.iterdir()] == ["key"]


def test_backups_inside_of_the_folder(tmp_path):
    site = make_site(tmp_path / "site")
    for _ in range(3):
        one, = lines("backup", site, "--to", site / "backups")
        assert one["folders"] == 8 and one["databases"] == 4
    assert [x["name"] for x in lines("restore", site / "backups")].count("site") == 3


def test_a_folder_in_use_is_brought_back(server, tmp_path):
    """The server goes on, and its next answer is the old data; what was there before is a backup, what came stays."""
    site, folder = make_site(tmp_path / "site"), tmp_path / "b"
    lines("backup", site, "--to", folder)
    s = server(site / "data/things.db")
    assert s.json("/things/t.json?_size=0&_extra=count")["count"] == 100
    change(site / "data/things.db", "delete from t where id > 3")
    assert s.json("/things/t.json?_size=0&_extra=count")["count"] == 3
    (site / "data/templates/table.html").write_text("broken")
    (site / "data/vitrine.yaml").unlink()
    (site / "data/new.txt").write_text("new")
    said = lines("restore", folder, "site", "--to", site)
    assert [x["done"] for x in said] == ["backed up", "restored"]
    assert s.json("/things/t.json?_size=0&_extra=count")["count"] == 100
    assert (site / "data/templates/table.html").read_text() == "<p>{{ x }}</p>\n"
    assert (site / "data/vitrine.yaml").read_text() == "title: A site\n" and (site / "data/new.txt").read_text() == "new"
    vitrine("restore", folder, "site", "--at", said[0]["id"], "--to", tmp_path / "undone")
    assert (tmp_path / "undone/data/templates/table.html").read_text() == "broken"
    assert len(rows(tmp_path / "undone/data/things.db")) == 3


def test_bytes_that_changed_on_the_disk(tmp_path):
    site, folder, to = make_site(tmp_path / "site"), tmp_path / "b", tmp_path / "to"
    lines("backup", site, "--to", folder)
    big = max((folder / "site/objects").iterdir(), key=lambda p: p.stat().st_size)
    content = bytearray(big.read_bytes())
    content[1_000_000] ^= 1
    big.write_bytes(content)
    assert "bytes have changed" in vitrine("restore", folder, "site", "--to", to, status="error") and not to.exists()
    assert "big.csv" in vitrine("restore", folder, "--check", status="error"), "it is set aside, and missing"
    lines("backup", site, "--to", folder)
    assert vitrine("restore", folder, "--check", "--all"), "what the disk lost is stored again, for the old backup too"
    big.write_bytes(content[:5])
    assert "another length" in vitrine("restore", folder, "site", "--check", status="error")
    big.unlink()
    assert "gone" in vitrine("restore", folder, "site", "--check", status="error")
    lines("backup", site, "--to", folder)
    assert vitrine("restore", folder, "--check")
    tree = max((folder / "site").glob("*.tree"))
    tree.write_text(tree.read_text().replace("data/vitrine.yaml", "../../vitrine.yaml"))
    assert "not what vitrine backup writes" in vitrine("restore", folder, "site", "--to", to, status="error")


def test_a_damaged_database_does_not_keep_the_rest_from_being_saved(tmp_path):
    site, folder = make_site(tmp_path / "site"), tmp_path / "b"
    (site / "data/bad.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    said = vitrine("backup", site, "--to", folder, status="error")
    assert "data/bad.db" in said
    vitrine("restore", folder, "site", "--to", tmp_path / "back")
    assert (tmp_path / "back/data/bad.db").read_bytes() == (site / "data/bad.db").read_bytes()
    assert len(rows(tmp_path / "back/data/things.db")) == 100


def test_limits(tmp_path):
    site, folder = tmp_path / "site", tmp_path / "b"
    deep = site.joinpath(*["d"] * (limits.LIMIT_BACKUP_DEPTH + 1))
    deep.parent.mkdir(parents=True)
    lines("backup", site, "--to", folder)
    deep.mkdir()
    assert "folders deep" in vitrine("backup", site, "--to", folder, status="error")  # LIMIT_BACKUP_DEPTH
    shutil.rmtree(site)
    long = site.joinpath(*["p" * 200] * 10)  # LIMIT_BACKUP_PATH: 2000 bytes and the slashes between
    assert len(str(long.relative_to(site))) > limits.LIMIT_BACKUP_PATH
    long.mkdir(parents=True)
    assert "path has over" in vitrine("backup", site, "--to", folder, status="error")
    shutil.rmtree(site)
    site.mkdir()
    for i in range(4):
        (site / f"{i}.txt").write_text("x")
    few = limits.lowered(BACKUP_FILES=3)  # LIMIT_BACKUP_FILES
    assert "more than 3 files" in vitrine("backup", site, "--to", folder, status="error", env=few)
    assert len(lines("restore", folder, "site")) == 1


@pytest.mark.skipif(not FAULTS, reason="built without fault points")
@pytest.mark.parametrize("action", ["kill", "fail"])
@pytest.mark.parametrize("point", ["copy.step:2", "backup.named:1", "tree.stored:6", "tree.taken:1", "tree.restored:9"])
def test_a_kill_leaves_the_old_or_the_new(tmp_path, point, action):
    site, folder, to = make_site(tmp_path / "site"), tmp_path / "b", tmp_path / "to"
    fault = {"VITRINE_FAULT": f"{point}:{action}"}
    wanted = -signal.SIGKILL if action == "kill" else "error"
    if point.startswith("tree.restored"):
        lines("backup", site, "--to", folder)
        vitrine("restore", folder, "site", "--to", to, status=wanted, env=fault)
        assert not to.exists() and (tmp_path / "to.part").exists(), "whole or not at all; the next run goes on with it"
    else:
        vitrine("backup", site, "--to", folder, status=wanted, env=fault)
        assert not [x for x in lines("restore", folder) if x["name"] == "site"] or point.startswith(("copy", "backup"))
        before = objects(folder)
        lines("backup", site, "--to", folder)
        after = objects(folder)
        assert not (set(before) - {".part"}) - set(after) and ".part" not in after
        assert all(after[name] == inode for name, inode in before.items() if name != ".part"), "none is written again"
    assert all(x["done"] == "whole" for x in lines("restore", folder, "--check"))
    vitrine("restore", folder, "site", "--to", to)
    assert facts(to) == facts(site) and not list(tmp_path.glob("*.part"))
