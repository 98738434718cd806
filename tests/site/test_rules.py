# SPDX-License-Identifier: Apache-2.0
"""Redirects, blocked paths, the way to https, the referrer policy: as the configuration says."""
import json

import pytest

import serving


@pytest.fixture
def serve(tmp_path):
    started = []
    serving.make(tmp_path / "r.db", "create table t (id integer primary key, path); create table secret (a);"
                 "insert into t values (1, '/r/t/1'), (2, '/a&b')")

    def start(plugins, *arguments, **rest):
        (tmp_path / "datasette.json").write_text(json.dumps({"plugins": plugins, **rest}))
        started.append(serving.Server(tmp_path / "r.db", "--config", tmp_path / "datasette.json", *arguments).wait())
        return started[-1]
    yield start
    for server in started:
        server.stop()


def test_redirects(serve):
    site = serve({"datasette-redirects": {"301": {"/old": "/r/t", "deep/path/": "https://example.org/x"},
                                          "302": {"/r/gone": "/"}}})
    for path, status, to in [("/old", 301, "/r/t"), ("/old/", 301, "/r/t"), ("/old?a=1", 301, "/r/t"),
                             ("/deep/path", 301, "https://example.org/x"), ("/r/gone", 302, "/")]:
        answer = site.get(path)
        assert (answer.status, answer.header("location")) == (status, to), path
    assert site.get("/older").status == 404 and site.get("/r/t").status == 200


@pytest.mark.parametrize("value, says", [
    ({"200": {"/a": "/b"}}, "200"), ({"301": ["/a"]}, "301"), ({"301": {"/a": 5}}, "/a"), ([], "must be an object"),
    ({"301": {"/a": "/b"}, "302": {"a/": "/c"}}, "twice")])
def test_wrong_redirects_are_refused(tmp_path, value, says):
    serving.make(tmp_path / "r.db", "create table t (a)")
    (tmp_path / "c.json").write_text(json.dumps({"plugins": {"datasette-redirects": value}}))
    status, _, said = serving.run("serve", tmp_path / "r.db", "--config", tmp_path / "c.json", "--port", "0")
    assert status and "datasette-redirects" in said and says in said


def test_blocked_paths(serve):
    site = serve({"datasette-block": {"prefixes": ["/r/secret"]}})
    for path in ("/r/secret", "/r/secret.json", "/r/%73ecret", "/r/~73ecret", "/r/%7E73ecret"):
        answer = site.get(path)
        assert (answer.status, answer.text) == (403, "403 denied"), path
    assert site.get("/r/t").status == 200
    assert site.get("/r/t").status == 200  # from the cache


def test_to_https(serve):
    site = serve({"datasette-redirect-to-https": {}}, "--setting", "trusted_proxies", "127.0.0.1")
    answer = site.get("/r/t?a=1", headers={"Host": "h.example"})
    assert (answer.status, answer.header("location")) == (301, "https://h.example/r/t?a=1")
    assert site.ask("POST", "/r/t").status == 405
    assert site.get("/r/t", headers={"X-Forwarded-Proto": "https"}).status == 200


def test_to_https_by_header(serve):
    site = serve({"datasette-redirect-to-https": {"if_headers": {"x-forwarded-proto": "http"}}})
    assert site.get("/r/t").status == 200
    assert site.get("/r/t").status == 200
    assert site.get("/r/t", headers={"X-Forwarded-Proto": "http"}).status == 301


def test_forbidden_leads_somewhere(serve):
    site = serve({"datasette-redirect-forbidden": {"redirect_to": "/-/login"}},
                 databases={"r": {"tables": {"secret": {"allow": False}}}})
    answer = site.get("/r/secret")
    assert (answer.status, answer.header("location")) == (302, "/-/login")


@pytest.mark.parametrize("plugins, policy", [
    ({}, "no-referrer"), ({"datasette-referrer-policy": {}}, "strict-origin-when-cross-origin"),
    ({"datasette-referrer-policy": {"policy": "same-origin"}}, "same-origin")])
def test_referrer_policy(serve, plugins, policy):
    assert serve(plugins).get("/r/t").header("referrer-policy") == policy
