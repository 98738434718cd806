# SPDX-License-Identifier: Apache-2.0
"""Every route x actors x configurations: the status that a model of the permission rules, written here, foretells.

A route of src/site/route.c without a row in ROUTES fails this test: say there what it needs."""
import json
import pathlib
import re
import time

import pytest

import serving
import signing
import stand_in_hub
from serving import make

SECRET = "matrix"
HASH = "pbkdf2_sha256$1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs="
SITE = serving.TOP / "src/site"
SCHEMA = """
create table open (id integer primary key, name text);
insert into open values (1, 'one'), (2, 'two');
create table closed (id integer primary key, open_id integer references open(id), name text);
insert into closed values (1, 1, 'hush');
create view v as select * from open;
"""

# ---- the model


def actions():
    rows = re.findall(r'^X\((\w+), "([\w-]+)", "(\w+)", (\w+), (\w+), (true|false)', (SITE / "tbl/actions.h").read_text(),
                      re.M)
    ids = {row[0]: row[1] for row in rows}
    return {name: (abbr, level, ids.get(requires), default == "true") for _, name, abbr, level, requires, default in rows}


ACTIONS = actions()


def matches(allow, actor):
    """An allow block."""
    if allow is None or isinstance(allow, bool):
        return allow is not False
    if actor is None:
        return allow.get("unauthenticated") is True
    for key, wanted in allow.items():
        have = actor.get(key)
        if wanted == "*" and key in actor:
            return True
        have, wanted = (x if isinstance(x, list) else [x] for x in (have, wanted))
        if have != [None] and set(have) & set(wanted):
            return True
    return False


class Model:
    def __init__(self, config, default_deny=False, root=True):
        self.config, self.default_deny, self.root = config, default_deny, root

    def rules(self, actor, action, parent, child):
        """(level, verdict) of every rule that touches the resource."""
        root = self.config
        db = root.get("databases", {}).get(parent, {})
        kind = "queries" if ACTIONS[action][1] == "QUERY" else "tables"
        item = db.get(kind, {}).get(child, {}) if child else {}
        for level, where in ((0, root), (1, db if parent else {}), (2, item if isinstance(item, dict) else {})):
            block = where.get("permissions", {}).get(action)
            if block is not None:
                yield level, matches(block, actor)
            own = {"view-instance": (0,), "view-database": (0, 1), "view-table": (0, 1, 2), "view-query": (0, 1, 2)}
            key = "allow_sql" if action == "execute-sql" and level < 2 else "allow" if level in own.get(action, ()) else None
            if key and where.get(key) is not None:
                verdict = matches(where[key], actor)
                yield level, verdict
                if not verdict:
                    yield from self.gate(actor, action, level, parent, child)
        if ACTIONS[action][3] and not self.default_deny:
            yield 0, True
        if self.root and actor and actor.get("id") == "root":
            yield 0, True

    def gate(self, actor, action, level, parent, child):
        """What an allow block refuses a restricted actor, it refuses at the resources that the restrictions name too."""
        r = (actor or {}).get("_r") or {}
        both = {action, ACTIONS[action][0]}
        if level < 1 and both & set(r.get("d", {}).get(parent, [])):
            yield 1, False
        if level < 2 and both & set(r.get("r", {}).get(parent, {}).get(child, [])):
            yield 2, False

    def allowed(self, actor, action, parent=None, child=None):
        abbr, _, requires, _ = ACTIONS[action]
        r = (actor or {}).get("_r")
        if r is not None:
            named = r.get("a", []) + r.get("d", {}).get(parent, []) + r.get("r", {}).get(parent, {}).get(child, [])
            if not {action, abbr} & set(named):
                return False
        found = list(self.rules(actor, action, parent, child))
        if not found:
            return False
        best = max(level for level, _ in found)
        verdict = all(allow for level, allow in found if level == best)
        return verdict and (requires is None or self.allowed(actor, requires, parent))


# ---- routes


def needs(*wanted, ok=200, denied=403):
    return lambda m, actor: ok if all(m.allowed(actor, *one) for one in wanted) else denied


def always(status):
    return lambda m, actor: status


