# SPDX-License-Identifier: Apache-2.0
"""Every page of the hub, and what people meet of spaces and of the edge on the way, in Chromium: wide and light with the
keyboard, narrow and dark with a finger; as test_every_page.py does it for the site. Forms that went wrong say so at the
field. A new route must get a page in hub_gallery.py."""
import html.parser
import os
import re
import shutil

import pytest

import serving

pytest.importorskip("jwt")
pytest.importorskip("cryptography")
if not shutil.which("node") or not shutil.which("chromium"):
    pytest.skip("needs node and chromium: tools/setup.sh --test", allow_module_level=True)
import hub_gallery  # noqa: E402
from hub_gallery import PAGES  # noqa: E402
from look import look  # noqa: E402

SHIFT_MAX = 0.1
DARK = ["landing-file", "sign-up-wrong", "home", "members", "recovery-codes", "admin", "error-404", "edge-crashed"]

# Of each kind of form, list and table one: axe takes a second a page.
SMALL = ["landing", "landing-file", "sign-up", "sign-up-wrong", "recovery-codes", "sign-in", "second", "reset",
         "invitation", "home", "home-empty", "start", "new-space", "space-long", "members", "domains", "team", "password",
         "passkeys", "app-secret", "sessions", "leave-owner", "admin", "error-404", "space-home", "edge-crashed"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with hub_gallery.gallery(tmp_path_factory.mktemp("hub")) as (hub, who, paths):
        hub.who, hub.paths = who, paths
        yield hub


@pytest.fixture(scope="module")
def seen(hub):
    how = {"pictures": os.environ.get("PICTURES"), "whole": True}
    found = hub_gallery.look_at(hub, hub.who, hub.paths, widths=[1280], schemes=["light"], keyboard=True, focus=True,
                                axe=SMALL, **how)
    return found + hub_gallery.look_at(hub, hub.who, hub.paths, SMALL, widths=[390], schemes=["dark"], axe=DARK,
                                       fingers=True, **how)


def test_every_route_has_a_page():
    text = (serving.TOP / "src/hub/tbl/hub_routes.h").read_text()
    patterns = set(re.findall(r'^X\("([^"]+)"', text, re.M))
    have = {look.pattern for look in PAGES.values() if look.pattern}
    known = have | set(hub_gallery.NOT_HTML)
    assert not patterns - known, f"say in hub_gallery.py which page these give, or why none: {sorted(patterns - known)}"
    assert not known - patterns, "these routes are gone"


@pytest.mark.parametrize("name", PAGES)
def test_page(seen, name):
    looks = [s for s in seen if s["name"] == name]
    assert len(looks) == 1 + (name in SMALL)
    for s in looks:
        where = f"{s['width']} px, {s['scheme']}"
        assert s["status"] == PAGES[name].status, (where, s)
        assert s["overflow"] <= 0, f"{where}: {s['overflow']} px too wide"
        assert not s["errors"] and not s["elsewhere"], (where, s["errors"], s["elsewhere"])
        assert not s.get("axe"), (where, s.get("axe"))
        assert s["shift"] <= SHIFT_MAX, (where, s["shift"])
        assert not s.get("low"), (where, s.get("low"))
        assert not s.get("keyboard") or not s["keyboard"][1], (where, s.get("keyboard"))


@pytest.mark.parametrize("name", [name for name, look in PAGES.items() if look.send and look.status >= 400])
def test_what_is_wrong_is_said_at_the_field(seen, name):
    """The field has the focus, says that it is wrong, and is described by the sentence above the form."""
    focus, = [s["focus"] for s in seen if s["name"] == name and s["width"] == 1280]
    assert focus["invalid"] == "true" and focus["error"] and focus["error"] in focus["described"], focus
    assert focus["title"].startswith("Error: "), focus


class Fields(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "input":
            self.found.append(dict(attrs))


def test_fields_are_filled_in_by_the_browser(hub):
    """WCAG 1.3.5: what is asked about the visitor says so."""
    wanted = {"email": ("username", "username webauthn", "email", "off"), "old": ("current-password",), "code": ("one-time-code",),
              "password": ("new-password", "current-password")}
    asked = 0
    for name, look in PAGES.items():
        if not look.pattern or look.send:
            continue
        page = (hub.who[look.who] if look.who else hub.browser()).get(hub.paths[name])
        for field in Fields(page.text).found:
            if field.get("type") == "hidden" or field.get("name") not in wanted:
                continue
            asked += 1
            assert field.get("autocomplete") in wanted[field["name"]], (name, field)
    assert asked > 15


def test_mails(hub):
    pages = hub_gallery.mail_pages(hub.folder.parent)
    assert len(pages) >= 4
    for width, scheme in ((1280, "light"), (390, "dark")):
        for s in look(hub, pages, widths=[width], schemes=[scheme], axe=True):
            assert s["overflow"] <= 0 and not s["axe"] and not s["errors"] and not s["elsewhere"], s


def test_without_scripts(hub):
    """Everything can be read, and every form is there, without JavaScript; on the smallest of phones too."""
    for s in hub_gallery.look_at(hub, hub.who, hub.paths, [name for name in SMALL if not PAGES[name].send],
                                 widths=[320], scripts=False):
        assert s["overflow"] <= 0 and not s["errors"] and not s["dead"], s
