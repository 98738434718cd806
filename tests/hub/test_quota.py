# SPDX-License-Identifier: Apache-2.0
"""What a space may use: hub.yaml says it of all, an administrator of one; it is told, kept and shown."""
import json
import re

from hub_rig import at_once, wait_for
from test_take_along import person

FIELDS = ("disk_bytes", "memory_bytes", "cpu_percent", "sql_ms", "requests_per_minute")


def told(hub, name):
    return wait_for(lambda: hub.space_json(name))["quota"]


def commands(hub, name):
    """What the edge runs for the space."""
    app = "s-" + wait_for(lambda: hub.space_json(name))["id"]
    status = json.loads(hub.run("status", "--state", hub.folder / "edge", "--json").stdout)
    return next(json.dumps(a["versions"]) for a in status["apps"] if a["name"] == app)


def test_an_administrator_sets_them_for_one_space(make_hub):
    hub = make_hub()
    admin, ana = hub.admin(), person(hub, "ana@example.org")
    origin = ana.new_space("Small", "small")
    ana.new_space("Usual", "usual")
    assert told(hub, "small") == told(hub, "usual") and told(hub, "small")["disk_bytes"] == 5 << 30
    assert 'href="/-/admin/spaces/small/quota"' in admin.get("/-/admin").text
    page = admin.get("/-/admin/spaces/small/quota")
    assert page.status == 200 and "hub.yaml: 5000 ms" in page.said, page
    form = {"disk_bytes": "1", "memory_bytes": "100000000", "cpu_percent": "", "sql_ms": "700", "requests_per_minute": "0"}
    assert ana.get("/-/admin/spaces/small/quota").status == ana.post("/-/admin/spaces/small/quota", form).status == 404
    for name, bad in [("disk_bytes", "-1"), ("disk_bytes", "much"), ("sql_ms", "1.5"), ("sql_ms", "1"), ("memory_bytes", "5"),
                      ("requests_per_minute", "99999999999999999999"), ("disk_bytes", "1000000001")]:
        refused = admin.post("/-/admin/spaces/small/quota", {**form, name: bad})
        assert refused.status == 400 and "whole number" in refused.said and f'value="{bad}"' in refused.text, refused
    assert told(hub, "small") == told(hub, "usual"), "nothing was changed"
    saved = admin.post("/-/admin/spaces/small/quota", form)
    assert saved.status == 303, saved
    want = {"disk_bytes": 1_000_000, "memory_bytes": 100_000_000_000_000, "sql_ms": 700, "requests_per_minute": 0}
    assert {k: told(hub, "small")[k] for k in want} == want
    assert "100000000000000" in commands(hub, "small") and "100000000000000" not in commands(hub, "usual")
    assert told(hub, "usual")["disk_bytes"] == 5 << 30
    said = ana.get("/spaces/small").said
    assert "of 1.0 MB" in said and "700 ms at most" in said and "Requests a minute no limit" in said, said
    # The space keeps to it: what is larger is refused with use, quota and remedy.
    ana.follow(ana.get(origin + "/-/sign-on?to=/"))
    wait_for(lambda: ana.get(origin + "/-/settings.json").json()["sql_time_limit_ms"] == 700)
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "3000000", "Upload-Metadata": "filename eC5jc3Y=",
           "Sec-Fetch-Site": "same-origin"}
    refused = ana.post(origin + "/-/upload", headers=tus)
    assert refused.status == 413 and "3.0 MB" in refused.said and "1.0 MB" in refused.said and hub.origin in refused.text, refused
    # Empty fields: as hub.yaml says again.
    assert admin.post("/-/admin/spaces/small/quota", {}).status == 303
    assert told(hub, "small") == told(hub, "usual")
    assert admin.get("/-/admin/spaces/nobody/quota").status == 404


def test_hub_yaml_changes_all_but_those_that_were_set(make_hub):
    hub = make_hub()
    admin, ana = hub.admin(), person(hub, "ana@example.org")
    for name in ("one", "two"):
        ana.new_space(name.title() + " space", name + "-space")
    assert admin.post("/-/admin/spaces/two-space/quota", {"disk_bytes": "7", "cpu_percent": "50"}).status == 303
    hub.stop()
    text = (hub.folder / "hub.yaml").read_text()
    text = re.sub(r"disk_bytes: \d+", "disk_bytes: 9000000", text)
    (hub.folder / "hub.yaml").write_text(re.sub(r"sql_ms: \d+", "sql_ms: 1234", text))
    hub.start()
    wait_for(lambda: told(hub, "one-space")["disk_bytes"] == 9_000_000 and told(hub, "two-space")["sql_ms"] == 1234)
    assert told(hub, "one-space")["sql_ms"] == 1234
    assert told(hub, "two-space")["disk_bytes"] == 7_000_000 and told(hub, "two-space")["cpu_percent"] == 50
    wait_for(lambda: "--cpu" in commands(hub, "two-space"))
    assert "'50'" in commands(hub, "two-space") and "--cpu" not in commands(hub, "one-space")
    assert all(set(FIELDS) <= set(told(hub, n)) for n in ("one-space", "two-space"))


def test_two_administrators_at_once(make_hub):
    """Each form is kept whole: what is told at the end is one of the two, and the same as what the page shows."""
    hub = make_hub()
    admin, ana = hub.admin(), person(hub, "ana@example.org")
    ana.new_space("Both", "both-of-them")
    forms = [{"disk_bytes": str(n), "sql_ms": str(n * 100)} for n in (11, 12)]
    path = "/-/admin/spaces/both-of-them/quota"
    assert [p.status for p in at_once(*(lambda f=f: admin.post(path, f) for f in forms))] == [303, 303]
    now = told(hub, "both-of-them")
    assert (now["disk_bytes"], now["sql_ms"]) in [(11_000_000, 1100), (12_000_000, 1200)]
    assert f'value="{now["disk_bytes"] // 1_000_000}"' in admin.get(path).text
