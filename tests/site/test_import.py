# SPDX-License-Identifier: Apache-2.0
"""POST /DB/TABLE/-/import: records with a key, each with an answer of its own; bodies larger than memory."""
import http.client
import json
import os
import socket
import subprocess

import pytest

import serving
from writing import bearer, make, serve

LINES = "application/x-ndjson"


@pytest.fixture
def site(tmp_path):
    server = serve(make(tmp_path / "data.db"), "--state", tmp_path / "state")
    yield server
    server.stop()


def send(site, path, records, status=200, kind="application/json", headers=None):
    body = records if isinstance(records, (str, bytes)) else (
        "\n".join(map(json.dumps, records)) if kind == LINES else json.dumps(records))
    body = body.encode() if isinstance(body, str) else body
    answer = site.ask("POST", path, {**(bearer() if headers is None else headers), "Content-Type": kind}, body)
    assert answer.status == status, answer
    return [json.loads(line) for line in answer.text.splitlines()] if answer.header("content-type").startswith(
        LINES) else answer.json()


# ---- tables that are there


def test_rows_are_added_and_changed(site):
    got = send(site, "/data/docs/-/import", [{"id": 1, "age": 11}, {"id": 9, "title": "new"}, {"title": "no key"}])
    assert got == {"results": [{"index": 0, "status": "updated", "key": 1}, {"index": 1, "status": "created", "key": 9},
                               {"index": 2, "status": "created", "key": 10}],
                   "ok": True, "created": 2, "updated": 1, "failed": 0}
    assert [(r["id"], r["title"], r["age"]) for r in site.rows("docs")] == [
        (1, "First", 11), (2, "Second", 20), (3, "Third", None), (9, "new", None), (10, "no key", None)]


def test_again_changes_nothing(site):
    records = [{"id": 1, "title": "First"}, {"id": 2}]
    before = site.rows("docs")
    for _ in range(2):
        got = send(site, "/data/docs/-/import", records)
        assert [r["status"] for r in got["results"]] == ["updated", "updated"]
    assert site.rows("docs") == before


def test_compound_keys_and_tables_without(site):
    got = send(site, "/data/pairs/-/import", [{"a": "p/q", "b": 2, "val": "x"}, {"a": "z", "b": 1}, {"a": "z"}])
    assert [r.get("key") for r in got["results"]] == [["p/q", 2], ["z", 1], None]
    assert got["results"][2]["error"] == 'the key column "b" is missing'
    got = send(site, "/data/nopk/-/import", [{"name": "n2"}])
    assert got["results"] == [{"index": 0, "status": "created", "key": 2}]


def test_records_fail_alone(site):
    records = [{"id": 5, "title": "good"}, {"id": 6, "nope": 1}, {"id": {"x": 1}}, 7, [], {}, {"id": 8}]
    got = send(site, "/data/docs/-/import", records)
    assert [r["status"] for r in got["results"]] == ["created", "error", "error", "error", "error", "error", "created"]
    assert (got["ok"], got["created"], got["failed"]) == (False, 2, 5)
    assert "nope" in got["results"][1]["error"] and "object" in got["results"][3]["error"]
    got = send(site, "/data/pets/-/import", [{"name": "a", "chip": "c1"}, {"name": "b", "owner_id": 99}, {"name": None}])
    assert "UNIQUE" in got["results"][0]["error"] and "NOT NULL" in got["results"][2]["error"]


def test_all_failed_is_400(site):
    got = send(site, "/data/docs/-/import", [{"nope": 1}], 400)
    assert not got["ok"] and got["failed"] == 1
    assert send(site, "/data/docs/-/import", [], 200)["results"] == []


def test_lines(site):
    body = '{"id": 21, "title": "é"}\n\n{"id": 22\n{"id": 23}\r\n{"id": 24}'
    got = send(site, "/data/docs/-/import", body, kind=LINES)
    assert [r.get("key", r.get("line")) for r in got[:-1]] == [21, 3, 23, 24]
    assert "Invalid JSON" in got[1]["error"]
    assert got[-1] == {"ok": False, "created": 3, "updated": 0, "failed": 1}


def test_only_errors(site):
    got = send(site, "/data/docs/-/import?results=errors", [{"id": 31}, {"x": 1}])
    assert [r["index"] for r in got["results"]] == [1] and got["created"] == 1


def test_one_object(site):
    assert send(site, "/data/docs/-/import", '{\n"id": 41,\n"title": "one"\n}')["results"][0]["key"] == 41


# ---- columns and tables that are not


def test_a_table_is_made(site):
    got = send(site, "/data/new/-/import?pk=code", [{"code": "a", "n": 1}, {"code": "b", "n": 2.5, "deep": {"x": [1]}}])
    assert got["created"] == 2
    assert site.rows("new") == [{"code": "a", "n": 1.0, "deep": None}, {"code": "b", "n": 2.5, "deep": '{"x": [1]}'}]
    got = send(site, "/data/new/-/import", [{"code": "a", "n": 3}])
    assert got["updated"] == 1
    assert send(site, "/data/new/-/import?pk=n", [{"n": 3}], 400)["error"] == "pk cannot be changed for existing table"


