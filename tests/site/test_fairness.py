# SPDX-License-Identifier: Apache-2.0
"""One client does not make the others wait: budgets of SQL, lanes, turns, queries of clients that left."""
import json
import re
import socket
import threading
import urllib.parse

import limits
from serving import HOST

ENDLESS = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
PROXY = ("--setting", "trusted_proxies", "127.0.0.1", "--setting", "metrics.public", "true")


def slow(n):
    return f"with recursive c(x) as (select 1 union all select x + 1 from c limit {n}) select count(*) from c"


def at(sql):
    return "/chinook/-/query.json?" + urllib.parse.urlencode({"sql": sql})


def metric(site, name, labels=""):
    text = site.get("/-/metrics").text
    return float(re.search(rf"^{re.escape(name + labels)} (\S+)$", text, re.M).group(1))


def until(condition):
    import time
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def use_up(site, headers=None):
    for n in range(100):
        answer = site.get(at(slow(300000 + n)), headers)
        if answer.status != 200:
            return answer
    raise AssertionError("no end of the budget")


def small(server, chinook, *more):
    return server(chinook, "--setting", "client_sql_burst_ms", "100", "--setting", "client_sql_ms_per_second", "1",
                  "--setting", "sql_time_limit_ms", "60000", *more)  # a busy machine must not end them


def test_a_budget_is_used_up(server, chinook):
    site = small(server, chinook, *PROXY)
    mine, other = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    answer = use_up(site, mine)
    assert answer.status == 429 and int(answer.header("retry-after")) > 0 and answer.header("x-request-id")
    body = answer.json()
    assert body["ok"] is False and body["status"] == 429 and body["errors"] == [body["error"]]
    assert "Try again in" in body["error"] and "filters" in body["error"]
    page = site.get("/chinook/Track?_facet=AlbumId", mine)
    assert page.status == 429 and page.header("content-type").startswith("text/html") and "Try again in" in page.text
    assert site.get("/-/health", mine).status == 200 and site.get("/-/static/app.css", mine).status == 200
    assert site.get(at("select 1"), other).status == 200
    assert metric(site, "vitrine_over_budget_total") == 2


def test_the_answer_cache_costs_nothing(server, chinook):
    site = small(server, chinook, *PROXY)
    mine = {"X-Forwarded-For": "192.0.2.1"}
    kept = site.get("/chinook/Genre.json", mine)
    assert use_up(site, mine).status == 429
    assert site.get("/chinook/Genre.json", mine).body == kept.body
    assert site.get("/chinook/Album.json", mine).status == 429


def test_a_network_is_one_client(server, chinook):
    site = small(server, chinook, *PROXY)
    assert use_up(site, {"X-Forwarded-For": "2001:db8:1:2::1"}).status == 429
    assert site.get("/chinook/Genre", {"X-Forwarded-For": "2001:db8:1:2:ffff::9"}).status == 429
    assert site.get("/chinook/Genre", {"X-Forwarded-For": "2001:db8:1:3::1"}).status == 200


def test_forged_addresses_count_for_nothing(server, chinook):
    """Without a trusted proxy the field is only text: the connection is the client."""
    site = small(server, chinook)
    assert use_up(site, {"X-Forwarded-For": "192.0.2.1"}).status == 429
    assert site.get("/chinook/Genre", {"X-Forwarded-For": "192.0.2.99"}).status == 429
    site.hang_up()
    assert site.get("/chinook/Genre").status == 200


def test_an_actor_has_one_budget_everywhere(server, chinook):
    site = small(server, chinook, "--root", *PROXY)
    token = site.said(r"token=(\w+)").group(1)
    cookie = {"Cookie": site.get(f"/-/auth-token?token={token}").header("set-cookie").split(";")[0]}
    answer = use_up(site, {**cookie, "X-Forwarded-For": "192.0.2.1"})
    assert answer.status == 429 and int(answer.header("retry-after")) > 0 and answer.json()["status"] == 429
    assert site.get("/chinook/Genre", {**cookie, "X-Forwarded-For": "192.0.2.2"}).status == 429
    assert site.get("/chinook/Genre", {"X-Forwarded-For": "192.0.2.1"}).status == 200
    forged = {"Cookie": "ds_actor=forged", "X-Forwarded-For": "192.0.2.3"}
    assert use_up(site, forged).status == 429
    assert site.get("/chinook/Genre", {**forged, "Cookie": "ds_actor=another"}).status == 429


