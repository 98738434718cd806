# SPDX-License-Identifier: Apache-2.0
"""Passwords and tokens of the configuration: datasette-auth-passwords and datasette-auth-tokens, as their users have
them."""
import base64
import json
import os
import pty
import re
import select
import urllib.parse

import pytest

import serving
from serving import make, run

HASH = "pbkdf2_sha256$260000$a9bb87a3e9d968847a36c50cf1a4ac3d$UO1DUqulWhRLj8UZrnViiu6KaKn0C5M9IZKWB4R9JX4="  # password!
QUICK = "pbkdf2_sha256$1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs="  # password
ACCOUNTS = {"user1_password_hash": HASH, "user2_password_hash": {"$env": "USER2"},
            "actors": {"user1": {"id": "userone", "name": "User 1"}}}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def with_plugins(server, tmp_path, *options, env=None, **plugins):
    names = {"passwords": "datasette-auth-passwords", "tokens": "datasette-auth-tokens"}
    config = {"plugins": {names[key]: value for key, value in plugins.items() if key in names}}
    config.update({key: value for key, value in plugins.items() if key not in names})
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    data = make(tmp_path / "data.db", "create table if not exists t (id integer primary key);"
                "create table if not exists tokens (token_id text, token_secret text, who text);"
                "insert into tokens values ('1', 'abc-d', 'Cleo'), ('2', null, 'Nobody'), ('3', '', 'Empty');")
    return server(data, "-c", path, "--secret", "s", *options, env={"USER2": QUICK, **(env or {})})


def sign_in(s, username, password, headers=(), **more):
    body = urllib.parse.urlencode({"username": username, "password": password, **more})
    return s.ask("POST", "/-/login", {**FORM, **dict(headers)}, body)


def cookie_of(answer):
    return answer.header("set-cookie").split(";")[0]


def basic(text):
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def actor(s, headers=()):
    return s.get("/-/actor.json", dict(headers)).json()["actor"]


# ---- the form


def test_form(server, tmp_path):
    s = with_plugins(server, tmp_path, passwords=ACCOUNTS)
    page = s.get("/-/login")
    assert page.status == 200
    assert re.search(r'<form[^>]*action="/-/login"[^>]*method="post"', page.text)
    assert 'name="username"' in page.text and 'type="password"' in page.text and 'name="next"' not in page.text
    answer = sign_in(s, "user1", "password!")
    assert (answer.status, answer.header("location")) == (302, "/")
    fields = answer.header("set-cookie").lower().split("; ")
    assert "httponly" in fields and "samesite=lax" in fields and "path=/" in fields and "secure" not in fields
    assert actor(s, {"Cookie": cookie_of(answer)}) == {"id": "userone", "name": "User 1"}
    assert actor(s, {"Cookie": cookie_of(sign_in(s, "user2", "password"))}) == {"id": "user2"}


@pytest.mark.parametrize("name, password", [("user1", "passw0rd"), ("user1", ""), ("", ""), ("user3", "password!"),
                                            ("user1\0", "password!"), ("USER1", "password!"), ("user1", "x" * 100000)])
def test_wrong(server, tmp_path, name, password):
    s = with_plugins(server, tmp_path, passwords=ACCOUNTS)
    answer = sign_in(s, name, password)
    assert answer.status == 403 and answer.header("set-cookie") is None
    assert "Invalid username or password" in answer.text and (not password or password not in answer.text)


def test_menu_and_refusal_lead_to_the_form(server, tmp_path):
    s = with_plugins(server, tmp_path, passwords=ACCOUNTS, allow={"id": "userone"})
    refused = s.get("/data?_show_hidden=1&x=%22%3E")
    assert refused.status == 403
    link = re.search(r'href="(/-/login\?next=[^"]*)"', refused.text).group(1)
    page = s.get(link.replace("&amp;", "&"))
    assert '<input type="hidden" name="next" value="/data?_show_hidden=1&amp;x=%22%3E">' in page.text
    answer = sign_in(s, "user1", "password!", next="/data?_show_hidden=1&x=%22%3E")
    assert answer.header("location") == "/data?_show_hidden=1&x=%22%3E"
    signed_in = s.get("/data", {"Cookie": cookie_of(answer)})
    assert signed_in.status == 200 and "/-/login" not in signed_in.text
    assert '<a href="/-/login">Log in</a>' in page.text
    elsewhere = s.get("/data", {"Cookie": cookie_of(sign_in(s, "user2", "password"))})
    assert elsewhere.status == 403 and "/-/login" not in elsewhere.text  # signing in again would not help


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example/", "evil", "/a\r\nX: y",
                                    "/\t/evil.example", "javascript:alert(1)", "/" + "a" * 5000, "/ä"])
