# SPDX-License-Identifier: Apache-2.0
"""Rules for crawlers: robots.txt and rel=nofollow."""
import json
import re

import pytest

import serving


@pytest.fixture
def serve(tmp_path):
    started = []
    serving.make(tmp_path / "r.db", "create table t (id integer primary key, kind text);"
                 "insert into t values (1, 'a'), (2, 'a'), (3, 'b')")
    serving.make(tmp_path / "x y.db", "create table t (id integer primary key)")

    def start(plugin=None, *arguments):
        config = {} if plugin is None else {"plugins": {"datasette-block-robots": plugin}}
        (tmp_path / "datasette.json").write_text(json.dumps(config))
        started.append(serving.Server(tmp_path / "r.db", tmp_path / "x y.db", "--config", tmp_path / "datasette.json",
                                      *arguments).wait())
        return started[-1]
    yield start
    for server in started:
        server.stop()


def allowed(rules, path):
    """As RFC 9309 has it: the longest rule that fits, and Allow among equals."""
    best = (0, True)
    for verb, pattern in re.findall(r"^(Allow|Disallow): (.*)$", rules, re.M):
        fits = re.match("^" + re.escape(pattern).replace("\\*", ".*").replace("\\$", "$"), path)
        if fits:
            best = max(best, (len(pattern), verb == "Allow"))
    return best[1]


@pytest.mark.parametrize("path, wanted", [
    ("/", True), ("/r", True), ("/r/t", True), ("/r/t/1", True), ("/r/t?_next=3", True), ("/-/static/app.css", True),
    ("/r/t?_facet=kind", False), ("/r/t?kind=a", False), ("/r/t?_sort=kind", False), ("/r/t?_search=x", False),
    ("/-/search?q=x", False), ("/-/search", False), ("/r/-/query?sql=select+1", False), ("/r/t.json", False),
    ("/r/t.csv?_stream=on", False), ("/r/t.atom", False), ("/r/t.copyable", False), ("/r.db", False),
])
def test_defaults(serve, path, wanted):
    answer = serve().get("/robots.txt")
    assert (answer.status, answer.header("content-type")) == (200, "text/plain; charset=utf-8")
    assert answer.text.startswith("User-agent: *\n")
    assert allowed(answer.text, path) == wanted


@pytest.mark.parametrize("plugin, wanted", [
    ({}, "User-agent: *\nDisallow: /\n"),
    ({"allow_only_index": True}, "User-agent: *\nDisallow: /r\nDisallow: /x+y\n"),
    ({"disallow": ["/r/t", "/x\nAllow: /"]}, "User-agent: *\nDisallow: /r/t\nDisallow: /xAllow: /\n"),
    ({"disallow": "/r", "allow": ["/r/t"]}, "User-agent: *\nAllow: /r/t\nDisallow: /r\n"),
    ({"literal": "User-agent: Bot\nDisallow:\n"}, "User-agent: Bot\nDisallow:\n"),
])
def test_configured(serve, plugin, wanted):
    assert serve(plugin).get("/robots.txt").text == wanted


def test_base_url(serve):
    text = serve(None, "--setting", "base_url", "/data/").get("/data/robots.txt").text
    assert "Disallow: /data/*?\n" in text


def test_off(serve):
    assert serve(False).get("/robots.txt").status == 404
    server = serve(None, "--setting", "crawler_rules", "off")
    assert server.get("/robots.txt").status == 404
    assert "nofollow" not in server.get("/r/t?_facet=kind").text


def test_only_what_one_may_see(serve, tmp_path):
    (tmp_path / "hide.json").write_text(json.dumps({
        "databases": {"r": {"allow": False}}, "plugins": {"datasette-block-robots": {"allow_only_index": True}}}))
    server = serving.Server(tmp_path / "r.db", "--config", tmp_path / "hide.json").wait()
    text = server.get("/robots.txt").text
    server.stop()
    assert text == "User-agent: *\n"


