# SPDX-License-Identifier: Apache-2.0
"""Instance pages, headers, conditional requests, ways to listen."""
import gzip
import os
import socket
import sqlite3
import ssl
import subprocess

import pytest

import serving
from serving import HOST


@pytest.mark.parametrize("path, keys", [
    ("/-/versions", {"python", "sqlite"}), ("/-/settings", {"default_page_size", "sql_time_limit_ms"}),
    ("/-/config", set()), ("/-/actor", {"actor"}), ("/-/databases", None), ("/-/plugins", None), ("/-/health", None)])
def test_instance_pages(site, path, keys):
    answer = site.get(path + ".json")
    assert (answer.status, answer.header("content-type")) == (200, "application/json; charset=utf-8")
    data = answer.json()
    if path == "/-/versions":
        assert data["sqlite"]["version"] and tuple(map(int, data["sqlite"]["version"].split("."))) >= (3, 51, 3)
    elif keys is not None:
        assert keys <= set(data)
    page = site.get(path)
    assert page.status == 200


def test_databases_and_settings(server, chinook):
    site = server(chinook, "--setting", "default_page_size", "7", "--memory")
    listed = site.json("/-/databases.json")
    listed = listed["databases"] if isinstance(listed, dict) else listed
    names = {d["name"]: d for d in listed}
    assert names["chinook"]["is_mutable"] is True and names["chinook"]["path"].endswith("chinook.db")
    assert names["chinook"]["size"] == os.path.getsize(chinook) and names["_memory"]["is_memory"] is True
    assert site.json("/-/settings.json")["default_page_size"] == 7
    assert len(site.json("/chinook/Track.json")["rows"]) == 7
    assert site.sql("_memory", "select 1 + 1 as two")["rows"] == [{"two": 2}]


def test_headers(site):
    page = site.get("/chinook/Track")
    assert page.header("cache-control") == "max-age=5" and page.header("referrer-policy") == "no-referrer"
    assert any('rel="alternate"' in link and "/chinook/Track.json" in link for link in page.all("link"))
    data = site.get("/chinook/Track.json")
    assert any('rel="next"' in link for link in data.all("link"))
    assert site.get("/chinook/Track.json?_ttl=30").header("cache-control") == "max-age=30"
    assert site.get("/chinook/Track.json?_ttl=0").header("cache-control") == "no-cache"
    assert site.get("/").header("cache-control") is None
    assert site.get("/").header("access-control-allow-origin") is None
    assert page.header("date") and page.header("content-length") == str(len(page.body))


@pytest.mark.parametrize("path", ["/", "/chinook", "/chinook/Track", "/chinook/Track.json", "/chinook/Track/1",
                                  "/chinook/Genre.csv", "/-/versions.json", "/-/static/app.css"])
def test_head_is_get_without_the_body(site, path):
    get, head = site.get(path), site.ask("HEAD", path)
    assert (head.status, head.body) == (get.status, b"") and get.status == 200
    assert head.header("content-type") == get.header("content-type")
    if get.header("content-length"):
        assert head.header("content-length") == get.header("content-length")


