# SPDX-License-Identifier: Apache-2.0
"""Files through the browser's doors: tus 1.0, plain forms, preview and import; what happens when it goes wrong."""
import base64
import gzip
import hashlib
import html
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

import serving
from limits import lowered
from writing import bearer, cookie, make, serve

TUS = {"Tus-Resumable": "1.0.0"}
OFFSET = "application/offset+octet-stream"
CSV = "code,name,n\na1,Anna,1\na2,Bert,2\na3,Cleo,x\n"


@pytest.fixture
def site(tmp_path):
    server = serve(make(tmp_path / "data.db"), "--state", tmp_path / "state")
    yield server
    server.stop()


@pytest.fixture
def start(tmp_path):
    """serve() with options on the same state; all are stopped at the end."""
    started = []

    def begin(*options, **more):
        if not started:
            make(tmp_path / "data.db")
        started.append(serve(tmp_path / "data.db", "--state", tmp_path / "state", *options, **more))
        return started[-1]
    yield begin
    for server in started:
        server.stop()


def meta(name):
    return "filename " + base64.b64encode(name.encode()).decode()


def create(site, size, name="people.csv", status=201, headers=None, **more):
    answer = site.ask("POST", "/-/upload", {**(bearer() if headers is None else headers), **TUS, "Upload-Length": str(size),
                                            "Upload-Metadata": meta(name), **more})
    assert answer.status == status, answer
    return answer.header("location")


def patch(site, url, offset, data, status=204, headers=None, **more):
    answer = site.ask("PATCH", url, {**(bearer() if headers is None else headers), **TUS, "Content-Type": OFFSET,
                                     "Upload-Offset": str(offset), **more}, data)
    assert answer.status == status, answer
    return answer


def offset(site, url, status=200, headers=None):
    answer = site.ask("HEAD", url, {**(bearer() if headers is None else headers), **TUS})
    assert answer.status == status, answer
    return int(answer.header("upload-offset")) if status == 200 else None


def upload(site, data, name="people.csv"):
    """The address of an import page."""
    data = data.encode() if isinstance(data, str) else data
    url = create(site, len(data), name)
    patch(site, url, 0, data)
    return url.replace("/-/upload/", "/-/import/")


def state(site, page):
    answer = site.ask("GET", page + ".json", cookie())
    assert answer.status == 200, answer
    return answer.json()


def begin(site, page, status=303, **fields):
    now = state(site, page)
    columns = {f"name.{i}": c["name"] for i, c in enumerate(now["columns"])} if "columns" in now else {}
    answer = site.form(page, **{"action": "start", "mode": "create", "database": "data", **columns, **fields})
    assert answer.status == status, answer
    return answer


def ended(site, page):
    end = time.monotonic() + 60
    while (now := state(site, page))["state"] == "running":
        assert time.monotonic() < end
    return now


def multipart(site, fields, headers=None, path="/-/upload"):
    """fields: name -> text, or (file name, bytes)."""
    body = b""
    for name, value in fields.items():
        disposition = f'form-data; name="{name}"'
        if isinstance(value, tuple):
            disposition += f'; filename="{value[0]}"'
        content = value[1] if isinstance(value, tuple) else value.encode()
        body += b"--xyz\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"
    body += b"--xyz--\r\n"
    return site.ask("POST", path, {**(cookie() if headers is None else headers),
                                   "Content-Type": "multipart/form-data; boundary=xyz"}, body)


# ---- tus: the protocol


def test_options(site):
    answer = site.ask("OPTIONS", "/-/upload")
    assert answer.status == 204 and answer.header("tus-version") == "1.0.0"
    assert set(answer.header("tus-extension").split(",")) == {"creation", "creation-with-upload", "creation-defer-length",
                                                              "expiration", "checksum", "termination"}
    assert int(answer.header("tus-max-size")) == 4096 << 20


def test_in_pieces(site):
    url = create(site, len(CSV))
    assert re.fullmatch(r"/-/upload/[0-9a-f]{32}", url)
    assert offset(site, url) == 0
    answer = patch(site, url, 0, CSV[:10])
    assert answer.header("upload-offset") == "10" and answer.header("tus-resumable") == "1.0.0"
    assert answer.header("upload-expires").endswith(" GMT")
    assert offset(site, url) == 10
    patch(site, url, 3, b"wrong", 409)
    patch(site, url, 10, CSV[10:])
    answer = site.ask("HEAD", url, {**bearer(), **TUS})
    assert answer.header("upload-length") == answer.header("upload-offset") == str(len(CSV))
    assert answer.header("upload-metadata") == meta("people.csv") and answer.header("cache-control") == "no-store"
    assert state(site, url.replace("upload", "import"))["state"] == "ready"


