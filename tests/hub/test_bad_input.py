# SPDX-License-Identifier: Apache-2.0
"""What strangers send: names that look like others, links that lead elsewhere, headers inside of values, forged hosts,
bytes that are no text. Refused with a sentence, and nothing of it is kept."""
import base64
import email
import email.policy
import hashlib
import html
import json
import re
import secrets
import urllib.parse

import pytest
from hub_rig import DOMAIN, PASSWORD, Hub, at_once, wait_for
from test_hub_permissions import People, everything, rows, sql
from test_teams import join, new_team, person


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    made = People(tmp_path_factory.mktemp("bad"))
    yield made
    made.hub.stop()


@pytest.fixture(scope="module")
def posted(tmp_path_factory):
    """A hub whose mails are files; addresses need not be confirmed."""
    folder = tmp_path_factory.mktemp("posted")
    (folder / "mails").mkdir()
    made = Hub(folder, f'verify_email: false\nmail: {{url: "file:{folder}/mails", from: "Data <data@example.org>"}}')
    made.mails = folder / "mails"
    yield made
    made.stop()


def mails_to(hub, address, subject=""):
    found = [email.message_from_bytes(p.read_bytes(), policy=email.policy.default) for p in sorted(hub.mails.glob("*.eml"))]
    return [m for m in found if m["to"] == address and subject in m["subject"]]


def link_in(mail, path):
    return re.search(rf"(http\S+?){path}\?token=(\S+)", mail.get_body(("plain",)).get_content()).groups()


# ---- names of spaces

NAMES = [
    # homographs: Cyrillic, Greek, fullwidth, mathematical letters; what is not seen; what turns the reading around
    "\u0430rchive", "arch\u0456ve", "arc\u04bbive", "\u03bfpen", "\uff4duseum", "\U0001d426useum", "mus\u00e9um", "muse\u0301um",
    "mus\u200beum", "mus\u200deum", "mus\u00adeum", "\u202emuesum", "mu\u2060seum", "\ufeffmuseum", "muse\u2024um", "muse\u3002um",
    "muse\u2010um", "mu\u017feum",
    # as name servers write them, as addresses
    "xn--80ak6aa92e", "xn--museum", "mu--seum", "museum.", ".museum", "museum.evil", "museum:80", "a@museum", "museum/../x", "..",
    "mus eum", "mus\teum", "mus\neum", "mus\r\nX: y", "mus\x00eum", "mus%65um", "mus%00eum", "*", "*museum", "museum#", "museum?x",
    "<b>museum", "'museum", "museum;", "-museum", "museum-", "MUSEUM", "_acme-challenge", "mu_seum",
    # kept for the system, and what reads the same
    "www", "WWW", "admin", "login", "l0gin", "1ogin", "log-in", "adm1n", "adrnin", "supp0rt", "bi11ing", "vvww", "ma1l", "ap-i",
]


@pytest.mark.parametrize("path, form", [("/-/new", {}), ("/spaces/beside", {"visibility": "private"}), ("/spaces/beside/clone",
    {})])
def test_names_that_look_like_others(people, path, form):
    before = everything(people.hub)["spaces"]
    browser, wrong = people.browser("owner"), []
    for name in NAMES:
        page = browser.post(path, {"title": "Title", "name": name, **form})
        if page.status != 400 or "class=" not in page.text or not re.search("letters|hyphen|kept for|no text", page.said):
            wrong.append((name, page))
    assert not wrong, wrong
    assert everything(people.hub)["spaces"] == before


def test_a_title_makes_no_reserved_name(people):
    """Where nobody typed a name, one is made of the title: by the same rules."""
    for title in ("WWW", "Log in", "L0gin", "Log: in!", "\u202e"):
        assert people.browser("owner").post("/-/new", {"title": title}).status == 400, title


# ---- addresses to go to

EVIL = ["//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example",
        "https://evil.example", "https:evil.example", "https:/evil.example", "http:\\\\evil.example", "HTTPS://evil.example/",
        "//evil.example/%2f..", f"//{DOMAIN}@evil.example", f"https://{DOMAIN}@evil.example", f"https://{DOMAIN}.evil.example",
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "\tjavascript:alert(1)", "/\t/evil.example",
        "/\n/evil.example", "/\r/evil.example", "/\x0b/evil.example", "/\u2028/evil.example", " //evil.example",
        "/ /evil.example", "evil.example", "evil", "@evil.example", "?//evil", "#//evil", ":80", "/a\r\nSet-Cookie: x=1", "/\u00e9",
        "/" + "a" * 3000]
