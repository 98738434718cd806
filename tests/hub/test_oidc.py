# SPDX-License-Identifier: Apache-2.0
"""Signing in by others: an issuer and a GitHub that stand in, and lie when told to."""
import email
import email.policy
import html
import http.cookiejar
import re
import shutil
import sqlite3
import subprocess
import urllib.parse
import urllib.request

import pytest
from hub_rig import DOMAIN, HERE, PASSWORD, Hub, wait_for
from serving import free_port
from stand_in import OTHER_KEYS, GitHub, Issuer
from test_factors import code, secret_of

import limits


@pytest.fixture(scope="module")
def issuer():
    one = Issuer()
    yield one
    one.close()


@pytest.fixture(scope="module")
def other():
    one = Issuer()
    yield one
    one.close()


@pytest.fixture(scope="module")
def github():
    one = GitHub()
    yield one
    one.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory, issuer, other, github):
    folder = tmp_path_factory.mktemp("oidc")
    (folder / "mails").mkdir()
    made = Hub(folder, f"""
mail: {{url: "file:{folder}/mails", from: "Data <data@example.org>"}}
oidc:
- {{issuer: "{issuer.url}", client_id: us, client_secret: "s3 cret:+", label: Stand-in, name: standin, admins: [boss]}}
- {{issuer: "{other.url}", client_id: us, client_secret: "s3 cret:+", label: Other}}
- {{issuer: "http://127.0.0.1:1", client_id: us, client_secret: x, label: Nobody, groups: [staff]}}
github: {{client_id: gh, client_secret: gh-secret, url: "{github.url}", api: "{github.url}/api", groups: [club, "club/team"]}}
""")
    made.mails = folder / "mails"
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def honest(issuer, other, github):
    for one in (issuer, other, github):
        one.reset()


numbers = iter(range(10**6))


def person(**more):
    """Somebody nobody has seen."""
    n = next(numbers)
    return {"sub": f"sub-{n}", "email": f"p{n}@example.org", "email_verified": True, "name": f"Person {n}", **more}


def begin(browser, name="standin", query=""):
    page = browser.get(f"/-/oidc/{name}/start{query}" if name != "github" else f"/-/github/start{query}")
    assert page.status == 303, page
    return page.header("location")


def back(browser, q, **answer):
    query = urllib.parse.urlencode({k: v for k, v in answer.items() if v is not None})
    return browser.get(urllib.parse.urlsplit(q["redirect_uri"]).path + "?" + query)


def sign_in(browser, issuer, name="standin", query="", **more):
    code, q = issuer.code(begin(browser, name, query))
    return back(browser, q, **{"code": code, "state": q["state"], **more})


def mails_to(hub, address):
    found = []
    for path in sorted(hub.mails.glob("*.eml")):
        m = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if m["to"] == address:
            found.append(m)
    return found


def text_of(mail):
    return mail.get_body(("plain",)).get_content()


def signed_in_as(browser):
    page = browser.get("/-/account")
    return None if page.status == 303 else re.search(r"E-mail address: (\S+?)<", page.text).group(1)


def test_buttons_of_all(hub):
    page = hub.browser().get("/-/sign-in?to=/-/new")
    for path in ("/-/oidc/standin/start?to=/-/new", "/-/oidc/other/start?to=/-/new", "/-/github/start?to=/-/new"):
        assert path in page.text, path
    assert "Continue with Stand-in" in page.said


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_somebody_new_gets_an_account(hub, issuer, algorithm):
    issuer.algorithm, issuer.person = algorithm, person()
    ana = hub.browser()
    page = sign_in(ana, issuer, query="?to=/-/new")
    assert page.status == 303 and page.header("location") == "/-/new", page
    assert signed_in_as(ana) == issuer.person["email"]
    # And the next time it is the same account, whatever the address is by then.
    was, issuer.person = issuer.person["email"], {**issuer.person, "email": "moved@example.org", "email_verified": False}
    again = hub.browser()
    assert sign_in(again, issuer).status == 303
    assert signed_in_as(again) == was
    assert sign_in(again, issuer, query="?to=https://evil.example/").header("location") == "/"


