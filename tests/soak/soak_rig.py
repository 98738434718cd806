# SPDX-License-Identifier: Apache-2.0
"""What the soaks with many spaces share: figures as text, memory of processes, a strict client over one kept connection,
the edge's control socket, a hub whose spaces nobody counts."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.path.realpath(os.environ.setdefault("VITRINE_BIN", str(TOP / "build/vitrine")))
sys.dont_write_bytecode = True
sys.path[:0] = [str(TOP / "tests/hub"), str(TOP / "tests")]
from hub_rig import Browser, Hub  # noqa: E402

ROWS = 500
HTML = {"Accept": "text/html"}  # as a browser: sent to sign in where it must
WAIT_SECONDS = 120


def ms(seconds):
    s = sorted(seconds)
    return (f"p50 {statistics.median(s) * 1e3:.1f}, p99 {s[min(len(s) - 1, len(s) * 99 // 100)] * 1e3:.1f}, "
            f"longest {s[-1] * 1e3:.1f} ms")


def say(text):
    print(text, flush=True)


def descriptors_for_all():
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pss(*pids):
    """Bytes of memory of these processes; what they share with others is divided among them."""
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1)) * 1024
    return total


def below(*pids):
    """Their children, and those of them."""
    found, parents = [], {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parents.setdefault(int((entry / "stat").read_text().rpartition(")")[2].split()[1]), []).append(int(entry.name))
        except OSError:
            continue
    ask = list(pids)
    while ask:
        for child in parents.get(ask.pop(), ()):
            found.append(child)
            ask.append(child)
    return found


class Control(http.client.HTTPConnection):
    """The edge's control socket."""

    def __init__(self, path):
        super().__init__("edge", timeout=WAIT_SECONDS)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def call(self, method, path, body=None):
        self.request(method, path, json.dumps(body) if body is not None else None)
        got = self.getresponse()
        text = got.read()
        assert got.status < 300, (path, got.status, text)
        return json.loads(text) if text.startswith(b"{") else text

    def wait(self, job):
        after = 0
        while True:
            got = self.call("GET", f"/jobs/{job['job']}?after={after}")
            after = got["next"]
            if got["done"]:
                assert "error" not in got, got
                return


class Cut(Exception):
    """The connection ended before the answer did."""


class Client:
    """One kept connection. An answer is read to its last byte, or it is Cut."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.status, self.head, self.body = 0, b"", b""

    def close(self):
        self.s.close()

    def more(self):
        piece = self.s.recv(262144)
        if not piece:
            raise Cut
        return piece

    def ask(self, method, host, path, body=b"", fields=""):
        """Seconds to the first byte."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        began = time.perf_counter()
        self.s.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}{length}\r\n".encode() + body)
        data = self.more()
        first = time.perf_counter() - began
        while b"\r\n\r\n" not in data:
            data += self.more()
        self.head, _, data = data.partition(b"\r\n\r\n")
        self.status = int(self.head.split(b" ", 2)[1])
        if b"transfer-encoding: chunked" in self.head.lower():
            while not data.endswith(b"0\r\n\r\n"):
                data += self.more()
            whole = b""
            while data:
                size, _, data = data.partition(b"\r\n")
                whole, data = whole + data[:int(size, 16)], data[int(size, 16) + 2:]
            data = whole
        else:
            length = int(re.search(rb"^content-length: *(\d+)", self.head, re.I | re.M).group(1))
            while len(data) < length:
                data += self.more()
            assert len(data) == length, "more than was promised"
        self.body = data
        return first

    def must_get(self, host, path="/data/t", seconds=0):
        """Seconds to the first byte of a 200."""
        took = self.ask("GET", host, path)
        assert self.status == 200, (host, path, self.status, self.body[:300])
        return took

    def closes(self):
        return b"\r\nconnection: close" in self.head.lower()


def start(command):
    """The process, and the port it says it listens on."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    for line in process.stdout:
        said.append(line)
        if "http://127.0.0.1:" in line:
            port = int(line.split("http://127.0.0.1:")[1].split()[0].split("/")[0])
            threading.Thread(target=lambda: [said.append(text) for text in process.stdout], daemon=True).start()
            return process, port, said
    sys.exit("".join(said))


def make_database(path):
    """With a write-ahead log, as those that spaces make."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = wal")
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n REAL)")
    db.executemany("INSERT INTO t (name, n) VALUES (?, ?)", [(f"row {i}", i / 3) for i in range(ROWS)])
    db.commit()
    db.close()
    return path