@pytest.mark.parametrize("path", ["/-/static/app.css", "/chinook/Genre.json", "/chinook/Track/1", "/chinook/Track"])
def test_conditional(site, path):
    site.get(path)
    first = site.get(path)
    tag = first.header("etag")
    assert tag, path
    again = site.get(path, {"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"") and again.header("etag") == tag
    assert site.get(path, {"If-None-Match": f'"x", {tag}'}).status == 304
    assert site.get(path, {"If-None-Match": '"x"'}).body == first.body


def test_gzip(site):
    for path in ("/chinook/Track", "/chinook/Track.json", "/chinook/Track.csv", "/-/static/app.css"):
        plain = site.get(path)  # what is kept of it serves both
        packed = site.get(path, {"Accept-Encoding": "gzip"})
        assert plain.header("content-encoding") is None
        assert packed.header("content-encoding") == "gzip", path
        assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body) / 2
        assert "accept-encoding" in packed.header("vary").lower()


def test_static_files(site):
    answer = site.get("/-/static/app.css")
    assert answer.status == 200 and answer.header("content-type").startswith("text/css")
    assert site.get("/-/static/nothing.css").status == 404
    for path in ("/-/static/../app.c", "/-/static/%2e%2e/x", "/-/static/..%2f..%2fetc/passwd", "/-/static//etc/passwd"):
        assert site.get(path).status in (400, 404), path


def test_static_mount(server, chinook, tmp_path):
    folder = tmp_path / "files"
    (folder / "sub").mkdir(parents=True)
    (folder / "hello.txt").write_text("hello world " * 10)
    (folder / "sub/page.html").write_text("<p>é")
    (tmp_path / "secret.txt").write_text("secret")
    os.symlink(tmp_path / "secret.txt", folder / "link.txt")
    site = server(chinook, "--static", f"assets:{folder}")
    answer = site.get("/assets/hello.txt")
    assert (answer.status, answer.text) == (200, "hello world " * 10) and answer.header("etag")
    assert site.get("/assets/hello.txt", {"If-None-Match": answer.header("etag")}).status == 304
    part = site.get("/assets/hello.txt", {"Range": "bytes=6-10"})
    assert (part.status, part.text, part.header("content-range")) == (206, "world", "bytes 6-10/120")
    assert site.get("/assets/hello.txt", {"Range": "bytes=500-"}).status == 416
    assert site.get("/assets/sub/page.html").header("content-type").startswith("text/html")
    assert site.get("/assets/sub").status in (403, 404) and site.get("/assets/nope").status == 404
    for path in ("/assets/../secret.txt", "/assets/%2e%2e/secret.txt", "/assets/..%2fsecret.txt",
                 "/assets/sub/../../secret.txt", "/assets/link.txt", "/assets/hello.txt%00"):
        answer = site.get(path)
        assert answer.status in (400, 403, 404) and b"secret" not in answer.body, path


def test_cors(server, chinook):
    site = server(chinook, "--cors")
    for path in ("/chinook/Track.json", "/chinook/Track.csv", "/", "/chinook/Nothing.json", "/-/versions.json"):
        for _ in range(2):  # fresh and from the cache
            answer = site.get(path)
            assert answer.header("access-control-allow-origin") == "*", path
            assert answer.header("access-control-allow-headers") == "Authorization, Content-Type"
            assert answer.header("access-control-expose-headers") == "Link"
    options = site.ask("OPTIONS", "/chinook/Track/1.json")
    assert options.status == 200 and "GET" in options.header("access-control-allow-methods")


@pytest.mark.parametrize("method, path, status", [
    ("POST", "/chinook/Track", 405), ("POST", "/", 405), ("DELETE", "/chinook/Track/1", 405), ("PUT", "/chinook", 405),
    ("POST", "/chinook/-/query", 405)])
def test_methods(site, method, path, status):
    assert site.ask(method, path, body=b"").status == status


def test_redirects(site):
    for path, to in (("/chinook/", "/chinook"), ("/chinook/Track/", "/chinook/Track"),
                     ("/northwind/Order%20Details", "/northwind/Order~20Details"), ("/chinook/?a=1", "/chinook?a=1")):
        answer = site.get(path)
        assert answer.status == 302 and answer.header("location") == to, path
    assert site.get("//chinook").status in (200, 301, 302, 404)
    for path in ("//evil.example/", "/\\evil.example/", "/\\\\evil.example/", "//evil.example/%2f",
                 "/\\/evil.example/"):
        location = (site.get(path).header("location") or "/").replace("\\", "/")  # as browsers read it
        assert not location.startswith("//"), path


def test_unix_socket(server, chinook, tmp_path):
    path = str(tmp_path / "site.sock")
    site = server(chinook, uds=path)
    assert site.get("/chinook/Track/1.json").json()["rows"][0]["TrackId"] == 1
    site.stop()
    assert not os.path.exists(path)
    leftover = socket.socket(socket.AF_UNIX)
    leftover.bind(path)  # as a crash leaves it
    leftover.close()
    assert server(chinook, uds=path).get("/chinook.json").status == 200


def test_port_and_host_from_the_environment(server, chinook):
    port = serving.free_port()
    site = server(chinook, port=None, env={"PORT": str(port), "HOST": serving.HOST})
    assert site.port == port and site.get("/-/versions.json").status == 200


def test_port_that_is_taken(server, chinook):
    site = server(chinook)
    status, _, err = serving.run("serve", chinook, "--port", site.port, "--host", serving.HOST)
    assert status not in (0, 1) or "use" in err
    assert status != 0 and str(site.port) in err and "in use" in err
    site.alive()


def test_tls(server, chinook, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert], check=True,
                    stderr=subprocess.DEVNULL)
    site = server(chinook, "--ssl-certfile", cert, "--ssl-keyfile", key)
    context = ssl.create_default_context(cafile=cert)
    context.check_hostname = False
    with socket.create_connection((serving.HOST, site.port)) as plain, context.wrap_socket(plain) as s:
        s.sendall(b"GET /chinook/Track/1.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while chunk := s.recv(65536):
            got += chunk
    assert got.startswith(b"HTTP/1.1 200 ") and b'"TrackId": 1' in got


def test_immutable_database(server, chinook):
    site = server("-i", chinook)
    answer = site.get("/chinook.db")
    assert answer.status == 200 and answer.body == open(chinook, "rb").read()
    assert site.get("/chinook.db", {"If-None-Match": answer.header("etag")}).status == 304
    listed = site.json("/-/databases.json")
    listed = listed["databases"] if isinstance(listed, dict) else listed
    assert listed[0]["is_mutable"] is False and len(listed[0]["hash"]) == 64
    assert site.get("/chinook/Track.json").status == 200


def test_metadata(server, chinook, tmp_path):
    (tmp_path / "m.yaml").write_text("title: A <shop>\ndatabases:\n  chinook:\n    tables:\n      Genre:\n"
                                     "        description: Kinds & <sorts>\n        sort_desc: Name\n")
    site = server(chinook, "--metadata", tmp_path / "m.yaml")
    assert "A &lt;shop&gt;" in site.get("/").text
    assert "Kinds &amp; &lt;sorts&gt;" in site.get("/chinook/Genre").text
    assert site.json("/chinook/Genre.json")["rows"][0]["Name"] == "World"


def test_template_directory(server, chinook, tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "index.html").write_text('{% extends "default:index.html" %}{% block content %}<h1>{{ 6 * 7 }} mine</h1>'
                                       "{% endblock %}")
    site = server(chinook, "--template-dir", folder)
    assert "<h1>42 mine</h1>" in site.get("/").text and site.get("/chinook").status == 200


def test_reload_starts_again(server, chinook, tmp_path):
    path = tmp_path / "m.json"
    path.write_text('{"title": "Before"}')
    site = server(chinook, "--metadata", path, "--reload")
    assert "Before" in site.get("/").text
    path.write_text('{"title": "Afterwards"}')
    for _ in range(400):
        site.hang_up()
        try:
            if "Afterwards" in site.get("/").text:
                break
        except (AssertionError, OSError):
            pass
        subprocess.run(["sleep", "0.02"], check=True)
    assert "Afterwards" in site.get("/").text


def test_escaping(server, tmp_path):
    """What data holds never becomes mark-up."""
    evil = "<script>alert(1)</script>\"'&"
    quoted = evil.replace("'", "''")
    path = serving.make(tmp_path / "evil.db", f"""create table "{evil.replace('"', '""')}" (id integer primary key,
        "{evil.replace('"', '""')}" text); insert into "{evil.replace('"', '""')}" values (1, '{quoted}');""")
    site = server(path)
    table = serving.tilde(evil)
    for page in ("/", "/evil", f"/evil/{table}", f"/evil/{table}/1", f"/evil/{table}?_sort=id&id__exact={evil[:8]}",
                 "/evil/-/query?" + "sql=select+%27%3Cscript%3Ealert(1)%3C/script%3E%27+as+%22%3Cscript%3Ealert(1)%22",
                 "/evil/<script>alert(1)</script>", f"/evil/{table}?_facet=id"):
        answer = site.get(page.replace("<", "%3C").replace(">", "%3E").replace('"', "%22").replace(" ", "%20"))
        if answer.status == 302:
            answer = site.get(answer.header("location"))
        assert "<script>alert" not in answer.text, page
    assert site.json(f"/evil/{table}.json")["rows"] == [{"id": 1, evil: evil}]


def test_large_answer_again_and_again(server, chinook):
    """From the second time on a large kept answer is sent from a memory file: the bytes must stay the same, also cut
    into pieces by a slow reader, pipelined, and after the data changed."""
    site = server(chinook)
    first = site.get("/chinook/Track?_size=200&_nofacet=1").body
    assert len(first) > 100_000
    request = b"GET /chinook/Track?_size=200&_nofacet=1 HTTP/1.1\r\nHost: %s:%d\r\n\r\n" % (HOST.encode(), site.port)
    for _ in range(4):
        assert site.get("/chinook/Track?_size=200&_nofacet=1").body == first
    with socket.create_connection((HOST, site.port)) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)  # with 4096 each piece waits for a timer
        s.sendall(request * 5)
        stream = s.makefile("rb")
        for _ in range(5):
            assert stream.readline().startswith(b"HTTP/1.1 200")
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert stream.read(length) == first
    with sqlite3.connect(chinook) as db:
        db.execute("update Track set Name = 'Changed!' where TrackId = 1")
    db.close()
    assert b"Changed!" in site.get("/chinook/Track?_size=200&_nofacet=1").body