# As a path these stay here, whatever they are decoded to.
HERE = ["/%2f%2fevil.example", "/%5cevil.example", "/.//evil.example", "/..//evil.example", "/%09/evil.example",
        "/x?to=//evil.example",
        "/@evil.example", "/;//evil.example"]


def leads_here(page, hub):
    """Where a browser would go to by this answer."""
    to = page.header("location")
    url = urllib.parse.urlsplit(urllib.parse.urljoin(hub.origin + "/-/x", to.replace("\\", "/")))
    return to.startswith("/") and f"{url.scheme}://{url.netloc}" == hub.origin


def ways(people):
    """Everything that goes on to an address of the request's: name, and what it answers for one."""
    signed_in = people.browser("stranger")
    quote = urllib.parse.quote_from_bytes

    def said(page):  # a form that carries it on
        values = re.findall(r'name="to" value="([^"]*)"', page.text)
        assert page.status == 200 and values, page
        return [html.unescape(v) for v in values]

    def text(to):
        return quote(to.encode("utf-8", "surrogatepass"), safe="")

    return {
        "sign-in, signed in already": lambda to: signed_in.get("/-/sign-in?to=" + text(to)),
        "sign-in": lambda to: people.browser("nobody").sign_in("stranger@m.example", to=to),
        "sign-up": lambda to: people.browser("nobody").sign_up(f"{secrets.token_hex(6)}@e.example", to=to),
        "confirm": lambda to: signed_in.post("/-/confirm", {"to": to, "password": PASSWORD}),
        "sign-out": lambda to: people.browser("stranger").post("/-/sign-out", {"to": to}),
        "form of sign-in": lambda to: said(people.browser("nobody").get("/-/sign-in?to=" + text(to))),
        "form of sign-up": lambda to: said(people.browser("nobody").get("/-/sign-up?to=" + text(to))),
        "form of second": lambda to: said(people.browser("second").get("/-/second?to=" + text(to))),
        "form of confirm": lambda to: said(signed_in.get("/-/confirm?to=" + text(to))),
    }


WAYS = ["sign-in, signed in already", "sign-in", "sign-up", "confirm", "sign-out", "form of sign-in", "form of sign-up",
        "form of second", "form of confirm"]
SLOW = {"sign-in", "sign-up", "confirm"}  # hash a password each: a few of the list


@pytest.mark.parametrize("way", WAYS)
def test_open_redirects(people, way):
    go, wrong = ways(people)[way], []
    for to in EVIL[::4] if way in SLOW else EVIL:
        got = go(to)
        if isinstance(got, list):
            if set(got) != {"/"}:
                wrong.append((to, got))
        elif got.status != 303 or got.header("location").split("?note=")[0] != "/" or got.header("x"):
            wrong.append((to, got))
    for to in HERE[::4] if way in SLOW else HERE:
        got = go(to)
        if not isinstance(got, list) and not (got.status == 303 and leads_here(got, people.hub)):
            wrong.append((to, got))
    assert not wrong, wrong


def test_the_way_into_a_space_leads_to_that_space(people):
    browser = people.browser("owner")
    origin = people.hub.space_json("matrix")["origin"]
    for to in EVIL:
        q = urllib.parse.urlencode({"space": people.space, "state": "s", "to": to})
        page = browser.get("/-/sign-on?" + q)
        url = urllib.parse.urlsplit(page.header("location"))
        assert f"{url.scheme}://{url.netloc}" == origin and dict(urllib.parse.parse_qsl(url.query))["to"] == "/", (to, page)
    for state in ("", "s" * 201):
        assert browser.get("/-/sign-on?" + urllib.parse.urlencode({"space": people.space, "state": state})).status == 404


# ---- headers of mails

