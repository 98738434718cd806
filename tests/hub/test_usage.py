# SPDX-License-Identifier: Apache-2.0
"""What a space uses: told to its owners, and of all spaces to administrators."""
import contextlib
import os
import pathlib
import re
import signal
import sqlite3

from hub_rig import wait_for
from limits import lowered

import serving


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
    row = (r"Used used of ana@example.org Settings of Used live \S+ Log of Used current members 1 in Used"
           r" 150.0 kB of 5.4 GB Quota of Used \d+ \d+ ✓ \d{4}")
    assert re.search(row, said), said
    bad = data_of(hub, "used") / "bad.db"
    bad.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert hub.run("hub", "backup", "--dir", hub.folder).returncode != 0
    assert "it failed" in ana.get("/spaces/used").said
    assert re.search(r"\d+ \d+ failed \d{4}", admin.get("/-/admin").said)


def test_how_the_last_upgrade_went(make_hub):
    hub = make_hub()
    admin = hub.admin()
    assert "No upgrade of all spaces yet." in admin.get("/-/admin").said
    db = sqlite3.connect(hub.folder / "hub.db", timeout=60, isolation_level=None)
    db.execute("insert into fleet_runs (began_at, version, state) values (strftime('%s', 'now') - 7200, 'abc123', 'running')")
    for state, why, says in (("running", "", "to abc123, began 2 hours ago . It is under way, 0 spaces changed so far"),
                             ("done", "", "It is done: 0 spaces changed."),
                             ("taken back", "2 of 20 answers were errors", "went back: 2 of 20 answers were errors"),
                             ("left", "", "Another one began before it was done.")):
        db.execute("update fleet_runs set state = ?, why = ?", (state, why))
        said = admin.get("/-/admin").said
        assert says in said, said
    db.close()


def test_only_so_many_files_are_looked_at(make_hub):
    # LIMIT_HUB_FILES
    hub = make_hub(env=lowered(HUB_FILES=2))
    ana = hub.browser()
    ana.sign_up("ana@example.org")
    ana.new_space("Many", "many")
    fill(hub, "many")
    assert "Disk more than" in ana.get("/spaces/many").said


def seen(look, like):
    """The first page that is like that."""
    def one():
        page = look()
        return page if like(page) else None
    return wait_for(one)


def test_what_is_wrong_and_what_happened(make_hub):
    """Administrators find the reason on a page, owners what was done to their space; suspending says why."""
    hub = make_hub()
    admin, ana, bob = hub.admin(), hub.browser(), hub.browser()
    ana.sign_up("ana@example.org", "Ana")
    bob.sign_up("bob@example.org", "Bob")
    origin = ana.new_space("Field", "field")
    other = ana.new_space("Other", "other")
    page = ana.post("/spaces/field/invitations", {"email": "bob@example.org", "role": "viewer"})
    token = re.search(r"token=([\w-]+)", page.text).group(1)
    assert bob.post("/-/invitation", {"token": token}).status == 303
    said = ana.get("/spaces/field").said
    for line in ("ana@example.org Space made", "ana@example.org Invited bob@example.org",
                 "bob@example.org Came in bob@example.org"):
        assert line in said, said
    assert "Came in" not in ana.get("/spaces/other").said and other

    ask = admin.get("/-/admin/spaces/field")
    assert ask.status == 200 and "Suspend Field" in ask.said and 'name="why"' in ask.text
    assert admin.post("/-/admin/spaces/field", {"do": "suspend", "why": "It is being looked at."}).status == 303
    assert "has suspended this space: It is being looked at." in ana.get("/spaces/field").said
    refused = seen(lambda: bob.get(origin + "/", headers={"Accept": "text/html"}), lambda p: p.status == 503)
    assert "It is being looked at." in refused.said, refused
    assert "It is being looked at." in admin.get("/-/admin/spaces/field").said
    assert "root@example.org Space suspended field It is being looked at." in admin.get("/-/admin").said
    assert admin.post("/-/admin/spaces/field", {"do": "resume"}).status == 303

    (data_of(hub, "field") / "vitrine.yaml").write_text("settings: [")
    space = str(hub.folder / "spaces" / hub.space_json("field")["id"])
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if space.encode() in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)
    wait_for(lambda: hub.browser().get(origin + "/").status == 503)
    page = seen(lambda: admin.get("/-/admin/spaces/field/log"), lambda p: "It is not well" in p.said)
    assert "vitrine.yaml" in page.said and "vitrine logs s-" in page.said, page.said
    assert "not well" in admin.get("/-/admin").said
    assert ana.get("/-/admin/spaces/field/log").status == 404


def test_every_action_has_words():
    hub = serving.TOP / "src/hub"
    words = set(re.findall(r'^X\("([^"]+)"', (hub / "tbl/audit_words.h").read_text(), re.M))
    files = "html|json|yaml|db|so|sock|log|pem|tar|js|css|png"
    sources = [path.read_text() for path in (*hub.rglob("*.c"), serving.TOP / "src/cli/cmd_hub.c")]
    named = {name for text in sources
             for name in re.findall(rf"[\"']([a-z]+\.(?!(?:{files})\b)[a-z-]+)[\"']", re.sub(r"FAULT\([^)]*\)", "", text))}
    assert words - named == set(), "nothing does these"
    kinds = {word.split(".")[0] for word in words}
    assert {name for name in named if name.split(".")[0] in kinds} - words == set(), "these have no words"
