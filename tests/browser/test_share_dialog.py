# SPDX-License-Identifier: Apache-2.0
"""Sharing in Chromium: the dialog with the keyboard, the link in another browser, a frame in another site."""
import json

import pytest

import serving
import signing
from look import look

SECRET = "shared"
SCHEMA = "create table people (id integer primary key, name text); insert into people values (1, 'Ana'), (2, 'Bea');"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharing")
    (folder / "c.json").write_text(json.dumps({"allow": {"id": "ann"}, "permissions": {"share": {"id": "ann"}}}))
    s = serving.Server(serving.make(folder / "d.db", SCHEMA), "-c", folder / "c.json", "--secret", SECRET, "--internal",
                       folder / "internal.db").wait()
    yield s
    s.stop()


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark")])
def test_dialog(site, width, scheme):
    name, _, value = signing.cookie(SECRET, {"id": "ann", "name": "Ann"})["Cookie"].partition("=")
    found = look(site, {"table": "/d/people?_sort_desc=name"}, widths=[width], schemes=[scheme], act={"table": "share"},
                 cookies=[{"name": name, "value": value}])[0]
    assert not found["errors"] and not found["elsewhere"], found
    got = found["acted"]
    assert got["title"] == "Share people" and got["person"] and got["password"] and "ready" in got["said"], got
    assert got["sent"] == got["url"], got
    seen = got["seen"]
    assert seen["path"] == "/d/people" and seen["rows"] == 2 and "Shared with you by Ann until" in seen["banner"], got
    assert seen["database"] == "Forbidden" and seen["framed"] == 2 and seen["after"] == 410, got
    assert got["back"], "the focus goes back to where it came from"
    assert not got["faults"] and not seen["faults"], got
