# SPDX-License-Identifier: Apache-2.0
"""What a space uses: told to its owners, and of all spaces to administrators."""
import re

from hub_rig import wait_for
from limits import lowered


def data_of(hub, name):
    return hub.folder / "spaces" / wait_for(lambda: hub.space_json(name))["id"] / "data"


def fill(hub, name):
    """150,000 bytes in two folders; links lead nowhere."""
    data = data_of(hub, name)
    (data / "static").mkdir(exist_ok=True)
    (data / "a.txt").write_bytes(b"x" * 100000)
    (data / "static/b.txt").write_bytes(b"x" * 50000)
    (data / "link").symlink_to("/usr")
    (data / "loop").symlink_to(".")


def test_owners_and_administrators_see_what_is_used(make_hub):
    hub = make_hub()
    admin, ana = hub.admin(), hub.browser()
    ana.sign_up("ana@example.org")
    origin = ana.new_space("Used", "used")
    fill(hub, "used")
    page = ana.get("/spaces/used")
    assert "150.0 kB of" in page.said and "Last backup none yet" in page.said, page.said
    before = int(re.search(r"(\d+), of which (\d+) were answered with an error", page.said).group(1))
    for _ in range(3):
        ana.get(origin + "/-/versions.json")
    wait_for(lambda: int(re.search(r"(\d+), of which", ana.get("/spaces/used").said).group(1)) >= before + 3)
    assert hub.run("hub", "backup", "--dir", hub.folder).returncode == 0
    assert re.search(r"Last backup ✓ \d{4}-\d\d-\d\d \d\d:\d\d UTC, tried", ana.get("/spaces/used").said)
    said = admin.get("/-/admin").said
    assert re.search(r"Used used live \S+ current members 1 150.0 kB of 5.4 GB Quota of Used \d+ \d+ ✓ \d{4}", said), said
    bad = data_of(hub, "used") / "bad.db"
    bad.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert hub.run("hub", "backup", "--dir", hub.folder).returncode != 0
    assert "it failed" in ana.get("/spaces/used").said
    assert re.search(r"\d+ \d+ failed \d{4}", admin.get("/-/admin").said)


def test_only_so_many_files_are_looked_at(make_hub):
    # LIMIT_HUB_FILES
    hub = make_hub(env=lowered(HUB_FILES=2))
    ana = hub.browser()
    ana.sign_up("ana@example.org")
    ana.new_space("Many", "many")
    fill(hub, "many")
    assert "Disk more than" in ana.get("/spaces/many").said
