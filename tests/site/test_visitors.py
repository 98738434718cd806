# SPDX-License-Identifier: Apache-2.0
"""People who are signed in elsewhere: sessions that a real Django signed, and a server that is asked whose cookies it sees."""
import base64
import hashlib
import hmac
import http.server
import json
import re
import threading
import time
import urllib.parse
import zlib

import pytest

import limits
import serving
import signing
from limits import lowered
from serving import make
from stand_in_hub import BROWSER, until

django = pytest.importorskip("django")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:django")
KEY, OLD = "django-insecure-k*y", "an older one"
SALT = "django.contrib.sessions.backends.signed_cookies"
SCHEMA = "create table t (id integer primary key); insert into t values (1);"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def session(values, key=KEY, age=0, algorithm="sha256"):
    """What SessionStore.save() of the signed_cookies back end puts into the cookie, by Django itself."""
    from django.conf import settings
    if not settings.configured:
        settings.configure(SECRET_KEY=KEY, SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
    from django.contrib.sessions.serializers import JSONSerializer
    from django.core import signing as core

    class Signer(core.TimestampSigner):
        def timestamp(self):
            n, text = int(time.time()) - age, ""
            while n:
                n, digit = divmod(n, 62)
                text = BASE62[digit] + text
            return text

    return Signer(key, salt=SALT, algorithm=algorithm).sign_object(values, serializer=JSONSerializer, compress=True)


def user(number, **more):
    return {"_auth_user_id": str(number), "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
            "_auth_user_hash": "0" * 64, **more}


def by(cookie, name="sessionid"):
    return {"Cookie": f"theme=dark; {name}={cookie}; csrftoken=x"}


def actor(s, headers):
    answer = s.get("/-/actor.json", headers)
    assert answer.status == 200, answer
    return answer.json()["actor"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("django")
    (folder / "vitrine.json").write_text(json.dumps({"allow": {"id": "*"}, "plugins": {"vitrine-django": {
        "secret_key": {"$env": "DJANGO_KEY"}, "secret_key_fallbacks": [OLD], "max_age": 1000,
        "login_url": "https://www.example.org/accounts/login/", "actors": {"7": {"name": "Ann", "roles": ["staff"]}}}}}))
    make(folder / "d.db", SCHEMA)
    s = serving.Server(folder, env={"DJANGO_KEY": KEY}).wait()
    yield s
    s.stop()


# ---- Django


def test_sessions_of_django(site):
    from django.contrib.sessions.backends.signed_cookies import SessionStore
    session({})  # configures
    store = SessionStore()
    store.update(user(5))
    store.save()
    assert actor(site, by(store.session_key)) == {"id": "5"}
    assert actor(site, by(session(user(7)))) == {"id": "7", "name": "Ann", "roles": ["staff"]}
    assert actor(site, by(session(user(5), OLD))) == {"id": "5"}  # SECRET_KEY_FALLBACKS
    assert actor(site, by(session(user(5), algorithm="sha1"))) == {"id": "5"}  # of before Django 3.1
    assert actor(site, by(session(user(5), age=900))) == {"id": "5"}
    assert actor(site, by(session(user(5, cart=["x" * 5000])))) == {"id": "5"}  # packed
    assert actor(site, by(session({"_auth_user_id": 5, "ü": "é"}))) == {"id": "5"}
    assert site.get("/d/t", by(session(user(5)))).status == 200


def forged(payload):
    key = hashlib.sha256((SALT + "signer" + KEY).encode()).digest()
    return payload + ":" + base64.urlsafe_b64encode(hmac.new(key, payload.encode(), "sha256").digest()).decode().rstrip("=")


def test_what_is_none(site):
    good = session(user(5))
    now = good.split(":")[1]
    bomb = base64.urlsafe_b64encode(zlib.compress(b'"' + b" " * (1 << 24) + b'"')).decode().rstrip("=")
    for cookie in (session(user(5), "another key"), session(user(5), age=1100), session({"cart": 1}),
                   session({"_auth_user_id": ""}), session({"_auth_user_id": ["5"]}), session([1, 2]), good[:-1], good[1:],
                   "", "x", ":", "::", "a:b:c",
                   good.replace(":", "."), forged("e30"), forged("e30:" + now), forged("!:" + now), forged(f".{bomb}:{now}"),
                   forged(".e30:" + now), forged(":" + now), forged("e30:zzzzzzzzzzzzzzzz"), session(user(5, cart="x")) + "x"):
        assert actor(site, by(cookie)) is None, cookie[:80]
    # LIMIT_VISITORS_COOKIE
    incompressible = "".join(hashlib.sha256(str(i).encode()).hexdigest() for i in range(limits.LIMIT_VISITORS_COOKIE // 40))
    assert actor(site, by(session(user(5, cart=incompressible)))) is None
    assert actor(site, by(good, "othername")) is None


def test_the_way_to_sign_in(site):
    page = site.get("/d/t?_sort=id", BROWSER)
    assert page.status == 403
    link = re.search(r'href="(https://www\.example\.org/accounts/login/[^"]*)"', page.text).group(1)
    assert link.endswith("next=http%3A%2F%2F" + urllib.parse.quote_plus(f"127.0.0.1:{site.port}/d/t?_sort=id"))
    assert "accounts/login" not in site.get("/d/t", by(session(user(5)))).text


def test_pages_of_one_are_not_shown_to_another(server, tmp_path):
    (tmp_path / "c.json").write_text(json.dumps({"plugins": {"vitrine-django": {"secret_key": KEY}}}))
    s = server(make(tmp_path / "d.db", SCHEMA), "-c", tmp_path / "c.json")
    ann = by(session({**user("ann-of-django")}))
    for _ in range(2):
        assert "ann-of-django" in s.get("/d/t", {**ann, **BROWSER}).text
        assert "ann-of-django" not in s.get("/d/t", BROWSER).text
    assert "desc=hit" in s.get("/d/t", BROWSER).header("server-timing")
    assert actor(s, {"Cookie": ann["Cookie"] + "; " + signing.cookie("x", {"id": "forged"})["Cookie"]}) == {"id": "ann-of-django"}


# ---- another server


class Other(http.server.BaseHTTPRequestHandler):
    """A back end that knows sessions; asked: what it was sent."""
    asked, users, status, wait = [], {}, 200, None

    def do_GET(self):
        Other.asked.append((self.path, dict(self.headers)))
        if Other.wait:
            Other.wait.wait(20)
        jar = dict(pair.split("=", 1) for pair in (self.headers["Cookie"] or "").split("; ") if "=" in pair)
        body = json.dumps(Other.users.get(jar.get("sessionid"), {})).encode() if Other.status == 200 else b"sorry"
        self.send_response(Other.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def other():
    Other.asked, Other.users, Other.status, Other.wait = [], {"s1": {"id": 1, "username": "ann"}}, 200, None
    httpd = http.server.ThreadingHTTPServer((serving.HOST, 0), Other)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://{serving.HOST}:{httpd.server_port}/who?v=1"
    httpd.shutdown()
    httpd.server_close()


def asking(server, tmp_path, url, *options, env=None, **more):
    (tmp_path / "c.json").write_text(json.dumps({"plugins": {"datasette-auth-existing-cookies": {
        "api_url": url, "original_cookies": ["sessionid"], "auth_redirect_url": "http://www.example.org/login", **more}}}))
    (tmp_path / "files").mkdir()
    (tmp_path / "files/x.txt").write_text("hush")
    return server(make(tmp_path / "d.db", SCHEMA), "-c", tmp_path / "c.json", "--static", f"files:{tmp_path / 'files'}", *options,
                  env=env)


def test_asked_once_and_kept(server, tmp_path, other):
    s = asking(server, tmp_path, other, cookie_ttl=60)
    for _ in range(3):
        assert actor(s, by("s1")) == {"id": 1, "username": "ann"}
    assert s.get("/d/t", by("s1")).status == 200 and s.get("/files/x.txt", by("s1")).text == "hush"
    assert len(Other.asked) == 1
    path, headers = Other.asked[0]
    assert path == f"/who?v=1&host={urllib.parse.quote_plus(f'127.0.0.1:{s.port}')}" and headers["Cookie"] == "sessionid=s1"
    for _ in range(2):
        assert s.get("/d/t", by("unknown")).status == 401
    assert len(Other.asked) == 2 and s.get("/d/t").status == 401 and len(Other.asked) == 2


def test_forgotten_after_a_while(server, tmp_path, other):
    s = asking(server, tmp_path, other, cookie_ttl=1)
    assert s.get("/d/t", by("s1")).status == 200
    Other.users.clear()  # signed out there
    until(lambda: s.get("/d/t", by("s1")).status == 401, "asked again")


def test_who_is_not_known_is_sent_to_sign_in(server, tmp_path, other):
    s = asking(server, tmp_path, other, next_secret="n3xt")
    for path in ("/d/t?a=b", "/nope", "/"):
        answer = s.get(path, BROWSER)
        url = urllib.parse.urlsplit(answer.header("location"))
        query = dict(urllib.parse.parse_qsl(url.query))
        assert answer.status == 302 and f"{url.scheme}://{url.netloc}{url.path}" == "http://www.example.org/login"
        assert query["next"] == f"http://127.0.0.1:{s.port}{path}"
        assert query["next_sig"] == signing.sign("n3xt", "itsdangerous", query["next"])
    answer = s.get("/d/t.json")
    assert answer.status == 401 and "http://www.example.org/login" in answer.json()["error"] and "hush" not in answer.text
    assert s.get("/files/x.txt").status == 401
    assert s.get("/-/health").status == 200 and s.get("/-/static/app.css").status == 200


def test_not_required(server, tmp_path, other):
    s = asking(server, tmp_path, other, require_auth=False)
    assert actor(s, {}) is None and actor(s, by("nobody")) is None and actor(s, by("s1"))["id"] == 1


@pytest.mark.parametrize("trouble", ["gone", "500", "slow", "large"])
def test_when_it_does_not_answer(server, tmp_path, other, trouble):
    """LIMIT_VISITORS_ASK_MS, LIMIT_VISITORS_ANSWER: visitors are anonymous meanwhile, pages for others go on."""
    if trouble == "500":
        Other.status = 500
    if trouble == "slow":
        Other.wait = threading.Event()
    if trouble == "large":
        Other.users["s1"] = {"id": "x" * limits.LIMIT_VISITORS_ANSWER}
    url = "http://127.0.0.1:1/" if trouble == "gone" else other
    s = asking(server, tmp_path, url, require_auth=False, env=lowered(VISITORS_ASK_MS=500) if trouble == "slow" else None)
    if trouble == "slow":
        one = s.connect()
        one.request("GET", "/-/actor.json", headers=by("s1"))
        assert s.get("/d/t").status == 200  # meanwhile
        assert json.loads(one.getresponse().read())["actor"] is None
        one.close()
        Other.wait.set()
    else:
        assert actor(s, by("s1")) is None
    assert s.logs("anonymous meanwhile")


@pytest.mark.parametrize("plugin, settings, why", [
    ("vitrine-django", {}, "secret_key must be"), ("vitrine-django", [], "must be an object"),
    ("vitrine-django", {"secret_key": "k", "max_age": "2 weeks"}, "max_age must be"),
    ("vitrine-django", {"secret_key": "k", "login_url": "javascript:x"}, "login_url must be"),
    ("vitrine-django", {"secret_key": "k", "secret_key_fallbacks": "k"}, "secret_key_fallbacks must be"),
    ("vitrine-django", {"secret_key": "k", "actors": []}, "actors must be"),
    ("datasette-auth-existing-cookies", {}, "api_url must be"),
    ("datasette-auth-existing-cookies", {"api_url": "ftp://x"}, "api_url must be"),
    ("datasette-auth-existing-cookies", {"api_url": "http://x"}, "original_cookies must name"),
    ("datasette-auth-existing-cookies", {"api_url": "http://x", "original_cookies": ["a"], "cookie_ttl": 0}, "cookie_ttl must be")])
def test_mistakes(tmp_path, plugin, settings, why):
    (tmp_path / "c.json").write_text(json.dumps({"plugins": {plugin: settings}}))
    status, _, err = serving.run("serve", make(tmp_path / "d.db", SCHEMA), "-c", tmp_path / "c.json", "--get", "/")
    assert status != 0 and why in err, err
