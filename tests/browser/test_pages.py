# SPDX-License-Identifier: Apache-2.0
"""What the scripts of the pages do, in Chromium, one thing a test (each page as such: test_every_page.py). Needs chromium
and node."""
import json
import pathlib
import shutil

import pytest

import serving
from look import look

HERE = pathlib.Path(__file__).parent


def act(site, action, path, width=1280):
    seen = look(site, {"page": path}, widths=[width], act={"page": action})[0]
    assert not seen["errors"], seen["errors"]
    return seen["acted"]


def test_column_menu(site):
    items = act(site, "columnMenu", "/chinook/Album")
    assert items == ["Sort ascending", "Sort descending", "Facet by this", "Choose columns…", "Hide this column"]


def test_columns_of_a_narrow_page(site):
    items, faults = act(site, "columnList", "/chinook/Album", width=390)
    assert items[:2] == ["Sort ascending", "Sort descending"] and not faults


def test_opened_parts(site):
    assert act(site, "openedParts", "/chinook/Album") == []


def test_keyboard(site):
    """Tab, pressed: test_every_page.py walks over every page without pressing it."""
    pages = {"home": "/", "table": "/northwind/Products?_facet=CategoryID", "row": "/chinook/Album/1",
             "query": "/chinook/-/query?sql=select+1"}
    for s in look(site, pages, widths=[1280, 390], act=dict.fromkeys(pages, "keyboard")):
        steps, faults = s["acted"]
        assert steps >= 5 and not faults, s


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


PATIENT = "--setting", "facet_time_limit_ms", "20000"  # a busy machine leaves facets out


@pytest.mark.parametrize("table,limit_ms", [("t", 20_000), ("v", 1)])  # a sample first; nothing at first
def test_exact_figures_take_the_place_of_estimates(tmp_path, table, limit_ms):
    """The facet of a server that has just started is a sample; without scripts the page says to load it again."""
    rows = 300_000
    path = serving.make(tmp_path / "wide.db", f"""
        create table t (id integer primary key, tags text);
        with recursive c(i) as (select 1 union all select i + 1 from c where i < {rows})
            insert into t select i, '["a","' || (i % 7) || '"]' from c;
        create view v as select * from t;""")
    site = serving.Server(path, "--setting", "facet_time_limit_ms", str(limit_ms)).wait()
    got = act(site, "exactFacets", f"/wide/{table}?_size=5&_facet_array=tags")
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
                            "--static", f"test:{HERE}", *PATIENT).wait()
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
