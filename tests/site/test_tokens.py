# SPDX-License-Identifier: Apache-2.0
"""Signed cookies and tokens: those of itsdangerous are taken, ours are of its form; forged, broken, expired and hostile
ones are refused, each with its status."""
import base64
import json
import re
import time
import zlib

import pytest

import serving
import signing
from serving import make, run

SECRET = "s3cret"
SCHEMA = "create table t (id integer primary key); insert into t values (1); create table u (id integer primary key);"
HEAD_MAX = 65536


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    one = serving.Server(make(tmp_path_factory.mktemp("tokens") / "d.db", SCHEMA), "--secret", SECRET).wait()
    yield one
    one.stop()


def actor(s, headers):
    answer = s.get("/-/actor.json", headers)
    assert answer.status == 200, answer
    return answer.json()["actor"]


def refused(s, headers, why):
    """A token that is recognised but bad: 401 wherever it goes, with the field that says so."""
    for path in ("/-/actor.json", "/", "/d/t.json", "/nope"):
        answer = s.get(path, headers)
        assert answer.status == 401, (path, answer)
        assert answer.header("www-authenticate") == 'Bearer error="invalid_token"'
        assert answer.json()["ok"] is False and re.search(why, answer.json()["error"]), answer


# ---- the form


@pytest.mark.parametrize("who", [{"id": "ann"}, {"id": 7}, {"id": "ünïcode 🔑", "roles": ["a", "b"]}, {"id": "x" * 2000},
                                 {"name": "no id"}, {"id": None}])
def test_cookies_of_itsdangerous(site, who):
    assert actor(site, signing.cookie(SECRET, who)) == who
    assert actor(site, signing.cookie(SECRET, who, expires_in=100)) == who


def test_tokens_of_itsdangerous(site):
    assert actor(site, signing.bearer(SECRET, "ann")) == {"id": "ann", "token": "dstok"}
    issued = int(time.time()) - 10
    got = actor(site, signing.bearer(SECRET, "ann", {"a": ["vi"]}, issued=issued, duration=100))
    assert got == {"id": "ann", "token": "dstok", "_r": {"a": ["vi"]}, "token_expires": issued + 100}


def test_what_we_sign_itsdangerous_would_take(site):
    page = site.ask("POST", "/-/create-token", {**signing.cookie(SECRET, {"id": "ann"}), "Content-Type":
        "application/x-www-form-urlencoded"}, "expire_type=minutes&expire_duration=5&all%3Aview-table=on&database%3Ad%3Aes=on")
    token = re.search(r"dstok_([A-Za-z0-9_.-]+)", page.text).group(1)
    payload, _, mac = token.rpartition(".")
    assert mac == signing.mac(SECRET, "token", payload)
    raw = base64.urlsafe_b64decode(payload.lstrip(".") + "=" * (-len(payload.lstrip(".")) % 4))
    value = json.loads(zlib.decompress(raw) if payload.startswith(".") else raw)
    assert value["a"] == "ann" and value["d"] == 300 and abs(value["t"] - time.time()) < 100
    assert value["_r"] == {"a": ["vt"], "d": {"d": ["es"]}}
    assert actor(site, {"Authorization": "Bearer dstok_" + token})["id"] == "ann"


def test_a_token_makes_no_token(site):
    for headers in (signing.bearer(SECRET, "ann"), {}):
        assert site.get("/-/create-token", headers).status == 403
        answer = site.ask("POST", "/-/create-token", {**headers, "Content-Type": "application/x-www-form-urlencoded"}, "a=b")
        assert answer.status == 403 and "dstok_" not in answer.text
    assert site.get("/-/create-token", signing.cookie(SECRET, {"name": "no id"})).status == 403


# ---- bad ones

GOOD = signing.sign(SECRET, "token", {"a": "ann", "t": int(time.time())})


@pytest.mark.parametrize("text", ["", ".", "..", "x", GOOD[:-1], GOOD[:10], GOOD[1:], GOOD + "x", GOOD + ".x", GOOD + "=",
                                  GOOD.replace(".", ""), "." + GOOD, GOOD.swapcase(), " " + GOOD[:-2], "\u00e9" * 20,
                                  signing.sign("other", "token", {"a": "root", "t": 0}),
                                  signing.sign(SECRET, "actor", {"a": "root", "t": 0}),
                                  signing.sign(SECRET, "messages", {"a": "root", "t": 0}),
                                  signing.sign("", "token", {"a": "root", "t": 0}), "A" * 20000],
                         ids=lambda text: text[:12] or "empty")
