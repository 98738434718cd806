# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged is there after kill -9, and nothing is there in part. Fault points need a build with
-Dfaults=true; the plain kill needs none."""
import concurrent.futures
import http.client
import json
import os
import random
import signal
import sqlite3
import subprocess

import pytest

import serving
from writing import SECRET, Site, bearer, make

POINTS = ["writer.begin", "writer.job", "writer.commit", "writer.committed"]


def start(path, fault=None):
    return Site(path, "--root", "--secret", SECRET, sanitizer_checked=False,
                env={"VITRINE_FAULT": fault} if fault else None).wait()


@pytest.fixture(scope="module")
def compiled_in(tmp_path_factory):
    path = make(tmp_path_factory.mktemp("faults") / "data.db")
    site = start(path, "writer.job:1")
    status = site.post("/data/docs/-/insert", {"row": {"title": "x"}}).status
    site.stop()
    if status == 201:
        pytest.skip("built without fault points")


def ids(path, least):
    with sqlite3.connect(path) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        found = [row[0] for row in db.execute("select id from docs where id >= ? order by id", [least])]
    db.close()
    return found


def client(site, n, acknowledged):
    """Batches of three rows with ids of their own until the server is gone."""
    connection = site.connect()
    for batch in range(10_000):
        rows = [{"id": 1000 + n * 900_000 + batch * 3 + i} for i in range(3)]
        try:
            connection.request("POST", "/data/docs/-/insert", json.dumps({"rows": rows}), bearer())
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return
        if answer.status == 201:
            acknowledged.append(rows[0]["id"])


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_kill(tmp_path, mode):
    path = make(tmp_path / "data.db")
    with sqlite3.connect(path) as db:
        db.execute(f"pragma journal_mode={mode}")
    db.close()
    for _ in range(3):
        site, acknowledged = start(path), []
        with sqlite3.connect(path) as db:
            db.execute("delete from docs where id >= 1000")
        db.close()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(client, site, n, acknowledged) for n in range(8)]
            wanted = random.randint(5, 60)
            while len(acknowledged) < wanted:
                assert site.process.poll() is None
                concurrent.futures.wait(jobs, timeout=0.001)
            site.process.send_signal(signal.SIGKILL)
            for job in jobs:
                job.result()
        site.kill()
        found = ids(path, 1000)
        missing = set(acknowledged) - set(found)
        assert not missing, "acknowledged, and gone"
        firsts = {i - (i - 1000) % 3 for i in found}
        assert sorted(first + i for first in firsts for i in range(3)) == found, "a batch is there in part"


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("hit", [1, 3])
def test_kill_at_fault_points(compiled_in, tmp_path, point, hit):
    path = make(tmp_path / "data.db")
    site, acknowledged = start(path, f"{point}:{hit}:kill"), []
    client(site, 0, acknowledged)
    site.process.wait(120)
    assert site.process.returncode == -signal.SIGKILL
    site.kill()
    found = ids(path, 1000)
    known = [first + i for first in acknowledged for i in range(3)]
    assert found[:len(known)] == known and len(known) == (hit - 1) * 3
    extra = 3 if point == "writer.committed" else 0
    assert len(found) == len(known) + extra, "committed, and nobody told" if extra else "not committed, and there"


@pytest.mark.parametrize("point, status", [("writer.begin", 503), ("writer.job", 500), ("writer.commit", 507)])
def test_failures(compiled_in, tmp_path, point, status):
    path = make(tmp_path / "data.db")
    site = start(path, f"{point}:2")
    for wanted in (201, status, 201):
        got = site.post("/data/docs/-/insert", {"row": {"title": "x"}}, wanted)
        assert got.json()["ok"] is (wanted == 201)
    assert len(site.rows("docs")) == 5
    site.stop()


def test_disk_full(tmp_path):
    """A file system of 1 MB; needs the right to mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder],
                                      stderr=subprocess.DEVNULL).returncode:
        pytest.skip("cannot mount a small file system")
    try:
        site = Site(make(folder / "data.db"), "--root", "--secret", SECRET, "--internal", tmp_path / "i.db").wait()
        statuses, kept = set(), 0
        for n in range(60):
            got = site.post("/data/docs/-/insert", {"row": {"id": 1000 + n, "title": "x" * 50_000}})
            statuses.add(got.status)
            kept += got.status == 201
        assert statuses == {201, 507}, statuses
        assert "full" in got.json()["error"]
        assert len(ids(folder / "data.db", 1000)) == kept
        site.post("/data/-/execute-write", {"sql": "delete from docs where id >= 1000"}, None)
        site.alive()
        site.stop()
    finally:
        subprocess.run(["umount", folder], check=True)


def test_read_only_file(tmp_path):
    path = make(tmp_path / "data.db")
    os.chmod(path, 0o444)
    os.chmod(tmp_path, 0o555)
    try:
        if os.access(path, os.W_OK):
            pytest.skip("this user may write everything")
        site = Site(path, "--root", "--secret", SECRET).wait()
        got = site.post("/data/docs/-/insert", {"row": {"title": "x"}})
        assert got.status in (400, 403) and got.json()["ok"] is False
        site.stop()
    finally:
        os.chmod(tmp_path, 0o755)


@pytest.mark.parametrize("option", ["full", "normal"])
def test_sync(tmp_path, option):
    site = Site(make(tmp_path / "data.db"), "--root", "--secret", SECRET, "--sync", option).wait()
    site.post("/data/docs/-/insert", {"row": {"title": "x"}}, 201)
    site.stop()
    status, _, err = serving.run("serve", "--sync", "sometimes", "--memory", "--port", "0")
    assert status == 64 and "--sync" in err