@pytest.mark.parametrize("lies, says", [
    ({"nonce": "another"}, "another try"),
    ({"nonce": None}, "another try"),
    ({"aud": "them"}, "another application"),
    ({"aud": ["us", "them"]}, "azp"),
    ({"azp": "them"}, "azp"),
    ({"iss": "https://evil.example"}, "another issuer"),
    ({"exp": 1000000000}, "expired"),
    ({"iat": 4000000000}, "of the future"),
    ({"sub": None}, "sub"),
])
def test_tokens_that_say_something_else(hub, issuer, lies, says):
    issuer.person, issuer.lies = person(), lies
    eve = hub.browser()
    page = sign_in(eve, issuer)
    assert page.status == 400 and says in page.said and "Stand-in" in page.said, page
    assert signed_in_as(eve) is None


def test_tokens_that_are_not_signed_rightly(hub, issuer):
    def changed(algorithm="RS256", keys=None, header=None):
        issuer.reset()
        issuer.person, issuer.algorithm = person(), algorithm
        issuer.sign_with, issuer.header = keys or issuer.sign_with, header or {}
        eve = hub.browser()
        page = sign_in(eve, issuer)
        assert page.status == 400 and signed_in_as(eve) is None, page
        return page.said
    assert 'signed with "none"' in changed("none")
    assert 'signed with "HS256"' in changed("HS256")
    for algorithm in ("RS256", "ES256", "EdDSA"):
        assert "not of the key that it names" in changed(algorithm, OTHER_KEYS)
    assert "not among" in changed("RS256", header={"kid": "1-ES256"})
    assert "crit" in changed(header={"crit": ["x"]})


def test_keys_that_change(hub, other):
    """A new key is asked for once; tokens with keys that nobody has do not make us ask again and again. LIMIT_OIDC_KEYS_S,
    LIMIT_OIDC_KEEP_S."""
    other.person = person()
    assert sign_in(hub.browser(), other, "other").status == 303
    asked, described = other.asked("/jwks"), other.asked("/.well-known/openid-configuration")
    assert (asked, described) == (1, 1)
    for n in range(3):
        other.person, other.header = person(), {"kid": f"forged-{n}"}
        page = sign_in(hub.browser(), other, "other")
        assert page.status == 400 and "not among" in page.said, page
    assert other.asked("/jwks") <= 2 and other.asked("/.well-known/openid-configuration") == 1


def test_a_try_is_good_for_one_browser_and_one_answer(hub, issuer):
    issuer.person = person()
    ana, eve = hub.browser(), hub.browser()
    code, q = issuer.code(begin(ana))
    page = back(eve, q, code=code, state=q["state"])  # login CSRF: somebody else's answer
    assert page.status == 400 and "did not begin" in page.said
    begin(eve)
    assert back(eve, q, code=code, state=q["state"]).status == 400, "nor with a try of one's own"
    kept = dict(ana.jar[urllib.parse.urlsplit(hub.origin).hostname])
    assert back(ana, q, code=code, state=q["state"] + "x").status == 400
    ana.jar[urllib.parse.urlsplit(hub.origin).hostname] = dict(kept)
    assert back(ana, q, code=code, state=q["state"]).status == 303
    ana.jar[urllib.parse.urlsplit(hub.origin).hostname] = dict(kept)  # replayed, cookie and all
    again = back(ana, q, code=code, state=q["state"])
    assert again.status == 409 and "had its answer" in again.said, again
    assert hub.browser().get("/-/oidc/standin/callback?code=x&state=y").status == 400


def test_answers_of_another_issuer(hub, issuer, other):
    issuer.person = person()
    ana = hub.browser()
    before = other.asked("/token")
    code, q = issuer.code(begin(ana))
    page = ana.get("/-/oidc/other/callback?" + urllib.parse.urlencode({"code": code, "state": q["state"]}))
    assert page.status == 400 and "did not begin" in page.said
    assert other.asked("/token") == before
    page = sign_in(ana, issuer, iss=other.url)
    assert page.status == 400 and "another issuer has answered" in page.said
    assert sign_in(ana, issuer, iss=issuer.url).status == 303