ADDRESSES = ["a@b.example\r\nBcc: all@b.example", "a@b.example\nBcc: all@b.example", "a@b.example\rBcc: all@b.example",
             "a@b.example%0d%0aBcc: all@b.example", "a@b.example\x00.evil.example", "a@b.example\x0bx",
             "a\x00@b.example", "a@b.example, c@d.example", "a@b.example;c@d.example", "a@b.example c@d.example", "<a@b.example>",
             "A <a@b.example>", "\"a b\"@b.example", "a@b.example>\r\nRCPT TO:<c@d.example", "\u00e4@b.example", "a@\u00e4.example",
             "a@b\u3002example", "\u202ea@b.example", "a@b.example\u2028", "\uff41@b.example", "a@[127.0.0.1]", "a@b",
             "@b.example", "a@", "a",
             "a@b..example", "a@-", "a" * 65 + "@b.example", "a@" + "b" * 250 + ".example", ""]


def test_addresses_that_would_be_headers(posted):
    owner = person(posted, "letters@example.org")
    owner.new_space("Letters", "letters")
    team = new_team(owner, "Letters")
    wrong = []
    before = {t: everything(posted)[t] for t in ("users", "invitations", "links", "team_people")}
    for address in ADDRESSES:
        for url, form in (("/-/sign-up", {"email": address, "name": "A", "password": PASSWORD}), ("/-/forgot", {"email": address}),
                          ("/spaces/letters/invitations", {"email": address, "role": "viewer"}), (team, {"do": "add",
                              "email": address})):
            page = (owner if url.startswith(("/spaces", team)) else posted.browser()).post(url, form)
            if page.status not in (400, 429) or (page.status == 429 and url.startswith("/-/sign-up")):
                wrong.append((url, address, page))
    assert not wrong, wrong
    after = everything(posted)
    assert {t: after[t] for t in before} == before
    assert not list(posted.mails.glob("*.eml"))


# Names that are taken: one line in the mail, whatever stands in them.
LINES = ["Ana Bcc: all@example.org", "Ana Bcc: all of example", "=?utf-8?q?x?=", "=?UTF-8?B?Cg==?=", "A" * 100,
         "\u00c4" * 50, "Ana <a@b.example>",
         "\"Ana\", b@c.example",
         "Ana\\r\\nBcc: x@y.example", "Ana%0d%0aBcc: x@y.example", "\U0001f600" * 20]
# And those that are not.
CONTROL = ["Ana\r\nBcc: all@example.org", "Ana\nX: y", "Ana\rX: y", "Ana\x00", "Ana\x1b[31m", "Ana\x7f", "Ana\u0085X: y",
           "Ana\u2028X: y",
           "Ana\u2029X", "\u202egro.elpmaxe", "\u2066Ana\u2069", "A\u200bna", "\ufeffAna", "\u009bAna", " ", "", "n" * 101,
           "\u00e4" * 51]


def test_names_that_would_be_headers(posted):
    owner = person(posted, "names@example.org")
    owner.new_space("Names", "names")
    team = new_team(owner, "Names")
    wrong = []
    for name in CONTROL:
        for url, form in (("/-/account", {"name": name}), ("/spaces/names", {"title": name, "visibility": "private"}),
                          ("/-/new", {"title": name, "name": "of-control"}), (team, {"do": "rename", "name": name}),
                          ("/-/teams", {"name": name})):
            page = owner.post(url, form)
            if page.status != 400:
                wrong.append((url, name, page))
    assert not wrong, wrong
    for i, name in enumerate(LINES):
        assert owner.post("/-/account", {"name": name}).status == 303, name
        assert owner.post("/spaces/names", {"title": name, "visibility": "private"}).status == 303, name
        to = f"guest{i}@example.org"
        assert owner.post("/spaces/names/invitations", {"email": to, "role": "viewer"}).status == 303
        mail = wait_for(lambda: mails_to(posted, to), 60)[0]
        assert mail.defects == [] and mail["bcc"] is None and mail["x"] is None and mail["cc"] is None, mail
        assert len(mail.get_all("to")) == len(mail.get_all("subject")) == len(mail.get_all("from")) == 1
        assert mail["from"].addresses[0].addr_spec == "data@example.org" and "\n" not in mail["subject"]
        assert [a.addr_spec for a in mail["to"].addresses] == [to]


