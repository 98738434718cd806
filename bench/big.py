# SPDX-License-Identifier: Apache-2.0
"""The table with millions of rows: pages, counts, facets, search and export, beside Datasette and the bare limit.

Every request is made on one kept connection, one after the other, without the answer cache: what is measured is the way
of one visitor, not throughput. Facets and counts that are asked for the first time come from a server just started.
What is asked again and again, of Datasette too, is asked by bench/load: http.client takes 0.15 ms of its own for a
page, more than half of what is to be measured. Addresses that change come from http.client, its time included."""
import http.client
import json
import random
import sqlite3
import statistics
import subprocess
import tempfile
import time

import measure as measures
import servers

ROWS = 5_000_000
WORDS = "museum archive river street open public census line zone data stone".split()
WAIT_SECONDS = 300


def make(path, rows):
    """The same file each time: ids, texts that look like numbers, 40 categories, 5,000 skewed cities, JSON tags, a
    sentence with an index for searching. About 40 s for five million rows."""
    if path.exists():
        return path
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(unfinished)
    db.executescript("pragma journal_mode = off; pragma synchronous = off;"
                     "create table word (id integer primary key, w);")
    db.executemany("insert into word values (?, ?)", enumerate(WORDS))
    note = " || ' ' || ".join(f"(select w from word where id = (i * {p} >> 7) % {len(WORDS)})" for p in
                              (7919, 104729, 1299709, 15485863, 32452843, 49979687))
    db.executescript(f"""
        create table t (id integer primary key, postcode text, latitude real, longitude real, day text, category text,
            city text, price real, tags text, note text, active text);
        with recursive c(i) as (select 1 union all select i + 1 from c where i < {rows})
        insert into t select i, printf('%05d', i * 48271 % 100000), (i * 69621 % 13000000) / 100000.0 - 60,
            (i * 16807 % 36000000) / 100000.0 - 180,
            printf('%d-%02d-%02d', 1990 + i * 7 % 36, 1 + i * 31 % 12, 1 + i * 17 % 28),
            printf('cat-%02d', i * 7919 % 40),
            printf('City %04d', (i * 48271 % 5000) * (i * 69621 % 5000) / 5000),
            case when i % 50 then (i * 16807 % 1000000) / 100.0 end,
            '["' || (select w from word where id = i % 6) || '","' || (select w from word where id = 6 + i % 5) || '"]',
            {note}, case when i & 4 then 'true' else 'false' end from c;
        drop table word;
        create virtual table t_fts using fts5(note, content='t', content_rowid='id');
        insert into t_fts(t_fts) values ('rebuild');""")
    db.commit()
    db.close()
    return unfinished.rename(path)


