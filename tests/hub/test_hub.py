# SPDX-License-Identifier: Apache-2.0
"""People, spaces and members, asked over HTTP."""
import base64
import gzip
import json
import os
import re
import stat
import subprocess

import pytest
import serving
from hub_rig import DOMAIN, PASSWORD, at_once, wait_for


def test_first_administrator_by_a_link_that_works_once(make_hub):
    hub = make_hub()
    admin = hub.admin()
    assert "Administration" in admin.get("/-/admin").said
    again = hub.browser().post("/-/admin-link", {"token": hub.admin_link.split("token=")[1], "email": "x@example.org",
                                                 "password": PASSWORD})
    assert again.status == 404 and "used already" in again.said
    assert hub.browser().sign_up("plain@example.org").status == 303
    person = hub.browser()
    person.sign_in("plain@example.org")
    assert person.get("/-/admin").status == 404, "administration is hidden from others"
    # The last administrator stays one.
    page = admin.get("/-/admin").text
    me = page.split("/-/admin/people/")[1:]
    ids = {part[:13] for part in me}
    refused = [admin.post(f"/-/admin/people/{i}", {"do": "unmake-admin"}) for i in ids]
    assert sorted(r.status for r in refused) == [303, 409], refused
    assert admin.get("/-/admin").status == 200