def test_mails_are_about_this_host_whoever_asks(posted):
    """A link that somebody else's Host leads to would bring its secret there."""
    assert person(posted, "host@example.org")
    forged = [{"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example;proto=https"},
              {"X-Forwarded-Server": "evil.example"},
              {"X-Host": "evil.example"}, {"X-Original-Host": "evil.example"}, {"X-Forwarded-Proto": "https",
                  "X-Forwarded-Port": "1"},
              {"X-Forwarded-Prefix": "//evil.example"}, {"X-Original-URL": "//evil.example/"}, {"X-Rewrite-URL": "//evil.example/"},
              {"Referer": "https://evil.example/"}]
    for i, headers in enumerate(forged):
        assert posted.browser(f"127.2.0.{i + 1}").post("/-/forgot", {"email": "host@example.org"},
                                                       headers=headers).status == 303, headers
    found = wait_for(lambda: (m := mails_to(posted, "host@example.org", "Choose")) and len(m) >= 5 and m, 60)
    for mail in found:
        assert link_in(mail, "/-/reset")[0] == posted.origin
        assert "evil" not in mail.as_string()


@pytest.mark.parametrize("host", [
    "evil.example", f"{DOMAIN}.evil.example", f"evil.example:80@{DOMAIN}", f"x.y.{DOMAIN}", "localhost", "127.0.0.1", "", " ",
    f"{DOMAIN}/../", f"{DOMAIN}#", f"{DOMAIN}\x00", f"evil{DOMAIN}", "[::1]", f"{DOMAIN}:80:80", f"{DOMAIN} evil.example"])
def test_forged_hosts(people, host):
    try:
        page = people.browser("owner").ask("GET", "/-/account", headers={"Host": host})
    except ValueError:
        pytest.skip("the client does not send it")
    assert page.status in (400, 404, 421), page
    assert "owner@m.example" not in page.text and "evil" not in (page.header("location") or "")


def test_forged_addresses_of_clients(people):
    """Sessions and the log say where somebody came from, not what they say."""
    for name, value in (("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9"), ("X-Real-IP", "203.0.113.9"),
                        ("True-Client-IP", "203.0.113.9"), ("CF-Connecting-IP", "203.0.113.9"), ("X-Forwarded-For", "x\", \"y")):
        assert people.browser("nobody").post("/-/sign-in", {"email": "viewer@m.example", "password": PASSWORD},
                                             headers={name: value}).status == 303
    assert not sql(people.hub, "select id from sessions where address like '203.%' or address like '%\"%' union all"
                               " select id from audit where address like '203.%'")


# ---- links that were used

def test_a_reset_link_is_good_once_and_ends_with_the_password(posted):
    ana = person(posted, "once@example.org")
    ask = lambda n: (posted.browser(f"127.3.0.{n}").post("/-/forgot", {"email": "once@example.org"}),  # noqa: E731
                     wait_for(lambda: mails_to(posted, "once@example.org", "Choose")[n - 1:], 60)[0])[1]
    first, second = link_in(ask(1), "/-/reset")[1], link_in(ask(2), "/-/reset")[1]
    new = "another four words now"
    results = at_once(*(lambda: posted.browser().post("/-/reset", {"token": first, "password": new}),) * 2)
    assert sorted(r.status for r in results) in ([303, 404], [303, 409]), results
    for token in (first, second, first.swapcase(), first + "A", first[:-1], "", "A" * 5000, "'--", "\x00"):
        page = posted.browser().post("/-/reset", {"token": token, "password": "yet another set of words"})
        missing = 400 if "\x00" in token else 404
        assert page.status == missing, (token, page)
        assert posted.browser().get("/-/reset?" + urllib.parse.urlencode({"token": token})).status == missing
    assert ana.get("/-/account").status == 303, "signed out everywhere"
    # A link that was asked for before the password was changed in another way.
    third = link_in(ask(3), "/-/reset")[1]
    user = sql(posted, "select id from users where email = 'once@example.org'")[0][0]
    sql(posted, "insert into links (hash, kind, user_id, email, created_at, ends_at) values (?, 'address', ?, 'thief@example.org',"
                " 1, 99999999999)", hashlib.sha256(b"to-another-address").hexdigest(), user)
    ana.sign_in("once@example.org", new)
    assert ana.post("/-/account/password", {"old": new, "password": PASSWORD}).status == 303
    assert posted.browser().post("/-/reset", {"token": third, "password": new}).status == 404
    assert posted.browser().post("/-/new-address", {"token": "to-another-address"}).status == 404
    # Of one kind of link another cannot be made.
    fourth = link_in(ask(4), "/-/reset")[1]
    for path in ("/-/verify", "/-/admin-link", "/-/link-identity", "/-/invitation", "/-/new-address"):
        assert posted.browser().post(path, {"token": fourth, "email": "x@example.org", "password": PASSWORD}).status == 404, path
    assert not sql(posted, "select 1 from links where hash in (?, ?)", first, fourth), "only hashes are kept"


