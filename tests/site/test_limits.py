# SPDX-License-Identifier: Apache-2.0
"""The walls of the site: what happens at each is what src/base/limits.h says."""
import pytest

import limits
from limits import lowered
from serving import make


@pytest.fixture
def rows(tmp_path):
    return make(tmp_path / "data.db", "create table t (id integer primary key, s text);"
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200) "
                "insert into t select i, printf('%.*c', 50, 'x') from n")


def test_search_text(server, rows):
    s = server(rows)
    assert s.get("/-/search?q=" + "x" * limits.LIMIT_SEARCH_TEXT).status == 200
    got = s.get("/-/search.json?q=" + "x" * (limits.LIMIT_SEARCH_TEXT + 1))
    assert got.status == 400 and str(limits.LIMIT_SEARCH_TEXT) in got.text


def test_json_output(server, rows):
    s = server(rows, env=lowered(JSON_OUTPUT=3000))  # LIMIT_JSON_OUTPUT
    assert s.get("/data/t.json?_size=5").status == 200
    got = s.get("/data/t.json?_size=200")
    assert got.status == 413 and "larger than" in got.text and "_size" in got.json()["hint"]
