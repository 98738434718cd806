# SPDX-License-Identifier: Apache-2.0
"""The pages in Chromium, wide and light, narrow and dark: nothing sticks out, nothing is said on the console, nothing
is asked of another host, axe finds no fault; then what the scripts do, one thing a test. Needs chromium and node."""
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import serving
from look import look

HERE = pathlib.Path(__file__).parent
PAGES = {
    "index": "/",
    "database": "/northwind",
    "table": "/northwind/Products?_facet=CategoryID&_facet=Discontinued",
    "table-filtered": "/chinook/Track?GenreId=1&Milliseconds__gt=200000&_facet=MediaTypeId&_sort_desc=Name",
    "table-wide": "/northwind/Employees",
    "table-empty": "/chinook/Album?Title=nothing",
    "view": "/northwind/Invoices?_size=10",
    "row": "/chinook/Album/1",
    "row-long": "/northwind/Employees/2",
    "query": "/northwind/-/query?sql=select+ProductName,+UnitPrice+from+Products+where+UnitPrice+>+:min&min=20",
    "query-error": "/northwind/-/query?sql=select+*+from+nowhere",
    "queries": "/-/queries",
    "schema": "/northwind/-/schema",
    "json-page": "/-/versions",
    "style-guide": "/-/patterns",
    "api": "/-/api",
    "search": "/-/search?q=rock",
    "copyable": "/chinook/Album.copyable?_table_format=github&_size=20",
    "notebook": "/chinook/Album.Notebook",
    "not-found": "/chinook/nothing",
}
LOOKS = [(1280, "light"), (390, "dark")]
PAGE_BYTES_MAX = 60 * 1024  # of HTML, style and scripts, compressed, without the SQL editor


def act(site, action, path, width=1280):
    seen = look(site, {"page": path}, widths=[width], act={"page": action})[0]
    assert not seen["errors"], seen["errors"]
    return seen["acted"]


@pytest.fixture(scope="module")
def seen(site, tmp_path_factory):
    pictures = os.environ.get("PICTURES") or str(tmp_path_factory.mktemp("pictures"))
    os.makedirs(pictures, exist_ok=True)
    return [s for width, scheme in LOOKS
            for s in look(site, PAGES, widths=[width], schemes=[scheme], axe=True, pictures=pictures)]


def at(seen, name):
    return [s for s in seen if s["name"] == name]


@pytest.mark.parametrize("name", PAGES)
def test_page(seen, name):
    assert len(at(seen, name)) == len(LOOKS)
    for s in at(seen, name):
        where = f"{s['width']} px, {s['scheme']}"
        assert s["status"] == (404 if name == "not-found" else 200), where
        assert s["overflow"] <= 0, f"{where}: {s['overflow']} px too wide"
        assert not s["errors"], (where, s["errors"])
        assert not s["elsewhere"], (where, s["elsewhere"])
        assert not s["axe"], (where, s["axe"])


def test_without_scripts(site):
    for s in look(site, PAGES, widths=[390], scripts=False):
        assert s["overflow"] <= 0 and not s["errors"], s


def test_column_menu(site):
    items = act(site, "columnMenu", "/chinook/Album")
    assert items == ["Sort ascending", "Sort descending", "Facet by this", "Choose columns…", "Hide this column"]


def test_columns_of_a_narrow_page(site):
    items, faults = act(site, "columnList", "/chinook/Album", width=390)
    assert items[:2] == ["Sort ascending", "Sort descending"] and not faults


def test_opened_parts(site):
    assert act(site, "openedParts", "/chinook/Album") == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", ["/", "/northwind", "/northwind/Products?_facet=CategoryID", "/chinook/Album/1",
                                  "/chinook/-/query?sql=select+1", "/chinook/nothing"])
def test_keyboard(site, path, width):
    steps, faults = act(site, "keyboard", path, width)
    assert steps >= 5 and not faults


@pytest.mark.parametrize("path", ["/", "/northwind", "/northwind/Products?_facet=CategoryID", "/chinook/Album/1",
                                  "/chinook/-/query?sql=select+:a", "/chinook/nothing"])
def test_controls_fit_a_finger(site, path):
    assert act(site, "lowControls", path, width=390) == []


def test_sort_from_the_menu(site):
    assert act(site, "sortByMenu", "/chinook/Album").split() == "347 rows sorted by Title descending".split()