def test_next_stays_here(server, tmp_path, target):
    s = with_plugins(server, tmp_path, passwords={"a_password_hash": QUICK})
    answer = sign_in(s, "a", "password", next=target)
    assert (answer.status, answer.header("location")) == (302, "/") and answer.header("x") is None
    assert 'name="next"' not in s.get("/-/login", next=target).text


def test_base_url_and_https(server, tmp_path):
    s = with_plugins(server, tmp_path, "--setting", "base_url", "/prefix/", "--setting", "force_https_urls", "1",
                     passwords={"a_password_hash": QUICK})
    assert 'action="/prefix/-/login"' in s.get("/prefix/-/login").text
    answer = sign_in(s, "a", "password")
    assert answer.header("location") == "/prefix/" and "; Secure" in answer.header("set-cookie")


def test_form_of_another_site(server, tmp_path):
    s = with_plugins(server, tmp_path, passwords={"a_password_hash": QUICK})
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = sign_in(s, "a", "password", headers)
        assert answer.status == 403 and answer.header("set-cookie") is None
    assert sign_in(s, "a", "password", {"Sec-Fetch-Site": "same-origin"}).status == 302


def test_not_configured(server, tmp_path):
    s = with_plugins(server, tmp_path)
    assert s.get("/-/login").status == 404 and s.get("/-/password-tool").status == 404
    assert sign_in(s, "a", "b").status == 404
    assert "/-/login" not in s.get("/").text


def test_no_accounts(server, tmp_path):
    s = with_plugins(server, tmp_path, passwords={})
    assert "does not have any configured accounts" in s.get("/-/login").text
    assert sign_in(s, "a", "b").status == 403


def test_environment_not_set(server, tmp_path):
    s = with_plugins(server, tmp_path, passwords={"a_password_hash": {"$env": "NOT_SET_AT_ALL"}})
    assert s.logs("a_password_hash is empty")
    assert sign_in(s, "a", "None").status == 403


def test_bad_hash_stops_the_start(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"plugins": {"datasette-auth-passwords": {"ann_password_hash": "hunter2"}}}))
    status, _, err = run("serve", "--memory", "-c", path, "--port", "0")
    assert status == 2 and "ann_password_hash" in err and "vitrine hash-password" in err and "hunter2" not in err


def test_hashes_are_not_shown(server, tmp_path):
    s = with_plugins(server, tmp_path, "--root", passwords=ACCOUNTS, tokens={"tokens": [
        {"token": "t0ken-text", "actor": {"id": "bot"}}]})
    for path in ("/-/config.json", "/-/config", "/-/plugins.json", "/-/settings.json"):
        text = s.get(path).text
        assert "pbkdf2" not in text and "t0ken-text" not in text, path


# ---- attempts


def test_attempts_of_a_client(server, tmp_path):
    s = with_plugins(server, tmp_path, "--setting", "trusted_proxies", "127.0.0.1", passwords={"a_password_hash": QUICK})
    answers = [sign_in(s, "a", f"wrong {i}") for i in range(14)]
    assert [a.status for a in answers[:10]] == [403] * 10 and answers[-1].status == 429
    limited = next(a for a in answers if a.status == 429)
    assert 1 <= int(limited.header("retry-after")) <= 6 and "Too many attempts" in limited.text
    assert sign_in(s, "a", "password").status == 429  # the right one too: nobody learns which it was
    assert s.get("/").status == 200
    other = sign_in(s, "a", "password", {"X-Forwarded-For": "9.9.9.9, 203.0.113.7"})
    assert other.status == 302  # a trusted proxy says: another client


def test_attempts_at_a_user(server, tmp_path):
    s = with_plugins(server, tmp_path, "--setting", "trusted_proxies", "127.0.0.1",
                     passwords={"a_password_hash": QUICK, "b_password_hash": QUICK})
    for i in range(40):
        answer = sign_in(s, "a", f"wrong {i}", {"X-Forwarded-For": f"203.0.113.{i}"})
    assert answer.status == 429 and int(answer.header("retry-after")) >= 1
    assert sign_in(s, "b", "password", {"X-Forwarded-For": "203.0.113.200"}).status == 302


