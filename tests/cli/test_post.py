# SPDX-License-Identifier: Apache-2.0
"""vitrine post: batches, filter, order, log and resume, what it does about servers that are busy, away or refuse."""
import contextlib
import gzip
import http.server
import json
import subprocess
import sys
import threading

import pytest

import serving
from serving import make, run

sys.path.insert(0, str(serving.TOP / "tests/site"))
from writing import SECRET, bearer  # noqa: E402


class Receiver:
    """A server that answers what it is told: a list of (status, headers, body), the last one for all that follow."""

    def __init__(self, *answers):
        self.answers, self.bodies, self.headers = list(answers) or [(200, {}, "{}")], [], []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.headers.append(dict(self.headers))
                receiver.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                status, headers, body = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/x"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def items(self):
        return [item for body in self.bodies for item in (body["rows"] if isinstance(body, dict) else body)]


@contextlib.contextmanager
def receiver(*answers):
    one = Receiver(*answers)
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def items(tmp_path):
    path = tmp_path / "items.ndjson"
    path.write_text("".join(json.dumps({"id": i, "n": i * 10, "deep": {"a": i % 3}}) + "\n" for i in range(25)))
    return path


def post(*arguments, status=0):
    code, out, err = run("post", *arguments)
    assert code == status, (code, out, err)
    return out, err


def test_batches(items):
    with receiver() as r:
        out, err = post(items, r.url, "--batch-size", "10", "--header", "X-One: 1", "-H", "X-Two: 2", "--token", "secret")
        assert [len(b) for b in r.bodies] == [10, 10, 5] and [i["id"] for i in r.items()] == list(range(25))
        assert r.headers[0]["X-One"] == "1" and r.headers[0]["X-Two"] == "2"
        assert r.headers[0]["Authorization"] == "Bearer secret" and r.headers[0]["Content-Type"] == "application/json"
        assert out == "" and err.startswith("Sent 25 items in 3 batches")


def test_json_list_packed_and_reverse(tmp_path):
    path = tmp_path / "items.json.gz"
    path.write_bytes(gzip.compress(json.dumps([{"id": i, "t": "é\n"} for i in range(7)], indent=2).encode()))
    with receiver() as r:
        out, _ = post(path, r.url, "--reverse", "--batch-size", "3", "--json")
        assert [i["id"] for i in r.items()] == [6, 5, 4, 3, 2, 1, 0] and r.items()[0]["t"] == "é\n"
        got = json.loads(out)
        assert got["ok"] and (got["sent"], got["batches"], got["failed"]) == (7, 3, 0)


def test_standard_input(items):
    with receiver() as r:
        done = subprocess.run([serving.PROGRAM, "post", "-", r.url], input=items.read_bytes(), capture_output=True)
        assert done.returncode == 0, done.stderr
        assert len(r.items()) == 25


@pytest.mark.parametrize("filter, wanted", [
    ("n > 200", [21, 22, 23, 24]), ("id in (1, 2) or n = 50", [1, 2, 5]),
    ("item ->> '$.deep.a' = 1 and id < 8", [1, 4, 7]), ("missing is null and id = 3", [3]), ("null", []),
    ("deep like '%2%' and id < 3 -- a comment", [2])])
def test_filter(items, filter, wanted):
    with receiver() as r:
        _, err = post(items, r.url, "--filter", filter)
        assert [i["id"] for i in r.items()] == wanted
        assert ("missing" in err) == ("missing" in filter)


def test_bad_filters(items):
    with receiver() as r:
        for bad in ("n >", "(select 1", "n); attach 'x' as y; select (1", "nofunction(n)"):
            code, _, err = run("post", items, r.url, "--filter", bad)
            assert code == 2 and "--filter" in err, (bad, err)
        assert not r.bodies


def test_tries_again(items):
    answers = [(503, {"Retry-After": "0"}, "busy"), (429, {"Retry-After": "0"}, ""), (0, {}, ""), (200, {}, "{}")]
    with receiver(*answers) as r:
        _, err = post(items, r.url)
        assert len(r.bodies) == 4 and r.bodies[0] == r.bodies[3]
        assert err.count("again in") in (2, 3)  # libcurl repeats one by itself


def test_gives_up(items, tmp_path):
    with receiver((500, {"Retry-After": "0"}, "")) as r:
        _, err = post(items, r.url, "--retries", "2", status=75)
        assert len(r.bodies) == 3 and "500" in err and "--log" in err
    _, err = post(items, r.url, "--retries", "0", status=74)
    assert "127.0.0.1" in err


