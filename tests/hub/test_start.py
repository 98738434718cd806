# SPDX-License-Identifier: Apache-2.0
"""The way in: a file first, an account afterwards."""
import os
import pathlib
import re
import signal
import socket
import sqlite3

import pytest
from hub_rig import DOMAIN, wait_for
from limits import lowered

CSV = b"id,name,town\n1,Ana,Oslo\n2,Bea,Rome\n3,Cem,Oslo\n"
BOUNDARY = "----vitrine-tests"


def form(name, content, field="file"):
    return (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
            f"Content-Type: application/octet-stream\r\n\r\n").encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def bring(browser, name="people.csv", content=CSV, **more):
    return browser.ask("POST", "/-/start", form(name, content), **more,
                       headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **more.pop("headers", {})})


def kept(hub):
    folder = hub.folder / "incoming"
    return sorted(os.listdir(folder)) if folder.exists() else []


def keep(browser, title="People"):
    return browser.post("/-/start/keep", {"title": title})


def into(browser, page):
    """A space sends people to the hub and back; programs it only tells."""
    return browser.follow(page, headers={"Accept": "text/html"})


def a_database(path, rows=3):
    with sqlite3.connect(path) as db:
        db.execute("create table birds (id integer primary key, name text)")
        db.executemany("insert into birds (name) values (?)", [(f"bird {i}",) for i in range(rows)])
    db.close()
    return path.read_bytes()


def test_a_file_then_an_account_then_a_space(hub):
    ana = hub.browser("127.0.8.1")
    assert 'type="file"' in ana.get("/").text
    page = bring(ana)
    assert page.status == 303 and page.header("location") == "/-/sign-up?to=/-/start", page
    said = ana.follow(page).said
    assert "Your file is here: people.csv, 46 Bytes" in said and "Make an account to keep it" in said
    assert "people.csv" in ana.get("/").said and "people.csv" in ana.get("/-/sign-in").said
    failed = ana.sign_up("start@example.org", password="short", to="/-/start")
    assert failed.status == 400 and "people.csv" in failed.said, "a failed sign-up loses nothing"
    page = ana.sign_up("start@example.org", "Ana", to="/-/start")
    assert page.status == 303 and page.header("location") == "/-/start"
    assert 'value="People"' in ana.get("/-/start").text
    made = keep(ana, "Start people")
    origin = f"http://start-people.{DOMAIN}:{hub.port}"
    assert made.status == 303 and made.header("location") == f"{origin}/people/people", made
    table = into(ana, made)
    assert table.status == 200 and all(word in table.said for word in ("Ana", "Bea", "Cem", "Oslo")), table
    rows = ana.get(f"{origin}/people/people.json?_shape=array").json()
    assert [(row["id"], row["name"], row["town"]) for row in rows][1] == (2, "Bea", "Rome"), rows
    assert not kept(hub) and "people.csv" not in ana.get("/").said
    assert ana.get("/-/start").header("location") == "/" and keep(ana).status == 404
    assert hub.browser("127.0.8.2").get(f"{origin}/people/people").status == 401, "nobody else sees it"


def test_a_database_is_kept_as_it_is(hub, tmp_path):
    ben = hub.browser("127.0.8.3")
    ben.sign_up("ben-start@example.org")
    assert 'type="file"' in ben.get("/").text, "a home without spaces says how to begin"
    page = bring(ben, "Bird list.sqlite", a_database(tmp_path / "b.db"))
    assert page.status == 303 and page.header("location") == "/-/start", page
    made = keep(ben, "Bird list")
    assert made.header("location") == f"http://bird-list.{DOMAIN}:{hub.port}/bird_list", made
    assert "birds" in into(ben, made).said
    again = bring(ben, "Bird list.csv")
    assert again.status == 303
    assert "Add a file" in ben.get("/").said
    second = keep(ben, "Bird list")
    assert re.match(rf"http://bird-list-\w{{4}}\.{DOMAIN}", second.header("location")), "a name that is taken: another"


