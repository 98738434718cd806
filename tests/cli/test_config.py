# SPDX-License-Identifier: Apache-2.0
"""`vitrine config check`, and the same checks when the server starts."""
import json

import pytest

from serving import run

WRONG = """\
settings:
  defalt_page_size: 10
plugin:
  a: 1
databases:
  mydb:
    tables:
      t:
        hiden: true
    queries:
      q: {title: no sql}
"""


def test_all_problems_with_their_places(tmp_path):
    path = tmp_path / "datasette.yaml"
    path.write_text(WRONG)
    status, out, err = run("config", "check", path)
    assert status == 78 and err == ""
    places = [line.split(": ")[0] for line in out.splitlines() if line.startswith(str(path))]
    assert places[:4] == [f"{path}:{place}" for place in ("2:3", "3:1", "9:9", "11:7")]
    for remedy in ("Did you mean default_page_size?", "Did you mean plugins?", "Did you mean hidden?"):
        assert remedy in out
    assert out.endswith("2 errors, 2 warnings\n")
    assert run("config", "check", tmp_path)[1] == out


def test_json(tmp_path):
    (tmp_path / "datasette.yaml").write_text(WRONG)
    (tmp_path / "metadata.json").write_text('{"title": "x", "settings": {"max_csv_mb": 1}}')
    status, out, _ = run("config", "check", "--json", cwd=tmp_path)
    found = json.loads(out)
    assert status == 78 and found["ok"] is False and (found["errors"], found["warnings"]) == (2, 3)
    assert found["files"] == ["datasette.yaml", "metadata.json"]
    assert found["problems"][0] == {
        "severity": "error", "file": "datasette.yaml", "line": 2, "column": 3, "key": "settings.defalt_page_size",
        "message": "defalt_page_size is not a setting", "remedy": "Did you mean default_page_size?"}
    assert found["problems"][-1]["file"] == "metadata.json" and found["problems"][-1]["key"] == "settings"


def test_nothing_wrong(tmp_path):
    path = tmp_path / "datasette.json"
    path.write_text('{"settings": {"default_page_size": 5}}')
    assert run("config", "check", path) == (0, f"{path}: no problems\n", "")
    path.write_text('{"setting": {}}')
    assert run("config", "check", path)[0] == 0  # a warning does not keep the server from starting


@pytest.mark.parametrize("arguments, says", [
    ([], "verb"), (["show"], "show"), (["check", "/no/such.yaml"], "/no/such.yaml"), (["check", "--nope"], "--nope"),
    (["check"], "datasette.yaml")])
def test_used_wrongly(tmp_path, arguments, says):
    status, _, err = run("config", *arguments, cwd=tmp_path)
    assert status > 1 and says in err


@pytest.mark.parametrize("text, place, says", [
    ("a: [1\n", "", "line 2"), ("settings: 5\n", ":1:1", "settings"), ("- a\n", "", "object"),
    ("databases:\n  d: 5\n", ":2:3", "databases.d"), ("a: &a [*a]\n", "", "line 1"),
    ("plugins:\n  p:\n    k: {$file: /no/such}\n", ":3:5", "/no/such"),
    ("allow: 5\n", ":1:1", "allow"), ("# large", "", "bytes")])
def test_start_is_refused_with_the_place(tmp_path, text, place, says):
    path = tmp_path / "c.yaml"
    path.write_text(text if text != "# large" else "x" * 5_000_000)
    status, out, err = run("serve", "--memory", "--config", path, "--get", "/")
    assert status > 1 and out == "" and str(path) + place in err and says in err


def test_warnings_at_start(server, chinook, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("plugin: {}\ndatabases:\n  chinook:\n    tables:\n      Genre: {sise: 5}\n")
    site = server(chinook, "--config", path)
    assert site.logs(f"{path}:1:1") and site.logs("Did you mean plugins?") and site.logs(f"{path}:5:15")
    assert site.json("/chinook/Genre.json")["ok"]


def test_options_are_checked_after_they_are_applied():
    status, _, err = run("serve", "--memory", "--setting", "databases.x", "5", "--get", "/")
    assert status > 1 and "--setting" in err and "databases.x" in err
    status, _, err = run("serve", "--memory", "--setting", "databases.x.queries.q.title", "t", "--get", "/")
    assert status > 1 and "no sql" in err
    assert run("serve", "--memory", "--setting", "databases._memory.queries.q.sql", "select 1 as one", "--get",
               "/_memory/q.json")[0] == 0


def test_plugins_without_a_part_here(tmp_path):
    path = tmp_path / "datasette.yaml"
    path.write_text("plugins:\n  datasette-atom: {}\n  datasette-graphql:\n    path: /x\n")
    status, out, _ = run("config", "check", path)
    assert status == 0 and f"{path}:3:3: " in out and "datasette-graphql" in out and "datasette-atom" not in out
