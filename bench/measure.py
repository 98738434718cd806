# SPDX-License-Identifier: Apache-2.0
"""One function a measurement. Each returns plain numbers; nothing is judged here."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import sqlite3
import statistics
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

from servers import HOST, Vitrine, fetch, wait_for

AGGREGATE = ("select g.Name, count(*) as n, sum(t.Milliseconds) as ms from Track t join Genre g using (GenreId) "
             "group by g.GenreId order by n desc")
SLOW = "with recursive c(x) as (select 1 union all select x + 1 from c where x < {}) select max(x) as n from c"
CASES = {  # name: (path, how far the length may vary, what the limit calls it)
    "row JSON": ("/chinook/Track/1.json", 30, "row"),
    "table JSON": ("/chinook/Track.json", 0, "table"),
    "table HTML": ("/chinook/Track", 40, None),
    "SQL aggregate": ("/chinook/-/query.json?" + urllib.parse.urlencode({"sql": AGGREGATE}), 0, "aggregate"),
    "static file": (None, 0, None),
}


def come_first():
    """A client at a fixed rate is never the one that waits for a processor: its own waits are not the server's."""
    with contextlib.suppress(OSError):  # not everybody may
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


class Load:
    def __init__(self, program, seconds):
        self.program, self.seconds = program, seconds

    def __call__(self, port, path, connections=16, tolerance=0, **options):
        command = [self.program, "-c", connections, "-t", tolerance]
        if "count" in options:
            command += ["-n", options["count"]]
        else:
            command += ["-d", options.get("seconds", self.seconds), "-w", options.get("warm_up", 0.3)]
        if "rate" in options:
            command += ["-r", options["rate"]]
        done = subprocess.run([str(c) for c in (*command, f"{HOST}:{port}", path)], stdout=subprocess.PIPE,
                              preexec_fn=come_first if "rate" in options else None)
        if not done.stdout:
            raise RuntimeError(f"load ended with status {done.returncode} and said nothing")
        return json.loads(done.stdout)


