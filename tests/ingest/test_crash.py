# SPDX-License-Identifier: Apache-2.0
"""kill -9 at every fault point of an import leaves either the old or the new table. Needs a build with -Dfaults=true."""
import os
import signal
import sqlite3
import subprocess

import pytest

import serving

POINTS = ["ingest.begin", "ingest.table", "ingest.batch", "ingest.commit", "ingest.committed"]


def insert(path, table, file, *options, fault=None):
    env = {**os.environ, **({"VITRINE_FAULT": fault} if fault else {})}
    return subprocess.run([serving.PROGRAM, "insert", path, table, file, *options], env=env, capture_output=True)


@pytest.fixture(scope="module")
def compiled_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    (folder / "a.csv").write_text("a\n1\n")
    done = insert(folder / "t.db", "t", folder / "a.csv", fault="ingest.begin:1")
    if done.returncode == 0:
        pytest.skip("built without fault points")


def state(path):
    if not path.exists():
        return {}
    db = sqlite3.connect(path)
    try:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        return {name: db.execute('select * from "{}"'.format(name.replace('"', '""'))).fetchall()
                for (name,) in db.execute("select name from sqlite_master where type = 'table' and name not like "
                                            "'!_vitrine!_%' escape '!'").fetchall()}
    finally:
        db.close()


@pytest.mark.parametrize("action", ["kill", "fail"])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("options", [(), ("--replace-table",), ("--truncate",), ("--alter",)], ids=" ".join)
@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_old_or_new(compiled_in, tmp_path, point, action, options, mode):
    old, new, path = tmp_path / "old.csv", tmp_path / "new.csv", tmp_path / "t.db"
    old.write_text("a,b\n1,x\n2,y\n")
    new.write_text("a,b" + (",c" if options == ("--alter",) else "") + "\n" + "".join(f"{i},row\n" for i in range(300000))
                   + "1,2,3,4\n")
    db = sqlite3.connect(path)
    db.execute(f"pragma journal_mode = {mode}")
    db.close()
    assert insert(path, "t", old).returncode == 0
    before = state(path)
    done = insert(path, "t", new, *options, fault=f"{point}:1:{action}")
    committed = point == "ingest.committed"
    if action == "kill":
        assert done.returncode == -signal.SIGKILL
    else:
        assert (done.returncode == 0) == committed, done.stderr
    after = state(path)
    if committed:
        assert len(after["t"]) == 300000 + (2 if options in ((), ("--alter",)) else 0) and len(after["t__rejects"]) == 1
    else:
        assert after == before
    assert insert(path, "t", old, "--alter").returncode == 0


@pytest.mark.parametrize("point", POINTS)
def test_a_new_database(compiled_in, tmp_path, point):
    new, path = tmp_path / "new.csv", tmp_path / "t.db"
    new.write_text("a\n" + "1\n" * 1000)
    assert insert(path, "t", new, fault=f"{point}:1:kill").returncode == -signal.SIGKILL
    after = state(path)
    assert after == {} or len(after["t"]) == 1000
    assert insert(path, "t", new).returncode == 0


@pytest.mark.parametrize("action", ["kill", "fail"])
@pytest.mark.parametrize("point, late", [("ingest.widened", "2.5"), ("ingest.again", "many"), ("ingest.again", '"open')])
def test_a_guess_that_is_wrong(compiled_in, tmp_path, point, late, action):
    """Nothing is left of the rows that were written by it, whatever happens then."""
    new, path = tmp_path / "new.csv", tmp_path / "t.db"
    new.write_text("a,b\n" + "1,2\n" * 1000 + f"{late},2\n" + "1,2\n" * 1000)
    assert insert(path, "kept", new).returncode == 0
    before = state(path)
    done = insert(path, "t", new, "--sample", "5", fault=f"{point}:1:{action}")
    assert done.returncode == (-signal.SIGKILL if action == "kill" else 74), done.stderr
    assert state(path) == before
    assert insert(path, "t", new, "--sample", "5").returncode == 0


def test_a_full_disk(tmp_path):
    """A limit on the size of files stands for a full disk."""
    new, path = tmp_path / "new.csv", tmp_path / "t.db"
    new.write_text("a,b\n" + "".join(f"{i},some text that takes room\n" for i in range(200000)))
    assert insert(path, "kept", new, "--stop-after", "10").returncode == 0
    before = state(path)
    limited = "ulimit -f 4000; trap '' XFSZ; exec \"$0\" \"$@\""
    done = subprocess.run(["sh", "-c", limited, serving.PROGRAM, "insert", path, "t", new], capture_output=True, text=True)
    assert done.returncode not in (0, 139) and done.stderr.startswith("vitrine: "), done
    assert state(path) == before


def test_an_interrupted_import_leaves_nothing(compiled_in, tmp_path):
    """Ctrl+C while `vitrine data.csv` still imports."""
    data, temporary = tmp_path / "a.csv", tmp_path / "tmp"
    data.write_text("a\n1\n")
    temporary.mkdir()
    env = {**os.environ, "TMPDIR": str(temporary), "VITRINE_FAULT": "ingest.batch:1:sleep:30000"}
    process = subprocess.Popen([serving.PROGRAM, data, "--port", "0"], env=env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    while not list(temporary.glob("*/a.db")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130 and not list(temporary.iterdir())


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("point", ["ingest.table", "ingest.batch", "ingest.commit"])
def test_lists_inside_of_rows(compiled_in, tmp_path, point, count):
    """The tables of one file are there together, or not at all."""
    new, path = tmp_path / "new.json", tmp_path / "t.db"
    new.write_text('[{"id": 1, "l": [{"a": 1}]}, {"id": 2, "l": [{"a": 2}]}]')
    done = insert(path, "t", new, "--children", "--pk", "id", fault=f"{point}:{count}:kill")
    assert done.returncode in (-signal.SIGKILL, 0) and (done.returncode == 0) == (point == "ingest.commit" and count == 2)
    assert sorted(state(path)) == (["t", "t_l"] if done.returncode == 0 else [])
