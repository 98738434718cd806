# SPDX-License-Identifier: Apache-2.0
"""Names, values, descriptions and parameters are text wherever they show: no tag, no attribute, no script, no header and
no template is made of them. A crawler follows every link of a site whose every name and value is hostile."""
import html.parser
import json
import re
import urllib.parse

import pytest

import serving
import signing
from serving import make, quote, tilde

SECRET = "injection"
# ends attributes, texts, scripts, comments, styles; <zq9> and onzq would show; {{ }} and {% %} would be worked out
PAYLOAD = "\"'><zq9 onzq=1>--></script></style></textarea></title><zq9>{{191*7}}{% raw %}`\\"
FILE_NAME = PAYLOAD.replace("/", "")
HEADER = "a\r\nX-Injected: yes\r\n\r\nbody"
TABLE, COLUMN, VIEW, FTS = ("t" + PAYLOAD, "c" + PAYLOAD, "v" + PAYLOAD, "s" + PAYLOAD)
ROOT = signing.cookie(SECRET, {"id": "root", "name": PAYLOAD, "display": PAYLOAD})


class Looker(html.parser.HTMLParser):
    """Finds what the payload would make, and the links."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.path, self.faults, self.links, self.script = path, [], [], None

    def handle_starttag(self, tag, attributes):
        if tag == "zq9":
            self.faults.append(f"a tag is made at {self.getpos()}")
        for name, value in attributes:
            if "zq" in name or name.startswith("on"):
                self.faults.append(f"an attribute is made: {name} of {tag} at {self.getpos()}")
            if name in ("href", "src", "action", "formaction"):
                self.links.append(value or "")
                if re.match(r"\s*(javascript|data|vbscript):", value or "", re.I):
                    self.faults.append(f"a link that runs: {value}")
        self.script = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self.script = None

    def handle_data(self, data):
        if self.script and "<zq9" in data:
            self.faults.append(f"unescaped in {self.script} at {self.getpos()}: {data[:100]!r}")

    def handle_comment(self, data):
        if "zq9 onzq" in data and "<zq9" in data:
            self.faults.append(f"unescaped in a comment at {self.getpos()}")


def look(answer, path):
    """Checks one answer; returns the paths that it links to."""
    for name, value in answer.headers:
        assert name.lower() != "x-injected", path
        assert "<zq9" not in value or name.lower() == "location", (path, name, value)
    if "text/html" not in (answer.header("content-type") or ""):
        return []
    text = answer.body.decode("utf-8")
    looker = Looker(path)
    looker.feed(text)
    looker.close()
    assert not looker.faults, (path, looker.faults[:5])
    assert "1337" not in text, (path, "a template was run")
    assert "<zq9" not in text, (path, text[max(0, text.find("<zq9") - 300):][:400])
    return looker.links


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    values = [PAYLOAD, HEADER, "javascript:alert(1)", "http://example.com/" + PAYLOAD, "https://e.com/\"onzq=1", PAYLOAD]
    t, c, ref = quote(TABLE), quote(COLUMN), quote("r" + PAYLOAD)
    script = f"""
