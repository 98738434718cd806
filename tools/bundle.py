#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the web bundler into a folder of its own and tells ninja what the result depends on.

  bundle.py --out DIR --stamp FILE --depfile FILE --watch PATH... -- node web/build.mjs --out DIR
"""
import argparse
import os
import shutil
import subprocess
import sys


def main():
    cut = sys.argv.index("--")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--stamp", required=True)
    parser.add_argument("--depfile", required=True)
    parser.add_argument("--watch", nargs="*", default=[])
    args = parser.parse_args(sys.argv[1:cut])
    shutil.rmtree(args.out, ignore_errors=True)  # a file that is no longer made must not stay
    os.makedirs(args.out)
    done = subprocess.run(sys.argv[cut + 1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\nbundle.py: the bundler failed; when a module is missing, run `make setup`")
    needs = []
    for path in args.watch:
        needs.append(path)
        for top, folders, leaves in os.walk(path):
            needs += [os.path.join(top, name) for name in folders + leaves]
    with open(args.depfile, "w", encoding="utf-8") as file:
        file.write(f"{args.stamp}: " + " ".join(os.path.abspath(n).replace(" ", "\\ ") for n in needs) + "\n")
    with open(args.stamp, "w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in sorted(os.listdir(args.out)))


main()
