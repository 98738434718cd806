# SPDX-License-Identifier: Apache-2.0
"""A disk that is full while people sign up, make spaces, bring files, ask others in: said clearly, nothing half made, and
all goes on when there is room. The hub's folder is a small file system of its own."""
import contextlib
import os

import pytest
from tough_rig import Tough, wait_for

SAYS = "no room left on the disk", "Ask an administrator"


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    (folder / "hub").mkdir()
    if os.geteuid() or os.system(f"mount -t tmpfs -o size=96m none {folder / 'hub'}"):
        pytest.skip("needs to mount")
    made = None
    try:
        made = Tough(folder, "verify_email: false")
        yield made
    finally:
        try:
            if made:
                made.stop()
        finally:
            os.system(f"umount -l {folder / 'hub'}")


@contextlib.contextmanager
def full(w, left=0):
    """Nothing but `left` bytes is free."""
    path = w.folder / "ballast"
    try:
        with open(path, "wb", buffering=0) as f:
            with contextlib.suppress(OSError):
                while f.write(b"x" * 65536):
                    pass
            with contextlib.suppress(OSError):
                while f.write(b"x" * 512):
                    pass
            if left:
                f.truncate(max(f.tell() - left, 0))
        yield
    finally:
        path.unlink()


def refused(page):
    assert page.status == 507 and all(words in page.said for words in SAYS), page
    return True


def person(w, name):
    browser = w.new_browser()
    assert browser.sign_up(f"{name}@example.org").status == 303
    return browser


def test_a_space_is_not_begun_where_it_would_not_fit(w):
    # LIMIT_HUB_RESERVE
    ana = person(w, "ana")
    with full(w, left=8_000_000):
        assert refused(ana.post("/-/new", {"title": "Museum", "name": "museum"}))
        assert not w.value("select count(*) from spaces where name = 'museum'")
        page = ana.ask("POST", "/-/start", form(), {"Content-Type": "multipart/form-data; boundary=x"})
        assert refused(page)
        assert ana.get("/").status == 200 and w.new_browser().sign_in("ana@example.org").status == 303
        assert ana.post("/-/account", {"name": "Ana Maria"}).status == 303, "what is there goes on"
        w.well()
    ana.new_space("Museum", "museum")
    w.well()


def form():
    return (b'--x\r\nContent-Disposition: form-data; name="file"; filename="towns.csv"\r\n\r\nid,name\n'
            + b"1,Oslo\n" * 1000 + b"\r\n--x--\r\n")


def whole(w):
    """No account without its session or link is in the way, no row points nowhere."""
    assert not w.rows("pragma foreign_key_check") and w.rows("pragma integrity_check") == [("ok",)]


def until_refused(act):
    """hub.db has some room of its own left in its log; when that is used up, the answer is 507."""
    for i in range(400):
        page = act(i)
        if page.status == 507:
            return page
        assert page.status in (200, 303), page
    raise AssertionError("never refused")


def test_not_one_byte_is_left(w):
    ben = person(w, "ben")
    ben.new_space("Garden", "garden")
    with full(w):
        assert refused(until_refused(lambda i: ben.post("/-/account", {"name": f"Ben {i} " + "x" * 80})))
        assert refused(w.new_browser().sign_up("late@example.org"))
        assert refused(ben.post("/spaces/garden/invitations", {"email": "guest@example.org", "role": "viewer"}))
        assert refused(ben.post("/-/new", {"title": "Park", "name": "park"}))
        assert ben.get("/").status == 200 and ben.get("/spaces/garden/members").status == 200, "reading goes on"
        whole(w)
        assert not w.value("select count(*) from spaces where name = 'park'")
        assert not w.value("select count(*) from users where email = 'late@example.org'")
        assert not w.value("select count(*) from invitations")
    assert person(w, "late").get("/").status == 200
    ben.new_space("Park", "park")
    assert ben.post("/spaces/garden/invitations", {"email": "guest@example.org", "role": "viewer"}).status == 303
    wait_for(lambda: w.link("guest@example.org", "/-/invitation"), 60)
    w.well()
