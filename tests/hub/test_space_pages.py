# SPDX-License-Identifier: Apache-2.0
"""Pages of spaces and teams in Chromium: wide and narrow, light and dark."""
import json
import pathlib
import shutil
import subprocess

import pytest
from hub_rig import DOMAIN

HERE = pathlib.Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(not shutil.which("node") or not shutil.which("chromium"),
                                reason="needs node and chromium: tools/setup.sh --test")


def test_pages_of_spaces(make_hub, tmp_path):
    hub = make_hub()
    admin = hub.admin()
    admin.new_space("City museum of natural history", "museum")
    assert admin.post("/spaces/museum/domains", {"host": "www.museum.localhost"}).status == 303
    team = admin.post("/-/teams", {"name": "Botanists"}).header("location")
    assert admin.post("/spaces/museum/members", {"team": team[-13:], "role": "editor"}).status == 303
    pages = {"space": "/spaces/museum", "clone": "/spaces/museum/clone", "domains": "/spaces/museum/domains",
             "members": "/spaces/museum/members", "teams": "/-/teams", "team": team, "home": "/", "admin": "/-/admin"}
    cookies = [{"name": k, "value": v} for k, v in admin.jar[DOMAIN].items()]
    for width, scheme in ((1280, "light"), (390, "dark")):
        job = {"widths": [width], "schemes": [scheme], "axe": True, "keyboard": True, "fingers": width < 577,
               "pictures": str(tmp_path), "whole": True, "base": hub.origin, "pages": pages, "cookies": cookies}
        done = subprocess.run(["node", HERE.parent / "browser/browser.mjs"], input=json.dumps(job), capture_output=True,
                              text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-4000:]
        for seen in json.loads(done.stdout):
            where = (seen["name"], width, scheme)
            assert seen["status"] == 200 and seen["overflow"] <= 0, (where, seen)
            assert not seen["errors"] and not seen["elsewhere"], (where, seen)
            assert not seen["axe"] and not seen["keyboard"][1], (where, seen["axe"], seen["keyboard"])
            assert not seen.get("low"), (where, seen["low"])
