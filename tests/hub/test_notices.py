# SPDX-License-Identifier: Apache-2.0
"""Mails that tell somebody what happened to their account, sent to a real mail server; another address of one's own."""
import re
import sqlite3
import time

import pytest
from authenticator import Passkey
from hub_rig import PASSWORD, wait_for
from test_factors import code, codes_of, options_of, secret_of
from test_mail import html_of, link_of, mail_server, text_of  # noqa: F401

import limits

SECONDS = 60


@pytest.fixture
def place(make_hub, mail_server):  # noqa: F811
    server = mail_server()
    hub = make_hub(f'mail: {{url: "smtp://127.0.0.1:{server.port}", from: "data@example.org"}}')
    hub.mails = server.handler
    return hub


def mails(hub, address, subject):
    return [m for m in hub.mails.to(address) if m["subject"] == subject]


def arrives(hub, address, subject, n=1):
    """The newest of them, when there are n."""
    return wait_for(lambda: mails(hub, address, subject)[n - 1:], SECONDS)[-1]


def person(hub, address):
    browser = hub.browser()
    assert browser.sign_up(address).status == 303
    token = link_of(arrives(hub, address, "Confirm your e-mail address"), "/-/verify")
    assert browser.post("/-/verify", {"token": token}).status == 303
    return browser


def log_of(hub):
    return "".join(p.read_text() for p in (hub.folder / "edge/logs").glob("hub*"))


def is_harmless(hub, mail):
    """When and from where; links that do nothing by themselves; nothing that is secret."""
    said = text_of(mail)
    assert "127.0.0.…" in said and "Browser" in said and re.search(r"on \d{4}-\d\d-\d\d \d\d:\d\d UTC", said), said
    links = re.findall(r"http\S+", said)
    assert links and all(li.rstrip(".") in (hub.origin, hub.origin + "/-/account/sessions") for li in links), links
    assert "token" not in said and "token" not in html_of(mail) and "<p>" in html_of(mail)
    return said


def test_a_device_that_was_not_seen_before(place):
    ana = person(place, "ana@example.org")
    assert ana.post("/-/sign-out").status == 303
    assert ana.sign_in("ana@example.org").status == 303, "the same browser again"
    new = place.browser()
    assert new.sign_in("ana@example.org", "wrong " + PASSWORD).status == 401
    assert new.sign_in("ana@example.org").status == 303
    said = is_harmless(place, arrives(place, "ana@example.org", "New sign-in to your account"))
    assert "sign that device out" in said
    # Mails go out in order: when this one is there, others would have come before it.
    assert new.post("/-/account/password", {"old": PASSWORD, "password": "another phrase of hers"}).status == 303
    said = is_harmless(place, arrives(place, "ana@example.org", "Your password was changed"))
    assert "Other devices were signed out" in said
    assert len(mails(place, "ana@example.org", "New sign-in to your account")) == 1
    # Also by a link of a mail, and the first password of an account without one.
    assert place.browser().post("/-/forgot", {"email": "ana@example.org"}).status == 303
    token = link_of(arrives(place, "ana@example.org", "Choose a new password"), "/-/reset")
    assert new.post("/-/reset", {"token": token, "password": PASSWORD}).status == 303
    arrives(place, "ana@example.org", "Your password was changed", 2)


def test_second_factors(place):
    ana = person(place, "ana@example.org")
    assert ana.post("/-/account/app", {"do": "off"}).status == 303, "there is none: nothing to tell"
    ana.post("/-/account/app", {"do": "begin"})
    secret = secret_of(ana.get("/-/account/app"))
    codes = codes_of(ana.post("/-/account/app", {"do": "confirm", "code": code(secret)}))
    said = is_harmless(place, arrives(place, "ana@example.org", "An app with codes was set up"))
    assert secret.replace(" ", "") not in said.replace(" ", "") and not any(c in said for c in codes)
    codes = codes_of(ana.post("/-/account/app", {"do": "codes"}))
    is_harmless(place, arrives(place, "ana@example.org", "New recovery codes were made"))
    # Each one that is used; and when few are left, though there were many mails about codes before.
    for n, one in enumerate(codes[:7]):
        new = place.browser()
        new.sign_in("ana@example.org")
        assert new.post("/-/second", {"code": one}).status == 303, n
    said = is_harmless(place, arrives(place, "ana@example.org", "Your recovery codes are nearly used up"))
    assert "3 are left. Make new ones soon" in said and not any(c in said for c in codes)
    used = mails(place, "ana@example.org", "A recovery code was used")
    assert len(used) == limits.LIMIT_MAIL_NOTICES and "9 are left." in is_harmless(place, used[0])
    assert ana.post("/-/account/app", {"do": "off"}).status == 303
    is_harmless(place, arrives(place, "ana@example.org", "The app with codes was removed"))
    assert len(mails(place, "ana@example.org", "The app with codes was removed")) == 1