def test_an_account_is_never_taken_over(hub, issuer):
    victim = hub.browser()
    assert hub.browser().post("/-/sign-up", {"email": "victim@example.org", "name": "V", "password": PASSWORD}).status == 303
    link = re.search(r"http\S+/-/verify\?token=(\S+)", text_of(wait_for(lambda: mails_to(hub, "victim@example.org"))[0]))
    assert victim.post("/-/verify", {"token": link.group(1), "chosen": PASSWORD}).status == 303
    issuer.person = person(email="victim@example.org", email_verified=False)
    eve = hub.browser()
    page = sign_in(eve, issuer)
    assert page.status == 403 and "did not confirm" in page.said, page
    issuer.person["email_verified"] = "no"
    assert sign_in(eve, issuer).status == 403
    assert signed_in_as(eve) is None and len(mails_to(hub, "victim@example.org")) == 1
    # Verified: the owner is asked in the mailbox, and nobody is signed in before.
    issuer.person["email_verified"] = True
    page = sign_in(eve, issuer)
    assert page.status == 200 and "Look into your mailbox" in page.said and signed_in_as(eve) is None
    mail = wait_for(lambda: mails_to(hub, "victim@example.org")[1:])[0]
    assert "Stand-in" in mail["subject"]
    token = re.search(r"/-/link-identity\?token=(\S+)", text_of(mail)).group(1)
    owner = hub.browser()
    assert owner.get(f"/-/link-identity?token={token}").status == 200
    assert sign_in(hub.browser(), issuer).status == 200, "looking at the link has changed nothing"
    assert owner.post("/-/link-identity", {"token": token}).status == 303
    assert owner.post("/-/link-identity", {"token": token}).status == 404
    assert sign_in(eve, issuer).status == 303 and signed_in_as(eve) == "victim@example.org"
    assert hub.browser().get("/-/link-identity?token=nonsense").status == 404


def test_linking_and_unlinking(hub, issuer, other):
    issuer.person = person()
    ana = hub.browser()
    assert sign_in(ana, issuer).status == 303
    page = ana.get("/-/account")
    assert "Others that sign you in" in page.said and "Stand-in: " in page.said
    ids = lambda page: re.findall(r'name="id" value="(\d+)"', page.text)  # noqa: E731
    refused = ana.post("/-/account/unlink", {"id": ids(page)[0]})
    assert refused.status == 409 and "only way" in refused.said
    # A second one, with an address that nobody has verified: she is signed in, that is enough.
    other.person = person(email=None)
    page = sign_in(ana, other, "other", ana.linking("other"))
    assert page.status == 303 and page.header("location").startswith("/-/account"), page
    page = ana.get("/-/account")
    assert len(ids(page)) == 2 and "Other: " in page.said
    ben = hub.browser()
    assert sign_in(ben, other, "other").status == 303 and signed_in_as(ben) == issuer.person["email"]
    # Not to a second account, nor from another's page.
    issuer.person = person()
    cleo = hub.browser()
    assert sign_in(cleo, issuer).status == 303
    page = sign_in(cleo, other, "other", cleo.linking("other"))
    assert page.status == 409 and "another account" in page.said
    assert cleo.post("/-/account/unlink", {"id": ids(ana.get("/-/account"))[0]}).status == 409
    assert len(ids(ana.get("/-/account"))) == 2
    code, q = other.code(begin(ana, "other", ana.linking("other")))
    ana.post("/-/sign-out")
    page = back(ana, q, code=code, state=q["state"])
    assert page.status == 403 and "signed in" in page.said, "whoever linked has gone"
    assert hub.browser().get("/-/oidc/other/start?link=1").header("location").startswith("/-/sign-in")
    assert sign_in(ben, issuer, "standin", ben.linking("standin")).status == 409
    assert ben.post("/-/account/unlink", {"id": ids(ben.get("/-/account"))[1]}).status == 303
    assert len(ids(ben.get("/-/account"))) == 1


def sql(hub, text, *values):
    db = sqlite3.connect(hub.folder / "hub.db", timeout=60)
    try:
        with db:
            return db.execute(text, values).fetchall()
    finally:
        db.close()