def is_person(actor):
    return actor is not None and "token" not in actor


INSTANCE = needs(("view-instance",))
DEBUG = needs(("permissions-debug",))
BOTH = needs(("view-instance",), ("permissions-debug",))
CLOSED = [("view-table", "d", "closed")]


def a_row(action):
    """A row that is not there: only who may see or change the table learns that."""
    return lambda m, actor: 404 if m.allowed(actor, *CLOSED[0]) or m.allowed(actor, action, "d", "closed") else 403


def SHARES(m, actor):
    return 200 if actor and m.allowed(actor, "share", "d") and m.allowed(actor, "view-database", "d") else 403


def UPLOADS(m, actor):
    """Whoever may put rows into some table."""
    may = [("create-table", "d"), ("insert-row", "d")] + [("insert-row", "d", t) for t in ("open", "closed") if actor]
    return 200 if any(m.allowed(actor, *one) for one in may) else 403


def writes(action, where="closed", pk=None, ok=400):
    """A body that nobody may send changes nothing: 400 for who may do the action, 403 for others."""
    path = f"/d/{where}/" + (f"{pk}/" if pk else "")
    return lambda verb, body="{}": (f"POST {path}-/{verb} {body}", needs((action, "d", where), ok=ok))


# pattern: [(path, what is foretold)], GET unless the path begins with another method
ROUTES = {
    "/[.json]": [("/", INSTANCE), ("/.json", INSTANCE)],
    "/-/[.json]": [("/-/", INSTANCE), ("/-/.json", INSTANCE)],
    "/-": [("/-", always(301))],
    "/favicon.ico": [("/favicon.ico", always(200))],
    "/robots.txt": [("/robots.txt", always(200))],
    "/sitemap.xml": [("/sitemap.xml", always(404))],
    "/-/versions[.json]": [("/-/versions", INSTANCE), ("/-/versions.json", INSTANCE)],
    "/-/plugins[.json]": [("/-/plugins.json", INSTANCE)],
    "/-/settings[.json]": [("/-/settings.json", INSTANCE)],
    "/-/config[.json]": [("/-/config.json", INSTANCE)],
    "/-/metadata[.json]": [("/-/metadata.json?_compat=0.65", INSTANCE)],
    "/-/databases[.json]": [("/-/databases.json", INSTANCE)],
    "/-/create-database": [("/-/create-database", always(404))],  # no directory is served: test_new_database.py
    "/-/upload": [("/-/upload", UPLOADS)],
    "/-/upload/:id": [("/-/upload/x", always(302))],
    "/-/import/:id/events": [("/-/import/x/events", always(404))],
    "/-/import/:id[.json]": [("/-/import/x", always(404))],
    "/-/actor[.json]": [("/-/actor.json", always(200))],
    "/-/actions[.json]": [("/-/actions.json", DEBUG)],
    "/-/threads[.json]": [("/-/threads.json", DEBUG)],
    "/-/health[.json]": [("/-/health", always(200))],
    "/-/ready[.json]": [("/-/ready", always(200))],
    "/-/imports[.json]": [("/-/imports", DEBUG), ("/-/imports.json", DEBUG)],
    "/-/api-log[.*]": [("/-/api-log", DEBUG), ("/-/api-log.json", DEBUG), ("/-/api-log.ndjson", DEBUG)],
    "/-/metrics": [("/-/metrics", DEBUG)],
    "/-/search[.json]": [("/-/search?q=h", INSTANCE), ("/-/search.json?q=h", INSTANCE)],
    "/-/jump[.json]": [("/-/jump.json", always(200))],
    "/-/search[.json]": [("/-/search?q=a", INSTANCE), ("/-/search.json?q=a", INSTANCE)],
    "/-/schema[.*]": [("/-/schema.json", always(200))],
    "/-/auth-token": [("/-/auth-token?token=x", lambda m, a: 302 if a and a.get("id") == "root" else 403)],
    "/-/sign-on": [("/-/sign-on", always(404))],  # no hub: test_space.py
    "/-/login": [("/-/login", always(200))],
    "/-/password-tool": [("/-/password-tool", always(200))],
    "/-/logout": [("/-/logout", lambda m, a: 200 if a else 302)],
    "/-/allow-debug": [("/-/allow-debug", always(200))],
    "/-/check[.json]": [("/-/check", DEBUG), ("/-/check.json?action=view-instance", DEBUG)],
    "/-/allowed[.json]": [("/-/allowed", always(200)), ("/-/allowed.json?action=view-table", always(200))],
    "/-/rules[.json]": [("/-/rules", BOTH), ("/-/rules.json?action=view-table", BOTH)],
    "/-/permissions": [("/-/permissions", BOTH), ("POST /-/permissions actor=null&permission=view-instance", BOTH)],
    "/-/messages": [("/-/messages", INSTANCE), ("POST /-/messages message=x", needs(("view-instance",), ok=302))],
    "/-/create-token": [("/-/create-token", lambda m, a: 200 if is_person(a) else 403),
                        ("POST /-/create-token x=y", lambda m, a: 200 if is_person(a) else 403)],
    "/-/tokens[.json]": [("/-/tokens", lambda m, a: 200 if is_person(a) else 403),
                         ("/-/tokens.json?all=1", lambda m, a: 200 if is_person(a) and m.allowed(a, "permissions-debug") else 403),
                         ("POST /-/tokens x=y", lambda m, a: 400 if is_person(a) else 403)],
    "/-/queries[.json]": [("/-/queries.json", always(200))],
    "/-/share[.json]": [("/-/share?database=d", SHARES), ("/-/share.json?database=d", SHARES),
                        ("POST /-/share {}", always(400))],
    "/-/share/preview": [("/-/share/preview?database=d", lambda m, a: 200 if SHARES(m, a) == 200 and m.allowed(
        None, "view-database", "d") else 403)],
    "/-/shares[.json]": [("/-/shares", lambda m, a: 200 if a and m.allowed(a, "share", "d") else 403)],
    "/-/shares/:id[.json]": [("/-/shares/x.json", lambda m, a: 404 if a else 403),
                             ("POST /-/shares/x {}", lambda m, a: 404 if a else 403)],
    "/-/s/:token[.*]": [("/-/s/x", always(404)), ("/-/s/x.json", always(404)), ("POST /-/s/x password=x", always(404))],
    "/-/patterns": [("/-/patterns", INSTANCE)],
    "/-/api": [("/-/api", INSTANCE)],
    "/-/debug/autocomplete": [("/-/debug/autocomplete", INSTANCE),
                              ("/-/debug/autocomplete?database=d&table=closed", needs(("view-instance",), *CLOSED))],
    "/:db.db": [("/i.db", needs(("view-database-download", "i"))), ("/d.db", always(403))],
    "/:db[.*]": [("/d", needs(("view-database", "d"))), ("/d.json", needs(("view-database", "d"))),
                 ("/nope", needs(("view-database", "nope"), ok=404))],
    "/:db/-/query/parameters": [("/d/-/query/parameters?sql=select+:a", needs(("execute-sql", "d")))],
    "/:db/-/query[.*]": [("/d/-/query?sql=select+1", needs(("execute-sql", "d"))),
                         ("/d/-/query.json?sql=select+*+from+closed", needs(("execute-sql", "d"))),
                         ("/d/-/query.csv?sql=select+1", needs(("execute-sql", "d")))],
    "/:db/-/queries[.json]": [("/d/-/queries.json", lambda m, a: 200 if m.allowed(a, "view-database", "d") or any(
        m.allowed(a, "view-query", "d", q) for q in ("q", "u")) else 403)],
    "/:db/-/foreign-key-targets": [("/d/-/foreign-key-targets", needs(("create-table", "d")))],
    "/:db/-/schema[.*]": [("/d/-/schema.json", needs(("view-database", "d"))), ("/d/-/schema", needs(("view-database", "d")))],
    "/:db/-/create": [("POST /d/-/create {}", needs(("create-table", "d"), ok=400))],
    "/:db/-/create-table": [("/d/-/create-table", needs(("create-table", "d")))],
    "/:db/-/execute-write": [("/d/-/execute-write", needs(("execute-write-sql", "d"))),
                             ("POST /d/-/execute-write {}", needs(("execute-write-sql", "d"), ok=400))],
    "/:db/-/execute-write/analyze": [("/d/-/execute-write/analyze?sql=x", needs(("execute-write-sql", "d")))],
    "/:db/-/queries/analyze": [("/d/-/queries/analyze?sql=x", needs(("store-query", "d")))],
    "/:db/-/queries/store": [("/d/-/queries/store", needs(("store-query", "d"))),
                             ("POST /d/-/queries/store {}", needs(("store-query", "d"), ok=400))],
    "/:db/:query/-/update": [("POST /d/q/-/update {}", always(403)), ("POST /d/nope/-/update {}", needs(
        ("update-query", "d", "nope"), ok=404))],
    "/:db/:query/-/edit": [("/d/q/-/edit", always(403))],
    "/:db/:query/-/delete": [("/d/q/-/delete", always(403)), ("POST /d/q/-/delete {}", always(403))],
    "/:db/:table/-/foreign-key-suggestions": [
        ("/d/closed/-/foreign-key-suggestions", needs(("alter-table", "d", "closed")))],
    "/:db/:table/-/insert-row": [("/d/closed/-/insert-row", needs(("insert-row", "d", "closed"), *CLOSED))],
    "/:db/:table/:pks*/-/edit-row": [("/d/closed/1/-/edit-row", needs(("update-row", "d", "closed"), *CLOSED)),
                                     ("/d/closed/99/-/edit-row", needs(("update-row", "d", "closed"), *CLOSED, ok=404))],
    "/:db/:table/:pks*/-/delete-row": [("/d/closed/1/-/delete-row", needs(("delete-row", "d", "closed"), *CLOSED))],
    "/:db/:table/-/insert": [writes("insert-row")("insert")],
    "/:db/:table/-/import": [("POST /d/closed/-/import [{}]", needs(
        ("insert-row", "d", "closed"), ("update-row", "d", "closed"), ok=400))],
    "/:db/:table/-/upsert": [("POST /d/closed/-/upsert {}", needs(
        ("insert-row", "d", "closed"), ("update-row", "d", "closed"), ok=400))],
    "/:db/:table/-/alter": [writes("alter-table")("alter")],
    "/:db/:table/-/alter-table": [("/d/closed/-/alter-table", needs(("alter-table", "d", "closed"), *CLOSED))],
    "/:db/:table/-/drop-table": [("/d/closed/-/drop-table", needs(("drop-table", "d", "closed"), *CLOSED))],
    "/:db/:table/-/drop": [writes("drop-table", ok=200)("drop")],
    "/:db/:table/-/set-column-type": [writes("set-column-type")("set-column-type")],
    "/:db/:table/:pks*/-/update": [writes("update-row", pk=1)("update"), ("POST /d/closed/99/-/update {}", a_row("update-row"))],
    "/:db/:table/:pks*/-/delete": [("POST /d/closed/99/-/delete {}", a_row("delete-row"))],
    "/:db/:table/-/history[.*]": [("/d/closed/-/history.json", needs(*CLOSED)), ("/d/closed/-/history.csv", needs(*CLOSED)),
                                  writes("alter-table")("history")],
    "/:db/:table/:pks*/-/history[.json]": [("/d/closed/1/-/history.json", needs(*CLOSED))],
    "/:db/:table/:pks*/-/revert": [("POST /d/closed/1/-/revert {}", needs(*CLOSED, ok=400))],
    "/:db/:table/-/schema[.*]": [("/d/closed/-/schema.json", needs(*CLOSED))],
    "/:db/:table/-/autocomplete[.json]": [("/d/closed/-/autocomplete.json?q=h", needs(*CLOSED))],
    "/:db/:table/-/fragment": [("/d/closed/-/fragment", needs(*CLOSED))],
    "/:db/:query/-/definition[.json]": [("/d/q/-/definition.json", needs(("view-query", "d", "q"))),
                                        ("/d/nope/-/definition.json", needs(("view-query", "d", "nope"), ok=404))],
    "/:db/:table[.*]": [("/d/closed", needs(*CLOSED)), ("/d/closed.json", needs(*CLOSED)), ("/d/closed.csv", needs(*CLOSED)),
                        ("/d/closed.csv?_stream=1", needs(*CLOSED)), ("/d/open", needs(("view-table", "d", "open"))),
                        ("/d/v.json", needs(("view-table", "d", "v"))), ("/d/q", needs(("view-query", "d", "q"))),
                        ("/d/q.json", needs(("view-query", "d", "q"))),
                        ("/d/u.json", needs(("view-query", "d", "u"), ("execute-sql", "d"))),
                        ("/d/nope.json", needs(("view-table", "d", "nope"), ok=404)),
                        ("POST /d/closed x=y", needs(*CLOSED, ok=405))],
    "/:db/:table/:pks*[.*]": [("/d/closed/1", needs(*CLOSED)), ("/d/closed/1.json", needs(*CLOSED)),
                              ("/d/closed/99.json", needs(*CLOSED, ok=404)), ("/d/nope/1", needs(
                                  ("view-table", "d", "nope"), ok=404))],
}


