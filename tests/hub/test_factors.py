# SPDX-License-Identifier: Apache-2.0
"""Second factors, passkeys, sessions and leaving, asked over HTTP. Scripts of the pages: tests/hub/test_passkeys.py."""
import html
import itertools
import json
import re
import time
from concurrent import futures

import pytest
from authenticator import UP, Passkey, totp
from hub_rig import DOMAIN, PASSWORD, wait_for
from limits import lowered


HTML = {"Accept": "text/html"}
_addresses = itertools.count(2)


def elsewhere(hub):
    """A browser with an address of its own: attempts are counted by address."""
    n = next(_addresses)
    return hub.browser(f"127.0.{n // 250}.{n % 250 + 1}")


def person(hub, email, **more):
    browser = elsewhere(hub)
    assert browser.sign_up(email, **more).status == 303
    return browser


def secret_of(page):
    return re.search(r'class="secret">([a-z2-7 ]+)<', page.text).group(1)


def codes_of(page):
    return re.findall(r"\b[0-9a-z]{4}(?:-[0-9a-z]{4}){3}\b", page.text)


def options_of(page):
    return json.loads(html.unescape(re.search(r'data-options="([^"]*)"', page.text).group(1)))


def code(secret, off=0):
    """Of now, or of the next step with off=30: good for 30 s at least. (One of the step before may be void on arrival.)"""
    return totp(secret, time.time() + off)


def with_app(hub, email):
    """A person with an app: browser, secret, recovery codes. The code of now is used: the next is code(secret, 30)."""
    ana = person(hub, email)
    ana.post("/-/account/app", {"do": "begin"})
    secret = secret_of(ana.get("/-/account/app"))
    ana.typed = code(secret)
    page = ana.post("/-/account/app", {"do": "confirm", "code": ana.typed})
    assert page.status == 200, page
    return ana, secret, codes_of(page)


def test_an_app_is_set_up_and_asked_for(hub):
    ana, secret, codes = with_app(hub, "app@example.org")
    assert len(set(codes)) == 10
    page = ana.get("/-/account/app")
    assert "10 recovery codes left" in page.said and not codes_of(page) and secret not in page.text
    new = elsewhere(hub)
    page = new.sign_in("app@example.org", to="/-/account")
    assert page.status == 303 and page.header("location") == "/-/second?to=/-/account"
    assert new.get("/-/account").status == 303, "nobody is signed in yet"
    assert "Code of your app" in new.get("/-/second").said
    wrong = new.post("/-/second", {"code": "000000" if code(secret) != "000000" else "000001"})
    assert wrong.status == 403 and "not right" in wrong.said
    used = new.post("/-/second", {"code": ana.typed})
    assert used.status == 403 and ("used already" in used.said or "not right" in used.said), "that of the set-up"
    typed = code(secret, 30)
    page = new.post("/-/second", {"code": typed, "to": "/-/account"})
    assert page.status == 303 and page.header("location") == "/-/account"
    assert new.get("/-/account").status == 200
    assert new.post("/-/second", {"code": code(secret, 30)}).header("location").startswith("/-/sign-in"), "the step is over"
    third = elsewhere(hub)
    third.sign_in("app@example.org")
    assert third.post("/-/second", {"code": typed}).status == 403, "a code is for one sign-in"


def test_a_lost_phone(hub):
    """Whoever runs the hub gives a link; it does not pass the second step unless that is taken away."""
    ana, secret, codes = with_app(hub, "lost@example.org")

    def reset(*more):
        made = hub.run("hub", "reset-link", "lost@example.org", "--dir", hub.folder, *more)
        token = re.search(r"/-/reset\?token=(\S+)", made.stdout).group(1)
        browser = elsewhere(hub)
        return browser, browser.post("/-/reset", {"token": token, "password": "another four words then"})

    browser, page = reset()
    assert page.status == 303 and page.header("location").startswith("/-/second"), page
    browser, page = reset("--no-app")
    assert page.status == 303 and browser.get("/-/account").status == 200, page
    assert elsewhere(hub).sign_in("lost@example.org", "another four words then").header("location") == "/"


