#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes recorded.inc: what a real server answered for table pages, as far as it follows from the plan alone.

    make_recorded.py CORPUS_DIR > recorded.inc

CORPUS_DIR holds cases.jsonl, data/*.db and servers/NAME/{args.txt,*.json,*.yaml}. Taken from each recorded answer: SQL,
parameters, count SQL, description, hidden form fields, redirects, refusals, next tokens and links, facet and suggestion
links. The tables' descriptions come out of the database files. test_recorded.c replays them.
"""
import json
import re
import shlex
import sqlite3
import sys
import urllib.parse
from pathlib import Path

import yaml

REFUSALS = ("_col=", "_nocol=", "Cannot sort", "Cannot use", "_size must", "Cannot search", "_where= is", "_facet= is",
            "Invalid _through")
TABLE_KEYS = ("sort", "sort_desc", "size", "sortable_columns", "facets", "facet_size", "fts_table", "fts_pk",
              "searchmode")


def quoted(text):
    """A C string literal, or NULL."""
    if text is None:
        return "NULL"
    out = []
    for byte in text.encode("utf-8"):
        if byte in (0x22, 0x5C):
            out.append("\\" + chr(byte))
        elif 0x20 <= byte < 0x7F and byte != 0x3F:
            out.append(chr(byte))
        else:
            out.append("\\%03o" % byte)
    return '"' + "".join(out) + '"'


def tilde_decode(text):
    return urllib.parse.unquote_plus(text.replace("%", "%25").replace("~", "%"))


def describe(path):
    """Tables and views of a database file: name -> description."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    found = {}
    listing = "select name, type, sql from sqlite_master where type in ('table', 'view')"
    for name, kind, sql in db.execute(listing).fetchall():
        info = db.execute("select name, pk, hidden from pragma_table_xinfo(?)", (name,)).fetchall()
        pks = [row[0] for row in sorted((r for r in info if r[1]), key=lambda r: r[1])]
        found[name] = {
            "is_view": kind == "view",
            "columns": [row[0] for row in info if row[2] != 1],
            "pks": pks,
            "sql": sql or "",
            "fks": db.execute('select "table", "from", "to", id from pragma_foreign_key_list(?)', (name,)).fetchall(),
        }
    for name, table in found.items():
        table["fts"] = fts_of(name, found)
        table["incoming"] = incoming(name, found)
    return found


def fts_of(name, found):
    for other, table in found.items():
        sql = table["sql"].lower()
        if "virtual table" not in sql or "using fts" not in sql:
            continue
        if f'content="{name.lower()}"' in sql or f"content=[{name.lower()}]" in sql or other == name:
            return other
    return ""


def incoming(name, found):
    out = []
    for other, table in found.items():
        ids = [fk[3] for fk in table["fks"]]
        for target, column, to, number in table["fks"]:
            if target == name and ids.count(number) == 1:
                out.append((other, column, to or found[name]["pks"][0]))
    return out


def server_of(corpus, name):
    """Settings and table configuration of a recorded server."""
    folder = corpus / "servers" / name
    args = shlex.split((folder / "args.txt").read_text())
    settings = {"default_page_size": "100", "max_returned_rows": "1000", "default_facet_size": "30",
                "allow_facet": "on",
                "suggest_facets": "on", "force_https_urls": "off", "base_url": "/"}
    for i, arg in enumerate(args):
        if arg == "--setting":
            settings[args[i + 1]] = args[i + 2]
    tables = {}
    for file in sorted(folder.glob("*")):
        if file.suffix not in (".json", ".yaml") or file.name.startswith("inspect"):
            continue
        for database, entry in (yaml.safe_load(file.read_text()).get("databases") or {}).items():
            for table, config in (entry.get("tables") or {}).items():
                kept = {k: v for k, v in config.items() if k in TABLE_KEYS}
                tables.setdefault((database, table), {}).update(kept)
    return settings, tables


def page_of(path, prefix, databases):
    """(database, table, path, query) of a table page's address, else None."""
    path, _, query = path.partition("?")
    inner = path[len(prefix):] if prefix and path.startswith(prefix) else path
    match = re.fullmatch(r"/([^/.]+)/([^/.]+)(\.json)?", inner)
    if not match:
        return None
    database, table = tilde_decode(match.group(1)), tilde_decode(match.group(2))
    if database not in databases or table not in databases[database]:
        return None
    return database, table, path, query


def encoded(text):
    """What the client that recorded sent: only bytes that may not stand in a request line are escaped."""
    return urllib.parse.quote(text, safe="%/:=&?~#+!$,;'@()*[]\"<>{}|\\^`")


def expectations(case, database):
    expect = case["expect"]
    status, body = expect["status"], expect.get("json")
    query = case["path"].partition("?")[2]
    if status == 302 and ("_filter_" in query or "_sort_by_desc" in query):
        return {"status": 302, "location": expect["headers"]["location"]}
    if status in (400, 403) and isinstance(body, dict) and body.get("error", "").startswith(REFUSALS):
        return {"status": status, "error": body["error"]}
    if status != 200:
        return None
    got = {"status": 200}
    if isinstance(body, dict) and "rows" in body:
        from_body(body, got)
    for link in expect.get("html", {}).get("links", []):
        head = f"/{database}?sql="
        if link.startswith(head):
            got["link_sql"] = link[len(head):].partition("&")[0]  # white space was squeezed by the recorder
    return got if len(got) > 1 else None


def from_body(body, got):
    if "sql" in body.get("query", {}):
        got["sql"] = body["query"]["sql"]
        got["params"] = json.dumps(body["query"]["params"])
    for name, key in (("count_sql", "count_sql"), ("human", "human_description_en")):
        if key in body:
            got[name] = body[key]
    if "form_hidden_args" in body:
        got["hidden"] = json.dumps(body["form_hidden_args"])
    if "facet_results" in body:
        got["facets"] = json.dumps(body["facet_results"]["results"])
    if "suggested_facets" in body:
        got["suggested"] = json.dumps(body["suggested_facets"])
    if body.get("next"):
        got["next"], got["next_url"] = body["next"], body["next_url"]
        got["last"] = json.dumps(body["rows"][-1])


FIELDS = ("sql", "link_sql", "params", "count_sql", "human", "hidden", "error", "location", "next", "next_url", "last",
          "facets", "suggested")


def strings(names):
    return "(const char *const[]){" + "".join(quoted(n) + ", " for n in names) + "NULL}"


def main(corpus):
    databases = {p.stem: describe(p) for p in sorted((corpus / "data").glob("*.db"))}
    servers = {p.name: server_of(corpus, p.name) for p in sorted((corpus / "servers").iterdir())}
    cases, used = [], set()
    for line in (corpus / "cases.jsonl").open():
        case = json.loads(line)
        if case["method"] != "GET" or case["server"] == "config-dir":
            continue
        settings, config = servers[case["server"]]
        page = page_of(case["path"], settings["base_url"].rstrip("/"), databases)
        got = page and expectations(case, page[0])
        if got:
            used.add(page[:2])
            cases.append((case, page, got, config.get(page[:2], {})))
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Written by make_recorded.py from recorded answers; do not edit. */\n")
    print("static const struct recorded_table recorded_tables[] = {")
    used |= {(database, t["fts"]) for database, tables in databases.items() for t in tables.values() if t["fts"]}
    for database, name in sorted(used):
        t = databases[database][name]
        links = "(const char *const[]){" + "".join(quoted(x) + ", " for link in t["incoming"] for x in link) + "NULL}"
        print(f"    {{{quoted(database)}, {quoted(name)}, {str(t['is_view']).lower()}, {strings(t['columns'])},")
        print(f"     {strings(t['pks'])}, {quoted(t['fts'])}, {links}}},")
    print("};\n\nstatic const struct recorded recorded_cases[] = {")
    for case, page, got, config in cases:
        settings = servers[case["server"]][0]
        origin = ("https" if settings["force_https_urls"] == "on" else "http") + "://HOST"
        numbers = ", ".join(settings[k] for k in ("default_page_size", "max_returned_rows", "default_facet_size"))
        flags = ", ".join("true" if settings[k] == "on" else "false"
                          for k in ("allow_facet", "suggest_facets"))
        # Whether the actor may run SQL is decided before planning; here it follows from the answer.
        flags += ", false" if got.get("error", "").startswith("_where=") else ", true"
        print(f"    {{{quoted(case['id'])}, {quoted(page[0])}, {quoted(page[1])}, {quoted(page[2])},")
        print(f"     {quoted(encoded(page[3]))}, {quoted(origin)}, {quoted(settings['base_url'].rstrip('/'))},")
        print(f"     {quoted(json.dumps(config))}, {numbers}, {flags}, {got['status']},")
        for field in FIELDS:
            if field in got:
                print(f"     .{field} = {quoted(got[field])},")
        print("    },")
    print("};")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