def test_every_route_has_a_row():
    patterns = re.findall(r'^\s*\{"(/[^"]*)",', (SITE / "route.c").read_text(), re.M)
    assert len(patterns) > 40
    missing = set(patterns) - set(ROUTES)
    assert not missing, f"say in ROUTES of {pathlib.Path(__file__).name} what these need: {sorted(missing)}"
    assert not set(ROUTES) - set(patterns), "these routes are gone"


# ---- actors and configurations

NOW = int(time.time())
ANN = {"id": "ann"}
NARROW = {"r": {"d": {"open": ["vt"], "q": ["vq"]}}}
WIDE = {"a": ["vi", "vd", "view-table", "vq", "es", "vdd"]}


def actors():
    """name: (headers, the actor that they make; "401" = refused wherever it goes)."""
    good = signing.cookie(SECRET, ANN)["Cookie"]
    other = signing.cookie("another secret", ANN)
    return {
        "anonymous": ({}, None),
        "ann": (signing.cookie(SECRET, ANN), ANN),
        "bob": (signing.cookie(SECRET, {"id": "bob"}), {"id": "bob"}),
        "root": (signing.cookie(SECRET, {"id": "root"}, expires_in=1000), {"id": "root"}),
        "narrow token": (signing.bearer(SECRET, "ann", NARROW), {**ANN, "token": "dstok", "_r": NARROW}),
        "wide token": (signing.bearer(SECRET, "ann", WIDE, duration=1000), {**ANN, "token": "dstok", "_r": WIDE}),
        "token that may nothing": (signing.bearer(SECRET, "ann", {"a": []}), {**ANN, "token": "dstok", "_r": {"a": []}}),
        "expired token": (signing.bearer(SECRET, "ann", issued=NOW - 1000, duration=10), "401"),
        "forged token": (signing.bearer("another secret", "root"), "401"),
        "forged cookie": (other, None),
        "expired cookie": (signing.cookie(SECRET, ANN, expires_in=-10), None),
        "truncated cookie": ({"Cookie": good[:-1]}, None),
        "changed cookie": ({"Cookie": good.replace("ds_actor=e", "ds_actor=f")}, None),
    }


