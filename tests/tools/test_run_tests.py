# SPDX-License-Identifier: Apache-2.0
"""What tools/run_tests makes of tests that fail: once more, alone, if they are few; never silently."""
import importlib.machinery
import importlib.util
import json
import pathlib

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
OFTEN = """
import pathlib
import pytest


@pytest.mark.parametrize("n", range({many}))
def test_failing(n):
    seen = pathlib.Path(__file__).with_name(f"seen-{{n}}")
    times = len(seen.read_text()) if seen.exists() else 0
    seen.write_text("x" * (times + 1))
    assert times >= {failures}


def test_fine():
    pass
"""


@pytest.fixture
def module(tmp_path):
    loader = importlib.machinery.SourceFileLoader("run_tests", str(TOP / "tools/run_tests"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_tests", loader))
    loader.exec_module(module)
    module.TOP = tmp_path
    return module


@pytest.fixture
def tree(module, tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "build").mkdir()

    def run(text):
        (tmp_path / "tests/test_it.py").write_text(text)
        total = module.Run()
        module.pytest(total, tmp_path / "build/vitrine", "tests", ["tests/test_it.py"])
        return total.end()

    run.most = module.FLAKY_MOST
    return run


MESON = """#!/usr/bin/python3
import json
import pathlib
import sys
calls = pathlib.Path("calls")
n = len(calls.read_text().splitlines()) if calls.exists() else 0
with calls.open("a") as f:
    f.write(" ".join(sys.argv[1:]) + "\\n")
bad = n < {failures}
text = "1..2\\nok 1 - one\\n" + ("not ok" if bad else "ok") + " 2 - two\\n"
entry = {{"name": "vitrine:unit / db", "result": "ERROR" if bad else "OK", "stdout": text, "stderr": "# why"}}
pathlib.Path("build/meson-logs/testlog.json").write_text(json.dumps(entry) + "\\n")
sys.exit(bad)
"""


@pytest.mark.parametrize("failures,sum_line", [(0, "2 passed, 0 failed"), (1, "2 passed, 0 failed"),
                                               (2, "1 passed, 1 failed")])
def test_unit_tests_too(module, tmp_path, monkeypatch, capsys, failures, sum_line):
    (tmp_path / "build/meson-logs").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/meson").write_text(MESON.format(failures=failures))
    (tmp_path / "bin/meson").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    total = module.Run()
    module.meson_tests(total, "build", ["--suite", "unit"], "unit tests")
    assert total.end() == int(failures == 2)
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == sum_line
    assert ("flaky: vitrine:unit / db: two failed" in out) == (failures == 1)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 1 + (failures > 0) and calls[0].endswith("--suite unit")
    assert not failures or calls[1].endswith(" db")


def test_what_passes_alone_is_named_flaky(tree, capsys):
    assert tree(OFTEN.format(many=2, failures=1)) == 0
    out = capsys.readouterr().out
    assert "FAIL tests: 1 passed, 2 failed" in out and "assert 0 >= 1" in out
    assert "flaky: tests/test_it.py::test_failing[0] failed" in out and "flaky: tests/test_it.py::test_failing[1] failed" in out
    assert out.splitlines()[-1] == "3 passed, 0 failed"


def test_what_fails_again_has_failed(tree, capsys):
    assert tree(OFTEN.format(many=1, failures=2)) == 1
    out = capsys.readouterr().out
    assert "flaky" not in out and "assert 1 >= 2" in out and "failed: tests" in out
    assert out.splitlines()[-1] == "1 passed, 1 failed"


def test_many_are_not_run_again(tree, capsys):
    assert tree(OFTEN.format(many=tree.most + 1, failures=1)) == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"1 passed, {tree.most + 1} failed"


@pytest.mark.parametrize("text", ["import nothing_of_that_name\n", "def test_x(:\n", "x = 1\n"])
def test_a_file_that_cannot_be_read_has_failed(tree, capsys, text):
    assert tree(text) == 1
    assert "flaky" not in capsys.readouterr().out


TIDY = """#!/bin/sh
[ "$1" = --version ] && exec echo "LLVM version 0"
for path; do :; done
basename "$path" >> calls
if grep -q slow "$path"; then exec sleep 600; fi
if grep -q bad "$path"; then echo "$path:1:1: error: this is bad"; exit 1; fi
"""
DEPS = """#!/bin/sh
printf 'a.o: #deps 2, deps mtime 1 (VALID)\\n    ../src/a.c\\n    ../src/a.h\\n\\n'
printf 'b.o: #deps 1, deps mtime 1 (VALID)\\n    ../src/b.c\\n\\n'
"""


@pytest.fixture
def lint(module, tmp_path, monkeypatch, capsys):
    for name, text in {"src/a.c": "", "src/a.h": "", "src/b.c": "bad", ".clang-tidy": "", "calls": "",
                       "bin/clang-tidy": TIDY, "bin/ninja": DEPS,
                       "build/compile_commands.json": json.dumps([
                           {"file": f"../src/{name}.c", "output": f"{name}.o", "command": f"cc {name}.c"}
                           for name in "ab"])}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")

    def run():
        (tmp_path / "calls").write_text("")
        total = module.Run()
        module.tidy(total, "build")
        total.end()
        out = capsys.readouterr().out
        return sorted((tmp_path / "calls").read_text().split()), out.splitlines()[-1], out

    return run


def test_only_what_changed_since_it_was_clean_is_looked_at(lint, tmp_path):
    called, end, out = lint()
    assert called == ["a.c", "b.c"] and end == "1 passed, 1 failed" and "this is bad" in out
    assert lint()[:2] == (["b.c"], "1 passed, 1 failed")
    (tmp_path / "src/b.c").write_text("good")
    assert lint()[:2] == (["b.c"], "2 passed, 0 failed")
    assert lint()[:2] == ([], "2 passed, 0 failed")
    (tmp_path / "src/a.h").write_text("/* another */")
    assert lint()[:2] == (["a.c"], "2 passed, 0 failed")
    (tmp_path / ".clang-tidy").write_text("Checks: '*'")
    assert lint()[:2] == (["a.c", "b.c"], "2 passed, 0 failed")


def test_a_file_that_takes_too_long_is_said(lint, module, tmp_path):
    assert lint()[1] == "1 passed, 1 failed"
    (tmp_path / "src/b.c").write_text("slow")
    module.TIDY_FILE_S = 1
    _, end, out = lint()
    assert end == "1 passed, 1 failed" and "took longer than" in out and "bad" not in out


def test_what_there_was_no_time_for_is_looked_at_the_next_time(lint, module, tmp_path):
    (tmp_path / "src/b.c").write_text("good")
    module.TIDY_S = 0
    called, end, out = lint()
    assert called == [] and end == "0 passed, 2 failed" and "no time for 2 files" in out
    module.TIDY_S = 600
    assert lint()[:2] == (["a.c", "b.c"], "2 passed, 0 failed")
