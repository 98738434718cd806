# SPDX-License-Identifier: Apache-2.0
"""The template site of examples/museums in Chromium, wide and narrow, light and dark, and without scripts."""
import os

import pytest

import serving
from look import look

PAGES = {
    "museums-index": "/",
    "museums-second-page": "/?page=2",
    "museums-museum": "/pencils",
    "museums-kind": "/kind/everyday-life",
    "museums-map": "/map",
    "museums-map-europe": "/map?area=europe",
    "museums-search": "/search?q=ship",
    "museums-search-nothing": "/search?q=nothingatall",
    "museums-about": "/about",
    "museums-not-found": "/no-such-museum",
    "museums-table": "/museums/museums",
}


@pytest.fixture(scope="module")
def guide():
    site = serving.Server(serving.TOP / "examples/museums/").wait()
    yield site
    site.stop()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_guide(guide, tmp_path, width, scheme):
    pictures = os.environ.get("PICTURES") or str(tmp_path)
    seen = look(guide, PAGES, widths=[width], schemes=[scheme], axe=True, pictures=pictures)
    assert len(seen) == len(PAGES)
    for s in seen:
        assert s["status"] == (404 if s["name"] == "museums-not-found" else 200), s["name"]
        assert s["overflow"] <= 0, f"{s['name']}: {s['overflow']} px too wide"
        assert not s["errors"] and not s["elsewhere"] and not s["axe"], (s["name"], s["errors"], s["elsewhere"], s["axe"])


def test_guide_without_scripts(guide):
    for s in look(guide, PAGES, widths=[390], scripts=False):
        assert s["overflow"] <= 0 and not s["errors"], s