def test_a_client_cannot_say_who_it_is(server, tmp_path):
    s = with_plugins(server, tmp_path, passwords={"a_password_hash": QUICK})
    answers = [sign_in(s, "a", f"wrong {i}", {"X-Forwarded-For": f"203.0.113.{i}"}) for i in range(14)]
    assert answers[-1].status == 429


def test_right_passwords_are_not_counted(server, tmp_path):
    s = with_plugins(server, tmp_path, passwords={"a_password_hash": QUICK})
    assert {sign_in(s, "a", "password").status for _ in range(25)} == {302}


# ---- HTTP basic


def test_basic_is_an_offer(server, tmp_path):
    s = with_plugins(server, tmp_path, passwords=ACCOUNTS)
    assert actor(s) is None
    assert actor(s, basic("user1:password!")) == {"id": "userone", "name": "User 1"}
    assert actor(s, basic("user1:wrong")) is None
    assert actor(s, {"Authorization": "basic " + basic("user2:password")["Authorization"][6:]}) == {"id": "user2"}
    for field in ("Basic", "Basic ", "Basic ====", "Basic dXNlcjE", "Basic " + "A" * 20000):
        assert s.get("/-/actor.json", {"Authorization": field}).status == 200


@pytest.fixture
def closed(server, tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "private.txt").write_text("private text")
    return with_plugins(server, tmp_path, "--static", f"files:{tmp_path / 'static'}",
                        passwords={**ACCOUNTS, "http_basic_auth": True})


def test_basic_for_all(closed):
    for path in ("/", "/-/404", "/data.json", "/files/private.txt", "/-/login", "/-/actor.json", "/data?x=1", "/-/config.json"):
        answer = closed.get(path)
        assert answer.status == 401 and answer.header("www-authenticate").startswith("Basic realm="), path
        assert "private" not in answer.text
        refused = closed.get(path, basic("user1:wrong"))
        assert refused.status in (401, 429), path
    assert closed.get("/-/health").status == 200  # what watches the process has no password
    assert closed.get("/-/static/app.css").status == 200


@pytest.mark.parametrize("first", ["/files/private.txt", "/data/t.json"])
def test_basic_lets_in(closed, first):
    for _ in range(2):  # hashed, then known
        answer = closed.get(first, basic("user2:password"))
        assert answer.status == 200 and ("private text" in answer.text or answer.json()["ok"])
    assert actor(closed, basic("user2:password")) == {"id": "user2"}
    assert closed.get(first).status == 401
    assert closed.get("/nope", basic("user2:password")).status == 404
    assert closed.ask("POST", "/-/logout", {**basic("user2:password"), "Sec-Fetch-Site": "cross-site"}).status == 403


def test_a_cookie_is_no_password_there(closed):
    answer = closed.ask("POST", "/-/login", {**FORM, **basic("user2:password")}, "username=user2&password=password")
    assert answer.status == 302
    assert closed.get("/", {"Cookie": cookie_of(answer)}).status == 401
    token = run("version")  # a token neither: any Authorization field of another kind
    assert token[0] == 0 and closed.get("/", {"Authorization": "Bearer x"}).status == 401


# ---- tokens


def test_tokens(server, tmp_path):
    s = with_plugins(server, tmp_path, tokens={"tokens": [
        {"token": {"$env": "BOT"}, "actor": {"bot_id": "my-bot"}}, {"token": "second", "actor": {"id": "two"}}]},
        env={"BOT": "this-is-the-secret"}, databases={"data": {"allow": {"bot_id": "my-bot"}}})

    def bearer(token):
        return {"Authorization": "Bearer " + token}
    assert actor(s, bearer("this-is-the-secret")) == {"bot_id": "my-bot"}
    assert actor(s, bearer("second")) == {"id": "two"}
    for wrong in ("this-is-the-secre", "", "x" * 5000, "this-is-the-secret-", "null", "None"):
        assert actor(s, bearer(wrong)) is None
    assert s.get("/data.json").status == 403
    assert s.get("/data.json", bearer("this-is-the-secret")).status == 200
    assert s.get("/data.json", bearer("second")).status == 403
    assert s.get("/data.json", bearer("dstok_x")).status == 401  # signed ones are still looked at
    assert s.get("/data.json?_auth_token=second").status == 403  # no param is configured


