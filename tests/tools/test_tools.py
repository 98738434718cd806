# SPDX-License-Identifier: Apache-2.0
"""The tools of the build, each on small trees made for the test."""
import gzip
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"


def tool(name, *arguments, cwd=None):
    done = subprocess.run([sys.executable, str(TOP / "tools" / name), *map(str, arguments)], cwd=cwd,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def plant(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


CLEAN = {
    "src/base/str.h": SPDX + "#include <stddef.h>\n",
    "src/codec/json.c": SPDX + '#include "base/str.h"\n',
    "src/db/open.h": SPDX + '#include "base/str.h"\n',
    "src/db/open.c": SPDX + '#include <sqlite3.h>\n#include "db/open.h"\n',
    "src/site/view.c": SPDX + '#include "db/open.h"\n#include "codec/enc.h"\n',
    "src/codec/enc.h": SPDX,
}


def test_layers_clean(tmp_path):
    assert tool("check_layers", plant(tmp_path, CLEAN)) == (0, "check_layers: 6 files, includes only go down\n")


@pytest.mark.parametrize("files, says", [
    ({"src/base/up.c": '#include "codec/enc.h"\n'}, "src/base/up.c:1: base may not include codec"),
    ({"src/db/side.c": '\n#  include "http/x.h"\n', "src/http/x.h": ""}, "src/db/side.c:2: db may not include http"),
    ({"src/template/t.c": '#include "db/open.h"\n'}, "template may not include db"),
    ({"src/extra/x.c": ""}, "no layer is known for 'extra'"),
    ({"src/site/near.c": '#include "near.h"\n'}, "write the path from src/"),
    ({"src/site/gone.c": '#include "site/gone.h"\n'}, "there is no such file"),
    ({"src/site/sql.c": "#include <sqlite3.h>\n"}, "<sqlite3.h> belongs to db"),
    ({"src/site/tls.c": "#include <openssl/ssl.h>\n"}, "<openssl/ssl.h> belongs to codec and http and net"),
    ({"src/site/query/q.c": '#include "db/open.h"\n'}, "planning is pure"),
    ({"src/site/render/r.c": '#include "db/open.h"\n'}, "rendering never runs SQL"),
    ({"src/db/a.h": '#include "db/b.h"\n', "src/db/b.h": '#include "db/a.h"\n'},
     "includes go in a circle: db/a.h -> db/b.h -> db/a.h"),
])
def test_layers_faults(tmp_path, files, says):
    status, output = tool("check_layers", plant(tmp_path, {**CLEAN, **files}))
    assert status == 1
    assert says in output
    assert len(output.splitlines()) == 1


def test_layers_of_this_tree_know_every_folder():
    table = (TOP / "tools/check_layers").read_text()
    for folder in (TOP / "src").iterdir():
        if list(folder.rglob("*.[ch]")):
            assert f'"{folder.name}":' in table


LIMITS = {"src/base/limits.h": "#define LIMIT_ONE 1 /* more: refused */\n#define LIMIT_TWO                 \\\n"
                               "    LOWERABLE(TWO, 2) /* more: cut */\n#define LIMIT_SIZE 3 /* size: of a buffer */\n",
          "src/a.c": "int a = LIMIT_ONE + LIMIT_TWO + LIMIT_SIZE;\n", "tests/a.c": "/* LIMIT_ONE */\n",
          "tests/site/a.py": "limits.LIMIT_TWO\n"}


@pytest.mark.parametrize("name, text, says", [
    (None, None, "check_limits: 3 limits, each is named in a test or sizes a buffer"),
    ("tests/a.c", "/* LIMIT_ONES */\n", "src/base/limits.h:1: no test names LIMIT_ONE: "),
    ("tests/site/a.py", "\n", "src/base/limits.h:3: no test names LIMIT_TWO: "),
    ("src/a.c", "int a = LIMIT_ONE + LIMIT_TWO;\n", "src/base/limits.h:4: LIMIT_SIZE is used nowhere"),
])
def test_limits_without_a_test(tmp_path, name, text, says):
    status, output = tool("check_limits", plant(tmp_path, {**LIMITS, **({name: text} if name else {})}))
    assert status == bool(name) and output.startswith(says) and len(output.splitlines()) == 1, output


@pytest.mark.parametrize("name, text, says", [
    ("src/a.c", "int a;\n", "src/a.c:1: the line 'SPDX-License-Identifier"),
    ("src/a.c", SPDX + "x" * 121 + "\n", "src/a.c:2: 121 characters"),
    ("src/a.c", SPDX + "\n" * 1000, "1001 lines"),
    ("src/a.c", SPDX + "int a; \n", "src/a.c:2: white space at the end"),
    ("src/a.c", SPDX + "\tint a;\n", "src/a.c:2: a tab"),
    ("src/a.c", SPDX + "int a;", "the last line has no end"),
    ("src/a.c", SPDX + "int a; // TO" "DO later\n", "src/a.c:2: 'TO" "DO'"),
    ("src/a.c", SPDX + '#include "base/utils.h"\n', "named after its idea"),
    ("src/a.c", SPDX + "typedef struct a a;\n", "structs have no typedef"),
    ("src/a.c", SPDX.encode() + b"/* \xff */\n", "not UTF-8"),
    ("docs/a.md", "FIX" "ME\n", "docs/a.md:1"),
])
def test_style_faults(tmp_path, name, text, says):
    status, output = tool("check_style", plant(tmp_path, {name: text}))
    assert status == 1
    assert says in output


def test_style_clean(tmp_path):
    long_words = SPDX + "x" * 119 + "é\n"  # characters count, not bytes
    plant(tmp_path, {"src/a.c": long_words, "README.md": "x" * 500 + "\n", "tests/golden/a.c": "\t\n",
                     "src/str.h": SPDX + "typedef struct str {\n} str;\n"})
    assert tool("check_style", tmp_path) == (0, "check_style: 3 files are clean\n")


def test_readme_faults(tmp_path):
    good = "what it may include\ntests\n" + "line\n" * 13
    plant(tmp_path, {"src/a/a.c": "", "src/a/README.md": good, "src/b/b.c": "", "src/c/c.c": "",
                     "src/c/README.md": "x\n", "src/d/d.c": "", "src/d/README.md": "line\n" * 20})
    status, output = tool("check_readme", tmp_path)
    assert status == 1
    assert "src/b: README.md is missing" in output
    assert "src/c/README.md: 1 lines" in output
    assert "src/d/README.md: nothing about" in output
    assert "src/a" not in output


def embed(root, out, *more):
    out.mkdir(parents=True, exist_ok=True)
    return tool("embed.py", "--root", f"templates={root}/templates", "--root", f"static={root}/static",
                "--plain", "templates", "--out-dir", out, *more)


def table_of(out):
    blob = (out / "assets.bin").read_bytes()
    rows = re.findall(r'\{\{"([^"]+)", (\d+)\},\s+"([^"]+)",\s+"([0-9a-f]{64})",\s+\{asset_bytes \+ (\d+), (\d+)\},\s+'
                      r'\{(?:asset_bytes \+ (\d+)|NULL), (\d+)\}\}', (out / "assets_table.c").read_text())
    return {path: (mime, blob[int(at):int(at) + int(n)], blob[int(gz):int(gz) + int(gz_n)] if gz else b"",
                   int(at), blob[int(at) + int(n)])
            for path, _, mime, _, at, n, gz, gz_n in rows}


def test_embed_holds_every_byte(tmp_path):
    css, page, picture = b"body { color: red }\n" * 50, b"{{ x }}\n" * 100, os.urandom(3000)
    plant(tmp_path, {"w/static/app.css": css, "w/static/sub/a.png": picture, "w/static/empty.js": b"",
                     "w/templates/base.html": page, "w/static/.hidden": b"no"})
    assert embed(tmp_path / "w", tmp_path / "o", "--depfile", tmp_path / "o/d") == (0, "")
    table = table_of(tmp_path / "o")
    assert list(table) == ["static/app.css", "static/empty.js", "static/sub/a.png", "templates/base.html"]
    assert table["static/app.css"][:2] == ("text/css; charset=utf-8", css)
    assert gzip.decompress(table["static/app.css"][2]) == css
    assert table["static/sub/a.png"][1:3] == (picture, b"")
    assert table["templates/base.html"][1:3] == (page, b"")
    assert table["static/empty.js"][1:3] == (b"", b"")
    for _, _, _, at, after in table.values():
        assert at % 16 == 0 and after == 0
    assert f"{tmp_path}/w/static/sub" in (tmp_path / "o/d").read_text()


def test_embed_is_deterministic(tmp_path):
    plant(tmp_path, {"w/static/a.css": b"a" * 1000, "w/static/b.js": b"b" * 1000, "w/templates/t.html": b"t"})
    embed(tmp_path / "w", tmp_path / "o1")
    (tmp_path / "w/static/a.css").touch()
    embed(tmp_path / "w", tmp_path / "o2")
    for name in ("assets.bin", "assets_table.c"):
        assert (tmp_path / "o1" / name).read_bytes() == (tmp_path / "o2" / name).read_bytes()
    before = (tmp_path / "o1/assets.S").stat().st_mtime_ns
    embed(tmp_path / "w", tmp_path / "o1")
    assert (tmp_path / "o1/assets.S").stat().st_mtime_ns == before  # unchanged files are not written again
    first = (tmp_path / "o1/assets.S").read_text()
    (tmp_path / "w/static/a.css").write_bytes(b"c" * 1000)
    embed(tmp_path / "w", tmp_path / "o1")
    assert (tmp_path / "o1/assets.S").read_text() != first


def test_embed_refuses(tmp_path):
    plant(tmp_path, {"w/static/a.css": b"a", "w/templates/t.html": b"t", "v/a.css": b"b", "x/a.exe": b"c"})
    status, output = embed(tmp_path / "w", tmp_path / "o", "--root", f"static={tmp_path}/v")
    assert status == 1 and "comes from both" in output
    status, output = embed(tmp_path / "w", tmp_path / "o", "--root", f"static={tmp_path}/x")
    assert status == 1 and "no media type is known" in output
    status, output = embed(tmp_path / "w", tmp_path / "o", "--root", f"static={tmp_path}/none")
    assert status == 1 and "a folder is wanted" in output


def notice_tree(tmp_path, packages):
    locked = {"": {"dependencies": {"better-sqlite3": "1", "map": "1"}, "devDependencies": {"bundler": "1"}}}
    files = {"node_modules/better-sqlite3/deps/sqlite3/sqlite3.h": '#define SQLITE_VERSION        "3.99.1"\n'}
    for name, (needs, licence) in packages.items():
        locked["node_modules/" + name] = {"dependencies": {n: "1" for n in needs}}
        about = {"name": name.split("/node_modules/")[-1], "version": "1.0", **({"license": "MIT"} if licence else {})}
        files[f"node_modules/{name}/package.json"] = json.dumps(about)
        if licence:
            files[f"node_modules/{name}/LICENSE"] = licence
    files["package-lock.json"] = json.dumps({"packages": locked})
    return plant(tmp_path, files)


def test_notice_lists_what_is_inside(tmp_path):
    root = notice_tree(tmp_path, {"better-sqlite3": ([], "not told"), "bundler": ([], "not told"),
                                  "map": (["tile"], "Map!"), "map/node_modules/tile": ([], "Inner tile!"),
                                  "tile": ([], "Outer tile!")})
    assert tool("notice.py", root, tmp_path / "NOTICE") == (0, "")
    text = (tmp_path / "NOTICE").read_text()
    assert "SQLite 3.99.1 (public domain)" in text
    assert "Map!" in text and "Inner tile!" in text
    assert "Outer tile!" not in text and "not told" not in text


def test_notice_refuses_what_has_no_licence(tmp_path):
    root = notice_tree(tmp_path, {"better-sqlite3": ([], ""), "map": ([], "")})
    status, output = tool("notice.py", root, tmp_path / "NOTICE")
    assert status == 1 and "may not be bundled" in output


def test_makefile_verbs_have_their_programs():
    text = (TOP / "Makefile").read_text()
    programs = set(re.findall(r"@((?:tools|tests|bench)/[\w./-]+)", text))
    assert {"tools/setup.sh", "tools/run_tests", "bench/run", "tests/soak/run"} <= programs
    for program in programs:
        assert os.access(TOP / program, os.X_OK), program


def test_soak_is_clean():
    """A few seconds of what `make soak` does for hours."""
    program = os.environ.get("VITRINE_BIN", str(TOP / "build/vitrine"))
    done = subprocess.run([TOP / "tests/soak/run", "4"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "VITRINE_BIN": program})
    assert done.returncode == 0 and re.search(r"soak: \d+ x 200.*; [1-9]\d* commits; 0 faults", done.stdout), done


def test_soak_of_upgrades_is_clean():
    program = os.environ.get("VITRINE_BIN", str(TOP / "build/vitrine"))
    done = subprocess.run([TOP / "tests/soak/upgrades", "4"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "VITRINE_BIN": program})
    assert done.returncode == 0 and re.search(r"soak: [1-9]\d* requests, 4 changes.*: clean", done.stdout), done


def test_documentation_links_lead_somewhere():
    """Every page for users is in docs/README.md, and no relative link of a page is broken."""
    index = (TOP / "docs/README.md").read_text()
    for page in (TOP / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name
    for page in [*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("src/**/README.md")]:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            assert re.match(r"\w+:", link) or (page.parent / link).exists(), (page, link)
