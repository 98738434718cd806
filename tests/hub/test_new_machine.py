# SPDX-License-Identifier: Apache-2.0
"""A whole hub made again of its backups and its keys, as docs/hub.md says, in an empty folder that stands for a machine."""
import os
import pathlib
import re
import shutil
import stat

import pytest
from hub_rig import PASSWORD, wait_for
from test_seals import code, forget_steps, signs_in, with_app
from test_take_along import data_of, person, put


def anew(hub, folder, *words):
    return hub.run("hub", "restore", "--from", folder / "backups", "--dir", folder / "hub", *words)


def carried(hub, folder):
    """backups/ copied as somebody would with scp: all of it belongs to whoever copies."""
    shutil.copytree(hub.folder / "backups", folder / "backups")
    if os.geteuid() == 0:
        assert all(p.stat().st_uid == 0 for p in (folder / "backups").rglob("*"))
    return folder


def moved(hub, folder):
    """From here on the hub is the one in that folder."""
    hub.folder = folder / "hub"
    hub.start()


def rows_seen(browser, origin):
    """-1: the space does not answer yet."""
    page = browser.get(origin + "/things/t.json")
    return len(page.json()["rows"]) if page.status == 200 else -1


def test_a_hub_on_a_new_machine(make_hub, tmp_path):
    hub = make_hub()
    secret, _ = with_app(hub, "app@example.org")
    ana = person(hub, "ana@example.org")
    origins = {name: ana.new_space(name, name) for name in ("alpha", "beta", "gone")}
    for name, count in (("alpha", 3), ("beta", 5)):
        assert ana.post(f"/spaces/{name}", {"title": name, "visibility": "public"}).status == 303
        put(hub, name, "things.db", count)
        wait_for(lambda name=name, count=count: rows_seen(ana, origins[name]) == count)
    (data_of(hub, "alpha") / "static").mkdir(exist_ok=True)
    (data_of(hub, "alpha") / "static/note.txt").write_text("kept\n")
    program = tmp_path / "other"
    shutil.copy(hub.program, program)
    with open(program, "ab") as f:
        f.write(b"\nother\n")
    done = hub.run("fleet", "upgrade", "--dir", hub.folder, "--program", program, "--watch", "0")
    assert done.returncode == 0, done
    assert ana.post("/spaces/gone/delete", {"name": "gone"}).status == 303
    keys = tmp_path / "keys.json"
    assert hub.run("hub", "keys", "--dir", hub.folder, "--save", keys).returncode == 0
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode == 0, done
    sealed = hub.folder / "backups/hub/hub.yaml.sealed"
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o600 and b"domain" not in sealed.read_bytes()
    settings = (hub.folder / "hub.yaml").read_text()
    hub.stop()
    machine = carried(hub, tmp_path / "m")

    listed = hub.run("restore", machine / "backups")
    assert listed.returncode == 0 and "vitrine hub restore --from" in listed.stdout, listed
    done = anew(hub, machine)
    assert done.returncode and "no hub.yaml" in done.stderr and "--keys FILE" in done.stderr, done
    assert not (machine / "hub").exists()
    (machine / "hub").mkdir(mode=0o700)
    (machine / "hub/hub.db.coming").write_bytes(b"left by a run that was killed")
    done = anew(hub, machine, "--keys", keys)
    assert done.returncode == 0, done
    assert re.search(r"^alpha: as it was at 20", done.stdout, re.M) and "spaces brought back: 3" in done.stdout, done
    assert re.search(r"run this program now.*: 3", done.stdout), done
    assert (machine / "hub/hub.yaml").read_text() == settings
    assert sorted(p.name for p in (machine / "hub").glob("hub.db.*")) == []
    again = anew(hub, machine, "--keys", keys)
    assert again.returncode and "a hub with people" in again.stderr, again

    stolen = hub.browser()
    stolen.jar = {host: dict(jar) for host, jar in ana.jar.items()}
    moved(hub, machine)
    assert "hub.db was brought back" in hub.app_log()
    assert stolen.get("/-/account").status == 303, "signed out"
    wait_for(lambda: rows_seen(hub.browser(), origins["alpha"]) == 3 and rows_seen(hub.browser(), origins["beta"]) == 5)
    assert (data_of(hub, "alpha") / "static/note.txt").read_text() == "kept\n"
    ben = hub.browser()
    assert ben.sign_in("ana@example.org", PASSWORD).status == 303
    assert ben.post("/spaces/gone/restore").status == 303
    assert ben.follow(ben.get(origins["gone"] + "/", headers={"Accept": "text/html"})).status == 200
    forget_steps(hub)
    assert signs_in(hub, "app@example.org", code(secret))
    running = anew(hub, machine, "--keys", keys)
    assert running.returncode and "runs" in running.stderr and "systemctl stop" in running.stderr, running
    # The nights go on, also into the folder that was carried here.
    shutil.move(machine / "backups", machine / "hub/backups")
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode == 0, done
    done = hub.run("hub", "restore", "alpha", "--dir", hub.folder)
    assert done.returncode == 0, done


