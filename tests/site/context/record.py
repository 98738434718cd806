# SPDX-License-Identifier: Apache-2.0
"""Asks a running program what each expression of expressions.txt gives on its page: {page: {expression: text or null}}.
With a command as arguments (words {templates}, {port} and {data} are filled in) it prints the answers as JSON; that is
how expected.json was made, with Datasette 1.0a37:

    record.py datasette {data}/guide.db -c {data}/datasette.yaml --template-dir {templates} -p {port} > expected.json
"""
import html
import json
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PAGES = ("index", "database", "table", "row", "query", "error", "pages/custom/{who}")
HEADERS = {"X-Test": "tested", "Cookie": "colour=blue"}


def questions():
    """[(page, expression)], those of "all" on every page."""
    asked, everywhere, page, pages = [], [], None, []
    for line in (HERE / "expressions.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith(" "):
            page = line
            pages += [] if page == "all" else [page]
        elif page == "all":
            everywhere.append(line.strip())
        else:
            asked.append((page, line.strip()))
    main = [p for p in pages if p in ("/", "/guide", "/guide/museums", "/guide/museums/1", "/guide/by_kind?kind=1",
                                      "/none", "/custom/x")]
    return asked + [(p, e) for p in main for e in everywhere]


def make_site(folder, expressions=None):
    """guide.db and templates that show the expression whose number is asked for: {expression: number}."""
    database = folder / "guide.db"
    with sqlite3.connect(database) as db:
        db.executescript((HERE / "data.sql").read_text(encoding="utf-8"))
    db.close()
    shutil.copy(HERE / "datasette.yaml", folder)
    templates = folder / "templates"
    templates.mkdir()
    expressions = sorted(expressions or {e for _, e in questions()})
    for number, expression in enumerate(expressions):
        (templates / f"_{number}.html").write_text("[[{{ %s }}]]" % expression, encoding="utf-8")
    for page in PAGES:
        path = templates / f"{page}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        # error pages of Datasette know no request: all of them are shown there
        path.write_text("".join('%d{%% include "_%d.html" %%}\n' % (n, n) for n, e in enumerate(expressions)
                                if e in ERROR_PAGE) if page == "error" else
                        '{% include "_" ~ request.headers["x-number"] ~ ".html" %}', encoding="utf-8")
    return {e: n for n, e in enumerate(expressions)}


ERROR_PAGE = ("status", "error", "title", "ok", "menu_links() is iterable", "urls.instance()", "urls.database(\"guide\")")


def ask(base, number, page, expression):
    page = page.replace("<", "%3C").replace(">", "%3E")
    request = urllib.request.Request(base + page, headers={**HEADERS, "X-Number": str(number)})
    try:
        with urllib.request.urlopen(request) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as answer:
        text = answer.read().decode()
    begin = f"{number}[[" if page == "/none" else "[["
    if begin not in text:
        return None  # the page failed
    return html.unescape(text.split(begin, 1)[1].rsplit("]]" if page != "/none" else "\n", 1)[0].split(
        "]]\n", 1)[0].removesuffix("]]")).replace(base, "")


def record(base, numbers):
    got = {}
    for page, expression in questions():
        if page == "/none" and expression not in ERROR_PAGE:
            continue
        got.setdefault(page, {})[expression] = ask(base, numbers[expression], page, expression)
    return got


def main():
    with tempfile.TemporaryDirectory() as folder, socket.socket() as s:
        folder = pathlib.Path(folder)
        numbers = make_site(folder)
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        s.close()
        words = {"templates": folder / "templates", "port": port, "data": folder}
        process = subprocess.Popen([w.format(**words) for w in sys.argv[1:]], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/-/versions.json").read()
                    break
                except OSError:
                    time.sleep(0.1)
            json.dump(record(f"http://127.0.0.1:{port}", numbers), sys.stdout, indent=1, ensure_ascii=False)
            print()
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
