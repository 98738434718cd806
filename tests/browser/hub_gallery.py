# SPDX-License-Identifier: Apache-2.0
"""A hub that has every kind of page, and who sees which: what `tests/browser/screenshots --hub` takes pictures of."""
import contextlib
import dataclasses
import email
import email.policy
import html
import json
import os
import pathlib
import re
import signal
import sys
import time
import urllib.parse

import serving
from look import look

sys.path.append(str(serving.TOP / "tests/hub"))
from authenticator import Passkey, totp  # noqa: E402
from hub_rig import DOMAIN, Hub, wait_for  # noqa: E402
from stand_in import Issuer  # noqa: E402

LONG = "The archive of everything that was ever measured in the harbour, by hand and by machine, since 1874"
WORD = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft"
CSV = b"id,name,town\n" + b"".join(b"%d,Person %d,%s\n" % (i, i, (b"Oslo", b"Rome", b"Bonn")[i % 3]) for i in range(1, 91))
SETTINGS = """
links: [{{label: Imprint, url: "https://example.org/imprint"}}, {{label: Help, url: "mailto:help@example.org"}}]
mail: {{url: "file:{folder}/mails", from: "Data <data@example.org>"}}
oidc:
- {{issuer: "{issuer}", client_id: us, client_secret: "s3 cret:+", label: The university, name: university}}
github: {{client_id: us, client_secret: x}}
"""

# Patterns of src/hub/tbl/hub_routes.h that never answer with a page.
NOT_HTML = {
    "/-/health": "JSON", "/-/sign-on": "a redirect", "/-/passkey": "a redirect, or the page of signing in",
    "/-/oidc/{}/start": "a redirect", "/-/oidc/{}/callback": "a redirect", "/-/github/start": "a redirect",
    "/-/github/callback": "a redirect", "/-/account/unlink": "a redirect", "/-/account/export": "JSON",
    "/-/start/keep": "a redirect, or the page before it", "/-/start/drop": "a redirect",
    "/spaces/{}/invitations": "the page of its people", "/spaces/{}/restore": "a redirect", "/spaces/{}/download": "a file",
    "/spaces/{}/logo": "a redirect", "/-/logo/{}": "a picture",
    "/-/admin/people/{}": "a redirect",}


@dataclasses.dataclass
class Look:
    """who: a browser of prepare(), or None. send: filled in and sent (selectors and values; a value None is clicked)
    before anything is looked at; the answer is the page."""
    pattern: str
    path: str
    who: str = None
    send: dict = None
    status: int = 200


