# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the hub: it writes space.json and signs tickets, and nothing else."""
import base64
import json
import os
import pathlib
import re
import time
import urllib.parse

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import serving

ORIGIN, HUB = "https://museum.data.example.org", "https://data.example.org"
PEOPLE = {"uowner": ("owner", "Olga Owner"), "ueditor": ("editor", "Edi Editor"), "uviewer": ("viewer", "Vera Viewer")}
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Hub:
    def __init__(self, folder, origin=ORIGIN, **changes):
        self.folder, self.key = pathlib.Path(folder), Ed25519PrivateKey.generate()
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        (self.folder / "state").mkdir(exist_ok=True)
        public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.space = {
            "id": "sabcdefghijkl", "name": "museum", "title": "City museum", "origin": origin, "hub": HUB,
            "keys": [{"id": "1", "ed25519": b64(public)}], "visibility": "private",
            "members": {user: {"role": role, "name": name, "email": user + "@example.org"}
                        for user, (role, name) in PEOPLE.items()},
            "revoked": {}, "theme": {}, "quota": {}, "suspended": False, "of a later version": {}}
        self.tell(**changes)

    def tell(self, **changes):
        """Written beside and renamed."""
        self.space.update(changes)
        self.write(json.dumps(self.space))

    def write(self, text):
        new = self.folder / "space.json.new"
        new.write_text(text)
        os.replace(new, self.folder / "space.json")

    def sign(self, claims, key=None):
        said = "v1." + b64(json.dumps({"kid": "1", **claims}).encode())
        return said + "." + b64((key or self.key).sign(said.encode()))

    def ticket(self, user, state, key=None, **changes):
        now = int(time.time())
        return self.sign({"use": "sign-on", "aud": self.space["id"], "sub": user, "sid": "z-" + user, "name": user,
                          "email": user + "@example.org", "nonce": state, "iat": now, "exp": now + 60, **changes}, key)


class Browser:
    """Keeps cookies of one host."""

    def __init__(self, server):
        self.server, self.cookies = server, {}

    def ask(self, method, path, headers=None, body=None):
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.server.ask(method, path, {**BROWSER, **({"Cookie": cookie} if cookie else {}), **(headers or {})}, body)
        for field in answer.all("set-cookie"):
            name, value = field.split(";")[0].split("=", 1)
            if value and "max-age=0" not in field.lower():
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer

    def get(self, path, headers=None):
        return self.ask("GET", path, headers)

    def begin(self, to="/"):
        """The state that the hub is told."""
        answer = self.get("/-/sign-on?" + urllib.parse.urlencode({"to": to}))
        assert answer.status == 302, answer
        return state_of(answer)

    def sign_on(self, hub, user, to="/", **changes):
        ticket = hub.ticket(user, self.begin(to), **changes)
        return self.get("/-/sign-on?" + urllib.parse.urlencode({"ticket": ticket, "to": to}))

    def actor(self):
        return self.get("/-/actor.json", {"Accept": "*/*"})


def state_of(answer):
    url = urllib.parse.urlsplit(answer.header("location"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == HUB + "/-/sign-on", answer.headers
    return dict(urllib.parse.parse_qsl(url.query))["state"]


def signed_on(server, hub, user):
    browser = Browser(server)
    answer = browser.sign_on(hub, user)
    assert (answer.status, answer.header("location")) == (302, "/"), answer
    return browser


def until(condition, what):
    """What the hub wrote is in force within a second; a slow machine gets more."""
    end = time.monotonic() + serving.READY_SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def token_in(page):
    return re.search(r"dstok_[A-Za-z0-9_.-]+", page.text).group(0)
