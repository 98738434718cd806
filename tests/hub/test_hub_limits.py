# SPDX-License-Identifier: Apache-2.0
"""Limits of the hub that are too high to be reached as they are, lowered in a program with fault points."""
import html
import re

import pytest
from clock import THERE, Clock
from hub_rig import PASSWORD, at_once, wait_for
from limits import lowered
from tough_rig import Tough


@pytest.mark.skipif(not THERE, reason="a program without a clock that can be set")
def test_lives_end(make_hub, tmp_path):
    # LIMIT_HUB_SESSION_S, LIMIT_HUB_INVITATION_S, LIMIT_HUB_GRACE_S
    clock = Clock(tmp_path)
    hub = make_hub(env={**lowered(HUB_SESSION_S=7200, HUB_INVITATION_S=1, HUB_GRACE_S=1), **clock.env})
    ana = hub.browser()
    ana.sign_up("ana@example.org")
    ana.new_space("Short")
    link = ana.post("/spaces/short/invitations", {"email": "b@example.org", "role": "viewer"}).text
    link = "http" + link.split('value="http')[1].split('"')[0]
    ended = wait_for(lambda: hub.browser().get(link).status == 404)
    assert ended
    assert "Your spaces" in ana.get("/").said
    clock.set(7200 + 60)
    assert "Your spaces" not in ana.get("/").said


def test_links_in_mails_end(make_hub, tmp_path):
    # LIMIT_HUB_LINK_S
    hub = make_hub('mail: {url: "file:%s", from: "Data <data@example.org>"}' % tmp_path, env=lowered(HUB_LINK_S=1))
    assert hub.browser().post("/-/forgot", {"email": "nobody@example.org"}).status == 303
    assert hub.browser().get("/-/reset?token=unknown").status == 404


def test_more_rows_than_a_page_may_have(make_hub):
    # LIMIT_HUB_ROWS
    hub = make_hub(env=lowered(HUB_ROWS=25)) # the steps of hub.db are rows too
    ana = hub.browser()
    ana.sign_up("ana@example.org")
    for i in range(26):
        assert ana.post("/-/teams", {"name": f"Team {i}"}).status == 303
    assert ana.get("/-/teams").status == 413, "twenty-six teams"


def test_pages_of_the_administration(make_hub):
    # LIMIT_HUB_ADMIN_ROWS
    hub = make_hub(env=lowered(HUB_ADMIN_ROWS=2))
    admin, ana = hub.admin(), hub.browser()
    ana.sign_up("ana@example.org", "Ana")
    for name in ("alpha", "beta", "gamma"):
        ana.new_space(name.title(), name)
    for name in ("bob", "cleo"):
        assert hub.browser().sign_up(f"{name}@example.org", name.title()).status == 303
    page = admin.get("/-/admin")
    assert "Alpha" in page.said and "Beta" in page.said and "Gamma gamma" not in page.said, page.said
    assert "Spaces 3" in page.said and "People 4" in page.said, page.said
    more = dict(re.findall(r'href="(/-/admin\?[^"]+)">(?:More|What) (\w+)', page.text))
    more = {what: html.unescape(url) for url, what in more.items()}
    assert "Gamma gamma of ana@example.org" in admin.get(more["spaces"]).said
    people = admin.get(more["people"])
    assert "cleo@example.org" in people.text and "root@example.org" in people.text
    seen = []
    while "happened" in more:  # to the first thing that happened
        page = admin.get(more["happened"].split("#")[0])
        seen += re.findall(r'data-label="What"><span class="line">([^<]+)<', page.text)
        more = {what: html.unescape(url) for url, what in re.findall(r'href="(/-/admin\?[^"]+)">(?:More|What) (\w+)', page.text)}
    assert seen.count("Space made") >= 1 and seen[-1] == "Account made" and len(seen) >= 5, seen
    found = admin.get("/-/admin?q=GAM")
    said = found.said
    assert "Gamma gamma of ana@example.org" in said and "Alpha" not in said and "Nobody is called so" in said, said
    assert "Cleo cleo@example.org" in admin.get("/-/admin?q=cleo").said
    assert "None is called so" in admin.get("/-/admin?q=zzz").said