PAGES = {
    "landing": Look("/", "/"),
    "landing-file": Look("/", "/", "visitor"),
    "sign-up": Look("/-/sign-up", "/-/sign-up"),
    "sign-up-file": Look("/-/sign-up", "/-/sign-up?to=/-/start", "visitor"),
    "sign-up-wrong": Look("/-/sign-up", "/-/sign-up", None, {"#email": "new@example.org", "#password": "short"}, 400),
    "sign-in": Look("/-/sign-in", "/-/sign-in"),
    "sign-in-note": Look("/-/sign-in", "/-/sign-in?note=mail-sent"),
    "sign-in-space": Look("/-/sign-in", "/-/sign-in?to=/-/sign-on%3Fspace=s"),
    "sign-in-confirm": Look("/-/sign-in", "/-/sign-in?note=confirm-sent"),
    "sign-in-wrong": Look("/-/sign-in", "/-/sign-in", None, {"#email": "no@example.org", "#password": "not this one"}, 401),
    "second": Look("/-/second", "/-/second", "half"),
    "second-wrong": Look("/-/second", "/-/second", "half", {"#code": "000000"}, 403),
    "forgot": Look("/-/forgot", "/-/forgot"),
    "reset": Look("/-/reset", "{reset}"),
    "reset-wrong": Look("/-/reset", "{reset}", None, {"#password": "aaaaaaaaaaaa"}, 400),
    "verify": Look("/-/verify", "{verify}", "late"),
    "verify-elsewhere": Look("/-/verify", "{verify}"),
    "verify-wrong": Look("/-/verify", "{verify}", None, {"#chosen": "not this one"}, 403),
    "link-gone": Look("/-/verify", "/-/verify?token=gone", None, None, 404),
    "admin-link": Look("/-/admin-link", "{admin_link}"),
    "link-identity": Look("/-/link-identity", "{link_identity}"),
    "invitation": Look("/-/invitation", "{invitation}"),
    "invitation-signed-in": Look("/-/invitation", "{invitation}", "new"),
    "home-empty": Look("/", "/", "new"),
    "home-file": Look("/", "/", "bringer"),
    "home-invited": Look("/", "/", "beginner"),
    "home": Look("/", "/", "owner"),
    "start": Look("/-/start", "/-/start", "bringer"),
    "start-wrong": Look("/-/start", "/-/start", "bringer", {"#title": " "}, 400),
    "new-space": Look("/-/new", "/-/new", "owner"),
    "new-space-wrong": Look("/-/new", "/-/new", "owner", {"#title": "City museum", "#name": "city-museum"}, 409),
    "space": Look("/spaces/{}", "/spaces/city-museum", "owner"),
    "space-wrong": Look("/spaces/{}", "/spaces/city-museum", "owner", {"#name": "-"}, 400),
    "space-deleted": Look("/spaces/{}", "/spaces/gone", "owner"),
    "space-closed": Look("/spaces/{}", "/spaces/suspended", "owner"),
    "space-long": Look("/spaces/{}", "/spaces/long", "owner"),
    "members": Look("/spaces/{}/members", "/spaces/city-museum/members", "owner"),
    "members-viewer": Look("/spaces/{}/members", "/spaces/city-museum/members", "viewer"),
    "members-alone": Look("/spaces/{}/members", "/spaces/long/members", "owner"),
    "members-wrong": Look("/spaces/{}/members", "/spaces/long/members", "owner",
                          {"#email": "nobody", "button:text('Invite')": None}, 400),
    "domains": Look("/spaces/{}/domains", "/spaces/city-museum/domains", "owner"),
    "domains-none": Look("/spaces/{}/domains", "/spaces/long/domains", "owner"),
    "domains-wrong": Look("/spaces/{}/domains", "/spaces/long/domains", "owner", {"#host": "https://no"}, 400),
    "clone": Look("/spaces/{}/clone", "/spaces/city-museum/clone", "owner"),
    "delete-space": Look("/spaces/{}/delete", "/spaces/city-museum/delete", "owner"),
    "delete-space-wrong": Look("/spaces/{}/delete", "/spaces/city-museum/delete", "owner", {"#name": "no"}, 400),
    "teams": Look("/-/teams", "/-/teams", "owner"),
    "teams-none": Look("/-/teams", "/-/teams", "new"),
    "team": Look("/-/teams/{}", "{team}", "owner"),
    "team-wrong": Look("/-/teams/{}", "{team}", "owner", {"#email": "stranger@example.org", "button[value=add]": None}, 400),
    "account": Look("/-/account", "/-/account", "owner"),
    "address": Look("/-/account/address", "/-/account/address", "owner"),
    "address-wrong": Look("/-/account/address", "/-/account/address", "owner", {"#email": "owner@example.org"}, 400),
    "new-address": Look("/-/new-address", "{new_address}", "owner"),
    "password": Look("/-/account/password", "/-/account/password", "owner"),
    "password-wrong": Look("/-/account/password", "/-/account/password", "owner",
                           {"#old": "not this one", "#password": "another set of words"}, 403),
    "passkeys": Look("/-/account/passkeys", "/-/account/passkeys", "owner"),
    "passkeys-none": Look("/-/account/passkeys", "/-/account/passkeys", "new"),
    "app": Look("/-/account/app", "/-/account/app", "owner"),
    "app-none": Look("/-/account/app", "/-/account/app", "new"),
    "app-secret": Look("/-/account/app", "/-/account/app", "beginner"),
    "app-wrong": Look("/-/account/app", "/-/account/app", "beginner", {"#code": "000000"}, 403),
    "recovery-codes": Look("/-/account/app", "/-/account/app", "owner", {"button[value=codes]": None}),
    "sessions": Look("/-/account/sessions", "/-/account/sessions", "owner"),
    "confirm": Look("/-/confirm", "/-/confirm?to=/-/account", "new"),
    "confirm-app": Look("/-/confirm", "/-/confirm?to=/-/account", "owner"),
    "confirm-wrong": Look("/-/confirm", "/-/confirm?to=/-/account", "new", {"#password": "not this one"}, 403),
    "leave": Look("/-/account/delete", "/-/account/delete", "new"),
    "leave-owner": Look("/-/account/delete", "/-/account/delete", "owner"),
    "sign-out": Look("/-/sign-out", "/-/sign-out", "owner"),
    "signed-out": Look("/-/signed-out", "/-/signed-out?by=university"),
    "admin": Look("/-/admin", "/-/admin", "admin"),
    "admin-found": Look("/-/admin", "/-/admin?q=museum", "admin"),
    "admin-none": Look("/-/admin", "/-/admin?q=nobody-of-this-name", "admin"),
    "log": Look("/-/admin/spaces/{}/log", "/-/admin/spaces/broken/log", "admin"),
    "log-hub": Look("/-/admin/log", "/-/admin/log", "admin"),
    "suspend": Look("/-/admin/spaces/{}", "/-/admin/spaces/city-museum", "admin"),
    "suspended": Look("/-/admin/spaces/{}", "/-/admin/spaces/suspended", "admin"),
    "quota": Look("/-/admin/spaces/{}/quota", "/-/admin/spaces/city-museum/quota", "admin"),
    "error-403": Look("/spaces/{}", "/spaces/city-museum", "viewer", None, 403),
    "error-404": Look("/", "/-/nothing", "owner", None, 404),
    "error-405": Look("/-/start/keep", "/-/start/keep", "new", None, 405),
    "error-404-space": Look("/spaces/{}", "/spaces/nowhere", "new", None, 404),
    # Of spaces, as people meet them by way of the hub.
    "space-home": Look(None, "{museum}/", "owner"),
    "space-home-empty": Look(None, "{empty}/", "owner"),
    "space-table": Look(None, "{museum}/people/people?_facet=town", "owner"),
    "space-stranger": Look(None, "{museum}/", "new", None, 403),
    "space-logout": Look(None, "{museum}/-/logout", "owner"),
    "space-suspended": Look(None, "{suspended}/", "owner", None, 503),
    "edge-nowhere": Look(None, "http://nowhere.{domain}/", None, None, 404),
    "edge-crashed": Look(None, "{broken}/", "owner", None, 503),
}