ONLY_ANN = {"id": "ann"}
QUERIES = {"q": "select 1", "u": {"sql": "select 2", "is_trusted": False}}


def database(**keys):
    return {"databases": {"d": {"queries": QUERIES, **keys}}}


CONFIGURATIONS = {
    "default": ({**database()}, ()),
    "default deny": ({**database()}, ("--default-deny",)),
    "default deny, ann may look": ({**database(permissions={"view-table": ONLY_ANN}), "permissions": {
        "view-instance": ONLY_ANN, "view-database": ONLY_ANN}}, ("--default-deny",)),
    "instance for ann": ({**database(), "allow": ONLY_ANN}, ()),
    "database for ann": ({**database(allow=ONLY_ANN)}, ()),
    "database for nobody": ({**database(allow=False)}, ()),
    "table for ann": ({**database(tables={"closed": {"allow": ONLY_ANN}})}, ()),
    "table for all in a closed database": ({**database(allow={}, tables={"open": {"allow": True}})}, ()),
    "query for ann": ({**database(queries={"q": {"sql": "select 1", "allow": ONLY_ANN}, "u": QUERIES["u"]})}, ()),
    "no queries": ({**database(permissions={"view-query": False})}, ()),
    "SQL for ann": ({**database(allow_sql=ONLY_ANN)}, ()),
    "no SQL anywhere": ({**database(), "allow_sql": False}, ()),
    "debug for bob": ({**database(), "permissions": {"permissions-debug": {"id": "bob"}, "create-table": {"id": "bob"}}}, ()),
    "bob may write what he may not see": ({**database(tables={"closed": {"allow": ONLY_ANN, "permissions": {
        name: {"id": "bob"} for name in ("insert-row", "update-row", "delete-row", "alter-table", "drop-table")}}})}, ()),
    "no download": ({**database(), "permissions": {"view-database-download": {"id": ["ann", "root"]}}}, ()),
}