def test_forged(site, text):
    refused(site, {"Authorization": ("Bearer dstok_" + text).encode()}, "Invalid token signature")


def signed(value):
    return {"Authorization": "Bearer dstok_" + signing.sign(SECRET, "token", value)}


@pytest.mark.parametrize("value", [None, 5, "ann", [], ["a"], {}, {"a": "ann"}, {"a": "ann", "t": "0"}, {"a": "ann", "t": 1.5},
                                   {"a": "ann", "t": None}, {"a": "ann", "t": 0, "d": "1"}, {"a": "ann", "t": 0, "d": -1},
                                   {"a": "ann", "t": 0, "d": 1.5}, {"a": "ann", "t": 0, "d": []},
                                   {"a": "ann", "t": 2 ** 63 - 1, "d": 5}, {"a": "ann", "t": 0, "d": 2 ** 70}])
def test_signed_nonsense(site, value):
    """Made with the right secret, by a program that errs."""
    refused(site, signed(value), "Invalid token|expired")


def test_expired(site):
    now = int(time.time())
    refused(site, signing.bearer(SECRET, "ann", issued=now - 100, duration=50), "expired")
    assert actor(site, signing.bearer(SECRET, "ann", issued=now - 100, duration=150))["id"] == "ann"
    assert actor(site, signing.bearer(SECRET, "ann", issued=0))["id"] == "ann"  # no "d": never


@pytest.mark.parametrize("payload", [b"not json", b"", b"[", b"\xff\xfe", b'{"a": "ann", "t": 1e999}', b'{"a":' * 1000])
def test_signed_rubbish(site, payload):
    text = signing.b64(payload)
    for form in (text, "." + text, "." + signing.b64(zlib.compress(payload))):
        refused(site, {"Authorization": "Bearer dstok_" + signing.sign_text(SECRET, "token", form)}, "Invalid token")
        cookie = "ds_actor=" + signing.sign_text(SECRET, "actor", form)
        assert actor(site, {"Cookie": cookie}) is None


def test_packed_bomb(server, tmp_path):
    """40 MB of blanks pack into 40 KB: unpacking ends at the limit."""
    site = server(make(tmp_path / "d.db", SCHEMA), "--secret", SECRET, env=serving.GROWTH_ENV)
    bomb = "." + signing.b64(zlib.compress(b" " * (40 << 20), 9))
    assert len(bomb) < HEAD_MAX
    for attempt in range(12):
        if attempt == 2:
            before = site.memory_kb()
        refused(site, {"Authorization": "Bearer dstok_" + signing.sign_text(SECRET, "token", bomb)}, "Invalid token")
        assert actor(site, {"Cookie": "ds_actor=" + signing.sign_text(SECRET, "actor", bomb)}) is None
    assert site.memory_kb() - before < 20000


def test_huge(site):
    for headers in ({"Authorization": "Bearer dstok_" + "A" * (HEAD_MAX + 1)}, {"Cookie": "ds_actor=" + "A" * (HEAD_MAX + 1)}):
        assert site.get("/-/actor.json", headers).status == 431
    site.alive()


@pytest.mark.parametrize("cookie", ["", "x", '"', '""', GOOD, "a.b", "=.=", "\\", '"\\', '"\\377"', "%", "A" * 30000,
                                    signing.sign("other", "actor", {"a": {"id": "root"}}),
                                    signing.sign(SECRET, "token", {"a": {"id": "root"}}),
                                    signing.sign(SECRET, "actor", {"a": "root"}), signing.sign(SECRET, "actor", "root"),
                                    signing.sign(SECRET, "actor", {"a": ["root"]}), signing.sign(SECRET, "actor", {}),
                                    signing.sign(SECRET, "actor", {"a": {"id": "x"}, "e": "A"}),
                                    signing.sign(SECRET, "actor", {"a": {"id": "x"}, "e": "-"}),
                                    signing.sign(SECRET, "actor", {"a": {"id": "x"}, "e": 9999999999}),
                                    signing.sign(SECRET, "actor", {"a": {"id": "x"}, "e": {}}),
                                    signing.sign(SECRET, "actor", {"a": {"id": "x"}, "e": "z" * 40})],
                         ids=lambda text: text[:12] or "empty")
def test_bad_cookies_are_nobody(site, cookie):
    assert actor(site, {"Cookie": "ds_actor=" + cookie}) is None
    assert actor(site, {"Cookie": "ds_messages=" + cookie}) is None