class Spaces:
    """A hub and its spaces, made by people with their browsers; each public, with the same database put into its folder
    as an administrator would. What a space may use is not counted, and one that is not to stay awake sleeps soon."""

    SOON, LATE = 2, 86400
    EACH = 50  # of one person

    def __init__(self, folder, program=PROGRAM):
        self.folder = pathlib.Path(folder)
        self.first = make_database(self.folder / "data.db")
        self.hub = Hub(folder, program=program, change=lambda text: re.sub(
            r"sleep_seconds: \d+", f"sleep_seconds: {self.SOON}", text.replace("requests_per_minute: 6000",
                                                                             "requests_per_minute: 0")))
        self.port, self.names, self.ids, self.people = self.hub.port, [], {}, []
        self.calls, self.pages = [], []  # seconds from the call to its answer, and to the first page

    def stay_awake(self, seconds):
        """Spaces that are made from now on."""
        config = self.hub.folder / "hub.yaml"
        config.write_text(re.sub(r"sleep_seconds: \d+", f"sleep_seconds: {seconds}", config.read_text()))
        before = self.hub_pid()
        done = self.hub.run("hub", "reload", "--dir", self.hub.folder)
        assert done.returncode == 0, done
        self.until(lambda: self.hub_pid() not in (None, before), "the hub has taken up hub.yaml")

    def make(self, count):
        for n in range(len(self.names), len(self.names) + count):
            if n % self.EACH == 0:
                browser = Browser(self.hub, f"127.{10 + n // 60000}.{n // 250 % 250}.{n % 250 + 1}")
                assert browser.sign_up(f"p{n}@example.org").status == 303
                self.people.append(browser)
            browser, name = self.people[-1], f"space-{n}"
            began = time.perf_counter()
            origin = browser.new_space(f"Space {n}", name)
            self.calls.append(time.perf_counter() - began)
            page = browser.follow(browser.get(origin + "/", headers=HTML), headers=HTML)
            self.pages.append(time.perf_counter() - began)
            assert page.status == 200, page
            page = browser.post(f"/spaces/{name}", {"title": f"Space {n}", "visibility": "public"})
            assert page.status == 303, page
            self.names.append(name)
        for path in (self.hub.folder / "spaces").iterdir():
            name = json.loads((path / "space.json").read_text())["name"]
            if name not in self.ids:
                self.ids[name] = path.name
                shutil.copy(self.first, path / "data/new")
                os.chown(path / "data/new", *(2 * [os.stat(path / "data").st_uid]))
                os.rename(path / "data/new", path / "data/data.db")

    def see_data(self, names):
        """A space that runs finds a new database within a second."""
        client = Client(self.port)
        for name in names:
            def there():
                client.ask("GET", self.host(name), "/data/t")
                return client.status == 200
            self.until(there, f"{name} finds its database")
        client.close()

    def host(self, name):
        return f"{name}.{self.hub.origin.split('//')[1]}"

    def owner(self, name):
        """The browser of who made it, signed in there."""
        browser = self.people[self.names.index(name) // self.EACH]
        page = browser.follow(browser.get(f"http://{self.host(name)}/-/sign-on"))
        assert page.status == 200, page
        return browser

    # ---- the edge's view ----

    def control(self):
        return Control(self.hub.folder / "edge/control.sock")

    def status(self):
        control = self.control()
        try:
            return control.call("GET", "/status")
        finally:
            control.close()

    def app(self, name):
        control = self.control()
        try:
            return control.call("GET", f"/apps/{name}")
        finally:
            control.close()

    def edge_pid(self):
        return self.status()["pid"]

    def hub_pid(self):
        try:
            ready = [i["pid"] for i in self.app("hub")["instances"] if i["state"] == "ready"]
        except (OSError, AssertionError):
            return None
        return ready[0] if len(ready) == 1 else None

    def rests(self):
        """How many spaces are in which state."""
        found = {}
        for app in self.status()["apps"]:
            if app["name"].startswith("s-"):
                found[app["rest"]] = found.get(app["rest"], 0) + 1
        return found

    def until(self, what, text, seconds=WAIT_SECONDS):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if value := what():
                    return value
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)
        raise SystemExit(f"waited {seconds} s: {text}\n{self.hub.log()[-3000:]}")

    def errors(self):
        """Lines of the logs that nobody wants, what a sanitizer said among them."""
        found = []
        for path in (self.hub.log_path, *(self.hub.folder / "edge/logs").glob("*")):
            lines = path.read_text(errors="replace").splitlines()
            found += [line for line in lines if re.search(r" ERROR | bug:|Sanitizer|runtime error:", line)]
        return found

    def stop(self):
        """As `vitrine up` is stopped; what does not end by itself is ended, so that nothing is left on the machine."""
        process = self.hub.process
        family = below(process.pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(WAIT_SECONDS)
        finally:
            for pid in family:
                try:
                    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                    if str(self.folder).encode() in words:
                        os.kill(pid, signal.SIGKILL)
                        say(f"left over: {pid} {words[:200]!r}")
                except OSError:
                    pass
