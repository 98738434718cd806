# SPDX-License-Identifier: Apache-2.0
"""Starts the real edge with apps behind it."""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import serving  # noqa: E402

APP = HERE / "app.py"
WAIT_SECONDS = 120


def alive(pid):
    """Runs, and is no zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def has_ended(pid):
    """With all its threads: the first may be a zombie while others still hold its files."""
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            if task.read_text().rsplit(")", 1)[1].split()[0] not in "ZX":
                return False
    return True


class Reply:
    def __init__(self, status, headers, body, raw_head):
        self.status, self.headers, self.body, self.raw_head = status, headers, body, raw_head

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


class Strict:
    """A client that takes nothing for granted: one connection, no retry, every byte accounted for."""

    def __init__(self, address, timeout=60):
        if isinstance(address, str):
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(timeout)
            self.s.connect(address)
        else:
            self.s = socket.create_connection(address, timeout=timeout)
        self.f = self.s.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.f.close()
        self.s.close()

    def send(self, data):
        self.s.sendall(data if isinstance(data, bytes) else data.encode())

    def request(self, path="/", method="GET", headers=(), body=None, host="test"):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    def head(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.f.readline()
            if not line:
                raise EOFError(f"ended in the head: {head!r}")
            head += line
        first, *rest = head.decode("latin-1").split("\r\n")
        assert re.fullmatch(r"HTTP/1\.1 \d{3} [^\r\n]*", first), head
        return int(first.split(" ")[1]), [tuple(line.split(": ", 1)) for line in rest if line], head

    def exactly(self, n):
        data = self.f.read(n)
        if len(data) != n:
            raise EOFError(f"{len(data)} bytes of {n}")
        return data

    def chunked(self):
        body = b""
        while True:
            line = self.f.readline()
            assert re.fullmatch(rb"[0-9a-f]+\r\n", line), line
            size = int(line, 16)
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
            if not size:
                return body

    def answer(self, to="GET"):
        status, headers, raw = self.head()
        named = {key.lower(): value for key, value in headers}
        assert len([k for k, _ in headers if k.lower() in ("content-length", "transfer-encoding")]) <= 1, headers
        if to == "HEAD" or status in (204, 304) or status < 200:
            body = b""
        elif "transfer-encoding" in named:
            assert named["transfer-encoding"] == "chunked"
            body = self.chunked()
        elif "content-length" in named:
            body = self.exactly(int(named["content-length"]))
        else:
            assert named.get("connection") == "close", headers
            body = self.f.read()
        return Reply(status, headers, body, raw)

    def get(self, path="/", **options):
        self.request(path, **options)
        return self.answer(options.get("method", "GET"))

    def closed(self):
        """The edge ended the connection, and nothing came before."""
        try:
            return self.f.read(1) == b""
        except ConnectionError:
            return True


class Manager:
    """What systemd does for a service with a socket unit."""

    def __init__(self, folder):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.path = str(folder / "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.path)
        self.text = ""
        threading.Thread(target=self._hear, daemon=True).start()

    def start(self, command):
        number = self.listening.fileno()
        env = {**os.environ, "NOTIFY_SOCKET": self.path, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}

        def before():  # the number of the process is part of the agreement
            os.dup2(number, 3, inheritable=True)
            os.environ.update(env, LISTEN_PID=str(os.getpid()))
            os.execv(command[0], command)
        return {"args": command, "preexec_fn": before, "pass_fds": (number, 3)}

    def _hear(self):
        """All the time, as systemd does: the kernel keeps ten messages, and drops what comes then."""
        with contextlib.suppress(OSError):
            while True:
                self.text += self.notify.recv(4096).decode() + "\n"

    def heard(self):
        return self.text


class Edge:
    def __init__(self, folder, *options, listen=("127.0.0.1:0",), activated=False):
        self.state, self.options, self.listen = folder / "state", options, listen
        self.output, self.process, self.ports = [], None, []
        self.manager = Manager(folder) if activated else None
        self.start()

    def start(self):
        where = [part for address in self.listen for part in ("--listen", address)]
        self.output, self.ports = [], []
        command = [str(a) for a in (serving.PROGRAM, "edge", *where, "--state", self.state, *self.options)]
        how = self.manager.start(command) if self.manager else {"args": command}
        self.process = subprocess.Popen(**how, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        wanted = 1 if self.manager else len([a for a in (*self.listen, *self.options) if re.search(r":\d+$", str(a))])
        self.wait(lambda: len(self.ports) >= wanted and "listening on" in self.log(), "no port")
        self.port = self.ports[0] if self.ports else None
        self.address = ("127.0.0.1", self.port)

    def _read(self):
        for line in iter(self.process.stdout.readline, b""):
            self.output.append(line.decode(errors="replace"))
            found = re.search(r"listening on https?://127.0.0.1:(\d+)", self.output[-1])
            if found:
                self.ports.append(int(found.group(1)))

    def log(self):
        return "".join(self.output)

    def told(self):
        """What systemd heard."""
        return self.manager.heard()

    def wait_for(self, condition, why):
        """As wait, but the process that was started may be gone."""
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < end, f"{why}\n{self.log()}"
            time.sleep(0.005)

    def try_get(self, path="/hello"):
        """The answer's text; None when there was no whole answer."""
        try:
            with self.client(timeout=60) as c:
                got = c.get(path)
                return got.text if got.status == 200 else None
        except (OSError, EOFError, AssertionError):
            return None

    def try_pid(self):
        try:
            with Strict(f"{self.state}/control.sock", timeout=60) as c:
                return json.loads(c.get("/status").text)["pid"]
        except (OSError, EOFError):
            return None

    def supervisors(self):
        """Processes with this edge's command line that are not the one that serves."""
        found = []
        for line in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(self.state).encode() in line.read_bytes().split(b"\0") and b"edge" in line.read_bytes():
                    found.append(int(line.parent.name))
        serving_pid = self.try_pid()
        return [pid for pid in found if pid != serving_pid and alive(pid)]

    def wait(self, condition, why):
        end = time.monotonic() + WAIT_SECONDS
        while not (found := condition()):
            if time.monotonic() > end or self.process.poll() is not None:
                self.process.kill()
                raise AssertionError(f"{why}\n{self.log()}")
            time.sleep(0.005)
        return found

    def run(self, *arguments, code=0):
        """One of the verbs; returns (standard output, standard error)."""
        got, out, err = serving.run(*arguments, "--state", self.state, timeout=60)
        assert got == code, (arguments, got, out, err, self.log())
        return out, err

    def deploy(self, name="web", tag="v1", mode=(), where="{port}", code=0, options=("--health", "/up")):
        command = " ".join([sys.executable, str(APP), where, tag, *map(str, mode)])
        return self.run("deploy", name, "--run", command, *options, code=code)

    def control(self, path):
        """What the control socket says, as the verbs ask it: tests that wait ask often, and a process each time would be
        most of what the machine does. It may be upgraded or started again meanwhile."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                with Strict(f"{self.state}/control.sock") as c:
                    return json.loads(c.get(path).text)
            except (OSError, EOFError, ValueError) as error:
                assert self.process.poll() is None and time.monotonic() < end, (path, error, self.log())
            time.sleep(0.01)

    def status(self, name=None):
        found = self.control("/status")
        if name:
            found = next((app for app in found["apps"] if app["name"] == name), None)
            assert found, f"there is no app {name}"
        return found

    def client(self, **options):
        return Strict(self.address, **options)

    def get(self, path="/", **options):
        with self.client() as c:
            return c.get(path, **options)

    @property
    def pid(self):
        """The process that serves; self.process is its supervisor."""
        return self.status()["pid"]

    def kill(self):
        """A power cut, but for the apps."""
        edge = self.pid
        self.process.send_signal(signal.SIGSTOP)  # or it would start another one
        os.kill(edge, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.wait_for(lambda: has_ended(edge), "it was killed, and does not end")  # until then the folder is locked

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"still there after SIGTERM\n{self.log()}") from None
        self.reader.join(5)
        assert not serving.SANITIZER.search(self.log()), self.log()
        assert self.process.returncode == 0, (self.process.returncode, self.log())