def test_creation_with_upload_and_a_late_length(site):
    answer = site.ask("POST", "/-/upload", {**bearer(), **TUS, "Upload-Defer-Length": "1", "Content-Type": OFFSET,
                                            "Upload-Metadata": meta("a.csv")}, CSV[:5])
    assert answer.status == 201 and answer.header("upload-offset") == "5"
    url = answer.header("location")
    assert site.ask("HEAD", url, {**bearer(), **TUS}).header("upload-defer-length") == "1"
    patch(site, url, 5, CSV[5:], **{"Upload-Length": str(len(CSV))})
    assert state(site, url.replace("upload", "import"))["state"] == "ready"


def test_refusals(site):
    url = create(site, 10)
    assert site.ask("POST", "/-/upload", {**bearer(), "Tus-Resumable": "0.2", "Upload-Length": "1"}).status == 412
    assert site.ask("POST", "/-/upload", {**bearer(), **TUS}).status == 400
    assert site.ask("POST", "/-/upload", {**bearer(), **TUS, "Upload-Length": "x"}).status == 400
    create(site, (4096 << 20) + 1, status=413)
    patch(site, url, 0, b"12345678901", 413)
    assert offset(site, url) == 0
    patch(site, url, 0, b"1", 415, **{"Content-Type": "text/plain"})
    patch(site, "/-/upload/" + "0" * 32, 0, b"1", 404)
    offset(site, "/-/upload/~2E~2E~2Fetc", 404)
    assert site.ask("HEAD", url, bearer()).status == 412


def test_checksum(site):
    url = create(site, len(CSV))
    for name in ("sha1", "sha256", "md5"):
        good = name + " " + base64.b64encode(hashlib.new(name, CSV[:9].encode()).digest()).decode()
        bad = name + " " + base64.b64encode(hashlib.new(name, b"else").digest()).decode()
        patch(site, url, 0, CSV[:9], 460, **{"Upload-Checksum": bad})
        assert offset(site, url) == 0
    patch(site, url, 0, CSV[:9], 400, **{"Upload-Checksum": "crc32 AAAA"})
    patch(site, url, 0, CSV[:9], **{"Upload-Checksum": good})
    assert offset(site, url) == 9


def test_termination(site, tmp_path):
    url = create(site, 10)
    assert site.ask("DELETE", url, {**bearer(), **TUS}).status == 204
    offset(site, url, 404)
    assert not list((tmp_path / "state/uploads").iterdir())


# ---- whose it is


def test_bound_to_the_actor(tmp_path):
    site = serve(make(tmp_path / "data.db"), "--state", tmp_path / "s", "--setting",
                 "permissions.create-table.id", '["ann", "bob"]')
    url = create(site, 5, headers=bearer("ann"))
    offset(site, url, 404, bearer("bob"))
    patch(site, url, 0, b"x", 404, bearer("bob"))
    assert site.ask("DELETE", url, {**bearer("bob"), **TUS}).status == 404
    assert offset(site, url, headers=bearer("ann")) == 0
    create(site, 5, status=403, headers=bearer("eve"))
    create(site, 5, status=403, headers={})
    assert site.get("/-/upload").status == 403
    assert multipart(site, {"file": ("a.csv", b"a\n1\n")}, bearer("eve")).status == 403
    site.stop()


def test_other_sites_cannot_send(site):
    cross = {**cookie(), "Sec-Fetch-Site": "cross-site"}
    url = create(site, 5)
    assert multipart(site, {"file": ("a.csv", b"a\n1\n")}, cross).status == 403
    patch(site, url, 0, b"x", 403, cross)
    assert site.ask("DELETE", url, {**cross, **TUS}).status == 403
    page = upload(site, CSV)
    assert site.ask("POST", page, {**cross, "Content-Type": "application/x-www-form-urlencoded"},
                    "action=delete").status == 403


# ---- broken connections, restarts, two at once


def send_half(site, url, data, claimed):
    """A PATCH whose connection breaks in the middle."""
    with socket.create_connection((serving.HOST, site.port), timeout=120) as s:
        s.sendall((f"PATCH {url} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer()['Authorization']}\r\n"
                   f"Tus-Resumable: 1.0.0\r\nContent-Type: {OFFSET}\r\nUpload-Offset: 0\r\n"
                   f"Content-Length: {claimed}\r\n\r\n").encode() + data)


def reaches(site, url, wanted):
    end = time.monotonic() + 60
    while offset(site, url) != wanted:
        assert time.monotonic() < end, offset(site, url)


def test_resumed_after_a_broken_connection(site):
    data = os.urandom(3_000_000)
    url = create(site, len(data))
    send_half(site, url, data[:1_234_567], len(data))
    reaches(site, url, 1_234_567)
    patch(site, url, 1_234_567, data[1_234_567:])
    assert state(site, url.replace("upload", "import"))["state"] == "ready"


