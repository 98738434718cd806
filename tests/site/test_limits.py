# SPDX-License-Identifier: Apache-2.0
"""The walls of the site: what happens at each is what src/base/limits.h says. Those of queues and of writing are in
test_limits_work.py."""
import json
import time

import pytest

import limits
from limits import lowered
from serving import make

ENDLESS = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def rows(tmp_path):
    return make(tmp_path / "data.db", "create table t (id integer primary key, s text);"
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200) "
                "insert into t select i, printf('%.*c', 50, 'x') from n")


def config(tmp_path, value):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(value))
    return "--config", path


# ---- what is asked


def test_search_text(server, rows):
    s = server(rows)
    assert s.get("/-/search?q=" + "x" * limits.LIMIT_SEARCH_TEXT).status == 200
    got = s.get("/-/search.json?q=" + "x" * (limits.LIMIT_SEARCH_TEXT + 1))
    assert got.status == 400 and str(limits.LIMIT_SEARCH_TEXT) in got.text
    pairs = "&".join(f"p{i}=1" for i in range(limits.LIMIT_QUERY_ARGS))
    assert s.get("/data/-/query.json?" + pairs.replace("p0=1", "sql=select+1")).status == 200
    got = s.get("/data/-/query.json?sql=select+1&" + pairs)
    assert got.status == 400 and f"more than {limits.LIMIT_QUERY_ARGS} arguments" in got.json()["error"]


def test_parameters_of_posted_sql(server, rows):
    s = server(rows, env=lowered(QUERY_TEXT=1000))  # LIMIT_QUERY_TEXT

    def ask(n):
        body = json.dumps({"sql": "select json_array_length(:l) n", "params": {"l": [1234567] * n}})
        return s.ask("POST", "/data.json", {"Content-Type": "application/json"}, body)

    assert ask(100).json()["rows"] == [{"n": 100}]
    got = ask(200)
    assert got.status == 413 and "parameter l" in got.json()["error"] and "1000" in got.json()["error"]
    assert got.json()["hint"]


# ---- answers


def test_json_output(server, rows):
    s = server(rows, env=lowered(JSON_OUTPUT=3000))  # LIMIT_JSON_OUTPUT
    assert s.get("/data/t.json?_size=5").status == 200
    got = s.get("/data/t.json?_size=200")
    assert got.status == 413 and "larger than" in got.text and "_size" in got.json()["hint"]


def test_memory_of_an_answer(server, rows):
    s = server(rows, env=lowered(HTTP_REQUEST_ARENA=2_000_000, CSV_PAGE=8000))
    for size, status in (1_000, 200), (3_000_000, 413):  # LIMIT_HTTP_REQUEST_ARENA
        got = s.get("/data/-/query.json", sql=f"select printf('%.*c', {size}, 'x') as s")
        assert got.status == status, got
    assert "memory" in got.json()["error"] and "_stream" in got.json()["hint"]
    # LIMIT_CSV_PAGE: what is cut says so
    assert s.get("/data/t.csv?_size=5").text.count("\n") == 6
    got = s.get("/data/t.csv?_size=200")
    assert got.status == 200 and got.text.splitlines()[-1] == "CSV contains more than 8000 bytes"
    assert all(len(line) > 50 for line in got.text.splitlines()[1:-1])  # no half record
    got = s.get("/data/t.ndjson?_size=200")
    assert got.status == 413 and "larger than" in got.text and "_size" in got.text
    got = s.get("/data/t.csv?_stream=1")
    assert got.status == 413 and "larger than 8000 bytes" in got.text and "_col" in got.text


def test_metrics(server, rows):
    s = server(rows, "--setting", "metrics.public", "true", env=lowered(METRICS_PAGE=2000))  # LIMIT_METRICS_PAGE
    got = s.get("/-/metrics")
    assert got.status == 500 and "vitrine_" not in got.text and "2000 bytes" in got.text


