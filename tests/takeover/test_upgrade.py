# SPDX-License-Identifier: Apache-2.0
"""`vitrine serve` replaced while it serves: no request lost, no plain connection closed, no write forgotten."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import pytest

import limits
import serving
from upgrading import Served, alive, until

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "site"))
import writing  # noqa: E402

ROWS = "/chinook/Artist.json"


def prove(server, *arguments, scheme="http", path=ROWS, times=5):
    change = f"{serving.PROGRAM} upgrade --state {server.state} >/dev/null"
    host = "127.0.0.1" if not server.uds else "localhost"
    port = f":{server.port}" if not server.uds else ""
    status, out, errors = serving.run("prove", "--json", f"{scheme}://{host}{port}{path}", "--change", change, "--times", times,
                                      "--before", "500", "--after", "500", "--every", "500", *arguments, timeout=120)
    assert out, (status, errors, server.log())
    return json.loads(out)


def clean(report, server):
    assert report["clean"], (json.dumps(report, indent=1), server.log())
    return {k["kind"]: k for k in report["kinds"]}


def ask(connection, path="/-/versions.json"):
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return answer(connection)


def answer(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(1)
        assert piece, ("closed", head)
        head += piece
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = b""
    while len(body) < length:
        piece = connection.recv(length - len(body))
        assert piece, "cut"
        body += piece
    return int(head.split()[1]), body


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=120)


def test_under_load(served, chinook):
    server = served(chinook)
    kinds = clean(prove(server, "-k", "keepalive:30", "-k", "pipeline:4", "-k", "new:4"), server)
    for kind in ("keepalive", "pipeline"):
        seen = kinds[kind]
        assert seen["connections_closed_idle"] == seen["connections_told_to_close"] == 0, seen
    assert kinds["keepalive"]["connections_opened"] == 30 and kinds["pipeline"]["connections_opened"] == 4


def test_under_load_with_tls(served, chinook, certificate):
    cert, key = certificate
    server = served(chinook, "--ssl-certfile", cert, "--ssl-keyfile", key)
    kinds = clean(prove(server, "-k", "keepalive:10", "-k", "pipeline:4", "-k", "new:2", "--cacert", cert, scheme="https",
                        times=3), server)
    assert kinds["keepalive"]["connections_closed_idle"] == 0
    seen = kinds["keepalive"]
    assert 10 < seen["connections_told_to_close"] <= 30, "at most once an upgrade; one that is away is not told"
    assert seen["connections_resumed"] == seen["connections_opened"] - 10, "all but the first handshakes are short ones"


def test_a_reload_touches_no_connection(served, chinook, certificate):
    """SIGHUP, plain and with TLS (whose certificate is read again)."""
    cert, key = certificate
    for scheme, options in (("http", []), ("https", ["--ssl-certfile", cert, "--ssl-keyfile", key])):
        server = served(chinook, *options)
        status, out, errors = serving.run(
            "prove", "--json", f"{scheme}://127.0.0.1:{server.port}{ROWS}", "--change", f"kill -HUP {server.pid}", "--times", 5,
            "--before", 300, "--after", 300, "--every", 200, "-k", "keepalive:20", "-k", "pipeline:2", "--cacert", cert)
        kinds = clean(json.loads(out), server)
        assert status == 0 and errors == ""
        for kind, count in (("keepalive", 20), ("pipeline", 2)):
            seen = kinds[kind]
            assert seen["connections_opened"] == count, seen
            assert seen["connections_closed_idle"] == seen["connections_told_to_close"] == 0, seen
        server.stop()


def test_many_connections(served, chinook):
    """More than the socket between both processes holds at once: they wait in line, none is lost."""
    server = served(chinook)
    connections = [connect(server) for _ in range(900)]
    for connection in connections:
        connection.sendall(b"GET /-/versions.json HTTP/1.1\r\nHo")
    before = server.pid
    until(lambda: server.get("/-/versions.json").status == 200)
    until(lambda: server.try_upgrade(before))
    until(lambda: not alive(before))
    assert server.logs(" connections went on with the new process")
    assert int(re.search(r"(\d+) connections went on", server.log()).group(1)) >= 900
    for connection in connections:
        connection.sendall(b"st: x\r\n\r\n")
    for connection in connections:
        assert answer(connection)[0] == 200
        connection.close()


def test_unix_socket(served, chinook, tmp_path):
    path = tmp_path / "socket"
    server = served(chinook, uds=str(path))
    clean(prove(server, "-k", "keepalive:10", "--uds", path, times=3), server)
    assert path.is_socket()
    server.stop()
    assert not path.exists(), "the last process takes its socket file along"


def test_a_connection_goes_on_with_what_was_read_of_it(served, chinook):
    """Idle, half a head, one and a half requests in one piece, a body half sent: all on the same connections."""
    server = served(chinook)
    idle, half, ahead, body = (connect(server) for _ in range(4))
    assert ask(idle)[0] == 200
    half.sendall(b"GET /-/versions.json HTTP/1.1\r\nHo")
    ahead.sendall(b"GET /-/versions.json HTTP/1.1\r\nHost: x\r\n\r\nGET /-/versions.json HTTP/1.1\r\nHost")
    assert answer(ahead)[0] == 200
    body.sendall(b"POST /chinook/-/query.json HTTP/1.1\r\nHost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{")
    before = server.pid
    until(lambda: server.try_upgrade(before))
    assert ask(idle)[0] == 200
    half.sendall(b"st: x\r\n\r\n")
    assert answer(half)[0] == 200
    ahead.sendall(b": x\r\n\r\n")
    assert answer(ahead)[0] == 200
    assert alive(before), "the old process waits for the body"
    body.sendall(b"}")
    assert answer(body)[0] in (200, 400, 403, 405)
    until(lambda: not alive(before))
    for connection in (idle, half, ahead, body):
        assert ask(connection)[0] == 200
        connection.close()


def test_a_long_answer_ends_with_the_old_process(served, tmp_path):
    path = serving.make(tmp_path / "big.db", "create table t (x text); with recursive n(i) as (select 1 union all select i + 1 "
                        "from n where i < 200000) insert into t select hex(randomblob(100)) from n;")
    server = served(path, "--setting", "max_csv_mb", "0")
    connection = connect(server)
    connection.sendall(b"GET /big/t.csv?_stream=on HTTP/1.1\r\nHost: x\r\n\r\n")
    got = connection.recv(1000)
    before = server.pid
    until(lambda: server.try_upgrade(before))
    assert server.get("/big.json").status == 200 and alive(before)
    while not got.endswith(b"\r\n0\r\n\r\n"):
        piece = connection.recv(1 << 20)
        assert piece, "the answer was cut"
        got += piece
    assert len(got) > 200_000 * 200
    until(lambda: not alive(before), "the old process")
    assert ask(connection)[0] == 200, "and the connection goes on"
    connection.close()


def test_the_old_process_has_a_cap(served, chinook):
    server = served(chinook, "--upgrade-grace", "1")
    connection = connect(server)
    connection.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\ncontent-length: 5\r\n\r\n")
    before = server.pid
    until(lambda: server.try_upgrade(before))
    until(lambda: not alive(before), "the old process")
    assert server.logs("1 connections did not end in time")
    assert connection.recv(1000) == b""
    connection.close()
    assert server.get("/").status == 200


class Replaced:
    """The program under a name of its own, to be replaced."""

    def __init__(self, folder):
        self.path, self.copy = folder / "program", folder / "copy"
        shutil.copy(serving.PROGRAM, self.path)

    def by(self, content, mode=0o755):
        self.copy.write_bytes(content)
        self.copy.chmod(mode)
        self.copy.rename(self.path)


@pytest.fixture
def replaced(tmp_path, monkeypatch):
    program = Replaced(tmp_path)
    monkeypatch.setattr(serving, "PROGRAM", program.path)
    return program


def test_a_new_program_that_fails_changes_nothing(served, chinook, replaced, tmp_path):
    good = pathlib.Path(serving.PROGRAM).read_bytes()
    server = served(chinook, "--upgrade-timeout", "5")  # the last one succeeds, on a busy machine too
    connection = connect(server)
    assert ask(connection)[0] == 200
    replaced.by(b"#!/bin/sh\nexit 3\n")
    assert "exited with 3" in server.fail_upgrade()
    replaced.by(b"#!/bin/sh\nexec sleep 1000\n")
    assert "not ready within 5 s" in server.fail_upgrade()
    replaced.by(b"#!/bin/sh\necho hello >&3\nexec sleep 1000\n")
    assert "no message" in server.fail_upgrade()
    replaced.by(b"\x7fELF, but no program")
    assert server.fail_upgrade()
    assert ask(connection)[0] == 200
    replaced.by(good)
    server.upgrade()
    assert ask(connection)[0] == 200
    connection.close()


def test_a_program_that_is_gone_runs_on(served, chinook, replaced):
    server = served(chinook)
    replaced.path.unlink()
    server.upgrade()
    assert server.get("/").status == 200


def test_configuration_with_a_mistake_is_refused_by_the_new_one(served, chinook, tmp_path):
    config = tmp_path / "datasette.yaml"
    config.write_text("settings:\n  default_page_size: 7\n")
    server = served(chinook, "--config", config)
    config.write_text("settings:\n  default_page_size: [\n")
    why = server.fail_upgrade()
    assert "datasette.yaml" in why, why
    assert len(server.json(ROWS)["rows"]) == 7
    config.write_text("settings:\n  default_page_size: 9\n")
    server.upgrade()
    assert len(server.json(ROWS)["rows"]) == 9


def test_the_command(served, chinook, tmp_path):
    server = served(chinook)
    first = server.pid
    status, out, errors = serving.run("upgrade", "--state", server.state)
    assert status == 0 and f"took over from {first}" in out and "has ended" in out and errors == ""
    assert server.process.wait(120) == 0
    status, out, _ = serving.run("upgrade", "--pid", server.pid)
    assert status == 0 and "has ended" in out
    until(lambda: server.get("/").status == 200)


def test_the_command_says_what_is_wrong(tmp_path):
    status, _, errors = serving.run("upgrade", "--state", tmp_path)
    assert status != 0 and "no running server is known here" in errors
    status, _, errors = serving.run("upgrade", "--pid", "x")
    assert status != 0 and "no valid number" in errors
    other = subprocess.Popen(["sleep", "1000"])
    try:
        status, _, errors = serving.run("upgrade", "--pid", other.pid)
        assert status != 0 and "is no vitrine serve" in errors
        assert other.poll() is None, "a process that expects no such signal is left alone"
    finally:
        other.kill()
        other.wait()
    status, _, errors = serving.run("upgrade", "--pid", other.pid)
    assert status != 0 and "not running" in errors
    (tmp_path / "serve.json").write_text('{"pid": "x"}')
    status, _, errors = serving.run("upgrade", "--state", tmp_path)
    assert status != 0 and "no running server" in errors


def test_the_command_tells_why_not(served, chinook, replaced):
    program = pathlib.Path(serving.PROGRAM).read_bytes()
    server = served(chinook)
    replaced.by(b"#!/bin/sh\nexit 3\n")
    other = replaced.path.parent / "other"
    other.write_bytes(program)
    other.chmod(0o755)
    done = subprocess.run([other, "upgrade", "--state", server.state], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "exited with 3" in done.stderr, done


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_writes_of_both_processes(served, tmp_path, mode):
    """Four clients insert without pause through five upgrades: each acknowledged row is there once, and is seen at once."""
    path = tmp_path / "data.db"
    writing.make(path)
    with serving.sqlite3.connect(path) as db:
        db.execute(f"pragma journal_mode = {mode}")
    db.close()
    server = served(path, "--secret", writing.SECRET, "--root")
    acknowledged, wrong, stop = [], [], threading.Event()

    def write(first):
        connection = serving.http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        number = first
        try:
            while not stop.is_set():
                connection.request("POST", "/data/docs/-/insert", json.dumps({"row": {"id": number, "title": f"t{number}"}}),
                                   {**writing.bearer(), "Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 201:
                    wrong.append((number, answer.status, text))
                    return
                acknowledged.append(number)
                connection.request("GET", "/data/-/query.json?sql=select+max(id)+as+m+from+docs+where+id+<+" + str(first + 100000))
                answer = connection.getresponse()
                seen = json.loads(answer.read())["rows"][0]["m"]
                if seen != number:
                    wrong.append((number, "sees", seen))
                    return
                number += 1
        except Exception as error:  # pylint: disable=broad-except
            wrong.append((number, repr(error)))

    writers = [threading.Thread(target=write, args=(100000 * (n + 1),)) for n in range(4)]
    for writer in writers:
        writer.start()
    for _ in range(5):
        here = len(acknowledged)
        until(lambda: len(acknowledged) > here + 20 or wrong, "rows")
        server.upgrade()
    stop.set()
    for writer in writers:
        writer.join(60)
    assert not wrong, (wrong, server.log())
    assert len(acknowledged) > 100
    count = server.sql("data", "select count(*) as n from docs where id >= 100000")["rows"][0]["n"]
    assert count == len(acknowledged) == len(set(acknowledged))


def test_the_answer_cache_sees_what_the_other_process_wrote(served, tmp_path):
    """A page cached by the new process, changed by a write that the old one still has in hand."""
    path = writing.make(tmp_path / "data.db")
    server = served(path, "--secret", writing.SECRET, "--root")
    body = json.dumps({"row": {"id": 77, "title": "late"}}).encode()
    head = "".join(f"{k}: {v}\r\n" for k, v in writing.bearer().items())
    connection = connect(server)
    connection.sendall(f"POST /data/docs/-/insert HTTP/1.1\r\nHost: x\r\n{head}content-type: application/json\r\n"
                       f"content-length: {len(body)}\r\n\r\n".encode() + body[:5])
    before = server.pid
    until(lambda: server.try_upgrade(before))
    for _ in range(3):
        assert [r["id"] for r in server.json("/data/docs.json")["rows"]] == [1, 2, 3]
    assert alive(before)
    connection.sendall(body[5:])
    assert answer(connection)[0] == 201
    assert [r["id"] for r in server.json("/data/docs.json")["rows"]] == [1, 2, 3, 77]
    connection.close()
    until(lambda: not alive(before))


def test_generations_leave_nothing_behind(served, chinook):
    """Descriptors and environment of the third process are those of the seventh, and nobody waits to be reaped."""
    server = served(chinook)
    seen = []
    for generation in range(7):
        pid = server.upgrade()
        if generation in (2, 6):
            root = pathlib.Path(f"/proc/{pid}")
            links = [os.readlink(link) for link in (root / "fd").iterdir()]
            kinds = sorted(re.sub(r"\d+", "N", link) for link in links if ".db" not in link)  # opened when they are needed
            seen.append((kinds, sorted((root / "environ").read_bytes().split(b"\0"))))
    assert seen[0] == seen[1]
    children = subprocess.run(["ps", "--ppid", str(server.pid), "-o", "pid="], capture_output=True, text=True).stdout
    assert not children.strip()


def test_imported_files_stay_as_they_are(served, tmp_path):
    """Rows added to a database that was made of data files are there after the upgrade; its folder goes with the last one."""
    (tmp_path / "pets.csv").write_text("id,name\n1,Cleo\n")
    server = served(tmp_path / "pets.csv", "--secret", writing.SECRET, "--root", env={"TMPDIR": str(tmp_path)})
    database = next(p for p in tmp_path.rglob("*.db") if p.parent != server.state)
    with serving.sqlite3.connect(database) as db:
        db.execute("insert into pets values (2, 'Pancakes')")
    db.close()
    server.upgrade()
    server.upgrade()
    assert server.sql(database.stem, "select count(*) as n from pets")["rows"] == [{"n": 2}]
    server.stop()
    assert not database.exists() and not database.parent.exists()


def test_the_service_manager_is_told(served, chinook, tmp_path):
    manager, heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), []
    manager.bind(str(tmp_path / "notify"))

    def hear():  # all the time, as systemd does: the kernel keeps ten messages, and drops what comes then
        while piece := manager.recv(1000):
            heard.append(piece.decode() + "\n")

    threading.Thread(target=hear, daemon=True).start()
    server = served(chinook, env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"})
    before = server.pid
    pid = server.upgrade()
    until(lambda: f"MAINPID={pid}\nREADY=1" in "".join(heard), "the message of the successor")
    said, count = "".join(heard), len(heard)
    assert said.index("READY=1") < said.index("RELOADING=1") < said.index(f"MAINPID={pid}")
    assert "STOPPING" not in said and before != pid
    # The successor goes on with it, although the old number is in the environment.
    until(lambda: any("WATCHDOG=1" in one for one in heard[count:]), "a sign of life")
    server.stop()
    manager.sendto(b"", str(tmp_path / "notify"))


def test_stopping_while_the_new_one_prepares(served, chinook, replaced, tmp_path):
    server = served(chinook)
    replaced.by(b"#!/bin/sh\necho $$ > %s/child\nexec sleep 1000\n" % str(tmp_path).encode())
    os.kill(server.pid, signal.SIGUSR2)
    child = int(until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().strip(), "the child"))
    server.stop()
    until(lambda: not alive(child), "the end of the child")


def test_two_signals_are_one_upgrade(served, chinook, replaced, tmp_path):
    server = served(chinook, "--upgrade-timeout", "600")
    replaced.by(b"#!/bin/sh\necho $$ > %s/child\nexec sleep 1000\n" % str(tmp_path).encode())
    os.kill(server.pid, signal.SIGUSR2)
    child = int(until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().strip(), "the child"))
    assert server.logs("prepares itself")
    os.kill(server.pid, signal.SIGUSR2)
    assert server.logs("under way already")
    os.kill(child, signal.SIGKILL)
    until(lambda: server.status()["failures"] == 1)


# ---- kill -9 and failures at each named point ----

BY_THE_OLD = ["takeover.switch", "takeover.give", "takeover.leave"]
BY_THE_NEW = ["takeover.hello", "takeover.warm", "takeover.ready", "takeover.adopt"]


@pytest.fixture(scope="module")
def compiled_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    database = shutil.copy(serving.DATA / "chinook.db", folder / "chinook.db")
    one = Served(folder, database, env={"VITRINE_FAULT": "takeover.start:1"}).wait()
    os.kill(one.pid, signal.SIGUSR2)
    before = one.pid
    until(lambda: one.status()["failures"] or one.pid != before)
    compiled = one.pid == before
    one.kill()
    if not compiled:
        pytest.skip("built without fault points")


def keeps_asking(server, stop, answers, wrong):
    """A client that may lose its connection but not the service."""
    while not stop.is_set():
        try:
            with connect(server) as connection:
                while not stop.is_set():
                    assert ask(connection)[0] == 200
                    answers.append(1)
        except (OSError, AssertionError, IndexError):
            continue
        except Exception as error:  # pylint: disable=broad-except
            wrong.append(repr(error))
            return


@pytest.mark.parametrize("action", ["kill", "fail"])
@pytest.mark.parametrize("point", BY_THE_OLD + BY_THE_NEW + ["takeover.start", "takeover.sockets"])
def test_points(compiled_in, served, tmp_path, point, action):
    if action == "kill" and point in ("takeover.start", "takeover.sockets"):
        pytest.skip("the only process is killed: starting it again is the service manager's work")
    path = writing.make(tmp_path / "data.db")
    server = served(path, "--secret", writing.SECRET, "--root", env={"VITRINE_FAULT": f"{point}:1:{action}"},
                    sanitizer_checked=False)
    stop, answers, wrong = threading.Event(), [], []
    clients = [threading.Thread(target=keeps_asking, args=(server, stop, answers, wrong)) for _ in range(3)]
    for client in clients:
        client.start()
    before = server.status()
    written = writing.bearer()
    assert server.ask("POST", "/data/docs/-/insert", {**written, "Content-Type": "application/json"},
                      json.dumps({"row": {"id": 50, "title": "kept"}})).status == 201
    os.kill(before["pid"], signal.SIGUSR2)
    until(lambda: server.status()["failures"] > before["failures"] or
          (server.pid != before["pid"] and not alive(before["pid"])), "an outcome")
    here = len(answers)
    until(lambda: len(answers) > here + 50, "answers")
    stop.set()
    for client in clients:
        client.join(60)
    assert not wrong
    server.hang_up()
    assert server.sql("data", "select title from docs where id = 50")["rows"] == [{"title": "kept"}]
    survivors = [pid for pid in (before["pid"], server.pid) if alive(pid)]
    assert survivors, server.log()
    if action == "kill":
        assert (before["pid"] in survivors) == (point in BY_THE_NEW), (survivors, server.log())


def test_a_new_process_that_hangs_later_does_not_keep_the_old_one(compiled_in, served, chinook):
    """It was ready, and then does not take what it is given: the old one ends after its cap all the same."""
    server = served(chinook, "--upgrade-grace", "1", env={"VITRINE_FAULT": "takeover.adopt:1:sleep:6000"})
    connection = connect(server)
    assert ask(connection)[0] == 200
    before = server.pid
    os.kill(before, signal.SIGUSR2)
    until(lambda: not alive(before), "the end of the old process")
    assert "does not say that it has everything" in server.log()
    assert ask(connection)[0] == 200, "once it goes on, it has the connection"
    connection.close()


# ---- what src/base/limits.h says


def test_a_command_line_has_an_end(served, chinook):
    server = served(chinook, env=limits.lowered(UPGRADE_ARGUMENTS=20))  # LIMIT_UPGRADE_ARGUMENTS
    assert "more than 20 bytes" in server.fail_upgrade()
    assert server.get("/-/versions.json").status == 200


def test_sockets_that_never_come(chinook, tmp_path):
    """A new process whose predecessor says nothing gives up: LIMIT_TAKEOVER_ARRIVE_MS."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    env = {**os.environ, **limits.lowered(TAKEOVER_ARRIVE_MS=300), "VITRINE_TAKEOVER_FD": "3"}
    fd = theirs.fileno()
    done = subprocess.run(["/bin/bash", "-c", f'exec "$0" "$@" 3<&{fd}', serving.PROGRAM, "serve", chinook, "--state", tmp_path],
                          env=env, pass_fds=[fd], capture_output=True, text=True, timeout=120)
    assert done.returncode and "sockets" in done.stderr and not serving.SANITIZER.search(done.stderr), done.stderr
    ours.close()
    theirs.close()


def test_what_was_sent_ahead_is_answered(served, chinook):
    """However much: what fits goes over with its connection, one with more than LIMIT_TAKEOVER_UNREAD stays."""
    for much in 4000, 2 * limits.LIMIT_TAKEOVER_UNREAD:
        server = served(chinook, "--setting", "sql_time_limit_ms", "20000")
        slow = "with recursive c(x) as (select 1 union all select x + 1 from c limit 400000) select count(*) from c"
        connection = connect(server)
        paths = ["/chinook/-/query.json?sql=" + urllib.parse.quote(slow)] + [f"/-/versions.json?{'x' * 1000}{i}" for i in
                                                                           range(much // 1000)]
        sending = threading.Thread(target=connection.sendall, args=("".join(
            f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths).encode(),))
        sending.start()
        until(lambda: server.get("/-/versions.json").status == 200, "an answer")
        before = server.pid
        os.kill(before, signal.SIGUSR2)
        assert [answer(connection)[0] for _ in paths] == [200] * len(paths)
        sending.join()
        connection.close()
        until(lambda: not alive(before), "the end of the old process")
        server.stop()
