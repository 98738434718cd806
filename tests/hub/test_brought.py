# SPDX-License-Identifier: Apache-2.0
"""A hub.db of a backup: what was ended, used or withdrawn since the copy does not live again, in spaces neither."""
import os
import re
import time

from hub_rig import PASSWORD, wait_for

HTML = {"Accept": "text/html"}
WAIT = 90


def visit(browser, origin):
    return browser.follow(browser.get(origin + "/", headers=HTML), headers=HTML).status


def is_in(browser, origin):
    """Whether the space itself knows who asks, without the hub."""
    return browser.get(origin + "/").status == 200


def twin(browser):
    """Somebody who has the same cookies."""
    other = browser.hub.browser()
    other.jar = {host: dict(jar) for host, jar in browser.jar.items()}
    return other


def bring_back(hub):
    hub.stop()
    for name in ("hub.db", "hub.db-wal", "hub.db-shm"):
        (hub.folder / name).unlink(missing_ok=True)
    done = hub.run("restore", hub.folder / "backups/hub", "hub", "--to", hub.folder / "hub.db")
    assert done.returncode == 0, done
    hub.start()


def restart(hub):
    hub.stop()
    hub.start()


def test_what_was_ended_since_does_not_live_again(make_hub):
    hub = make_hub()
    ana = hub.browser()
    assert ana.sign_up("ana@example.org").status == 303
    origin = ana.new_space("Field", "field")
    assert visit(ana, origin) == 200 and is_in(ana, origin)
    invitation = ana.post("/spaces/field/invitations", {"email": "eve@example.org", "role": "owner"})
    token = re.search(r"/-/invitation\?token=([\w-]+)", invitation.text).group(1)
    assert hub.browser().get(f"/-/invitation?token={token}").status == 200
    assert hub.run("hub", "backup", "--dir", hub.folder).returncode == 0
    # Since the copy: signed out, the invitation withdrawn, and signed in somewhere of which the copy knows nothing.
    stolen, late = twin(ana), hub.browser()
    assert ana.post("/-/sign-out").status == 303 and stolen.get("/-/account").status == 303
    assert late.sign_in("ana@example.org").status == 303 and visit(late, origin) == 200
    began = time.time()
    which = re.search(r'name="withdraw" value="([^"]+)"', late.get("/spaces/field/members").text).group(1)
    assert late.post("/spaces/field/invitations", {"withdraw": which}).status == 303
    restart(hub)
    assert late.get("/-/account").status == 200 and "brought back" not in hub.app_log(), "a start is no copy"
    wait_for(lambda: time.time() > began + 2)  # seconds is how spaces count
    bring_back(hub)
    assert "hub.db was brought back" in hub.app_log() and "/-/admin" in hub.app_log()
    for browser in (stolen, late):
        assert browser.get("/-/account").status == 303, "signed out"
        wait_for(lambda: not is_in(browser, origin), WAIT)
    assert hub.browser().get(f"/-/invitation?token={token}").status == 404
    assert ana.sign_in("ana@example.org", PASSWORD).status == 303 and visit(ana, origin) == 200
    wait_for(lambda: is_in(ana, origin), WAIT)
    restart(hub)
    assert ana.get("/-/account").status == 200 and hub.app_log().count("hub.db was brought back") == 1, "once"
    # On another machine: the keys were brought, their folder does not say how many copies were taken.
    hub.stop()
    os.unlink(hub.folder / "keys/copies")
    hub.start()
    assert ana.get("/-/account").status == 303 and hub.app_log().count("hub.db was brought back") == 2
