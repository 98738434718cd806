#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures a typed import beside the sqlite3 shell, a bare loop and sqlite-utils.

  bench/ingest.py [--program build/vitrine] [--rows 200000] [--rounds 3]

The data are made once: twelve columns, quotes, accents, line ends inside of cells, a column that turns into decimals
after nine tenths of the rows. The bare loop reads no text: the sqlite3 shell copies the finished, typed table into a
new database, row by row, which is what storing the same rows costs.
"""
import argparse
import csv
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
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


def results(program, rows, rounds, say=print):
    """{name: (median seconds, CPU seconds, MB)}"""
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-") as folder:
        data, made, typed = (pathlib.Path(folder) / name for name in ("rows.csv", "made.db", "typed.db"))
        make_rows(data, rows)
        say(f"{rows} rows, {data.stat().st_size / 1e6:.0f} MB")
        measure([program, "insert", typed, "t", data, "--silent"], typed)
        schema = subprocess.run(["sqlite3", typed, ".schema t"], capture_output=True, text=True, check=True).stdout
        cases = {"vitrine insert, typed": [program, "insert", made, "t", data, "--silent"],
                 "sqlite3 .import, untyped": ["sqlite3", made, f".import --csv {data} t"],
                 "same typed rows, no text read": ["sqlite3", made, schema + f"attach '{typed}' as x; begin; "
                                                   "insert into t select * from x.t where +rowid > 0; commit;"]}
        if shutil.which("sqlite-utils"):
            cases["sqlite-utils insert --detect-types"] = ["sqlite-utils", "insert", made, "t", data, "--csv",
                                                           "--detect-types"]
        runs = {name: [] for name in cases}
        for _ in range(rounds):
            for name, command in cases.items():
                runs[name].append(measure(command, made))
        return {name: tuple(statistics.median(column) for column in zip(*many)) for name, many in runs.items()}


def table(found):
    lines = ["| | seconds | CPU seconds | MB of memory | times vitrine's |", "|---|---:|---:|---:|---:|"]
    own = found["vitrine insert, typed"][0]
    for name, (wall, cpu, memory) in found.items():
        lines.append(f"| {name} | {wall:.2f} | {cpu:.2f} | {memory:.0f} | {wall / own:.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=TOP / "build/vitrine", type=pathlib.Path)
    parser.add_argument("--rows", default=200000, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    args = parser.parse_args()
    print(table(results(args.program.resolve(), args.rows, args.rounds)))


if __name__ == "__main__":
    sys.exit(main())
