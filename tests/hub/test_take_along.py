# SPDX-License-Identifier: Apache-2.0
"""A space as one file, and a space made of another: consistent copies, nothing left over."""
import io
import os
import signal
import sqlite3
import tarfile
import threading

import pytest
from hub_rig import wait_for
from limits import lowered


def data_of(hub, name):
    return hub.folder / "spaces" / wait_for(lambda: hub.space_json(name))["id"] / "data"


def put(hub, name, file, rows=3):
    """A database in a space, as its own user."""
    data = data_of(hub, name)
    db = sqlite3.connect(data / file)
    db.execute("pragma journal_mode = wal")
    db.execute("create table t (id integer primary key, name text)")
    db.executemany("insert into t (name) values (?)", [(f"row {i}",) for i in range(rows)])
    db.commit()
    db.close()
    for path in data.glob(file + "*"):
        os.chown(path, data.stat().st_uid, data.stat().st_gid)


def person(hub, email):
    browser = hub.browser()
    assert browser.sign_up(email).status == 303
    return browser


def rows(path):
    db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        return db.execute("select count(*) from t").fetchone()[0]
    finally:
        db.close()


def left_over(hub):
    folder = hub.folder / "copies"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_download(hub, tmp_path):
    ana = person(hub, "take@example.org")
    ana.new_space("Take along", "take")
    assert tarfile.open(fileobj=io.BytesIO(ana.get("/spaces/take/download").body)).getnames() == [], "an empty one"
    long = "n" * 120 + " münchen.db"
    for name in ("things.db", long):
        put(hub, "take", name, 5)
    put(hub, "take", "things.sqlite", 7)  # the same name but for its end
    data = data_of(hub, "take")
    (data / "notes.txt").write_text("no database")
    odd = "templates/new\nline %41 münchen.html"
    (data / "templates").mkdir(exist_ok=True)
    (data / "plugins/empty").mkdir(parents=True)
    (data / odd).write_bytes(bytes(range(256)) * 300)
    os.chmod(data / odd, 0o640)
    for path in (data / "templates", data / "plugins", data / "plugins/empty", data / odd):
        os.chown(path, data.stat().st_uid, data.stat().st_gid)
    (data / "way-out.db").symlink_to("/etc/passwd")
    page = ana.get("/spaces/take")
    assert 'href="/spaces/take/download"' in page.text
    answer = ana.get("/spaces/take/download")
    assert answer.status == 200 and answer.header("content-disposition") == 'attachment; filename="take.tar"', answer
    archive = tarfile.open(fileobj=io.BytesIO(answer.body))
    files = ["things.db", "things.sqlite", long, "notes.txt", odd]
    assert sorted(m.name for m in archive if m.isreg()) == sorted(f"take/{n}" for n in files)
    assert sorted(m.name for m in archive if m.isdir()) == ["take/plugins", "take/plugins/empty", "take/templates"]
    assert all(m.isreg() or m.isdir() for m in archive), "no link"
    assert archive.getmember(f"take/{odd}").mode == 0o640
    archive.extractall(tmp_path)
    assert rows(tmp_path / "take/things.db") == 5 and rows(tmp_path / "take" / long) == 5
    assert rows(tmp_path / "take/things.sqlite") == 7
    assert (tmp_path / "take" / odd).read_bytes() == (data / odd).read_bytes()
    wait_for(lambda: not left_over(hub))
    # One that is damaged is named, and nothing of the machine is.
    bad = data / "bad.db"
    bad.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    os.chown(bad, data.stat().st_uid, data.stat().st_gid)
    refused = ana.get("/spaces/take/download")
    assert refused.status == 409 and "bad.db" in refused.said and str(hub.folder) not in refused.text
    assert not left_over(hub)


def test_download_while_somebody_writes(hub, tmp_path):
    ana = person(hub, "busy@example.org")
    ana.new_space("Busy")
    put(hub, "busy", "pairs.db", 0)
    path, ended = data_of(hub, "busy") / "pairs.db", threading.Event()

    def write():  # always two rows at once
        db = sqlite3.connect(path, timeout=120)
        while not ended.is_set():
            with db:
                db.execute("insert into t (name) values ('one')")
                db.execute("insert into t (name) values ('two')")
        db.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_for(lambda: sqlite3.connect(path).execute("select count(*) from t").fetchone()[0] > 10)
        answer = ana.get("/spaces/busy/download")
    finally:
        ended.set()
        writer.join()
    assert answer.status == 200, answer
    tarfile.open(fileobj=io.BytesIO(answer.body)).extractall(tmp_path)
    count = rows(tmp_path / "busy/pairs.db")
    assert count > 10 and count % 2 == 0