def test_a_sign_in_by_an_issuer_is_one_past_the_second_step_too(hub, issuer):
    """... and ends when others do that began there (LIMIT_IDENTITY_AGE_S, test_groups.py)."""
    issuer.person = person()
    ana, phone = hub.browser(), hub.browser()
    assert sign_in(ana, issuer).status == 303
    ana.post("/-/account/app", {"do": "begin"})
    secret = secret_of(ana.get("/-/account/app"))
    assert ana.post("/-/account/app", {"do": "confirm", "code": code(secret)}).status == 200
    assert sign_in(phone, issuer).header("location").startswith("/-/second")
    assert phone.post("/-/second", {"code": code(secret, 30)}).status == 303
    by = sql(hub, "select s.by_identity = i.id from sessions s join identities i on i.user = s.user_id where i.subject = ?",
             issuer.person["sub"])
    assert by == [(1,), (1,)]


def test_linking_asks_again_and_begins_here(hub, issuer):
    """Another way in is opened by who has just shown who they are, from a page of the hub."""
    issuer.person = person()
    ana = hub.browser()
    assert sign_in(ana, issuer).status == 303
    button = ana.linking("other")
    start = "/-/oidc/other/start" + button
    for site in ("cross-site", "same-site", "none"):
        page = ana.get(start, headers={"Sec-Fetch-Site": site})
        assert page.status == 403 and "another site" in page.said, page
    assert ana.get(start, headers={"Sec-Fetch-Site": "same-origin"}).header("location").startswith("http://127.0.0.1")
    sql(hub, "update sessions set strong_at = 1")
    page = ana.get(start)
    assert page.header("location") == "/-/confirm?to=/-/oidc/other/start" + button.replace("?", "%3F"), page
    assert "Sign out and in again" in ana.get(page.header("location")).said, "she has no password here"
    assert ana.post("/-/account/unlink", {"id": "1"}).header("location") == "/-/confirm?to=/-/account"
    assert ana.get("/-/oidc/other/start").header("location").startswith("http://127.0.0.1"), "signing in needs none of it"


def test_a_link_to_a_page_that_leads_on_links_nothing(hub, issuer, other):
    """The pages that sign in and ask again go on to `to`, and then the browser says that the request is the hub's own. Only
    who has a page of this session knows what the button holds."""
    issuer.person = person()
    ana, eve = hub.browser(), hub.browser()
    page = sign_in(ana, issuer, query="?to=" + urllib.parse.quote("/-/oidc/other/start?link=1"))
    assert page.header("location") == "/-/oidc/other/start?link=1", page
    other.person = issuer.person = person()
    assert sign_in(eve, issuer).status == 303
    for query in ("?link=1", eve.linking("other"), ana.linking("other")[:-1], ana.linking("other") + "A"):
        page = ana.get("/-/oidc/other/start" + query, headers={"Sec-Fetch-Site": "same-origin"})
        assert page.status == 403 and "another site" in page.said, (query, page)
        assert not any(name.lower() == "set-cookie" and "vitrine_try" in value for name, value in page.headers)
    assert sign_in(ana, other, "other", ana.linking("other")).status == 303, "her own button does"
    assert "Other: " in ana.get("/-/account").said


def test_whoever_only_claimed_an_address_is_out_when_its_owner_comes(hub, issuer):
    """Somebody signs up with an address that is not theirs and waits until its owner comes by an issuer."""
    issuer.person = person()
    address = issuer.person["email"]
    eve, owner = hub.browser(), hub.browser()
    assert eve.sign_up(address, "Eve").status == 303 and eve.sign_in(address).status == 403, "not confirmed"
    assert sign_in(owner, issuer).status == 200, "asked by mail"
    mail = wait_for(lambda: [m for m in mails_to(hub, address) if "Stand-in" in m["subject"]], 60)[0]
    token = re.search(r"/-/link-identity\?token=(\S+)", text_of(mail)).group(1)
    assert owner.post("/-/link-identity", {"token": token}).status == 303
    assert sign_in(owner, issuer).status == 303 and signed_in_as(owner) == address
    assert eve.sign_in(address).status == 401, "the password was Eve's"
    assert sql(hub, "select password from users where email = ?", address) == [("",)]


