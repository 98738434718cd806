# SPDX-License-Identifier: Apache-2.0
"""The account's pages in Chromium: a passkey from adding to removing, and each page wide and narrow, light and dark."""
import json
import pathlib
import shutil
import subprocess

import pytest
from hub_rig import DOMAIN, PASSWORD

HERE = pathlib.Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(not shutil.which("node") or not shutil.which("chromium"),
                                reason="needs node and chromium: tools/setup.sh --test")


def node(script, job):
    done = subprocess.run(["node", script], input=json.dumps(job), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def test_a_passkey_from_adding_to_removing(hub):
    assert hub.browser().sign_up("chromium@example.org").status == 303
    seen = node(HERE / "passkeys.mjs", {"base": hub.origin, "email": "chromium@example.org", "password": PASSWORD})
    assert seen["shown"] == ["text", "password"]
    assert seen["listed"] and seen["made"] == [[DOMAIN, True]]
    assert "already" in seen["twice"]
    assert seen["back"], "signed in with the passkey alone"
    assert seen["stranger"] and seen["removed"]
    assert seen["plain"] == [False, True] and not seen["errors"], seen


def test_pages_of_the_account(hub, tmp_path):
    ana = hub.browser("127.0.9.1")
    assert ana.sign_up("pages@example.org", "Ana Maria").status == 303
    ana.post("/-/account/app", {"do": "begin"})
    pages = {"account": "/-/account", "password": "/-/account/password", "app": "/-/account/app",
             "passkeys": "/-/account/passkeys", "sessions": "/-/account/sessions", "leave": "/-/account/delete",
             "confirm": "/-/confirm?to=/-/account"}
    cookies = [{"name": k, "value": v} for k, v in ana.jar[DOMAIN].items()]
    signed_out = {"sign-in": "/-/sign-in", "sign-up": "/-/sign-up"}
    for width, scheme in ((1280, "light"), (390, "dark")):
        how = {"widths": [width], "schemes": [scheme], "axe": True, "keyboard": True, "fingers": width < 577,
               "pictures": str(tmp_path), "whole": True, "base": hub.origin}
        for job in ({"pages": pages, "cookies": cookies}, {"pages": signed_out}):
            for seen in node(HERE.parent / "browser/browser.mjs", job | how):
                where = (seen["name"], width, scheme)
                assert seen["status"] == 200 and seen["overflow"] <= 0, (where, seen)
                assert not seen["errors"] and not seen["elsewhere"], (where, seen)
                assert not seen["axe"] and not seen["keyboard"][1], (where, seen["axe"], seen["keyboard"])
                assert not seen.get("low"), (where, seen["low"])