def mails(folder, to, kind):
    """The token of the newest link of that kind."""
    found = None
    for path in sorted((folder / "mails").glob("*.eml"), key=lambda p: p.stat().st_mtime_ns):
        m = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        link = m["to"] == to and re.search(rf"/-/{kind}\?token=\S+", m.get_body(("plain",)).get_content())
        found = link.group(0) if link else found
    return found


def mail_pages(folder):
    """The HTML part of one mail of each subject, as files: name and address."""
    found = {}
    for path in sorted((folder / "mails").glob("*.eml")):
        m = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        name = "mail-" + re.sub(r"[^a-z]+", "-", re.sub(r"Ana.*invites", "invites", m["subject"]).lower()).strip("-")
        file = folder / f"{name}.html"
        file.write_text(m.get_body(("html",)).get_content())
        found[name] = file.as_uri()
    return found


def token(path):
    return path.split("token=")[1]


def bring(browser, name, content):
    boundary = "----gallery"
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n').encode() + content \
        + f"\r\n--{boundary}--\r\n".encode()
    page = browser.ask("POST", "/-/start", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    assert page.status == 303, page
    return page


def join(hub, folder, address, name):
    """Somebody new: signed up, the address confirmed."""
    browser = hub.browser()
    assert browser.sign_up(address, name).status == 303
    link = wait_for(lambda: mails(folder, address, "verify"))
    assert browser.post("/-/verify", {"token": token(link)}).status == 303
    return browser


def code_of(browser):
    """A code of the app that is being set up, as the app would show it."""
    return totp(re.search(r'class="secret">([^<]+)<', browser.get("/-/account/app").text).group(1), time.time())


def by_the_university(browser, issuer, query="", **person):
    """Signs in by it, or links it."""
    issuer.person = {"email_verified": True, **person}
    code, q = issuer.code(browser.get(f"/-/oidc/university/start{query}").header("location"))
    answer = urllib.parse.urlencode({"code": code, "state": q["state"]})
    return browser.get(urllib.parse.urlsplit(q["redirect_uri"]).path + "?" + answer)


def add_passkey(browser, hub, name):
    page = browser.get("/-/account/passkeys")
    options = json.loads(html.unescape(re.search(r'data-options="([^"]*)"', page.text).group(1)))
    key = Passkey(hub.origin)
    try:
        page = browser.post("/-/account/passkeys", {"do": "add", "name": name, **key.create(options)})
    finally:
        key.close()
    assert page.status == 303, page


def break_space(hub, name):
    """Its configuration cannot be read any more, and what runs of it ends."""
    space = hub.folder / "spaces" / hub.space_json(name)["id"]
    (space / "data/vitrine.yaml").write_text("settings: [")
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(space).encode() in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)


