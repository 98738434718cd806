# SPDX-License-Identifier: Apache-2.0
"""People who do what only one of them may, at the same moment; and hubs that were changed while nobody looked."""
import json
import os
import re

import pytest
from hub_rig import DOMAIN, at_once, wait_for
from tough_rig import Tough


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    made = Tough(tmp_path_factory.mktemp("races"), "verify_email: false",
                 change=lambda text: re.sub(r"\beach: \d+", "each: 2", text))
    yield made
    made.stop()


def person(w, name):
    browser = w.new_browser()
    assert browser.sign_up(f"{name}@example.org").status == 303
    return browser


def id_of(w, name):
    return w.value("select id from users where email = ?", f"{name}@example.org")


def make_owner(w, browser, space, name):
    browser.post(f"/spaces/{space}/invitations", {"email": f"{name}@example.org", "role": "owner"})
    token = wait_for(lambda: w.link(f"{name}@example.org", "/-/invitation"), 60)
    return token


def test_two_new_spaces_where_there_is_room_for_one(w):
    ana = person(w, "ana")
    ana.new_space("First", "first")
    pages = at_once(*[lambda i=i: ana.post("/-/new", {"title": f"More {i}", "name": f"more-{i}"}) for i in range(4)])
    assert sorted(p.status for p in pages) == [303, 409, 409, 409], pages
    assert all("nobody may own more" in p.said and "Delete one" in p.said for p in pages if p.status == 409), [
        p.said for p in pages]
    w.well()
    assert w.value("select count(*) from spaces where name like 'more-%'") == 1


def test_two_who_want_the_same_name(w):
    people = [person(w, f"same{i}") for i in range(3)]
    pages = at_once(*[lambda b=b: b.post("/-/new", {"title": "Same", "name": "same"}) for b in people])
    assert sorted(p.status for p in pages) == [303, 409, 409], pages
    w.well()


def two_owners(w, space):
    one, two = person(w, f"{space}-one"), person(w, f"{space}-two")
    one.new_space(space, space)
    token = make_owner(w, one, space, f"{space}-two")
    assert two.post("/-/invitation", {"token": token}).status == 303
    assert w.value("select count(*) from members m join spaces s on s.id = m.space_id where s.name = ?", space) == 2
    return one, two


@pytest.mark.parametrize("how", ("leave", "delete", "both", "demote"))
def test_the_last_two_owners_go_at_once(w, how):
    space = f"last-{how}"
    one, two = two_owners(w, space)

    def leave(browser, name, as_role="none"):
        return browser.post(f"/spaces/{space}/members", {"user": id_of(w, name), "role": as_role})

    def delete(browser, name):
        return browser.post("/-/account/delete", {"do": "delete", "email": f"{name}@example.org"})
    acts = {"leave": (leave, leave), "delete": (delete, delete), "both": (leave, delete),
            "demote": (lambda b, n: leave(b, n, "viewer"),) * 2}[how]
    pages = at_once(lambda: acts[0](one, f"{space}-one"), lambda: acts[1](two, f"{space}-two"))
    assert sorted(p.status for p in pages) == [303, 409], pages
    said = next(p for p in pages if p.status == 409).said
    assert "owner" in said and ("Make somebody else" in said), said
    stay = w.value("select count(*) from members m join users u on u.id = m.user_id join spaces s on s.id = m.space_id"
                   " where s.name = ? and m.role = 'owner' and u.deletes_at = 0", space)
    assert stay == 1
    w.well()


def test_the_last_two_administrators_go_at_once(w):
    root = w.new_browser()
    assert root.post("/-/admin-link", {"token": w.admin_link, "email": "root@example.org", "name": "Root",
                                       "password": "four words in a row"}).status == 303
    other = person(w, "other-root")
    assert root.post(f"/-/admin/people/{id_of(w, 'other-root')}", {"do": "make-admin"}).status == 303
    pages = at_once(
        lambda: root.post("/-/account/delete", {"do": "delete", "email": "root@example.org"}),
        lambda: other.post(f"/-/admin/people/{id_of(w, 'other-root')}", {"do": "unmake-admin"}))
    assert sorted(p.status for p in pages) == [303, 409], pages
    assert w.value("select count(*) from users where is_admin and not deletes_at and not disabled_at") == 1


def test_deleted_and_restored_at_once(w):
    browser = person(w, "undecided")
    browser.new_space("Undecided", "undecided")
    for _ in range(3):
        at_once(lambda: browser.post("/spaces/undecided/delete", {"name": "undecided"}),
                lambda: browser.post("/spaces/undecided/restore"))
        w.well()


def form(name):
    return (f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
            + b"id,name\n" + b"1,Oslo\n" * 1000 + b"\r\n--x--\r\n")


def test_two_files_and_two_spaces_of_one_file(w):
    browser = person(w, "files")
    pages = at_once(*[lambda i=i: browser.ask("POST", "/-/start", form(f"f{i}.csv"),
                                              {"Content-Type": "multipart/form-data; boundary=x"}) for i in range(3)])
    assert [p.status for p in pages] == [303] * 3, pages
    user = id_of(w, "files")
    wait_for(lambda: len(os.listdir(w.folder / "incoming")) == 1, 60)
    assert w.value("select count(*) from waiting where user_id = ?", user) == 1, "the last one is kept"
    pages = at_once(*[lambda: browser.post("/-/start/keep", {"title": "Files"}) for _ in range(2)])
    assert sorted(p.status for p in pages)[0] == 303 and sorted(p.status for p in pages)[1] in (404, 503), pages
    w.well()
    assert w.value("select count(*) from spaces where title = 'Files'") == 1


# ---- what differs is mended, what does not is left alone ----


def pid_of(w, space):
    app = next(a for a in w.edge_says("/status")["apps"] if a["name"] == f"s-{space}")
    return [i["pid"] for i in app["instances"]], app["versions"][0]["number"]


def test_reload_mends_what_differs_and_nothing_else(w):
    browser = person(w, "mend")
    browser.new_space("Kept", "kept")
    browser.new_space("Moved", "moved")
    kept, moved = (w.value("select id from spaces where name = ?", n) for n in ("kept", "moved"))
    before = pid_of(w, kept)
    w.write("update spaces set name = 'elsewhere' where id = ?", moved)
    told = w.folder / "spaces" / kept / "space.json"
    told.write_text(json.dumps({**json.loads(told.read_text()), "title": "Wrong", "visibility": "public"}))
    stray = w.run("deploy", "s-saaaaaaaaaaaa", "--redirect", "https://www.example.org", "--host", "stray.localhost",
                  "--state", w.folder / "edge")
    assert stray.returncode == 0, stray
    done = w.run("hub", "reload", "--dir", w.folder)
    assert done.returncode == 0 and re.search(r"Spaces: \d+ were told anew, \d+ changed", done.stdout), done
    w.well()
    assert w.browser().get(f"http://elsewhere.{DOMAIN}:{w.port}/").status in (200, 401, 302, 303)
    assert pid_of(w, kept) == before, "what is right is not touched"
    again = w.run("hub", "reload", "--dir", w.folder)
    assert "0 were told anew, 0 changed at the edge" in again.stdout, again


def test_reload_where_nothing_runs(tmp_path):
    w = Tough.__new__(Tough)
    w.env = dict(os.environ)
    assert w.run("hub", "init", "--domain", DOMAIN, "--dir", tmp_path / "h", "--listen", "127.0.0.1:1").returncode == 0
    done = w.run("hub", "reload", "--dir", tmp_path / "h")
    assert done.returncode == 0 and "vitrine up" in done.stdout, done
