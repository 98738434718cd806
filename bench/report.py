# SPDX-License-Identifier: Apache-2.0
"""Writes what was measured as bench/RESULTS.md: absolute numbers, then the ratios that are the goals."""
import os
import pathlib
import platform
import re
import subprocess
import time

import big
import ingest
import proxy

GOAL_CACHED = 0.9
GOAL_ROW_UNCACHED = 0.5
GOALS_DATASETTE = {"row JSON": 30, "table JSON": 50, "table HTML": 100}
GOAL_START_MS = {1: 30, 1000: 300}
GOALS_WRITE = {"wal: rows/s in batches of 100": 50_000, "wal: single rows": 2_000}
GOAL_IDLE_MB = 12
GOAL_P99_RATIO = 2


def first_line(command):
    try:
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.decode(errors="replace").strip().splitlines()[0]
    except (OSError, IndexError):
        return "?"


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return (f"{cpu.group(1).strip() if cpu else platform.machine()}, {os.cpu_count()} cores, "
            f"{int(memory.group(1)) / 1048576:.1f} GB, Linux {platform.release()}")


def number(value):
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def cell(run):
    if not run:
        return "–"
    text = f"{number(run['rps'])}"
    if "p50_us" in run:
        text += f" ({number(run['p50_us'])} / {number(run['p99_us'])})"
    if run.get("errors"):
        text += f" **{run['errors']} errors: {run['first_error']}**"
    return text


def ratio(top, bottom):
    return top["rps"] / bottom["rps"] if top and bottom and bottom["rps"] else None


def good(run):
    return run if run and not run.get("errors") else None


def goals(data):
    """Yields (goal, wanted, measured, met: True, False or None for not measured)."""
    cases = data["cases"]
    for name, case in cases.items():
        value = ratio(good(case.get("cached")), good(case.get("nginx")))
        yield f"{name} from the cache / nginx", f">= {GOAL_CACHED}", value, value is not None and value >= GOAL_CACHED
    row = cases.get("row JSON", {})
    value = ratio(good(row.get("uncached")), good(row.get("nginx")))
    yield "row JSON without the cache / nginx", f">= {GOAL_ROW_UNCACHED}", value, (
        value is not None and value >= GOAL_ROW_UNCACHED)
    for name, least in GOALS_DATASETTE.items():
        case = cases.get(name, {})
        value = ratio(good(case.get("uncached")), good(case.get("datasette")))
        yield f"{name} without the cache / Datasette", f">= {least}", value, value is not None and value >= least
    for count, most in GOAL_START_MS.items():
        value = data.get("start", {}).get(count, {}).get("/")
        yield (f"start to the first byte of the front page, {count:,} database{'s' * (count > 1)}, ms", f"< {most}",
               value, value is not None and value < most)
    if data.get("ingest"):
        yield from ingest.goals(data["ingest"])
    for what, figure, _ in data.get("write", []):
        least = GOALS_WRITE.get(what.split(",")[0])
        if least:
            yield what, f">= {least:,}", figure, figure >= least
    value = data.get("idle_mb")
    yield "idle memory (RSS), MB", f"< {GOAL_IDLE_MB}", value, value is not None and value < GOAL_IDLE_MB
    if data.get("proxy"):
        yield from proxy.goals(data["proxy"], data["proxy_memory"])
    if data.get("big"):
        yield from big.goals(data["big"])
    for name, (quiet, busy, _) in data.get("slow", {}).items():
        value = busy["p99_us"] / quiet["p99_us"] if not busy["errors"] + quiet["errors"] else None
        yield (f"p99 of row JSON beside a slow query / alone, {name}", f"< {GOAL_P99_RATIO}", value,
               value is not None and value < GOAL_P99_RATIO)