def sent(hub, address, path):
    mail = wait_for(lambda: [m for m in mails_to(hub, address) if path in text_of(m)], 60)[0]
    return re.search(rf"{path}\?token=(\S+)", text_of(mail)).group(1)


def test_a_link_confirms_for_who_signed_up_only(hub):
    """Somebody signs up with an address that is not theirs, and waits until its owner follows the link."""
    address, own = "prey@example.org", "words of the owner"
    eve, owner = hub.browser(), hub.browser()
    assert eve.sign_up(address, "Eve").status == 303
    token = sent(hub, address, "/-/verify")
    page = owner.get(f"/-/verify?token={token}")
    assert page.status == 200 and "not the browser in which" in page.said, page
    for form, status in (({}, 403), ({"chosen": "a guess of the owner"}, 403), ({"password": "short"}, 400)):
        page = owner.post("/-/verify", {"token": token, **form})
        assert page.status == status and signed_in_as(owner) is None, page
    assert eve.sign_in(address).status == 403, "not confirmed by that"
    assert owner.post("/-/verify", {"token": token, "password": own}).status == 303 and signed_in_as(owner) == address
    assert eve.sign_in(address).status == 401, "the password was Eve's"
    assert eve.post("/-/verify", {"token": token}).status == 404
    assert hub.browser().sign_in(address, own).status == 303


def test_a_link_that_confirms_in_either_browser(hub):
    here, there = hub.browser(), hub.browser()
    assert here.sign_up("here@example.org").status == there.sign_up("there@example.org").status == 303
    token = sent(hub, "here@example.org", "/-/verify")
    assert "another browser" not in here.get(f"/-/verify?token={token}").said
    assert here.post("/-/verify", {"token": token}).status == 303 and signed_in_as(here) == "here@example.org"
    phone, token = hub.browser(), sent(hub, "there@example.org", "/-/verify")
    assert phone.post("/-/verify", {"token": token, "chosen": PASSWORD}).status == 303
    assert signed_in_as(phone) == "there@example.org" and hub.browser().sign_in("there@example.org").status == 303


def test_administrators_by_group(hub, issuer):
    hub.admin()
    issuer.person = person(groups=["staff", "boss"])
    ana = hub.browser()
    assert sign_in(ana, issuer).status == 303
    assert ana.get("/-/admin").status == 200
    issuer.person["groups"] = ["staff"]
    assert sign_in(ana, issuer).status == 303
    assert ana.get("/-/admin").status == 404, "and no more when the group is gone"


def test_what_the_token_lacks_is_asked_for(hub, issuer):
    issuer.person = {"sub": "short"}
    issuer.userinfo = {"sub": "short", "email": "short@example.org", "email_verified": True, "name": "Short"}
    ana = hub.browser()
    assert sign_in(ana, issuer).status == 303 and signed_in_as(ana) == "short@example.org"
    issuer.person, issuer.userinfo = {"sub": "eve"}, {**issuer.userinfo, "sub": "short"}
    page = sign_in(hub.browser(), issuer)
    assert page.status == 400 and "somebody else" in page.said


def test_refusals_are_told(hub, issuer):
    issuer.person = person()
    ana = hub.browser()
    _, q = issuer.code(begin(ana))
    page = back(ana, q, error="access_denied", state=q["state"])
    assert page.status == 403 and "Stand-in did not let you in" in page.said
    _, q = issuer.code(begin(ana))
    page = back(ana, q, error="server_error", error_description="<b>down</b>", state=q["state"])
    assert page.status == 400 and "<b>down" not in page.text and "server_error" in page.said
    page = hub.browser().get("/-/oidc/standin/callback?error=access_denied&state=x")
    assert page.status == 400 and "did not begin" in page.said
    assert hub.browser().get("/-/oidc/unknown/start").status == 404
    issuer.client_secret = "changed"
    try:
        page = sign_in(ana, issuer)
        assert page.status == 503 and "client id and secret" in page.said and "hub.yaml" in page.said, page
    finally:
        issuer.client_secret = "s3 cret:+"
    code, q = issuer.code(begin(ana))
    page = back(ana, q, code=code + "x", state=q["state"])
    assert page.status == 400 and "does not take the code" in page.said, page
    page = hub.browser().get("/-/oidc/nobody/start")
    assert page.status == 503 and "Nobody" in page.said and "Try again in a moment" in page.said, page
    assert "Continue with" in hub.browser().get("/-/sign-in").said


