# SPDX-License-Identifier: Apache-2.0
"""Nothing of what an actor may not see shows anywhere else: names, counts, values, schemas, query texts.

Everything refused in these databases carries "zq" in its name or its text; no answer to a stranger may hold it. Where an
address itself must name it, the answer is compared with that of a name that does not exist."""
import json
import re

import pytest

import signing
from serving import make

SECRET = "leaks"
MARK = "zq"
SCHEMA = """
create table open (id integer primary key, name text, kind text, ref integer references zq_people(id));
create table zq_people (id integer primary key, zq_name text, open_id integer references open(id));
create index zq_index on zq_people(zq_name);
create trigger zq_trigger after insert on zq_people begin select 1; end;
create view zq_view as select * from zq_people;
insert into zq_people values (7, 'zq Alice', 1), (8, 'zq Bob', 1), (9, 'zq Carol', 2);
insert into open values (1, 'one', 'a', 7), (2, 'two', 'a', 8), (3, 'three', 'b', 9), (4, 'four', 'b', 7);
create virtual table zq_people_fts using fts5(zq_name, content="zq_people");
insert into zq_people_fts(zq_people_fts) values ('rebuild');
create virtual table plain_index using fts5(zq_name, content="zq_people", content_rowid="id");
insert into plain_index(plain_index) values ('rebuild');
"""
# "open" refers to zq_people: that name is part of its own schema, which is open. Pages that show the schema of "open" or
# what its foreign keys point at may name the table, and are looked at for everything else. /-/config keeps the name of a
# refused query, as Datasette does, with nothing of what it holds.
OWN_SCHEMA = re.compile(r'references zq_people\(id\)|&#34;zq_people&#34;|"other_table": "zq_people"')
CONFIG = {
    "databases": {
        "d": {"allow_sql": {"id": "ann"},
              "tables": {"zq_people": {"allow": {"id": "ann"}, "label_column": "zq_name"}, "zq_view": {"allow": {"id": "ann"}}},
              "queries": {"zq_query": {"sql": "select 'zq' as zq", "title": "zq title", "allow": {"id": "ann"}},
                          "fine": "select 1"}},
        "zq_closed": {"allow": {"id": "ann"}, "queries": {"zq_inner": "select 'zq'"}, "description": "zq text"}},
    "plugins": {"some": {"credential": {"$env": "LEAK_CREDENTIAL"}}},
}
METADATA = {"title": "Site", "databases": {"d": {"title": "D", "tables": {"zq_people": {"description": "zq described",
    "columns": {"zq_name": "zq column"}}}}, "zq_closed": {"title": "zq title", "description": "zq description"}}}
ANN = signing.cookie(SECRET, {"id": "ann"})
BOB = signing.cookie(SECRET, {"id": "bob"})
TOKEN = signing.bearer(SECRET, "ann", {"a": ["vi"], "d": {"d": ["vd"]}, "r": {"d": {"open": ["vt"]}}})


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    import serving
    folder = tmp_path_factory.mktemp("leaks")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "metadata.json").write_text(json.dumps(METADATA))
    s = serving.Server(make(folder / "d.db", SCHEMA), make(folder / "zq_closed.db", SCHEMA.replace("open", "zq_open")),
                       "-c", folder / "config.json", "-m", folder / "metadata.json", "--secret", SECRET, "--crossdb",
                       "--cors", env={"LEAK_CREDENTIAL": "zq credential"}).wait()
    yield s
    s.stop()


STRANGERS = {"anonymous": {}, "bob": BOB, "narrow token": TOKEN}


def clean(answer, path, own_schema=False):
    text = re.sub(r'(&#34;|")zq_query(&#34;|"): (&#34;|")[*]{3}', "", answer.text)
    text += "\n".join(f"{k}: {v}" for k, v in answer.headers)
    if own_schema:
        text = OWN_SCHEMA.sub("", text)
    at = text.find(MARK)
    assert at < 0, (path, answer.status, text[max(0, at - 200):at + 100])


