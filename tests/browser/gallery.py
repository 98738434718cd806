# SPDX-License-Identifier: Apache-2.0
"""A site that has every kind of page, and the address of one of each: what tests/browser/test_every_page.py opens and
`tests/browser/screenshots --all` takes pictures of."""
import contextlib
import json
import shutil
import sqlite3

import serving
import signing

SECRET = "gallery"
ROOT = signing.cookie(SECRET, {"id": "root"})
HASH = "pbkdf2_sha256$1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs="
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TUS = {"Tus-Resumable": "1.0.0"}
CSV = "code,name,n,when\n" + "".join(f"c{i},A rather long name of a thing number {i},{i * 3},2020-01-{i:02}\n"
                                     for i in range(1, 30)) + "c9,Twice,1,2020-02-01\nc40,Wrong,many,2020-02-02\n"

# Patterns of src/site/route.c that never answer with HTML.
NOT_HTML = {
    "/-": "a redirect", "/favicon.ico": "an icon", "/robots.txt": "text", "/sitemap.xml": "XML", "/-/metrics": "text",
    "/-/upload/:id": "tus", "/-/import/:id/events": "an event stream",
    "/-/auth-token": "a redirect, or 403", "/-/jump[.json]": "JSON", "/:db.db": "a file",
    "/-/health[.json]": "JSON", "/-/ready[.json]": "JSON",
    "/:db/-/query/parameters": "JSON", "/:db/-/foreign-key-targets": "JSON", "/:db/-/queries/analyze": "JSON",
    "/:db/-/execute-write/analyze": "JSON", "/:db/:query/-/update": "JSON", "/:db/:table/-/insert": "JSON",
    "/:db/:table/-/foreign-key-suggestions": "JSON", "/:db/-/create": "JSON", "/:db/:table/-/import": "JSON",
    "/:db/:table/-/upsert": "JSON", "/:db/:table/-/alter": "JSON", "/:db/:table/-/drop": "JSON",
    "/:db/:table/-/set-column-type": "JSON", "/:db/:table/:pks*/-/update": "JSON", "/:db/:table/:pks*/-/delete": "JSON",
    "/-/sign-on": "a redirect", "/:db/:table/:pks*/-/revert": "a redirect", "/:db/:table/-/autocomplete[.json]": "JSON",
    "/-/shares/:id[.json]": "a redirect, or JSON", "/:db/:table/-/fragment": "a piece of a page",
    "/:db/:query/-/definition[.json]": "JSON",
}

