# SPDX-License-Identifier: Apache-2.0
"""What hub.db keeps secret lies sealed, with a key that no backup has; what was readable before is sealed at the start."""
import base64
import json
import sqlite3
import stat

import pytest
from hub_rig import PASSWORD, wait_for
from limits import lowered
from test_factors import code, codes_of, secret_of


def with_app(hub, email):
    browser = hub.browser()
    assert browser.sign_up(email).status == 303
    browser.post("/-/account/app", {"do": "begin"})
    secret = secret_of(browser.get("/-/account/app"))
    page = browser.post("/-/account/app", {"do": "confirm", "code": code(secret)})
    assert page.status == 200, page
    return secret, codes_of(page)


def signs_in(hub, email, typed):
    browser = hub.browser()
    page = browser.sign_in(email)
    assert page.status == 303 and page.header("location").startswith("/-/second"), page
    return browser.post("/-/second", {"code": typed}).status == 303


def forget_steps(hub):
    """The next code of an app counts, though one of the same half minute was used."""
    change(hub, "update totp set used_step = -1")


def raw(secret):
    text = secret.replace(" ", "").upper()
    return base64.b32decode(text + "=" * (-len(text) % 8))


def on_disk(hub, folder=None):
    return b"".join(p.read_bytes() for p in (folder or hub.folder).rglob("*") if p.is_file() and ".db" in p.name)


def change(hub, sql, *values):
    db = sqlite3.connect(hub.folder / "hub.db", timeout=60)
    with db:
        db.execute(sql, values)
    db.close()


def query(hub, sql):
    db = sqlite3.connect(f"file:{hub.folder}/hub.db?mode=ro", uri=True, timeout=60)
    rows = db.execute(sql).fetchall()
    db.close()
    return rows


def readable(hub, secret):
    """hub.db as an earlier version wrote it."""
    change(hub, "update totp set secret = ?", raw(secret))
    change(hub, "update totp set waiting = secret, waiting_since = 1")
    change(hub, "delete from seals")
    change(hub, "insert into mails (recipient, kind, vars, created_at, next_at) values"
                " ('ana@example.org', 'reset', ?, unixepoch(), unixepoch() + 3000)",
           '{"name": "Ana", "url": "http://data.localhost/-/reset?token=very-secret"}')
    assert raw(secret) in on_disk(hub) and b"very-secret" in on_disk(hub)


