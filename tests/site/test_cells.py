# SPDX-License-Identifier: Apache-2.0
"""Cells that are shown as more than text: Markdown, links and images as JSON, JSON in lines; and nothing that runs."""
import json
import re

import pytest

import serving

ROWS = [
    ("link", {"href": "https://example.com/?a=1&b=2", "label": "A <b>"},
     '<a href="https://example.com/?a=1&amp;b=2">A &lt;b&gt;</a>'),
    ("title", {"href": "/x", "label": None, "title": '"'}, '<a href="/x" title="&#34;">&nbsp;</a>'),
    ("list", [{"href": "/a", "label": "a"}, {"href": "/b", "label": 2}], '<a href="/a">a</a>, <a href="/b">2</a>'),
    ("script", {"href": "javascript:alert(1)", "label": "x"}, None),
    ("tab", {"href": "/\tx", "label": "x"}, None),
    ("more", {"href": "/x", "label": "x", "onclick": "y"}, None),
    ("mixed", [{"href": "/a", "label": "a"}, {"href": "data:x", "label": "b"}], None),
    ("empty", [], None),
    ("image", {"img_src": "/a.png"}, '<img src="/a.png" alt="" loading="lazy">'),
    ("picture", {"img_src": "https://x/a.png", "alt": "A", "width": 200, "href": "/b", "caption": "C <i>"},
     '<figure><a href="/b"><img src="https://x/a.png" alt="A" width="200" loading="lazy"></a>'
     "<figcaption>C &lt;i&gt;</figcaption></figure>"),
    ("bad image", {"img_src": "javascript:x"}, None),
    ("quote", {"img_src": '/a" onerror="x'}, '<img src="/a&#34; onerror=&#34;x" alt="" loading="lazy">'),
    ("bad wrap", {"img_src": "/a", "href": "javascript:x"}, '<img src="/a" alt="" loading="lazy">'),
    ("pre", {"pre": "a\n<b>"}, "<pre>a\n&lt;b&gt;</pre>"),
    ("pre json", {"pre": {"a": [1]}}, "<pre>{\n  &#34;a&#34;: [\n    1\n  ]\n}</pre>"),
    ("data", {"a": 1}, None),
]
MARKDOWN = "# Hi\n\n**b** <script>alert(1)</script> [x](javascript:alert(1))\n\n| a |\n|---|\n| 1 |\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    db = serving.sqlite3.connect(folder / "c.db")
    db.execute("create table cells (id integer primary key, kind text, value text)")
    db.executemany("insert into cells (kind, value) values (?, ?)",
                   [(kind, json.dumps(value)) for kind, value, _ in ROWS])
    db.execute("create table notes (id integer primary key, body_markdown text, body text, note_md text)")
    db.execute("insert into notes values (1, ?, ?, ?)", (MARKDOWN, MARKDOWN, "a\nb"))
    db.commit()
    db.close()
    return folder


def serve(folder, **plugins):
    (folder / "datasette.json").write_text(json.dumps({"plugins": plugins} if plugins else {}))
    return serving.Server(folder / "c.db", "--config", folder / "datasette.json").wait()


@pytest.fixture(scope="module")
def server(folder):
    server = serve(folder, **{"datasette-json-html": {}})
    yield server
    server.stop()


def cell(page, column):
    return page.split(f'<td class="col-{column} ', 1)[1].split(">", 1)[1].split("</td>", 1)[0]


@pytest.mark.parametrize("kind, value, wanted", ROWS)
def test_json_html(server, kind, value, wanted):
    got = cell(server.get("/c/cells", kind=kind).text, "value")
    plain = json.dumps(value).replace('"', "&#34;").replace("&#34;", "&#34;").replace("<", "&lt;").replace(">", "&gt;")
    if wanted:
        assert got == wanted
    else:
        assert "<a" not in got and "<img" not in got and got == plain


def test_json_html_in_queries_and_json(server):
    page = server.get("/c/-/query", sql="select json_object('href', '/a', 'label', 'b') as link").text
    assert '<a href="/a">b</a>' in page
    rows = server.json("/c/cells.json?kind=link&_extra=render_cell")
    assert rows["render_cell"][0]["value"].startswith("<a href=")
    assert json.loads(rows["rows"][0]["value"])["label"] == "A <b>"