def test_a_download_that_nobody_takes_leaves_nothing(hub):
    ana = person(hub, "gone@example.org")
    ana.new_space("Gone", "gone-away")
    put(hub, "gone-away", "big.db", 200000)
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=60)
    cookies = "; ".join(f"{k}={v}" for k, v in ana.jar["data.localhost"].items())
    connection.request("GET", "/spaces/gone-away/download", headers={"Host": f"data.localhost:{hub.port}", "Cookie": cookies})
    answer = connection.getresponse()
    assert answer.status == 200 and len(answer.read(1000)) == 1000
    connection.close()
    wait_for(lambda: not left_over(hub))


@pytest.mark.parametrize("what", ["sent away", "signed out"])
def test_a_download_ends_with_the_right_to_it(make_hub, what):
    hub = make_hub()
    ana, admin = person(hub, "long@example.org"), hub.admin()
    ana.new_space("Long", "long-one")
    put(hub, "long-one", "big.db", 0)
    db = sqlite3.connect(data_of(hub, "long-one") / "big.db")
    db.executemany("insert into t (name) values (?)", [("x" * 1000000,)] * 60)
    db.commit()
    db.close()
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=120)
    cookies = "; ".join(f"{k}={v}" for k, v in ana.jar["data.localhost"].items())
    connection.request("GET", "/spaces/long-one/download", headers={"Host": f"data.localhost:{hub.port}", "Cookie": cookies})
    answer = connection.getresponse()
    assert answer.status == 200 and len(answer.read(1000)) == 1000
    if what == "signed out":
        assert ana.post("/-/sign-out").status == 303
    else:
        me = next(iter(hub.space_json("long-one")["members"]))
        heir = person(hub, "heir@example.org")
        link = ana.post("/spaces/long-one/invitations", {"email": "heir@example.org", "role": "owner"}).text
        token = link.split('value="http')[1].split('"')[0].split("token=")[1]
        assert heir.post("/-/invitation", {"token": token}).status == 303
        assert admin.post("/spaces/long-one/members", {"user": me, "role": "viewer"}).status == 303
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    connection.close()
    wait_for(lambda: not left_over(hub))


def test_downloads_ask_again_who_it_is(make_hub):
    hub = make_hub(env=lowered(HUB_STRONG_S=1))
    ana = person(hub, "again@example.org")
    ana.new_space("Again")
    wait_for(lambda: ana.get("/spaces/again/download").header("location") == "/-/confirm?to=/spaces/again/download")


def test_clone(hub):
    ana = person(hub, "clone@example.org")
    ana.new_space("First", "first")
    put(hub, "first", "things.db", 4)
    data = data_of(hub, "first")
    (data / "static/deep").mkdir(parents=True, exist_ok=True)
    (data / "static/deep/site.css").write_text("p { color: red }\n")
    (data / "out").symlink_to("/etc")
    for path in (data / "static", data / "static/deep", data / "static/deep/site.css"):
        os.chown(path, data.stat().st_uid, data.stat().st_gid)
    page = ana.get("/spaces/first/clone")
    assert page.status == 200 and 'value="Copy of First"' in page.text
    made = ana.post("/spaces/first/clone", {"title": "Second", "name": "second"})
    assert made.status == 303, made
    origin = made.header("location").rstrip("/")
    copy = data_of(hub, "second")
    assert sorted(p.name for p in copy.iterdir() if not p.name.endswith(("-wal", "-shm"))) == ["static", "things.db"]
    assert (copy / "static/deep/site.css").read_text() == "p { color: red }\n"
    assert copy.stat().st_mode & 0o777 == data.stat().st_mode & 0o777
    assert ana.post("/spaces/second", {"title": "Second", "visibility": "public"}).status == 303
    told = hub.space_json("second")
    assert told["visibility"] == "public" and [m["role"] for m in told["members"].values()] == ["owner"]
    assert wait_for(lambda: ana.get(origin + "/things/t.json").json().get("rows"))[3]["name"] == "row 3"
    assert not left_over(hub)
    for form, status, says in [({"title": "", "name": "x"}, 400, "title"), ({"title": "T", "name": "Bad!"}, 400, "letters"),
                               ({"title": "T", "name": "first"}, 409, "already")]:
        refused = ana.post("/spaces/first/clone", form)
        assert refused.status == status and says in refused.said, refused
    assert not left_over(hub)


def test_clones_count(make_hub):
    hub = make_hub(change=lambda text: text.replace("each: 50", "each: 2").replace("disk_bytes: 5368709120", "disk_bytes: 100000"))
    ana = person(hub, "count@example.org")
    ana.new_space("One", "one-one")
    put(hub, "one-one", "things.db", 20000)
    refused = ana.post("/spaces/one-one/clone", {"title": "Two", "name": "two-two"})
    assert refused.status == 409 and "100000" in refused.said, refused
    (data_of(hub, "one-one") / "things.db").unlink()
    put(hub, "one-one", "small.db", 2)
    assert ana.post("/spaces/one-one/clone", {"title": "Two", "name": "two-two"}).status == 303
    refused = ana.post("/spaces/one-one/clone", {"title": "Three", "name": "three"})
    assert refused.status == 409 and "You own 2 spaces" in refused.said
    assert len(list((hub.folder / "spaces").iterdir())) == 2 and not left_over(hub)