def test_clocks_may_be_one_step_off(hub):
    _, secret, _ = with_app(hub, "clock@example.org")
    for off, status in ((-90, 403), (90, 403), (30, 303)):
        browser = elsewhere(hub)
        browser.sign_in("clock@example.org")
        assert browser.post("/-/second", {"code": code(secret, off)}).status == status, off


def test_recovery_codes(hub):
    ana, secret, codes = with_app(hub, "recover@example.org")
    new = elsewhere(hub)
    new.sign_in("recover@example.org")
    page = new.post("/-/second", {"code": codes[0].upper().replace("-", " ")})
    assert page.status == 303 and "note=recovery-used" in page.header("location")
    assert "9 recovery codes left" in new.get("/-/account/app").said
    again = elsewhere(hub)
    again.sign_in("recover@example.org")
    assert again.post("/-/second", {"code": codes[0]}).status == 403
    newer = codes_of(ana.post("/-/account/app", {"do": "codes"}))
    assert len(newer) == 10
    assert again.post("/-/second", {"code": codes[1]}).status == 403, "older ones are void"
    assert again.post("/-/second", {"code": newer[1]}).status == 303
    assert ana.post("/-/account/app", {"do": "off"}).status == 303
    assert elsewhere(hub).sign_in("recover@example.org").header("location") == "/", "no second step any more"


def test_guessing_codes_is_slow_and_keeps_nobody_out(hub):
    ana, secret, _ = with_app(hub, "guess@example.org")
    eve = elsewhere(hub)
    eve.sign_in("guess@example.org")  # knows the password
    answers = [eve.post("/-/second", {"code": f"{i:06d}"}).status for i in range(8)]
    assert answers[:5] == [403] * 5 and answers[5:] == [429] * 3
    again = elsewhere(hub)
    again.sign_in("guess@example.org")
    assert again.post("/-/second", {"code": code(secret)}).status == 429, "a new browser is a stranger too"
    ana.post("/-/sign-out")
    ana.sign_in("guess@example.org")
    assert ana.post("/-/second", {"code": code(secret, 30)}).status == 303, "her own browser has attempts of its own"


def refusals(browser, address):
    """Wrong passwords until one is not even looked at. (While that lasts, one more is given every 20 or 30 seconds.)"""
    answers = []
    while len(answers) < 30 and (not answers or answers[-1].status != 429):
        answers.append(browser.sign_in(address(len(answers)), f"wrong number {len(answers)}"))
    return answers


def test_guessing_passwords_keeps_nobody_out(hub):
    ana = person(hub, "victim@example.org")
    ana.post("/-/sign-out")
    eve = elsewhere(hub)
    answers = refusals(eve, lambda i: "Victim@example.org" if i % 2 else "victim@example.org")
    assert [page.status for page in answers[:6]] == [401] * 6, "however the address is written"
    assert answers[-1].status == 429 and int(answers[-1].header("retry-after")) > 0 and "Wait" in answers[-1].said
    with futures.ThreadPoolExecutor(8) as pool:  # from 110 addresses
        crowd = list(pool.map(lambda i: elsewhere(hub).sign_in("victim@example.org", "wrong").status, range(110)))
    assert 429 in crowd and 401 in crowd, "strangers together are slowed down too"
    assert ana.sign_in("victim@example.org").status == 303, "her own browser has attempts of its own"
    forged = elsewhere(hub)
    forged.jar[DOMAIN] = {"vitrine_device": ana.jar[DOMAIN]["vitrine_device"].split(".")[0] + "." + "A" * 43}
    answers = refusals(forged, lambda i: "victim@example.org")
    assert answers[-1].status == 429 and len(answers) < 6, "a device cookie cannot be made up: a known one has ten"


def test_unknown_and_known_addresses_are_answered_alike(hub):
    _, _, _ = with_app(hub, "alike@example.org")
    pages = {}
    for email in ("alike@example.org", "nobody-at-all@example.org"):
        page = elsewhere(hub).sign_in(email, "not the password")
        text = re.sub(r'data-options="[^"]*"', "", page.text).replace(email, "")
        pages[email] = (page.status, text, sorted(k.lower() for k, _ in page.headers))
    assert len({repr(p) for p in pages.values()}) == 1


