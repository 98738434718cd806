# SPDX-License-Identifier: Apache-2.0
"""Sharing out of a private space: to strangers, to somebody whom the hub knows by an address, and what the hub is asked."""
import json

import pytest

import limits
import serving
from serving import make
from stand_in_hub import FORM, ORIGIN, Browser, Hub, signed_on, until

SCHEMA = """create table t (id integer primary key, name text); insert into t values (1, 'Ana');
create table u (id integer primary key, name text); insert into u values (1, 'hush');"""
JSON = {"Content-Type": "application/json", "Accept": "*/*"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("space"))
    make(hub.folder / "data/d.db", SCHEMA)
    s = serving.Server("--space", hub.folder).wait()
    yield hub, s
    s.stop()


def share(browser, status=201, **body):
    got = browser.ask("POST", "/-/share", JSON, json.dumps({"database": "d", "table": "t", **body}))
    assert got.status == status, got
    return got.json()


def test_roles(place):
    hub, s = place
    for user, status in ("uowner", 201), ("ueditor", 201), ("uviewer", 403):
        made = share(signed_on(s, hub, user), status, audience="link")
        if status == 201:
            assert made["share"]["url"].startswith(ORIGIN + "/-/s/")
    assert Browser(s).ask("POST", "/-/share", JSON, "{}").status == 401
    text = signed_on(s, hub, "ueditor").get("/-/shares").text
    assert '<td data-label="Who">Olga Owner</td><td data-label="What">Shared</td>' in text, "names, not ids"


def test_strangers(place):
    """A private space sends strangers to the hub, but not those who have a link, or what everybody may see."""
    hub, s = place
    owner = signed_on(s, hub, "uowner")
    one = share(owner, audience="link")["share"]
    path = one["url"][len(ORIGIN):]
    stranger = Browser(s)
    assert stranger.get("/d/t").status == 302 and "/-/sign-on" in stranger.get("/d/t").header("location")
    got = stranger.get(path)
    assert got.status == 303 and got.header("location") == "/d/t"
    assert "__Host-ds_share" in stranger.cookies
    got = stranger.get("/d/t")
    assert got.status == 200 and "Ana" in got.text and "Shared with you by" in got.text
    assert got.header("x-frame-options") == "SAMEORIGIN" and got.header("cache-control") == "private, no-cache"
    for closed in "/", "/d", "/d/u", "/d/u.json", "/-/shares", "/-/search?q=hush", "/d.db", "/d/-/query?sql=select+1":
        got = stranger.get(closed)
        assert got.status in (302, 401) and "hush" not in got.text, (closed, got)
    got = Browser(s).get(path + "?_embed=1")
    assert got.status == 200 and got.header("x-frame-options") is None and "frame-ancestors" not in got.header(
        "content-security-policy")
    assert Browser(s).get(path + ".json", {"Accept": "*/*"}).json()["rows"] == [{"id": 1, "name": "Ana"}]
    assert Browser(s).get("/-/s/" + "x" * 22).status == 404
    hub.tell(suspended=True)
    until(lambda: Browser(s).get(path).status == 503, "suspended")
    assert stranger.get("/d/t").status == 503 and Browser(s).get(path + ".json").status == 503
    hub.tell(suspended=False)
    until(lambda: Browser(s).get(path).status == 303, "open again")
    public = share(owner, audience="public")["share"]
    assert Browser(s).get("/d/t").status == 200 and Browser(s).get("/d/u").status == 302
    for it in one, public:
        assert owner.ask("POST", f"/-/shares/{it['id']}", JSON, '{"action": "withdraw"}').status == 200
    assert stranger.get("/d/t").status == 302 and Browser(s).get("/d/t").status == 302


def test_somebody_of_the_hub(place):
    """An account of the hub that is no member: its address is in the ticket."""
    hub, s = place
    owner = signed_on(s, hub, "uowner")
    made = share(owner, audience="person", who="Guest@Example.org")
    assert made["mailed"] is True, s.log()
    mail = hub.folder / "outbox" / (made["share"]["id"] + ".json")
    assert json.loads(mail.read_text()) == {"kind": "share", "to": "Guest@Example.org", "what": "t", "url": ORIGIN + "/d/t",
                                            "by": "uowner"}
    guest = Browser(s)
    guest.sign_on(hub, "uguest", "/d/t", email="guest@example.org")
    got = guest.get("/d/t")
    assert got.status == 200 and "Shared with you by Olga Owner" in got.text
    assert guest.get("/d/u").status == 403 and guest.get("/").status == 403
    other = Browser(s)
    other.sign_on(hub, "uother", "/d/t", email="other@example.org")
    assert other.get("/d/t").status == 403
    # the hub is asked for no more mail than waits; the share is made all the same
    assert share(owner, audience="person", who="uviewer")["mailed"] is False
    for i in range(limits.LIMIT_SHARE_MAILS - 2):
        (hub.folder / f"outbox/x{i}.json").write_text("{}")
    assert share(owner, audience="person", who="b@example.org")["mailed"] is True
    assert share(owner, audience="person", who="c@example.org")["mailed"] is False
    assert len(list((hub.folder / "outbox").iterdir())) == limits.LIMIT_SHARE_MAILS
    got = owner.ask("POST", "/-/share", FORM, "database=d&table=t&audience=person&who=d@example.org")
    assert got.status == 303
    preview = owner.get("/-/share/preview?share=" + made["share"]["id"])
    assert preview.status == 200 and "Ana" in preview.text and "Preview:" in preview.text