class Visitor:
    def __init__(self, port, tools):
        self.port, self.load = port, measures.Load(tools / "load", 0)
        self.connection = http.client.HTTPConnection(servers.HOST, port, timeout=WAIT_SECONDS)

    def ask(self, path):
        """Milliseconds and the body."""
        began = time.perf_counter()
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer.status}: {body[:200]!r}")
        return took, body

    def times(self, paths):
        took = sorted(self.ask(path)[0] for path in paths)
        last = took[min(len(took) - 1, len(took) * 99 // 100)]
        return {"p50": statistics.median(took), "p99": last, "runs": len(took)}

    def again(self, path, count):
        """The same page, asked by the load generator; its length may vary by the time that it says it took."""
        self.ask(path)
        run = self.load(self.port, path, connections=1, tolerance=100, count=count)
        if run["errors"]:
            raise RuntimeError(f"{path}: {run['errors']} errors: {run['first_error']}")
        return {"p50": run["p50_us"] / 1000, "p99": run["p99_us"] / 1000, "runs": run["requests"]}

    def until(self, path, good):
        end = time.monotonic() + WAIT_SECONDS
        while not good(json.loads(self.ask(path)[1])):
            if time.monotonic() > end:
                raise RuntimeError(f"{path} did not become exact")
            time.sleep(0.1)


def exact_facet(data):
    return not any("estimated" in facet for facet in data["facet_results"]["results"].values())


def pages(rows, count):
    spread = random.Random(1)
    return [f"/{{name}}/t?_next={spread.randrange(rows)}" for _ in range(count)]


def ours(program, tools, path, rows, count, state):
    options = ["--cache", "0", "--internal", state, "--setting", "max_csv_mb", "0"]
    name, found = path.stem, {}
    with servers.Vitrine(program, [path], options) as server:
        one = Visitor(server.port, tools)
        facet = f"/{name}/t.json?_size=0&_facet=category"
        found["facet, first"] = {"p50": one.ask(facet)[0], "runs": 1}
        found["table page, first"] = {"p50": one.ask(f"/{name}/t")[0], "runs": 1}
        found["table page, anywhere"] = one.times(p.format(name=name) for p in pages(rows, count))
        found["search, first"] = {"p50": one.ask(f"/{name}/t.json?_search=museum")[0], "runs": 1}
        found["search"] = one.again(f"/{name}/t.json?_search=museum", count)
        counted = f"/{name}/t.json?_size=0&_extra=count"
        one.until(counted, lambda d: not d["count_truncated"])
        one.until(facet, exact_facet)
        found["count, known"] = one.again(counted, count)
        found["facet, known"] = one.again(facet, count)
        found["table page"] = one.again(f"/{name}/t", count)
    return found


def export(program, path, limit, state):
    """Rows a second of the whole table as CSV, the most memory meanwhile, and the same without a server."""
    options = ["--cache", "0", "--internal", state, "--setting", "max_csv_mb", "0"]
    with servers.Vitrine(program, [path], options) as server:
        connection = http.client.HTTPConnection(servers.HOST, server.port, timeout=WAIT_SECONDS)
        began, size, most = time.monotonic(), 0, 0
        connection.request("GET", f"/{path.stem}/t.csv?_stream=1")
        answer = connection.getresponse()
        while piece := answer.read(1 << 20):
            size += len(piece)
            if not most or size >> 26 != (size - len(piece)) >> 26:
                most = max(most, server.memory_mb())
        seconds = time.monotonic() - began
    bare = json.loads(subprocess.run([str(limit), str(path), "csv", "t"], check=True, stdout=subprocess.PIPE).stdout)
    if bare["bytes"] != size:
        raise RuntimeError(f"the limit wrote {bare['bytes']} bytes of CSV, the server {size}")
    return {"seconds": seconds, "limit_seconds": bare["seconds"], "bytes": size, "memory_mb": most}


def read_once(path):
    """The file is in memory for both servers, whether it was made just now or last week: disks are not compared."""
    with open(path, "rb") as f:
        while f.read(1 << 24):
            pass


def measure(program, datasette, tools, folder, rows, count=200):
    path = make(folder / f"big-{rows}.db", rows)
    read_once(path)
    with tempfile.TemporaryDirectory(prefix="vitrine-big-") as work:
        data = {"rows": rows, "times": ours(program, tools, path, rows, count, f"{work}/internal.db"),
                "export": export(program, path, tools / "limit", f"{work}/internal.db"), "datasette": None}
    if datasette:
        with servers.Datasette(datasette, [path]) as server:
            data["datasette"] = Visitor(server.port, tools).again(f"/{path.stem}/t", 9)
    return data


GOALS = [("table page, anywhere", "p50", 5), ("table page, anywhere", "p99", 50), ("count, known", "p50", 1),
         ("facet, known", "p50", 2), ("facet, first", "p50", 100), ("search, first", "p50", 30), ("search", "p50", 30)]
GOAL_EXPORT = 0.5
GOAL_DATASETTE = 100


def goals(data):
    """As report.goals()."""
    for name, which, most in GOALS:
        value = data["times"][name][which]
        yield f"{data['rows']:,} rows: {name}, {which}, ms", f"< {most}", value, value < most
    out = data["export"]
    value = out["limit_seconds"] / out["seconds"]
    yield f"{data['rows']:,} rows: CSV export / limit", f">= {GOAL_EXPORT}", value, value >= GOAL_EXPORT
    if data["datasette"]:
        value = data["datasette"]["p50"] / data["times"]["table page"]["p50"]
        name = f"{data['rows']:,} rows: table HTML / Datasette"
        yield name, f">= {GOAL_DATASETTE}", value, value >= GOAL_DATASETTE


def section(data):
    lines = ["", f"## A table of {data['rows']:,} rows", "",
             "One visitor, one request after the other, no answer cache.", "",
             "| request | p50 ms | p99 ms | requests |", "|---|---|---|---|"]
    times = dict(data["times"])
    if data["datasette"]:
        times["table page of Datasette"] = data["datasette"]
    for name, run in times.items():
        lines.append(f"| {name} | {run['p50']:.2f} | {run['p99']:.2f} | {run['runs']} |" if "p99" in run else
                     f"| {name} | {run['p50']:.2f} | – | 1 |")
    out = data["export"]
    text = (f"CSV export of the table: {out['bytes'] / 1e6:,.0f} MB in {out['seconds']:.1f} s with at most "
            f"{out['memory_mb']:.0f} MB of memory; reading and formatting alone: {out['limit_seconds']:.1f} s.")
    return lines + ["", text]
