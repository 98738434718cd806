# SPDX-License-Identifier: Apache-2.0
"""What tools/run_tests makes of tests that fail: once more, alone, if they are few; never silently."""
import importlib.machinery
import importlib.util
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