def test_a_hub_that_is_killed_sweeps_up(make_hub):
    """What a process left that was killed between two steps: a folder of copies, a space half made."""
    hub = make_hub()
    ana = person(hub, "kill@example.org")
    ana.new_space("Whole")
    hub.stop()
    left = hub.folder / "copies/cabcdefghijkl/n0"
    left.mkdir(parents=True)
    (left / "x.db").write_text("half")
    half = hub.folder / "spaces/shalfhalfhalf"
    (half / "data").mkdir(parents=True)
    (half / "data/things.db").write_text("half")
    db = sqlite3.connect(hub.folder / "hub.db")
    with db:
        db.execute("insert into spaces (id, name, title, created_at) values ('shalfhalfhalf', 'half', 'Half', 1)")
    db.close()
    hub.start()
    wait_for(lambda: not left_over(hub) and not half.exists())
    # Its name is free again; its row goes after its folder.
    wait_for(lambda: ana.post("/-/new", {"title": "Half", "name": "half"}).status == 303)


@pytest.mark.parametrize("signo", [signal.SIGKILL])
def test_killed_while_it_clones(make_hub, signo):
    hub = make_hub()
    ana = person(hub, "killed@example.org")
    ana.new_space("Source")
    put(hub, "source", "big.db", 400000)
    asked = threading.Thread(target=lambda: ana.post("/spaces/source/clone", {"title": "Target", "name": "target"}))
    asked.start()
    wait_for(lambda: left_over(hub))
    import json
    status = json.loads(hub.run("status", "--state", hub.folder / "edge", "--json").stdout)
    pid = next(a for a in status["apps"] if a["name"] == "hub")["instances"][0]["pid"]
    os.kill(pid, signo)
    asked.join()
    wait_for(lambda: hub.browser().get("/-/health").status == 200)
    wait_for(lambda: not left_over(hub))

    def whole_or_nothing():
        known = hub.space_json("target")
        ids = [p.name for p in (hub.folder / "spaces").iterdir()]
        return len(ids) == (2 if known else 1)

    wait_for(whole_or_nothing)


def test_a_space_comes_back(make_hub, tmp_path):
    """Every file of a space is in the backup of the night and comes back while the space runs; tampering is found."""
    hub = make_hub()
    ana = person(hub, "back@example.org")
    origin = ana.new_space("Back", "back")
    assert ana.post("/spaces/back", {"title": "Back", "visibility": "public"}).status == 303
    put(hub, "back", "things.db", 4)
    data = data_of(hub, "back")
    (data / "static").mkdir(exist_ok=True)
    (data / "static/site.css").write_text("p { color: red }\n")
    (data / "empty").mkdir()
    for path in (data / "static", data / "static/site.css", data / "empty"):
        os.chown(path, data.stat().st_uid, data.stat().st_gid)
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode == 0, done.stderr
    (data / "static/site.css").unlink()
    (data / "empty").rmdir()
    db = sqlite3.connect(data / "things.db", timeout=60)
    with db:
        db.execute("delete from t")
    db.close()
    wait_for(lambda: ana.get(origin + "/things/t.json").json().get("rows") == [])
    done = hub.run("hub", "restore", "back", "--dir", hub.folder)
    assert done.returncode == 0 and "is a backup now" in done.stdout and "/-/tokens" in done.stdout, done
    assert (data / "static/site.css").read_text() == "p { color: red }\n" and (data / "empty").is_dir()
    wait_for(lambda: len(ana.get(origin + "/things/t.json").json().get("rows", [])) == 4)
    # On another machine: the whole folder, its own state too.
    backups = hub.folder / "backups" / data.parent.name
    done = hub.run("restore", backups, "space", "--to", tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "whole").iterdir()) == ["data", "state"]
    assert rows(tmp_path / "whole/data/things.db") == 0, "the newest is what was there before it was brought back"
    # The trial finds a file whose bytes have changed.
    for path in (backups / "space/objects").iterdir():
        if path.read_bytes() == b"p { color: red }\n":
            path.write_bytes(b"p { color: RED }\n")
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode and "bytes have changed" in done.stderr, done
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode == 0, "what is still there is stored again"
    for words, says in [(["nobody"], "no space"), ([], "which space"), (["back", "--at", "2020-01-01"], "so old")]:
        refused = hub.run("hub", "restore", *words, "--dir", hub.folder)
        assert refused.returncode and says in refused.stderr, refused