def test_a_broken_piece_with_a_checksum_leaves_nothing(site):
    url = create(site, 100_000)
    with socket.create_connection((serving.HOST, site.port), timeout=120) as s:
        s.sendall((f"PATCH {url} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer()['Authorization']}\r\n"
                   f"Tus-Resumable: 1.0.0\r\nContent-Type: {OFFSET}\r\nUpload-Offset: 0\r\nUpload-Checksum: sha1 "
                   f"AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nContent-Length: 100000\r\n\r\n").encode() + b"x" * 50_000)
        reaches(site, url, 50_000)
    reaches(site, url, 0)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_resumed_by_another_process(start, how):
    one = start()
    data = os.urandom(500_000)
    url = create(one, len(data))
    patch(one, url, 0, data[:200_000])
    if how == signal.SIGKILL:
        one.kill()
    else:
        one.stop()
    two = start()
    assert offset(two, url) == 200_000
    patch(two, url, 200_000, data[200_000:])
    assert offset(two, url) == len(data)


def test_two_at_once(site):
    """The second PATCH on one upload is refused while the first has it."""
    url = create(site, 1_000_000)
    with socket.create_connection((serving.HOST, site.port), timeout=120) as s:
        s.sendall((f"PATCH {url} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer()['Authorization']}\r\n"
                   f"Tus-Resumable: 1.0.0\r\nContent-Type: {OFFSET}\r\nUpload-Offset: 0\r\n"
                   f"Content-Length: 1000000\r\n\r\n").encode() + b"x" * 1000)
        reaches(site, url, 1000)
        patch(site, url, 1000, b"y", 423)
        assert site.ask("DELETE", url, {**bearer(), **TUS}).status == 423
        s.sendall(b"x" * 999_000)
        assert b" 204 " in s.recv(1000)
    assert offset(site, url) == 1_000_000


def test_expired(tmp_path):
    site = serve(make(tmp_path / "data.db"), "--state", tmp_path / "s", "--setting", "upload_keep_hours", "0")
    url = create(site, 5)
    end = time.monotonic() + 60
    while site.ask("HEAD", url, {**bearer(), **TUS}).status != 404:
        assert time.monotonic() < end
    assert not list((tmp_path / "s/uploads").iterdir())
    site.stop()


def test_expired_ones_go_by_themselves(tmp_path):
    options = (tmp_path / "data.db", "--state", tmp_path / "s", "--setting", "upload_keep_hours", "0")
    make(tmp_path / "data.db")
    site = serve(*options)
    create(site, 5)
    site.stop()
    assert list((tmp_path / "s/uploads").iterdir())
    site = serve(*options)
    end = time.monotonic() + 60
    while list((tmp_path / "s/uploads").iterdir()):
        assert time.monotonic() < end
    site.stop()


def test_disk_full(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder],
                                      capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        site = serve(make(tmp_path / "data.db"), "--state", folder, "--internal", tmp_path / "i.db")
        url = create(site, 3_000_000)
        assert "No space" in patch(site, url, 0, b"x" * 3_000_000, 507).text
        answer = multipart(site, {"file": ("a.csv", b"a\n" + b"x" * 3_000_000)})
        assert answer.status == 507 and "No space" in answer.text
        assert site.ask("DELETE", url, {**bearer(), **TUS}).status == 204
        assert not list((folder / "uploads").iterdir())
        assert state(site, upload(site, CSV))["state"] == "ready"
        site.stop()
    finally:
        subprocess.run(["umount", folder], check=True)


def test_too_many(site):
    for _ in range(100):
        create(site, 1)
    create(site, 1, status=429)