def write(path, data):
    lines = ["# Results", "",
             "Written by `make bench` (`bench/run`); what is measured and how is told in `docs/benchmarks.md`.", ""]
    lines += [f"- When: {time.strftime('%Y-%m-%d', time.gmtime())}", f"- Command: `{data['command']}`",
              f"- Machine: {machine()}"]
    lines += [f"- {name}: {text}" for name, text in data["versions"].items()]
    lines += [f"- {note}" for note in data["notes"]]
    lines += ["", "## Goals", "", "| ratio or number | wanted | measured | |", "|---|---|---|---|"]
    for name, wanted, value, met in goals(data):
        verdict = "not measured" if value is None else "met" if met else "**not met**"
        lines.append(f"| {name} | {wanted} | {number(value) or '–'} | {verdict} |")
    lines += ["", "## Throughput", "",
              f"Requests a second (p50 / p99 in microseconds), {data['connections']} kept connections, the load "
              f"generator on the same machine, median of {data['rounds']} runs of {data['seconds']} s in turn. "
              "The limit is one core running the SQL and writing the JSON, without HTTP.", "",
              "| case | bytes | cached | not cached | nginx | Datasette | limit |", "|---|---|---|---|---|---|---|"]
    for name, case in data["cases"].items():
        size = next((run["length"] for run in (case.get("cached"), case.get("uncached")) if run), 0)
        lines.append(f"| {name} | {size:,} | {cell(case.get('cached'))} | {cell(case.get('uncached'))} | "
                     f"{cell(case.get('nginx'))} | {cell(case.get('datasette'))} | {cell(case.get('limit'))} |")
    lines += ["", "## Ratios", "",
              "| case | cached / nginx | not cached / nginx | not cached / Datasette | not cached / limit |",
              "|---|---|---|---|---|"]
    for name, case in data["cases"].items():
        pairs = [("cached", "nginx"), ("uncached", "nginx"), ("uncached", "datasette"), ("uncached", "limit")]
        values = [ratio(good(case.get(a)), good(case.get(b))) for a, b in pairs]
        lines.append(f"| {name} | " + " | ".join(number(v) or "–" for v in values) + " |")
    if data.get("ingest"):
        lines += ["", "## Imports", "", f"{data['ingest_rows']:,} rows of twelve columns into a new database, "
                  f"median of {data['rounds']} runs in turn.", "", ingest.table(data["ingest"])]
    lines += ["", "## Start and memory", "", "| what | |", "|---|---|"]
    for count, paths in data.get("start", {}).items():
        for page, value in paths.items():
            what = f"{count:,} database{'s' * (count > 1)}"
            lines.append(f"| start to the first byte of `{page}`, {what} | {value:.1f} ms |")
    lines += [f"| {name} | {value:.1f} MB |" for name, value in data.get("memory", {}).items()]
    lines += ["", "## What a request costs", "",
              "| case | system calls | which | allocations | bytes allocated |", "|---|---|---|---|---|"]
    for name, cost in data.get("costs", {}).items():
        calls, each = cost["calls"] or (None, {})
        which = ", ".join(f"{k} {v:.2f}" for k, v in each.items())
        count = "–" if calls is None else f"{calls:.2f}"
        lines.append(f"| {name} | {count} | {which} | {cost['allocations'][0]:.1f} | "
                     f"{cost['allocations'][1]:,.0f} |")
    lines += ["", "## Row JSON beside a slow query", "",
              "At a fixed rate, times counted from when a request was due; the client never waits for a processor, "
              "where it may ask for that. In turns, the middle one of five runs each. One query that counts for a "
              "second or so is always under way.", "",
              "| | rate | p50 alone | p99 alone | p50 beside | p99 beside | slow query |",
              "|---|---|---|---|---|---|---|"]
    for name, (quiet, busy, took) in data.get("slow", {}).items():
        lines.append(f"| {name} | {data['slow_rate']:,}/s | {quiet['p50_us']:.0f} us | {quiet['p99_us']:.0f} us | "
                     f"{busy['p50_us']:.0f} us | {busy['p99_us']:.0f} us | {took:.2f} s |")
    if data.get("proxy"):
        lines += proxy.section(data["proxy"], data["proxy_memory"], number)
    if data.get("big"):
        lines += big.section(data["big"])
    if data.get("write"):
        lines += ["", "## Writing", "",
                  "Each answer after its COMMIT, synchronous=EXTRA; on the disk of the source tree.", "",
                  "| journal mode and load | figure |", "|---|---|"]
        lines += [f"| {what} | {number(figure)} {unit} |" for what, figure, unit in data["write"]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