def test_the_end_of_a_log(make_hub):
    # LIMIT_HUB_LOG_TAIL
    hub = make_hub(env=lowered(HUB_LOG_TAIL=2000))
    admin = hub.admin()
    hub.browser().sign_up("ana@example.org")
    log = hub.folder / "edge/logs/hub.log"
    with open(log, "ab") as f:
        f.writelines(b"line %d \xff <b>\n" % i for i in range(300))
    page = admin.get("/-/admin/log")
    shown = re.search(r'<pre class="log"[^>]*>(.*?)</pre>', page.text, re.S).group(1)
    assert "line 299 \ufffd &lt;b&gt;" in shown and "line 0 " not in shown and len(shown) < 4000, shown
    assert "The end of its log" in page.said and re.match(r"line \d+ \ufffd &lt;b&gt;\n", shown), shown[:200]


def test_passwords_wait_in_a_short_line(make_hub):
    # LIMIT_HUB_SIGN_IN_QUEUE, LIMIT_HUB_QUEUE
    hub = make_hub(env=lowered(HUB_SIGN_IN_QUEUE=1))
    forms = [lambda i=i: hub.browser().post("/-/sign-up", {"email": f"p{i}@example.org", "password": PASSWORD})
             for i in range(12)]
    statuses = {r.status for r in at_once(*forms)}
    assert 503 in statuses and 303 in statuses, statuses
    assert hub.browser().get("/").status == 200


def test_configuration_that_is_too_large(make_hub):
    # LIMIT_HUB_CONFIG
    hub = make_hub()
    with open(hub.folder / "hub.yaml", "a") as f:
        f.write("#" * 1048577)
    refused = hub.run("hub", "check", "--dir", hub.folder)
    assert refused.returncode == 7 and "hub.yaml" in refused.stderr, refused


def test_new_accounts_of_many_addresses(make_hub):
    # LIMIT_HUB_SIGN_UPS, LIMIT_HUB_SIGN_UPS_MIN
    hub = make_hub(env=lowered(HUB_SIGN_UPS=3, HUB_SIGN_UPS_MIN=1))
    pages = at_once(*[lambda i=i: hub.browser(f"127.0.9.{i + 1}").sign_up(f"p{i}@example.org") for i in range(8)])
    assert sorted(p.status for p in pages) == [303] * 3 + [429] * 5, pages
    late = next(p for p in pages if p.status == 429)
    assert int(late.header("retry-after")) > 0 and "Too many people make an account" in late.said and "Wait" in late.said
    well = next(i for i, p in enumerate(pages) if p.status == 303)
    known = hub.browser("127.0.9.20")
    assert known.sign_in(f"p{well}@example.org").status == 303, "who has an account is not held up"
    known.new_space("Asked", "asked")
    link = known.post("/spaces/asked/invitations", {"email": "guest@example.org", "role": "viewer"}).text
    token = link.split("invitation?token=")[1].split('"')[0]
    assert hub.browser("127.0.9.21").sign_up("guest@example.org", invitation=token).status == 303, "nor who was invited"
    assert hub.browser("127.0.9.22").sign_up("late@example.org").status == 429


def test_accounts_that_nobody_confirmed(tmp_path):
    # LIMIT_HUB_UNVERIFIED_S, LIMIT_HUB_UPKEEP_MS
    shorter = lowered(HUB_UNVERIFIED_S=1, HUB_UPKEEP_MS=200)
    w = Tough(tmp_path)
    try:
        ana = w.person("ana@example.org")
        assert w.new_browser().sign_up("nobody@example.org").status == 303
        w.env.update(shorter)
        w.again()
        wait_for(w.is_up, 60)
        wait_for(lambda: not w.rows("select 1 from users where email = 'nobody@example.org'"), 60)
        assert ana.get("/-/account").status == 200
    finally:
        w.stop()
