# SPDX-License-Identifier: Apache-2.0
"""A part of the site's own tests against servers in sandboxes: what the list of system calls must let through. All of
them: VITRINE_WRAP=1, as an ordinary user, tests/site."""
import os
import shutil
import subprocess
import sys
import tempfile

import box as boxes
import serving

PART = ("test_schedule.py::test_only_what_differs", "test_schedule.py::test_from_the_web",
        "test_schedule.py::test_the_end_of_the_process_is_no_failure", "test_functions.py")


def test_site_inside():
    user = {"user": boxes.USER, "group": boxes.USER, "extra_groups": []} if os.geteuid() == 0 else {}
    folder = tempfile.mkdtemp(prefix="vitrine-inside-", dir="/tmp")
    if user:
        os.chown(folder, boxes.USER, boxes.USER)
    environment = {**os.environ, "VITRINE_WRAP": "1", "VITRINE_BIN": str(serving.PROGRAM), "TMPDIR": folder, "HOME": folder,
                   "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        readable = subprocess.run([str(serving.PROGRAM), "--version"], env=environment, stdout=subprocess.DEVNULL,
                                  **user).returncode == 0
    except PermissionError:
        readable = False
    try:
        boxes.require("the site inside, for an ordinary user cannot read this folder", readable)
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                               *(str(serving.TOP / "tests/site" / name) for name in PART)], cwd=serving.TOP, env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, **user)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-20000:]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
