# SPDX-License-Identifier: Apache-2.0
"""A site in its sandbox against those who may use it: SQL of visitors and of owners, templates, uploads; and code of an
attacker inside of the server's own process (attacker.so, loaded as an SQLite extension)."""
import base64
import io
import stat
import sys
import zipfile

import pytest

import box as boxes
import serving

sys.path.append(str(serving.TOP / "tests/site"))
from test_escape import ROWS, SIGSYS  # noqa: E402
from writing import SECRET, Site, bearer, make  # noqa: E402

MARK = "TOP-SECRET-7"


@pytest.fixture(scope="module")
def site(box):
    boxes.require("attacks inside of a server: this build has no attacker", boxes.EXTENSION.exists())
    data = box.space / "data"
    pages = data / "templates/pages"
    pages.mkdir(parents=True)
    box.secret.write_text(MARK)
    (box.other / "data/secret").write_text(MARK)
    for i, text in enumerate(TEMPLATES):
        (pages / f"a{i}.html").write_text("begin " + text.replace("SECRET_FILE", str(box.secret)) + " end")
    make(data / "docs.db")
    extension = box.copy(boxes.EXTENSION)
    box.own(data)
    path = box.top / "run/site.sock"
    environment = {**box.attack(), "ATTACK_SECRET_VARIABLE": "1"}
    before = box.sandbox("--folder", box.space, "--listen", path, "--run", extension, "--require",
                         "namespaces,landlock,seccomp", "--tmp-size", "16M", "--file-size", "64M",
                         *(a for name in box.attack() for a in ("--env", name)))
    serving.PROGRAM, usual = box.program, serving.PROGRAM  # one that an ordinary user may run
    one = Site(data / "docs.db", "--root", "--secret", SECRET, "--state", box.space / "state", "--template-dir",
               data / "templates", "--load-extension", f"{extension}:sqlite3_attacker_init", before=before, uds=str(path),
               env=environment, **box.identity()).wait()
    serving.PROGRAM = usual
    one.box = box
    yield one
    one.stop()


# ---- SQL. FILE: a file outside; OWN: a place that the process may write ----

SQL = [
    "attach 'FILE' as x", "attach 'file:FILE?mode=ro' as x", "attach ':memory:' as x", "attach '' as x",
    "attach database 'OWN/made.db' as x", "detach main", "vacuum into 'OWN/made.db'", "vacuum main into 'OWN/made.db'",
    "select load_extension('FILE')", "select load_extension('OWN/own', 'main')", "select readfile('FILE')",
    "select writefile('OWN/made', 'x')", "select edit('x', 'sh')", "select * from fsdir('/')",
    "select * from zipfile('FILE')", "create virtual table temp.c using csv(filename='FILE')",
    "select fts3_tokenizer('simple')", "select fts3_tokenizer('x', x'0000000000000000')",
    "select * from sqlite_dbpage", "insert into sqlite_dbpage(pgno, data) values (1, zeroblob(4096))",
    "update sqlite_dbpage set data = zeroblob(4096) where pgno = 1", "select * from sqlite_stmt",
    "pragma writable_schema = on", "pragma temp_store_directory = 'OWN'", "pragma data_store_directory = 'OWN'",
    "pragma journal_mode = off", "pragma locking_mode = exclusive", "pragma trusted_schema = on",
    "pragma mmap_size = 1099511627776", "pragma cache_size = -100000000", "pragma wal_checkpoint(truncate)",
    "pragma query_only = off", "pragma key = 'x'", "pragma cell_size_check = off", "pragma synchronous = off",
    "pragma page_size = 512", "pragma module_list", "pragma compile_options", "pragma shrink_memory",
    "pragma hard_heap_limit = 1", "pragma threads = 64", "pragma recursive_triggers = on", "pragma secure_delete = off",
    "update sqlite_master set sql = 'x'", "insert into sqlite_master values ('table', 'x', 'x', 2, 'x')",
    "delete from sqlite_schema", "begin exclusive", "commit", "savepoint a",
    "with a as (select readfile('FILE')) select * from a", "select * from (select writefile('OWN/made', 1))",
    "select sql('select 1')", "select shell('id')", "select system('id')", "select eval('select 1')",
]


def test_sql(site):
    texts = [s.replace("FILE", str(site.box.secret)).replace("OWN", str(site.box.space / "data")) for s in SQL]
    before = sorted(p.name for p in (site.box.space / "data").iterdir())
    through = []
    for text in texts:
        visitor = site.get("/docs/-/query.json", sql=text)
        owner = site.post("/docs/-/execute-write", {"sql": text})
        through += [(who, text, answer) for who, answer in (("visitor", visitor), ("owner", owner))
                    if answer.status not in (400, 403) or MARK in answer.text]
    assert not through
    assert before == sorted(p.name for p in (site.box.space / "data").iterdir())
    site.post("/docs/-/execute-write", {"sql": "update docs set age = 1"}, 200)  # the door itself is open
    assert {r["age"] for r in site.json("/docs/docs.json")["rows"]} == {1}


# ---- templates ----

