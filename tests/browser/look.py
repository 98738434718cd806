# SPDX-License-Identifier: Apache-2.0
"""Opens pages of a running site in Chromium: see browser.mjs for what may be asked and what comes back."""
import json
import pathlib
import subprocess

import serving

HERE = pathlib.Path(__file__).parent


def look(site, pages, **how):
    job = {"base": getattr(site, "origin", None) or f"http://{serving.HOST}:{site.port}", "pages": pages, **how}
    done = subprocess.run(["node", HERE / "browser.mjs"], input=json.dumps(job), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)