def test_trace(server, rows):
    s = server(rows, "--setting", "trace_debug", "1", env=lowered(TRACE_STATEMENTS=2))
    assert s.json("/data/t.json?_trace=1&_facet=s")["_trace"]["num_traces"] == 2  # LIMIT_TRACE_STATEMENTS
    for size, traced in (limits.LIMIT_TRACE_BODY // 2, True), (limits.LIMIT_TRACE_BODY, False):
        got = s.json("/data/-/query.json", sql=f"select printf('%.*c', {size}, 'x')", _trace=1)
        assert ("_trace" in got) == traced, size


# ---- cells


def test_cells(server, tmp_path):
    path = make(tmp_path / "c.db", "create table notes (id integer primary key, body_markdown text, j text);"
                "insert into notes values (1, '**' || printf('%.*c', 600, 'b') || '**', '{\"a\": [1]}'), "
                "(2, '**' || printf('%.*c', 600, 'c') || '**', "
                "'[' || (with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) "
                "select group_concat(i) from n) || ']')")
    s = server(path, *config(tmp_path, {"plugins": {"datasette-pretty-json": {}}}),
               env=lowered(PAGE_MARKDOWN=1000, CELL_JSON_ARENA=30_000))
    page = s.get("/c/notes").text
    # LIMIT_PAGE_MARKDOWN: the second cell shows its text as it is
    assert page.count("rendered-markdown") == 1 and "<strong>bbb" in page and "**ccc" in page
    # LIMIT_CELL_JSON_ARENA: likewise
    assert page.count("<pre>") == 1 and "[1,2,3," in page


# ---- search


def test_search_takes_no_longer(server, tmp_path):
    path = make(tmp_path / "s.db", "create table t (s text); insert into t values ('stone');"
                "create virtual table t_fts using fts5(s, content='t'); insert into t_fts(t_fts) values ('rebuild')")
    assert server(path).json("/-/search.json?q=stone")["not_searched"] == []
    got = server(path, env=lowered(SEARCH_MS=0)).json("/-/search.json?q=stone")  # LIMIT_SEARCH_MS
    assert got["results"] == [] and [t["table"] for t in got["not_searched"]] == ["t"]


def test_search_link_of_many_databases(server, tmp_path):
    plain = make(tmp_path / "a.db", "create table t (s text)")
    found = make(tmp_path / "b.db", "create table t (s text); create virtual table t_fts using fts5(s, content='t')")

    def has_link(s):
        s.get("/a"), s.get("/b")  # schemas are known from then on
        return "/-/search" in s.get("/").text

    env = lowered(SEARCH_DATABASES=1)  # LIMIT_SEARCH_DATABASES
    assert has_link(server(plain, found)) and has_link(server(found, plain, env=env))
    assert not has_link(server(plain, found, env=env))


# ---- templates


def test_templates(server, rows, tmp_path):
    pages = tmp_path / "templates/pages"
    pages.mkdir(parents=True)
    for n in 20_000, 20_001:
        (pages / f"s{n}.html").write_text("y" * n)
    for n in 10, 20_000:
        (pages / f"o{n}.html").write_text("{%% for i in range(%d) %%}0123456789{%% endfor %%}" % n)
        (pages / f"r{n}.html").write_text("{{ sql('select 1 from t limit %d')|length }}" % n)
    (pages / "endless.html").write_text("{{ sql('%s') }}" % ENDLESS)
    (pages / "twice.html").write_text("{{ sql('select 1')|length }}{{ sql('select 1')|length }}")
    s = server(rows, "--template-dir", tmp_path / "templates", "--setting", "sql_time_limit_ms", "100000",
               env=lowered(TEMPLATE_SOURCE=20_000, TEMPLATE_OUTPUT=150_000, PAGE_SQL_ROWS=10, PAGE_SQL_MS=1000))
    for page, status, text in (
            ("s20000", 200, "y" * 20_000), ("s20001", 500, "at most 20000"),  # LIMIT_TEMPLATE_SOURCE
            ("o10", 200, "0123456789" * 10), ("o20000", 500, "150000"),  # LIMIT_TEMPLATE_OUTPUT
            ("r10", 200, "10"), ("r20000", 500, "more than 10 rows"),  # LIMIT_PAGE_SQL_ROWS
            ("twice", 200, "11"), ("endless", 500, "sql()")):  # LIMIT_PAGE_SQL_MS
        got = s.get("/" + page)
        assert got.status == status and text in got.text, (page, got)


def test_files_of_templates(server, rows, tmp_path):
    pages = tmp_path / "templates/pages"
    pages.mkdir(parents=True)
    for i in range(30):
        (pages / ("p%d-{name}.html" % i)).write_text("{{ name }}")
    s = server(rows, "--template-dir", tmp_path / "templates", env=lowered(TEMPLATE_FILES=11))  # LIMIT_TEMPLATE_FILES
    assert sum(s.get(f"/p{i}-x").text == "x" for i in range(30)) == 10  # one of the eleven is pages/ itself
    assert s.logs("more than 11 files") and s.log().count("more than 11 files") == 1


# ---- figures


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    return make(tmp_path_factory.mktemp("figures") / "big.db", """
        create table t (id integer primary key, kind text, n integer);
        with recursive c(i) as (select 1 union all select i + 1 from c where i < 600000)
            insert into t select i, 'kind ' || (i * 7919 % 40), i % 1000 from c;
        update t set kind = id || printf('%.*c', 3000, 'l') where id <= 30;
        create view v as select * from t where n > 10""")


PUBLIC = "--setting", "metrics.public", "true"


def metric(site, name, lane=None):
    name += f'{{lane="{lane}"}} ' if lane else " "
    return next(float(line[len(name):]) for line in site.get("/-/metrics").text.splitlines() if line.startswith(name))


def count(site):
    """Of a view: counting a table is one step, which is never cut off."""
    got = site.json("/big/v.json?_size=0&_extra=count")
    return got["count"], got["count_truncated"]


def test_figures_that_take_too_long(server, big):
    s = server(big, *PUBLIC, env=lowered(FIGURE_TIME_MS=0))  # LIMIT_FIGURE_TIME_MS
    assert count(s) == (10001, True)
    until(lambda: metric(s, "vitrine_jobs_total", "figures") >= 1)
    assert count(s) == (10001, True)


def test_figures_that_wait(server, big):
    s = server(big, *PUBLIC, env=lowered(FIGURE_QUEUE=1))  # LIMIT_FIGURE_QUEUE
    path = "/big/t.json?_size=0&_extra=count&n__gt="
    until(lambda: [s.get(f"{path}{n}") for n in range(20)] and metric(s, "vitrine_rejected_total", "figures") > 0)
    until(lambda: all(not s.json(f"{path}{n}")["count_truncated"] for n in range(20)))  # who asks again gets them


def test_figures_that_are_large(server, big):
    s = server(big, env=lowered(FIGURE_ARENA=30_000))  # LIMIT_FIGURE_ARENA

    def exact(column, size):
        got = s.json(f"/big/t.json?_size=0&_facet={column}&_facet_size={size}")["facet_results"]["results"].get(column)
        return bool(got) and "estimated" not in got

    until(lambda: exact("kind", 5))  # short texts
    assert not exact("kind", 100)
    until(lambda: exact("n", 100))  # one after the other: the one before is over
    assert not exact("kind", 100)
