# SPDX-License-Identifier: Apache-2.0
"""vitrine insert and vitrine URL: files from the web, from servers that behave and servers that do not."""
import functools
import gzip
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading

import openpyxl
import pytest

import limits
import serving
from test_rows import Import

# No proxy between the tests and their own server.
ENV = {**{k: v for k, v in os.environ.items() if k.lower() not in ("http_proxy", "https_proxy", "all_proxy")}, "no_proxy": "*"}


class Web:
    """A server; `pages` maps a path to a function that answers with a handler."""

    def __init__(self, context=None):
        self.pages, self.requests = {}, []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                web.requests.append((self.path, dict(self.headers)))
                web.pages[self.path.partition("?")[0]](self)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.base = f"http{'s' if context else ''}://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": .01})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def add(self, path, body=b"", status=200, **headers):
        self.pages[path] = functools.partial(answer, body=body, status=status, headers=headers)
        return self.base + path


def answer(handler, body=b"", status=200, headers={}):
    body = body.encode() if isinstance(body, str) else body
    handler.send_response(status)
    for name, value in {"Content-Length": len(body), **headers}.items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def web():
    one = Web()
    yield one
    one.close()


@pytest.fixture
def imports(tmp_path):
    return Import(tmp_path)


def insert(imports, url, *options, table="t", env=ENV):
    done = subprocess.run([serving.PROGRAM, "insert", imports.path, table, url, "--json", *options], env=env,
                          capture_output=True, text=True)
    assert not serving.SANITIZER.search(done.stderr), done.stderr
    return done


def report(*arguments, **more):
    done = insert(*arguments, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_formats_and_packing(imports, web, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([1])
    book.save(tmp_path / "b.xlsx")
    for number, (url, kind) in enumerate((
            (web.add("/a.csv", "a\n1\n"), "CSV"), (web.add("/a.csv.gz", gzip.compress(b"a\n1\n")), "CSV"),
            (web.add("/packed.csv", gzip.compress(b"a\n1\n"), Content_Encoding="gzip"), "CSV"),
            (web.add("/a", '[{"a": 1}]', Content_Type="application/json; charset=utf-8"), "JSON"),
            (web.add("/download", (tmp_path / "b.xlsx").read_bytes()), "XLSX"),
            (web.add("/b.xlsx", gzip.compress((tmp_path / "b.xlsx").read_bytes()), Content_Encoding="gzip"), "XLSX"))):
        got = report(imports, url, table=f"t{number}")
        assert got["format"] == kind and got["imported"] == 1 and got["file"] == url
        assert imports.rows(f"select a from t{number}") == [(1,)]
    assert "gzip" in web.requests[0][1]["Accept-Encoding"] and web.requests[0][1]["User-Agent"].startswith("vitrine/")


def test_redirects(imports, web):
    web.add("/a.csv", "a\n1\n")
    web.add("/one", status=302, Location="/two")
    web.add("/two", status=301, Location=web.base + "/a.csv")
    assert report(imports, web.base + "/one")["imported"] == 1
    web.add("/loop", status=302, Location="/loop")
    assert "redirects more than 10 times" in insert(imports, web.base + "/loop").stderr
    web.add("/file", status=302, Location="file:///etc/passwd")
    assert "only http and https" in insert(imports, web.base + "/file").stderr


@pytest.mark.parametrize("status, says", [(404, "not there"), (410, "no more"), (403, "not for everybody"), (401, "password"),
                                          (418, "418")])
def test_refusals_are_told_at_once(imports, web, status, says):
    done = insert(imports, web.add("/a.csv", "<p>no", status=status))
    assert done.returncode and says in done.stderr and "/a.csv" in done.stderr and len(web.requests) == 1


def test_passwords_are_sent_but_not_told(imports, web):
    url = web.add("/a.csv", status=404).replace("http://", "http://ada:geheim@")
    done = insert(imports, url)
    assert "geheim" not in done.stderr and web.requests[0][1]["Authorization"].startswith("Basic ")


def test_transient_failures_are_tried_again(imports, web):
    seen = []

    def page(handler):
        seen.append(1)
        answer(handler, "busy", 503) if len(seen) < 3 else answer(handler, "a\n1\n")
    web.pages["/a.csv"] = page
    assert report(imports, web.base + "/a.csv")["imported"] == 1 and len(seen) == 3


def test_failures_that_stay_end_it(imports, web):
    done = insert(imports, web.add("/a.csv", "busy", status=503))
    assert done.returncode and "503" in done.stderr and len(web.requests) == limits.LIMIT_FETCH_TRIES
    done = insert(imports, "http://127.0.0.1:1/a.csv")
    assert done.returncode and "cannot fetch" in done.stderr
    assert not imports.path.exists()


DATA = ("a,b\n" + "".join(f"{i},row number {i}\n" for i in range(30000))).encode()


@pytest.mark.parametrize("validator", [{"ETag": '"v1"'}, {"Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"}], ids=["etag", "date"])
def test_a_broken_transfer_goes_on(imports, web, validator):
    sent = []

    def page(handler):
        first = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        sent.append(first)
        if first:
            assert handler.headers["If-Range"] == list(validator.values())[0]
        part = DATA[first:]
        handler.send_response(206 if first else 200)
        handler.send_header("Content-Length", str(len(part)))
        if first:
            handler.send_header("Content-Range", f"bytes {first}-{len(DATA) - 1}/{len(DATA)}")
        for name, value in validator.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(part[:100000 if len(sent) < 6 else len(part)])
        handler.wfile.flush()
        handler.connection.close() if len(sent) < 6 else None
        handler.close_connection = True
    web.pages["/a.csv"] = page
    assert report(imports, web.base + "/a.csv")["imported"] == 30000
    assert sent[0] == 0 and len(sent) > 4 and sent == sorted(sent)
    assert imports.rows("select count(*), sum(a) from t") == [(30000, sum(range(30000)))]


@pytest.mark.parametrize("why", ["changed", "no validator", "other part"])
def test_a_broken_transfer_begins_anew(imports, web, why):
    """Never parts of two versions."""
    new = DATA.replace(b"row", b"ROW")
    tries = []

    def page(handler):
        tries.append(handler.headers.get("Range"))
        handler.close_connection = True
        if len(tries) == 1:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(DATA)))
            if why != "no validator":
                handler.send_header("ETag", '"old"')
            handler.end_headers()
            handler.wfile.write(DATA[:200000])
        elif why == "other part" and len(tries) == 2:
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes 5-{len(DATA) - 1}/{len(DATA)}")
            handler.send_header("Content-Length", str(len(DATA) - 5))
            handler.end_headers()
            handler.wfile.write(DATA[5:])
        else:
            answer(handler, new)
    web.pages["/a.csv"] = page
    done = insert(imports, web.base + "/a.csv")
    if why == "other part":
        assert done.returncode and "another part" in done.stderr and not imports.path.exists()
        return
    assert done.returncode == 0, done.stderr
    assert tries[1:] == [None] if why == "no validator" else tries[1].startswith("bytes=")
    assert imports.rows("select count(*), sum(b like 'ROW%') from t") == [(30000, 30000)]