@pytest.mark.parametrize("field", ["bearer dstok_x", "Bearer", "Bearer ", "Bearerdstok_x", "Token dstok_x", "Basic dstok_x",
                                   "Bearer DSTOK_x", "Bearer x", "", "Bearer dsatok_x"])
def test_fields_that_are_no_token_of_ours(site, field):
    assert actor(site, {"Authorization": field}) is None


def test_first_cookie_and_token_with_cookie(site):
    ann, bob = signing.cookie(SECRET, {"id": "ann"})["Cookie"], signing.cookie(SECRET, {"id": "bob"})["Cookie"]
    assert actor(site, {"Cookie": f"a=b; {ann}; {bob}"}) == {"id": "ann"}
    assert actor(site, {"Cookie": ann, **signing.bearer(SECRET, "bob")}) == {"id": "ann"}
    refused(site, {"Cookie": ann, "Authorization": "Bearer dstok_x"}, "signature")


# ---- restrictions


HOSTILE = [[], "x", 5, True, {"a": "vt"}, {"a": {"vt": 1}}, {"a": [None, 5, [], {}]}, {"a": ["no-such-action"]},
           {"d": []}, {"d": {"d": "vt"}}, {"d": {"d": {"vt": True}}}, {"r": {"d": ["t"]}}, {"r": {"d": {"t": "vt"}}},
           {"r": {"d": {"t": {"vt": 1}}}}, {"d": {"other": ["vt"]}}, {"r": {"d": {"u": ["vt"]}}}, {"r": {"d": {"T": ["vt"]}}},
           {}, {"x": ["vt"]}, {"a": []}, {"A": ["vt"]}, {"a": ["VT"]}, {"a": [["vt"]]}, {"r": {"d": {"": ["vt"]}}},
           {"d": {"": ["vt"]}}, {"d": {"d/t": ["vt"]}}]


@pytest.mark.parametrize("restrictions", HOSTILE, ids=json.dumps)
def test_restrictions_that_name_nothing_allow_nothing(site, restrictions):
    """Whatever its shape, "_r" only ever narrows."""
    for headers in (signing.bearer(SECRET, "ann", restrictions),
                    signing.cookie(SECRET, {"id": "ann", "_r": restrictions})):
        for path in ("/d/t.json", "/d/t/1.json", "/d.json", "/", "/d/-/query.json?sql=select+1", "/d/-/schema.json"):
            assert site.get(path, headers).status == 403, path
        assert site.json("/-/jump.json")["matches"]
        assert site.get("/-/jump.json", headers).json()["matches"] in ([], [m for m in site.get(
            "/-/jump.json", headers).json()["matches"] if "u" in m["name"]])


@pytest.mark.parametrize("restrictions, table, database", [
    ({"a": ["vt"]}, 200, 403), ({"a": ["view-table"]}, 200, 403), ({"d": {"d": ["vt"]}}, 200, 403),
    ({"r": {"d": {"t": ["vt"]}}}, 200, 403), ({"a": ["vd"]}, 403, 200), ({"d": {"d": ["view-database"]}}, 403, 200),
    ({"a": ["vt"], "d": None, "r": 5}, 200, 403), ({"a": None, "r": {"d": {"t": ["vt", None, {}]}}}, 200, 403)])
def test_restrictions(site, restrictions, table, database):
    headers = signing.bearer(SECRET, "ann", restrictions)
    assert site.get("/d/t.json", headers).status == table and site.get("/d.json", headers).status == database
    assert site.get("/d/t.json").status == 200


def test_deep_restrictions(site):
    deep = []
    for _ in range(200):
        deep = [deep]
    assert site.get("/d/t.json", signing.bearer(SECRET, "ann", {"a": deep})).status in (401, 403)
    wide = {"r": {"d": {f"t{i}": ["vt"] for i in range(300)}}}
    assert site.get("/d/t.json", signing.bearer(SECRET, "ann", wide)).status == 403


# ---- settings


def test_max_signed_tokens_ttl(server, tmp_path):
    s = server(make(tmp_path / "d.db", SCHEMA), "--secret", SECRET, "--setting", "max_signed_tokens_ttl", "1000")
    now = int(time.time())
    assert actor(s, signing.bearer(SECRET, "ann", issued=now - 900))["token_expires"] == now + 100
    assert actor(s, signing.bearer(SECRET, "ann", issued=now - 900, duration=10 ** 9))["id"] == "ann"
    refused(s, signing.bearer(SECRET, "ann", issued=now - 1100), "expired")
    refused(s, signing.bearer(SECRET, "ann", issued=now - 1100, duration=10 ** 9), "expired")
    refused(s, signing.bearer(SECRET, "ann", issued=now - 100, duration=50), "expired")


