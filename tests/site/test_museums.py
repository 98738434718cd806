# SPDX-License-Identifier: Apache-2.0
"""examples/museums: a site made of templates, served as a folder."""
import csv
import re
import sqlite3
import subprocess
import sys
import urllib.parse
import xml.etree.ElementTree as ET

import pytest

import serving

FOLDER = serving.TOP / "examples/museums"
ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture(scope="module")
def guide():
    site = serving.Server(f"{FOLDER}/").wait()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def museums():
    with open(FOLDER / "museums.csv", newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_the_database_is_what_the_script_makes(tmp_path):
    subprocess.run([sys.executable, FOLDER / "make_museums.py", tmp_path / "made.db"], check=True)
    dumps = []
    for path in (FOLDER / "museums.db", tmp_path / "made.db"):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        dumps.append((db.execute("select sql from sqlite_master order by name").fetchall(),
                      db.execute("select * from museums order by id").fetchall()))
        db.close()
    assert dumps[0] == dumps[1]


def test_index_shows_every_museum_once(guide, museums):
    seen, path = [], "/"
    while path:
        page = guide.get(path)
        assert page.status == 200
        seen += re.findall(r'<h2><a href="/([\w-]+)">', page.text)
        after = re.search(r'<a rel="next" href="([^"]+)"', page.text)
        path = after and after.group(1)
    newest_first = sorted(museums, key=lambda m: m["added"], reverse=True)
    assert seen == [m["slug"] for m in newest_first]
    assert "There is no page 99" in guide.get("/?page=99").text
    assert guide.get("/?page=x").status == 200 and guide.get("/?page=-3").status == 200


def test_a_page_a_museum(guide, museums):
    for museum in museums:
        page = guide.get("/" + museum["slug"])
        assert page.status == 200 and museum["name"].replace("'", "&#39;") in page.text
        assert page.text.count('<ol class="near">') == 1 and " km</li>" in page.text
    assert "<strong>what they are for</strong>" in guide.get("/pitt-rivers").text
    assert "<li>a pencil of nearly eight metres,</li>" in guide.get("/pencils").text
    assert re.search(r"National Coach Museum</a>, Lisbon, \d km", guide.get("/azulejo").text)
    answer = guide.get("/no-such-museum")
    assert answer.status == 404 and "There is no museum at this address" in answer.text


def test_kinds_map_and_about(guide, museums):
    for kind in {m["kind"] for m in museums}:
        text = guide.get("/kind/" + kind.lower().replace(" ", "-")).text
        assert len(re.findall(r'class="card ', text)) == sum(m["kind"] == kind for m in museums)
    assert guide.get("/kind/none").status == 404
    world = guide.get("/map").text
    assert world.count("<circle") == len(museums) and 'viewBox="10 5 350 145"' in world
    assert 'viewBox="155 22 55 36"' in guide.get("/map?area=europe").text
    nowhere = guide.get("/map?area=nowhere")
    assert (nowhere.status, nowhere.header("location")) == (302, "/map")
    about = guide.get("/about").text
    assert f"{len(museums)} small museums in {len({m['country'] for m in museums})} countries" in about


@pytest.mark.parametrize("words, slugs", [("ship", {"vasa", "fram", "roskilde", "coaches"}), ("tokyo", {"parasites"}),
                                          ("pencil compass", {"pencils"}), ("nothingatall", set())])
def test_search(guide, words, slugs):
    text = guide.get("/search", q=words).text
    assert set(re.findall(r'<h2><a href="/([\w-]+)">', text)) == slugs
    assert (f"{len(slugs) or 'No'} museum" in text)


@pytest.mark.parametrize("words", ['"', "<b>x</b>", "a AND", "NEAR(", "*", "name:x", "'; drop table museums", "%00"])
def test_search_for_anything(guide, words):
    answer = guide.get("/search?q=" + urllib.parse.quote(words))
    assert answer.status == 200 and "<b>x" not in answer.text


def test_feed(guide, museums):
    answer = guide.get("/feed.atom")
    assert answer.header("content-type") == "application/atom+xml; charset=utf-8"
    feed = ET.fromstring(answer.text)
    entries = feed.findall("a:entry", ATOM)
    newest = max(museums, key=lambda m: m["added"])
    assert len(entries) == 15
    assert entries[0].find("a:title", ATOM).text == f"{newest['name']}, {newest['city']}"
    assert entries[0].find("a:id", ATOM).text.endswith("/" + newest["slug"])
    assert entries[0].find("a:content", ATOM).text.startswith("<p>")


def test_the_data_behind_it(guide, museums):
    assert guide.json("/museums/museums.json", _size="max")["rows"][0].keys() == {"id", *museums[0]}
    assert guide.get("/static/guide.css").header("content-type") == "text/css"
    assert guide.get("/").text.count('href="/static/guide.css"') == 1