def median_of(runs, by="rps"):
    """The run that is in the middle by that figure; errors of all runs are kept."""
    runs = sorted(runs, key=lambda r: r[by])
    middle = dict(runs[len(runs) // 2])
    middle["errors"] = sum(r["errors"] for r in runs)
    middle["first_error"] = next((r["first_error"] for r in runs if r["first_error"]), "")
    middle["spread"] = (runs[-1][by] - runs[0][by]) / middle[by] if middle[by] else 0
    return middle


def interleaved(load, targets, rounds):
    """Runs `targets` {name: (port, path, options)} in turn, `rounds` times, so that a change of the machine's mood hits
    all of them. Returns {name: the median run}."""
    runs = {name: [] for name in targets}
    for _ in range(rounds):
        for name, (port, path, options) in targets.items():
            runs[name].append(load(port, path, **options))
    return {name: median_of(list_) for name, list_ in runs.items()}


def static_path(port):
    """The style sheet that the front page asks for."""
    page = fetch(port, "/")[2].decode()
    match = re.search(r'<link[^>]+href="([^"]+\.css[^"]*)"', page)
    if not match:
        raise RuntimeError("the front page names no style sheet")
    return match.group(1)


def without_times(body):
    data = json.loads(body)
    for key in ("query_ms", "next_url"):
        data.pop(key, None)
    return data


def limit(program, database, name, seconds):
    command = [program, database, name, str(seconds)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def limit_same(program, database, name, body):
    """True when the limit writes what the server answers."""
    printed = subprocess.run([program, database, name, "print"], stdout=subprocess.PIPE, check=True).stdout
    return without_times(printed) == without_times(body)


def make_databases(folder, count):
    """Small databases, each a file of its own with two tables."""
    first = pathlib.Path(folder) / "db0000.db"
    db = sqlite3.connect(first)
    db.executescript("create table t (id integer primary key, name text); create table u (a, b);"
                     "insert into t values (1, 'one'), (2, 'two'); insert into u values (1, 2);")
    db.close()
    names = [first]
    for i in range(1, count):
        names.append(first.with_name(f"db{i:04}.db"))
        shutil.copy(first, names[-1])
    return names


def start_up_ms(program, files, path, rounds):
    """Median time from starting the process to the first byte of the answer to `path`."""
    times = []
    for _ in range(rounds):
        began = time.monotonic()
        server = Vitrine(program, files)
        try:
            wait_for(server.port, path, server.process)
            times.append((time.monotonic() - began) * 1000)
        finally:
            server.stop()
    return statistics.median(times)


def idle_memory_mb(program, files, path):
    with Vitrine(program, files) as server:
        fetch(server.port, path)
        time.sleep(0.3)
        return server.memory_mb()


def syscalls_a_request(load, program, database, path, options, tolerance, count=2000):
    """Two runs under strace, one without requests: (calls a request, {name: calls a request}); None without strace."""
    if not shutil.which("strace"):
        return None
    totals = []
    with tempfile.TemporaryDirectory() as folder:
        for wanted in (0, count):
            log = pathlib.Path(folder) / f"calls{wanted}"
            server = Vitrine(program, [database], options, before=["strace", "-f", "-c", "-q", "-o", str(log)])
            with server:
                fetch(server.port, path)
                if wanted:
                    load(server.port, path, connections=1, tolerance=tolerance, count=wanted)
                for pid in server.children()[1:]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, 15)
                server.process.wait(20)
            calls = {}
            for line in log.read_text().splitlines():
                parts = line.split()
                if len(parts) >= 5 and parts[0].replace(".", "").isdigit() and parts[-1] != "total":
                    calls[parts[-1]] = int(parts[3])
            totals.append(calls)
    each = {name: (n - totals[0].get(name, 0)) / count for name, n in totals[1].items()}
    each = {name: n for name, n in sorted(each.items(), key=lambda item: -item[1]) if n >= 0.01}
    return sum(each.values()), each


def allocations_a_request(load, program, library, database, path, options, tolerance, count=2000):
    """Calls of malloc and its kin, and bytes asked for, of each request once the caches of the program are warm."""
    with tempfile.NamedTemporaryFile() as shared:
        env = {"COUNT_FILE": shared.name, "LD_PRELOAD": str(library)}
        with Vitrine(program, [database], options, env=env) as server:
            load(server.port, path, connections=1, tolerance=tolerance, count=200)

            def read():
                return struct.unpack("QQQ", pathlib.Path(shared.name).read_bytes()[:24])
            before = read()
            load(server.port, path, connections=1, tolerance=tolerance, count=count)
            after = read()
    return (after[0] - before[0]) / count, (after[2] - before[2]) / count


def find_slow_rows(port):
    """How far the recursive query must count to take about a second here."""
    rows = 500_000
    began = time.monotonic()
    status, _, body = fetch(port, "/chinook/-/query.json?" + urllib.parse.urlencode({"sql": SLOW.format(rows)}))
    if status != 200:
        raise RuntimeError(f"the slow query was refused: {body[:200]!r}")
    return int(rows / (time.monotonic() - began))


def beside_slow(load, program, database, options, rate, connections=8, seconds=3, rounds=5):
    """Row JSON at a fixed rate, without and with a slow query always under way, in turns: (quiet, busy, how long that
    takes), each the run with the median p99: one stall of the machine is a whole run's p99."""
    options = [*options, "--setting", "sql_time_limit_ms", "20000"]
    path, tolerance, _ = CASES["row JSON"]
    with Vitrine(program, [database], options) as server:
        rows = find_slow_rows(server.port)
        run = {"connections": connections, "tolerance": tolerance, "rate": rate, "seconds": seconds}
        quiet, busy, took = [], [], []

        def ask(end):
            while not end.is_set():
                began = time.monotonic()
                # each query differs, so that none is answered from the cache
                sql = SLOW.format(rows + len(took))
                status = fetch(server.port, "/chinook/-/query.json?" + urllib.parse.urlencode({"sql": sql}))[0]
                if status != 200:
                    raise RuntimeError(f"slow query: status {status}")
                took.append(time.monotonic() - began)
        for _ in range(rounds):
            quiet.append(load(server.port, path, **run))
            end = threading.Event()
            thread = threading.Thread(target=ask, args=(end,))
            thread.start()
            try:
                busy.append(load(server.port, path, **run))
            finally:
                end.set()
                thread.join()
    return median_of(quiet, by="p99_us"), median_of(busy, by="p99_us"), statistics.median(took)