def test_token_in_the_query(server, tmp_path):
    s = with_plugins(server, tmp_path, tokens={"param": "_auth_token", "tokens": [
        {"token": "tok", "actor": {"id": "bot"}}]}, databases={"data": {"allow": {"id": "bot"}}})
    for _ in range(2):
        assert s.get("/data.json?_auth_token=tok").status == 200
        assert s.get("/data.json?_auth_token=tak").status == 403
        assert s.get("/data.json").status == 403


def test_tokens_of_a_table(server, tmp_path):
    s = with_plugins(server, tmp_path, tokens={"query": {"database": "data", "sql":
        "select who as actor_id, 'x' as actor_name, token_secret from tokens where token_id = :token_id"}})

    def bearer(token):
        return actor(s, {"Authorization": "Bearer " + token})
    assert bearer("1-abc-d") == {"id": "Cleo", "name": "x"}
    for wrong in ("1-abc", "2-", "2-None", "3-", "4-x", "1", "-", "1' or 1 -- -abc-d"):
        assert bearer(wrong) is None, wrong


def test_a_broken_token_query_lets_nobody_in(server, tmp_path):
    s = with_plugins(server, tmp_path, tokens={"query": {"database": "data", "sql": "select * from gone"}})
    assert actor(s, {"Authorization": "Bearer 1-x"}) is None
    s.stop()
    assert "no such table: gone" in s.log()


# ---- hashes


def test_hash_password(server, tmp_path):
    hashes = {}
    for name, options in (("argon", ()), ("pbkdf", ("--pbkdf2",)), ("once", ("--no-confirm",))):
        done = serving.subprocess.run([serving.PROGRAM, "hash-password", *options], input=b"s3cret \xc3\xa4\n",
                                      stdout=serving.subprocess.PIPE, timeout=120)
        assert done.returncode == 0
        hashes[name + "_password_hash"] = done.stdout.decode().strip()
    assert hashes["argon_password_hash"].startswith("$argon2id$v=19$")
    assert hashes["pbkdf_password_hash"].startswith("pbkdf2_sha256$")
    s = with_plugins(server, tmp_path, passwords=hashes)
    for key in hashes:
        assert sign_in(s, key[:-14], "s3cret ä").status == 302
        assert sign_in(s, key[:-14], "s3cret").status == 403


@pytest.mark.parametrize("text", [b"", b"\n", b"x" * 1025])
def test_hash_of_nothing(text):
    done = serving.subprocess.run([serving.PROGRAM, "hash-password"], input=text, stdout=serving.subprocess.PIPE,
                                  stderr=serving.subprocess.PIPE, timeout=120)
    assert done.returncode == 2 and done.stdout == b"" and b"password" in done.stderr


def test_password_is_no_argument():
    status, out, err = run("hash-password", "hunter2")
    assert status == 64 and out == "" and "hunter2" not in err


def on_a_terminal(*lines):
    """What the command shows and its exit status when the lines are typed into a terminal."""
    pid, fd = pty.fork()
    if not pid:
        os.execv(serving.PROGRAM, [str(serving.PROGRAM), "hash-password"])
    shown, waiting = b"", list(lines)
    while select.select([fd], [], [], 120)[0]:
        try:
            piece = os.read(fd, 1000)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if waiting and shown.rstrip(b" ").endswith(b":"):
            os.write(fd, waiting.pop(0))
    os.close(fd)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_terminal():
    shown, status = on_a_terminal(b"hunter2\n", b"hunter2\n")
    assert status == 0 and "$argon2id$" in shown and "hunter2" not in shown
    shown, status = on_a_terminal(b"hunter2\n", b"hunter3\n")
    assert status == 2 and "differ" in shown and "$argon2id$" not in shown
    shown, status = on_a_terminal(b"hunter2\x03")
    assert status == 130 and "$argon2id$" not in shown


def test_password_tool(server, tmp_path):
    s = with_plugins(server, tmp_path, passwords={"a_password_hash": QUICK})
    assert s.get("/-/password-tool").status == 200
    answer = s.ask("POST", "/-/password-tool", FORM, "password=n3w")
    made = re.search(r"\$argon2id\$[^<\s]+", answer.text).group(0)
    assert answer.status == 200
    second = tmp_path / "second"
    second.mkdir()
    other = with_plugins(server, second, passwords={"a_password_hash": made})
    assert sign_in(other, "a", "n3w").status == 302
    assert s.ask("POST", "/-/password-tool", FORM, "password=").status == 400
    # Hashing is work: nobody has it done without end.
    assert any(s.ask("POST", "/-/password-tool", FORM, "password=x").status == 429 for _ in range(100))