def test_the_key_of_a_new_table(site):
    assert send(site, "/data/byid/-/import", [{"id": 7, "x": 1}])["results"][0]["key"] == 7
    assert "which column" in send(site, "/data/other/-/import", [{"x": 1}], 400)["error"]
    assert "key column" in send(site, "/data/other/-/import?pk=y", [{"x": 1}], 400)["error"]
    got = send(site, "/data/two/-/import?pk=a&pk=b", [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 1, "b": 2}])
    assert (got["created"], got["updated"]) == (2, 1)
    assert site.get("/data/other.json").status == 404


def test_alter(site):
    assert send(site, "/data/docs/-/import", [{"id": 1, "more": "x"}], 400)["failed"] == 1
    assert send(site, "/data/docs/-/import?alter=1", [{"id": 1, "more": "x"}])["updated"] == 1
    assert site.rows("docs")[0]["more"] == "x"


def test_keep_original(site):
    record = '{"id": 51,   "name": "x", "n": 1.50}'
    send(site, "/data/kept/-/import?keep_original=raw", f"[{record}]")
    assert site.rows("kept") == [{"id": 51, "name": "x", "n": 1.5, "raw": record}]
    got = send(site, "/data/kept/-/import?keep_original=raw", [{"id": 52, "raw": 1}], 400)
    assert "of its own" in got["results"][0]["error"]


@pytest.mark.parametrize("name", ['a"b', "x; drop table docs", "[brackets]", "sp ace", "ünï", "sel'ect", "a.b", "100%"])
def test_awkward_names(site, name):
    send(site, f"/data/{serving.tilde(name)}/-/import?pk=" + serving.urllib.parse.quote(name), [{name: 1, 'c"]': 2}])
    assert site.rows(serving.tilde(name)) == [{name: 1, 'c"]': 2}]
    assert len(site.rows("docs")) == 3


def test_names_that_are_refused(site):
    assert send(site, "/data/sqlite_x/-/import", [{"id": 1}], 400)["error"] == "Invalid table name"
    assert "is no table" in send(site, "/data/titles/-/import", [{"id": 1}], 400)["error"]
    assert "no argument" in send(site, "/data/docs/-/import?key=1", [{"id": 1}], 400)["error"]


# ---- who may


def test_permissions(site, tmp_path):
    assert send(site, "/data/docs/-/import", [{"id": 1}], 403, headers={})["ok"] is False
    limited = bearer(_r={"a": ["ir"]})
    assert "update-row" in send(site, "/data/docs/-/import", [{"id": 1}], 403, headers=limited)["error"]
    rows = bearer(_r={"a": ["ir", "ur", "vt"]})
    assert send(site, "/data/docs/-/import", [{"id": 1, "title": "t"}], headers=rows)["ok"]
    assert "create-table" in send(site, "/data/new/-/import", [{"id": 1}], 403, headers=rows)["error"]
    assert "alter-table" in send(site, "/data/docs/-/import?alter=1", [{"id": 1, "z": 1}], 403, headers=rows)["error"]


def test_other_sites_cannot_send(site):
    answer = site.ask("POST", "/data/docs/-/import", {"Cookie": "x=1", "Sec-Fetch-Site": "cross-site"}, "[]")
    assert answer.status == 403


def test_a_refusal_comes_before_the_body(site):
    """A stranger's long body is not taken."""
    with socket.create_connection((serving.HOST, site.port), timeout=120) as s:
        s.sendall(b"POST /data/docs/-/import HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n[" + b" " * 100000)
        got = s.recv(65536)
        assert got.startswith(b"HTTP/1.1 403") and b"connection: close" in got.lower()


# ---- bodies


@pytest.mark.parametrize("body, error", [
    ("", "no records"), ("[{\"id\": 1}", None), ("nonsense", None), ("[,]", "missing before ,"), ("[1 2]", None),
    ("[{\"id\": 61}] x", None), ("{", None), ("[", "not closed"), ("\x00\x01\x02", None), ("[{\"id\": 1},]", None)])
def test_bad_bodies(site, body, error):
    answer = site.ask("POST", "/data/docs/-/import", {**bearer(), "Content-Type": "application/json"}, body)
    got = answer.json()
    assert not got["ok"] and answer.status in (200, 400)
    text = got.get("error") or got["results"][0]["error"]
    assert error is None or error in text, got
    site.alive()


def test_what_came_before_a_fault_is_stored(site):
    got = send(site, "/data/docs/-/import", '[{"id": 71}, {"id": 72}')
    assert got["created"] == 2 and not got["ok"] and "not closed" in got["error"]
    assert {71, 72} <= {r["id"] for r in site.rows("docs")}