def test_a_reset_link_does_not_pass_the_second_step(hub):
    """The mail is enough for a new password, not for signing in."""
    import sqlite3
    import hashlib
    with_app(hub, "reset@example.org")
    db = sqlite3.connect(hub.folder / "hub.db", timeout=120)
    with db:
        user = db.execute("select id from users where email = 'reset@example.org'").fetchone()[0]
        db.execute("insert into links (hash, kind, user_id, email, created_at, ends_at) values (?, 'reset', ?, ?, ?, ?)",
                   [hashlib.sha256(b"link").hexdigest(), user, "reset@example.org", int(time.time()), int(time.time()) + 99])
    db.close()
    new = elsewhere(hub)
    page = new.post("/-/reset", {"token": "link", "password": "another four words now"})
    assert page.status == 303 and page.header("location").startswith("/-/second")
    assert new.get("/-/account").status == 303


# ---- passkeys ----

@pytest.fixture
def key(hub):
    made = Passkey(hub.origin)
    yield made
    made.close()


def add_key(browser, key, name="My phone", **more):
    fields = key.create(options_of(browser.get("/-/account/passkeys")), **more)
    return browser.post("/-/account/passkeys", {"do": "add", "name": name, **fields})


def test_passkeys_sign_in_without_a_name(hub, key):
    ana = person(hub, "key@example.org")
    assert add_key(ana, key).status == 303
    assert "My phone" in ana.get("/-/account/passkeys").said
    new = elsewhere(hub)
    fields = key.get(options_of(new.get("/-/sign-in")))
    page = new.post("/-/passkey", {"to": "/-/account", **fields})
    assert page.status == 303 and page.header("location") == "/-/account"
    assert "key@example.org" in new.get("/-/account").said
    assert new.get("/-/account/passkeys").status == 200, "a passkey that checked its owner is enough for dangerous acts"
    # The same answer again, from the same browser and from another.
    assert "sent before" in new.post("/-/passkey", fields).said or new.post("/-/passkey", fields).status == 403
    other = elsewhere(hub)
    other.get("/-/sign-in")
    page = other.post("/-/passkey", fields)
    assert page.status == 403 and "not made for this browser" in page.said


def test_answers_of_passkeys_that_are_refused(hub, key):
    ana = person(hub, "wrong@example.org")
    assert add_key(ana, key).status == 303
    new = elsewhere(hub)
    ask = lambda: options_of(new.get("/-/sign-in"))  # noqa: E731
    stranger = Passkey(hub.origin)
    cases = {
        "another site": key.get(ask(), origin="https://evil.example"),
        "another type": key.get(ask(), type="webauthn.create"),
        "in a frame": key.get(ask(), crossOrigin=True),
        "another rp": key.get(ask() | {"rpId": "example.org"}),
        "nobody there": key.get(ask(), flags=0),
        "not verified": key.get(ask(), flags=UP),
        "own challenge": key.get(ask() | {"challenge": "AAAA"}),
        "unknown key": stranger.get(ask()),
        "another's signature": key.get(ask()) | {"signature": stranger.get(ask())["signature"]},
        "damaged": key.get(ask()) | {"authenticator_data": "!"},
        "nothing": {},
    }
    stranger.close()
    for name, fields in cases.items():
        page = new.post("/-/passkey", fields)
        assert page.status in (400, 403) and new.get("/-/account").status == 303, (name, page)
    assert new.post("/-/passkey", key.get(ask())).status == 303


def test_a_passkey_belongs_to_one_account(hub, key):
    ana, ben = person(hub, "one@example.org"), person(hub, "two@example.org")
    assert add_key(ana, key).status == 303
    taken = add_key(ben, key)
    assert taken.status == 409 and "already" in taken.said
    mine = re.search(r'name="key" value="([^"]+)"', ana.get("/-/account/passkeys").text).group(1)
    assert ben.post("/-/account/passkeys", {"do": "remove", "key": mine}).status == 404
    assert ana.post("/-/account/passkeys", {"do": "rename", "key": mine, "name": "Old phone"}).status == 303
    assert "Old phone" in ana.get("/-/account/passkeys").said
    assert ana.post("/-/account/passkeys", {"do": "remove", "key": mine}).status == 303
    gone = elsewhere(hub)
    page = gone.post("/-/passkey", key.get(options_of(gone.get("/-/sign-in"))))
    assert page.status == 403 and "not known" in page.said