def prepare(hub, folder, issuer):
    """Brings the hub into every state: browsers by name, and what {names} in PAGES stand for."""
    def did(page, status=303):
        assert page.status == status, page
        return page

    who = {"admin": hub.admin()}
    for name, title in (("owner", "Ana Maria Fernández-Castellanos"), ("viewer", "Bo"), ("new", "Cem"),
                        ("beginner", "Dan"), ("bringer", "Eve")):
        who[name] = join(hub, folder, f"{name}@example.org", title)
    owner = who["owner"]
    bring(owner, "people.csv", CSV)
    did(owner.post("/-/start/keep", {"title": "City museum"}))
    for title, name in ((LONG, "long"), (WORD, "empty"), ("Closed for now", "suspended"), ("Gone", "gone"),
                        ("Broken", "broken")):
        did(owner.post("/-/new", {"title": title, "name": name}))
    did(who["admin"].post("/-/admin/spaces/suspended", {"do": "suspend", "why": "It is being looked at."}))
    did(owner.post("/spaces/gone/delete", {"name": "gone"}))
    for address in ("viewer", "bringer"):
        did(owner.post("/spaces/city-museum/invitations", {"email": f"{address}@example.org", "role": "viewer"}))
        link = wait_for(lambda: mails(folder, f"{address}@example.org", "invitation"))
        did(who[address].post("/-/invitation", {"token": token(link)}))
    did(owner.post("/spaces/city-museum/invitations", {"email": "guest@example.org", "role": "editor"}))
    invitation = wait_for(lambda: mails(folder, "guest@example.org", "invitation"))
    did(owner.post("/spaces/long/invitations", {"email": "beginner@example.org", "role": "editor"}))
    team = did(owner.post("/-/teams", {"name": "Harbour office"})).header("location")
    did(owner.post(team, {"do": "add", "email": "viewer@example.org"}))
    did(owner.post("/-/teams", {"name": WORD}))
    did(owner.post("/spaces/city-museum/members", {"team": team.rsplit("/", 1)[1], "role": "editor"}))
    for browser in (owner, who["beginner"]):
        did(browser.post("/-/account/app", {"do": "begin"}))
    did(owner.post("/-/account/app", {"do": "confirm", "code": code_of(owner)}), 200)
    add_passkey(owner, hub, "My phone")
    did(by_the_university(owner, issuer, owner.linking("university"), sub="1", email="ana@university.example", name="Ana"))
    did(by_the_university(hub.browser(), issuer, sub="2", email="viewer@example.org", name="Bo"), 200)
    did(owner.post("/-/account/address", {"email": "next@example.org"}))
    who["half"] = hub.browser()
    did(who["half"].sign_in("owner@example.org"))
    bring(who["bringer"], WORD + " people.csv", CSV)
    who["visitor"] = hub.browser()
    bring(who["visitor"], "people.csv", CSV)
    who["late"] = hub.browser()
    who["late"].sign_up("late@example.org", "Late")
    hub.browser().post("/-/forgot", {"email": "viewer@example.org"})
    for name in ("owner", "viewer", "new"):
        for space in ("city-museum", "empty"):  # the sign-on of each space, whatever it says then
            who[name].follow(who[name].get(f"{origin(hub, space)}/", headers={"Accept": "text/html"}),
                             headers={"Accept": "text/html"})
    break_space(hub, "broken")
    wait_for(lambda: hub.browser().get(f"{origin(hub, 'broken')}/").status == 503)
    made = hub.run("hub", "admin-link", "--dir", hub.folder)
    return who, {
        "reset": wait_for(lambda: mails(folder, "viewer@example.org", "reset")),
        "verify": wait_for(lambda: mails(folder, "late@example.org", "verify")),
        "new_address": wait_for(lambda: mails(folder, "next@example.org", "new-address")),
        "link_identity": wait_for(lambda: mails(folder, "viewer@example.org", "link-identity")),
        "admin_link": re.search(r"/-/admin-link\?token=\S+", made.stdout).group(0),
        "invitation": invitation, "team": team, "museum": origin(hub, "city-museum"), "empty": origin(hub, "empty"),
        "suspended": origin(hub, "suspended"), "broken": origin(hub, "broken"), "domain": f"{DOMAIN}:{hub.port}"}


def origin(hub, space):
    return f"http://{space}.{DOMAIN}:{hub.port}"


def cookies(browser):
    return [{"name": k, "value": v, "url": f"http://{host}"} for host, jar in browser.jar.items() for k, v in jar.items()]


@contextlib.contextmanager
def gallery(folder):
    """The started hub, its browsers by name, and its PAGES by name with whole addresses."""
    (folder / "mails").mkdir()
    issuer = Issuer()
    try:
        hub = Hub(folder, SETTINGS.format(folder=folder, issuer=issuer.url))
        try:
            who, names = prepare(hub, folder, issuer)
            yield hub, who, {name: look.path.format(**names) for name, look in PAGES.items()}
        finally:
            hub.stop()
    finally:
        issuer.close()


def look_at(hub, who, paths, chosen=None, **how):
    """What browser.mjs says of all pages (or those chosen), each opened as who sees it."""
    found = []
    for name in dict.fromkeys(look.who for look in PAGES.values()):
        pages = {page: paths[page] for page, look in PAGES.items()
                 if look.who == name and (chosen is None or page in chosen)}
        if pages:
            found += look(hub, pages, cookies=cookies(who[name]) if name else [],
                          send={page: PAGES[page].send for page in pages if PAGES[page].send}, **how)
    return found