def test_whoever_only_claimed_an_address_is_out_when_its_owner_comes(posted):
    """Somebody signs up with an address that is not theirs, and stays signed in; then its owner sets a password."""
    thief = person(posted, "claimed@example.org")
    user = sql(posted, "select id from users where email = 'claimed@example.org'")[0][0]
    sql(posted, "insert into passkeys (id, user_id, name, key, counter, aaguid, backed_up, made_at) values"
                " (x'0badcafe', ?, 'Thief', x'00', 0, x'00', 0, 1)", user)
    sql(posted, "insert into identities (user, provider, issuer, subject, who, created_at, used_at) values"
                " (?, 'x', 'https://x.example', 'thief', 'Thief', 1, 1)", user)
    assert thief.get("/-/account").status == 200
    posted.browser("127.4.0.1").post("/-/forgot", {"email": "claimed@example.org"})
    token = link_in(wait_for(lambda: mails_to(posted, "claimed@example.org", "Choose"), 60)[0], "/-/reset")[1]
    owner = posted.browser()
    assert owner.post("/-/reset", {"token": token, "password": "her own four words"}).status == 303
    assert owner.get("/-/account").status == 200 and thief.get("/-/account").status == 303
    assert thief.sign_in("claimed@example.org").status == 401
    for table, column in (("passkeys", "user_id"), ("identities", "user"), ("devices", "user_id")):
        left = sql(posted, f"select count(*) from {table} where {column} = ?", user)[0][0]
        assert left == (1 if table == "devices" else 0), table


def test_forgot_writes_as_much_for_nobody(posted):
    """So that an answer which waits for the disk does not tell who has an account."""
    count = lambda: sql(posted, "select count(*) from links")[0][0]  # noqa: E731
    person(posted, "timing@example.org")
    for address in ("timing@example.org", "no-timing@example.org"):
        before = count()
        page = posted.browser("127.5.0.1").post("/-/forgot", {"email": address})
        assert page.status == 303 and page.header("location") == "/-/sign-in?note=mail-sent" and count() == before + 1, address
    assert not mails_to(posted, "no-timing@example.org")


def test_invitations_end_with_the_right_to_invite(people):
    hub, owner = people.hub, people.owner
    boss, guest = person(hub, "boss@m.example"), person(hub, "late@m.example")
    owner.new_space("Board", "board")
    join(hub, owner, "board", boss, "boss@m.example", "owner")
    invite = lambda: boss.post("/spaces/board/invitations", {"email": "late@m.example", "role": "owner"}).text.split(  # noqa: E731
        'value="http')[1].split('"')[0].split("token=")[1]
    token = invite()
    boss_id = sql(hub, "select id from users where email = 'boss@m.example'")[0][0]
    assert guest.get("/-/invitation?token=" + token).status == 200
    assert owner.post("/spaces/board/members", {"user": boss_id, "role": "none"}).status == 303
    for browser in (guest, boss):
        assert browser.get("/-/invitation?token=" + token).status == 404
        assert browser.post("/-/invitation", {"token": token}).status == 404
    assert sql(hub, "select count(*) from members m join spaces s on s.id = m.space_id where s.name = 'board'") == [(1,)]
    # One invitation, two who press the button at the same moment.
    token = owner.post("/spaces/board/invitations", {"email": "late@m.example", "role": "viewer"}).text.split(
        'value="http')[1].split('"')[0].split("token=")[1]
    results = at_once(lambda: guest.post("/-/invitation", {"token": token}), lambda: boss.post("/-/invitation", {"token": token}))
    assert sorted(r.status for r in results) in ([303, 404], [303, 409]), results
    assert sql(hub, "select count(*) from members m join spaces s on s.id = m.space_id where s.name = 'board'") == [(2,)]