def test_what_is_secret_cannot_be_read(make_hub):
    hub = make_hub()
    secret, _ = with_app(hub, "ana@example.org")
    ana = hub.browser()
    assert ana.sign_in("ana@example.org").status == 303
    assert stat.S_IMODE((hub.folder / "keys/secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((hub.folder / "keys").stat().st_mode) == 0o700
    assert raw(secret) not in on_disk(hub) and signs_in(hub, "ana@example.org", code(secret, 30))
    assert query(hub, "select typeof(secret), length(secret) from totp") == [("blob", 49)]
    done = hub.run("hub", "backup", "--dir", hub.folder)
    assert done.returncode == 0 and "vitrine hub keys --save" in done.stdout, done
    copies = hub.folder / "backups"
    key = (hub.folder / "keys/secret").read_bytes()
    assert list(copies.rglob("*.db")) and raw(secret) not in on_disk(hub, copies)
    assert not any(key in p.read_bytes() for p in copies.rglob("*") if p.is_file()), "no backup has the key"
    # One account's secret is of no use to another.
    assert hub.browser().sign_up("eve@example.org").status == 303
    change(hub, "insert into totp (user_id, secret, since, used_step) select (select id from users where email ="
                " 'eve@example.org'), secret, since, -1 from totp limit 1")
    eve = hub.browser()
    eve.sign_in("eve@example.org")
    assert eve.post("/-/second", {"code": code(secret)}).status >= 400


@pytest.mark.parametrize("point", [None, "hub.seals.before", "hub.seals.after"])
def test_what_was_readable_is_sealed_at_the_start(make_hub, point):
    lowered()  # a program with fault points
    hub = make_hub()
    secret, _ = with_app(hub, "ana@example.org")
    hub.stop()
    readable(hub, secret)
    if point: # killed there, and started again
        hub.env["VITRINE_FAULT"] = point + ":1:kill"
        done = hub.run("hub", "admin-link", "--dir", hub.folder)
        assert done.returncode == -9, done
        del hub.env["VITRINE_FAULT"]
        assert len(query(hub, "select * from seals")) == (point == "hub.seals.after")
    hub.start()
    forget_steps(hub)
    assert signs_in(hub, "ana@example.org", code(secret))
    assert query(hub, "select typeof(secret), length(secret), length(waiting) from totp") == [("blob", 49, 49)]
    assert query(hub, "select typeof(vars) from mails") == [("blob",)]
    hub.stop()
    assert raw(secret) not in on_disk(hub) and b"very-secret" not in on_disk(hub), "what was readable is overwritten"
    assert len(query(hub, "select * from seals")) == 1
    hub.start()


def test_keys_are_saved_and_put_back(make_hub, tmp_path):
    hub = make_hub()
    secret, codes = with_app(hub, "ana@example.org")
    file = tmp_path / "keys.json"
    keys = lambda *more: hub.run("hub", "keys", "--dir", hub.folder, *more)  # noqa: E731
    done = keys("--save", file)
    assert done.returncode == 0 and stat.S_IMODE(file.stat().st_mode) == 0o600, done
    again = keys("--save", file)
    assert again.returncode != 0 and "already" in again.stderr
    assert keys().returncode == 64 and "One of --save FILE" in keys().stderr
    assert keys("--new").returncode != 0 and "is there" in keys("--new").stderr
    assert hub.run("hub", "backup", "--dir", hub.folder).returncode == 0
    hub.stop()
    # Another machine: the backup and the keys.
    (hub.folder / "hub.db").rename(tmp_path / "old.db")
    for name in ("hub.db-wal", "hub.db-shm"):
        (hub.folder / name).unlink(missing_ok=True)
    (hub.folder / "keys").rename(tmp_path / "old-keys")
    done = hub.run("restore", hub.folder / "backups/hub", "hub", "--to", hub.folder / "hub.db")
    assert done.returncode == 0, done
    done = hub.run("hub", "admin-link", "--dir", hub.folder)
    assert done.returncode == 78 and "keys/secret is missing" in done.stderr and "vitrine hub keys --load" in done.stderr, done
    assert not (hub.folder / "keys/secret").exists(), "nothing is made in its place"
    # The wrong ones are refused, and what is no such file.
    wrong = tmp_path / "wrong.json"
    others = base64.urlsafe_b64encode(b"w" * 32).decode().rstrip("=")
    wrong.write_text(json.dumps({**json.loads(file.read_text()), "secret": others}))
    done = keys("--load", wrong)
    assert done.returncode != 0 and "sealed with other keys" in done.stderr, done
    for text in ("", "[]", '{"vitrine_hub_keys": 1, "secret": "x"}'):
        wrong.write_text(text)
        done = keys("--load", wrong)
        assert done.returncode != 0 and "holds no keys of a hub" in done.stderr, done
    assert keys("--load", file).returncode == 0
    assert (hub.folder / "keys/sign-on.pem").read_bytes() == (tmp_path / "old-keys/sign-on.pem").read_bytes()
    hub.start()
    forget_steps(hub)
    assert signs_in(hub, "ana@example.org", code(secret)) and signs_in(hub, "ana@example.org", codes[0])
    hub.stop()
    # Keys of something else in their place are noticed; and lost for good, there are new ones.
    (hub.folder / "keys/secret").write_bytes(b"x" * 32)
    done = hub.run("hub", "admin-link", "--dir", hub.folder)
    assert done.returncode == 78 and "sealed with another key" in done.stderr, done
    (hub.folder / "keys/secret").unlink()
    done = keys("--new")
    assert done.returncode == 0 and "set them up anew" in done.stdout, done
    hub.start()
    assert hub.browser().sign_in("ana@example.org", PASSWORD).header("location") == "/"
    wait_for(lambda: query(hub, "select count(*) from totp") == [(0,)])
