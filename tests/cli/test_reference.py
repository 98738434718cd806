# SPDX-License-Identifier: Apache-2.0
"""docs/cli.md and docs/settings.md say what the program says; docs/configuration.md names only what exists."""
import importlib.machinery
import importlib.util
import re

import pytest

from serving import PROGRAM, TOP, run

LOADER = importlib.machinery.SourceFileLoader("write_reference", str(TOP / "tools/write_reference"))
SPEC = importlib.util.spec_from_loader("write_reference", LOADER)
REFERENCE = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(REFERENCE)


@pytest.mark.parametrize("name", list(REFERENCE.PAGES))
def test_page_is_current(name):
    wanted, found = REFERENCE.PAGES[name](str(PROGRAM)), (TOP / "docs" / name).read_text(encoding="utf-8")
    missing = [line for line in wanted.splitlines() if line not in found.splitlines()]
    gone = [line for line in found.splitlines() if line not in wanted.splitlines()]
    assert not missing and not gone, "run tools/write_reference build/vitrine"
    assert found == wanted, "run tools/write_reference build/vitrine"


def test_the_example_configuration_is_right(tmp_path):
    text = (TOP / "docs/configuration.md").read_text(encoding="utf-8")
    path = tmp_path / "datasette.yaml"
    (tmp_path / "secret").write_text("t")
    example = re.search(r"```yaml\n(.*?)```", text, re.S).group(1)
    path.write_text(example.replace("/run/secrets/t", str(tmp_path / "secret")))
    assert run("config", "check", path, env={"API_TOKEN": "x"}) == (0, f"{path}: no problems\n", "")
    keys = (TOP / "src/site/tbl/config_keys.h").read_text(encoding="utf-8")
    for level, key, file in re.findall(r"^X\((\w+), (\w+), \w+, (\w+)\)", keys, re.M):
        if level != "QUERY" and file == "CONFIG" and key not in ("metrics", "allow_write", "sort"):
            assert re.search(rf"\b{key}:", example), key
    options = set(re.findall(r"`(--[a-z-]+)", text))
    helps = run("serve", "--help")[1] + run("config", "--help")[1]
    assert options and all(option in helps for option in options), options
