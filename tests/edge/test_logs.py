# SPDX-License-Identifier: Apache-2.0
"""What apps write, and how the edge's verbs read."""
import json
import subprocess
import threading
import time

import limits
import serving


def test_logs(edge):
    edge.deploy(tag="one")
    out, _ = edge.run("logs", "web")
    assert "--- web.1, version 1, 20" in out and "one listens on" in out
    assert edge.run("logs", "web", "-n", "1")[0] == out.splitlines()[-1] + "\n"
    begin = edge.run("logs", "web", "--since", "1h")[0]
    assert begin == out

    # --follow prints what comes, also over the moment in which the file is put aside.
    command = [str(a) for a in (serving.PROGRAM, "logs", "web", "--follow", "-n", "1", "--state", edge.state)]
    follower = subprocess.Popen(command, stdout=subprocess.PIPE)
    lines = []
    reader = threading.Thread(target=lambda: [lines.append(line) for line in follower.stdout], daemon=True)
    reader.start()
    edge.wait(lambda: lines, "nothing is followed")
    edge.get("/say?1000")
    edge.wait(lambda: lines[-1] == b"said\n", "no new line")
    log = edge.state / "logs" / "web.log"
    edge.get(f"/say?{limits.LIMIT_EDGE_LOG_FILE + 200 * 1000}")
    edge.wait(lambda: log.stat().st_size < 1000000, "the log grows without end")
    assert log.with_name("web.log.1").stat().st_size > limits.LIMIT_EDGE_LOG_FILE
    before = len(lines)
    edge.get("/say?2000")
    edge.wait(lambda: len(lines) > before and lines[-1] == b"said\n", "nothing is followed after the log began anew")
    follower.terminate()
    follower.wait()
    reader.join()
    follower.stdout.close()

    # The end is read across both files, and --since finds a moment in lines that bear no time.
    assert len(edge.run("logs", "web", "-n", "2000")[0].splitlines()) == 2000
    times = log.with_name("web.log.times")
    edge.wait(lambda: times.exists() and times.read_text().split()[-1:] == [str(log.stat().st_size)], "no time is noted")
    noted = times.read_text()
    times.write_text("".join(f"{int(time.time()) - 600} {line.split()[1]}\n" for line in noted.splitlines()))
    assert edge.run("logs", "web", "--since", "5m")[0] == ""
    edge.get("/say?1000")
    assert edge.run("logs", "web", "--since", "5m")[0] == "x" * 999 + "\nsaid\n"
    assert edge.run("logs", "web", "--since", "2m", "-n", "1")[0] == "said\n"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 300))
    assert edge.run("logs", "web", "--since", stamp)[0].endswith("\nsaid\n")
    _, err = edge.run("logs", "web", "--since", "yesterday", code=64)
    assert "\"yesterday\" is no time" in err and "2h" in err
    _, err = edge.run("logs", "../state", code=5)
    assert "there is no app" in err


def test_list_and_status_are_good_to_read(edge):
    out, _ = edge.run("list")
    assert out.startswith("No apps yet.")
    edge.deploy("a-long-name", options=("--host", "long.example.test", "--path", "/shop", "--health", "/up"))
    _, err = edge.deploy("web", options=("--health", "/up"))
    assert "web.2: GET /up: 200 OK, after 0." in err
    edge.run("deploy", "old", "--redirect", "https://new.test", "--host", "old.test")
    edge.run("pause", "web")
    out, _ = edge.run("list")
    rows = out.splitlines()
    assert rows[0].split() == "APP ANSWERS FOR VERSION SINCE READY TRAFFIC DOING".split()
    at = rows[0].index("VERSION")
    assert [row[at] for row in rows[1:]] == ["1", "1", "1"]
    assert rows[1].startswith("a-long-name  long.example.test/shop") and "old.test -> https://new.test" in rows[3]
    assert "1 of 1" in rows[2] and "paused" in rows[2]
    out, _ = edge.run("status", "web")
    assert out.startswith("web  any host\n  version 1 for ") and "paused" in out and "GET /up: 200 OK" in out
    assert "  INSTANCE  VERSION  STATE  ADDRESS" in out and "0 requests, 0 waiting, 0 server errors" in out
    out, _ = edge.run("status")
    assert f"edge: process {edge.pid} for " in out and f"127.0.0.1:{edge.port}" in out
    assert json.loads(edge.run("status", "web", "--json")[0])["name"] == "web"
    assert [a["name"] for a in json.loads(edge.run("list", "--json")[0])["apps"]] == ["a-long-name", "web", "old"]
    for verb in ("deploy", "rollback", "pause", "resume", "stop", "remove", "list", "status", "logs"):
        out, _ = edge.run(verb, "--help")
        assert out.startswith(f"Usage: vitrine {verb}") and "--state DIR" in out
