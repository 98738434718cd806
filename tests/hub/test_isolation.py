# SPDX-License-Identifier: Apache-2.0
"""Each space is a process in a sandbox of its own; what that keeps out is tested in tests/sandbox."""
import json
import os
import pathlib
import shutil
import stat
import sys
import tempfile

import pytest

import serving
from hub_rig import Hub, wait_for


def outer(hub, name):
    """The process that the edge started for a space."""
    space = wait_for(lambda: hub.space_json(name))
    status = json.loads(hub.run("status", "--state", hub.folder / "edge", "--json").stdout)
    app = next(a for a in status["apps"] if a["name"] == "s-" + space["id"])
    return app["instances"][0]["pid"]


def below(pid):
    found = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return int(wait_for(lambda: found.read_text().split())[0])


def facts(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {k: v.split() for k, v in (line.split(":", 1) for line in lines)}


def test_spaces_are_apart(hub):
    ana = hub.browser()
    ana.sign_up("apart@example.org")
    addresses = [ana.new_space("One", "apart-one"), ana.new_space("Two", "apart-two")]
    pids = [below(outer(hub, name)) for name in ("apart-one", "apart-two")]
    one, two = facts(pids[0]), facts(pids[1])
    for f in (one, two):
        assert f["Seccomp"] == ["2"] and f["NoNewPrivs"] == ["1"] and f["CapEff"] == ["0000000000000000"], f
        assert f["NSpid"][-1] == "1", "the first process of a namespace of its own"
    if os.geteuid() == 0:
        assert one["Uid"][0] != two["Uid"][0] and all(int(f["Uid"][0]) >= 1_900_000_000 for f in (one, two))
    for kind in ("user", "mnt", "pid", "ipc", "uts", "net", "cgroup"):
        links = {os.readlink(f"/proc/{p}/ns/{kind}") for p in (*pids, os.getpid())}
        assert len(links) == 3, kind
    assert hub.browser().get(addresses[0] + "/-/ready").status == 200
    assert (hub.folder / "gate/gate.sock").is_socket()


def test_switched_off(make_hub):
    hub = make_hub(settings="", isolation="off")
    ana = hub.browser()
    ana.sign_up("off@example.org")
    assert hub.browser().get(ana.new_space("Off", "off") + "/-/ready").status == 200
    assert facts(outer(hub, "off"))["Seccomp"] == ["0"]
    config = hub.folder / "hub.yaml"
    config.write_text(config.read_text().replace('isolation: "off"', "isolation: perhaps"))
    told = hub.run("hub", "check", "--dir", hub.folder)
    assert told.returncode != 0 and "isolation must be available, required or" in told.stderr


# A container as docker starts it: root without CAP_SYS_ADMIN, and mount(2) is refused.
CONTAINER = """#!{python}
import ctypes, errno, os, struct, sys
words = [(0x20, 0, 0, 0), (0x15, 0, 1, {mount}), (0x06, 0, 0, 0x00050000 | errno.EPERM), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *word) for word in words))
filter = struct.pack("=H6xQ", len(words), ctypes.addressof(code))
assert ctypes.CDLL(None).prctl(22, 2, filter, 0, 0) == 0  # PR_SET_SECCOMP
os.execvp("setpriv", ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", {program!r}, *sys.argv[1:]])
"""
MOUNT = {"x86_64": 165, "aarch64": 40}


@pytest.mark.skipif(os.geteuid() != 0 or os.uname().machine not in MOUNT or not shutil.which("setpriv"),
                    reason="a container is made by root, where the number of the call is known")
def test_without_namespaces():
    """Spaces run as users of their own all the same, on the machine's paths, behind Landlock and seccomp."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hub-", dir="/tmp"))
    folder.chmod(0o755)
    program, container = folder / "vitrine", folder / "container"
    shutil.copy(serving.PROGRAM, program)
    container.write_text(CONTAINER.format(python=sys.executable, mount=MOUNT[os.uname().machine], program=str(program)))
    for path in (program, container):
        path.chmod(0o755)
    hub = None
    try:
        hub = Hub(folder, program=container)
        ana = hub.browser()
        assert ana.sign_up("bare@example.org").status == 303
        assert hub.browser().get(ana.new_space("Bare", "bare") + "/-/ready").status == 200
        told = hub.run("logs", "s-" + hub.space_json("bare")["id"], "--state", hub.folder / "edge").stdout
        assert "namespaces (" in told and "landlock (" not in told and "seccomp (" not in told, told
        f = facts(below(outer(hub, "bare")))
        assert int(f["Uid"][0]) >= 1_900_000_000 and f["CapEff"] == ["0000000000000000"] and f["Seccomp"] == ["2"], f
        for path, mode in ((hub.folder, 0o711), (hub.folder / "spaces", 0o711), (hub.folder / "edge", 0o700),
                           (hub.folder / "keys", 0o700), (hub.folder / "hub.db", 0o600), (hub.folder / "hub.yaml", 0o600)):
            assert stat.S_IMODE(path.stat().st_mode) == mode, path
    finally:
        if hub:
            hub.stop()
        shutil.rmtree(folder, ignore_errors=True)
