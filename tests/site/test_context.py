# SPDX-License-Identifier: Apache-2.0
"""What templates may ask for on every kind of page, and what they are told: 700 expressions, with the answers that
Datasette 1.0a37 gave (context/, made by record.py there); and the names that templates of Datasette 0.65 use."""
import json
import sys

import pytest

import serving

sys.path.insert(0, str(serving.TOP / "tests/site/context"))
import record  # noqa: E402

EXPECTED = json.loads((serving.TOP / "tests/site/context/expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("context")
    numbers = record.make_site(folder)
    site = serving.Server(folder / "guide.db", "-c", folder / "datasette.yaml", "--template-dir",
                          folder / "templates").wait()
    yield record.record(f"http://{serving.HOST}:{site.port}", numbers)
    site.stop()


def test_the_questions_are_those_of_the_answers():
    asked = {}
    for page, expression in record.questions():
        if page != "/none" or expression in record.ERROR_PAGE:
            asked.setdefault(page, set()).add(expression)
    assert asked == {page: set(known) for page, known in EXPECTED.items()}
    assert sum(map(len, asked.values())) > 700


@pytest.mark.parametrize("page", EXPECTED)
def test_page(answers, page):
    wrong = {e: (answers[page][e], wanted) for e, wanted in EXPECTED[page].items() if answers[page][e] != wanted}
    assert not wrong


OLD_NAMES = {  # of Datasette 0.65, as its own templates use them
    "/guide/museums?_size=2&_x=1": {
        "filtered_table_rows_count": "4", "table_actions()": "[]", "database_color(database)": "a0c391",
        "database_color": "a0c391", "'#' ~ database_color": "#a0c391", "disable_sort": "False",
        "path_with_removed_args(request, ['_x'])": "/guide/museums?_size=2",
        "path_with_removed_args(request, {'_x': '1'})": "/guide/museums?_size=2",
        "path_with_added_args(request, {'a': 1})": "/guide/museums?_size=2&_x=1&a=1",
        "rows[0]['name']": "Bigfoot <Museum>"},
    "/guide/old": {"view_actions()": "[]", "disable_sort": "True", "filtered_table_rows_count": "3"},
    "/guide/by_kind?kind=1": {
        "canned_query": "by_kind", "canned_write": "False", "query_name": "by_kind", "rows|length": "1",
        "rows[0].name": "Bigfoot <Museum>", "rows[0][1]": "Bigfoot <Museum>", "rows[0]['id']": "1",
        "rows[0]['ID']": "1", "rows.__len__()": "1", "rows[0]|list|length": "5",
        "settings.max_returned_rows": "1000"},
    "/guide/add_kind": {"canned_write": "True", "rows": "[]"},
    "/guide": {"queries[0]['name']": "add_kind", "tables[0]['count']": "2", "app_css_hash|length": "6",
               "csrftoken()": "", "database_color(database)": "a0c391"},
}


def test_old_names(server, tmp_path):
    numbers = record.make_site(tmp_path, {e for page in OLD_NAMES.values() for e in page})
    site = server(tmp_path / "guide.db", "-c", tmp_path / "datasette.yaml", "--template-dir", tmp_path / "templates")
    base = f"http://{serving.HOST}:{site.port}"
    for page, wanted in OLD_NAMES.items():
        assert {e: record.ask(base, numbers[e], page, e) for e in wanted} == wanted


def test_answers_that_read_the_request_are_not_shared(server, tmp_path):
    folder = tmp_path / "t"
    folder.mkdir()
    (folder / "table.html").write_text("{{ request.cookies.get('name') }} {{ request.headers.get('x-a') }}")
    site = server(serving.DATA / "chinook.db", "--template-dir", folder)
    for name in ("Bea", "Ada", "Bea"):
        assert site.get("/chinook/Album", {"Cookie": f"name={name}", "X-A": name}).text == f"{name} {name}"
