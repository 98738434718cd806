# SPDX-License-Identifier: Apache-2.0
"""The SQL functions: the table in the source, the page of the documentation and the running program say the same."""
import re

import pytest

import serving

TEXT = r'"((?:[^"\\]|\\.)*)"'
ROW = re.compile(rf'^X\({TEXT}, (-?\d+), \w+, \w+, [^"]*?{TEXT},\s*{TEXT},\s*{TEXT},\s*(?:NULL|{TEXT})\)', re.M)
SOURCE = (serving.TOP / "src/db/tbl/functions.h").read_text()


def plain(text):
    return text.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


FUNCTIONS = [tuple(plain(part) for part in row) for row in ROW.findall(SOURCE)]


@pytest.fixture(scope="module")
def memory():
    server = serving.Server("--memory").wait()
    yield server
    server.stop()


def test_every_row_is_read():
    assert len(FUNCTIONS) == SOURCE.count("\nX(") > 25


def test_documentation_is_the_table():
    page = (serving.TOP / "docs/sql-functions.md").read_text()
    documented = re.findall(r"^\| `(\w+\([^`]*\))` \| (.*?) \| `", page, re.M)
    assert documented == [(signature, help_text.replace("|", "\\|")) for _, _, signature, help_text, _, _ in FUNCTIONS]


def test_the_program_has_them(memory):
    rows = memory.sql("_memory", "select name, narg from pragma_function_list")["rows"]
    have = {(row["name"], row["narg"]) for row in rows}
    assert {(name, int(arguments)) for name, arguments, *_ in FUNCTIONS} <= have


@pytest.mark.parametrize("name, arguments, signature, help_text, example, answer", FUNCTIONS)
def test_example(memory, name, arguments, signature, help_text, example, answer):
    row = memory.sql("_memory", f"select {example} as answer, typeof({example}) as kind")["rows"][0]
    assert row["kind"] != "null"
    if answer:
        assert memory.sql("_memory", f"select cast({example} as text) as answer")["rows"][0]["answer"] == answer


@pytest.mark.parametrize("name, arguments", [(f[0], int(f[1])) for f in FUNCTIONS if int(f[1]) > 0])
def test_null_gives_null(memory, name, arguments):
    values = {4: ["1", "2", "3", "4"], 5: ["1", "2", "3", "4", "'km'"]}.get(arguments, ["'a'"] * arguments)
    for i in range(min(arguments, 4)):
        call = f"{name}({', '.join(values[:i] + ['null'] + values[i + 1:])})"
        assert memory.sql("_memory", f"select {call} as answer")["rows"] == [{"answer": None}], call


@pytest.mark.parametrize("sql, answer", [
    ("regexp_match('a*?b', 'xaab')", "aab"),
    ("regexp_match('<.+?>', '<a><b>')", "<a>"),
    ("regexp_match('<.+>', '<a><b>')", "<a><b>"),
    ("regexp_match('a|ab', 'ab')", "a"),
    ("regexp_match('(?i)É?CAFE', 'un cafe')", "cafe"),
    ("regexp_match('', 'abc')", ""),
    ("regexp_match('z', 'abc')", None),
    ("regexp_replace('x*', 'aéxb', '-')", "-a-é--b-"),
    ("regexp_replace('^a', 'aaa', 'b')", "baa"),
    ("regexp_replace('\\bw', 'wow wow', 'W')", "Wow Wow"),
    ("regexp_count('', 'ab')", 3),
    ("url_host('//Example.COM/x')", "example.com"),
    ("url_host('http://[::1]:80/')", "[::1]"),
    ("url_host('/just/a/path')", None),
    ("url_path('https://example.com')", ""),
    ("url_scheme('1a:b')", None),
    ("url_query_value('?a=1&a=2', 'a')", "1"),
    ("url_unescape('%ff')", "\ufffd"),
    ("md5(x'00ff')", "fc32e73eb6b79adcb6a8fcc7a5d5f4a1"),
    ("levenshtein('', 'né')", 2),
    ("substr(uuid7(), 15, 1)", "7"),
    ("uuid7() < uuid7() or uuid7() <> uuid7()", 1),
])
def test_answers(memory, sql, answer):
    if sql.startswith("md5(x"):
        import hashlib
        answer = hashlib.md5(b"\x00\xff").hexdigest()
    assert memory.sql("_memory", f"select {sql} as answer")["rows"] == [{"answer": answer}]


def test_limits(memory):
    long_text = "select levenshtein(printf('%.*c', 1025, 'x'), 'x') as answer"
    assert "1024" in memory.sql("_memory", long_text, status=400)["error"]
    one_less = "select levenshtein(printf('%.*c', 1024, 'x'), '') as answer"
    assert memory.sql("_memory", one_less)["rows"] == [{"answer": 1024}]
    slow = "select regexp_count('a.*z|a', printf('%.*c', 3000000, 'a')) as answer"
    assert memory.sql("_memory", slow, status=400)["ok"] is False
    memory.alive()
