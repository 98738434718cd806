# SPDX-License-Identifier: Apache-2.0
"""Starts the real program, asks it, and stops it. Stopping checks that it ended well: exit status 0 soon after SIGTERM, and
no sanitizer had anything to say."""
import atexit
import base64
import contextlib
import http.client
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.parse

TOP = pathlib.Path(__file__).resolve().parent.parent
# The state of the sites that tests start (secrets, internal databases) stays out of the user's own.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="vitrine-state-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)
for name in ("VITRINE_STATE", "VITRINE_INTERNAL", "STATE_DIRECTORY"):
    os.environ.pop(name, None)
DATA = TOP / "tests/data"
PROGRAM = pathlib.Path(os.environ.get("VITRINE") or os.environ.get("VITRINE_BIN") or TOP / "build/vitrine").resolve()
HOST = "127.0.0.1"
READY_SECONDS = 120
# A busy machine makes the milliseconds that pages of the web may take for SQL pass with nothing done. Tests of these limits
# set them.
PATIENCE = {"DATASETTE_SQL_TIME_LIMIT_MS": "10000", "DATASETTE_FACET_TIME_LIMIT_MS": "10000",
            "DATASETTE_FACET_SUGGEST_TIME_LIMIT_MS": "10000"}
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|SUMMARY: \w+Sanitizer|assertion",
                       re.IGNORECASE)


def free_port():
    """Below those that the kernel gives to whoever asks for any: until it is used nobody else takes it."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind((HOST, port))
            return port


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


# ASan keeps what was freed for a while (256 MiB): where growth is measured, it must not.
GROWTH_ENV = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=16"}


def wrapped(env):
    """With VITRINE_WRAP=1 every server runs in `vitrine sandbox`, so that any test shows what it does there. It keeps
    the network, through which it is asked, and may write where tests write."""
    if not os.environ.get("VITRINE_WRAP"):
        return []
    own = re.compile(r"VITRINE_|DATASETTE_|XDG_|UBSAN_|SSL_|PORT$|HOST$")
    names = {n for n in (*os.environ, *PATIENCE, *(env or {})) if own.match(n)} | set(env or {})
    return [PROGRAM, "sandbox", "--require", "namespaces,landlock,seccomp", "--network", "--read", TOP,
            "--write", tempfile.gettempdir(), "--memory", "0", *(a for n in sorted(names) for a in ("--env", n)), "--"]


class Server:
    def __init__(self, *arguments, env=None, cwd=None, uds=None, port=0, timeout=READY_SECONDS, before=(), stderr=None,
                 sanitizer_checked=True, patient=True, **popen):
        self.uds, self.timeout, self.sanitizer_checked = uds, timeout, sanitizer_checked
        where = ["--uds", uds] if uds else ["--host", HOST] + ([] if port is None else ["--port", port])
        self.command = [str(a) for a in (*before, *wrapped(env), PROGRAM, "serve", *arguments, *where)]
        self.output, self.ready = [], threading.Event()
        self.port, self.connection, self.stopped = None, None, False
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=stderr or subprocess.PIPE, cwd=cwd,
                                        env={**os.environ, **(PATIENCE if patient else {}), **(env or {})},
                                        **popen)
        self.readers = [threading.Thread(target=self._read, args=(pipe,), daemon=True)
                        for pipe in (self.process.stdout, self.process.stderr) if pipe]
        for reader in self.readers:
            reader.start()

    def _read(self, pipe):
        for line in iter(pipe.readline, b""):
            line = line.decode(errors="replace")
            self.output.append(line)
            found = re.search(r"https?://[\w.\[\]:]+?:(\d+)", line)
            if found and not self.port:
                self.port = int(found.group(1))
            if found or (self.uds and self.uds in line):
                self.ready.set()
        if pipe is self.process.stdout:
            self.ready.set()

    def wait(self):
        """Returns self once the program has said where it listens."""
        if not self.ready.wait(READY_SECONDS) or (not self.port and not self.uds) or self.process.poll() is not None:
            self.kill()
            raise AssertionError(f"not ready: {' '.join(self.command)}\n{self.log()}")
        return self

    def log(self):
        return "".join(self.output)

    def logs(self, text):
        """Waits until the text is in the log: it is read by a thread of its own."""
        end = time.monotonic() + READY_SECONDS
        while text not in self.log() and time.monotonic() < end:
            time.sleep(0.01)
        return text in self.log()

    def said(self, pattern):
        """The first match in what the program says, waited for as by logs()."""
        end = time.monotonic() + READY_SECONDS
        while not (found := re.search(pattern, self.log())) and time.monotonic() < end:
            time.sleep(0.01)
        assert found, (pattern, self.log())
        return found

    def connect(self):
        return UnixConnection(self.uds, self.timeout) if self.uds else http.client.HTTPConnection(
            HOST, self.port, timeout=self.timeout)

    def ask(self, method, path, headers=None, body=None):
        """One request on a kept connection; opened anew where the server closed it."""
        for attempt in (1, 2):
            fresh = self.connection is None
            if fresh:
                self.connection = self.connect()
            try:
                self.connection.request(method, path, body=body, headers=headers or {})
                answer = self.connection.getresponse()
                content = answer.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                self.hang_up()
                if fresh or attempt == 2:
                    raise AssertionError(f"{method} {path}: no answer\n{self.log()}") from None
                continue
            except (socket.timeout, http.client.HTTPException):
                self.hang_up()
                raise
            if answer.will_close:
                self.hang_up()
            return Answer(answer.status, answer.getheaders(), content)

    def hang_up(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def get(self, path, headers=None, **query):
        if query:
            path += ("&" if "?" in path else "?") + urllib.parse.urlencode(query)
        return self.ask("GET", path, headers)

    def json(self, path, **query):
        """The JSON of an answer that must be 200."""
        answer = self.get(path, **query)
        assert answer.status == 200, (path, answer)
        return answer.json()

    def sql(self, database, sql, status=200, **parameters):
        answer = self.get(f"/{tilde(database)}/-/query.json", sql=sql, **parameters)
        assert answer.status == status, (sql, answer)
        return answer.json()

    def raw(self, data, timeout=60):
        """Sends bytes, returns all bytes until the server closes."""
        with socket.create_connection((HOST, self.port), timeout=timeout) as s:
            s.sendall(data)
            got = b""
            with contextlib.suppress(ConnectionError):
                while chunk := s.recv(65536):
                    got += chunk
            return got

    def alive(self):
        """The process lives and answers."""
        assert self.process.poll() is None, f"ended with {self.process.returncode}\n{self.log()}"
        assert self.get("/-/versions.json").status == 200

    def memory_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def kill(self):
        self.hang_up()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.stopped = True

    def stop(self):
        if self.stopped:
            return
        self.hang_up()
        ended_early = self.process.poll() is not None
        if not ended_early:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still there after SIGTERM\n{self.log()}") from None
        self.stopped = True
        for reader in self.readers:
            reader.join(20)
        log = self.log()
        assert not ended_early, f"ended by itself with {self.process.returncode}\n{log}"
        assert self.process.returncode == 0, f"exit status {self.process.returncode}\n{log}"
        if self.sanitizer_checked:
            assert not SANITIZER.search(log), log


def run(*arguments, env=None, timeout=READY_SECONDS, **options):
    """Runs the program to its end: (exit status, standard output, standard error)."""
    done = subprocess.run([str(a) for a in (PROGRAM, *arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, timeout=timeout, **options)
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    assert not SANITIZER.search(out + err), out + err
    return done.returncode, out, err


def tilde(text):
    """Datasette's encoding of names in paths."""
    safe = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    data = text.encode() if isinstance(text, str) else text
    return "".join(chr(b) if b in safe else "+" if b == 0x20 else f"~{b:02X}" for b in data)