def test_passkeys(place):
    ana = person(place, "ana@example.org")
    key = Passkey(place.origin)
    fields = key.create(options_of(ana.get("/-/account/passkeys")))
    assert ana.post("/-/account/passkeys", {"do": "add", "name": "My <b>phone", **fields}).status == 303
    mail = arrives(place, "ana@example.org", "A passkey was added")
    assert "“My <b>phone”" in is_harmless(place, mail) and "&lt;b&gt;phone" in html_of(mail)
    name = re.search(r'name="key" value="([^"]+)"', ana.get("/-/account/passkeys").text).group(1)
    assert ana.post("/-/account/passkeys", {"do": "rename", "key": name, "name": "Phone"}).status == 303
    assert ana.post("/-/account/passkeys", {"do": "remove", "key": name}).status == 303
    assert "“Phone”" in is_harmless(place, arrives(place, "ana@example.org", "A passkey was removed"))
    assert ana.post("/-/account/passkeys", {"do": "remove", "key": name}).status == 404


def test_leaving(place):
    root, ana = place.admin(), person(place, "ana@example.org")
    assert root.get("/-/admin").status == 200
    assert ana.post("/-/account/delete", {"do": "delete", "email": "ana@example.org"}).status == 303
    said = is_harmless(place, arrives(place, "ana@example.org", "Your account was deleted"))
    assert "kept until " + time.strftime("%Y-%m-", time.gmtime(time.time() + limits.LIMIT_HUB_GRACE_S)) in said


def test_another_address(place):
    ana, ben = person(place, "ana@example.org"), person(place, "ben@example.org")
    ana.new_space("Field", "field")
    for address, status, says in (("ana@example.org", 400, "your address already"), ("nonsense", 400, "")):
        page = ana.post("/-/account/address", {"email": address})
        assert page.status == status and says in page.said, page
    # That of somebody else: only its owner learns it.
    assert ana.post("/-/account/address", {"email": "ben@example.org"}).header("location") == "/-/account?note=mail-sent"
    arrives(place, "ben@example.org", "You have an account already")
    # One's own new one: nothing changes before the link in the mail to it is followed.
    assert place.browser().post("/-/forgot", {"email": "ana@example.org"}).status == 303
    reset = link_of(arrives(place, "ana@example.org", "Choose a new password"), "/-/reset")
    assert ana.post("/-/account/address", {"email": "new@example.org"}).header("location") == "/-/account?note=mail-sent"
    token = link_of(arrives(place, "new@example.org", "Confirm your new e-mail address"), "/-/new-address")
    assert "ana@example.org" in ana.get("/-/account").said
    # It is of use to who asked, signed in wherever that is; nobody gets an account of somebody else confirmed by it.
    phone = place.browser()
    to_sign_in = phone.get(f"/-/new-address?token={token}").header("location")
    assert to_sign_in == f"/-/sign-in?to=/-/new-address%3Ftoken={token}"
    assert phone.post("/-/new-address", {"token": token}).header("location") == to_sign_in
    assert ben.get(f"/-/new-address?token={token}").status == ben.post("/-/new-address", {"token": token}).status == 403
    assert phone.sign_in("ana@example.org", to=f"/-/new-address?token={token}").header("location") == \
        f"/-/new-address?token={token}"
    assert "new@example.org" in phone.get(f"/-/new-address?token={token}").said
    assert "ana@example.org" in ana.get("/-/account").said, "looking at it changes nothing"
    assert phone.post("/-/new-address", {"token": token}).header("location") == "/-/account?note=address-changed"
    assert "new@example.org" in ana.get("/-/account").said
    said = text_of(arrives(place, "ana@example.org", "Your e-mail address was changed"))
    assert "from ana@example.org to new@example.org" in said and "tell the people who run" in said and "token" not in said
    assert [m["email"] for m in place.space_json("field")["members"].values()] == ["new@example.org"]
    assert phone.post("/-/new-address", {"token": token}).status == 404 and phone.get("/-/new-address?token=x").status == 404
    assert phone.get(f"/-/reset?token={reset}").status == 404, "links that went to the old address are void"
    assert place.browser().sign_in("ana@example.org").status == 401
    assert place.browser().sign_in("new@example.org").status == 303
    # Taken in between: refused, and nothing is lost.
    assert ben.post("/-/account/address", {"email": "third@example.org"}).status == 303
    token = link_of(arrives(place, "third@example.org", "Confirm your new e-mail address"), "/-/new-address")
    person(place, "third@example.org")
    page = ben.post("/-/new-address", {"token": token})
    assert page.status == 409 and "has an account already" in page.said
    assert "ben@example.org" in ben.get("/-/account").said
    assert place.browser().get("/-/account/address").header("location").startswith("/-/sign-in")
    # It asks who this is, unless that was shown in the last minutes.
    db = sqlite3.connect(place.folder / "hub.db", timeout=60)
    db.execute("update sessions set strong_at = 0")
    db.commit()
    db.close()
    assert ana.post("/-/account/address", {"email": "eve@example.org"}).header("location").startswith("/-/confirm")


