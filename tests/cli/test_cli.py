# SPDX-License-Identifier: Apache-2.0
"""The command line: help, versions, wrong use. Errors name the place and what to do."""
import os
import re
import signal
import stat
import subprocess
import time

import pytest

import serving
from serving import run


def test_version():
    status, out, err = run("--version")
    assert (status, err) == (0, "")
    assert re.match(r"vitrine \d+\.\d+\.\d+ \(\w+(-dirty)?\)\n", out) and re.search(r"^SQLite 3\.\d+\.\d+", out, re.M)
    assert "OpenSSL 3" in out
    assert run("version")[1] == out


def test_help():
    status, out, err = run("--help")
    assert (status, err) == (0, "") and "serve" in out
    assert run()[1] == out and run("help")[1] == out
    status, out, err = run("serve", "--help")
    assert (status, err) == (0, "")
    for option in ("--immutable", "--host", "--port", "--uds", "--cors", "--setting", "--config", "--metadata",
                   "--secret", "--static", "--template-dir", "--memory", "--reload", "--ssl-certfile", "--ssl-keyfile",
                   "--cache"):
        assert option in out
    assert max(map(len, out.splitlines())) <= 120


def test_settings_help_names_every_setting(server, chinook):
    status, out, _ = run("serve", "--help-settings")
    assert status == 0
    for name in server(chinook).json("/-/settings.json"):
        assert name in out


@pytest.mark.parametrize("arguments, says", [
    (["nonsense"], "nonsense"), (["serve", "--nope"], "--nope"), (["serve", "--port"], "--port"),
    (["serve", "--port", "x"], "--port"), (["serve", "--port", "70000"], "70000"), (["serve", "--port", "-1"], "-1"),
    (["serve", "--cors=yes"], "--cors"), (["serve", "--setting", "default_page_size"], "--setting"),
    (["serve", "--setting", "nope", "1"], "nope"),
    (["serve", "--setting", "default_page_size", "x"], "default_page_size"),
    (["serve", "--setting", "allow_facet", "maybe"], "allow_facet"), (["serve", "--cache", "lots"], "--cache"),
    (["serve", "--log-level", "loud"], "--log-level"), (["serve", "--static", "nocolon"], "nocolon"),
    (["serve", "--static", "a:/no/such/dir"], "/no/such/dir"),
    (["serve", "--template-dir", "/no/such/dir"], "/no/such/dir"),
    (["serve", "--config", "/no/such/file.yaml"], "/no/such/file.yaml"),
    (["serve", "--metadata", "/no/such/file.yaml"], "/no/such/file.yaml"),
    (["serve", "--ssl-certfile", "/no/such.pem", "--ssl-keyfile", "/no/such.pem", "--memory"], "/no/such.pem"),
    (["serve", "--uds", "/no/such/dir/x.sock", "--memory"], "/no/such/dir"),
    (["serve", "--host", "not a host", "--memory"], "not a host"), (["serve", "/no/such.db"], "/no/such.db"),
    (["serve", "/no/such/*.db"], "/no/such/*.db"), (["/no/such.db"], "/no/such.db")])
def test_wrong_use(arguments, says):
    if arguments[0] == "serve" and "--port" not in arguments:
        arguments = ["serve", "--port", "0", *arguments[1:]]
    status, out, err = run(*arguments)
    assert status not in (0, 1) and status < 128, (status, err)
    assert says in err and out == ""
    assert err.startswith("vitrine: ") and len(err.splitlines()) <= 4
    assert err.strip().endswith((".", '"', "'", "?")) or "\n" in err.strip() or len(err) > 15


@pytest.mark.parametrize("text, says", [
    ("title: [1, 2", "line"), ("{bad json", "line"), ("- a list", ""), ("databases: 5", "databases"),
    ("settings:\n  nope: 1\n", "nope"), ("settings:\n  default_page_size: x\n", "default_page_size")])
def test_wrong_configuration(tmp_path, text, says):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    status, _, err = run("serve", "--memory", "--config", path, "--port", "0")
    assert status not in (0, 1) and status < 128, (status, err)
    assert "wrong.yaml" in err or says in err
    assert says in err


