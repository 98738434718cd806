# SPDX-License-Identifier: Apache-2.0
"""Every route that gives HTML, opened in Chromium in one go, as a person meets it: wide and light with the keyboard,
narrow and dark with a finger. Nothing sticks out, nothing moves, nothing is said on the console, nothing is asked of
another host, axe finds no fault (WCAG 2.2 AA), what has the focus is seen. A new route must get a page in gallery.py."""
import gzip
import os
import re

import pytest

import gallery
import serving
from look import look

# Each part of the style sheet once: axe takes a second a page, and the others differ in words only.
DARK = ["home", "database", "table", "table-own", "row-history", "query", "query-wrong", "import-preview", "import-done",
        "import-damaged", "alter-table", "edit-row", "execute-write", "history", "search", "check", "api-log", "upload",
        "error-404", "error-403", "copyable", "patterns", "create-token"]
SHIFT_MAX = 0.1  # CLS that Chromium calls good; long cells fold a moment after they are there
REQUESTS_MAX = 9
PAGE_BYTES_MAX = 64 * 1024  # of HTML, style and scripts, compressed, without the SQL editor


def cookies():
    name, _, value = gallery.ROOT["Cookie"].partition("=")
    return [{"name": name, "value": value}]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with gallery.gallery(tmp_path_factory.mktemp("gallery")) as (server, pages):
        server.pages = pages
        yield server


@pytest.fixture(scope="module")
def seen(site, tmp_path_factory):
    pictures = os.environ.get("PICTURES")
    how = dict(pictures=pictures, whole=True)
    found = []
    for pages, who in ((site.pages, cookies()), (gallery.REFUSED, [])):
        found += look(site, pages, widths=[1280], schemes=["light"], axe=True, keyboard=True, cookies=who, **how)
        found += look(site, pages, widths=[390], schemes=["dark"], axe=DARK, fingers=True, cookies=who, **how)
    return found


def test_every_route_has_a_page():
    text = (serving.TOP / "src/site/route.c").read_text()
    patterns = set(re.findall(r'^\s*\{"(/[^"]*)",', text, re.M))
    have = {pattern for pattern, _ in gallery.PAGES.values() if pattern}
    missing = patterns - have - set(gallery.NOT_HTML)
    assert not missing, f"say in gallery.py which page these give, or why none: {sorted(missing)}"
    assert not (have | set(gallery.NOT_HTML)) - patterns, "these routes are gone"
    assert not have & set(gallery.NOT_HTML)


@pytest.mark.parametrize("name", [*gallery.PAGES, *gallery.REFUSED])
def test_page(seen, name):
    looks = [s for s in seen if s["name"] == name]
    assert len(looks) == 2
    for s in looks:
        where = f"{s['width']} px, {s['scheme']}"
        assert s["status"] == gallery.STATUS.get(name, 200), where
        assert s["overflow"] <= 0, f"{where}: {s['overflow']} px too wide"
        assert not s["errors"] and not s["elsewhere"], (where, s["errors"], s["elsewhere"])
        assert not s.get("axe"), (where, s.get("axe"))
        assert s["shift"] <= SHIFT_MAX, (where, s["shift"])
        assert s["requests"] <= REQUESTS_MAX, (where, s["requests"])
        assert not s.get("low"), (where, s.get("low"))
        assert not s.get("keyboard") or (s["keyboard"][0] >= 3 and not s["keyboard"][1]), (where, s.get("keyboard"))


def test_weight(site):
    """Bytes of each page: what a browser that comes for the first time has to get before it can show it."""
    static, heavy = {}, []
    for name, path in site.pages.items():
        page = site.get(path, headers=gallery.ROOT)
        total = len(gzip.compress(page.body))
        for link in set(re.findall(r'(?:src|href)="(/-/static/[^"]+)"', page.text)):
            if "/editor.js" not in link and ".png" not in link:
                static.setdefault(link, len(gzip.compress(site.get(link).body)))
                total += static[link]
        if total > PAGE_BYTES_MAX:
            heavy.append((name, total))
    assert not heavy


def test_without_scripts(site):
    """Everything there is can be read, and every form sent, without JavaScript: nothing sticks out, and no button is
    shown that does nothing."""
    for s in look(site, site.pages, widths=[390], scripts=False, cookies=cookies()):
        assert s["overflow"] <= 0 and not s["errors"], s