@pytest.mark.parametrize("status, code, text", [(401, 4, "--token"), (403, 4, "--token"), (404, 5, "404"), (302, 2, "302")])
def test_refusals_end_it(items, status, code, text):
    with receiver((status, {}, "no")) as r:
        _, err = post(items, r.url, "--batch-size", "5", status=code)
        assert len(r.bodies) == 1 and text in err


def test_refused_items(items, tmp_path):
    answer = json.dumps({"ok": False, "created": 8, "updated": 1, "failed": 1,
                         "results": [{"index": 2, "status": "error", "line": 3, "error": "no good"}]})
    log = tmp_path / "log.ndjson"
    with receiver((200, {}, answer)) as r:
        out, err = post(items, r.url, "--batch-size", "10", "--log", log, "--json", status=1)
        assert json.loads(out)["failed"] > 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["item"] for line in lines if "item" in line] == [2, 12, 22]
    assert [line["next"] for line in lines if "next" in line] == [10, 20, 25]


def test_400_goes_on(items):
    with receiver((400, {}, '{"ok": false, "error": "all wrong"}'), (200, {}, "{}")) as r:
        _, err = post(items, r.url, "--batch-size", "10", status=1)
        assert len(r.bodies) == 3 and "10 were refused" in err and "item 0: all wrong" in err


def test_too_large_is_halved(items):
    with receiver((413, {}, ""), (413, {}, ""), (200, {}, "{}")) as r:
        post(items, r.url, "--batch-size", "20")
        assert [len(b) for b in r.bodies] == [20, 10, 5, 5, 10, 5]


def test_resume(items, tmp_path):
    log = tmp_path / "log.ndjson"
    with receiver((200, {}, "{}"), (200, {}, "{}"), (404, {}, "gone")) as r:
        post(items, r.url, "--batch-size", "5", "--log", log, status=5)
        assert len(r.items()) == 15
        with log.open("a") as f:
            f.write('{"next": 2')  # cut when it died
        r.answers, r.bodies = [(200, {}, "{}")], []
        _, err = post(items, r.url, "--batch-size", "10", "--log", log)
        assert [i["id"] for i in r.items()] == list(range(10, 25)) and "10 were sent before" in err
        r.bodies = []
        post(items, r.url, "--log", log)
        assert not r.bodies
        _, err = post(items, r.url, "--log", log, "--reverse", status=64)
        assert "something else" in err


def test_timeout(items):
    with contextlib.ExitStack() as stack:
        import socket
        s = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        _, err = post(items, f"http://127.0.0.1:{s.getsockname()[1]}/", "--timeout", "1", "--retries", "0", status=3)
        assert "in time" in err


@pytest.mark.parametrize("data, text", [("[1, 2]", "no JSON object"), ("a,b\n1,2\n", "no JSON object"), ('[{"a": 1}', "not closed"),
                                        ("", None), ("[]", None), ("SQLite format 3\0", None)])
def test_bad_files(tmp_path, data, text):
    path = tmp_path / "x.json"
    path.write_text(data)
    with receiver() as r:
        code, _, err = run("post", path, r.url)
        assert "Traceback" not in err and (text is None or (code == 2 and text in err)), err


def test_usage(items):
    assert "a URL is missing" in post(items, status=64)[1]
    assert "no http" in post(items, "ftp://x/", status=2)[1]
    assert "no header" in post(items, "http://127.0.0.1:1/", "-H", "nothing", status=2)[1]
    assert "--batch-size" in post(items, "http://127.0.0.1:1/", "--batch-size", "0", status=64)[1]
    assert "Usage: vitrine post" in post("--help")[0]


def test_to_a_real_server(items, tmp_path):
    database = make(tmp_path / "data.db", "create table t (id integer primary key, n integer check (n <> 70), deep text)")
    site = serving.Server(database, "--root", "--secret", SECRET, "--state", tmp_path / "s").wait()
    token = bearer()["Authorization"].split()[1]
    url = f"http://{serving.HOST}:{site.port}/data"
    _, err = post(items, f"{url}/t/-/import", "--token", token, "--batch-size", "10", status=1)
    assert "24 created" in err and "1 were refused" in err and "item 7:" in err
    out, _ = post(items, f"{url}/t/-/import", "--token", token, "--json", status=1)
    assert json.loads(out)["updated"] == 24
    post(items, f"{url}/new/-/import?pk=id", "--token", token)
    assert site.sql("data", "select count(*) n, sum(n) s from new")["rows"] == [{"n": 25, "s": 3000}]
    post(items, f"{url}/t/-/upsert", "--token", token, "--filter", "n <> 70")
    _, err = post(items, f"{url}/t/-/import", status=4)
    assert "403" in err
    site.stop()