def test_issuers_that_lie_about_themselves(make_hub, issuer):
    def start(**discovery):
        issuer.discovery = discovery
        return hub.browser().get("/-/oidc/standin/start")
    hub = make_hub(f'oidc: {{issuer: "{issuer.url}", client_id: us, client_secret: "s3 cret:+", name: standin}}')
    page = start(issuer="https://evil.example")
    assert page.status == 400 and "calls itself" in page.said and "hub.yaml" in page.said
    assert "not encrypted" in start(token_endpoint="http://evil.example/token").said
    assert "names no jwks_uri" in start(jwks_uri=None).said
    issuer.answers["/.well-known/openid-configuration"] = lambda r: (302, {}, {"Location": "http://127.0.0.1:1/"})
    assert "status 302" in start().said, "no redirect is followed"
    issuer.answers["/.well-known/openid-configuration"] = lambda r: (200, b"{" + b" " * limits.LIMIT_OIDC_DOCUMENT)
    assert start().status == 503  # LIMIT_OIDC_DOCUMENT
    issuer.answers["/.well-known/openid-configuration"] = lambda r: (200, b"[" * 100000)
    assert start().status == 400
    issuer.answers.clear()
    # Endpoints on other hosts must be public: this machine's own network is not to be asked for them.
    issuer.person = person()
    assert start(jwks_uri="https://localhost:1/jwks").status == 303
    code, q = issuer.code(begin(b := hub.browser()))
    page = back(b, q, code=code, state=q["state"])
    assert page.status == 403 and "inside of this network" in page.said, page


def test_slow_issuers(make_hub, issuer):
    """LIMIT_OIDC_MS; the other pages do not wait for it."""
    hub = make_hub(f'oidc: {{issuer: "{issuer.url}", client_id: us, client_secret: "s3 cret:+", name: standin}}',
                   env=limits.lowered(OIDC_MS=300))
    issuer.answers["/.well-known/openid-configuration"] = lambda r: (issuer.release.wait(20), (200, {}))[1]
    try:
        page = hub.browser().get("/-/oidc/standin/start")
        assert page.status == 503 and "does not answer in time" in page.said, page
    finally:
        issuer.release.set()


def test_tries_end(make_hub, issuer):
    """LIMIT_IDENTITY_TRY_S"""
    hub = make_hub(f'oidc: {{issuer: "{issuer.url}", client_id: us, client_secret: "s3 cret:+", name: standin}}',
                   env=limits.lowered(IDENTITY_TRY_S=1))
    issuer.person = person()
    ana = hub.browser()
    code, q = issuer.code(begin(ana))
    jar = urllib.parse.urlsplit(hub.origin).hostname
    kept = dict(ana.jar[jar])

    def over():
        ana.jar[jar] = dict(kept)
        return "did not begin" in back(ana, q, error="x", state=q["state"]).said
    wait_for(over)


def test_secret_in_the_body(make_hub, issuer):
    hub = make_hub(f'oidc: {{issuer: "{issuer.url}", client_id: us, client_secret: {{$env: A_SECRET}}, name: standin}}',
                   env={"A_SECRET": "s3 cret:+"})
    issuer.methods, issuer.person = ["client_secret_post"], person()
    assert sign_in(hub.browser(), issuer).status == 303


def test_closed_to_strangers(make_hub, issuer):
    hub = make_hub(f'sign_up: invited\noidc: {{issuer: "{issuer.url}", client_id: us, client_secret: "s3 cret:+", name: standin}}')
    issuer.person = person()
    page = sign_in(hub.browser(), issuer)
    assert page.status == 403 and "without an invitation" in page.said
    hub = make_hub(f'sign_up: invited\noidc: {{issuer: "{issuer.url}", client_id: us, client_secret: "s3 cret:+", name: standin,'
                   ' groups: [staff]}')
    assert sign_in(hub.browser(), issuer).status == 403
    issuer.person["groups"] = ["staff"]
    assert sign_in(hub.browser(), issuer).status == 303, "whom the group lets in is asked in"


