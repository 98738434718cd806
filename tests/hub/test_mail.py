# SPDX-License-Identifier: Apache-2.0
"""Mail, sent to a real mail server. Needs python3-aiosmtpd."""
import email
import email.policy
import json
import re
import socket
import ssl
import subprocess

import pytest
from hub_rig import PASSWORD, Hub, wait_for

import limits

controller = pytest.importorskip("aiosmtpd.controller")
from aiosmtpd.smtp import AuthResult  # noqa: E402


class Keep:
    """Keeps what comes; says first what a test wants it to say."""

    def __init__(self):
        self.mails, self.says = [], []

    async def handle_DATA(self, server, session, envelope):
        if self.says:
            return self.says.pop(0)
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.mails[-1].tls, self.mails[-1].login = session.ssl is not None, session.auth_data
        return "250 well"

    def to(self, address):
        return [m for m in self.mails if m["to"] == address]


@pytest.fixture
def mail_server():
    made = []

    def start(**more):
        one = controller.Controller(Keep(), hostname="127.0.0.1", port=0, ready_timeout=20, **more)
        # aiosmtpd looks at the port it was given when it is ready: a free one is bound here and handed over.
        one._create_server = lambda: one.loop.create_server(one._factory_invoker, sock=sockets[-1], ssl=one.ssl_context)
        sockets.append(socket.create_server(("127.0.0.1", 0)))
        one.port = sockets[-1].getsockname()[1]
        one.start()
        made.append(one)
        return one
    sockets = []
    yield start
    for one in made:
        if not one.loop.is_closed():
            one.stop(no_assert=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                    folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


def text_of(mail):
    return mail.get_body(("plain",)).get_content()


def html_of(mail):
    return mail.get_body(("html",)).get_content()


def link_of(mail, path):
    return re.search(rf"http\S+{path}\?token=(\S+)", text_of(mail)).group(1)


def test_addresses_are_confirmed_and_passwords_reset(make_hub, mail_server):
    server = mail_server()
    hub = make_hub(f'mail: {{url: "smtp://127.0.0.1:{server.port}", from: "Müller & Söhne <data@example.org>"}}')
    ana = hub.browser()
    page = ana.follow(ana.sign_up("ana@example.org", "Ana\u00e9 Böhm"))
    assert "mailbox" in page.said and hub.browser().sign_in("ana@example.org").status == 403
    mail = wait_for(lambda: server.handler.to("ana@example.org"))[0]
    assert mail["from"].addresses[0].display_name == "Müller & Söhne"
    assert mail["from"].addresses[0].addr_spec == "data@example.org"
    assert mail["auto-submitted"] == "auto-generated" and mail["subject"] == "Confirm your e-mail address"
    assert mail["message-id"].endswith("@data.localhost>") and mail["date"].datetime
    token = link_of(mail, "/-/verify")
    assert token in html_of(mail) and "24 hours" in text_of(mail)
    assert ana.get(f"/-/verify?token={token}").status == 200
    assert ana.post("/-/verify", {"token": token}).status == 303
    # Signing up again with it tells its owner, and nobody else.
    eve = hub.browser()
    assert "mailbox" in eve.follow(eve.sign_up("ana@example.org", "Eve")).said
    assert "already" in wait_for(lambda: server.handler.to("ana@example.org")[1:])[0]["subject"]
    assert eve.post("/-/forgot", {"email": "nobody@example.org"}).status == 303
    assert eve.post("/-/forgot", {"email": "ana@example.org"}).status == 303
    reset = wait_for(lambda: server.handler.to("ana@example.org")[2:])[0]
    assert reset["subject"] == "Choose a new password"
    ana = hub.browser()
    assert ana.post("/-/reset", {"token": link_of(reset, "/-/reset"), "password": "another phrase of hers"}).status == 303
    assert hub.browser().sign_in("ana@example.org", "another phrase of hers").status == 303
    assert not server.handler.to("nobody@example.org")
    # An invitation, by somebody whose name would like to be a header.
    ana.post("/-/account", {"name": "Ana <b> Bcc: all of example"})
    ana.new_space("City museum")
    assert ana.post("/spaces/city-museum/invitations", {"email": "ben@example.org", "role": "viewer"}).status in (200, 303)
    mail = wait_for(lambda: server.handler.to("ben@example.org"))[0]
    assert mail["subject"] == "Ana <b> Bcc: all of example invites you to City museum" and mail["bcc"] is None
    assert "as viewer" in text_of(mail) and "&lt;b&gt;" in html_of(mail) and "7 days" in text_of(mail)
    assert token not in hub.log(), "links are in no log"


def test_whoever_got_no_mail_signs_up_again(make_hub, mail_server):
    """Another link comes, and sets the password of that time; what was begun before cannot be used by others."""
    server = mail_server()
    hub = make_hub(f'mail: {{url: "smtp://127.0.0.1:{server.port}"}}')
    letters = lambda n: wait_for(lambda: server.handler.to("ana@example.org")[n - 1:])[0]  # noqa: E731
    places = (f"127.8.0.{n}" for n in range(1, 250))  # attempts of one place are counted
    new = lambda: hub.browser(next(places))  # noqa: E731
    eve, ana, phone = new(), new(), new()
    assert eve.sign_up("ana@example.org", "Eve", "a password of eve").status == 303
    first = link_of(letters(1), "/-/verify")
    refused = eve.sign_in("ana@example.org", "a password of eve")
    assert refused.status == 403 and "Sign up again" in refused.said, refused
    page = ana.follow(ana.sign_up("ana@example.org", "Ana"))
    assert "Look into your mailbox" in page.said and 'href="/-/sign-up"' in page.text, page
    mail = letters(2)
    second = link_of(mail, "/-/verify")
    assert mail["subject"] == "Confirm your e-mail address" and second != first
    # Elsewhere it asks for the password of its own sign-up, not of the one before.
    for browser, password in ((phone, "a password of eve"), (eve, "a password of eve"), (phone, "")):
        page = browser.post("/-/verify", {"token": second, "chosen": password})
        assert page.status == 403 and "choose a new one" in page.said, page
    assert ana.post("/-/verify", {"token": second}).status == 303
    assert "ana@example.org" in ana.get("/-/account").said
    assert eve.post("/-/verify", {"token": first}).status == 404 and eve.get("/-/account").status == 303
    assert new().sign_in("ana@example.org", "a password of eve").status == 401
    assert new().sign_in("ana@example.org").status == 303
    # On the way by a phone, with the password that was chosen elsewhere.
    ben, phone = new(), new()
    for password in ("the first of his", "the second of his"):
        assert ben.sign_up("ben@example.org", "Ben", password).status == 303
    mail = wait_for(lambda: server.handler.to("ben@example.org")[1:])[0]
    assert phone.post("/-/verify", {"token": link_of(mail, "/-/verify"), "chosen": "the second of his"}).status == 303
    assert phone.get("/-/account").status == 200 and new().sign_in("ben@example.org", "the first of his").status == 401
    # Nobody is told of a password that was changed: it is the first.
    assert [m["subject"] for m in server.handler.mails if "password" in m["subject"]] == []


def test_invitations_wait_on_the_first_page(make_hub, mail_server):
    """Whoever has shown that the address is theirs needs no link; nobody else sees or uses it."""
    server = mail_server()
    hub = make_hub(f'mail: {{url: "smtp://127.0.0.1:{server.port}"}}')

    def person(address):
        browser = hub.browser()
        assert browser.sign_up(address).status == 303
        link = link_of(wait_for(lambda: server.handler.to(address))[0], "/-/verify")
        assert browser.post("/-/verify", {"token": link}).status == 303
        return browser

    owner, ben, eve = person("owner@example.org"), person("ben@example.org"), person("eve@example.org")
    owner.new_space("City museum", "museum")
    for _ in range(2):  # sent again: the link before leads nowhere
        assert owner.post("/spaces/museum/invitations", {"email": "BEN@example.org", "role": "editor"}).status == 303
    mails = wait_for(lambda: len(m := [m for m in server.handler.to("BEN@example.org") if "invites" in m["subject"]]) == 2 and m)
    assert hub.browser().get("/-/invitation?token=" + link_of(mails[0], "/-/invitation")).status == 404
    page = owner.get("/spaces/museum/members")
    assert "BEN@example.org as editor until 20" in page.said and "Send again" in page.said
    page = ben.get("/")
    assert "owner invites you to City museum as editor" in page.said, page
    id = re.search(r'name="id" value="([^"]+)"', page.text).group(1)
    assert "invites you" not in eve.get("/").said
    assert eve.post("/-/invitation", {"id": id}).status == 404 and hub.browser().post("/-/invitation", {"id": id}).status == 404
    assert ben.post("/-/invitation", {"id": id}).header("location") == f"http://museum.data.localhost:{hub.port}/"
    page = ben.get("/")
    assert "invites you" not in page.said and "City museum" in page.said
    assert ben.post("/-/invitation", {"id": id}).status == 404


def test_servers_that_are_busy_or_say_no(make_hub, mail_server):
    server = mail_server()
    hub = make_hub(f'mail: {{url: "smtp://127.0.0.1:{server.port}"}}')
    server.handler.says = ["451 4.7.1 try later"]
    hub.browser().sign_up("later@example.org")
    assert wait_for(lambda: server.handler.to("later@example.org")), "the second try brings it"
    hub_log = lambda: "".join(p.read_text() for p in (hub.folder / "edge/logs").glob("hub*"))  # noqa: E731
    assert "try later" in hub_log() and "tried again in 2 s" in hub_log()
    server.handler.says = ["550 5.1.1 no such person"]
    hub.browser().sign_up("never@example.org")
    wait_for(lambda: "never@example.org is given up" in hub_log())
    assert "no such person" in hub_log()
    # A server that is not there: mails wait, and go out when it is back, also those of a hub that was restarted.
    port = server.port
    server.stop(no_assert=True)
    hub.browser().sign_up("patient@example.org")
    wait_for(lambda: "patient@example.org is tried again" in hub_log())
    back = mail_server()
    hub.stop()
    config = hub.folder / "hub.yaml"
    config.write_text(config.read_text().replace(f":{port}\"", f":{back.port}\""))
    hub.start()
    assert wait_for(lambda: back.handler.to("patient@example.org"), 60)


def test_slow_servers_hold_up_nobody(make_hub):
    """LIMIT_MAIL_MS"""
    silent = socket.create_server(("127.0.0.1", 0))
    hub = make_hub(f'mail: {{url: "smtp://127.0.0.1:{silent.getsockname()[1]}"}}', env=limits.lowered(MAIL_MS=300))
    page = hub.browser().sign_up("ana@example.org")
    assert page.status == 303
    log = lambda: "".join(p.read_text() for p in (hub.folder / "edge/logs").glob("hub*"))  # noqa: E731
    wait_for(lambda: "does not answer in time" in log())
    silent.close()


def test_encrypted_with_a_password(make_hub, mail_server, certificate):
    path, context = certificate

    def check(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"me", b"p@ss:word"), handled=False)
    starttls = mail_server(tls_context=context, require_starttls=True, authenticator=check, auth_required=True)
    hub = make_hub(f'mail: {{url: "smtp://me:p%40ss%3Aword@127.0.0.1:{starttls.port}", ca_file: "{path}"}}')
    hub.browser().sign_up("ana@example.org")
    mail = wait_for(lambda: starttls.handler.to("ana@example.org"))[0]
    assert mail.tls
    smtps = mail_server(ssl_context=context)
    hub = make_hub(f'mail: {{url: "smtps://localhost:{smtps.port}", ca_file: "{path}"}}')
    hub.browser().sign_up("ana@example.org")
    assert wait_for(lambda: smtps.handler.to("ana@example.org"))
    # A certificate nobody vouches for, a wrong password, no encryption: nothing is sent, and the log says why.
    for url, more, why in ((f"smtps://localhost:{smtps.port}", "", "certificate"),
                           (f"smtp://me:wrong@127.0.0.1:{starttls.port}", f', ca_file: "{path}"', "does not take the user"),
                           (f"smtp://127.0.0.1:{mail_server().port}", f', ca_file: "{path}"', "does not encrypt")):
        hub = make_hub(f'mail: {{url: "{url}"{more}}}')
        hub.browser().sign_up("eve@example.org")
        log = lambda: "".join(p.read_text() for p in (hub.folder / "edge/logs").glob("hub*"))  # noqa: B023,E731
        wait_for(lambda: "eve@example.org is" in log())  # noqa: B023
        assert "eve@example.org is tried again" in log(), log()
        assert why in log(), (url, log())
    assert not smtps.handler.to("eve@example.org") and not starttls.handler.to("eve@example.org")