# name: (pattern, path); what is not there for everybody is opened by root. {done} and so on: prepare().
PAGES = {
    "home": ("/[.json]", "/"),
    "home-built-in": ("/-/[.json]", "/-/"),
    "versions": ("/-/versions[.json]", "/-/versions"),
    "plugins": ("/-/plugins[.json]", "/-/plugins"),
    "settings": ("/-/settings[.json]", "/-/settings"),
    "config": ("/-/config[.json]", "/-/config"),
    "metadata": ("/-/metadata[.json]", "/-/metadata?_compat=0.65"),
    "databases": ("/-/databases[.json]", "/-/databases"),
    "actor": ("/-/actor[.json]", "/-/actor"),
    "actions": ("/-/actions[.json]", "/-/actions"),
    "threads": ("/-/threads[.json]", "/-/threads"),
    "create-database": ("/-/create-database", "/-/create-database"),
    "upload": ("/-/upload", "/-/upload?database=data"),
    "import-receiving": ("/-/import/:id[.json]", "{receiving}"),
    "import-preview": ("/-/import/:id[.json]", "{preview}"),
    "import-damaged": ("/-/import/:id[.json]", "{damaged}"),
    "import-done": ("/-/import/:id[.json]", "{done}"),
    "import-rejects": ("/:db/:table[.*]", "/data/done__rejects"),
    "imports": ("/-/imports[.json]", "/-/imports"),
    "api-log": ("/-/api-log[.*]", "/-/api-log"),
    "search": ("/-/search[.json]", "/-/search?q=rock"),
    "search-nothing": ("/-/search[.json]", "/-/search?q=zzzzzz"),
    "schema-all": ("/-/schema[.*]", "/-/schema"),
    "login": ("/-/login", "/-/login"),
    "password-tool": ("/-/password-tool", "/-/password-tool"),
    "logout": ("/-/logout", "/-/logout"),
    "allow-debug": ("/-/allow-debug", "/-/allow-debug"),
    "check": ("/-/check[.json]", "/-/check?action=view-table&parent=chinook&child=Album"),
    "allowed": ("/-/allowed[.json]", "/-/allowed?action=view-table"),
    "rules": ("/-/rules[.json]", "/-/rules?action=view-table"),
    "permissions": ("/-/permissions", "/-/permissions"),
    "messages": ("/-/messages", "/-/messages"),
    "tokens": ("/-/tokens[.json]", "/-/tokens?database=data&table=docs"),
    "create-token": ("/-/create-token", "/-/create-token"),
    "queries-all": ("/-/queries[.json]", "/-/queries"),
    "patterns": ("/-/patterns", "/-/patterns"),
    "api": ("/-/api", "/-/api"),
    "autocomplete": ("/-/debug/autocomplete", "/-/debug/autocomplete?database=chinook&table=Album"),
    "database": ("/:db[.*]", "/northwind"),
    "database-own": ("/:db[.*]", "/data"),
    "database-empty": ("/:db[.*]", "/blank"),
    "query": ("/:db/-/query[.*]",
              "/northwind/-/query?sql=select+ProductName,+UnitPrice+from+Products+where+UnitPrice+>+:min&min=20"),
    "query-wrong": ("/:db/-/query[.*]", "/northwind/-/query?sql=select+*+from+nowhere"),
    "query-none": ("/:db/-/query[.*]", "/northwind/-/query?sql=select+*+from+Products+where+0"),
    "queries": ("/:db/-/queries[.json]", "/data/-/queries"),
    "schema": ("/:db/-/schema[.*]", "/northwind/-/schema"),
    "query-store": ("/:db/-/queries/store", "/data/-/queries/store?sql=select+1"),
    "query-stored": ("/:db/:table[.*]", "/data/mine"),
    "query-edit": ("/:db/:query/-/edit", "/data/mine/-/edit"),
    "query-delete": ("/:db/:query/-/delete", "/data/mine/-/delete"),
    "execute-write": ("/:db/-/execute-write", "/data/-/execute-write?sql=update+docs+set+title+=+:title+where+id+=+:id"),
    "create-table": ("/:db/-/create-table", "/data/-/create-table"),
    "alter-table": ("/:db/:table/-/alter-table", "/data/docs/-/alter-table"),
    "drop-table": ("/:db/:table/-/drop-table", "/data/docs/-/drop-table"),
    "insert-row": ("/:db/:table/-/insert-row", "/data/docs/-/insert-row"),
    "edit-row": ("/:db/:table/:pks*/-/edit-row", "/data/docs/1/-/edit-row"),
    "delete-row": ("/:db/:table/:pks*/-/delete-row", "/data/docs/1/-/delete-row"),
    "history": ("/:db/:table/-/history[.*]", "/data/docs/-/history"),
    "history-none": ("/:db/:table/-/history[.*]", "/data/people/-/history"),
    "history-row": ("/:db/:table/:pks*/-/history[.json]", "/data/docs/1/-/history"),
    "table-schema": ("/:db/:table/-/schema[.*]", "/northwind/Products/-/schema"),
    "table": ("/:db/:table[.*]", "/northwind/Products?_facet=CategoryID&_facet=Discontinued&_size=20"),
    "table-filtered": ("/:db/:table[.*]",
                       "/chinook/Track?GenreId=1&Milliseconds__gt=200000&_facet=MediaTypeId&_sort_desc=Name"),
    "table-wide": ("/:db/:table[.*]", "/northwind/Employees"),
    "table-own": ("/:db/:table[.*]", "/data/docs"),
    "table-nothing": ("/:db/:table[.*]", "/chinook/Album?Title=nothing"),
    "table-empty": ("/:db/:table[.*]", "/data/people"),
    "view": ("/:db/:table[.*]", "/northwind/Invoices?_size=10"),
    "copyable": ("/:db/:table[.*]", "/chinook/Album.copyable?_table_format=github&_size=20"),
    "notebook": ("/:db/:table[.*]", "/chinook/Album.Notebook"),
    "row": ("/:db/:table/:pks*[.*]", "/chinook/Album/1"),
    "row-long": ("/:db/:table/:pks*[.*]", "/northwind/Employees/2"),
    "row-history": ("/:db/:table/:pks*[.*]", "/data/docs/1"),
    "share": ("/-/share[.json]", "/-/share?database=data&table=docs&page=%3F_sort%3Dtitle"),
    "share-none": ("/-/share[.json]", "/-/share?database=data&table=people"),
    "shares": ("/-/shares[.json]", "/-/shares"),
    "share-preview": ("/-/share/preview", "{share_preview}"),
    "share-embed": ("/-/s/:token[.*]", "{share_embed}"),
    "share-password": ("/-/s/:token[.*]", "{share_password}"),
    "share-gone": ("/-/s/:token[.*]", "/-/s/gone"),
    "error-400": ("/:db/:table[.*]", "/chinook/Album?_sort=nothing"),
    "error-404": ("/:db/:table[.*]", "/chinook/nothing"),
    "error-500": (None, "/broken"),
}
REFUSED = {"error-403": "/-/permissions"}  # to who is not signed in
STATUS = {"error-400": 400, "error-403": 403, "error-404": 404, "share-gone": 404, "error-500": 500}