create table {t} (id integer primary key, {c} text, {ref} integer references {t}(id), kind text);
create table {quote(HEADER)} ({quote("k" + HEADER)} text primary key, v blob);
create view {quote(VIEW)} as select * from {t};
create virtual table {quote(FTS)} using fts5({c}, content={t});
"""
    path = make(folder / f"{FILE_NAME}.db", script)
    import sqlite3
    db = sqlite3.connect(path)
    for i, value in enumerate(values, 1):
        db.execute(f"insert into {t} values (?, ?, 1, ?)", (i, value, PAYLOAD if i % 2 else "b"))
    db.execute(f"insert into {quote(HEADER)} values (?, ?)", (HEADER, b"\0" + PAYLOAD.encode()))
    db.execute(f"insert into {quote(HEADER)} values (?, ?)", (PAYLOAD, PAYLOAD.encode()))
    db.execute(f"insert into {quote(FTS)}({quote(FTS)}) values ('rebuild')")
    db.commit()
    db.close()
    texts = {key: PAYLOAD for key in ("title", "description", "license", "source", "about")}
    links = {key: "https://example.com/" + PAYLOAD for key in ("license_url", "source_url", "about_url")}
    names = {"queries": {"q" + PAYLOAD: {"sql": f"select :p{'x'} as {quote(PAYLOAD)}, {quote(COLUMN)} from {t}", **texts,
                                         "params": ["px"], "fragment": PAYLOAD}},
             "tables": {TABLE: {"label_column": COLUMN, "facets": ["kind"]}}}
    config = {"databases": {FILE_NAME: names}, "plugins": {PAYLOAD: {PAYLOAD: PAYLOAD}},
              "permissions": {"permissions-debug": True, "debug-menu": True}}
    described = {**texts, **links, "columns": {COLUMN: PAYLOAD, "id": PAYLOAD}, "units": {"id": PAYLOAD}}
    metadata = {**texts, **links, "databases": {FILE_NAME: {**texts, **links, "tables": {TABLE: described, VIEW: described}}}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metadata.json").write_text(json.dumps(metadata))
    s = serving.Server(path, "-c", folder / "config.json", "-m", folder / "metadata.json", "--secret", SECRET, "--root",
                       "--version-note", PAYLOAD, "--setting", "template_debug", "1").wait()
    yield s
    s.stop()


@pytest.mark.parametrize("page", ["<p>%s</p>", "<a title=\"%s\">", "<a title='%s'>", "<script>x = \"%s\"</script>", "<!-- %s -->",
                                  "<textarea>%s</textarea>", "<title>%s</title>", "<style>%s</style>", "<p>1337</p>",
                                  "<a href=\"javascript:alert(1)\">", "<a href='/x' onclick='y'>"])
def test_what_is_looked_for_is_seen(page):
    text = page.replace("%s", PAYLOAD)
    with pytest.raises(AssertionError):
        look(serving.Answer(200, [("content-type", "text/html")], text.encode()), "made here")


def local(link):
    parts = urllib.parse.urlsplit(link)
    if parts.scheme not in ("", "http") or (parts.netloc and not parts.netloc.startswith("127.0.0.1")):
        return None
    path = urllib.parse.quote(parts.path, safe="/~%+-_.,:!'()*") + ("?" + urllib.parse.quote(
        parts.query, safe="=&%+-_.~/:;,'()*!$") if parts.query else "")
    return path if path.startswith("/") and not path.startswith(("/-/static", "/-/logout")) else None


@pytest.mark.parametrize("headers", [ROOT, {}], ids=["root", "anonymous"])
def test_crawl(hostile, headers):
    db, t = "/" + tilde(FILE_NAME), tilde(TABLE)
    good, waiting, seen = 0, ["/", "/-/", db, f"{db}/{t}", f"{db}/{t}/1", f"{db}/{tilde(VIEW)}", f"{db}/{tilde(HEADER)}",
                     f"{db}/{tilde('q' + PAYLOAD)}", f"{db}/{tilde('q' + PAYLOAD)}?px=" + urllib.parse.quote(PAYLOAD),
                     f"{db}/{tilde(HEADER)}/{tilde(HEADER)}", f"{db}/{tilde(HEADER)}/{tilde(PAYLOAD)}.blob?_blob_column=v",
                     f"{db}/{t}/-/fragment", f"{db}/{t}/-/schema", f"{db}/-/schema", "/-/schema", "/-/api", "/-/queries",
                     f"{db}/-/queries", "/-/config", "/-/databases", "/-/versions", "/-/settings", "/-/plugins", "/-/actor",
                     "/-/allowed", "/-/rules", "/-/check", "/-/permissions", "/-/allow-debug", "/-/messages",
                     "/-/create-token", "/-/patterns", "/-/logout", "/-/threads", "/-/actions", "/-/search?q=zq9",
                     f"{db}/-/query?sql=select+1", f"{db}/{t}?_context=1"], set()
    while waiting and len(seen) < 260:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        answer = hostile.get(path, headers)
        assert answer.status < 500, (path, answer)
        good += answer.status == 200
        for link in look(answer, path):
            link = local(link)
            if link and link not in seen:
                waiting.append(link)
    assert good > 60, (good, len(seen))
    hostile.alive()


ARGUMENTS = ["_sort", "_sort_desc", "_facet", "_facet_array", "_facet_date", "_facet_size", "_search", "_where", "_through",
             "_next", "_size", "_shape", "_extra", "_col", "_nocol", "_label", "_labels", "_timelimit", "_ttl", "_json",
             "_filter_column", "_filter_op", "_filter_value", "_fts_table", "_fts_pk", "_searchmode", "_blob_column",
             "_blob_hash", "_nl", "_stream", "_dl", "_trace", "_row", "_show_hidden", "_hide_sql", "sql", "q", "action",
             "parent", "child", "actor", "allow", "filter", "database", "table", "next", "token", "message", "px", PAYLOAD,
             PAYLOAD + "__exact", "kind__" + PAYLOAD, COLUMN + "__contains", "_search_" + COLUMN, "_search_" + PAYLOAD,
             "_compat", "_context", "_unknown" + PAYLOAD]


@pytest.mark.parametrize("page", ["/", "/D", "/D/T", "/D/T/1", "/D/V", "/D/Q", "/D/-/query", "/D/-/queries", "/-/queries",
                                  "/-/allowed", "/-/rules", "/-/check", "/-/allow-debug", "/-/permissions", "/-/jump",
                                  "/-/debug/autocomplete", "/D/T/-/autocomplete", "/D/T/-/fragment", "/-/login",
                                  "/-/auth-token", "/-/messages", "/-/search", "/D/-/query/parameters", "/-/actor"])
def test_arguments(hostile, page):
    for short, name in (("/D", "/" + tilde(FILE_NAME)), ("/T", "/" + tilde(TABLE)), ("/V", "/" + tilde(VIEW)),
                        ("/Q", "/" + tilde("q" + PAYLOAD))):
        page = re.sub(short + r"(?=/|$)", lambda _: name, page, count=1)
    for argument in ARGUMENTS:
        for value in (PAYLOAD, json.dumps({"table": PAYLOAD, "column": PAYLOAD, "value": PAYLOAD, "id": PAYLOAD}),
                      f"select '{PAYLOAD.replace(chr(39), chr(39) * 2)}' as {quote(PAYLOAD)}, :{'x'}"):
            for extension in ("", ".json"):
                path = page + extension + "?" + urllib.parse.urlencode({argument: value, "sql": "select 1"} if argument != "sql"
                                                                       else {"sql": value})
                answer = hostile.get(path, ROOT)
                assert answer.status < 500, (path, answer)
                look(answer, path)


@pytest.mark.parametrize("path", ["/" + PAYLOAD, "/-/" + PAYLOAD, f"/{FILE_NAME}/{PAYLOAD}", "/nope/" + PAYLOAD + "/x",
                                  "/x." + PAYLOAD, "/D/T." + "json" + PAYLOAD, "/D/T/" + PAYLOAD, "/D/T/1." + PAYLOAD])
def test_paths_that_are_not_there(hostile, path):
    path = path.replace("/D", "/" + tilde(FILE_NAME)).replace("/T", "/" + tilde(TABLE))
    for form in (urllib.parse.quote(path, safe="/~"), tilde(path).replace("~2F", "/"), path.replace(" ", "%20")):
        answer = hostile.get(form, ROOT)
        assert answer.status in (302, 400, 404), (form, answer)
        look(answer, form)


def test_forms(hostile):
    kind = {"Content-Type": "application/x-www-form-urlencoded", **ROOT}
    body = urllib.parse.urlencode({key: PAYLOAD for key in (
        "message", "message_type", "actor", "permission", "resource_1", "resource_2", "expire_type", "expire_duration",
        "username", "password", "sql", "name", "title", "description", f"resource:{PAYLOAD}:{PAYLOAD}:view-table")})
    for path in ("/-/messages", "/-/permissions", "/-/create-token", "/-/login", "/-/password-tool", "/" + tilde(FILE_NAME)):
        look(hostile.ask("POST", path, kind, body), path)
    message = hostile.ask("POST", "/-/messages", kind, urllib.parse.urlencode({"message": PAYLOAD}))
    cookie = message.header("set-cookie").split(";")[0]
    page = hostile.get("/", {"Cookie": cookie})
    assert "message-info" in page.text
    look(page, "flash message")
    denied = hostile.ask("POST", "/-/messages", {**kind, "Sec-Fetch-Site": "cross-site", "Origin": PAYLOAD}, body)
    assert denied.status == 403
    look(denied, "CSRF page")


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Referer", "Origin",
                                    "User-Agent", "X-Request-ID", "Accept", "Accept-Language"])
def test_headers(hostile, header):
    value = PAYLOAD.replace(" ", "")
    for path in ("/", "/" + tilde(FILE_NAME), f"/{tilde(FILE_NAME)}/{tilde(TABLE)}?_size=1", "/nope", "/-/actor"):
        answer = hostile.get(path, {header: value})
        assert answer.status in (200, 400, 404), (header, path, answer)
        look(answer, path)


@pytest.mark.parametrize("target", ["/%0d%0aX-Injected:%20yes", "/nope/%0d%0aX-Injected:%20yes/", "//evil.example/",
                                    "//evil.example/%2e%2e", "/\\evil.example/", "/%5cevil.example/", "///evil.example//",
                                    "/nope?x=%0d%0aX-Injected:%20yes", "/:memory:%0d%0aX-Injected:yes",
                                    "/D?sql=select+1%0d%0aX-Injected:%20yes",
                                    "/D/T?_filter_column=id&_filter_op=exact&_filter_value=%0d%0aX-Injected:%20yes"])
def test_redirects_and_header_lines(hostile, target):
    target = target.replace("/D", "/" + tilde(FILE_NAME)).replace("/T", "/" + tilde(TABLE))
    answer = hostile.get(target)
    assert answer.header("x-injected") is None
    where = answer.header("location")
    if where is not None:
        assert not re.match(r"[/\\]{2}|[a-z]+:", where, re.I) or where.startswith(f"http://127.0.0.1:{hostile.port}/"), where
        assert "\r" not in where and "\n" not in where


@pytest.mark.parametrize("name", [HEADER, PAYLOAD, TABLE])
@pytest.mark.parametrize("extension", ["csv?_dl=on", "json", "csv?_stream=on&_dl=on"])
def test_names_in_headers(hostile, name, extension):
    if name == PAYLOAD:
        name = VIEW
    answer = hostile.get(f"/{tilde(FILE_NAME)}/{tilde(name)}.{extension}")
    assert answer.status == 200 and answer.header("x-injected") is None
    disposition = answer.header("content-disposition") or ""
    assert disposition.count('"') in (0, 2) and "\n" not in disposition


def test_json_is_never_a_page(hostile):
    """Answers that hold visitors' text as it is are not of a type that a browser runs."""
    db, t = tilde(FILE_NAME), tilde(TABLE)
    for path in (f"/{db}/{t}.json", f"/{db}/{t}.csv", f"/{db}/{t}.json?_shape=array&_nl=on", f"/{db}/-/schema.md",
                 f"/{db}/{tilde(HEADER)}/{tilde(PAYLOAD)}.blob?_blob_column=v", "/-/jump.json?q=zq9", "/.json",
                 f"/{db}/-/query.csv?sql=select+1"):
        answer = hostile.get(path, ROOT)
        assert answer.status == 200, (path, answer)
        assert (answer.header("content-type") or "").split(";")[0] in ("application/json", "text/plain", "text/csv",
                                                                      "application/binary"), (path, answer.headers)