def test_cut_off_answers_without_length(imports, web):
    """A chunked answer that ends too early is a failure, not a short file."""
    def page(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"4\r\na\n1\n\r\n")
        handler.close_connection = True
    web.pages["/a.csv"] = page
    assert insert(imports, web.base + "/a.csv").returncode and len(web.requests) == 4


def test_encodings(imports, web):
    def rows(table, body, charset):
        url = web.add("/" + table + ".csv", body, Content_Type=f"text/csv; charset={charset}")
        return report(imports, url, table=table), imports.rows(f"select b from {table}")
    text = "a,b\n1,привет мир\n"
    assert rows("koi", text.encode("koi8-r"), "KOI8-R")[1] == [("привет мир",)]
    assert rows("wrong", text.encode(), "koi8-r")[1] == [("привет мир",)]  # it is UTF-8, whatever the server says
    assert rows("usual", "a,b\n1,“déjà”\n".encode("cp1252"), "iso-8859-1")[1] == [("“déjà”",)]
    assert rows("unknown", "a,b\n1,déjà\n".encode("cp1252"), "x-nonsense")[1] == [("déjà",)]


def test_names_when_served(server, web, tmp_path):
    web.add("/data/people.csv", "a\n1\n")
    web.add("/get", "a\n2\n", Content_Type="text/csv", Content_Disposition='attachment; filename="towns of it.csv"')
    web.add("/star", "a\n3\n", Content_Disposition="attachment; filename=x.csv; filename*=UTF-8''Stra%C3%9Fen.csv")
    base = web.base.replace("http", "HTTP")  # what looks like an address in the log is then the one that is served
    one = server(base + "/data/people.csv?x=1", base + "/get?id=7", base + "/star", env={"no_proxy": "*"})
    tables = one.sql("data", "select name from sqlite_master order by 1")["rows"]
    assert [t["name"] for t in tables] == ["Straßen", "people", "towns of it"]
    one.stop()
    one = server(base + "/data/people.csv?x=1", env={"no_proxy": "*"})
    assert one.json("/people/people.json?_shape=arrayfirst") == [1]