def test_the_last_owner_who_can_act(people):
    """An owner whose account is closed, or about to go, is none that a space could be left to."""
    hub = people.hub
    kim, lee = person(hub, "kim@m.example"), person(hub, "lee@m.example")
    kim.new_space("Pair", "pair")
    join(hub, kim, "pair", lee, "lee@m.example", "owner")
    ids = dict(sql(hub, "select name, id from users where email in ('kim@m.example', 'lee@m.example')"))
    leave = lambda: kim.post("/spaces/pair/members", {"user": ids["kim"], "role": "none"})  # noqa: E731
    admin = people.browser("admin")
    assert admin.post(f"/-/admin/people/{ids['lee']}", {"do": "disable"}).status == 303
    told = lee.sign_in("lee@m.example")
    assert told.status == 403 and "account is closed" in told.said and "Ask whoever runs" in told.said, told
    assert lee.sign_in("lee@m.example", "not her password").status == 401, "others are not told"
    refused = leave()
    assert refused.status == 409 and "last owner" in refused.said
    assert kim.post("/spaces/pair/members", {"user": ids["kim"], "role": "viewer"}).status == 409
    refused = kim.post("/-/account/delete", {"do": "delete", "email": "kim@m.example"})
    assert refused.status == 409 and "only owner" in refused.said
    assert admin.post(f"/-/admin/people/{ids['lee']}", {"do": "enable"}).status == 303
    lee.sign_in("lee@m.example")
    assert lee.post("/-/account/delete", {"do": "delete", "email": "lee@m.example"}).status == 303
    assert leave().status == 409
    assert kim.post("/spaces/pair/members", {"user": ids["lee"], "role": "none"}).status == 303, "who goes anyway may be taken out"
    log = [a for a, in sql(hub, "select action from audit where object = ? order by id", ids["lee"])]
    assert [a for a in log if a.startswith("account.")] == ["account.closed", "account.opened", "account.deleted"]


# ---- text that is code

MARKUP = '<img src=x onerror=alert(1)>"\'>{{7*7}}${7*7}<!--'


def test_titles_and_names_with_markup(people):
    hub = people.hub
    mia = person(hub, "mia@m.example")
    assert mia.post("/-/account", {"name": MARKUP}).status == 303
    mia.new_space(MARKUP, "markup")
    guest = person(hub, "markup-guest@m.example")
    join(hub, mia, "markup", guest, "markup-guest@m.example", "viewer")
    team = new_team(mia, MARKUP)
    assert mia.post("/spaces/markup/members", {"team": team.rsplit("/", 1)[1], "role": "viewer"}).status == 303
    link = mia.post("/spaces/markup/invitations", {"email": "markup-other@m.example", "role": "viewer"}).text
    token = link.split('value="http')[1].split('"')[0].split("token=")[1]
    admin, seen = people.browser("admin"), 0
    pages = [(mia, p) for p in ("/", "/-/account", "/-/teams", team, "/spaces/markup", "/spaces/markup/members",
                                "/spaces/markup/delete",
                                "/spaces/markup/clone", "/spaces/markup/domains", "/-/account/delete", "/-/sign-out")]
    pages += [(admin, "/-/admin"), (guest, "/spaces/markup/members"), (hub.browser(), "/-/invitation?token=" + token)]
    pages += [(mia, "/-/sign-in?note=" + urllib.parse.quote(MARKUP)), (mia, "/" + urllib.parse.quote(MARKUP)),
              (mia, "/spaces/" + urllib.parse.quote(MARKUP, safe="")), (mia, "/-/signed-out?by=" + urllib.parse.quote(MARKUP))]
    for browser, path in pages:
        page = browser.get(path)
        assert "<img src=x" not in page.text and page.status != 500, (path, page)
        seen += "&lt;img src=x" in page.text
    assert seen >= 10, "it is shown, as text"
    # What comes back with a form that was refused.
    for url, form in (("/-/new", {"title": MARKUP, "name": MARKUP}), ("/-/sign-up", {"email": MARKUP, "name": MARKUP,
        "to": MARKUP}),
                      ("/-/sign-in", {"email": MARKUP, "to": MARKUP}), ("/spaces/markup/domains", {"host": MARKUP}),
                      ("/spaces/markup/clone", {"title": MARKUP, "name": MARKUP}), ("/-/teams", {"name": MARKUP * 9}),
                      ("/spaces/markup", {"title": MARKUP, "visibility": MARKUP, "accent": MARKUP})):
        page = mia.post(url, form)
        assert page.status in (400, 401) and "<img src=x" not in page.text, (url, page)
    page = mia.get(f"http://markup.{DOMAIN}:{hub.port}/", headers={"Accept": "text/html"})
    page = mia.follow(page, headers={"Accept": "text/html"})
    assert page.status == 200 and "<img src=x" not in page.text and "&lt;img src=x" in page.text