def test_many_records(site, tmp_path):
    """More than one batch, chunked, answered as they are stored; the server does not grow with them."""
    n, pad = 20000, "x" * 500

    def pieces():
        yield b"["
        for i in range(n):
            yield (", " if i else "").encode() + json.dumps({"id": i, "pad": pad}).encode()
        yield b"]"
    connection = http.client.HTTPConnection(serving.HOST, site.port, timeout=120)
    connection.request("POST", "/data/big/-/import", pieces(), {**bearer(), "Content-Type": "application/json"},
                       encode_chunked=True)
    answer = connection.getresponse()
    got = json.loads(answer.read())
    connection.close()
    assert answer.status == 200 and got["ok"] and got["created"] == n and len(got["results"]) == n
    assert site.sql("data", "select count(*) n from big")["rows"] == [{"n": n}]
    assert not list((tmp_path / "state" / "uploads").iterdir())


def test_record_too_large(site):
    got = send(site, "/data/docs/-/import", '[{"id": 81}, {"id": 82, "title": "' + "x" * (17 << 20) + '"}]')
    assert got["created"] == 1 and "larger than" in got["error"]


def test_body_too_large(tmp_path):
    site = serve(make(tmp_path / "data.db"), "--setting", "max_upload_mb", "1")
    body = '[{"id": 1, "title": "' + "x" * (1 << 20) + '"}]'
    answer = site.ask("POST", "/data/docs/-/import", bearer(), body)
    assert answer.status == 413
    connection = http.client.HTTPConnection(serving.HOST, site.port, timeout=120)
    connection.request("POST", "/data/docs/-/import", iter([body[:1000].encode(), body[1000:].encode()]), bearer(),
                       encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 413 and "larger than" in json.loads(answer.read())["error"]
    connection.close()
    site.stop()


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder],
                                      capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_disk_full(tmp_path, small_disk):
    """The folder of uploads has no room: 507, nothing imported, and the server goes on."""
    site = serve(make(tmp_path / "data.db"), "--state", small_disk, "--internal", tmp_path / "internal.db")
    body = json.dumps([{"id": i, "title": "x" * 1000} for i in range(2000)])
    answer = site.ask("POST", "/data/docs/-/import", {**bearer(), "Content-Type": "application/json"}, body)
    assert answer.status == 507 and "No space" in answer.json()["error"], answer
    assert len(site.rows("docs")) == 3
    assert send(site, "/data/docs/-/import", [{"id": 4}])["ok"]
    site.stop()


def test_a_client_that_goes_away(site, tmp_path):
    with socket.create_connection((serving.HOST, site.port), timeout=120) as s:
        token = bearer()["Authorization"]
        s.sendall(f"POST /data/docs/-/import HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
                  f"Content-Length: 1000000\r\n\r\n".encode() + b'[{"id": 91},' * 1000)
    site.alive()
    assert len(site.rows("docs")) == 3


def test_requests_behind_a_body(site):
    """What a client sends ahead behind a body that went to disk is answered, after it, on the same connection."""
    token = bearer()["Authorization"]
    body = b'[{"id": 95}]'
    lengths = f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    chunks = b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\n" + body[:5] + b"\r\n7;x=y\r\n" + body[5:] + b"\r\n0\r\n\r\n"
    head = f"POST /data/docs/-/import HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n".encode()
    last = b"GET /-/versions.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for together in (head + lengths + head + chunks + last, head + chunks + head + lengths + last):
        for cut in (len(together), len(head) + 40, len(head) * 2 + 100):
            with socket.create_connection((serving.HOST, site.port), timeout=120) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.sendall(together[:cut])
                s.sendall(together[cut:])
                got = b""
                while piece := s.recv(65536):
                    got += piece
            assert got.count(b"HTTP/1.1 200 ") == 3 and got.count(b'"key": 95') == 2 and b"sqlite" in got


def test_damaged_chunks(site):
    token = bearer()["Authorization"]
    with socket.create_connection((serving.HOST, site.port), timeout=120) as s:
        s.sendall(f"POST /data/docs/-/import HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n5\r\n[{\"id\r\nzz\r\n".encode())
        assert s.recv(65536).startswith(b"HTTP/1.1 400")
    assert len(site.rows("docs")) == 3


def test_two_at_once(site):
    """Imports and single writes into one table share the writer."""
    import concurrent.futures

    def one(k):
        own = http.client.HTTPConnection(serving.HOST, site.port, timeout=60)
        own.request("POST", "/data/docs/-/import", json.dumps([{"id": 1000 + k * 1000 + i} for i in range(900)]),
                    {**bearer(), "Content-Type": "application/json"})
        got = json.loads(own.getresponse().read())
        own.close()
        return got["created"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == [900] * 4
    assert site.sql("data", "select count(*) n from docs")["rows"] == [{"n": 3603}]