@pytest.mark.parametrize("name, content, says", [
    ("report.pdf", b"%PDF-1.7 ...", "CSV, TSV, JSON"),
    ("archive.tar", b"x" * 600, "CSV, TSV, JSON"),
    ("people.db", b"this is no database at all", "no SQLite database"),
    ("people.csv", b"SQLite format 3\0" + b"\0" * 100, "ends with .db"),
    ("empty.csv", b"", "empty"),
    ("../../etc/passwd", b"root", "passwd is no kind"),
])
def test_what_is_no_file_of_tables(hub, name, content, says):
    before, eve = kept(hub), hub.browser(f"127.0.8.{10 + len(name)}")
    page = bring(eve, name, content)
    assert page.status == 400 and says in page.said and 'type="file"' in page.text, page
    assert kept(hub) == before and eve.get("/-/start").header("location") == "/"


def test_what_only_looks_right_is_told_by_the_import(hub, tmp_path):
    spaces = set(os.listdir(hub.folder / "spaces"))
    broken = bytearray(a_database(tmp_path / "b.db", 3000))
    broken[4096:] = b"\xff" * (len(broken) - 4096)
    dan = hub.browser("127.0.8.4")
    dan.sign_up("dan-start@example.org")
    for name, content in (("book.xlsx", b"PK\x03\x04 no workbook"), ("list.json", b'[{"a": 1}, {"a": '),
                          ("birds.db", bytes(broken))):
        assert bring(dan, name, content).status == 303
        page = keep(dan)
        assert page.status == 400 and name in page.said and str(hub.folder) not in page.text, page
        assert len(page.text.split('class="error-hint"')) == 2, "says what to do"
        assert name in dan.get("/-/start").said, "it still waits"
    assert set(os.listdir(hub.folder / "spaces")) == spaces, "no space is left half made"
    assert dan.follow(dan.post("/-/start/drop")).said.count("The file is removed") == 1
    assert not hub.space_json("people")