# ---- bytes that are no text

BYTES = {"NUL": "%00", "NUL inside": "a%00b", "bad UTF-8": "%FF%FE", "cut UTF-8": "a%C3", "overlong": "%C0%AF",
         "surrogate": "%ED%A0%80",
         "long": "a" * 50000, "many": "%26" * 5000, "SQL": "%27+or+1%3D1+--", "format": "%25s%25n%25x",
         "controls": "%01%02%1B%5B2J",
         "right to left": "%E2%80%AE", "number": "99999999999999999999", "minus": "-1", "path": "..%2F..%2Fetc%2Fpasswd"}


def fields_of():
    """Every POST of the table of permissions with each of its fields."""
    more = {"/-/sign-up": ["name", "password", "invitation", "to"], "/-/sign-in": ["password", "to"], "/-/account": ["name"],
            "/spaces/matrix": ["name", "visibility", "accent"], "/-/new": ["name"], "/spaces/matrix/clone": ["name"],
            "/-/passkey": ["client_data", "authenticator_data", "signature"], "/-/account/passkeys": ["key", "client_data",
                "attestation"],
            "/-/confirm": ["code", "signature", "to"], "/-/admin/spaces/matrix": ["why"], "/-/account/delete": ["email"]}
    found = {}
    for method, target, form, _ in rows():
        if method == "POST" and target not in ("/-/sign-out", "/-/start"):
            found.setdefault(target, {}).update(form)
            found[target].update({name: "x" for name in more.get(target, [])})
    return found


@pytest.mark.parametrize("kind", BYTES)
def test_bytes_in_every_field(people, kind):
    hub, wrong = people.hub, []
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    hashes = ("/-/sign-up", "/-/sign-in", "/-/confirm", "/-/account/password")  # slow, and counted
    for target, form in fields_of().items():
        browser = people.browser("admin" if "/admin/" in target else "second" if target == "/-/second" else "owner")
        for name in form:
            if target in hashes and name not in ("email", "to", "name"):
                continue
            given = {k: urllib.parse.quote(v) for k, v in form.items()}
            body = "&".join(f"{k}={BYTES[kind] if k == name else v}" for k, v in given.items())
            page = browser.ask("POST", people.target(target), body, headers=form_type)
            try:
                page.body.decode()
            except UnicodeDecodeError:
                wrong.append((target, name, "answers with bytes that are no UTF-8"))
            if page.status not in (303, 400, 401, 403, 404, 409, 413, 429) or b"\0" in page.body:
                wrong.append((target, name, page.status, page.body[:300]))
            if page.status == 303 and re.search(r"[^\x21-\x7e]", page.header("location")):
                wrong.append((target, name, page.header("location")))
    assert not wrong, wrong
    for table, columns in {"users": ("email", "name"), "spaces": ("name", "title"), "teams": ("name",), "invitations": ("email",
        )}.items():
        for column in columns:
            bad = sql(hub, f"select {column} from {table} where instr({column}, char(0)) or length({column}) > 260 or"
                           f" instr({column}, char(27)) or typeof({column}) <> 'text'")
            assert not bad, (table, bad)
    assert hub.browser().get("/-/health").status == 200


