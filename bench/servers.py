# SPDX-License-Identifier: Apache-2.0
"""The program and its peers as things that start, answer on a port, and stop."""
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def fetch(port, path, timeout=30.0):
    """Returns (status, headers, body)."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def wait_for(port, path, process, limit=60.0):
    """Seconds until the first byte of an answer to `path`, from now."""
    began = time.monotonic()
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode()
    while time.monotonic() - began < limit:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            with socket.create_connection((HOST, port), timeout=limit) as s:
                s.sendall(request)
                if s.recv(1):
                    return time.monotonic() - began
        except ConnectionError:
            time.sleep(0.0005)
    raise RuntimeError(f"no answer within {limit} s")


class Server:
    """A child process that answers on self.port; a context manager."""
    name = ""
    first_path = "/"

    def __init__(self, command, port, env=None, cwd=None, log=None):
        self.port = port
        self.log = open(log or os.devnull, "wb")
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, cwd=cwd, env={**os.environ, **(env or {})})

    def __enter__(self):
        wait_for(self.port, self.first_path, self.process)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def children(self):
        """Process ids: the child and its own children."""
        found, at = [self.process.pid], 0
        while at < len(found):
            path = pathlib.Path(f"/proc/{found[at]}/task/{found[at]}/children")
            found += [int(p) for p in path.read_text().split()] if path.exists() else []
            at += 1
        return found

    def memory_mb(self, field="VmRSS"):
        total = 0
        for pid in self.children():
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith(field + ":"):
                    total += int(line.split()[1])
        return total / 1024


class Vitrine(Server):
    name = "Vitrine"
    first_path = "/-/versions.json"

    def __init__(self, program, files, options=(), before=(), env=None, log=None):
        port = free_port()
        super().__init__([*before, program, "serve", *files, "--port", port, "--host", HOST, *options], port, env=env,
                         log=log)


class Datasette(Server):
    name = "Datasette"
    first_path = "/-/versions.json"

    def __init__(self, program, files, options=(), log=None):
        port = free_port()
        super().__init__([program, "serve", *files, "--port", port, "--host", HOST, *options], port, log=log)


class Nginx(Server):
    """Serves bodies from files: {"/name": (content type, bytes)}."""
    name = "nginx"

    def __init__(self, program, folder, bodies, log=None):
        port = free_port()
        folder = pathlib.Path(folder)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "files").mkdir(parents=True)
        (folder / "tmp").mkdir()
        places = []
        for name, (kind, body) in bodies.items():
            (folder / "files" / name.strip("/")).write_bytes(body)
            places.append(f'location = {name} {{ types {{}} default_type "{kind}"; }}')
        self.first_path = next(iter(bodies))
        temporary = " ".join(f"{k}_temp_path {folder}/tmp;" for k in
                             ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(f"""
            worker_processes 1; daemon off; {user} pid {folder}/pid; error_log {folder}/error.log;
            events {{ worker_connections 20000; }}
            http {{
                access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; {temporary}
                open_file_cache max=1000 inactive=60s; open_file_cache_valid 60s;
                server {{ listen {HOST}:{port}; root {folder}/files; {" ".join(places)} }}
            }}""")
        super().__init__([program, "-p", folder, "-c", folder / "nginx.conf"], port, log=log)


def find_nginx():
    return shutil.which("nginx") or ("/usr/sbin/nginx" if pathlib.Path("/usr/sbin/nginx").exists() else None)


def find_datasette(folder, version):
    """The Datasette in a virtual environment of the benchmark's own; made where it is missing. (path, None) or
    (None, why not)."""
    program = folder / "datasette/bin/datasette"
    if not program.exists():
        for command in (["python3", "-m", "venv", str(folder / "datasette")],
                        [str(folder / "datasette/bin/pip"), "install", "--quiet", f"datasette=={version}"]):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode:
                return None, done.stdout.decode(errors="replace").strip().splitlines()[-1]
    return program, None
