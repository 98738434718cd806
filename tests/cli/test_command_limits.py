# SPDX-License-Identifier: Apache-2.0
"""The walls of the commands: what happens at each is what src/base/limits.h says."""
import json
import os

import limits
from limits import lowered
from serving import HOST, make, run
from test_post import receiver


def test_rows_of_a_table(tmp_path):
    path = make(tmp_path / "data.db", "create table t (a)")
    sql = "with recursive c(i) as (select 1 union all select i + 1 from c where i < %d) select i, printf('%%.*c', 50, 'x') from c"
    env = lowered(REQUEST_ARENA=100_000)  # LIMIT_REQUEST_ARENA
    assert run("query", path, sql % 100, "--table", env=env)[0] == 0
    status, out, err = run("query", path, sql % 9000, "--table", env=env)
    assert status and 100 < out.count("\n") < 5000 and "more than 100000 bytes" in err and "--csv" in err
    assert run("query", path, sql % 9000, "--csv", env=env)[1].count("\n") == 9001


def test_healthcheck(server, chinook):
    site = server(chinook)
    for n, good in (limits.LIMIT_HEALTH_PATH, True), (limits.LIMIT_HEALTH_PATH + 1, False):
        path = "/-/health?" + "x" * (n - len("/-/health?"))
        status, _, err = run("healthcheck", f"http://{HOST}:{site.port}{path}")
        assert (status == 0) == good, err
    assert status == 64 and str(limits.LIMIT_HEALTH_PATH) in err and "/-/health" in err


def test_post(tmp_path):
    items = tmp_path / "items.ndjson"
    items.write_text("".join(json.dumps({"id": i}) + "\n" for i in range(10)))
    log, env = tmp_path / "log.ndjson", lowered(POST_LOG=2000, SEND_ANSWER=1000)
    for size, good in (900, True), (1100, False):  # LIMIT_SEND_ANSWER
        with receiver((200, {}, json.dumps({"ok": True, "x": "y" * (size - 30)}))) as r:
            status, _, err = run("post", items, r.url, "--retries", "0", env=env)
            assert (status == 0) == good, err
    assert "larger than 1000 bytes" in err
    with receiver() as r:  # LIMIT_POST_LOG
        assert run("post", items, r.url, "--log", log, env=env)[0] == 0
        log.write_text(log.read_text() + "\n" * 3000)
        status, _, err = run("post", items, r.url, "--log", log, env=env)
        assert status and "at most 2000" in err and "log" in err


def test_status_of_a_server(tmp_path):
    for n, says in (limits.LIMIT_UPGRADE_STATUS, "is no vitrine serve"), (limits.LIMIT_UPGRADE_STATUS + 1, "no running server"):
        (tmp_path / "serve.json").write_text(json.dumps({"pid": os.getpid()}).ljust(n))
        status, _, err = run("upgrade", "--state", tmp_path)
        assert status and says in err