def test_bad_registrations(hub, key):
    ana = person(hub, "bad@example.org")
    for name, more in {"not verified": {"flags": UP}, "another site": {"origin": "https://evil.example"}}.items():
        assert add_key(ana, key, **more).status == 400, name
    assert add_key(ana, key, name="").status == 400
    assert add_key(ana, key, name="n" * 101).status == 400
    assert ana.post("/-/account/passkeys", {"do": "add", "name": "x", "client_data": "A" * 60000}).status == 400
    assert ana.post("/-/account/passkeys", {"do": "nothing"}).status == 400
    assert "none yet" in ana.get("/-/account/passkeys").said


def test_the_last_way_in_stays(hub, key):
    import sqlite3
    ana = person(hub, "last@example.org")
    assert add_key(ana, key).status == 303
    db = sqlite3.connect(hub.folder / "hub.db", timeout=120)
    with db:
        db.execute("update users set password = '' where email = 'last@example.org'")
    db.close()
    mine = re.search(r'name="key" value="([^"]+)"', ana.get("/-/account/passkeys").text).group(1)
    refused = ana.post("/-/account/passkeys", {"do": "remove", "key": mine})
    assert refused.status == 409 and "last way" in refused.said
    assert "My phone" in ana.get("/-/account/passkeys").said


def test_as_many_passkeys_as_an_account_may_have(hub):
    # LIMIT_HUB_PASSKEYS
    ana = person(hub, "many@example.org")
    for i in range(21):
        one = Passkey(hub.origin)
        page = add_key(ana, one, f"key {i}")
        one.close()
        assert page.status == (303 if i < 20 else 413), (i, page)
    assert "at most 20" in page.said


# ---- sessions and the password ----

def test_sessions_are_listed_and_ended(hub):
    ana = person(hub, "sessions@example.org")
    space = ana.new_space("Sessions")
    phone, laptop = elsewhere(hub), elsewhere(hub)
    phone.ask("POST", "/-/sign-in", {"email": "sessions@example.org", "password": PASSWORD},
              headers={"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"})
    laptop.sign_in("sessions@example.org")
    page = ana.get("/-/account/sessions")
    assert "Safari on iPhone" in page.said and "(this one)" in page.said and "127.0.0.…" in page.said
    into = lambda: phone.follow(phone.get(space + "/", headers=HTML)).status  # noqa: E731
    assert wait_for(lambda: into() == 200), "into the space"
    row = page.text.split("Safari on iPhone")[1]
    ended = re.search(r'name="session" value="([^"]+)"', row).group(1)
    assert ana.post("/-/account/sessions", {"session": ended}).status == 303
    assert phone.get("/-/account").status == 303
    wait_for(lambda: phone.get(space + "/", headers=HTML).status != 200)  # the space was told, and looked
    assert ended in hub.space_json("sessions")["revoked"]
    assert laptop.get("/-/account").status == 200
    assert elsewhere(hub).post("/-/account/sessions", {"session": ended}).status == 401
    assert ana.post("/-/account/sessions", {"session": "knothing"}).status == 404
    assert ana.post("/-/account/sessions").status == 303
    assert laptop.get("/-/account").status == 303 and ana.get("/-/account").status == 200
    eve = person(hub, "eve-sessions@example.org")
    own = re.search(r'session" value="([^"]+)"', ana.get("/-/account/sessions").text)
    assert own is None, "one's own is ended by signing out"
    assert eve.post("/-/account/sessions", {"session": ended}).status == 404


def test_the_password_changes_with_the_old_one(hub):
    ana = person(hub, "change@example.org")
    other = elsewhere(hub)
    other.sign_in("change@example.org")
    new = "quite another sentence"
    assert ana.post("/-/account/password", {"old": "wrong", "password": new}).status == 403
    assert ana.post("/-/account/password", {"password": new}).status == 403
    refused = ana.post("/-/account/password", {"old": PASSWORD, "password": "short"})
    assert refused.status == 400 and "at least 10" in refused.said
    assert ana.post("/-/account/password", {"old": PASSWORD, "password": "change@example.org"}).status == 400
    assert ana.post("/-/account/password", {"old": PASSWORD, "password": new}).status == 303
    assert ana.get("/-/account").status == 200 and other.get("/-/account").status == 303
    assert elsewhere(hub).sign_in("change@example.org").status == 401
    assert elsewhere(hub).sign_in("change@example.org", new).status == 303