def test_nofollow(serve):
    page = serve().get("/r/t?_facet=kind&kind=a").text
    for href in re.findall(r'<a href="([^"]*)"(?![^>]*nofollow)', page):
        assert not re.search(r"[?&;]_(facet|sort)|\.(json|csv|ndjson|copyable|Notebook)\b", href) or "#" == href[0], href


SITEMAP = {"plugins": {"datasette-sitemap": {
    "query": "select '/r/t/' || id || '?a&b' as path from t where id < 3", "database": "r"}}}


def test_sitemap(server, tmp_path):
    path = serving.make(tmp_path / "r.db", "create table t (id integer primary key); insert into t values (1), (2), (3)")
    other = serving.make(tmp_path / "a.db", "create table u (id integer primary key)")
    config = tmp_path / "datasette.json"
    config.write_text(json.dumps(SITEMAP))
    site = server(other, path, "--config", config)
    answer = site.get("/sitemap.xml")
    assert (answer.status, answer.header("content-type")) == (200, "application/xml")
    assert re.findall("<loc>(.*)</loc>", answer.text) == [
        f"http://127.0.0.1:{site.port}/r/t/{i}?a&amp;b" for i in (1, 2)]
    assert site.get("/robots.txt").text.endswith(f"\nSitemap: http://127.0.0.1:{site.port}/sitemap.xml\n")
    assert [p["name"] for p in site.json("/-/plugins.json")] == ["datasette-sitemap"]
    names = [p["name"] for p in site.json("/-/plugins.json?all=1")]
    assert "datasette-atom" in names and "datasette-redirects" in names

    block = SITEMAP["plugins"]["datasette-sitemap"]
    for wrong, word in (({"query": "select 'x' as path"}, "must begin with /"), ({"query": "select 1 as p"}, "named path"),
                        ({"query": "nonsense"}, "syntax error"), ({"database": "nosuch"}, "names no database")):
        config.write_text(json.dumps({"plugins": {"datasette-sitemap": {**block, **wrong}}}))
        answer = server(other, path, "--config", config).get("/sitemap.xml")
        assert answer.status in (400, 500) and word in answer.text, answer.text
    config.write_text(json.dumps({"plugins": {"datasette-sitemap": {**block, "base_url": "https://example.com"}}}))
    assert "<loc>https://example.com/r/t/1?a&amp;b</loc>" in server(other, path, "--config", config).get("/sitemap.xml").text
    assert server(path).get("/sitemap.xml").status == 404


def test_pages_of_the_site_come_first(server, tmp_path):
    path = serving.make(tmp_path / "r.db", "create table t (id integer primary key)")
    (tmp_path / "templates/pages").mkdir(parents=True)
    for name in ("robots.txt", "sitemap.xml"):
        (tmp_path / f"templates/pages/{name}.html").write_text('{{ custom_header("content-type", "text/plain") }}own')
    site = server(path, "--template-dir", tmp_path / "templates")
    assert [site.get(p).text for p in ("/robots.txt", "/sitemap.xml")] == ["own", "own"]


@pytest.mark.parametrize("path, status, to", [
    ("/old", 301, "/r/t"), ("/old/", 301, "/r/t"), ("/deep/page?x=1", 301, "https://example.com/a?b=c"),
    ("/for-now", 302, "/r"), ("/r/t", 302, "//example.com"), ("/older", 404, None), ("/", 200, None)])
@pytest.mark.parametrize("base", ["", "/data"])
def test_redirects(server, tmp_path, path, status, to, base):
    database = serving.make(tmp_path / "r.db", "create table t (id integer primary key)")
    config = tmp_path / "datasette.yaml"
    config.write_text("""
plugins:
  datasette-redirects:
    301: {old: /r/t, deep/page: "https://example.com/a?b=c", "": /r}
    302:
      /for-now/: /r
      r/t: //example.com
""")
    answer = server(database, "--config", config, "--setting", "base_url", base + "/").get(base + path)
    assert answer.status == status
    assert answer.header("location") == (to and (base if to.startswith("/r") else "") + to)
