# SPDX-License-Identifier: Apache-2.0
"""Opens pages of a running site in Chromium: see browser.mjs for what may be asked and what comes back. One browser serves
all that a run of tests looks at; what it keeps of one look (cookies, files) is gone with it."""
import atexit
import json
import pathlib
import subprocess
import tempfile
import threading

import serving

HERE = pathlib.Path(__file__).parent
JOB_SECONDS = 900
_eyes = None


class Eyes:
    def __init__(self):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(["node", HERE / "browser.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True)

    def look(self, job):
        late = threading.Timer(JOB_SECONDS, self.process.kill)
        late.start()
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        finally:
            late.cancel()
        if not line:
            self.close()
            self.errors.seek(0)
            raise AssertionError(self.errors.read().decode(errors="replace")[-4000:])
        return json.loads(line)

    def close(self):
        global _eyes
        _eyes = None
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@atexit.register
def close():
    if _eyes:
        _eyes.close()


def look(site, pages, **how):
    global _eyes
    _eyes = _eyes or Eyes()
    seen = _eyes.look({"base": getattr(site, "origin", None) or f"http://{serving.HOST}:{site.port}", "pages": pages, **how})
    assert "fault" not in seen, seen["fault"]
    return seen