def as_json(value):
    """How a value of Python's sqlite3 stands in JSON."""
    if isinstance(value, bytes):
        return {"$base64": True, "encoded": base64.b64encode(value).decode()}
    if isinstance(value, float) and (math.isinf(value) or math.isnan(value)):
        return None
    return value


def same(got, wanted, computed=False):
    """Equal, also in type: 1 is not 1.0 and not "1". A computed number may differ in its last digits: SQLite adds up
    with more care since 3.43 than the one that Python has here."""
    if computed and isinstance(got, float) and isinstance(wanted, float):
        return math.isclose(got, wanted, rel_tol=1e-14)
    return type(got) is type(wanted) and got == wanted


def quote(name):
    return '"' + name.replace('"', '""') + '"'


class Database:
    """What Python's sqlite3 says about a file, to compare with."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.name = self.path.stem
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def rows(self, sql, *parameters):
        return self.db.execute(sql, parameters).fetchall()

    def names(self, kind):
        return [r[0] for r in self.rows("select name from sqlite_master where type = ? order by name", kind)
                if not r[0].startswith("sqlite_")]

    def columns(self, table):
        return [r[1] for r in self.rows(f"pragma table_info({quote(table)})")]

    def keys(self, table):
        info = [(r[5], r[1]) for r in self.rows(f"pragma table_info({quote(table)})") if r[5]]
        return [name for _, name in sorted(info)]

    def order(self, table):
        """The order of a table page without a sort."""
        return ", ".join(quote(c) for c in self.keys(table)) or "rowid"

    def dicts(self, table, where="", order=None, parameters=()):
        """Rows as the JSON of the table has them, in the order of its pages."""
        columns = self.columns(table)
        cells = ", ".join(quote(c) for c in columns)
        if table in self.names("table"):
            order = order or self.order(table)
        tail = (f" where {where}" if where else "") + (f" order by {order}" if order else "")
        return [dict(zip(columns, map(as_json, row)))
                for row in self.db.execute(f"select {cells} from {quote(table)}{tail}", parameters)]

    def close(self):
        self.db.close()


def make(path, script, wal=False):
    """A new database from SQL; returns its path."""
    db = sqlite3.connect(path)
    if wal:
        db.execute("pragma journal_mode = wal")
    db.executescript(script)
    db.commit()
    db.close()
    return path
