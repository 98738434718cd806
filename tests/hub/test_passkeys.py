# SPDX-License-Identifier: Apache-2.0
"""A passkey of the account in Chromium, from adding to removing."""
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