def test_the_client_of_the_project(site, tmp_path):
    """tus-js-client from npm, in pieces, with a break in between."""
    client = serving.TOP / "node_modules/tus-js-client"
    if not client.exists() or not shutil.which("node"):
        pytest.skip("needs node and tus-js-client")
    data = os.urandom(2_500_000)
    (tmp_path / "file.bin").write_bytes(data)
    ran = subprocess.run(["node", serving.TOP / "tests/site/tus_client.cjs", f"http://{serving.HOST}:{site.port}/-/upload",
                          bearer()["Authorization"], tmp_path / "file.bin"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["resumed"] and said["before"] > 0
    answer = site.ask("HEAD", said["url"], {**bearer(), **TUS})
    assert int(answer.header("upload-offset")) == len(data)
    assert (tmp_path / "state/uploads" / said["url"].split("/")[-1]).read_bytes() == data
    assert said["gone"]


# ---- plain forms


def test_form(site):
    page = site.ask("GET", "/-/upload?database=data", cookie())
    assert page.status == 200 and 'type="file"' in page.text and 'enctype="multipart/form-data"' in page.text
    answer = multipart(site, {"database": "data", "table": "", "file": ("C:\\x\\my file.csv", CSV.encode()), "cells": ""})
    assert answer.status == 303, answer
    where = answer.header("location")
    assert where.endswith("?database=data")
    got = site.ask("GET", where, cookie()).text
    assert "Anna" in got and 'value="my file"' in got


def test_pasted_cells(site):
    answer = multipart(site, {"file": ("", b""), "cells": "name\tn\nx\t1\ny\t2\n"})
    page = answer.header("location")
    assert state(site, page)["preview"]["delimiter"] == "\t"
    begin(site, page, table="pasted")
    assert ended(site, page)["report"]["imported"] == 2
    assert site.rows("pasted") == [{"rowid": 1, "name": "x", "n": 1}, {"rowid": 2, "name": "y", "n": 2}]


def test_form_without_anything(site, tmp_path):
    assert multipart(site, {"file": ("", b""), "cells": ""}).status == 400
    assert site.ask("POST", "/-/upload", {**cookie(), "Content-Type": "text/plain"}, "x").status == 400
    body = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\n1,2\n'
    cut = site.ask("POST", "/-/upload", {**cookie(), "Content-Type": "multipart/form-data; boundary=xyz"}, body)
    assert cut.status == 400 and "cut off" in cut.text
    assert not list((tmp_path / "state/uploads").iterdir())


def test_form_larger_than_memory(site, tmp_path):
    before = site.memory_kb()
    size = 60_000_000
    head = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\n'
    tail = b"\r\n--xyz--\r\n"
    line = b"1," + b"x" * 997 + b"\n"
    connection = http.client.HTTPConnection(serving.HOST, site.port, timeout=60)
    connection.putrequest("POST", "/-/upload")
    for name, value in {**cookie(), "Content-Type": "multipart/form-data; boundary=xyz",
                        "Content-Length": str(len(head) + size + len(tail))}.items():
        connection.putheader(name, value)
    connection.endheaders(head)
    for _ in range(size // len(line)):
        connection.send(line)
    connection.send(tail)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 303 and site.memory_kb() - before < 40_000
    [stored] = (tmp_path / "state/uploads").iterdir()
    assert stored.stat().st_size == size + 4
    connection.close()


# ---- preview


def test_preview(site):
    got = state(site, upload(site, CSV))
    assert got["state"] == "ready" and got["table"] == "people" and got["databases"] == ["data"]
    p = got["preview"]
    assert [(c["name"], c["type"], c["unique"]) for c in p["columns"]] == [
        ("code", "TEXT", True), ("name", "TEXT", True), ("n", "TEXT", True)]
    assert p["rows"][0] == ["a1", "Anna", "1"] and p["whole"] and p["rows_read"] == 3
    assert (p["format"], p["encoding"], p["delimiter"], p["header_line"]) == ("CSV", "UTF-8", ",", 1)


def test_preview_of_a_large_file_is_of_its_head(site):
    lines = "".join(f"{i},{i * 1.5},name {i}\n" for i in range(100_000))
    for name, data in (("big.csv", ("id,v,name\n" + lines).encode()),
                       ("big.csv.gz", gzip.compress(("id,v,name\n" + lines).encode(), 1))):
        p = state(site, upload(site, data, name))["preview"]
        assert not p["whole"] and 1000 < p["rows_read"] < 100_000
        assert [c["type"] for c in p["columns"]] == ["INTEGER", "REAL", "TEXT"]
    records = json.dumps([{"id": i, "text": "x" * 100, "deep": {"a": [i]}} for i in range(20_000)], indent=1)
    p = state(site, upload(site, records, "big.json"))["preview"]
    assert not p["whole"] and [c["name"] for c in p["columns"]] == ["id", "text", "deep"] and p["rows"][1][0] == "1"


def test_how_a_file_is_read_can_be_said(site):
    page = upload(site, "a;b\nx,y;caf\xe9\n".encode("mac-roman"))
    got = site.ask("GET", page + ".json?encoding=mac-roman&delimiter=,", cookie()).json()["preview"]
    assert got["delimiter"] == "," and got["encoding"] == "Mac Roman"
    again = site.form(page, action="preview", delimiter=";", encoding="mac-roman", no_headers="1", database="data", table="t")
    assert again.status == 200 and "column_1" in again.text and "café" in again.text


@pytest.mark.parametrize("data, name", [(b"\x00\x01\x02\x03" * 100, "x.csv"), (b"", "x.csv"),
                                        (gzip.compress(CSV.encode() * 100)[:60], "cut.csv.gz"),
                                        (b"\x1f\x8b\x08\x00garbage", "bad.gz"), (b"PK\x03\x04nonsense", "bad.zip"),
                                        (b'[{"a": 1}, {"a"', "cut.json"), (b"SQLite format 3\0" + bytes(100), "x.db")])
def test_bad_files(site, data, name):
    """Said on the page; an import of it fails, names the fault and changes nothing."""
    tables = site.json("/data.json")["tables"]
    page = upload(site, data, name)
    shown = site.ask("GET", page, cookie())
    assert shown.status == 200
    begin(site, page, table="bad")
    now = ended(site, page)
    if now["state"] == "done":
        assert name == "x.db" or b"\x00" in data
    else:
        assert now["state"] == "failed" and now["fault"]
        assert [t["name"] for t in site.json("/data.json")["tables"]] == [t["name"] for t in tables]
        assert "Nothing was imported" in site.ask("GET", page, cookie()).text


# ---- import


def test_create(site, tmp_path):
    page = upload(site, CSV)
    begin(site, page, table="people", **{"as.0": "key", "pk.0": "1", "type.2": "INTEGER"})
    now = ended(site, page)
    assert now["state"] == "done" and now["table_url"] == "/data/people"
    r = now["report"]
    assert (r["imported"], r["rejected"], r["rejects_table"], r["created"]) == (2, 1, "people__rejects", True)
    assert [(c["name"], c["type"]) for c in r["columns"]] == [("key", "TEXT"), ("name", "TEXT"), ("n", "INTEGER")]
    assert site.rows("people") == [{"key": "a1", "name": "Anna", "n": 1}, {"key": "a2", "name": "Bert", "n": 2}]
    assert site.json("/data/people.json?_extra=primary_keys")["primary_keys"] == ["key"]
    shown = site.ask("GET", page, cookie()).text
    assert "2 rows" in shown and "/data/people__rejects" in shown
    end = time.monotonic() + 60
    while list((tmp_path / "state/uploads").iterdir()):  # the file goes after its row says that it is done
        assert time.monotonic() < end
    assert begin(site, page, 400, table="people").text.count("imported already") == 1


def test_modes(site):
    first = "id,title,age\n1,changed,5\n7,new,6\n"

    def run(status=303, data=first, **fields):
        page = upload(site, data)
        answer = begin(site, page, status, **{"table": "docs", **fields})
        return ended(site, page) if status == 303 else answer.text
    assert "a table" in run(mode="create")["fault"]
    assert "needs a key" in run(400, mode="upsert")
    assert "create, append" in run(400, mode="else")
    assert "no table" in run(mode="append", table="nothing")["fault"]
    now = run(mode="upsert", **{"pk.0": "1"})
    assert now["report"]["imported"] == 2
    assert [(r["id"], r["title"], r["score"]) for r in site.rows("docs")] == [
        (1, "changed", 1.5), (2, "Second", 2.5), (3, "Third", None), (7, "new", None)]
    now = run(mode="append")
    assert now["report"]["imported"] == 0 and now["report"]["rejected"] == 2
    assert "no column" in run(mode="append", data="id,more\n50,x\n")["fault"]
    assert run(mode="append", data="id,more\n50,x\n", alter="1")["report"]["imported"] == 1
    now = run(mode="replace")
    assert now["state"] == "done" and [r["id"] for r in site.rows("docs")] == [1, 7]


@pytest.mark.parametrize("name", ['a"b', "x; drop table docs", "[b]", "ünï", "sel'ect", "<script>alert(1)</script>"])
def test_hostile_names(site, name):
    page = upload(site, f'"{name.replace(chr(34), chr(34) * 2)}",b\n1,2\n', name + ".csv")
    shown = site.ask("GET", page, cookie()).text
    assert "<script>alert" not in shown
    begin(site, page, table=name)
    assert ended(site, page)["state"] == "done"
    assert [list(r.values())[-2:] for r in site.rows(serving.tilde(name))] == [[1, 2]]
    assert "<script>alert" not in site.ask("GET", page, cookie()).text and len(site.rows("docs")) == 3


def test_names_that_are_refused(site):
    page = upload(site, CSV)
    assert "cannot be the name" in begin(site, page, 400, table="sqlite_x").text
    assert "Two columns" in begin(site, page, 400, table="t", **{"as.0": "n"}).text
    assert "no type" in begin(site, page, 400, table="t", **{"type.0": "BLOB); drop table docs"}).text
    assert begin(site, page, 400, table="t", database="nothing").text.count("Choose a database") == 1


def test_permissions_of_modes(tmp_path):
    site = serve(make(tmp_path / "data.db"), "--state", tmp_path / "s", "--setting",
                 "databases.data.tables.docs.permissions.insert-row.id", "ann")
    data = "id,title\n70,x\n"
    url = create(site, len(data), headers=bearer("ann"))
    patch(site, url, 0, data, headers=bearer("ann"))
    page = url.replace("upload", "import")

    def run(**fields):
        return site.form(page, cookie("ann"), action="start", database="data", table="docs", **fields)
    assert run(mode="create").status == 403 and run(mode="replace").status == 403
    assert run(mode="upsert", **{"name.0": "id", "pk.0": "1"}).status == 403
    assert run(mode="append", alter="1").status == 403
    assert run(mode="append").status == 303
    end = time.monotonic() + 60
    while site.ask("GET", page + ".json", cookie("ann")).json()["state"] == "running":
        assert time.monotonic() < end
    assert site.rows("docs")[-1]["title"] == "x"
    site.stop()


def big(rows=400_000):
    return "id,a,b\n" + "".join(f"{i},{i * 7 % 1000},text of row {i}\n" for i in range(rows))


def test_cancel_and_two_into_one_table(site):
    page = upload(site, big())
    begin(site, page, table="big")
    other = upload(site, CSV)
    begin(site, other, table="big")
    assert site.form(page, action="start", mode="create", database="data", table="big").status == 303  # it runs already
    assert site.form(page, action="delete").status in (303, 400)
    site.form(page, action="cancel")
    now = ended(site, page)
    assert now["state"] in ("cancelled", "done")
    last = ended(site, other)
    assert last["state"] == ("done" if now["state"] == "cancelled" else "failed"), (now, last)


def test_progress_and_writes_meanwhile(site):
    page = upload(site, big())
    begin(site, page, table="big")
    seen = set()
    while (now := state(site, page))["state"] == "running":
        seen.add(now["progress"]["phase"])
        assert 0 <= now["progress"]["percent"] <= 100
    assert now["state"] == "done" and now["report"]["imported"] == 400_000
    assert seen <= {"waiting", "reading", "writing"} and seen
    site.post("/data/docs/-/insert", {"row": {"title": "after"}}, 201)


def events(site, page):
    """What /events says until it ends: [(name, JSON)]."""
    connection = site.connect()
    connection.request("GET", page + "/events", headers={**cookie(), "Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("content-type").startswith("text/event-stream")
    assert answer.getheader("content-encoding") is None and answer.getheader("cache-control") == "no-store"
    found = [dict(line.split(": ", 1) for line in event.splitlines() if ": " in line)
             for event in answer.read().decode().split("\n\n") if event]
    connection.close()
    return [(e.get("event", "message"), json.loads(e["data"])) for e in found if "data" in e]


def test_events(site):
    page = upload(site, big())
    assert events(site, page) == [("end", {})]
    begin(site, page, table="big")
    *told, last = events(site, page)
    assert last == ("end", {}) and state(site, page)["state"] == "done"
    assert told and all(name == "message" and 0 <= p["percent"] <= 100 for name, p in told)
    assert [p["percent"] for _, p in told] == sorted(p["percent"] for _, p in told)
    assert site.ask("GET", page + "/events", {}).status == 404  # somebody else's


def test_events_while_many_listen(tmp_path):
    """Nobody who listens keeps a worker: more of them than there are threads, and pages are still answered."""
    site = serve(make(tmp_path / "data.db"), "--state", tmp_path / "s", "--setting", "num_sql_threads", "1")
    page = upload(site, big())
    begin(site, page, table="big")
    listening = []
    for _ in range(40):
        listening.append(site.connect())
        listening[-1].request("GET", page + "/events", headers=cookie())
    assert site.get("/data/docs.json").status == 200
    for one in listening:
        assert one.getresponse().read().decode().endswith("event: end\ndata: {}\n\n")
        one.close()
    site.stop()


def test_events_end_and_go_on(tmp_path):
    """LIMIT_EVENTS_MS: so that a server that stops is not held up; the browser asks again."""
    site = serve(make(tmp_path / "data.db"), "--state", tmp_path / "s", env=lowered(EVENTS_MS=1))
    page = upload(site, big())
    begin(site, page, table="big")
    rounds = 0
    while ("end", {}) not in events(site, page):
        rounds += 1
    assert rounds and state(site, page)["state"] == "done"
    site.stop()


def test_rejects_are_shown(site):
    page = upload(site, "id,n\n1,5\n2,<b>\n3,6\n1,7\n")
    begin(site, page, table="r", **{"pk.0": "1", "type.1": "INTEGER"})
    ended(site, page)
    text = html.unescape(site.ask("GET", page, cookie()).text)
    assert "2 lines did not fit" in text and '"<b>" is no INTEGER' in text and "UNIQUE constraint failed: r.id" in text
    assert "/data/r__rejects.csv?" in text and "<td>3</td>" in text and "<td>5</td>" in text


def test_undo_says_first_what_it_does(site):
    def says(mode, rows, table, **fields):
        page = upload(site, rows)
        begin(site, page, table=table, mode=mode, **fields)
        ended(site, page)
        assert "Undo this import?" not in site.ask("GET", page, cookie()).text
        asked = site.ask("GET", page + "?undo=1", cookie()).text
        assert site.rows(table)  # looking does nothing
        return re.sub(r"\s+", " ", asked[asked.index("Undo this import?"):])[:400]
    assert "The table people is dropped, with the 3 rows" in says("create", CSV, "people")
    assert "The 1 row that it added to docs is deleted" in says("append", "id,title\n20,x\n", "docs")
    assert "rows that it changed are again what they were" in says("upsert", "id,title\n1,x\n", "docs", **{"pk.0": "1"})
    assert "becomes what it was before" in says("replace", "id,title\n1,x\n", "docs")


def test_killed_in_the_middle(start):
    """The table is as before, and the page says so; the file is still there to be imported again."""
    one = start()
    page = upload(one, big())
    begin(one, page, table="big")
    one.kill()
    two = start()
    now = state(two, page)
    if now["state"] == "done":
        pytest.skip("it was faster")
    assert now["state"] == "failed" and now["interrupted"] and "Nothing was changed" in now["fault"]
    assert two.get("/data/big.json").status == 404
    begin(two, page, table="big")
    assert ended(two, page)["report"]["imported"] == 400_000


def test_stopped_in_the_middle(start):
    one = start()
    page = upload(one, big())
    begin(one, page, table="big")
    one.stop()
    two = start()
    now = state(two, page)
    assert now["state"] in ("cancelled", "done")
    if now["state"] == "cancelled":
        assert "stopped" in now["fault"] and two.get("/data/big.json").status == 404


def test_undo(site):
    page = upload(site, CSV)
    begin(site, page, table="people")
    assert ended(site, page)["may_undo"] and "Undo this import" in site.ask("GET", page, cookie()).text
    assert site.form(page, action="undo").status == 303
    now = state(site, page)
    assert now["state"] == "undone" and not now["may_undo"] and site.get("/data/people.json").status == 404
    assert "taken back" in site.ask("GET", page, cookie()).text
    assert site.form(page, action="undo").status == 403
    page = upload(site, "id,title\n1,changed\n9,new\n")
    begin(site, page, table="docs", mode="upsert", **{"pk.0": "1"})
    ended(site, page)
    later = upload(site, "id,title\n20,x\n")
    begin(site, later, table="docs", mode="append")
    ended(site, later)
    refused = site.form(page, action="undo")
    assert refused.status == 400 and "since" in refused.text
    assert site.form(later, action="undo").status == 303
    assert [r["id"] for r in site.rows("docs")] == [1, 2, 3, 9]
    page = upload(site, "id,title\n1,changed again\n")
    begin(site, page, table="docs", mode="upsert", **{"pk.0": "1"})
    ended(site, page)
    site.post("/data/docs/1/-/update", {"update": {"title": "by hand"}}, 200)
    assert site.form(page, action="undo").status == 400
    assert site.rows("docs")[0]["title"] == "by hand"


def test_histories_say_who(site, tmp_path):
    serving.run("history", "enable", tmp_path / "data.db", "docs")
    page = upload(site, "id,title\n80,x\n")
    begin(site, page, table="docs", mode="append")
    assert ended(site, page)["report"]["imported"] == 1
    site.post("/data/docs/-/import", [{"id": 81}], 200)
    status, out, _ = serving.run("history", "show", tmp_path / "data.db", "docs", "--json")
    assert status == 0
    said = [(line["who"], line["via"]) for line in map(json.loads, out.splitlines())]
    assert said[:2] == [("root", "web")] * 2 and len(said) == 3  # and that it was enabled


def test_delete(site, tmp_path):
    page = upload(site, CSV)
    assert site.form(page, action="delete").status == 303
    assert site.ask("GET", page, cookie()).status == 404
    assert not list((tmp_path / "state/uploads").iterdir())


def test_links_lead_there(site):
    for path, href in (("/", "/-/upload"), ("/data", "/-/upload?database=data"),
                       ("/data/docs", "/-/upload?database=data&amp;table=docs")):
        text = site.ask("GET", path, cookie()).text
        assert f'href="{href}"' in text and "upload.js" in text
        assert "/-/upload" not in site.get(path).text
    for path, href in (("/data/docs/1", "/-/upload?database=data&amp;table=docs"), ("/-/versions", "/-/upload"),
                       ("/data/-/schema", "/-/upload?database=data"), ("/nothing", "/-/upload")):
        assert f'data-upload-page="{href}"' in site.ask("GET", path, cookie()).text, path
        assert "/-/upload" not in site.get(path).text, path


def test_a_closed_table_in_other_letters(tmp_path, request):
    """SQLite finds DOCS where there is docs; permissions go by what the table is called, through every door that takes a name."""
    names = ("insert-row", "update-row", "delete-row", "create-table", "alter-table", "drop-table")
    (tmp_path / "config.json").write_text(json.dumps({"databases": {"data": {
        "permissions": {name: {"id": ["ann", "root"]} for name in names},
        "tables": {"docs": {"permissions": {name: {"id": "root"} for name in names}}}}}}))
    make(tmp_path / "data.db")
    done = subprocess.run([serving.PROGRAM, "history", "enable", tmp_path / "data.db", "owners"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done
    site = serve(tmp_path / "data.db", "--state", tmp_path / "s", "-c", tmp_path / "config.json")
    request.addfinalizer(site.stop)
    history = "_history_owners"

    def contents():
        db = sqlite3.connect(tmp_path / "data.db", timeout=60)
        try:
            return {table: db.execute(f'select * from "{table}"').fetchall() for table in ("docs", "owners", history)}
        finally:
            db.close()

    before, rows = contents(), [{"id": 1, "title": "changed", "name": "changed"}]
    for name in ("docs", "DOCS", "Docs", history, history.upper()):
        answer = site.post(f"/data/{name}/-/import", rows, headers=bearer("ann"))
        assert answer.status == 403, (name, answer)
        answer = site.post("/data/-/create", {"table": name, "rows": rows, "replace": True}, headers=bearer("ann"))
        assert answer.status in (400, 403), (name, answer)
        data = "id,title\n70,x\n"
        url = create(site, len(data), headers=bearer("ann"))
        patch(site, url, 0, data, headers=bearer("ann"))
        page = url.replace("upload", "import")
        for fields in ({"mode": "append"}, {"mode": "append", "alter": "1"}, {"mode": "replace"},
                       {"mode": "upsert", "name.0": "id", "pk.0": "1"}):
            answer = site.form(page, cookie("ann"), action="start", database="data", table=name, **fields)
            assert answer.status == 403, (name, fields, answer)
        assert site.form(page, cookie("ann"), action="delete").status == 303
    assert contents() == before
    answer = site.post("/data/PAIRS/-/import", [{"a": "x", "b": 1, "val": "y"}], headers=bearer("ann"))
    assert answer.status == 200 and len(site.rows("pairs")) == 2, "what is open is found in other letters too"


def test_what_undo_believes_is_written_by_nobody(tmp_path, request):
    """Undoing an import drops the tables that its record names: who writes the record, or makes one, drops what they like."""
    names = ("insert-row", "update-row", "delete-row", "create-table", "alter-table", "execute-write-sql", "drop-table")
    (tmp_path / "config.json").write_text(json.dumps({"databases": {"data": {
        "permissions": {name: {"id": ["ann", "root"] if name != "drop-table" else "root"} for name in names}}}}))
    site = serve(make(tmp_path / "data.db"), "--state", tmp_path / "s", "-c", tmp_path / "config.json")
    request.addfinalizer(site.stop)
    ann = bearer("ann")
    data = "name,n\nx,7\n"
    url = create(site, len(data), headers=ann)
    patch(site, url, 0, data, headers=ann)
    page = url.replace("upload", "import")
    assert site.form(page, cookie("ann"), action="start", database="data", table="nopk", mode="append").status == 303
    end = time.monotonic() + 60
    while site.ask("GET", page + ".json", cookie("ann")).json()["state"] == "running":
        assert time.monotonic() < end
    assert site.ask("GET", page + ".json", cookie("ann")).json()["state"] == "done"
    row = {"kind": "made child", "name": "docs", "sql": "drop table docs"}
    for table in ("_vitrine_undo_sql", "_VITRINE_undo_sql"):
        for path, body in ((f"/data/{table}/-/insert", {"row": row}), (f"/data/{table}/-/upsert", {"rows": [row]}),
                           (f"/data/{table}/-/import", [row]), ("/data/-/create", {"table": table, "rows": [row]}),
                           ("/data/-/create", {"table": table + "2", "rows": [row]}),
                           ("/data/docs/-/alter", {"operations": [{"op": "rename_table", "args": {"to": table + "3"}}]}),
                           ("/data/-/execute-write", {"sql": f"insert into {table} (kind, name) values ('made child', 'docs')"}),
                           ("/data/-/execute-write", {"sql": "update _vitrine_imports set undo = 'rewritten'"})):
            answer = site.post(path, body, headers=ann)
            assert answer.status in (400, 403, 404), (path, body, answer)
    assert site.form(page, cookie("ann"), action="undo").status == 303
    assert len(site.rows("docs")) == 3 and len(site.rows("nopk")) == 1
