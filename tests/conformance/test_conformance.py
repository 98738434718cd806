# SPDX-License-Identifier: Apache-2.0
"""The recorded answers of Datasette 1.0a37 (corpus/), case by case.

minimum.txt says how many cases of each category must agree; known_differences.txt names the cases that need not, each
with the reason. A case that disagrees and is not named there fails, and so does a name whose case agrees by now."""
import fnmatch
import json
import pathlib
import shlex
import subprocess
import sys

import pytest

import serving

HERE = pathlib.Path(__file__).resolve().parent


def table(name):
    """{first word: the rest} of a file of lines; # begins a comment."""
    lines = (line.split("#")[0].split(None, 1) for line in (HERE / name).read_text(encoding="utf-8").splitlines())
    return {line[0]: line[1].strip() if len(line) > 1 else "" for line in lines if line}


MINIMUM = {category: int(count) for category, count in table("minimum.txt").items()}
KNOWN = table("known_differences.txt")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("conformance") / "results.jsonl"
    done = subprocess.run(
        [sys.executable, HERE / "corpus/conform.py", "--jobs", "2", "--out", out, "--server-cmd",
         f"{shlex.quote(str(serving.PROGRAM))} serve {{args}} --port {{port}} --host 127.0.0.1", HERE / "corpus/open"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1200)
    assert done.returncode == 0 and "score " in done.stdout, done.stdout[-3000:]
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(found) == 1056
    return found


def test_every_category_has_a_minimum(results):
    assert {case["category"] for case in results} == set(MINIMUM)


@pytest.mark.parametrize("category", MINIMUM)
def test_category(results, category):
    cases = [case for case in results if case["category"] == category]
    surprises = [f"{case['id']}: {case['diff'][0]}" for case in cases
                 if not case["pass"] and not any(fnmatch.fnmatch(case["id"], known) for known in KNOWN)]
    assert not surprises, "\n".join(surprises)
    assert sum(case["pass"] for case in cases) >= MINIMUM[category]


@pytest.mark.parametrize("known", KNOWN)
def test_known_difference_is_one(results, known):
    assert KNOWN[known], "give the reason"
    named = [case for case in results if fnmatch.fnmatch(case["id"], known)]
    assert named, "there is no such case"
    assert not all(case["pass"] for case in named), f"{known} agrees now: take its line away and raise the minimum"