def test_budgets_can_be_off(server, chinook):
    for off in ("client_sql_burst_ms", "client_sql_ms_per_second"):
        site = small(server, chinook, "--setting", off, "0")
        for n in range(5):
            assert site.get(at(slow(400000 + n))).status == 200


def test_slow_queries_do_not_stand_before_rows(server, chinook):
    """More queries without end than there are threads for them; rows and tables are answered all the while."""
    site = server(chinook, "--setting", "sql_time_limit_ms", "60000", "--cache", "0", "--setting", "metrics.public", "true")
    sockets = [socket.create_connection((HOST, site.port)) for _ in range(8)]
    for n, s in enumerate(sockets):
        s.sendall(f"GET {at(ENDLESS + ' limit ' + str(n + 1))} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    until(lambda: metric(site, "vitrine_workers_busy", '{lane="sql"}') == 3)
    for n in range(1, 60):
        assert site.json(f"/chinook/Track/{n}.json")["rows"][0]["TrackId"] == n
        assert site.get("/chinook/Genre").status == 200
    assert metric(site, "vitrine_queue_length", '{lane="sql"}') == 5
    for s in sockets:
        s.settimeout(0)
        try:
            assert s.recv(1) is None, "a query without end was answered"
        except BlockingIOError:
            pass
        s.close()
    until(lambda: metric(site, "vitrine_sql_interrupted_total", '{reason="client_gone"}') >= 3)
    until(lambda: metric(site, "vitrine_workers_busy", '{lane="sql"}') == 0)


def slow_jobs(site):
    return metric(site, "vitrine_jobs_total", '{lane="sql"}')


def test_pages_for_machines_do_not_wait_for_a_busy_client(server, chinook):
    site = small(server, chinook, "--setting", "metrics.public", "true")
    assert use_up(site).status == 429
    until(lambda: slow_jobs(site) == slow_jobs(site))  # asking is no job there


def test_what_may_be_slow_runs_elsewhere(server, chinook):
    site = server(chinook, "--setting", "metrics.public", "true", "--setting", "client_sql_burst_ms", "0",
                  "--setting", "sql_time_limit_ms", "60000")

    def jobs():
        return slow_jobs(site)

    for path in ("/chinook/Album", "/chinook/Track/1", "/chinook/Genre.json?_size=5"):  # each a place of its own
        assert site.get(path).status == 200
    wanted = jobs()
    assert wanted == 0
    for path in ("Track.json?_facet=AlbumId", "Track.json?Name__contains=x", "Track.json?_sort=Name", "Track?_where=1=1",
                 "-/query.json?sql=select+1"):
        assert site.get(f"/chinook/{path}").status == 200
        wanted += 1
        until(lambda: jobs() == wanted)  # it counts when the worker is done, a little after the answer


def test_a_full_queue_says_when_to_come_again(server, chinook):
    site = server(chinook, *PROXY, "--setting", "sql_time_limit_ms", "60000", "--setting", "num_sql_threads", "1")
    sockets, statuses, lock = [], [], threading.Lock()
    for n in range(limits.LIMIT_FLOW_QUEUE + 3):  # one runs, 64 wait, two are too many
        s = socket.create_connection((HOST, site.port))
        s.sendall((f"GET {at(ENDLESS + ' limit ' + str(n + 1))} HTTP/1.1\r\nHost: a\r\n"
                   "X-Forwarded-For: 192.0.2.1\r\n\r\n").encode())
        sockets.append(s)
        if n == 0:
            until(lambda: metric(site, "vitrine_workers_busy", '{lane="sql"}') == 1)

    def read(s):
        head = b""
        try:
            while b"}" not in head and (piece := s.recv(4096)):
                head += piece
        except OSError:
            pass
        with lock:
            statuses.append(head.decode())

    readers = [threading.Thread(target=read, args=(s,)) for s in sockets]
    for reader in readers:
        reader.start()
    until(lambda: len(statuses) >= 2)
    for text in statuses:
        assert text.startswith("HTTP/1.1 503") and "\r\nretry-after: 1\r\n" in text, text
        assert json.loads(text.split("\r\n\r\n", 1)[1])["status"] == 503
    other = site.get("/chinook/Genre", {"X-Forwarded-For": "192.0.2.2"})
    assert other.status == 200
    assert metric(site, "vitrine_rejected_total", '{lane="sql"}') == 2
    for s in sockets:
        s.shutdown(socket.SHUT_RDWR)
        s.close()
    for reader in readers:
        reader.join(120)
    until(lambda: metric(site, "vitrine_workers_busy", '{lane="sql"}') == 0)