@pytest.mark.parametrize("command", [["hub", "check"], ["up"], ["fleet", "status"]], ids=" ".join)
def test_every_command_looks_in_the_same_folder(command, tmp_path):
    done = subprocess.run([serving.PROGRAM, *command], env={**os.environ, "VITRINE_HUB": str(tmp_path)}, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 5 and f"there is no hub in '{tmp_path}'" in done.stderr, done


def init(folder, domain, *more):
    code, out, err = serving.run("hub", "init", "--domain", domain, "--dir", folder, *more)
    assert code == 0, err
    checked = serving.run("hub", "check", "--dir", folder)
    assert checked[0] == 0, checked
    return out, (folder / "hub.yaml").read_text()


def test_two_commands_are_enough_on_a_server(tmp_path):
    """Nothing is asked that most would answer alike: the certificates are Let's Encrypt's."""
    out, text = init(tmp_path / "a", "data.example.org")
    assert "letsencrypt.org/repository" in out and "*.data.example.org must lead to this machine" in out, out
    assert "https://data.example.org/-/admin-link?token=" in out
    assert '\nacme: {mail: "-", agree: true}\n' in text and '\nlisten_tls: [":443"]\n' in text, text
    out, text = init(tmp_path / "b", "data.example.org", "--acme", "ana@example.org")
    assert '\nacme: {mail: "ana@example.org", agree: true}\n' in text
    out, text = init(tmp_path / "c", "data.example.org", "--origin", "https://data.example.org")
    assert "trusted_proxies" in out and "letsencrypt" not in out and "\nlisten_tls: []\n" in text and "\n#acme" in text, (out, text)
    out, text = init(tmp_path / "d", "data.localhost")
    assert "letsencrypt" not in out and "DNS" not in out and "\n#acme" in text and "http://data.localhost:8080/-/admin" in out


@pytest.mark.parametrize("line, says", [
    ("trusted_proxies: [10.0.0.5, nobody]", "trusted_proxies.*nobody"),
    ("trusted_proxies: {a: b}", "trusted_proxies must be a list"),
    ("certificates: [{cert: /none.pem, key: /none.key}]", "certificates: '/none.pem' cannot be read.*PEM"),
    ("certificates: [x]", "needs cert and key"),
    ("acme: {mail: a@b.example}", "agree: true"),
    ("fleet: 1", '"fleet" is no key'),
    ("links: [{label: Help}]", "links must be a list of"),
    ('links: [{label: Help, url: "javascript:alert(1)"}]', "links must be a list of"),
])
def test_check_reads_what_the_edge_needs(tmp_path, line, says):
    init(tmp_path / "hub", "data.localhost")
    config = tmp_path / "hub/hub.yaml"
    text = config.read_text()
    config.write_text(f"{text}\n{line}\n")
    for command in (("hub", "check"), ("hub", "reload"), ("up",)):
        code, _, err = serving.run(*command, "--dir", tmp_path / "hub")
        assert code and "hub.yaml" in err and re.search(says, err, re.S), (command, err)
    config.write_text(text.replace('listen: ["127.0.0.1:8080"]', 'listen: ["nowhere"]'))
    code, _, err = serving.run("hub", "check", "--dir", tmp_path / "hub")
    assert code and "hub.yaml: listen" in err, err


def test_every_key_is_written_down():
    text = (serving.TOP / "src/hub/config.c").read_text()
    keys = re.findall(r'"(\w+)"', re.search(r"top_keys\[\] = \{(.*?)\};", text, re.S).group(1))
    keys += re.findall(r'"(\w+)"', re.search(r"keys\[\] = \{(\"disk_bytes.*?)\};", text, re.S).group(1))
    docs = (serving.TOP / "docs/hub.md").read_text()
    assert len(keys) > 20 and [k for k in keys if f"`{k}`" not in docs] == []


def test_a_proxy_in_front(make_hub):
    """Whom it forwards for counts, and not the proxy: attempts and devices are theirs."""
    hub = make_hub("trusted_proxies: [127.0.0.1, 10.0.0.0/8]")
    ana = hub.browser()

    def behind(address):
        return {"X-Forwarded-For": address}

    assert ana.ask("POST", "/-/sign-up", {"email": "ana@example.org", "name": "Ana", "password": PASSWORD},
                   behind("198.51.100.7")).status == 303
    assert "198.51.100." in ana.get("/-/account/sessions").said
    eve = hub.browser()
    while eve.ask("POST", "/-/sign-in", {"email": "ana@example.org", "password": "x"}, behind("203.0.113.9")).status == 401:
        pass
    assert eve.ask("POST", "/-/sign-in", {"email": "x@example.org", "password": "x"}, behind("203.0.113.9")).status in (401, 429)
    assert hub.browser().ask("POST", "/-/sign-in", {"email": "ana@example.org", "password": PASSWORD},
                             behind("198.51.100.8")).status == 303
    forged = hub.browser("127.0.0.2")  # no proxy of ours
    forged.ask("POST", "/-/sign-in", {"email": "ana@example.org", "password": PASSWORD}, behind("192.0.2.1"))
    said = forged.get("/-/account/sessions").said
    assert "127.0.0." in said and "192.0.2." not in said, said
    origin = ana.new_space("Behind", "behind")
    assert ana.get(origin + "/-/health", headers=behind("198.51.100.7")).status == 200
    id = hub.space_json("behind")["id"]
    asked = json.loads(hub.run("status", "--json", "--state", hub.folder / "edge").stdout)
    assert "trusted_proxies' '127.0.0.1, 10.0.0.0/8'" in json.dumps(asked), (id, asked)


def test_a_link_for_who_has_forgotten_the_password(hub):
    """Where no mail is sent, whoever runs the hub makes it."""
    ana, new = hub.browser(), "another four words then"
    ana.sign_up("forgot@example.org")
    page = hub.browser().get("/-/forgot")
    assert page.status == 200 and "sends no mail" in page.said and "vitrine hub reset-link" in page.said
    assert 'action="/-/forgot"' not in page.text
    sent = hub.browser().post("/-/forgot", {"email": "forgot@example.org"})
    assert sent.status == 409 and "No mail is sent here" in sent.said and "reset-link" in sent.said, sent
    unknown = hub.run("hub", "reset-link", "nobody@example.org", "--dir", hub.folder)
    assert unknown.returncode == 5 and "nobody@example.org" in unknown.stderr and "Administration" in unknown.stderr, unknown
    assert "for whom" in hub.run("hub", "reset-link", "--dir", hub.folder).stderr
    made = hub.run("hub", "reset-link", "FORGOT@example.org", "--dir", hub.folder)
    link = re.search(rf"{hub.origin}/-/reset\?token=\S+", made.stdout).group(0)
    other = hub.browser()
    assert "Set a new password" in other.get(link).said
    token = link.split("token=")[1]
    assert other.post("/-/reset", {"token": token, "password": "short"}).status == 400
    assert other.post("/-/reset", {"token": token, "password": new}).status == 303
    assert other.get("/-/account").status == 200 and ana.get("/-/account").status == 303, "all others are signed out"
    gone = hub.browser().post("/-/reset", {"token": token, "password": new})
    assert gone.status == 404 and "Ask whoever runs data.localhost" in gone.said, gone
    assert hub.browser().sign_in("forgot@example.org").status == 401
    assert hub.browser().sign_in("forgot@example.org", new).status == 303
    expired = hub.browser().get("/-/admin-link?token=x")
    assert expired.status == 404 and "vitrine hub admin-link" in expired.said


def test_words_that_are_none(tmp_path):
    for words, says in ((("hub", "frob"), "is nothing hub does.*init, check"), (("up", "now"), "nothing that up knows.*hub.yaml"),
                        (("hub", "check", "it"), "one word too many.*hub --help"), (("hub", "restore"), "which space"),
                        (("hub", "init"), "which domain.*data.localhost"), (("hub", "run"), "vitrine up"),
                        (("hub", "init", "--domain", "Data.Example"), "lower-case")):
        code, _, err = serving.run(*words, "--dir", tmp_path)
        assert code and re.search(says, err, re.S), (words, err)


def test_who_is_in_is_nobody_elses_to_read(hub):
    """Names and addresses of members: for the space's own user, which reads them all the same."""
    ana = hub.browser()
    assert ana.sign_up("closed@example.org", "Ana").status == 303
    origin = ana.new_space("Closed", "closed-space")
    path = next(p for p in (hub.folder / "spaces").glob("*/space.json") if json.loads(p.read_text())["name"] == "closed-space")
    for name, most in ((path, 0o640), (path.parent, 0o750), (path.parent.parent, 0o711)):
        assert stat.S_IMODE(name.stat().st_mode) & ~most == 0, (name, oct(name.stat().st_mode))
    group = path.parent.stat().st_gid
    assert path.stat().st_gid == group and (group != os.getgid() or os.getuid() != 0), "the group is the space's own"
    assert "Closed" in ana.follow(ana.get(origin + "/", headers={"Accept": "text/html"}), headers={"Accept": "text/html"}).said


def test_sign_up_sign_in_sign_out(hub):
    ana = hub.browser()
    assert "Make a space" in ana.get("/").said
    assert ana.follow(ana.sign_up("ana@example.org", "Ana")).status == 200
    assert "Your spaces" in ana.get("/").said
    cookie = ana.jar[DOMAIN]["vitrine_hub"]
    out = ana.follow(ana.post("/-/sign-out"))
    assert "signed out" in out.said
    ana.jar[DOMAIN] = {"vitrine_hub": cookie}
    assert "Your spaces" not in ana.get("/").said, "the old cookie opens nothing"
    wrong, unknown = hub.browser().sign_in("ana@example.org", "not her password"), hub.browser().sign_in(
        "nobody@example.org", "not her password")
    assert wrong.status == unknown.status == 401
    strip = lambda page, email: re.sub(r'data-options="[^"]*"', "", page.text.replace(email, ""))  # noqa: E731
    assert strip(wrong, "ana@example.org") == strip(unknown, "nobody@example.org")
    assert ana.sign_in("ANA@example.org").status == 303
    to = hub.browser().get("/-/account")
    assert to.status == 303 and to.header("location") == "/-/sign-in?to=/-/account"
    assert hub.browser().sign_in("ana@example.org", to="/-/account").header("location") == "/-/account"
    for bad in ("https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nSet-Cookie: x=1"):
        assert hub.browser().sign_in("ana@example.org", to=bad).header("location") == "/"


def test_files_of_pages_are_kept_packed_and_known_again(hub):
    browser = hub.browser()
    links = set(re.findall(r'(?:src|href)="(/-/static/[^"]+)"', browser.get("/").text))
    style = next(link for link in links if ".css" in link)
    plain = browser.get(style)
    assert plain.status == 200 and plain.header("content-type") == "text/css; charset=utf-8", plain
    assert plain.header("content-encoding") is None and plain.header("vary") == "Accept-Encoding"
    assert "immutable" in plain.header("cache-control") and plain.header("x-content-type-options") == "nosniff"
    for _ in range(2):
        packed = browser.get(style, headers={"Accept-Encoding": "gzip"})
        assert packed.header("content-encoding") == "gzip" and gzip.decompress(packed.body) == plain.body
        assert len(packed.body) == int(packed.header("content-length"))
    known = browser.get(style, headers={"If-None-Match": plain.header("etag")})
    assert known.status == 304 and not known.body and known.header("etag") == plain.header("etag")
    assert browser.ask("HEAD", style).header("content-length") == str(len(plain.body))
    assert browser.post(style).status == 405
    assert browser.get("/-/static/none.css").status == 404


@pytest.mark.parametrize("form, says", [
    ({"email": "no-address"}, "address"),
    ({"email": "a@b.example\r\nBcc: all@example.org"}, "address"),
    ({"email": "x" * 250 + "@example.org"}, ""),
    ({"password": "short"}, "10"),
    ({"password": "Password123"}, "first"),
    ({"name": "n" * 101}, "1 to 100 bytes"),  # LIMIT_HUB_NAME
    ({"name": "a\x01b"}, "1 to 100 bytes"),
])
def test_bad_sign_ups_are_told_what_is_wrong(hub, form, says):
    page = hub.browser().post("/-/sign-up", {"email": "bad@example.org", "name": "B", "password": PASSWORD, **form})
    assert page.status == 400 and says in page.said, page


def test_forms_of_other_sites_change_nothing(hub):
    eve = hub.browser()
    eve.sign_up("eve@example.org")
    for more in ({"origin": "https://evil.example"}, {"origin": f"http://museum.{DOMAIN}:{hub.port}"},
                 {"origin": "null", "headers": {"Sec-Fetch-Site": "same-site"}},
                 {"headers": {"Origin": None, "Sec-Fetch-Site": None}}):
        page = eve.post("/-/account", {"name": "Mallory"}, **more)
        assert page.status == 403 and "another site" in page.said, (more, page)
    assert eve.post("/-/account", {"name": "Eve"}).status == 303


def test_hosts_that_are_not_ours_are_refused(hub):
    assert hub.browser().ask("GET", "/", headers={"Host": "evil.example"}).status in (404, 421)
    page = hub.browser().ask("GET", "/-/sign-in", headers={"X-Forwarded-Host": "evil.example"})
    assert page.status == 200 and "evil.example" not in page.text


def test_a_space_is_made_and_answers(hub):
    ben = hub.browser()
    ben.sign_up("ben@example.org")
    origin = ben.new_space("City museum")
    assert origin == f"http://city-museum.{DOMAIN}:{hub.port}"
    assert "City museum" in ben.get("/").said
    told = hub.space_json("city-museum")
    assert told["title"] == "City museum" and told["visibility"] == "private" and told["origin"] == origin
    assert [m["role"] for m in told["members"].values()] == ["owner"]
    assert len(told["keys"][0]["ed25519"]) == 43
    second = ben.post("/-/new", {"title": "City Museum"})
    assert second.status == 409 and "already" in second.said
    page = ben.post("/spaces/city-museum", {"title": "Museum", "name": "museum", "visibility": "public", "accent": "#1b6e53"})
    assert page.status == 303, page
    told = hub.space_json("museum")
    assert told["visibility"] == "public" and told["theme"] == {"accent": "#1b6e53"}
    assert ben.post("/spaces/museum", {"title": "Museum", "visibility": "public", "accent": "red;}"}).status == 400
    # Nobody else sees that it is there.
    cara = hub.browser()
    cara.sign_up("cara@example.org")
    assert cara.get("/spaces/museum").status == 404 and cara.get("/spaces/no-such").status == 404
    # Deleted, and back.
    wrong = ben.post("/spaces/museum/delete", {"name": "wrong"})
    assert wrong.status == 400 and "Type museum to delete it" in wrong.said, wrong
    assert ben.post("/spaces/museum/delete", {"name": "museum"}).status == 303
    assert ben.get(f"http://museum.{DOMAIN}:{hub.port}/").status == 404
    assert re.search(r"brought back until \d{4}-\d\d-\d\d \d\d:\d\d UTC", ben.get("/").said), ben.get("/").said
    for below in ("", "/members", "/domains"):
        page = ben.get(f"/spaces/museum{below}")
        assert "This space is deleted" in page.said and 'action="/spaces/museum/restore"' in page.text, page
    assert ben.post("/spaces/museum/restore").status == 303
    assert ben.get(f"http://museum.{DOMAIN}:{hub.port}/-/health").status == 200


def test_links_at_the_foot_of_every_page(make_hub):
    hub = make_hub('links: [{label: "Imprint & terms", url: "https://example.org/i?a=1&b=2"},\n'
                   '        {label: Help, url: "mailto:h@example.org"}]')
    assert "Nobody administers data.localhost yet" in hub.browser().get("/").said
    assert f"The hub is at {hub.origin} (" in hub.log()
    assert "There are no spaces yet." in hub.run("fleet", "status", "--dir", hub.folder).stdout
    hub.admin()
    assert "Nobody administers" not in hub.browser().get("/").said
    for path in ("/", "/-/sign-in", "/-/nothing"):
        text = hub.browser().get(path).text
        assert '<a href="https://example.org/i?a=1&amp;b=2">Imprint &amp; terms</a>' in text, path
        assert '<a href="mailto:h@example.org">Help</a>' in text, path


@pytest.mark.parametrize("name, says", [
    ("ab", "3 to 40"), ("a" * 41, "3 to 40"),  # LIMIT_HUB_SPACE_NAME
    ("www", "kept for the system"), ("admin", "kept for the system"), ("-museum", "hyphen"), ("xn--80ak6aa92e", "hyphen"),
    ("müseum", "letters a to z"), ("museum.evil", "letters a to z"), ("mus/eum", "letters a to z"), ("MUSEUM", "letters a to z"),
])
def test_names_that_no_space_may_have(hub, name, says):
    dan = hub.browser()
    dan.sign_in("dan@example.org")
    if "Your spaces" not in dan.get("/").said:
        dan.sign_up("dan@example.org")
    page = dan.post("/-/new", {"title": "T", "name": name})
    assert page.status == 400 and says in page.said, page
    assert not hub.space_json(name)


def test_members_invitations_and_the_last_owner(hub):
    owner, guest = hub.browser(), hub.browser()
    owner.sign_up("owner@example.org", "Olga")
    owner.new_space("Archive")
    page = owner.post("/spaces/archive/invitations", {"email": "guest@example.org", "role": "viewer"})
    assert page.status == 200
    link = page.text.split('value="http')[1].split('"')[0]
    seen = guest.get("http" + link)
    assert "Olga invites you" in seen.said
    token = link.split("token=")[1]
    assert guest.sign_up("guest@example.org", "Gus", invitation=token).status == 303
    joined = guest.post("/-/invitation", {"token": token})
    assert joined.status == 303 and joined.header("location").startswith("http://archive.")
    assert hub.browser().get("http" + link).status == 404, "an invitation is for one"
    roles = {m["name"]: m["role"] for m in hub.space_json("archive")["members"].values()}
    assert roles == {"Olga": "owner", "Gus": "viewer"}
    assert guest.get("/spaces/archive").status == 403
    assert guest.post("/spaces/archive/invitations", {"email": "x@example.org", "role": "owner"}).status == 403
    ids = {m["name"]: i for i, m in hub.space_json("archive")["members"].items()}
    assert guest.post("/spaces/archive/members", {"user": ids["Olga"], "role": "none"}).status == 403
    last = owner.post("/spaces/archive/members", {"user": ids["Olga"], "role": "none"})
    assert last.status == 409 and "last owner" in last.said
    assert owner.post("/spaces/archive/members", {"user": ids["Gus"], "role": "owner"}).status == 303
    # Two owners who leave at the same moment: one stays.
    results = at_once(lambda: owner.post("/spaces/archive/members", {"user": ids["Olga"], "role": "none"}),
                      lambda: guest.post("/spaces/archive/members", {"user": ids["Gus"], "role": "none"}))
    assert sorted(r.status for r in results) == [303, 409]
    assert [m["role"] for m in hub.space_json("archive")["members"].values()] == ["owner"]


def test_an_address_counts_only_when_it_was_proven(hub, make_hub, tmp_path):
    """What is shared with an address is opened by tickets and members that have it."""
    thief = hub.browser()
    thief.sign_up("boss@example.org", "Thief")  # no mail is sent here: nobody has proven anything
    thief.new_space("Loot")
    space = hub.space_json("loot")
    assert [set(m) for m in space["members"].values()] == [{"role", "name"}]
    page = thief.get(f"/-/sign-on?space={space['id']}&state=abc&to=/")
    payload = page.header("location").split("ticket=")[1].split("&")[0].split(".")[1]
    assert "email" not in json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    mails = tmp_path / "mails"
    mails.mkdir()
    other = make_hub(f'mail: {{url: "file:{mails}", from: "Data <data@example.org>"}}\nverify_email: false')
    owner = other.browser()
    owner.sign_up("owner@example.org")
    owner.new_space("Trap")
    page = owner.follow(owner.post("/spaces/trap/invitations", {"email": "boss@example.org", "role": "viewer"}))
    assert page.status == 200 and "on its way" in page.said and "token=" not in page.text


def test_quota_of_spaces_holds_against_a_race(make_hub):
    hub = make_hub("", env={})
    config = hub.folder / "hub.yaml"
    hub.stop()
    config.write_text(config.read_text().replace("each: 50", "each: 2"))  # LIMIT_HUB_SPACES is what stands there
    hub.start()
    ana = hub.browser()
    ana.sign_up("ana@example.org")
    results = at_once(*(lambda i=i: ana.post("/-/new", {"title": f"Space {i}"}) for i in range(4)))
    assert sorted(r.status for r in results) == [303, 303, 409, 409], results
    assert len(list((hub.folder / "spaces").iterdir())) == 2, "nothing is left of those that were refused"


def test_sign_on_ticket_and_revocation(hub):
    fay = hub.browser()
    fay.sign_up("fay@example.org", "Fay")
    fay.new_space("Field notes")
    space = hub.space_json("field-notes")
    page = fay.get(f"/-/sign-on?space={space['id']}&state=abc&to=/db")
    assert page.status == 303
    assert page.header("location").startswith(space["origin"] + "/-/sign-on?ticket=v1.")
    payload = page.header("location").split("ticket=")[1].split("&")[0].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == space["id"] and claims["use"] == "sign-on" and claims["nonce"] == "abc"
    assert claims["exp"] - claims["iat"] == 60  # LIMIT_HUB_TICKET_S
    assert fay.get("/-/sign-on?space=snope&state=abc&to=/").status == 404
    stranger = hub.browser().get(f"/-/sign-on?space={space['id']}&state=abc&to=/")
    assert stranger.status == 303 and stranger.header("location").startswith("/-/sign-in?to=")
    assert "asks who you are" in hub.browser().get(stranger.header("location")).said
    other = fay.get(f"/-/sign-on?space={space['id']}&state=abc&to=/db&switch=1")  # another account: signs out first
    back = f"/-/sign-on?space={space['id']}&state=abc&to=%2Fdb"
    assert other.status == 200 and "Fay" in other.said and "ticket" not in other.text
    assert f'name="to" value="{back.replace("&", "&amp;")}"' in other.text
    assert claims["sid"] not in hub.space_json("field-notes")["revoked"]
    assert fay.post("/-/sign-out", {"to": back}).header("location") == back
    assert claims["sid"] in hub.space_json("field-notes")["revoked"]
    assert fay.get(back).header("location").startswith("/-/sign-in?to=")


def test_the_whole_way_into_a_space(hub):
    """A real space behind the real edge: in by the hub, out within a second after signing out there."""
    html = {"Accept": "text/html"}
    ivy, iris = hub.browser(), hub.browser()
    ivy.sign_up("ivy@example.org", "Ivy")
    origin = ivy.new_space("Way in")
    page = ivy.follow(ivy.get(origin + "/", headers=html))
    assert page.status == 200 and page.url == origin + "/" and "Way in" in page.said and "Ivy" in page.said
    assert ivy.get(origin + "/-/actor.json").json()["actor"]["role"] == "owner"
    iris.sign_up("iris@example.org", "Iris")
    page = iris.follow(iris.get(origin + "/", headers=html))
    assert page.status == 403 and "not a member" in page.said and "Ask Ivy" in page.said and "Iris" in page.said
    ivy.post("/-/sign-out")
    wait_for(lambda: ivy.get(origin + "/-/actor.json").status == 401)


def test_attempts_are_limited_and_others_are_not_locked_out(hub):
    hub.browser().sign_up("gil@example.org")
    attacker = {"X-Forwarded-For": "192.0.2.7"}  # from nobody we trust: it counts as us
    statuses = [hub.browser().post("/-/sign-in", {"email": "gil@example.org", "password": f"wrong {i} wrong"},
                                   headers=attacker).status for i in range(8)]
    assert 429 in statuses and statuses[0] == 401
    limited = hub.browser().sign_in("gil@example.org", "wrong again")
    assert limited.status == 429 and int(limited.header("retry-after")) > 0 and "Wait" in limited.said


def test_reload_takes_up_the_configuration_and_refuses_a_wrong_one(make_hub):
    hub = make_hub()
    assert hub.browser().sign_up("first@example.org").status == 303
    config = hub.folder / "hub.yaml"
    good = config.read_text()
    config.write_text(good.replace("sign_up: open", "sign_up: closed"))
    assert hub.run("hub", "reload", "--dir", hub.folder).returncode == 0
    wait_for(lambda: hub.browser().sign_up("later@example.org").status == 403)
    config.write_text(good.replace("sign_up: open", "sign_up: sometimes"))
    refused = hub.run("hub", "reload", "--dir", hub.folder)
    assert refused.returncode and "open, invited or closed" in refused.stderr, refused
    assert hub.browser().sign_in("first@example.org").status == 303, "the old one goes on"


def test_restart_keeps_everything(make_hub):
    hub = make_hub()
    ana = hub.browser()
    ana.sign_up("ana@example.org")
    origin = ana.new_space("Kept")
    hub.stop()
    hub.start()
    assert "Your spaces" in ana.get("/").said
    assert wait_for(lambda: ana.get(origin + "/-/health").status == 200)


def test_limits_of_forms(hub):
    big = hub.browser().post("/-/sign-in", {"email": "a" * 70000})  # LIMIT_HUB_FORM
    assert big.status == 413
    many = hub.browser().ask("POST", "/-/sign-in", "&".join(f"f{i}=1" for i in range(300)),  # LIMIT_HUB_FIELDS
                             {"Content-Type": "application/x-www-form-urlencoded"})
    assert many.status == 413 and "200 fields" in many.said