def test_dangerous_acts_ask_again(make_hub):
    # LIMIT_HUB_STRONG_S
    hub = make_hub(env=lowered(HUB_STRONG_S=1))
    ana = person(hub, "strong@example.org")
    for path in ("/-/account/app", "/-/account/passkeys", "/-/account/export", "/-/account/delete"):
        wait_for(lambda: ana.get(path).header("location") == "/-/confirm?to=" + path)
        assert ana.post("/-/confirm", {"to": path, "password": "wrong"}).status == 403
        assert ana.post("/-/confirm", {"to": path, "password": PASSWORD}).header("location") == path
        assert ana.get(path).status == 200, path
    wait_for(lambda: ana.get("/-/account/app").status == 303)
    page = ana.post("/-/account/app", {"do": "begin"})
    assert page.header("location") == "/-/confirm?to=/-/account/app", "a form too"
    assert ana.post("/-/confirm", {"to": "https://evil.example", "password": PASSWORD}).header("location") == "/"


def test_passwords_of_one_address_wait_in_a_short_line(make_hub):
    # LIMIT_HUB_SIGN_IN_FLOW
    from hub_rig import at_once
    hub = make_hub(env=lowered(HUB_SIGN_IN_FLOW=1))
    ana = person(hub, "known@example.org")
    ana.post("/-/sign-out")
    forms = [lambda i=i: hub.browser("127.0.200.1").sign_in(f"p{i}@example.org") for i in range(12)]
    answers = at_once(*forms, lambda: ana.sign_in("known@example.org"))
    assert 503 in {a.status for a in answers[:-1]}
    assert answers[-1].status == 303, "a browser that is known does not wait behind strangers"


# ---- leaving ----

def test_export(hub):
    ana, _, _ = with_app(hub, "export@example.org")
    page = ana.get("/-/account/export")
    assert page.status == 200 and "account.json" in page.header("content-disposition")
    told = page.json()
    assert told["account"][0]["email"] == "export@example.org" and told["sessions"] and told["apps"]
    assert any(row["action"] == "factor.added" for row in told["log"])
    assert "password" not in told["account"][0] and "secret" not in page.text


def test_deleting_and_keeping(hub):
    ana = person(hub, "leave@example.org")
    ana.new_space("Leaving")
    page = ana.get("/-/account/delete")
    assert "only owner" in page.said
    refused = ana.post("/-/account/delete", {"do": "delete", "email": "leave@example.org"})
    assert refused.status == 409 and "only owner of 1 space" in refused.said and "leaving" in refused.said
    assert ana.post("/spaces/leaving/delete", {"name": "leaving"}).status == 303
    assert ana.post("/-/account/delete", {"do": "delete", "email": "other@example.org"}).status == 400
    assert ana.post("/-/account/delete", {"do": "delete", "email": "Leave@example.org"}).status == 303
    assert ana.get("/-/account").status == 303, "signed out"
    assert ana.sign_in("leave@example.org").status == 303
    assert "Keep it" in ana.get("/-/account").said
    assert ana.post("/-/account/delete", {"do": "keep"}).status == 303
    assert "Keep it" not in ana.get("/-/account").said


def test_the_only_administrator_stays(make_hub):
    hub = make_hub()
    admin = hub.admin()
    refused = admin.post("/-/account/delete", {"do": "delete", "email": "root@example.org"})
    assert refused.status == 409 and "only administrator" in refused.said


def test_accounts_go_after_the_grace(make_hub):
    hub = make_hub(env=lowered(HUB_GRACE_S=1))
    ana = person(hub, "gone@example.org")
    assert ana.post("/-/account/delete", {"do": "delete", "email": "gone@example.org"}).status == 303
    end = time.time() + 1.1
    wait_for(lambda: time.time() > end)
    hub.stop()
    hub.start()  # looks at once, and every hour
    wait_for(lambda: elsewhere(hub).sign_in("gone@example.org").status == 401)
    assert elsewhere(hub).sign_up("gone@example.org").status == 303, "the address is free again"