def test_what_spaces_ask_for(make_hub, mail_server):
    """LIMIT_OUTBOX_BURST; what may be asked for: tests/unit/hub/test_outbox.c."""
    server = mail_server()
    hub = make_hub(f'verify_email: false\nmail: {{url: "smtp://127.0.0.1:{server.port}"}}')
    ana = hub.browser()
    ana.sign_up("ana@example.org", "Ana")
    origin = ana.new_space("City museum")
    outbox = next((hub.folder / "spaces").glob("*")) / "outbox"
    me = next(iter(hub.space_json("city-museum")["members"]))

    def ask(name, **more):
        asked = {"kind": "share", "to": "ben@example.org", "what": "Prices", "url": origin + "/data/prices", "by": me, **more}
        (outbox / f"{name}.tmp").write_text(json.dumps(asked))
        (outbox / f"{name}.tmp").rename(outbox / f"{name}.json")
    ask("good")
    mail = wait_for(lambda: server.handler.to("ben@example.org"))[0]
    assert mail["subject"] == "Ana shares Prices with you" and origin + "/data/prices" in text_of(mail)
    ask("else", to="cleo@example.org", by="The Bank", what="Pay at https://evil.example")
    ask("bad", to="dora@example.org", url="https://evil.example/")
    mail = wait_for(lambda: server.handler.to("cleo@example.org"))[0]
    assert mail["subject"] == "Somebody shares a page with you" and "evil" not in text_of(mail)
    for i in range(limits.LIMIT_OUTBOX_BURST + 5):
        ask(f"many{i}", to=f"many{i}@example.org")
    wait_for(lambda: len(server.handler.mails) >= limits.LIMIT_OUTBOX_BURST)
    wait_for(lambda: len(list(outbox.glob("*.json"))) <= 7)
    assert list(outbox.glob("*.json")), "the rest waits"
    assert not server.handler.to("dora@example.org") and not (outbox / "bad.json").exists()


@pytest.mark.parametrize("settings, says", [
    ("mail: {url: mail.example.org}", "no way to send"),
    ("mail: {url: 'smtp://x', password: {$env: NO_SUCH_VARIABLE}}", "variable that is not set"),
    ("mail: {url: 'smtp://x', colour: red}", "no key \"colour\""),
    ("oidc: {issuer: 'http://example.org', client_id: a}", "issuer is no https://"),
    ("oidc: [{issuer: 'https://example.org'}]", "client_id is missing"),
    ("github: {client_id: a}", "client_secret is missing"),
])
def test_check_names_what_is_wrong(tmp_path_factory, tmp_path, settings, says):
    hub = Hub.__new__(Hub)
    hub.program, hub.env = str(__import__("serving").PROGRAM), None
    folder = tmp_path / "hub"
    assert hub.run("hub", "init", "--domain", "data.localhost", "--dir", folder).returncode == 0
    with open(folder / "hub.yaml", "a") as f:
        f.write("\n" + settings + "\n")
    done = hub.run("hub", "check", "--dir", folder)
    assert done.returncode == 78 and says in done.stderr, done
