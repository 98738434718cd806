# SPDX-License-Identifier: Apache-2.0
"""Hosts of their owners' own that lead to a space. Names below localhost lead to this machine, others need the DNS."""
import http.server
import threading

import pytest
from hub_rig import at_once, wait_for
from limits import lowered


def person(hub, email):
    browser = hub.browser()
    assert browser.sign_up(email).status == 303
    return browser


def test_from_adding_to_removing(hub):
    ana = person(hub, "ana@example.org")
    origin = ana.new_space("City museum", "museum")
    ana.post("/spaces/museum", {"title": "City museum", "visibility": "public"})
    own = f"http://www.museum.localhost:{hub.port}"
    assert hub.browser().get(own + "/").status in (404, 421)
    assert ana.post("/spaces/museum/domains", {"host": "WWW.Museum.localhost"}).status == 303
    assert 'value="www.museum.localhost"' in ana.get("/spaces/museum/domains").text
    assert hub.space_json("museum")["hosts"] == ["www.museum.localhost"]
    page = wait_for(lambda: (p := hub.browser().get(own + "/")).status == 200 and p)
    assert "City museum" in page.said
    # Who signs in there goes on at the usual address, and is signed in.
    html = {"Accept": "text/html"}
    first = ana.get(own + "/-/sign-on?to=/-/versions", headers=html)
    assert first.status == 302 and first.header("location") == origin + "/-/sign-on?to=%2F-%2Fversions", first
    assert not first.header("set-cookie")
    page = ana.follow(first)
    assert page.status == 200 and page.url == origin + "/-/versions"
    # ... a private space sends its members the same way.
    ana.post("/spaces/museum", {"title": "City museum", "visibility": "private"})
    page = wait_for(lambda: (p := ana.get(own + "/", headers=html)).status == 302 and p)
    assert page.header("location").startswith(origin + "/-/sign-on?to=")
    # A new name, and a restart, change nothing about it.
    ana.post("/spaces/museum", {"title": "City museum", "name": "city", "visibility": "public"})
    wait_for(lambda: hub.browser().get(own + "/").status == 200)
    assert ana.post("/spaces/city/domains", {"remove": "www.museum.localhost"}).status == 303
    wait_for(lambda: hub.browser().get(own + "/").status in (404, 421))
    assert hub.space_json("city")["hosts"] == []
    again = ana.post("/spaces/city/domains", {"remove": "www.museum.localhost"})
    assert again.status == 404 and "no such host" in again.said


@pytest.fixture(scope="module")
def bob(hub):
    browser = person(hub, "bob@example.org")
    browser.new_space("Bad hosts", "bad-hosts")
    return browser


@pytest.mark.parametrize("host, says", [
    ("", "no domain"),
    ("localhost", "no host name"),
    ("127.0.0.1", "no host name"),
    ("data.localhost", "given by the names"),
    ("other.data.localhost", "given by the names"),
    ("a b.example.org", "no domain"),
    ("www.example.org:8080", "no domain"),
    ("<script>.example.org", "no domain"),
    ("*.example.org", "no domain"),
    ("museum.invalid", "no address in the DNS"),
])
def test_hosts_that_no_space_may_have(hub, bob, host, says):
    page = bob.post("/spaces/bad-hosts/domains", {"host": host})
    assert page.status == 400 and says in page.said, page
    assert hub.space_json("bad-hosts")["hosts"] == []


def test_a_host_belongs_to_one(hub):
    one, two = person(hub, "one@example.org"), person(hub, "two@example.org")
    one.new_space("Own", "own-one")
    two.new_space("Own", "own-two")
    results = at_once(lambda: one.post("/spaces/own-one/domains", {"host": "own.localhost"}),
                      lambda: two.post("/spaces/own-two/domains", {"host": "own.localhost"}))
    assert sorted(r.status for r in results) == [303, 409], results
    # The same words for one's own, for another's, and for what is no space at all.
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        deployed = hub.run("deploy", "other", "--state", hub.folder / "edge", "--host", "app.localhost", "--to",
                           f"127.0.0.1:{other.server_port}")
        other.shutdown()
    assert deployed.returncode == 0, deployed
    refused = [one.post("/spaces/own-one/domains", {"host": h}) for h in ("own.localhost", "app.localhost")]
    assert [r.status for r in refused] == [409, 409], refused
    assert all("This host is in use already." in r.said for r in refused)
    assert sum(hub.space_json(n)["hosts"] == ["own.localhost"] for n in ("own-one", "own-two")) == 1


def test_so_many_hosts(make_hub):
    # LIMIT_HUB_DOMAINS
    hub = make_hub(env=lowered(HUB_DOMAINS=1))
    ana = person(hub, "many@example.org")
    ana.new_space("Many", "many")
    assert ana.post("/spaces/many/domains", {"host": "a.localhost"}).status == 303
    refused = ana.post("/spaces/many/domains", {"host": "b.localhost"})
    assert refused.status == 409 and "may have 1 hosts" in refused.said