TEMPLATES = [
    "{% include 'SECRET_FILE' %}", "{% include '../../../../../../../../SECRET_FILE' %}", "{% include '/etc/passwd' %}",
    "{% include '../../own' %}", "{% extends 'SECRET_FILE' %}", "{% import 'SECRET_FILE' as x %}{{ x }}",
    "{% from '../../../secret' import x %}", "{% include ['SECRET_FILE', '/etc/passwd'] %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ ().__class__.__bases__[0] }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}", "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ self._TemplateReference__context }}", "{{ namespace.__init__.__globals__ }}", "{{ request.__class__ }}",
    "{{ ''|attr('__class__') }}", "{{ config.items() }}", "{{ get_flashed_messages.__globals__ }}",
    "{{ open('SECRET_FILE').read() }}", "{{ __import__('os') }}", "{{ sql(\"attach 'SECRET_FILE' as x\") }}",
    "{{ sql(\"select load_extension('SECRET_FILE')\") }}", "{{ datasette._secret }}", "{{ environ }}{{ env }}",
    "{% for i in range(100000000000) %}{% endfor %}", "{{ 'x' * 100000000000 }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
]
WAYS_OUT = (MARK, "root:", "uid=", "<class", "function", "_secret", SECRET, "subclasses", "PATH=")


def test_templates(site):
    for i, text in enumerate(TEMPLATES):
        answer = site.get(f"/a{i}")
        shown = answer.text.split("begin ", 1)[-1].rsplit(" end", 1)[0] if answer.status == 200 else answer.text
        shown = shown if answer.status == 200 else shown.replace("template", "")
        assert answer.status in (200, 500), (text, answer)
        assert not [w for w in WAYS_OUT if w in shown and answer.status == 200], (text, shown)
        assert MARK not in answer.text and "root:x" not in answer.text, (text, answer)
    site.alive()


# ---- uploads ----

def archive(*entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            z.writestr(info, content)
    return out.getvalue()


CSV = "a,b\n1,2\n"
UPLOADS = [
    ("../../../../made.csv", CSV), ("..\\..\\made.csv", CSV), ("/tmp/../made.csv", CSV), ("a\0.csv", CSV), ("..", CSV),
    (".", CSV), ("", CSV), ("/etc/passwd", CSV), ("space.json", "{}"), ("x" * 5000 + ".csv", CSV), ("\r\nX: y.csv", CSV),
    ("-rf.csv", CSV), ("file:FILE", CSV), ("http://127.0.0.1/x.csv", CSV),
    ("slip.zip", archive(("../../../../made.csv", CSV, 0o644))), ("abs.zip", archive(("/tmp/made.csv", CSV, 0o644))),
    ("link.zip", archive(("l.csv", "FILE", stat.S_IFLNK | 0o777))),
    ("linked.zip", archive(("d", "/", stat.S_IFLNK | 0o777), ("d/made.csv", CSV, 0o644))),
    ("device.zip", archive(("n.csv", "", stat.S_IFCHR | 0o666))), ("nul.zip", archive(("a.csv\0.db", CSV, 0o644))),
    ("dump.sql", "create table x(a);\nattach 'FILE' as y;\ninsert into x select * from y.z;"),
    ("load.sql", "select load_extension('FILE');"),
    ("write.sql", "create table z(a); insert into z values (writefile('OWN/made', 'x'));"),
]


def tree(box):
    return sorted(str(p.relative_to(box.top)) for p in box.top.rglob("*") if "/state" not in str(p))


def test_uploads(site):
    """Whatever their name is or their archive says: one file, below state/, and nothing else is read or written."""
    before = tree(site.box)
    for name, content in UPLOADS:
        if isinstance(content, str):
            content = content.encode()
        content = content.replace(b"FILE", str(site.box.secret).encode()).replace(b"OWN", str(site.box.space / "data").encode())
        head = {**bearer(), "Tus-Resumable": "1.0.0"}
        meta = "filename " + base64.b64encode(name.encode()).decode()
        made = site.ask("POST", "/-/upload", {**head, "Upload-Length": str(len(content)), "Upload-Metadata": meta})
        assert made.status in (201, 400), (name, made)
        if made.status == 400:
            continue
        where = made.header("location")
        assert ".." not in where and "passwd" not in where
        put = site.ask("PATCH", where, {**head, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}, content)
        assert put.status == 204, (name, put)
        page = site.ask("GET", where.replace("/-/upload/", "/-/import/") + ".json", bearer())
        assert page.status in (200, 400) and MARK not in page.text, (name, page)
        assert site.ask("DELETE", where, head).status in (204, 404, 409)
    assert tree(site.box) == before
    assert (site.box.space / "space.json").read_text() == "{}"
    site.alive()


# ---- code inside of the server ----

def test_code_inside(site):
    """The same attempts from the process that serves. Those that end the process, and bombs, are tried in processes of their own
    (test_escape.py)."""
    names = [n for n, (_, answers) in ROWS.items() if answers != SIGSYS and not n.startswith("bomb")]
    assert len(names) > 60
    got = {n: site.sql("docs", f"select attack('{n}') as a")["rows"][0]["a"] for n in names}
    got.pop("inherited")  # the server has descriptors of its own
    got = {n: a for n, a in got.items() if a != "no such attempt"}
    wrong = {n: (a, ROWS[n][0]) for n, a in got.items() if a not in ROWS[n][1]}
    assert not wrong
    site.alive()
