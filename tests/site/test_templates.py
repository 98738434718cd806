# SPDX-License-Identifier: Apache-2.0
"""Template sites: pages/ and its functions, sql(), change without restart, and templates that are broken or hostile."""
import json

import pytest

import limits
import serving


def put(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def pages(server, tmp_path):
    """pages({name: text}, FILE..., "--option"...) serves chinook and northwind with these templates; .folder to change
    them."""
    def start(templates, *arguments, **how):
        folder = tmp_path / "templates"
        folder.mkdir(exist_ok=True)
        put(folder, templates)
        site = server(serving.DATA / "chinook.db", serving.DATA / "northwind.db", "--template-dir", folder, *arguments,
                      **how)
        site.folder = folder
        return site
    return start


# ---- pages/ ----

ADDRESSES = {
    "pages/about.html": "about",
    "pages/{id}.html": "id={{ id }}",
    "pages/x{a}-{b}.html": "a={{ a }} b={{ b }}",
    "pages/topic/{slug}.html": "slug={{ slug }}",
    "pages/{t}/{s}.html": "t={{ t }} s={{ s }}",
    "pages/topic/fixed.html": "fixed",
    "pages/map/index.html": "map index",
    "pages/chinook.html": "never: the database goes first",
    "pages/-/deep/er.html": "deeper",
}


@pytest.mark.parametrize("path, text", [
    ("/about", "about"), ("/7", "id=7"), ("/7.json", "id=7.json"), ("/x1-2-3", "a=1-2 b=3"), ("/topic/a", "slug=a"),
    ("/topic/fixed", "fixed"), ("/other/a", "t=other s=a"), ("/map/index", "map index"), ("/map", "id=map"),
    ("/caf~C3~A9", "id=caf~C3~A9"), ("/-/deep/er", "deeper"), ("/chinook/nothing", "t=chinook s=nothing")])
def test_pages_by_address(pages_by_address, path, text):
    answer = pages_by_address.get(path)
    assert (answer.status, answer.text) == (200, text)
    assert answer.header("content-type") == "text/html; charset=utf-8"


@pytest.fixture(scope="module")
def pages_by_address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates")
    put(folder, ADDRESSES)
    site = serving.Server(serving.DATA / "chinook.db", "--template-dir", folder).wait()
    yield site
    site.stop()


def test_pages_come_last(pages_by_address):
    site = pages_by_address
    assert "Tables" in site.get("/chinook").text
    assert site.get("/about/").header("location") == "/about"
    assert site.get("/caf%C3%A9").header("location") == "/caf~C3~A9"
    assert site.get("/a/b/c/d").status == 404
    assert site.ask("HEAD", "/about").body == b"" and site.ask("HEAD", "/about").status == 200
    assert site.ask("POST", "/about").status == 405
    for path in ("/..", "/../about", "/x/../../pages/about", "/%2e%2e/about", "/~2E~2E/about"):
        assert site.get(path).status in (200, 302, 400, 404)
        assert "root:" not in site.get(path).text


def test_base_url(pages):
    site = pages({"pages/about.html": "{{ request.path }} {{ urls.path('/about') }} {{ urls.static('x.css') }}"},
                 "--setting", "base_url", "/museum/")
    assert site.get("/museum/about").text == "/museum/about /museum/about /museum/-/static/x.css"


def test_page_functions(pages):
    site = pages({
        "pages/teapot.html": "{{ custom_status(418) }}short and stout",
        "pages/feed.html": '{{ custom_header("content-type", "application/atom+xml") }}{{ custom_header("X-A", "1") }}'
                           '{{ custom_header("x-a", "2") }}<feed/>',
        "pages/old.html": '{{ custom_redirect("/about?a=1&b=2") }}',
        "pages/moved.html": '{{ custom_redirect("/about", 301) }}',
        "pages/{id}.html": '{% if id == "gone" %}{{ raise_404("No such <thing>") }}{% endif %}{{ id }}',
        "pages/none.html": "{{ raise_404() }}",
        "pages/set.html": '{% set raised = raise_404("by set") %}',
        "pages/split.html": '{{ custom_header("X-A", "a\r\nSet-Cookie: b=1") }}',
        "pages/server.html": '{{ custom_header("Content-Length", "5") }}',
        "pages/status.html": '{{ custom_status("many") }}',
        "pages/blank.html": '{{ custom_status(204) }}this text goes nowhere',
    })
    assert (site.get("/teapot").status, site.get("/teapot").text) == (418, "short and stout")
    feed = site.get("/feed")
    assert feed.header("content-type") == "application/atom+xml" and feed.all("x-a") == ["2"]
    old = site.get("/old")
    assert (old.status, old.header("location")) == (302, "/about?a=1&b=2")
    assert (site.get("/moved").status, site.get("/moved").header("location")) == (301, "/about")
    gone = site.get("/gone")
    assert gone.status == 404 and "No such &lt;thing&gt;" in gone.text and "raise_404" not in gone.text
    assert site.get("/none").status == 404 and "by set" in site.get("/set").text
    for path, word in (("/split", "X-A"), ("/server", "Content-Length"), ("/status", "status")):
        answer = site.get(path)
        assert answer.status == 500 and word in answer.text and not answer.header("set-cookie"), answer
    assert (site.get("/blank").status, site.get("/blank").body) == (204, b"")
    site.alive()


def test_error_pages(pages):
    site = pages({"404.html": "lost: {{ status }} {{ error }} {{ urls.instance() }} {{ request.path }}",
                  "500.html": "sorry: {{ status }} {{ title }}", "400.html": "what: {{ error }}",
                  "pages/bad.html": "{{ nothing.at_all }}"})
    assert site.get("/nothing").text == "lost: 404 Database not found / /nothing"
    assert site.get("/bad").status == 500 and site.get("/bad").text.startswith("sorry: 500")
    assert site.get("/chinook/Album?_size=x").text.startswith("what: _size")
    assert site.get("/nothing.json").json()["error"] == "Database not found"


def test_forbidden_page(pages, tmp_path):
    (tmp_path / "c.yaml").write_text("allow:\n  id: nobody\n")
    site = pages({"403.html": "no entry: {{ error }}"}, "-c", tmp_path / "c.yaml")
    assert site.get("/").status == 403 and site.get("/").text.startswith("no entry")


# ---- sql() ----

SQL = """{% for row in sql("select AlbumId, Title from Album where AlbumId < :n order by AlbumId", {"n": 3}) -%}
{{ row.AlbumId }}|{{ row["Title"] }}|{{ row[0] }}|{{ row[-1] }}|{{ row.title }}|{{ row.keys()|join(",") }}|
{%- for value in row %}[{{ value }}]{% endfor %}|{{ row|length }}|{{ row|tojson }}
{% endfor %}"""


def test_sql(pages):
    site = pages({
        "pages/rows.html": SQL,
        "pages/ask.html": """{% set q = request.args.get("q") %}{{ sql("select :q as q", {"q": q})[0].q }}""",
        "pages/list.html": """{% for a, b in sql("select ?, ? + 1", ["x", 1]) %}{{ a }}{{ b }}{% endfor %}""",
        "pages/other.html": """{{ sql("select count(*) from Products", database="northwind")[0][0] }} """
                            """{{ sql(query="select :a + :b", params={"a": 1, "b": 2.5}, database="chinook")[0][0] }}""",
        "pages/none.html": """{% for r in sql("select 1 where 0") %}{% else %}none{% endfor %}"""
                           """{% if not sql("select 1 where 0") %}, still none{% endif %}""",
        "pages/kinds.html": """{% set r = sql("select null, 1, 2.5, 'ä<', x'00ff'")[0] %}"""
                            """{{ r[0] is none }} {{ r[1] + 1 }} {{ r[2] }} {{ r[3] }} {{ r[4]|length }}""",
        "pages/group.html": """{% for g in sql("select 'a' k, 1 v union all select 'b', 2 union all select 'a', 3")"""
                            """|groupby("k") %}{{ g.grouper }}={{ g.list|map(attribute="v")|join("+") }} {% endfor %}""",
    })
    assert site.get("/rows").text.splitlines()[0] == (
        "1|For Those About To Rock We Salute You|1|For Those About To Rock We Salute You|For Those About To Rock We "
        "Salute You|AlbumId,Title|[1][For Those About To Rock We Salute You]|2|"
        '{"AlbumId": 1, "Title": "For Those About To Rock We Salute You"}')
    assert site.get("/ask", q="a'b<").text == "a&#39;b&lt;" and site.get("/ask").text == "None"
    assert site.get("/list").text == "x2"
    assert site.get("/other").text == "77 3.5"
    assert site.get("/none").text == "none, still none"
    assert site.get("/kinds").text == "True 2 2.5 ä&lt; 2"
    assert site.get("/group").text.split() == ["a=1+3", "b=2"]


def test_sql_on_pages_of_the_site_is_never_stale(pages, tmp_path):
    other = serving.make(tmp_path / "other.db", "create table t (n); insert into t values (1);")
    site = pages({"table.html": """{{ table }} {{ sql("select n from t", database="other")[0].n }}"""}, other)
    assert site.get("/chinook/Album").text == "Album 1"
    import sqlite3
    with sqlite3.connect(other) as db:
        db.execute("update t set n = 2")
    db.close()
    assert site.get("/chinook/Album").text == "Album 2"


@pytest.mark.parametrize("call, words", [
    ('sql("select * from nowhere")', "no such table: nowhere"),
    ('sql("select :a")', ":a"),
    ('sql("selec 1")', "syntax error"),
    ('sql("select 1; select 2")', "one statement"),
    ('sql("delete from Album")', "Album|readonly|read-only|only"),
    ('sql("create table x (y)")', "readonly|read-only|only|authorized"),
    ('sql("select 1", database="nowhere")', "no database nowhere"),
    ('sql("select ?", 1)', "dict or a list"),
    ('sql("select ?", [[1]])', "parameter"),
    ("sql()", "takes the text"),
    ('sql("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n")', "took too long"),
])
def test_sql_errors_name_the_place(pages, call, words):
    site = pages({"pages/bad.html": "line one\n{{ %s }}\n" % call}, "--setting", "sql_time_limit_ms", "200")
    answer = site.get("/bad")
    assert answer.status == 500 and "pages/bad.html:2:" in answer.text and "sql(" in answer.text, answer.text
    assert any(word in answer.text for word in words.split("|")), answer.text
    site.alive()
    assert serving.Database(serving.DATA / "chinook.db").rows("select count(*) from Album") == [(347,)]


# ---- change without restart ----

def test_templates_change_at_once(pages):
    site = pages({"table.html": "one {{ table }}"})
    assert [site.get("/chinook/Album").text for _ in range(3)] == ["one Album"] * 3  # the last ones from the cache
    for text in ("two {{ table }}", "six {{ table }}", "{% include '_x.html' %}", "four"):
        put(site.folder, {"table.html": text, "_x.html": "included"})
        wanted = "included" if "include" in text else text.replace("{{ table }}", "Album")
        assert [site.get("/chinook/Album").text for _ in range(2)] == [wanted] * 2
    put(site.folder, {"table-chinook-Album.html": "special"})
    assert site.get("/chinook/Album").text == "special"
    (site.folder / "table-chinook-Album.html").rename(site.folder / "gone.html")
    assert site.get("/chinook/Album").text == "four"
    (site.folder / "table.html").unlink()
    assert "For Those About To Rock" in site.get("/chinook/Album").text
    put(site.folder, {"pages/new/{x}.html": "new {{ x }}"})
    assert site.get("/new/page").text == "new page"
    (site.folder / "pages/new/{x}.html").unlink()
    assert site.get("/new/page").status == 404


def test_broken_template_and_its_repair(pages):
    site = pages({"table.html": "fine"})
    assert site.get("/chinook/Album").text == "fine"
    put(site.folder, {"table.html": "{% extends 'base.html' %}\n{% block content %}\n{{ table.x.y }}\n{% endblock %}"})
    answer = site.get("/chinook/Album")
    assert answer.status == 500 and "table.html:3:" in answer.text and "table.x.y" in answer.text
    assert site.logs("table.html:3:") and str(site.folder.parent) not in answer.text
    put(site.folder, {"table.html": "{% if %}"})
    assert site.get("/chinook/Album").status == 500 and "table.html:1:" in site.get("/chinook/Album").text
    put(site.folder, {"table.html": "fine again"})
    assert site.get("/chinook/Album").text == "fine again"
    put(site.folder, {"base.html": "{% block"})  # the page for errors needs it too
    answer = site.get("/chinook")
    assert answer.status == 500 and "base.html:1:" in answer.text and "<h1>Error 500</h1>" in answer.text
    put(site.folder, {"base.html": "{% block content %}{% endblock %}"})
    assert site.get("/chinook").status == 200


def test_static_files_change_at_once(server, tmp_path, chinook):
    folder = tmp_path / "static"
    put(folder, {"a.css": "a { color: red }"})
    site = server(chinook, "--static", f"css:{folder}")
    assert site.get("/css/a.css").text == "a { color: red }"
    put(folder, {"a.css": "a { color: tan }", "b/c.js": "1"})
    assert site.get("/css/a.css").text == "a { color: tan }" and site.get("/css/b/c.js").text == "1"
    (folder / "a.css").unlink()
    assert site.get("/css/a.css").status == 404


# ---- hostile templates ----

HOSTILE = {
    "endless-macro": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "deeper"),
    "mutual-macros": ("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}", "deeper"),
    "include-itself": ("{% include 'pages/include-itself.html' %}", "deeper"),
    "include-cycle": ("{% include '_one.html' %}", "deeper"),
    "extends-itself": ("{% extends 'pages/extends-itself.html' %}", "chain"),
    "extends-cycle": ("{% extends '_two.html' %}", "chain"),
    "import-cycle": ("{% import '_three.html' as x %}", "deeper"),
    "long-loop": ("{% for i in range(100000) %}{% for j in range(10000) %}{% set x = j %}{% endfor %}{% endfor %}",
                  "steps"),
    "huge-range": ("{% for i in range(1000000000) %}{{ i }}{% endfor %}", "steps"),
    "huge-list": ("{{ range(1000000000)|list|length }}", "items"),
    "slow-filters": ("{% set l = range(500000)|list %}{% for i in range(9999999) %}{% set x = l|sort %}{% endfor %}",
                     "2"),
    "much-output": ("{% for i in range(100000) %}{{ 'xxxxxxxxxx' * 1000 }}{% endfor %}", "larger than"),
    "doubling": ("{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
                 ""),
    "wide-pad": ("{{ '%1000000000d' % 1 }}{{ '{:1000000000}'.format(1) }}", None),
    "undefined-function": ("{{ nothing_here(1) }}", "nothing_here"),
    "undefined-filter": ("{{ 1|nothing_here }}", "nothing_here"),
    "undefined-test": ("{{ 1 is nothing_here }}", "nothing_here"),
    "undefined-tag": ("{% nothing_here %}", "nothing_here"),
    "undefined-attribute": ("{{ nothing_here.at_all }}", "nothing_here"),
    "no-such-include": ("{% include 'nothing_here.html' %}", "nothing_here"),
    "no-such-parent": ("{% extends 'nothing_here.html' %}", "nothing_here"),
    "outside": ("{% include '../../../../../../etc/passwd' %}", "passwd"),
    "unclosed": ("\n{% for i in [1] %}", "for"),
    "by-zero": ("{{ 1 / 0 }}", "zero"),
    "super-outside": ("{{ super() }}", "super"),
    "not-utf8": (b"\xff\xfe{{ 1 }}", None),
    "nested": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", ""),
    "nested-ifs": ("{% if 1 %}" * 5000 + "{% endif %}" * 5000, ""),
    "sql-forever": ("{% for i in range(100000) %}{% set r = sql('with recursive n(i) as (select 1 union all select i + 1 "
                    "from n limit 100000) select count(*) from n') %}{% endfor %}", "sql("),
}
HELPERS = {"_one.html": "{% include '_other.html' %}", "_other.html": "{% include '_one.html' %}",
           "_two.html": "{% extends '_2.html' %}", "_2.html": "{% extends '_two.html' %}",
           "_three.html": "{% import '_3.html' as y %}", "_3.html": "{% import '_three.html' as x %}"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates")
    put(folder, HELPERS)
    (folder / "pages").mkdir()
    for name, (text, _) in HOSTILE.items():
        (folder / "pages" / f"{name}.html").write_bytes(text if isinstance(text, bytes) else text.encode())
    soon = limits.lowered(PAGE_SQL_MS=1000) if limits.COMPILED_IN else {}
    site = serving.Server(serving.DATA / "chinook.db", "--template-dir", folder, env=soon).wait()
    yield site
    site.stop()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_template(hostile, name):
    words = HOSTILE[name][1]
    answer = hostile.get("/" + name)
    if words is None:
        assert answer.status == 200
    else:
        assert answer.status == 500, answer
        assert ".html:" in answer.text and words in answer.text, answer.text[-2000:]
        assert "root:" not in answer.text
    hostile.alive()


def test_hostile_templates_give_memory_back(hostile):
    for name in HOSTILE:
        if name != "sql-forever":
            hostile.get("/" + name)
    assert hostile.memory_kb() < 400_000
    hostile.alive()


def test_context_as_json(pages):
    site = pages({}, "--setting", "template_debug", "1")
    text = site.get("/chinook/Album?_size=1&_context=1").text
    assert text.startswith("<pre>{") and "&#34;database&#34;: &#34;chinook&#34;" in text
    import html
    data = json.loads(html.unescape(text[5:-6]))
    assert data["rows"] == [{"AlbumId": 1, "Title": "For Those About To Rock We Salute You", "ArtistId": {
        "value": 1, "label": "AC/DC"}}] or data["rows"][0]["AlbumId"] == 1


HELPED = {  # functions that sites bring along as plugins, under their usual names
    'json.loads("[1, {\\"a\\": null}]")[1].a is none': "True",
    'json.dumps({"a": [1, "ä"]})': '{"a": [1, "\\u00e4"]}',
    'pluralize(1)': "", 'pluralize(2)': "s", 'pluralize(1, "y", "ies")': "y", 'pluralize(0, "y", "ies")': "ies",
    'intcomma(1234567)': "1,234,567", 'intcomma(-12)': "-12", 'intcomma(1234.5)': "1,234.5", 'intcomma("x")': "x",
    'nicer_date("2019-11-08T01:02:03")': "8 November 2019", 'nicer_date(none)': "", 'nicer_date("soon")': "soon",
    'prettydate("2020-01-01")': "1st January 2020", 'prettydate("2020-02-12")': "12th February 2020",
    'prettydate("2020-03-22")': "22nd March 2020", 'prettydate("2020-13-22")': "2020-13-22",
    'first_paragraph("<pre>x</pre><p class=a>1</p><p>2</p>")': "<p class=a>1</p>", 'first_paragraph("x")': "",
    'highlight("a & b4de2a49c8b8c94a2ed4b.")': "a &amp; <strong>b</strong>.", 'highlight("<")': "&lt;", 'highlight("")': "",
    'args.q ~ args.nope': "a&b", 'args["q"]': "a&b", 'q': "a&b", 'path': "/helped",
}


def test_helpers(pages):
    site = pages({"pages/helped.html": "\n".join("{{ %s }}" % e for e in HELPED)})
    import html
    text = html.unescape(site.get("/helped", q="a&b").text)
    assert dict(zip(HELPED, text.split("\n"))) == HELPED
    put(site.folder, {"pages/bad.html": "\n{{ json.loads('{') }}"})
    assert "bad.html:2: json.loads()" in site.get("/bad").text
    put(site.folder, {"pages/mine.html": "{% macro pluralize(n) %}mine{% endmacro %}{{ pluralize(1) }}"})
    assert site.get("/mine").text == "mine"


def test_markdown_tag_and_static(pages, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files/a b.css").write_text("x")
    site = pages({
        "pages/tag.html": '{% markdown %}\n# Title\n\n*{{ request.args.get("t") }}*\n{% endmarkdown %}',
        "pages/filter.html": '{{ "**x** <script>"|render_markdown }}{{ render_markdown("- a") }}',
        "pages/static.html": '{{ static("app.css") }} {{ static("x.css", mount="/css") }} {{ static("y.js", plugin="p") }}',
        "pages/both.html": '{{ static("x", mount="a", plugin="b") }}',
    }, "--static", f"css:{tmp_path / 'files'}")
    assert "<h1>Title</h1>" in site.get("/tag").text and "<em>t &lt;b&gt;</em>" in site.get("/tag", t="t <b>").text
    assert "<strong>x</strong>" in site.get("/filter").text and "<script>" not in site.get("/filter").text
    assert "<li>a</li>" in site.get("/filter").text
    import re
    assert re.fullmatch(r"/-/static/app\.css\?_hash=[0-9a-f]{12} /css/x\.css /-/static-plugins/p/y\.js",
                        site.get("/static").text)
    assert site.get("/both").status == 500


def test_every_function_is_documented():
    import re
    text = (serving.TOP / "docs/templates.md").read_text(encoding="utf-8")
    names = set()
    for file in ("functions.c", "plugin_functions.c", "urls.c"):
        source = (serving.TOP / "src/site/render" / file).read_text(encoding="utf-8")
        names |= set(re.findall(r'PAGE_ROW\("(\w+)"', source)) | set(re.findall(r"URL_ROW\((\w+)\)", source))
        names |= set(re.findall(r'\{"(\w+)", \{\.name = "function"', source))
    names |= set(re.findall(r'\{"(\w+)", \{', (serving.TOP / "src/site/view/custom_page.c").read_text(encoding="utf-8")))
    names.discard("id")  # of a macro
    assert len(names) > 40 and not {name for name in names if name not in text}


# ---- functions and variables of the configuration ----

OWN = {
    "template_variables": {
        "fixed": {"list": [1, 2]},
        "albums": {"sql": "select count(*) from Album where ArtistId = coalesce(:artist, 1)", "database": "chinook"},
        "nothing": {"sql": "select 1 where 0"},
        "id": "never: the page has one",
    },
    "template_functions": {
        "albums_of": {"sql": "select Title, :n as n from Album where ArtistId = :ArtistId order by 1", "database": "chinook"},
        "statement": {"sql": "select 'select ''' || :word || ''' as w'", "scalar": True},
        "boxed": {"sql": "with a(x) as (select :inner) select '<div ' || :size || '>' || x || '</div>' from a", "html": True},
        "wrong": {"sql": "select nonsense"},
        "empty": {},
        "lost": {"sql": "select 1", "database": "nosuch"},
    },
}


def own(tmp_path, **change):
    path = tmp_path / "datasette.json"
    path.write_text(json.dumps({**OWN, **change}))
    return ["--config", path]


def test_tags_that_are_functions_of_the_configuration(pages, tmp_path):
    site = pages({"pages/toc.html": "{% set x = 2 %}{% boxed size=x %}<b>{{ x }}</b>{{ '<' }}{% endboxed %}|{{ boxed('<i>', 1) }}",
                  "pages/text.html": "{% statement %}<p>{% endstatement %}",
                  "pages/none.html": "{% no_such %}a{% endno_such %}",
                  "pages/open.html": "{% boxed %}a"}, *own(tmp_path))
    assert site.get("/toc").text == "<div 2><b>2</b>&lt;</div>|<div 1><i></div>"
    assert site.get("/text").text == "select &#39;&lt;p&gt;&#39; as w"
    for page in ("/none", "/open"):
        answer = site.get(page)
        assert answer.status == 500 and "unknown tag" in answer.text and page in answer.text, answer.text


def test_functions_of_the_configuration(pages, tmp_path):
    page = """{% set artist = sql("select ArtistId, 5 as n from Artist where ArtistId = 90", database="chinook")[0] %}
{% for a in albums_of(artist) %}{% if loop.first %}{{ a.Title }}/{{ a.n }} {{ loop.length }}{% endif %}{% endfor %}
{{ albums_of(7, 1)[0].n }} {{ albums_of({"ArtistId": 1})|length }} {{ albums_of(ArtistId=1, n=3)[1].n }} {{ albums_of()|length }}
{{ sql(statement("it"))[0].w }} {{ statement() }}
{{ fixed.list[1] }} {{ albums }} {{ nothing }} {{ id }}"""
    site = pages({"pages/own/{id}.html": page}, *own(tmp_path))
    lines = [line for line in site.get("/own/x").text.splitlines() if line]
    assert lines == ["A Matter of Life and Death/5 21", "7 2 3 0", "it None", "2 2 None x"]
    assert site.get("/own/x", artist=90).text.splitlines()[-1] == "2 21 None x"
    assert site.get("/own/x", ArtistId=90, n="q").text.splitlines()[2].endswith(" 21")


@pytest.mark.parametrize("expression, words", [
    ("wrong()", "wrong(): no such column: nonsense"), ("empty()", "empty(): it has no sql"),
    ("lost()", "lost(): there is no database nosuch")])
def test_functions_of_the_configuration_that_fail(pages, tmp_path, expression, words):
    answer = pages({"pages/own.html": "{{ %s }}" % expression}, *own(tmp_path)).get("/own")
    assert answer.status == 500 and words in answer.text


def test_a_variable_that_fails(pages, tmp_path):
    site = pages({"pages/own.html": "x"}, *own(tmp_path, template_variables={"a": {"sql": "select nonsense"}}))
    for path in ("/own", "/chinook/Album"):
        answer = site.get(path)
        assert answer.status == 500 and "template_variables.a" in answer.text and "nonsense" in answer.text
    assert site.json("/chinook/Album.json?_size=1")["ok"]  # no template, no variables
