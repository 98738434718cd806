# SPDX-License-Identifier: Apache-2.0
"""?_trace=1 with trace_debug: the statements of a page, in JSON and HTML."""
import html
import json
import re


def test_trace_of_json(server, chinook):
    site = server(chinook, "--setting", "trace_debug", "1")
    for _ in range(2):
        page = site.json("/chinook/Genre.json?_size=1&Name=Rock&_trace=1")
        trace = page["_trace"]
        assert page["rows"] == [{"GenreId": 1, "Name": "Rock"}] and trace["num_traces"] == len(trace["traces"]) > 0
        one = next(t for t in trace["traces"] if "from Genre where" in t["sql"] and "limit" in t["sql"])
        assert one["params"] == {"p0": "Rock"} and one["database"] == "chinook" and one["type"] == "sql"
        assert 0 <= one["start"] <= one["end"] and one["duration_ms"] >= 0
        assert trace["request_duration_ms"] >= trace["sum_trace_duration_ms"] >= 0
    assert "_trace" not in site.json("/chinook/Genre.json?_size=1&Name=Rock")
    assert isinstance(site.json("/chinook/Genre.json?_shape=array&_trace=1"), list)
    failed = site.get("/chinook/-/query.json?sql=select+nope&_trace=1").json()
    assert failed["_trace"]["traces"][-1]["error"] == "no such column: nope"
    assert site.json("/chinook/Genre.json?_trace=12")["ok"] and "_trace" not in site.json("/chinook/Genre.json?_trace=12")


def test_trace_of_html(server, chinook):
    site = server(chinook, "--setting", "trace_debug", "1")
    page = site.get("/chinook/-/query?sql=select+'<b>%26'+as+x&_trace=1").text
    shown = re.search(r'<pre class="trace">(.*?)</pre>\s*</body>', page, re.S).group(1)
    assert "<b>" not in shown
    assert any(t["sql"] == "select '<b>&' as x" for t in json.loads(html.unescape(shown))["traces"])
    assert site.get("/chinook/Track.csv?_trace=1").text.startswith("TrackId,")


def test_no_trace_without_the_setting(server, chinook):
    site = server(chinook)
    assert "_trace" not in site.json("/chinook/Genre.json?_trace=1")
    assert '<pre class="trace">' not in site.get("/chinook/Genre?_trace=1").text