def test_markdown_by_name(server):
    page = server.get("/c/notes").text
    html = cell(page, "body_markdown")
    assert html.startswith('<div class="rendered-markdown"><h1>Hi</h1>') and "<strong>b</strong>" in html
    assert "<table>" in html and "<script" not in html and "javascript" not in html
    assert "# Hi" in cell(page, "body") and "<h1>Hi" not in cell(page, "body")
    assert "<h1>Hi</h1>" in server.get("/c/notes/1").text
    assert "<strong>" in server.get("/c/-/query", sql="select '**b**' as x_markdown").text


def test_plugins_are_configured(folder):
    server = serve(folder, **{
        "datasette-render-markdown": {"columns": ["body"], "patterns": ["*_md"], "extensions": ["nl2br"],
                                      "extra_tags": ["div", "script"], "extra_attrs": {"div": ["class", "onclick"]}},
        "datasette-pretty-json": {}, "datasette-json-html": False})
    page = server.get("/c/notes").text
    assert "<h1>Hi</h1>" in cell(page, "body") and "<script" not in cell(page, "body")
    assert "a<br>" in cell(page, "note_md") and "# Hi" in cell(page, "body_markdown")
    assert cell(server.get("/c/cells?kind=link").text, "value").startswith("<pre>{\n    &#34;href&#34;:")
    assert cell(server.get("/c/cells?kind=data").text, "value") == "<pre>{\n    &#34;a&#34;: 1\n}</pre>"
    query = server.get("/c/-/query", sql="select '<div class=x onclick=y>z</div>' as body").text
    assert '<div class="x">z</div>' in query
    server.stop()


def test_off(folder):
    server = serve(folder, **{"datasette-render-markdown": False})
    assert "# Hi" in cell(server.get("/c/notes").text, "body_markdown")
    assert "<a" not in cell(server.get("/c/cells?kind=link").text, "value")
    server.stop()


def test_column_types_win(folder):
    config = {"databases": {"c": {"tables": {"notes": {"column_types": {"body_markdown": "textarea"}},
                                             "cells": {"column_types": {"value": "json"}}}}},
              "plugins": {"datasette-json-html": {}}}
    (folder / "datasette.json").write_text(json.dumps(config))
    server = serving.Server(folder / "c.db", "--config", folder / "datasette.json").wait()
    assert cell(server.get("/c/cells?kind=link").text, "value").startswith("<pre>{")
    assert "# Hi" in cell(server.get("/c/notes").text, "body_markdown")
    server.stop()


def test_template_function(folder, tmp_path):
    (tmp_path / "index.html").write_text(
        "{{ render_markdown('# A <script>') }}|{{ render_markdown('a\nb <u>x</u>', extensions=['nl2br'], "
        "extra_tags=['u']) }}|{{ '*b*'|render_markdown }}|{{ render_markdown(none) }}")
    server = serving.Server(folder / "c.db", "--template-dir", tmp_path).wait()
    first, second, third, fourth = server.get("/").text.split("|")
    assert "<h1>A &lt;script&gt;</h1>" in first
    assert "a<br>" in second and "<u>x</u>" in second
    assert "<em>b</em>" in third and fourth.startswith('<div class="rendered-markdown"></div>')
    server.stop()


def test_limits(folder):
    """Two megabytes of Markdown on one page are rendered; what follows is text."""
    db = serving.sqlite3.connect(folder / "big.db")
    db.execute("create table big (id integer primary key, x_markdown text)")
    db.executemany("insert into big (x_markdown) values (?)", [("**" + "a" * 65000 + "**",)] * 40)
    db.commit()
    db.close()
    server = serving.Server(folder / "big.db").wait()
    page = server.get("/big/big").text
    assert page.count("<strong>") == 2097152 // 65004
    server.stop()


def test_all_cells_of_a_row_at_once(tmp_path):
    """row.html is what the loop over the row gives."""
    path = serving.make(tmp_path / "c.db", """
        create table kind (id integer primary key, name text);
        insert into kind values (1, '<b>');
        create table t (id integer primary key, k integer references kind(id), s text, x blob, u text);
        insert into t values (1, 1, '<&"''>', x'00ff', 'https://example.com/?a=1&b=2'), (2, null, '', null, 'é');""")
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "_table.html").write_text("""{% for row in display_rows %}<div class="whole">{{ row.html }}</div>
        <div class="loop">{% for cell in row %}<td {{ cell.attrs }}>{{ cell.value }}</td>{% endfor %}</div>{% endfor %}""")
    site = serving.Server(path, "--template-dir", templates).wait()
    page = site.get("/c/t").text
    site.stop()
    whole, loop = (re.findall(f'<div class="{name}">(.*?)</div>', page) for name in ("whole", "loop"))
    assert len(whole) == 2 and whole == loop and "&lt;b&gt;" in whole[0]
