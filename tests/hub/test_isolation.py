# SPDX-License-Identifier: Apache-2.0
"""Each space is a process in a sandbox of its own; what that keeps out is tested in tests/sandbox."""
import json
import os
import pathlib

from hub_rig import wait_for


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