@pytest.mark.parametrize("name, root", [(name, True) for name in CONFIGURATIONS] + [
    (name, False) for name in ("default", "default deny", "database for nobody")])
def test_matrix(server, tmp_path, name, root):
    config, options = CONFIGURATIONS[name]
    plugins = {"plugins": {"datasette-auth-passwords": {"x_password_hash": HASH}}}
    (tmp_path / "config.json").write_text(json.dumps({**config, **plugins}))
    s = server(make(tmp_path / "d.db", SCHEMA), "-i", make(tmp_path / "i.db", SCHEMA), "-c", tmp_path / "config.json",
               "--secret", SECRET, *options, *(["--root"] if root else []))
    model = Model(config, "--default-deny" in options, root)
    wrong = []
    everybody = list(actors().items())
    for who, (headers, actor) in everybody + everybody[:2]:  # anonymous again: what was kept meanwhile is theirs alone
        for pattern, cases in ROUTES.items():
            for path, foretold in cases:
                method, body = "GET", None
                if path.startswith("POST "):
                    method, path, body = path.split(" ", 2)
                wanted = 401 if actor == "401" else foretold(model, actor)
                kind = "json" if (body or "").startswith("{") else "x-www-form-urlencoded"
                form = {"Content-Type": "application/" + kind} if body else {}
                got = s.ask(method, path, {**headers, **form}, body)
                if got.status != wanted:
                    wrong.append(f"{who}: {method} {path}: {got.status}, not {wanted}: {got.text[:100]!r}")
                if wanted in (401, 403) and ("hush" in got.text or "private" in (got.header("cache-control") or "")):
                    wrong.append(f"{who}: {path}: shows what it refuses")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])