def test_without_keys_and_without_a_space(make_hub, tmp_path):
    """What is in the way is told before anything is changed; lost keys and a lost backup of one space leave the rest."""
    hub = make_hub()
    secret, _ = with_app(hub, "app@example.org")
    ana = person(hub, "ana@example.org")
    origins = {name: ana.new_space(name, name) for name in ("kept", "lost")}
    assert ana.post("/spaces/kept", {"title": "kept", "visibility": "public"}).status == 303
    put(hub, "kept", "things.db", 2)
    lost = hub.space_json("lost")["id"]
    keys, wrong = tmp_path / "keys.json", tmp_path / "wrong.json"
    assert hub.run("hub", "keys", "--dir", hub.folder, "--save", keys).returncode == 0
    assert hub.run("hub", "backup", "--dir", hub.folder).returncode == 0
    other = make_hub()
    assert other.run("hub", "keys", "--dir", other.folder, "--save", wrong).returncode == 0
    hub.stop()
    machine = carried(hub, tmp_path / "m")
    done = anew(hub, machine, "--keys", wrong)
    assert done.returncode and "do not belong to these backups" in done.stderr, done
    assert not (machine / "hub").exists()
    # A hub that was made on the new machine first, and started, stays as it is until all can be done.
    made = hub.run("hub", "init", "--domain", "data.localhost", "--dir", machine / "hub", "--listen", f"127.0.0.1:{hub.port}")
    assert made.returncode == 0, made
    config = machine / "hub/hub.yaml"
    config.write_text(re.sub(r"memory_bytes: \d+", "memory_bytes: 0", config.read_text()))
    before = (machine / "hub/keys/secret").read_bytes()
    (machine / "hub/keys/copies").write_text("1\n")
    for words, says in [([], "sealed with its keys.*--keys FILE.*--new"), (["--keys", wrong], "sealed with other keys"),
                        (["--keys", keys, "--new"], "One of --keys"), (["--at", "2020-01-01", "--keys", keys], "so old"),
                        (["museum"], "one space, or the whole hub")]:
        done = anew(hub, machine, *words)
        assert done.returncode and re.search(says, done.stderr, re.S), (words, done)
        assert (machine / "hub/keys/secret").read_bytes() == before
    done = hub.run("hub", "restore", "--from", machine, "--dir", machine / "hub")
    assert done.returncode and "no backups of a hub" in done.stderr and '"backups"' in done.stderr, done
    shutil.rmtree(machine / "backups" / lost)
    done = anew(hub, machine, "--new")
    assert done.returncode and "lost: NOT brought back: there is no backup of it" in done.stdout, done
    assert "kept: as it was" in done.stdout and "1 spaces did not come back" in done.stderr, done
    moved(hub, machine)
    assert "hub.db was brought back" in hub.app_log()
    wait_for(lambda: rows_seen(hub.browser(), origins["kept"]) == 2)
    assert hub.browser().sign_in("app@example.org").header("location") == "/", "the password is enough: its app is gone"
    assert (machine / "hub/keys/secret").read_bytes() != before
    ben = hub.browser()
    assert ben.sign_in("ana@example.org").status == 303
    html = {"Accept": "text/html"}
    wait_for(lambda: ben.follow(ben.get(origins["lost"] + "/", headers=html), headers=html).status == 200)


@pytest.mark.skipif(os.geteuid() != 0, reason="the folders of spaces belong to users of their own only for root")
def test_a_backup_that_was_carried_here_goes_on(make_hub, tmp_path):
    """Folders of one space, copied by root: the space's user writes into them again."""
    hub = make_hub()
    person(hub, "ana@example.org").new_space("Field", "field")
    put(hub, "field", "things.db", 2)
    assert hub.run("hub", "backup", "--dir", hub.folder).returncode == 0
    copied = pathlib.Path(shutil.copytree(hub.folder / "backups", tmp_path / "carried"))
    shutil.rmtree(hub.folder / "backups")
    shutil.copytree(copied, hub.folder / "backups")
    put(hub, "field", "more.db", 2)
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode == 0, done
    done = hub.run("hub", "restore", "field", "--dir", hub.folder)
    assert done.returncode == 0, done
