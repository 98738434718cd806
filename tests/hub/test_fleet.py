# SPDX-License-Identifier: Apache-2.0
"""Spaces to another version and back, under requests; backups of all and what they are good for."""
import json
import os
import re
import shutil
import sqlite3
import subprocess
import threading

import pytest
from hub_rig import Hub, wait_for
from limits import lowered

import serving


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Its spaces may be asked as often as a test likes."""
    made = Hub(tmp_path_factory.mktemp("hub"),
               change=lambda text: text.replace("requests_per_minute: 6000", "requests_per_minute: 0"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def three(hub):
    """A hub with three public spaces, each with a table."""
    ana = hub.browser()
    ana.sign_up("ana@example.org")
    origins = {}
    for name in ("alpha", "beta", "gamma"):
        origins[name] = ana.new_space(name)
        ana.post(f"/spaces/{name}", {"title": name, "visibility": "public"})
        data = hub.folder / "spaces" / hub.space_json(name)["id"] / "data"
        db = sqlite3.connect(data / "things.db")
        db.executescript("create table t (id integer primary key, name text); insert into t (name) values ('one'), ('two')")
        db.close()
        os.chown(data / "things.db", data.stat().st_uid, data.stat().st_gid)
        assert wait_for(lambda: ana.get(f"{origins[name]}/things/t.json").status == 200)
    return ana, origins


class Load:
    """Asks one space again and again; every answer that is not 200 is kept."""

    def __init__(self, browser, url):
        self.browser, self.url, self.count, self.bad, self.ended = browser, url, 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.ended.is_set():
            page = self.browser.get(self.url)
            self.count += 1
            if page.status != 200:
                self.bad.append(page)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def fleet(hub, *arguments):
    done = hub.run("fleet", *arguments, "--dir", hub.folder)
    return done


def versions(hub):
    return {v["version"]: v["spaces"] for v in json.loads(fleet(hub, "status", "--json").stdout)["versions"]}


def test_upgrade_loses_nothing_and_pinned_spaces_stay(hub, three):
    ana, origins = three
    assert fleet(hub, "pin", "gamma").returncode == 0
    with Load(hub.browser(), origins["alpha"] + "/things/t.json") as load:
        done = fleet(hub, "upgrade", "--canary", "beta", "--watch", "1", "--json")
    assert done.returncode == 0, (done.stderr, hub.log())
    report = json.loads(done.stdout)
    assert report["ok"] and report["spaces"] == report["changed"] == 2 and report["pinned"] == 1, report
    assert done.stderr.index("beta: serves") < done.stderr.index("alpha: serves"), "the canary went first"
    assert load.count > 5 and not load.bad, load.bad
    assert versions(hub) == {report["version"]: 2, "": 1}
    again = fleet(hub, "upgrade", "--watch", "0", "--json")
    assert json.loads(again.stdout)["changed"] == 0, "they have it already"
    assert fleet(hub, "unpin", "gamma").returncode == 0 and fleet(hub, "pin", "no-such").returncode == 5


def test_names_that_are_none(hub, three):
    """A canary that is mistyped would be no canary: nothing begins."""
    before = json.loads(fleet(hub, "status", "--json").stdout)["last_run"]
    wrong = fleet(hub, "upgrade", "--canary", "alpha", "--canary", "alhpa")
    assert wrong.returncode == 5 and 'no space "alhpa"' in wrong.stderr and "first part of its address" in wrong.stderr, wrong
    assert fleet(hub, "pin", "gamma").returncode == 0
    pinned = fleet(hub, "upgrade", "--canary", "gamma")
    assert pinned.returncode and "is pinned" in pinned.stderr and "fleet unpin gamma" in pinned.stderr, pinned
    assert fleet(hub, "unpin", "gamma").returncode == 0
    for words, says in ((("pin",), "which space.*pin NAME"), (("pin", "none"), 'no space "none".*Administration'),
                        (("status", "now"), "one word too many.*--help"), ((), "upgrade, status, pin or unpin")):
        done = fleet(hub, *words)
        assert done.returncode and re.search(says, done.stderr, re.S), (words, done)
    assert json.loads(fleet(hub, "status", "--json").stdout)["last_run"] == before


def test_version_that_does_not_start_is_taken_back(hub, three, tmp_path):
    ana, origins = three
    before = versions(hub)
    broken = tmp_path / "broken"
    # It can say its version, and that is all.
    broken.write_text("#!/bin/sh\n[ \"$1\" = version ] && exit 0\nexit 9\n")
    broken.chmod(0o755)
    with Load(hub.browser(), origins["alpha"] + "/things/t.json") as load:
        done = fleet(hub, "upgrade", "--program", broken, "--watch", "0", "--no-backup", "--json")
    assert done.returncode == 6, done
    report = json.loads(done.stdout)
    assert not report["ok"] and "does not start" in report["error"], report
    assert versions(hub) == before
    assert not load.bad, load.bad
    nothing = tmp_path / "nothing"
    nothing.write_text("no program")
    nothing.chmod(0o755)
    refused = fleet(hub, "upgrade", "--program", nothing)
    assert refused.returncode and "Nothing was changed" in refused.stderr, refused


def test_interrupted_upgrade_goes_on(hub, three):
    program = str(serving.PROGRAM)
    copy = hub.folder.parent / "other"
    shutil.copy(program, copy)
    with open(copy, "ab") as f:
        f.write(b"another version")
    run = subprocess.Popen([program, "fleet", "upgrade", "--program", copy, "--watch", "600", "--no-backup", "--dir",
                            hub.folder], env=hub.env, stderr=subprocess.PIPE, text=True)
    for line in run.stderr:
        if ": serves" in line:
            break
    run.kill()
    run.communicate()
    assert len(versions(hub)) > 1, "half-way"
    busy_again = fleet(hub, "upgrade", "--resume", "--watch", "0", "--json", "--no-backup")
    assert busy_again.returncode == 0, busy_again
    assert len(versions(hub)) == 1
    assert fleet(hub, "upgrade", "--resume").returncode == 5


FAULTS = b"hub.fleet.written" in serving.PROGRAM.read_bytes()


def running(hub, name):
    """The version that the edge has of a space; "" = the hub's own."""
    app = json.loads(hub.run("status", "s-" + hub.space_json(name)["id"], "--json", "--state", hub.folder / "edge").stdout)
    command = app["versions"][0]["spec"]["run"]
    return command.split("/versions/")[1].split("/")[0] if "/versions/" in command else ""