def test_not_too_many(make_hub, mail_server):  # noqa: F811
    """LIMIT_MAIL_NOTICES: and what they tell of happens all the same."""
    server = mail_server()
    hub = make_hub(f'mail: {{url: "smtp://127.0.0.1:{server.port}"}}')
    hub.mails = server.handler
    person(hub, "ana@example.org")
    for n in range(limits.LIMIT_MAIL_NOTICES + 2):
        assert hub.browser().sign_in("ana@example.org").status == 303
    wait_for(lambda: log_of(hub).count("new_device to ana@example.org is not sent") == 2, SECONDS)
    wait_for(lambda: len(mails(hub, "ana@example.org", "New sign-in to your account")) == limits.LIMIT_MAIL_NOTICES, SECONDS)


def test_full_queues_are_in_nobodys_way(make_hub, mail_server):  # noqa: F811
    server = mail_server()
    hub = make_hub(f'mail: {{url: "smtp://127.0.0.1:{server.port}"}}', env=limits.lowered(MAIL_WAITING=1))
    hub.mails = server.handler
    ana = person(hub, "ana@example.org")
    server.handler.says = ["451 4.7.1 later"] * 1000
    assert hub.browser().post("/-/forgot", {"email": "ana@example.org"}).status == 303
    assert ana.post("/-/account/password", {"old": PASSWORD, "password": "another phrase of hers"}).status == 303
    wait_for(lambda: "password_changed to ana@example.org is not sent" in log_of(hub), SECONDS)
    assert hub.browser().sign_in("ana@example.org", "another phrase of hers").status == 303


def test_without_mail_all_is_as_before(make_hub):
    hub = make_hub()
    ana = hub.browser()
    assert ana.sign_up("ana@example.org").status == 303
    assert hub.browser().sign_in("ana@example.org").status == 303
    assert ana.post("/-/account/password", {"old": PASSWORD, "password": "another phrase of hers"}).status == 303
    assert hub.browser().sign_up("ben@example.org").status == 303
    page = ana.post("/-/account/address", {"email": "ben@example.org"})
    assert page.status == 409 and "has an account already" in page.said
    assert ana.post("/-/account/address", {"email": "new@example.org"}).header("location") == "/-/account?note=address-changed"
    assert hub.browser().sign_in("new@example.org", "another phrase of hers").status == 303
    db = sqlite3.connect(f"file:{hub.folder}/hub.db?mode=ro", uri=True, timeout=60)
    assert db.execute("select count(*) from mails").fetchone() == (0,)
    db.close()


def test_addresses_that_nobody_confirmed_get_none(make_hub, mail_server):  # noqa: F811
    """It may be a stranger's address."""
    server = mail_server()
    hub = make_hub(f'verify_email: false\nmail: {{url: "smtp://127.0.0.1:{server.port}"}}')
    ana = hub.browser()
    assert ana.sign_up("stranger@example.org").status == 303
    assert hub.browser().sign_in("stranger@example.org").status == 303
    assert ana.post("/-/account/password", {"old": PASSWORD, "password": "another phrase of hers"}).status == 303
    hub.browser().post("/-/forgot", {"email": "stranger@example.org"})
    wait_for(lambda: server.handler.to("stranger@example.org"), SECONDS)
    assert [m["subject"] for m in server.handler.mails] == ["Choose a new password"]