# ---- a space of a hub

ROLES = {"viewer": 1, "editor": 2, "owner": 3}
LEAST = {name: ROLES[role.lower()] for name, role in re.findall(
    r'^X\(\w+, "([\w-]+)", "\w+", \w+, \w+, (?:true|false), (\w+)', (SITE / "tbl/actions.h").read_text(), re.M)}
OPEN = {"/favicon.ico", "/-/s/:token[.*]", "/-/health[.json]", "/-/ready[.json]", "/-/logout", "/-/sign-on"}
OF_THE_HUB = {"/-/sign-on": 302, "/-/login": 404, "/-/password-tool": 404, "/-/logout": 200, "/-/auth-token": 403}


class SpaceModel(Model):
    """The hub's verdict is the ceiling; where it is yes, it is one more rule at the widest level."""

    def __init__(self, config, public):
        super().__init__(config, root=False)
        self.public = public

    def rank(self, actor):
        return ROLES.get((actor or {}).get("role"), 0)

    def rules(self, actor, action, parent, child):
        yield from super().rules(actor, action, parent, child)
        if self.rank(actor) >= LEAST[action]:
            yield 0, True

    def allowed(self, actor, action, parent=None, child=None):
        rank = self.rank(actor) or (1 if self.public else 0)
        return rank >= LEAST[action] and super().allowed(actor, action, parent, child)


