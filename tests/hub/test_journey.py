# SPDX-License-Identifier: Apache-2.0
"""Somebody new, from the first page to a link that is withdrawn: in Chromium, wide and narrow, light and dark."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(not shutil.which("node") or not shutil.which("chromium"),
                                reason="needs node and chromium: tools/setup.sh --test")


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark")])
def test_journey(hub, width, scheme):
    who = "ana" if width > 577 else "bea"
    job = {"base": hub.origin, "width": width, "scheme": scheme, "who": who, "pictures": os.environ.get("PICTURES")}
    done = subprocess.run(["node", HERE / "journey.mjs"], input=json.dumps(job), capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout)
    assert f"{who} people.csv" in seen["waits"] and "Make an account to keep it" in seen["waits"]
    assert seen["table"] == f"/{who}_people/{who}_people" and len(seen["facets"]) == 3, seen
    assert seen["shared"][0] == 1 and seen["shared"][1] > 0 and seen["private"] == "/-/sign-in", seen
    assert "Nobody else is in yet" in seen["alone"], seen["alone"]
    assert f"{who.title()} people" in seen["guest"], seen
    assert seen["after"][0] in (403, 404) and seen["after"][1] == 410, seen
    assert not seen["faults"] and not seen["errors"] and not seen["overflow"], seen
