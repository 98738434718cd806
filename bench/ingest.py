#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures a typed import beside the sqlite3 shell, a bare loop and sqlite-utils.

  bench/ingest.py [--program build/vitrine] [--limit build-bench/tools/limit] [--rows 1000000] [--rounds 3]

The data are made once: twelve columns, quotes, accents, line ends inside of cells, a column that turns into decimals
after nine tenths of the rows. The bare loop reads no text: it has the typed cells in memory and stores them with one
prepared INSERT in one transaction (bench/limit/insert.c). sqlite-utils is so slow that it runs once.
"""
import argparse
import csv
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROWS = 1_000_000
TOP = pathlib.Path(__file__).resolve().parent.parent
OWN, SHELL, LOOP, PEER = ("vitrine insert, typed", "sqlite3 .import, untyped", "a loop of bind and step, no text read",
                          "sqlite-utils insert, typed")
GOALS = [(f"import of a CSV file, seconds / {SHELL}", SHELL, 1.6),
         (f"import of a CSV file, seconds / {LOOP}", LOOP, 1.3)]
GOAL_PEER = 15
GOAL_MB = 64
WORDS = "ähnlich museum archive, data \"quoted\" règlement river straße open public census line\nbreak zone".split(" ")


def make_rows(path, count):
    rnd = random.Random(20201)
    with open(path, "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f)
        w.writerow("id postcode latitude longitude day category city price late_decimal tags note active".split())
        for i in range(1, count + 1):
            w.writerow((i, f"{rnd.randrange(100000):05d}", f"{rnd.uniform(-60, 70):.5f}",
                        f"{rnd.uniform(-180, 180):.5f}",
                        f"{rnd.randrange(1990, 2026)}-{rnd.randrange(1, 13):02d}-{rnd.randrange(1, 29):02d}",
                        f"cat-{rnd.randrange(40):02d}", f"City {min(4999, int(rnd.expovariate(1 / 400))):04d}",
                        "" if rnd.random() < 0.02 else f"{rnd.uniform(0, 10000):.2f}",
                        rnd.randrange(1000) if i < count * 0.9 else f"{rnd.randrange(1000)}.5",
                        '["red","old"]', " ".join(rnd.choices(WORDS, k=6)), "true" if rnd.random() < 0.5 else "false"))


def measure(command, made):
    """(seconds, CPU seconds, MB) of one run from nothing."""
    made.unlink(missing_ok=True)
    began = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    if status:
        raise RuntimeError(f"{command} ended with {status}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def limit(program, typed, made):
    """(seconds, None, None): only the storing counts, not the process around it."""
    made.unlink(missing_ok=True)
    done = subprocess.run([str(program), str(typed), "insert", "t", str(made)], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)["seconds"], None, None


def results(program, limit_program, peer, rows, rounds, say=print):
    """{name: (median seconds, CPU seconds, MB)}; peer: sqlite-utils, or None."""
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-") as folder:
        data, made, typed = (pathlib.Path(folder) / name for name in ("rows.csv", "made.db", "typed.db"))
        make_rows(data, rows)
        say(f"{rows} rows, {data.stat().st_size / 1e6:.0f} MB")
        measure([program, "insert", typed, "t", data, "--silent"], typed)
        cases = {OWN: lambda: measure([program, "insert", made, "t", data, "--silent"], made),
                 SHELL: lambda: measure(["sqlite3", made, f".import --csv {data} t"], made),
                 LOOP: lambda: limit(limit_program, typed, made)}
        runs = {name: [] for name in cases}
        for _ in range(rounds):
            for name, run in cases.items():
                runs[name].append(run())
        if peer:
            runs[PEER] = [measure([peer, "insert", made, "t", data, "--csv"], made)]
        return {name: tuple(None if None in column else statistics.median(column) for column in zip(*many))
                for name, many in runs.items()}


def goals(found):
    """As report.goals()."""
    own, _, memory = found[OWN]
    for name, case, most in GOALS:
        value = own / found[case][0]
        yield name, f"<= {most}", value, value <= most
    value = found[PEER][0] / own if PEER in found else None
    yield f"import of a CSV file: {PEER}, seconds / ours", f">= {GOAL_PEER}", value, (
        value is not None and value >= GOAL_PEER)
    yield "import of a CSV file, memory (RSS), MB", f"< {GOAL_MB}", memory, memory < GOAL_MB


def table(found):
    lines = ["| | seconds | CPU seconds | MB of memory | times vitrine's |", "|---|---:|---:|---:|---:|"]
    for name, (wall, cpu, memory) in found.items():
        rest = "– | –" if cpu is None else f"{cpu:.2f} | {memory:.0f}"
        lines.append(f"| {name} | {wall:.2f} | {rest} | {wall / found[OWN][0]:.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=TOP / "build/vitrine", type=pathlib.Path)
    parser.add_argument("--limit", default=TOP / "build-bench/tools/limit", type=pathlib.Path)
    parser.add_argument("--rows", default=ROWS, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    args = parser.parse_args()
    found = results(args.program.resolve(), args.limit.resolve(), shutil.which("sqlite-utils"), args.rows, args.rounds)
    print(table(found))
    for name, wanted, value, met in goals(found):
        print(f"{'-' if value is None else 'met    ' if met else 'NOT MET'} {name}: {value or 0:.2f} (wanted {wanted})")


if __name__ == "__main__":
    sys.exit(main())
