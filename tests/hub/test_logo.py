# SPDX-License-Identifier: Apache-2.0
"""The picture of a space: sent, shown on its site, kept by clones, taken away; what is no picture is refused."""
import re
import struct
import zlib

import limits
import pytest
from hub_rig import wait_for
from test_start import BOUNDARY, form
from test_take_along import person


def png(width=64, height=64):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + b"\x1b\x6e\x53" * width for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def send(browser, space, content, field="logo", **more):
    return browser.ask("POST", f"/spaces/{space}/logo", form("logo.png", content, field),
                       {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}, **more)


def shown(page):
    found = re.search(r'<img[^>]* src="([^"]*/-/logo/[^"]+)"', page.text)
    return found and found.group(1)


def test_from_sending_to_removing(hub):
    ana = person(hub, "logo@example.org")
    origin = ana.new_space("Museum of logos", "logos")
    first, second = png(), png(32, 32)
    assert send(ana, "logos", first).status == 303
    where = wait_for(lambda: shown(ana.follow(ana.get(origin + "/", headers={"Accept": "text/html"}))))
    assert where.startswith(hub.origin + "/-/logo/") and shown(ana.get("/spaces/logos")) == where
    assert where.removeprefix(hub.origin) in ana.get("/").text, "beside its name at home"
    got = hub.browser().get(where)
    assert (got.status, got.header("content-type"), got.body) == (200, "image/png", first)
    assert got.header("x-content-type-options") == "nosniff" and "sandbox" in got.header("content-security-policy")
    assert "immutable" in got.header("cache-control")
    # A clone has it, and keeps it when this one gets another.
    assert ana.post("/spaces/logos/clone", {"title": "Copy", "name": "logos-copy"}).status == 303
    assert shown(ana.get("/spaces/logos-copy")) == where
    assert send(ana, "logos", second).status == 303
    other = shown(ana.get("/spaces/logos"))
    assert other != where and hub.browser().get(other).body == second and hub.browser().get(where).body == first
    wait_for(lambda: hub.space_json("logos")["theme"]["logo"] == other)
    # Saving the other settings leaves it.
    assert ana.post("/spaces/logos", {"title": "Logos", "visibility": "private", "accent": "#1b6e53"}).status == 303
    wait_for(lambda: hub.space_json("logos")["theme"] == {"accent": "#1b6e53", "logo": other})
    assert ana.post("/spaces/logos/logo", {"remove": "yes"}).status == 303
    assert not shown(ana.get("/spaces/logos")) and hub.browser().get(other).status == 404
    wait_for(lambda: "logo" not in hub.space_json("logos")["theme"])


@pytest.mark.parametrize("content, field, says", ids=range(5), argvalues=(
    (b"", "logo", "No picture was chosen"),
    (png(), "file", "No picture was chosen"),
    (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "logo", "no PNG, JPEG or WebP"),
    (b"<!doctype html><script>alert(1)</script>", "logo", "no PNG, JPEG or WebP"),
    (b"\x89PNG\r\n\x1a\n", "logo", "no PNG, JPEG or WebP"),
))
def test_what_is_no_picture(hub, content, field, says):
    name = f"no-logo-{zlib.crc32(content + field.encode())}"
    ana = person(hub, f"{name}@example.org")
    ana.new_space("No logo", name)
    page = send(ana, name, content, field)
    assert page.status == 400 and says in page.said, page
    assert not shown(ana.get(f"/spaces/{name}"))


def test_a_large_picture(hub):
    ana = person(hub, "large-logo@example.org")
    ana.new_space("Large", "large-logo")
    whole = png()
    fits = whole + b"\0" * (limits.LIMIT_HUB_LOGO - len(whole))  # LIMIT_HUB_LOGO; what follows the end is ignored
    assert send(ana, "large-logo", fits).status == 303
    page = send(ana, "large-logo", fits + b"\0")
    assert page.status == 413 and "A logo may have 256 KiB at most" in page.said, page
    assert send(ana, "large-logo", b"\0" * 3_000_000).status == 413
    assert hub.browser().get(shown(ana.get("/spaces/large-logo"))).body == fits


def test_only_owners_and_no_other_page(hub):
    ana, bob = person(hub, "own-logo@example.org"), person(hub, "other-logo@example.org")
    ana.new_space("Mine", "mine-logo")
    assert send(bob, "mine-logo", png()).status == 404
    assert send(ana, "mine-logo", png(), origin="https://evil.example").status == 403
    assert not shown(ana.get("/spaces/mine-logo"))
    for name in ("x.png", "..%2f..%2fhub.db", "%00.png"):
        assert hub.browser().get(f"/-/logo/{name}").status in (400, 404)
