# SPDX-License-Identifier: Apache-2.0
"""Files that come, go and are replaced, and configuration that changes, while the site is served: no request fails, and
what is wrong stays outside."""
import http.client
import itertools
import os
import pathlib
import shutil
import signal
import sqlite3
import threading
import time

import pytest

from serving import HOST, make

SCRIPT = "create table t (id integer primary key, n integer); insert into t values (1, {n});"


def until(condition, seconds=60):
    """Waits for a condition, not for a time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def put(folder, name, n):
    """A new file under the name, at once: made elsewhere and renamed."""
    path = make(folder / f".new-{name}", SCRIPT.format(n=n))
    os.replace(path, folder / name)


def names(site):
    return {d["name"] for d in site.json("/-/databases.json")["databases"]}


class Folder(type(pathlib.Path())):
    serve = None  # what the program is given: itself or a pattern


@pytest.fixture(params=["directory", "pattern"])
def folder(request, tmp_path):
    folder = Folder(tmp_path)
    put(folder, "first.db", 1)
    folder.serve = tmp_path if request.param == "directory" else tmp_path / "*.db"
    return folder


def test_a_new_file_is_published(server, folder):
    site = server(folder.serve)
    assert names(site) == {"first"}
    put(folder, "second.db", 2)
    until(lambda: "second" in names(site))
    assert site.json("/second/t/1.json")["rows"][0]["n"] == 2
    assert site.json("/first/t/1.json")["rows"][0]["n"] == 1


def test_a_file_that_is_written_in_place_is_published_when_it_is_whole(server, folder):
    site = server(folder.serve)
    whole = make(folder / "whole.tmp", SCRIPT.format(n=5)).read_bytes()
    with open(folder / "slow.db", "wb") as f:
        f.write(whole[:1000])
        f.flush()
        until(lambda: "slow.db" in site.log())
        assert names(site) == {"first"} and site.get("/slow").status == 404
        f.write(whole[1000:])
    until(lambda: "slow" in names(site))
    assert site.json("/slow/t/1.json")["rows"][0]["n"] == 5


def test_a_removed_file_is_said_to_be_gone(server, folder):
    put(folder, "second.db", 2)
    site = server(folder.serve)
    assert site.json("/second/t/1.json")["ok"]
    os.unlink(folder / "second.db")
    until(lambda: "second" not in names(site))
    answer = site.get("/second/t/1.json")
    assert answer.status == 404 and "second was removed" in answer.json()["error"]
    assert site.get("/never/t/1.json").json()["error"] == "Database not found"
    put(folder, "second.db", 3)
    until(lambda: "second" in names(site))
    assert site.json("/second/t/1.json")["rows"][0]["n"] == 3


def test_a_database_keeps_its_name_only_while_nothing_changes_it(server, folder):
    """a.db and a.sqlite are a and a_2; without a.db the other is a, and nothing kept of a_2 is shown."""
    if "*" in str(folder.serve):
        pytest.skip("a directory only")
    put(folder, "a.db", 1)
    put(folder, "a.sqlite", 2)
    site = server(folder)
    assert site.json("/a_2/t/1.json")["rows"][0]["n"] == 2 and site.json("/a/t/1.json")["rows"][0]["n"] == 1
    os.unlink(folder / "a.db")
    until(lambda: "a_2" not in names(site))
    assert site.json("/a/t/1.json")["rows"][0]["n"] == 2 and site.get("/a_2/t/1.json").status == 404


def test_configuration_is_taken_whole_or_not_at_all(server, folder):
    if "*" in str(folder.serve):
        pytest.skip("a directory only")
    path = folder / "datasette.yaml"
    site = server(folder)
    path.write_text("settings:\n  default_page_size: 7\ndatabases:\n  first:\n    queries:\n      q: select 7 as x\n")
    until(lambda: site.json("/-/settings.json")["default_page_size"] == 7)
    assert site.json("/first/q.json")["rows"] == [{"x": 7}]
    for bad, says in (("settings:\n  default_page_size: [1\n", "line"), ("settings:\n  default_page_size: many\n",
                                                                        "default_page_size")):
        before = len(site.output)
        path.write_text(bad)
        until(lambda: any("refused" in line for line in site.output[before:]))
        line = next(line for line in site.output[before:] if "refused" in line)
        assert "datasette.yaml" in line and says in line, line
        assert site.json("/-/settings.json")["default_page_size"] == 7
        assert site.json("/first/q.json")["rows"] == [{"x": 7}]
    path.write_text("settings:\n  default_page_size: 8\n")
    until(lambda: site.json("/-/settings.json")["default_page_size"] == 8)
    assert site.get("/first/q.json").status == 404
    os.unlink(path)
    until(lambda: site.json("/-/settings.json")["default_page_size"] != 8)


def test_permissions_hold_at_once_also_for_kept_answers(server, folder):
    if "*" in str(folder.serve):
        pytest.skip("a directory only")
    site = server(folder)
    for _ in range(3):
        assert site.json("/first/t.json")["rows"]
    (folder / "metadata.json").write_text('{"databases": {"first": {"allow": false}}}')
    until(lambda: site.json("/-/databases.json")["databases"] == [])
    assert site.get("/first/t.json").status == 403


def test_hangup_renews_at_once(server, tmp_path):
    put(tmp_path, "first.db", 1)
    path = tmp_path / "m.json"
    path.write_text('{"title": "Before"}')
    site = server(tmp_path / "first.db", "--metadata", path)
    path.write_text('{"title": "Afterwards"}')
    assert "Before" in site.get("/").text
    site.process.send_signal(signal.SIGHUP)
    until(lambda: "Afterwards" in site.get("/").text)
    path.write_text('{"title": ')
    site.process.send_signal(signal.SIGHUP)
    until(lambda: "refused" in site.log())
    assert "m.json" in site.log() and "Afterwards" in site.get("/").text


def test_an_answer_on_its_way_ends_on_the_site_it_began_with(server, folder):
    db = sqlite3.connect(folder / "big.db")
    db.execute("create table t (id integer primary key, x text)")
    db.executemany("insert into t (x) values (?)", (("y" * 200,) for _ in range(60000)))
    db.commit()
    db.close()
    site = server(folder.serve)
    stream = http.client.HTTPConnection(HOST, site.port, timeout=120)
    stream.request("GET", "/big/t.csv?_stream=1")
    answer = stream.getresponse()
    read = answer.read(1000)
    os.unlink(folder / "big.db")
    until(lambda: "big" not in names(site))
    for n in range(3):
        put(folder, f"more{n}.db", n)
    until(lambda: len(names(site)) == 4)
    read += answer.read()
    assert read.count(b"\n") == 60001
    stream.close()


class Reader(threading.Thread):
    """Asks for pages until it is told to stop; keeps what went wrong."""

    def __init__(self, site, paths):
        super().__init__(daemon=True)
        self.site, self.paths, self.wrong, self.count, self.ended = site, paths, [], 0, False

    def run(self):
        connection = http.client.HTTPConnection(HOST, self.site.port, timeout=120)
        for path in itertools.cycle(self.paths):
            if self.ended:
                break
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    self.wrong.append((path, answer.status, body[:200]))
            except (OSError, http.client.HTTPException) as e:
                self.wrong.append((path, repr(e)))
                connection.close()
            self.count += 1
        connection.close()


def test_nothing_fails_while_everything_changes(server, folder):
    """Readers of a database that is committed to, of one that is replaced, and of the lists, beside files that come and
    go and configuration that changes. After each commit and each replacement the very next answer has it."""
    live = sqlite3.connect(make(folder / "live.db", SCRIPT.format(n=0), wal=True), isolation_level=None, timeout=60)
    put(folder, "swap.db", 0)
    site = server(folder.serve)
    readers = [Reader(site, paths) for paths in (
        ["/live/t.json", "/live/t/1.json", "/live/t?_facet=n", "/live.json"],
        ["/swap/t.json", "/swap/t/1.json", "/swap/t.csv?_stream=1", "/swap"],
        ["/", "/-/databases.json", "/.json", "/first/t", "/first/-/query.json?sql=select+n+from+t"])]
    for reader in readers:
        reader.start()
    for n in range(1, 40):
        live.execute("update t set n = ?", (n,))
        assert site.json("/live/t/1.json")["rows"][0]["n"] == n
        put(folder, "swap.db", n)
        assert site.json("/swap/t/1.json")["rows"][0]["n"] == n
        put(folder, f"guest{n % 5}.db", n)
        if n % 5 == 4:
            until(lambda: f"guest{n % 5}" in names(site))
        if n % 5 == 3:
            (folder / "guest4.db").unlink(missing_ok=True)
        if n % 10 == 0:
            (folder / "metadata.json").write_text('{"title": "Number %d"}' % n)
            site.process.send_signal(signal.SIGHUP)
    until(lambda: all(reader.count > 50 for reader in readers))
    for reader in readers:
        reader.ended = True
    for reader in readers:
        reader.join(120)
    live.close()
    assert not [w for reader in readers for w in reader.wrong], [r.wrong[:3] for r in readers]


def test_generations_leave_nothing_behind(server, folder):
    """No descriptor and no thread more after many renewals."""
    site = server(folder.serve)
    state = f"/proc/{site.process.pid}"

    def renew(n):
        put(folder, f"x{n}.db", n)
        until(lambda: f"x{n}" in names(site))
        assert site.json(f"/x{n}/t/1.json")["rows"][0]["n"] == n
        os.unlink(folder / f"x{n}.db")
        until(lambda: f"x{n}" not in names(site))

    def held():
        return len(os.listdir(f"{state}/fd")), len(os.listdir(f"{state}/task"))

    def settles(before):
        end = time.monotonic() + 20
        while any(now > then for now, then in zip(held(), before)):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    numbers = itertools.count()
    renew(next(numbers))
    shutil.copy(folder / "first.db", folder / "same.db")
    until(lambda: "same" in names(site))
    for _ in range(6):  # a thread that is started meanwhile, with its connections, stays: there is one more of it, not ten
        before = held()
        for _ in range(10):
            renew(next(numbers))
        if settles(before):
            return
    raise AssertionError(f"{before} descriptors and threads became {held()}, and so each time")