SCHEMA = """
create table docs (id integer primary key, title text not null, body text, price real default 1.5, topic text
    references topics (code), read_at text);
create table topics (code text primary key, name text);
create table people (id integer primary key, name text);
insert into topics values ('a', 'Astronomy'), ('b', 'Botany');
insert into docs (title, body, price, topic, read_at) values
    ('A first document', 'One line.', 3, 'a', null), ('Another, with a long body', printf('%.900c', 'x'), 12.25, 'b', '2020-01-01'),
    ('<b>Markup</b> & more', null, 1000, null, null);
"""


def send(server, name, data):
    """Uploads a file; the address of its import."""
    if isinstance(data, str):
        data = data.encode()
    url = server.ask("POST", "/-/upload", {**ROOT, **TUS, "Upload-Length": str(len(data)), "Upload-Metadata": "filename " + (
        signing.base64.b64encode(name.encode()).decode())}).header("location")
    done = server.ask("PATCH", url, {**ROOT, **TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}, data)
    assert done.status == 204, done
    return url.replace("/upload/", "/import/")


def prepare(server):
    """Brings the site into every state; what {names} in PAGES stand for."""
    def post(path, body, status=303):
        answer = server.ask("POST", path, {**ROOT, **FORM}, body)
        assert answer.status == status, (path, answer)

    post("/data/docs/-/history", "enabled=1")
    post("/data/docs/1/-/edit-row", "v.title=A+first+document&v.body=One+line,+and+one+more.&v.price=4", 302)
    post("/data/docs/3/-/edit-row", "v.title=Changed&v.body=&v.price=1000", 302)
    post("/data/docs/2/-/edit-row", "v.title=Another&v.price=12.25", 302)
    answer = server.ask("POST", "/data/-/queries/store", {**ROOT, "Content-Type": "application/json"}, json.dumps(
        {"query": {"name": "mine", "sql": "select * from docs where price > :least", "title": "Dear ones"}}))
    assert answer.status in (200, 201), answer
    def share(**what):
        answer = server.ask("POST", "/-/share", {**ROOT, "Content-Type": "application/json"},
                            json.dumps({"database": "data", "table": "docs", **what}))
        assert answer.status == 201, answer
        return answer.json()["share"]

    link = share(audience="link", until="7d", page="?_sort=title")
    locked = share(audience="link", password="correct horse")
    share(audience="person", who="bea@example.org")
    share(audience="public", table="topics", until="2099-12-31")
    done, preview = send(server, "things.csv", CSV), send(server, "things.csv", CSV)
    post(done, "action=start&mode=create&database=data&table=done&name.0=code&pk.0=1&name.1=name&name.2=n&name.3=when"
               "&type.2=INTEGER")
    while server.ask("GET", done + ".json", ROOT).json()["state"] == "running":
        pass
    half = server.ask("POST", "/-/upload", {**ROOT, **TUS, "Upload-Length": "1000000"}).header("location")
    return {"share_preview": "/-/share/preview?share=" + link["id"],
            "share_embed": link["url"][link["url"].index("/-/s/"):] + "?_embed=1",
            "share_password": locked["url"][locked["url"].index("/-/s/"):],
            "done": done, "preview": preview, "damaged": send(server, "damaged.json", '[{"a": 1}, {"a"'),
            "receiving": half.replace("/upload/", "/import/")}


@contextlib.contextmanager
def gallery(folder):
    """The started site, and its PAGES by name with whole paths."""
    for name in ("chinook.db", "northwind.db"):
        shutil.copy(serving.DATA / name, folder / name)
    for name, script in (("data.db", SCHEMA), ("blank.db", "")):
        with contextlib.closing(sqlite3.connect(folder / name)) as db:
            db.executescript("pragma journal_mode = wal;" + script)
    (folder / "templates/pages").mkdir(parents=True)
    (folder / "templates/pages/broken.html").write_text("{{ nothing.at.all }}")
    (folder / "datasette.json").write_text(json.dumps({
        "plugins": {"datasette-auth-passwords": {"ann_password_hash": HASH}},
        "settings": {"api_log": True},
        "databases": {"chinook": {"queries": {"albums_of": {
            "title": "Albums of an artist", "sql": "select Title from Album where ArtistId = :artist"}}}}}))
    server = serving.Server(folder, "--secret", SECRET, "--root", "--state", folder / "state").wait()
    try:
        states = prepare(server)
        yield server, {name: path.format(**states) if path.startswith("{") else path for name, (_, path) in PAGES.items()}
    finally:
        server.stop()