def test_no_signed_tokens(server, tmp_path):
    s = server(make(tmp_path / "d.db", SCHEMA), "--secret", SECRET, "--setting", "allow_signed_tokens", "off")
    refused(s, signing.bearer(SECRET, "ann"), "not enabled")
    assert actor(s, signing.cookie(SECRET, {"id": "ann"})) == {"id": "ann"}
    assert s.get("/-/create-token", signing.cookie(SECRET, {"id": "ann"})).status == 403


def test_another_secret_ends_them(server, tmp_path):
    path = make(tmp_path / "d.db", SCHEMA)
    s = server(path, "--secret", "changed")
    refused(s, signing.bearer(SECRET, "ann"), "signature")
    assert actor(s, signing.cookie(SECRET, {"id": "ann"})) is None


# ---- the root link


def test_root_link(server, tmp_path):
    s = server(make(tmp_path / "d.db", SCHEMA), "--root")
    path = s.said(r"(/-/auth-token\?token=[0-9a-f]+)\n").group(1)
    for wrong in (path[:-1], path + "0", "/-/auth-token", "/-/auth-token?token=", path[:-1] + "%00", "/-/auth-token?token=root"):
        assert s.get(wrong).status == 403, wrong
    assert s.ask("POST", path).status == 405
    answer = s.get(path)
    assert (answer.status, answer.header("location")) == (302, "/")
    cookie = {"Cookie": answer.header("set-cookie").split(";")[0]}
    assert actor(s, cookie) == {"id": "root"} and s.get("/-/permissions", cookie).status == 200
    assert s.get(path).status == 403  # once
    out = s.ask("POST", "/-/logout", cookie)
    assert out.status == 302 and re.search(r"ds_actor=.*Max-Age=0", out.header("set-cookie"))


def test_root_is_nobody_without_the_option(server, tmp_path):
    s = server(make(tmp_path / "d.db", SCHEMA), "--secret", SECRET)
    assert "auth-token" not in s.log() and s.get("/-/auth-token?token=").status == 403
    assert s.get("/-/permissions", signing.cookie(SECRET, {"id": "root"})).status == 403


# ---- allow blocks of wrong types

WRONG = ["root", 5, 1.5, [], ["root"], [{"id": "root"}]]


@pytest.mark.parametrize("where", ["allow", "permissions.view-instance", "databases.d.allow", "databases.d.allow_sql",
                                   "databases.d.tables.t.allow", "databases.d.tables.t.permissions.insert-row",
                                   "databases.d.queries.q.allow", "databases.d.permissions.create-table"])
@pytest.mark.parametrize("block", WRONG, ids=json.dumps)
def test_wrong_allow_blocks_stop_the_start(tmp_path, where, block):
    config = {"databases": {"d": {"queries": {"q": {"sql": "select 1"}}}}}
    at, keys = config, where.split(".")
    for key in keys[:-1]:
        at = at.setdefault(key, {})
    at[keys[-1]] = block
    (tmp_path / "c.json").write_text(json.dumps(config))
    status, _, err = run("serve", make(tmp_path / "d.db", SCHEMA), "-c", tmp_path / "c.json", "--port", "0")
    assert status == 2 and where in err and "allow block" in err, (status, err)


@pytest.mark.parametrize("key", ["permissions", "databases.d.permissions", "databases.d.tables.t.permissions"])
@pytest.mark.parametrize("value", [True, "x", ["view-table"]], ids=json.dumps)
def test_wrong_permissions_stop_the_start(tmp_path, key, value):
    config = {}
    at, keys = config, key.split(".")
    for part in keys[:-1]:
        at = at.setdefault(part, {})
    at[keys[-1]] = value
    (tmp_path / "c.json").write_text(json.dumps(config))
    status, _, err = run("serve", make(tmp_path / "d.db", SCHEMA), "-c", tmp_path / "c.json", "--port", "0")
    assert status == 2 and key.split(".")[-1] in err, (status, err)


def test_an_action_nobody_knows_is_told(server, tmp_path):
    (tmp_path / "c.json").write_text(json.dumps({"databases": {"d": {"permissions": {"insert-rows": {"id": "ann"}}}}}))
    s = server(make(tmp_path / "d.db", SCHEMA), "-c", tmp_path / "c.json")
    s.stop()
    assert "databases.d.permissions" in s.log() and "insert-rows" in s.log() and "insert-row" in s.log()