PAGES = [
    # counts, lists, metadata
    "/", "/.json", "/-/.json", "/d?_show_hidden=1", "/-/databases.json", "/-/databases", "/-/config", "/-/schema",
    "/-/jump.json", "/-/jump.json?q=z", "/-/queries", "/-/queries.json", "/d/-/queries.json", "/-/queries.json?q=z",
    "/-/plugins.json", "/-/settings.json", "/-/versions.json", "/-/actor.json", "/-/api", "/-/patterns", "/-/allow-debug",
    "/_memory", "/_memory.json", "/robots.txt", "/-/health", "/-/login", "/-/metadata.json?_compat=0.65",
    "/-/search?q=a", "/-/search.json?q=Alice",
    "/-/allowed.json?action=view-table&_size=200", "/-/allowed.json?action=view-database",
    "/-/allowed.json?action=view-query", "/-/allowed.json?action=execute-sql", "/-/check", "/-/rules.json?action=view-table",
    "/-/create-token", "/-/debug/autocomplete?database=d&table=open",
    # a table: facets, suggestions, labels, extras, exports
    "/d/open.json?_facet=ref", "/d/open.json?_extra=suggested_facets", "/d/open.json?_labels=on",
    "/d/open.csv?_labels=on", "/d/open.csv?_stream=on&_labels=on", "/d/open/1.json?_labels=on",
    "/d/open.json?ref=7&_extra=human_description_en", "/d/open.json?_shape=object&_labels=on",
    "/d/open/-/autocomplete.json?q=o", "/d/open/-/fragment", "/d/open.json?_sort=ref&_labels=on&_size=1",
    "/d/open/1.json?_extra=foreign_key_tables", "/.json?_compat=0.65", "/d/open.ndjson?_labels=on",
    "/d/open.json?_extra=columns,count,query,debug,request,metadata,extras,database,table,renderers,private,facet_results",
]
WITH_OWN_SCHEMA = ["/d.json", "/d.json?_show_hidden=1", "/d/-/schema.json", "/d/-/schema", "/d/-/schema.md", "/-/schema.json",
                   "/-/schema.md", "/d/open/-/schema.json", "/d/open/-/schema",
                   "/d/open", "/d/open/1", "/d/open?_facet=ref", "/d.json?_compat=0.65", "/d/open?_labels=on", "/d/open?ref=7",
                   "/d/open.json?_extra=expandable_columns,column_details,all_columns,form_hidden_args,custom_table_templates"]


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("path", PAGES + WITH_OWN_SCHEMA)
def test_page(leaky, who, path):
    leaky.get(path, ANN)  # what was made for ann is not given to the next
    for _ in range(2):
        answer = leaky.get(path, STRANGERS[who])
        assert answer.status < 500
        clean(answer, path, path in WITH_OWN_SCHEMA or path == "/-/schema")


@pytest.mark.parametrize("path", ["/.json", "/d.json?_show_hidden=1", "/-/jump.json?q=zq", "/d/open.json?_labels=on",
                                  "/-/databases.json", "/-/queries.json", "/d/open/1.json?_extra=foreign_key_tables",
                                  "/d/-/schema.json", "/-/config.json", "/zq_closed.json", "/d/zq_people.json"])
def test_ann_sees_it(leaky, path):
    """The other way round: the test would notice."""
    assert MARK in leaky.get(path, ANN).text


def test_counts(leaky):
    index = leaky.json("/.json")["databases"]
    assert [db["name"] for db in index] == ["_memory", "d"]
    d = index[1]
    assert d["tables_count"] == 1 and d["views_count"] == 0 and d["table_rows_sum"] == 4
    database = leaky.json("/d.json")
    assert [t["name"] for t in database["tables"]] == ["open"] and database["views"] == []
    assert database["hidden_count"] == 0 and database["queries_count"] == 1 and not database["queries_more"]
    assert database["tables"][0]["foreign_keys"]["incoming"] == []
    facets = leaky.json("/d/open.json?_facet=ref")["facet_results"]["results"]["ref"]["results"]
    assert [f["label"] for f in facets] == [f["value"] for f in facets]
    assert leaky.json("/d/open/1.json?_extra=foreign_key_tables")["foreign_key_tables"] == []