def test_hide_column(site):
    column, left = act(site, "hideColumn", "/chinook/Album")
    assert column == "Title" and left == ["AlbumId", "ArtistId"]


def test_choose_columns(site):
    assert act(site, "chooseColumns", "/chinook/Album") == ["AlbumId", "Title"]


def test_two_filters_at_once(site):
    assert act(site, "filterRows", "/chinook/Album").split()[:2] == ["4", "rows"]


def test_jump(site):
    assert act(site, "jump", "/") == ["chinook: Album", "/chinook/Album"]


def test_colours_are_remembered(site):
    light, dark, after_reload = act(site, "theme", "/")
    assert light != dark == after_reload


def test_sql_editor(site):
    label, lines, rows = act(site, "editor", "/chinook")
    assert label == "artist" and lines > 3 and rows == 2


def test_sql_completion(site):
    assert "Album" in act(site, "completion", "/chinook")


def test_long_cells_fold(site):
    before, after = act(site, "fold", "/northwind/Employees")
    assert after > before


def test_plugin_interface(site):
    assert act(site, "plugin", "/chinook/Album") == ["Copy Title", ["Title"], "Panelin the panel"]


@pytest.mark.parametrize("path", ["/", "/northwind", "/chinook/Album?_size=20"])
def test_weight(site, path):
    page = site.get(path)
    total = len(gzip.compress(page.body))
    for link in re.findall(r'(?:src|href)="(/-/static/[^"]+)"', page.text):
        if "/editor.js" in link or ".png" in link:
            continue
        total += len(gzip.compress(site.get(link.replace("&amp;", "&")).body))
    assert total <= PAGE_BYTES_MAX, f"{total} bytes"


def test_exact_figures_take_the_place_of_estimates(tmp_path):
    """The facet of a server that has just started is a sample; without scripts the page says to load it again."""
    rows = 300_000
    path = serving.make(tmp_path / "wide.db", f"""
        create table t (id integer primary key, tags text);
        with recursive c(i) as (select 1 union all select i + 1 from c where i < {rows})
            insert into t select i, '["a","' || (i % 7) || '"]' from c;""")
    site = serving.Server(path).wait()
    got = act(site, "exactFacets", "/wide/t?_size=5&_facet_array=tags")
    site.stop()
    assert got["kept"] is True
    assert got["counts"] == [f"{rows:,}"] + [f"{rows // 7 + (i <= rows % 7 and i > 0):,}" for i in (1, 2, 3, 4, 5, 6, 0)]


@pytest.fixture(scope="module")
def with_plugin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "datasette.json").write_text(json.dumps({
        "extra_js_urls": ["/test/plugin.js"], "permissions": {"update-row": True, "insert-row": True}}))
    shutil.copy(serving.DATA / "chinook.db", folder / "chinook.db")
    server = serving.Server(folder / "chinook.db", "--config", folder / "datasette.json",
                            "--static", f"test:{HERE}").wait()
    yield server
    server.stop()


def test_plugin_from_extra_js_urls(with_plugin):
    got = act(with_plugin, "loadedPlugin", "/chinook/Album?_facet=ArtistId")
    assert got["tabs"] == ["First", "Second"] and got["shown"] == ["Panel Second"]
    assert got["link"] == "/elsewhere?Title" and got["section"] == "A section, with context"
    seen = got["seen"]
    assert seen["global"] is True and seen["version"].startswith("1.0")
    assert set(seen["found"]) >= {"jsonExportLink", "tableWrapper", "table", "aboveTablePanel", "tableHeaders", "filterRows",
                                  "facetResults"}
    assert [h.replace("\xa0▼", "") for h in seen["headers"]] == ["AlbumId", "Title", "ArtistId"]
    assert "/chinook/Album.json?" in seen["json"]
    assert seen["column"] == {"columnName": "Title", "columnNotNull": True, "columnType": "nvarchar(160)", "isPk": False}
    assert got["faults"] == []


def test_plugin_makes_a_column_field(with_plugin):
    value, fields, faults = act(with_plugin, "columnField", "/chinook/Artist/1/-/edit-row")
    assert value == "by the plugin" and faults == []
    assert fields == ["edit", "Artist", "Name", True, "by the plugin"]