def test_files_that_are_no_databases(chinook, tmp_path):
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "text.db").write_text("no database, and longer than a header of one hundred bytes. " * 20)
    (tmp_path / "short.db").write_bytes(b"SQLite format 3\0")
    for name in ("folder.db", "text.db", "short.db"):
        status, _, err = run("serve", chinook, tmp_path / name, "--port", "0")
        assert status not in (0, 1) and status < 128 and name in err, (name, status, err)


def test_create(server, tmp_path):
    path = tmp_path / "made.db"
    site = server(path, "--create")
    assert path.exists() and site.json("/made.json")["tables"] == []


def test_patterns_and_directories(server, chinook, tmp_path):
    (tmp_path / "metadata.json").write_text('{"title": "From the folder"}')
    (tmp_path / "static").mkdir()
    (tmp_path / "static/a.txt").write_text("a")
    site = server(tmp_path)
    assert "From the folder" in site.get("/").text and site.get("/chinook/Genre.json").status == 200
    assert site.get("/static/a.txt").text == "a"
    assert server(tmp_path / "*.db").get("/chinook/Genre.json").status == 200


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_gracefully(server, chinook, name):
    site = server(chinook)
    assert site.get("/chinook").status == 200
    site.process.send_signal(name)
    assert site.process.wait(120) == 0
    site.stopped = True
    assert not serving.SANITIZER.search(site.log())


def test_ready_line_and_nothing_else(server, chinook):
    site = server(chinook)
    site.get("/chinook/Track")
    site.stop()
    assert len(site.output) <= 2 and f"http://127.0.0.1:{site.port}" in site.output[0], site.output


def test_broken_standard_output(chinook):
    """Nobody reads what the server prints, or the disk for it is full: it serves all the same."""
    with open("/dev/full", "wb") as full:
        port = serving.free_port()
        process = subprocess.Popen([serving.PROGRAM, "serve", chinook, "--host", serving.HOST, "--port", str(port),
                                    "--access-log"], stdin=subprocess.DEVNULL, stdout=full, stderr=full)
        try:
            site = connect(process, port)
            for _ in range(20):
                assert site.get("/chinook/Track/1.json").status == 200
        finally:
            process.terminate()
            assert process.wait(120) == 0


def connect(process, port):
    """A Server over a process that somebody else started."""
    import socket
    import time
    site = serving.Server.__new__(serving.Server)
    site.process, site.port, site.uds, site.timeout, site.connection, site.output = process, port, None, 30, None, []
    for _ in range(2000):
        try:
            socket.create_connection((serving.HOST, port)).close()
            return site
        except ConnectionError:
            assert process.poll() is None
            time.sleep(0.01)
    raise AssertionError("it does not listen")


def test_json_log(server, chinook):
    import json
    site = server(chinook, "--log-format", "json", "--access-log")
    site.get("/chinook/Track/1.json?a=%22%0a")
    site.stop()
    lines = [json.loads(line) for line in site.output if line.startswith("{")]
    assert any("/chinook/Track/1.json" in json.dumps(line) for line in lines), site.output


def test_secret_files_are_private(server, chinook, tmp_path):
    """Whatever the program writes beside its databases is not for others to read."""
    before = set(os.listdir(tmp_path))
    server(chinook, cwd=tmp_path).get("/")
    for name in set(os.listdir(tmp_path)) - before:
        assert not stat.S_IMODE(os.stat(tmp_path / name).st_mode) & 0o077 or name.endswith(("-wal", "-shm"))


def test_healthcheck(server, chinook):
    site = server(chinook)
    status, _, _ = run("healthcheck", env={"PORT": str(site.port)})
    assert status == 0
    port = site.port
    site.stop()
    assert run("healthcheck", env={"PORT": str(port)})[0] != 0


def test_open_shows_the_site(server, chinook, tmp_path):
    """--open gives the address to xdg-open once the server answers."""
    told = tmp_path / "told"
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f"#!/bin/sh\nprintf '%s' \"$1\" > {told}.new && mv {told}.new {told}\n")
    opener.chmod(0o755)
    site = server(chinook, "--open", env={"PATH": f"{opener.parent}:{os.environ['PATH']}"})
    end = time.monotonic() + 60
    while not told.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert told.read_text().rstrip("/") == f"http://{serving.HOST}:{site.port}"


def test_open_without_a_browser(server, chinook, tmp_path):
    site = server(chinook, "--open", env={"PATH": str(tmp_path)})
    assert site.get("/chinook").status == 200