@pytest.mark.skipif(not FAULTS, reason="a program without fault points")
@pytest.mark.parametrize("point", ["written", "put"])
@pytest.mark.parametrize("resume", [True, False])
def test_killed_between_hub_db_and_the_edge(hub, three, point, resume):
    """Whichever of both was told: the next run makes them agree."""
    ana, origins = three
    copy = hub.folder.parent / f"killed-{point}-{resume}"
    shutil.copy(serving.PROGRAM, copy)
    with open(copy, "ab") as f:
        f.write(f"{point}-{resume}".encode())
    begin = ["fleet", "upgrade", "--watch", "0", "--no-backup", "--at-once", "1", "--dir", hub.folder]
    with Load(hub.browser(), origins["alpha"] + "/things/t.json") as load:
        killed = subprocess.run([hub.program, *begin, "--program", copy], capture_output=True, check=False, timeout=120,
                                env={**hub.env, "VITRINE_FAULT": f"hub.fleet.{point}:2:kill"})
        assert killed.returncode == -9, killed
        again = hub.run(*begin, "--json", *(["--resume"] if resume else ["--program", copy]))
    assert again.returncode == 0, again
    version = json.loads(again.stdout)["version"]
    assert versions(hub) == {version: 3}
    assert {name: running(hub, name) for name in origins} == dict.fromkeys(origins, version)
    assert not load.bad, load.bad
    assert fleet(hub, "upgrade", "--resume").returncode == 5, "nothing is left half-way"


def test_program_that_is_too_large(make_hub, tmp_path):
    # LIMIT_HUB_PROGRAM
    hub = make_hub(env=lowered(HUB_PROGRAM=1000))
    refused = fleet(hub, "upgrade")
    assert refused.returncode == 7, refused


def test_backups_hold_every_space_and_can_be_restored(hub, three, tmp_path):
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode == 0, done
    assert "4 copies" in done.stdout
    backups = hub.folder / "backups"
    space = hub.space_json("alpha")["id"]
    restored = tmp_path / "things.db"
    back = hub.run("restore", backups / space, "things", "--to", restored)
    assert back.returncode == 0, back
    db = sqlite3.connect(restored)
    assert db.execute("select name from t order by id").fetchall() == [("one",), ("two",)]
    db.close()
    accounts = tmp_path / "hub.db"
    assert hub.run("restore", backups / "hub", "hub", "--to", accounts).returncode == 0
    db = sqlite3.connect(accounts)
    assert db.execute("select count(*) from spaces").fetchone() == (3,)
    db.close()


def test_a_damaged_database_is_told_and_the_others_are_kept(hub, three):
    data = hub.folder / "spaces" / hub.space_json("beta")["id"] / "data"
    bad = data / "broken.db"
    bad.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    # A link out of the folder is nobody's database.
    secret = hub.folder.parent / "secret.db"
    sqlite3.connect(secret).executescript("create table secret (x); insert into secret values (1)")
    (data / "link.db").symlink_to(secret)
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode and "1 failed" in done.stderr, done
    bad.unlink()
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode == 0, done
    assert not list((hub.folder / "backups").glob("*/link*")), "what a link leads to is in no backup"
    (data / "link.db").unlink()


def test_backup_that_takes_too_long_fails(make_hub):
    # LIMIT_HUB_BACKUP_MS
    hub = make_hub(env=lowered(HUB_BACKUP_MS=1))
    ana = hub.browser()
    ana.sign_up("ana@example.org")
    ana.new_space("slow")
    data = hub.folder / "spaces" / hub.space_json("slow")["id"] / "data"
    sqlite3.connect(data / "t.db").execute("create table t (x)").connection.close()
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode and "1 failed" in done.stderr, done