def test_signing_out_there_too(hub, issuer):
    issuer.person = person()
    ana = hub.browser()
    assert sign_in(ana, issuer).status == 303
    page = ana.follow(ana.post("/-/sign-out"))
    assert "Sign out of Stand-in too" in page.said and issuer.url + "/end?" in page.text
    assert signed_in_as(ana) is None
    plain = hub.browser()
    assert plain.get("/-/signed-out?by=nobody").header("location").startswith("/")


def test_github(hub, github):
    ana = hub.browser()
    page = sign_in(ana, github, "github")
    assert page.status == 403 and "organizations" in page.said, page
    github.memberships = {"club": "pending"}
    assert sign_in(ana, github, "github").status == 403
    github.memberships = {"club/team": "active"}
    page = sign_in(ana, github, "github")
    assert page.status == 303, page
    assert signed_in_as(ana) == "octo@example.org" and "GitHub: Octo" in ana.get("/-/account").said
    github.user = {"id": 42, "login": "Renamed", "name": "R"}
    assert sign_in(ana, github, "github").status == 303 and "GitHub: Renamed" in ana.get("/-/account").said
    github.user = {"id": 43, "login": "Eve"}
    github.emails = [{"email": "eve@example.org", "primary": True, "verified": False}]
    page = sign_in(hub.browser(), github, "github")
    assert page.status == 403 and "did not confirm" in page.said
    ben = hub.browser()
    _, q = github.code(begin(ben, "github"))
    page = back(ben, q, code="wrong", state=q["state"])
    assert page.status == 400 and "gives no token" in page.said
    assert back(ben, q, code="x", state="y").status == 400


# ---- a certified issuer (npm oidc-provider), with its own pages ----

def test_a_certified_issuer(make_hub, tmp_path):
    """Start, its sign-in and consent pages, back, who it is; and out again by its own page."""
    port = free_port()
    origin = f"http://{DOMAIN}:{port}"
    if not (HERE.parent.parent / "node_modules/oidc-provider").is_dir() or not shutil.which("node"):
        pytest.skip("npm oidc-provider is not installed")
    run = subprocess.Popen(["node", HERE / "issuer.mjs", "us", "a secret", f"{origin}/-/oidc/real/callback", origin + "/"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = run.stdout.readline().strip()
        if not url:
            pytest.skip("npm oidc-provider does not run with this node")
        hub = make_hub(f'oidc: {{issuer: "{url}", client_id: us, client_secret: "a secret", label: Real,'
                       ' admins: [boss]}', port=port)
        ana = hub.browser()
        page = certified(ana, begin(ana, "real", "?to=/-/account"), "boss-ana")
        assert page.status == 303 and page.header("location") == "/-/account", page
        assert signed_in_as(ana) == "boss-ana@example.org" and "Boss-ana" in ana.get("/-/account").said
        assert ana.get("/-/admin").status == 200, "groups came from the userinfo endpoint"
        out = ana.follow(ana.post("/-/sign-out"))
        assert f"{url}/session/end?" in html.unescape(out.text)
        page = certified(hub.browser(), begin(b := hub.browser(), "real"), "no-ben", b)
        assert page.status == 403 and "did not confirm" in page.said
    finally:
        run.stdin.close()
        run.wait(20)


def certified(browser, url, login, back_with=None):
    """Goes through the issuer's pages as `login`, and comes back with the browser."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    home = browser.hub.origin

    class Stop(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req, fp, code, msg, headers, newurl):
            if newurl.startswith(home):
                raise Back(newurl)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    class Back(Exception):
        pass
    opener, form = urllib.request.build_opener(jar, Stop), None
    for _ in range(6):
        try:
            answer = opener.open(url, form)
        except Back as to:
            return (back_with or browser).get(str(to))
        text = answer.read().decode()
        url = urllib.parse.urljoin(answer.geturl(), html.unescape(re.search(r'action="([^"]+)"', text).group(1)))
        fields = {"prompt": re.search(r'name="prompt" value="([^"]+)"', text).group(1), "login": login, "password": "x"}
        form = urllib.parse.urlencode(fields).encode()
    raise AssertionError(f"no way back from {url}")