REFUSED = ["/d/zq_people", "/d/zq_people.json", "/d/zq_people.csv", "/d/zq_people.csv?_stream=1", "/d/zq_people/7",
           "/d/zq_people/7.json", "/d/zq_people/99.json", "/d/zq_people/-/autocomplete.json?q=A",
           "/d/zq_people/-/fragment", "/d/zq_people/-/schema.json", "/d/zq_view.json", "/d/zq_view.csv", "/d/zq_query",
           "/d/zq_query.json", "/d/zq_query.csv", "/d/zq_query/-/definition.json", "/d/zq_index/-/schema.json",
           "/d/zq_trigger/-/schema.json", "/d/plain_index.json", "/d/plain_index_idx.json",
           "/d/plain_index_data.csv", "/d/plain_index/1.json", "/d/plain_index/-/autocomplete.json?q=A",
           "/d/plain_index/-/schema.json", "/d/-/query.json?sql=select+*+from+zq_people", "/d/-/query?sql=select+1",
           "/_memory/-/query.json?sql=select+*+from+d.zq_people", "/_memory/-/query.csv?sql=select+*+from+zq_closed.zq_people",
           "/d/open.json?_where=id+in+(select+open_id+from+zq_people)",
           "/d/open.json?_search=Alice&_fts_table=zq_people_fts&_fts_pk=ref",
           "/d/open.json?_search=Alice&_fts_table=plain_index&_fts_pk=ref",
           "/d/open.json?_search_zq_name=Alice&_fts_table=plain_index",
           "/d/open.json?_search=Alice&_fts_table=zq_people", "/zq_closed", "/zq_closed.json", "/zq_closed/zq_people.json",
           "/zq_closed/zq_open.csv", "/zq_closed/-/schema.json", "/zq_closed/-/queries.json", "/zq_closed/zq_inner.json",
           "/zq_closed/zq_inner/-/definition.json", "/zq_closed/-/query/parameters?sql=select+1", "/zq_closed.db",
           *(f"/d/zq_people.{e}" for e in ("atom", "ics", "geojson", "ndjson", "Notebook", "notebook", "tsv", "blob",
                                              "nope")),
           "/d/zq_people.json?_compat=0.65", "/d/zq_people?_trace=1", "/zq_closed/nope/1",
           "/-/debug/autocomplete?database=d&table=zq_people"]


@pytest.mark.parametrize("path", REFUSED)
def test_refused(leaky, path):
    assert leaky.get(path, ANN).status in (200, 302, 400, 403, 404)
    for headers in STRANGERS.values():
        answer = leaky.get(path, headers)
        assert answer.status == 403, (path, answer)
        assert "Alice" not in answer.text and "hush" not in answer.text and "zq_name" not in answer.text


def test_short_form(leaky):
    for body in ({"sql": "select * from zq_people"}, {"sql": "select 1"}):
        for headers in STRANGERS.values():
            answer = leaky.ask("POST", "/d.json", {**headers, "Content-Type": "application/json"}, json.dumps(body))
            assert answer.status == 403 and "Alice" not in answer.text


def test_through(leaky):
    """A filter through a table that may not be seen would tell its values one by one."""
    for value in ("zq Alice", "nobody"):
        through = json.dumps({"table": "zq_people", "column": "zq_name", "value": value})
        assert leaky.get("/d/open.json", BOB, _through=through).status == 400
    through = json.dumps({"table": "zq_people", "column": "zq_name", "value": "zq Alice"})
    assert [r["id"] for r in leaky.get("/d/open.json", ANN, _through=through).json()["rows"]] == [1]


@pytest.mark.parametrize("known, missing", [
    ("/zq_closed/zq_people", "/zq_closed/zq_nobody"), ("/zq_closed/zq_people.json", "/zq_closed/zq_nobody.json"),
    ("/zq_closed/zq_people/7.json", "/zq_closed/zq_nobody/7.json"),
    ("/zq_closed/zq_people/7.json", "/zq_closed/zq_people/70.json"),
    ("/zq_closed/zq_people/-/schema.json", "/zq_closed/zq_nobody/-/schema.json"),
    ("/zq_closed/zq_inner.json", "/zq_closed/zq_other.json"),
    ("/zq_closed/zq_people/-/autocomplete.json?q=a", "/zq_closed/zq_nobody/-/autocomplete.json?q=a"),
    ("/zq_closed/zq_people/-/fragment", "/zq_closed/zq_nobody/-/fragment"),
    ("/d/zq_people/7.json", "/d/zq_people/70.json"),
])
def test_missing_looks_like_refused(leaky, known, missing):
    """In what is closed as a whole, a name that is there answers as one that is not."""
    def answer(path):
        a = leaky.get(path, BOB)
        return a.status, a.text.replace(path.split("/")[2].split(".")[0], "X").replace("/70", "/7")
    assert answer(known) == answer(missing)
    assert answer(known)[0] == 403


def test_default_deny_hides_names(server, tmp_path):
    s = server(make(tmp_path / "there.db", SCHEMA), "--default-deny")
    for path in ("/there", "/there.json", "/there/open.json", "/there/open/1", "/there/-/schema.json", "/there.db",
                 "/there/-/query.json?sql=select+1", "/there/-/queries.json", "/there/q/-/definition.json"):
        a, b = s.get(path), s.get(path.replace("there", "nope_"))
        assert a.status == b.status == 403, (path, a.status, b.status)
        if "definition" not in path and "queries" not in path:
            assert a.text.replace("there", "nope_") == b.text, path