@pytest.mark.parametrize("visibility", ["private", "public"])
@pytest.mark.parametrize("name", ["default", "table for ann", "database for nobody", "no SQL anywhere", "debug for bob"])
def test_roles_of_a_space(server, tmp_path, name, visibility):
    config = json.loads(json.dumps(CONFIGURATIONS[name][0]).replace('"ann"', '"ueditor"').replace('"bob"', '"uviewer"'))
    hub = stand_in_hub.Hub(tmp_path, visibility=visibility)
    make(tmp_path / "data/d.db", SCHEMA)
    (tmp_path / "data/vitrine.json").write_text(json.dumps(config))
    s = server("--space", tmp_path)
    model = SpaceModel(config, visibility == "public")
    people = {role: {"id": "u" + role, "role": role} for role in ROLES}
    actors = {"anonymous": ({}, None), "stranger": (None, {"id": "ustranger"}), **{r: (None, a) for r, a in people.items()}}
    wrong = []
    for who, (headers, actor) in actors.items():
        if actor:
            cookies = stand_in_hub.signed_on(s, hub, actor["id"]).cookies
            headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
        outside = visibility == "private" and not model.rank(actor)
        for pattern, cases in ROUTES.items():
            if "create-database" in pattern:  # a folder is served: test_space.py
                continue
            for path, foretold in cases:
                method, body = "GET", None
                if path.startswith("POST "):
                    method, path, body = path.split(" ", 2)
                if path.startswith("/i.db") or path == "/-/logout":
                    continue
                wanted = OF_THE_HUB.get(pattern, foretold(model, actor))
                if outside and pattern not in OPEN:
                    wanted = 403 if actor else 401
                kind = "json" if (body or "").startswith("{") else "x-www-form-urlencoded"
                form = {"Content-Type": "application/" + kind} if body else {}
                got = s.ask(method, path, {**headers, **form}, body)
                if got.status != wanted:
                    wrong.append(f"{who}: {method} {path}: {got.status}, not {wanted}: {got.text[:100]!r}")
                if wanted in (401, 403) and "hush" in got.text:
                    wrong.append(f"{who}: {path}: shows what it refuses")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])


def test_documented():
    text = (serving.TOP / "docs/permissions.md").read_text(encoding="utf-8")
    rows = {name: [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")
            for name in re.findall(r"`([a-z-]+)`", line.split("|")[1])}
    for name, (abbr, _, requires, default) in ACTIONS.items():
        row = rows[name]
        assert f"`{abbr}`" in row[1] and row[3].startswith("yes" if default else "no"), name
        assert requires is None or f"`{requires}`" in row[2], name


# ---- names in other letters


def test_a_key_that_spells_a_closed_table_otherwise(server, tmp_path):
    """SQLite compares names without case, permissions go by the table's own name: labels of rows that nobody may see."""
    schema = """
    create table Closed (id integer primary key, name text);
    insert into Closed values (1, 'hush one'), (2, 'hush two');
    create table open (id integer primary key, a integer references CLOSED(id), b integer references closed(id));
    insert into open values (1, 1, 2), (2, 2, 1);
    """
    (tmp_path / "config.json").write_text(json.dumps({"databases": {"d": {"tables": {"Closed": {"allow": {"id": "root"}}}}}}))
    s = server(make(tmp_path / "d.db", schema), "-c", tmp_path / "config.json", "--secret", SECRET)
    root = signing.cookie(SECRET, {"id": "root"})
    assert s.ask("GET", "/d/Closed.json").status == 403
    paths = ("/d/open", "/d/open/1", "/d/open.json?_labels=on&_extra=expandable_columns,facet_results&_facet=a&_facet=b",
             "/d/open.csv?_labels=on", "/d/open.csv?_labels=on&_stream=on", "/d/open.json?_label=a", "/d/open?_facet=a")
    for path in paths:
        got = s.ask("GET", path)
        assert got.status == 200 and "hush" not in got.text, path
        assert got.status == 200 and "hush" in s.ask("GET", path, root).text, path
    assert s.ask("GET", "/d/open.json?_extra=expandable_columns").json()["expandable_columns"] == []
    assert len(s.ask("GET", "/d/open.json?_extra=expandable_columns", root).json()["expandable_columns"]) == 2