def test_forms_that_are_none(hub):
    eve = hub.browser("127.0.8.5")
    assert eve.post("/-/start", {"file": "people.csv"}).status == 400
    assert bring(eve, origin="https://evil.example").status == 403
    assert eve.ask("POST", "/-/start", b"").status == 400
    cut = eve.ask("POST", "/-/start", form("people.csv", CSV)[:-20],
                  {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    assert cut.status == 400, cut
    assert eve.get("/-/start").header("location") == "/"


def test_one_visitor_never_sees_the_file_of_another(hub):
    ana, eve, ben = hub.browser("127.0.8.6"), hub.browser("127.0.8.7"), hub.browser("127.0.8.7")
    assert bring(ana, "secret.csv").status == 303
    eve.jar[DOMAIN] = {"vitrine_file": "x" * 43}
    for browser in (eve, ben):
        assert "secret" not in browser.get("/").text and browser.get("/-/start").header("location") == "/"
    eve.sign_up("eve-start@example.org")
    assert keep(eve).status == 404 and "secret" not in eve.get("/").text
    # Signed in, it is the account's: after signing out the browser shows it to nobody, another one of hers does.
    ana.sign_up("ana-start@example.org")
    assert "secret.csv" in ana.get("/").said
    ana.post("/-/sign-out")
    assert "secret" not in ana.get("/").text and "secret" not in ana.get("/-/sign-in").text
    phone = hub.browser("127.0.8.8")
    assert phone.sign_in("ana-start@example.org").status == 303
    assert "secret.csv" in phone.get("/").said and keep(phone, "Secret").status == 303


def test_a_second_file_takes_the_place_of_the_first(hub):
    ana, before = hub.browser("127.0.8.9"), len(kept(hub))
    for name in ("one.csv", "two.csv"):
        assert bring(ana, name).status == 303
    assert len(kept(hub)) == before + 1 and "two.csv" in ana.get("/").said
    assert ana.follow(ana.post("/-/start/drop")).status == 200
    assert len(kept(hub)) == before


def test_too_many_from_one_address(hub):
    eve = hub.browser("127.0.8.40")
    answers = [bring(eve, "x.pdf") for _ in range(12)]
    assert answers[0].status == 400 and answers[-1].status == 429 and "Wait" in answers[-1].said


def hub_process(hub):
    """The hub below the edge: what runs `hub run`."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:5] == [b"hub", b"run", b"--dir", str(hub.folder).encode()]:
            found.append(int(path.parent.name))
    return found


def half(hub):
    """An upload that is under way: its connection, and the file that grows."""
    whole, before = form("half.csv", CSV + b"4,Dan,Bonn\n" * 40000), kept(hub)
    s = socket.create_connection(("127.0.0.1", hub.port))
    s.sendall((f"POST /-/start HTTP/1.1\r\nHost: {DOMAIN}:{hub.port}\r\nOrigin: {hub.origin}\r\n"
               f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(whole)}\r\n\r\n").encode()
              + whole[:300000])
    wait_for(lambda: len(kept(hub)) > len(before))
    return s


def test_a_cut_upload_leaves_nothing(make_hub):
    hub = make_hub()
    half(hub).close()
    wait_for(lambda: not kept(hub))


def test_the_hub_is_killed_between(make_hub):
    hub = make_hub()
    ana = hub.browser()
    assert bring(ana).status == 303
    s = half(hub)
    [old] = hub_process(hub)
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: hub_process(hub) not in ([], [old]))
    wait_for(lambda: hub.is_up())
    s.close()
    assert "people.csv" in ana.get("/").said, "what was whole is kept"
    wait_for(lambda: len(kept(hub)) == 1)  # ... and what was not is gone
    ana.sign_up("ana@example.org")
    assert "Oslo" in into(ana, keep(ana)).said


@pytest.mark.parametrize("point, spaces", [("hub.start.filled", 0), ("hub.start.made", 1)])
def test_killed_while_the_space_is_made(make_hub, point, spaces):
    lowered()  # a program with fault points
    hub = make_hub(env={"VITRINE_FAULT": f"{point}:1:kill"})
    ana = hub.browser()
    ana.sign_up("ana@example.org")
    bring(ana)
    try:
        assert keep(ana).status >= 500
    except OSError:
        pass
    hub.stop()
    del hub.env["VITRINE_FAULT"]
    hub.start()
    # The file waits, or the space is there: never both, and never none of them.
    wait_for(lambda: ("people.data" in ana.get("/").said) == bool(spaces))
    assert ("people.csv" in ana.get("/").said) == (not spaces)
    if not spaces:
        assert "Oslo" in into(ana, keep(ana)).said
    wait_for(lambda: not kept(hub))


def test_bounds(make_hub):
    # LIMIT_HUB_START_BYTES, LIMIT_HUB_START_FILES, LIMIT_HUB_START_TOTAL
    hub = make_hub(env=lowered(HUB_START_BYTES=100000, HUB_START_FILES=3, HUB_START_TOTAL=100000))
    large = bring(hub.browser(), "large.csv", CSV * 40000)
    assert large.status == 413 and "larger than 100 kB" in large.said and not kept(hub), large
    assert bring(hub.browser(), "a.csv", CSV * 1000).status == 303
    assert bring(hub.browser(), "b.csv", CSV * 1200).status == 503, "together too many bytes"
    assert bring(hub.browser(), "b.csv").status == 303
    assert bring(hub.browser(), "c.csv").status == 303
    full = bring(hub.browser(), "d.csv")
    assert full.status == 503 and "no room" in full.said and "Sign up" in full.said, full


def test_a_file_waits_for_some_time(make_hub):
    # LIMIT_HUB_START_S
    hub = make_hub(env=lowered(HUB_START_S=2, HUB_UPKEEP_MS=200))
    ana = hub.browser()
    assert bring(ana).status == 303
    wait_for(lambda: "people.csv" not in ana.get("/").said)
    wait_for(lambda: not kept(hub))


def test_an_import_that_takes_too_long(make_hub):
    # LIMIT_HUB_START_MS
    hub = make_hub(env=lowered(HUB_START_MS=1))
    ana = hub.browser()
    ana.sign_up("ana@example.org")
    bring(ana)
    page = keep(ana)
    assert page.status == 400 and "takes too long" in page.said and "people.csv" in ana.get("/").said, page


def test_where_nobody_may_sign_up(make_hub):
    hub = make_hub(change=lambda text: re.sub(r"sign_up: \w+", "sign_up: closed", text))
    eve = hub.browser()
    assert 'type="file"' not in eve.get("/").text and "people who were invited" in eve.get("/").said
    page = eve.get("/-/sign-up")
    assert "without an invitation" in page.said and 'name="password"' not in page.text, page
    refused = bring(eve)
    assert refused.status == 403 and "Sign in first" in refused.said and not kept(hub), refused
    assert bring(hub.admin()).status == 303