def test_sql_errors_say_nothing(leaky):
    """The text of an error about a closed database is that of the refusal, whatever the SQL."""
    texts = {leaky.get("/d/-/query.json", BOB, sql=sql).text for sql in (
        "select * from zq_people", "select * from missing", "select zq_name from open", "syntax error", "select 1; select 2")}
    assert len(texts) == 1 and MARK not in texts.pop()


def test_etag_and_links(leaky):
    """An answer made for one actor is not confirmed to another by its ETag."""
    answer = leaky.get("/d/zq_people.json", ANN)
    for etag in (answer.header("etag") or '"x"', "*"):
        assert leaky.get("/d/zq_people.json", {"If-None-Match": etag}).status == 403
    for path in ("/d/open?_size=1", "/d/open.json?_size=1&_labels=on", "/d"):
        answer = leaky.get(path)
        for link in answer.all("link"):
            assert MARK not in link


def test_a_kept_answer_is_not_given_to_who_may_more_or_less(leaky):
    anonymous = leaky.get("/d.json").json()
    ann = leaky.get("/d.json", ANN).json()
    assert len(ann["tables"]) > len(anonymous["tables"])
    assert leaky.get("/d.json").json() == anonymous == leaky.get("/d.json", {"Cookie": "theme=dark"}).json()
    assert leaky.get("/d.json", ANN).json() == ann


def test_templates_that_read_one_client_are_not_kept(server, tmp_path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "database.html").write_text(
        "{{ request.cookies.lang }}|{{ request.headers['x-name'] }}|{{ request.path }}")
    s = server(make(tmp_path / "d.db", SCHEMA), "--template-dir", tmp_path / "templates")
    assert s.get("/d", {"Cookie": "lang=de", "X-Name": "one"}).text == "de|one|/d"
    assert s.get("/d", {"Cookie": "lang=en", "X-Name": "two"}).text == "en|two|/d"
    assert s.get("/d").text == "||/d"


def test_configuration_shows_no_secret(leaky):
    for headers in (ANN, BOB):
        config = leaky.get("/-/config.json", headers).json()
        assert config["plugins"] == {"some": {"credential": {"$env": "LEAK_CREDENTIAL"}}}
    assert "zq_people" not in leaky.get("/-/config.json").text and "zq_closed" not in leaky.get("/-/config.json").text


def test_private_is_marked(leaky):
    """The padlock: on lists and on pages, for whom it was opened, where a stranger could not go."""
    index = {db["name"]: db["private"] for db in leaky.get("/.json", ANN).json()["databases"]}
    assert index["zq_closed"] is True and index["d"] is False
    database = leaky.get("/d.json?_show_hidden=1", ANN).json()
    private = {t["name"]: t["private"] for t in database["tables"] + database["views"] + database["queries"]}
    assert private["zq_people"] and private["zq_view"] and private["zq_query"]
    assert not private["open"] and not private["fine"]
    assert leaky.get("/d/zq_people.json?_extra=private", ANN).json()["private"] is True
    assert leaky.get("/d/open.json?_extra=private", ANN).json()["private"] is False
    assert leaky.get("/d/zq_people/7.json?_extra=private", ANN).json()["private"] is True
    assert leaky.get("/d/zq_query.json?_extra=private", ANN).json()["private"] is True
    assert leaky.get("/d/-/query.json?sql=select+1&_extra=private", ANN).json()["private"] is True
    queries = leaky.get("/-/queries.json", ANN).json()["queries"]
    assert {q["name"]: q["private"] for q in queries} == {"zq_query": True, "fine": False, "zq_inner": True}
    for path in ("/zq_closed", "/d/zq_people", "/d/zq_people/7", "/d/zq_query", "/zq_closed/zq_open", "/d/zq_view",
                 "/d/-/query?sql=select+1"):
        assert "🔒" in leaky.get(path, ANN).text, path
    for path in ("/d/open", "/d/open/1", "/d/fine"):
        assert "🔒" not in leaky.get(path, ANN).text, path
    for path in ("/", "/d", "/-/queries", "/d/-/queries"):
        assert "🔒" in leaky.get(path, ANN).text and "🔒" not in leaky.get(path).text, path
