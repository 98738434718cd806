#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes NOTICE: what is inside the program beside our own code, each part with its licence text.

  notice.py SOURCE_ROOT OUTPUT

The parts are SQLite and the npm packages of "dependencies" in package.json with all that they need (what only builds or
tests is in "devDependencies"). The texts come from node_modules; a package without one fails the build.
"""
import json
import pathlib
import re
import sys

# Their JavaScript is not in the program: of the first only the SQLite source is compiled, the second serves the first.
NOT_INSIDE = {"better-sqlite3", "node-addon-api"}
SQLITE = """\
The author disclaims copyright to this source code. In place of a legal notice, here is a blessing:

    May you do good and not evil.
    May you find forgiveness for yourself and forgive others.
    May you share freely, never taking more than you give.
"""


def packages(root):
    """Every package that "dependencies" reach, as node resolves names: the nearest node_modules first."""
    locked = json.loads((root / "package-lock.json").read_text())["packages"]
    found, waiting = {}, [("", name) for name in locked[""].get("dependencies", {})]
    while waiting:
        at, name = waiting.pop()
        here = at
        while True:
            key = (here + "/" if here else "") + "node_modules/" + name
            if key in locked:
                break
            if not here:
                sys.exit(f"notice.py: {name}, needed by {at or 'package.json'}, is not in package-lock.json")
            here = here.rpartition("/node_modules/")[0]
        if key in found or name in NOT_INSIDE:
            continue
        found[key] = locked[key]
        waiting += [(key, other) for other in locked[key].get("dependencies", {})]
    return sorted(found)


def licence_of(folder):
    kind = re.compile(r"(licen[cs]e|copying|notice)", re.I)
    names = sorted(p for p in folder.iterdir() if kind.match(p.name) and p.is_file())
    if names:
        return "\n".join(p.read_text(errors="replace").strip() for p in names)
    readme = next((p for p in folder.iterdir() if p.name.lower().startswith("readme")), None)
    text = readme.read_text(errors="replace") if readme else ""
    cut = re.search(r"^#+\s*licen[cs]e.*", text, re.I | re.M | re.S)
    return cut.group(0).strip() if cut else ""


def main():
    root, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    header = (root / "node_modules/better-sqlite3/deps/sqlite3/sqlite3.h").read_text()
    version = re.search(r'#define SQLITE_VERSION\s+"([^"]+)"', header).group(1)
    parts = [("SQLite " + version, "public domain", SQLITE)]
    for key in packages(root):
        about = json.loads((root / key / "package.json").read_text())
        text = licence_of(root / key)
        licence = about.get("license", "")
        if isinstance(licence, dict):
            licence = licence.get("type", "")
        if not text and not licence:
            sys.exit(f"notice.py: {key} says nothing about its licence: it may not be bundled")
        author = about.get("author", "")
        author = author.get("name", "") if isinstance(author, dict) else author
        parts.append((f"{about['name']} {about['version']}", licence or "see below",
                      text or f"Copyright {author or 'its authors'}. Licensed under {licence}."))
    lines = ["Vitrine", "Copyright the Vitrine authors. Licensed under the Apache License, Version 2.0.", "",
             "This program contains the following parts. Their authors' terms follow.", ""]
    lines += [f"  {name} ({licence})" for name, licence, _ in parts]
    for name, licence, text in parts:
        lines += ["", "=" * 80, f"{name} ({licence})", "", text.strip()]
    output.write_text("\n".join(lines) + "\n")


main()
