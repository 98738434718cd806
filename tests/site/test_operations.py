# SPDX-License-Identifier: Apache-2.0
"""What machines ask: metrics, readiness, ids of requests and traces, the access log, times."""
import json
import os
import re
import signal
import socket

import pytest

from serving import HOST, READY_SECONDS, TOP, make

TRACE = "0af7651916cd43dd8448eb211c80319c"
OPEN = ("--setting", "metrics.public", "true")
SAMPLE = re.compile(r'^([a-z_]+)(\{(?:[a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*)?\})? (-?[0-9.]+(?:e[+-]?\d+)?)$')


def parse(text):
    """{(name, labels): value} and {family: type}; every line must be of the format."""
    samples, types, helps = {}, {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, line
            types[name] = kind
        elif line.startswith("# HELP "):
            name, text = line[7:].split(" ", 1)
            assert name not in helps and text, line
            helps[name] = text
        elif line != "# EOF":
            found = SAMPLE.match(line)
            assert found, line
            key = found.group(1), found.group(2) or ""
            assert key not in samples, line
            samples[key] = float(found.group(3))
    assert set(types) == set(helps)
    return samples, types


def documented():
    rows = re.findall(r"^\| `([a-z_]+)` \| (\w+) \| ([^|]*) \|", (TOP / "docs/metrics.md").read_text(), re.M)
    assert rows
    return {name: (kind, labels.strip()) for name, kind, labels in rows}


def test_the_page_and_its_description_name_the_same(server, chinook):
    site = server(chinook, *OPEN)
    samples, types = parse(site.get("/-/metrics").text)
    assert {name: kind for name, (kind, _) in documented().items()} == types
    for (name, labels), _ in samples.items():
        family = re.sub(r"_(bucket|sum|count)$", "", name) if name not in types else name
        assert family in types, name
        wanted = re.findall(r"`(\w+)`", documented()[family][1])
        assert [n for n in re.findall(r'(\w+)="', labels) if n != "le"] == wanted, (name, labels)


def test_both_formats(server, chinook):
    site = server(chinook, *OPEN)
    plain = site.get("/-/metrics")
    assert plain.header("content-type") == "text/plain; version=0.0.4; charset=utf-8" and "# EOF" not in plain.text
    opened = site.get("/-/metrics", {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert opened.header("content-type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert opened.text.endswith("\n# EOF\n") and opened.text.count("# EOF") == 1
    samples, types = parse(opened.text)
    assert types["http_requests"] == "counter" and any(name == "http_requests_total" for name, _ in samples)


def test_requests_are_counted_by_route(server, chinook):
    site = server(chinook, *OPEN)
    for _ in range(3):
        assert site.get("/chinook/Genre.json").status == 200
    site.get("/chinook/nope.json")
    site.get("/no/such/page/at/all/-/x")
    site.get("/-/static/app.css")
    site.ask("HEAD", "/chinook/Genre.json")
    site.ask("BREW", "/chinook/Genre.json")
    site.raw(b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n")
    samples, _ = parse(site.get("/-/metrics").text)

    def count(method, code, route):
        return samples.get(("http_requests_total", f'{{method="{method}",code="{code}",route="{route}"}}'), 0)

    assert count("GET", 200, "/:db/:table") == 3 and count("GET", 404, "/:db/:table") == 1
    assert count("HEAD", 200, "/:db/:table") == 1 and count("GET", 404, "none") == 1
    assert count("GET", 200, "static") == 1
    assert sum(v for (n, l), v in samples.items() if n == "http_requests_total" and 'method="other"' in l) == 1
    assert sum(v for (n, l), v in samples.items() if n == "http_requests_total" and 'route="refused"' in l) == 1
    assert samples[("vitrine_http_refused_total", "")] == 1
    label = '{route="/:db/:table",le="%s"}'
    buckets = [samples[("http_request_duration_seconds_bucket", label % le)] for le in ("0.001", "1", "10", "+Inf")]
    assert buckets == sorted(buckets) and buckets[-1] == 6
    assert samples[("http_request_duration_seconds_count", '{route="/:db/:table"}')] == 6
    assert samples[("vitrine_cache_hits_total", "")] >= 2 and samples[("vitrine_cache_entries", "")] >= 1
    assert samples[("vitrine_sql_seconds_total", "")] > 0 and samples[("vitrine_databases", "")] == 1
    assert samples[("vitrine_ready", "")] == 1 and samples[("process_open_fds", "")] > 3
    assert samples[("process_resident_memory_bytes", "")] > 1e6 and samples[("process_threads", "")] >= 2  # loop, worker


def test_interrupted_queries_are_counted(server, chinook):
    site = server(chinook, *OPEN, "--setting", "sql_time_limit_ms", "50")
    endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
    assert site.get("/chinook/-/query.json", sql=endless).status == 400
    samples, _ = parse(site.get("/-/metrics").text)
    assert samples[("vitrine_sql_interrupted_total", '{reason="time_limit"}')] == 1


def test_metrics_are_private(server, chinook, tmp_path):
    site = server(chinook)
    assert site.get("/-/metrics").status == 403
    assert site.get("/-/metrics", {"Authorization": "Bearer "}).status == 403
    site = server(chinook, env={"VITRINE_METRICS_TOKEN": "s3cret"})
    for wrong in ("s3cre", "s3crets", "S3cret", "", "s3cret\t."):
        assert site.get("/-/metrics", {"Authorization": f"Bearer {wrong}"}).status == 403
    assert site.get("/-/metrics", {"Authorization": "Bearer s3cret"}).status == 200
    (tmp_path / "c.yaml").write_text("metrics:\n  token: other\n")
    site = server(chinook, "--config", tmp_path / "c.yaml", env={"VITRINE_METRICS_TOKEN": "s3cret"})
    assert site.get("/-/metrics", {"Authorization": "Bearer s3cret"}).status == 403
    assert site.get("/-/metrics", {"Authorization": "Bearer other"}).status == 200
    assert "other" not in site.get("/-/config.json").text


def test_who_may_debug_permissions_sees_metrics(server, chinook, tmp_path):
    site = server(chinook, "--root")
    token = site.said(r"token=(\w+)").group(1)
    cookie = site.get(f"/-/auth-token?token={token}").header("set-cookie").split(";")[0]
    assert site.get("/-/metrics", {"Cookie": cookie}).status == 200


def test_ready(server, tmp_path):
    path = make(tmp_path / "a.db", "create table t (x)")
    site = server(path)
    assert site.get("/-/ready").status == 200 and site.json("/-/ready.json")["status"] == "ready"
    os.rename(path, tmp_path / "away.db")
    answer = site.get("/-/ready")
    assert answer.status == 503 and "database a" in answer.json()["reason"] and answer.header("retry-after")
    assert site.get("/-/health").status == 200
    os.rename(tmp_path / "away.db", path)
    assert site.get("/-/ready").status == 200


def test_a_request_has_an_id(server, chinook):
    site = server(chinook)
    seen = set()
    for path in ("/", "/chinook/Genre.json", "/chinook/Genre.json", "/nope", "/chinook/-/query.json?sql=select+1"):
        found = site.get(path).all("x-request-id")
        assert len(found) == 1 and re.fullmatch(r"[0-9a-f]{16}", found[0]), path
        seen.add(found[0])
    assert len(seen) == 5
    for sane in ("abc", "7f3c-AZ_.:/+=@~", "x" * 128):
        assert site.get("/chinook/Genre.json", {"X-Request-ID": sane}).header("x-request-id") == sane
    for bad in ("a b", "<script>", "x" * 129, "a,b", "ä".encode().decode("latin-1"), '"'):
        assert re.fullmatch(r"[0-9a-f]{16}", site.get("/", {"X-Request-ID": bad}).header("x-request-id")), bad


def lines(site, where="access"):
    found = [json.loads(line) for line in site.output if line.startswith("{")]
    return [line for line in found if line["component"] == where]


def test_the_access_log(server, chinook):
    site = server(chinook, "--log-format", "json", "--access-log")
    site.get("/chinook/Genre.json?_size=3", {"X-Request-ID": "first", "User-Agent": "tester", "Referer": "http://r/"})
    site.get("/chinook/Genre.json?_size=3", {"X-Request-ID": "second", "Traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    site.get("/chinook/Genre.json?_size=3", {"X-Request-ID": "third", "Traceparent": f"00-{TRACE}-0000000000000000-01"})
    site.stop()
    first, second, third = lines(site)
    assert (first["request_id"], first["method"], first["status"], first["cache"]) == ("first", "GET", 200, "miss")
    assert first["target"] == "/chinook/Genre.json?_size=3" and first["route"] == "/:db/:table[.*]"
    assert first["client"] == HOST and first["user_agent"] == "tester" and first["referer"] == "http://r/"
    assert first["sql_us"] > 0 and first["us"] > 0 and first["bytes"] > 0 and first["complete"] == "yes"
    assert second["cache"] == "hit" and second["trace_id"] == TRACE and second["parent_id"] == "b7ad6b7169203331"
    assert re.fullmatch(r"[0-9a-f]{16}", second["span_id"]) and "trace_id" not in first and "trace_id" not in third
    text = (TOP / "docs/deploy.md").read_text()
    assert {f for line in (first, second) for f in line} <= set(re.findall(r"^\| `(\w+)` \|", text, re.M))


def test_an_error_tells_its_request(server, tmp_path):
    path = tmp_path / "a.db"
    make(path, "create table t (x)")
    site = server(path, "--log-format", "json")
    path.write_bytes(b"no database " * 1000)
    answer = site.get("/a/t", {"X-Request-ID": "find-me"})
    assert answer.status >= 500 and "find-me" in answer.text
    site.stop()
    assert any(line.get("request_id") == "find-me" for line in lines(site, "site")), site.output


def test_server_timing(server, chinook):
    site = server(chinook)
    first, second = (site.get("/chinook/Genre.json").header("server-timing") for _ in range(2))
    assert re.fullmatch(r"sql;dur=\d+\.\d{3}, render;dur=\d+\.\d{3}, cache;desc=miss", first), first
    assert second == "cache;desc=hit"
    site = server(chinook, "--setting", "server_timing", "off")
    assert not site.get("/chinook/Genre.json").header("server-timing")


def test_clients_behind_proxies(server, chinook):
    site = server(chinook, "--log-format", "json", "--access-log", "--setting", "trusted_proxies", "127.0.0.1, unix")
    site.get("/", {"X-Forwarded-For": "6.6.6.6, 192.0.2.7"})
    site.get("/", {"Forwarded": 'for="[2001:db8::1]:80";proto=https'})
    site.get("/", {"X-Forwarded-For": "<b>"})
    answer = site.get("/chinook/Genre", {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
    assert "https://127.0.0.1" in answer.header("link")
    assert "http://127.0.0.1" in site.get("/chinook/Genre").header("link")
    site.stop()
    assert [line["client"] for line in lines(site)][:3] == ["192.0.2.7", "2001:db8::1", "127.0.0.1"]
    site = server(chinook, "--log-format", "json", "--access-log")
    assert "http://" in site.get("/chinook", {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"}).header("link")
    site.stop()
    assert lines(site)[0]["client"] == HOST


def test_stopping(server, chinook):
    """While it stops: not ready, and what is on its way is answered."""
    site = server(chinook, "--setting", "sql_time_limit_ms", "200000", "--drain", "300")
    slow = socket.create_connection((HOST, site.port))
    sql = "with+recursive+c(x)+as+(select+1+union+all+select+x%2B1+from+c+limit+4000000)+select+count(*)+from+c"
    slow.sendall(f"GET /chinook/-/query.json?sql={sql} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert site.get("/-/ready").status == 200
    site.process.send_signal(signal.SIGTERM)
    answer = None
    for _ in range(1000):
        answer = site.get("/-/ready")
        if answer.status == 503:
            break
    assert answer.status == 503 and "stopping" in answer.json()["reason"]
    assert site.get("/chinook/Genre.json").status == 200
    with slow.makefile("rb") as f:
        assert f.readline().startswith(b"HTTP/1.1 200")
    slow.close()
    site.process.send_signal(signal.SIGTERM)
    assert site.process.wait(READY_SECONDS) == 0
    site.stopped = True


@pytest.mark.parametrize("value", ["nonsense", "10.0.0.0/33", "*"])
def test_wrong_proxies(value, chinook):
    from serving import run
    status, _, err = run("serve", chinook, "--port", "0", "--setting", "trusted_proxies", value)
    assert status not in (0, 1) and "trusted_proxies" in err and value in err


def test_work_in_the_background_does_not_hold_up_the_end(server, tmp_path):
    """Figures that pages asked for, each a second or more of work, are not waited for."""
    path = make(tmp_path / "slow.db", """create view v as with recursive c(x) as (select 1 union all select x + 1 from c
                limit 9000000) select x, x % 7 as k from c""")
    site = server(path, patient=False)
    for n in range(20):
        assert site.get(f"/slow/v.json?_facet=k&x__gt={n}").status == 200
    site.stop()