def test_tls(imports, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key.pem", "-out",
                    tmp_path / "cert.pem", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    web = Web(context)
    try:
        url = web.add("/a.csv", "a\n1\n")
        done = insert(imports, url)
        assert done.returncode and "certificate" in done.stderr and "SSL_CERT_FILE" in done.stderr
        assert report(imports, url, env={**ENV, "SSL_CERT_FILE": str(tmp_path / "cert.pem")})["imported"] == 1
    finally:
        web.close()


def test_no_urls(imports):
    for url, says in (("ftp://127.0.0.1/a.csv", "only http and https"), ("http://", "no URL"), ("file:///etc/passwd", "only http")):
        done = insert(imports, url)
        assert done.returncode and says in done.stderr


# ---- what src/base/limits.h says


def limited(**names):
    return {**ENV, **limits.lowered(**names)}


def test_sizes_and_redirects_have_an_end(imports, web):
    text = "a\n" + "1\n" * 500
    assert report(imports, web.add("/good.csv", text[:1000]), env=limited(FETCH_BYTES=1000))["imported"] == 499
    for more in {}, {"Content_Length": None, "Connection": "close"}:  # LIMIT_FETCH_BYTES, said before or found out
        done = insert(imports, web.add("/a.csv", text, **more), env=limited(FETCH_BYTES=1000), table="u")
        assert done.returncode and "larger than 1000 bytes" in done.stderr and len(done.stderr.splitlines()) > 1
    for n in limits.LIMIT_FETCH_REDIRECTS, limits.LIMIT_FETCH_REDIRECTS + 1:
        for i in range(n):
            web.add(f"/r{i}", status=302, Location=f"/r{i - 1}" if i else "/good.csv")
        done = insert(imports, f"{web.base}/r{n - 1}", table=f"r{n}")
        assert (done.returncode == 0) == (n == limits.LIMIT_FETCH_REDIRECTS)
    assert f"more than {limits.LIMIT_FETCH_REDIRECTS} times" in done.stderr


def test_time_has_an_end(imports, web):
    """Servers that never send all of it: LIMIT_FETCH_MS for everything, LIMIT_FETCH_STALL_MS without a byte."""
    over = threading.Event()

    def drips(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        while not over.wait(0.05):
            handler.wfile.write(b"1\n")

    def hangs(handler):
        over.wait(30)
        handler.close_connection = True

    web.pages["/drips.csv"], web.pages["/hangs.csv"] = drips, hangs
    try:
        done = insert(imports, web.base + "/drips.csv", env=limited(FETCH_MS=1000))
        assert done.returncode and "cannot fetch" in done.stderr or "too long" in done.stderr
        done = insert(imports, web.base + "/hangs.csv", env=limited(FETCH_STALL_MS=1000, FETCH_TRIES_ALL=1))
        assert done.returncode and "cannot fetch" in done.stderr
    finally:
        over.set()


def test_connecting_has_an_end(imports):
    """A server whose line is full does not answer at all: LIMIT_FETCH_CONNECT_MS."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        done = insert(imports, f"http://127.0.0.1:{full.getsockname()[1]}/a.csv",
                      env=limited(FETCH_CONNECT_MS=300, FETCH_TRIES_ALL=2))
        assert done.returncode and "cannot fetch" in done.stderr
        for one in waiting:
            one.close()


def test_tries_and_pauses_have_an_end(imports, web):
    """LIMIT_FETCH_WAIT_MS: a server that says "in an hour" is asked again at once; LIMIT_FETCH_TRIES_ALL: one that always
    breaks off is asked so often."""
    done = insert(imports, web.add("/a.csv", "busy", status=503, Retry_After=3600), env=limited(FETCH_WAIT_MS=100))
    assert done.returncode and "503" in done.stderr and len(web.requests) == limits.LIMIT_FETCH_TRIES
    sent = []

    def page(handler):
        first = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        sent.append(first)
        handler.send_response(206 if first else 200)
        handler.send_header("Content-Length", str(len(DATA) - first))
        handler.send_header("ETag", '"v1"')
        if first:
            handler.send_header("Content-Range", f"bytes {first}-{len(DATA) - 1}/{len(DATA)}")
        handler.end_headers()
        handler.wfile.write(DATA[first:first + 1000])
        handler.wfile.flush()
        handler.connection.close()
        handler.close_connection = True
    web.pages["/b.csv"] = page
    done = insert(imports, web.base + "/b.csv", env=limited(FETCH_TRIES_ALL=6, FETCH_WAIT_MS=100))
    assert done.returncode and sent[0] == 0 and len(sent) == 6 > limits.LIMIT_FETCH_TRIES and sent == sorted(sent)