@pytest.mark.parametrize("kind", [k for k in BYTES if k not in ("many",)])
def test_bytes_in_addresses(people, kind):
    browser, text, wrong = people.browser("admin"), BYTES[kind][:4000], []
    for path in ("/{}", "/spaces/{}", "/spaces/{}/members", "/spaces/{}/download", "/-/teams/{}", "/-/oidc/{}/start",
                 "/-/oidc/{}/callback",
                 "/-/{}", "/-/static/{}", "/-/sign-in?to={}", "/-/verify?token={}", "/-/reset?token={}", "/-/invitation?token={}",
                 "/-/sign-on?space={}&state=s", "/-/sign-on?space=x&state={}", "/?note={}", "/-/signed-out?by={}", "/-/?{}={}",
                 "/?%FF=%00"):
        page = browser.get(path.replace("{}", text))
        try:
            page.body.decode()
        except UnicodeDecodeError:
            wrong.append((path, "answers with bytes that are no UTF-8"))
        if page.status >= 500 or b"\0" in page.body:
            wrong.append((path, page.status, page.body[:300]))
    for path in ("/-/admin/people/{}", "/-/admin/spaces/{}"):
        page = browser.post(path.replace("{}", text), {"do": "disable"})
        if page.status not in (400, 404):
            wrong.append((path, page))
    assert not wrong, wrong


@pytest.mark.parametrize("body, status", [
    (b"{", 400), (b"[]", 400), (b'"x"', 400), (b"", 400), (b'{"title": {"a": 1}}', 400), (b'{"title": 5}', 400),
    (b'{"title": null}', 400),
    (b'{"title": "a\\u0000b"}', 400), (b'{"title": "a\\ud800"}', 400), (b'{"title": "\xff"}', 400), (b"[" * 30000, 400),
    (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400), (b'{"title": "' + b"a" * 70000 + b'"}', 413)], ids=range(13))
def test_json_that_is_no_form(people, body, status):
    before = everything(people.hub)["spaces"]
    page = people.browser("owner").ask("POST", "/-/new", body, headers={"Content-Type": "application/json"})
    assert page.status == status, page
    assert everything(people.hub)["spaces"] == before


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "",
                                  "application/x-www-form-urlencoded, x"])
def test_bodies_of_another_type(people, kind):
    page = people.browser("owner").ask("POST", "/-/new", b"title=Hello", headers={"Content-Type": kind})
    assert page.status == 400, page


def test_no_line_of_the_log_is_forged(people):
    """What strangers say stands in the log as text of one line."""
    hub = people.hub
    mark = "forged" + secrets.token_hex(4)
    people.browser("nobody").get(f"/-/oidc/x%0a{mark}%1b%5b31m/start")
    people.browser("nobody").get(f"/{mark}%0d%0a{mark}", headers={"User-Agent": f"{mark} x"})
    people.browser("owner").post("/spaces/matrix/domains", {"host": f"{mark}\n{mark}.example"})
    people.browser("nobody").sign_in(f"{mark}\n2026-01-01T00:00:00.000Z ERROR {mark}@example.org", "x")
    logs = [hub.log_path, *(hub.folder / "edge/logs").glob("*")]
    for line in "\n".join(p.read_text(errors="replace") for p in logs).split("\n"):
        assert not line.startswith(mark) and "\x1b" not in line and "\r" not in line, line


# ---- a second sign-in in one browser


def test_signing_in_again_ends_the_session_before_it(people):
    """Also in the spaces that it was used in: they are told at once."""
    hub, browser = people.hub, people.browser("owner")
    page = browser.get(f"/-/sign-on?space={people.space}&state=s&to=/")
    assert page.status == 303
    old = browser.jar[DOMAIN]["vitrine_hub"]
    assert browser.sign_in("owner@m.example").status == 303
    assert browser.jar[DOMAIN]["vitrine_hub"] != old, "another secret than before: none can be planted"
    told = json.loads((hub.folder / "spaces" / people.space / "space.json").read_text())
    payload = page.header("location").split("ticket=")[1].split("&")[0].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sid"] in told["revoked"]
    stale = hub.browser()
    stale.jar[DOMAIN] = {"vitrine_hub": old}
    assert stale.get("/-/account").status == 303


def test_a_session_that_is_made_up_is_not_taken(people):
    """Fixation: a value that somebody else put into the cookie becomes no session."""
    browser = people.browser("nobody")
    browser.jar[DOMAIN] = {"vitrine_hub": "A" * 43}
    assert browser.sign_in("editor@m.example").status == 303
    assert browser.jar[DOMAIN]["vitrine_hub"] != "A" * 43
    secret = browser.jar[DOMAIN]["vitrine_hub"]
    assert len(secret) == 43 and not sql(people.hub, "select 1 from sessions where hash = ? or id = ?", secret, secret)
