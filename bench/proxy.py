#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The edge as a proxy beside nginx and HAProxy: requests a second and processor time a request.

  bench/proxy.py PROGRAM LOAD [SECONDS [ROUNDS]]

One core is the proxy's, one thread of it; the load generator and the server behind have the other. All of them keep
connections on both sides and write no access log. The server behind (load/answer.c) answers from memory with one read
and one write: with nginx and a file there, the other core was the full one, and the requests a second were those of the
load generator. How busy the proxy was stands in the results, for that reason. Processor time is the kernel's count for
the proxy's processes.
"""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import measure
import servers

SIZES = {"1 kB": 1024, "20 kB": 20480}
CONNECTIONS = 32


def pinned(core, command):
    return ["taskset", "-c", str(core), *map(str, command)] if shutil.which("taskset") else command


class Edge(servers.Server):
    name = "Vitrine"
    first_path = "/small"

    def __init__(self, program, folder, behind, core=0, before=()):
        port = servers.free_port()
        super().__init__(pinned(core, [*before, program, "edge", "--listen", f"{servers.HOST}:{port}", "--loops", "1",
                                       "--state", folder]), port)
        servers.wait_for(port, "/", self.process)
        subprocess.run([str(program), "deploy", "site", "--to", f"{servers.HOST}:{behind}", "--health", "/small",
                        "--state", str(folder), "--quiet"], check=True)


class Answer(servers.Server):
    """What stands behind them all; on the load generator's core."""
    name = "answer"
    first_path = "/small"

    def __init__(self, program, bodies):
        port = servers.free_port()
        super().__init__(pinned(1, [program, port, *(f"{path}={size}" for path, size in bodies.items())]), port)


class NginxProxy(servers.Server):
    name = "nginx"
    first_path = "/small"

    def __init__(self, program, folder, behind, core=0):
        port = servers.free_port()
        folder = pathlib.Path(folder)
        (folder / "tmp").mkdir(parents=True)
        temporary = " ".join(f"{k}_temp_path {folder}/tmp;" for k in
                             ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"""
            worker_processes 1; daemon off; {"user root;" if os.getuid() == 0 else ""} pid {folder}/pid;
            error_log {folder}/error.log;
            events {{ worker_connections 20000; }}
            http {{
                access_log off; keepalive_requests 100000000; {temporary}
                upstream behind {{ server {servers.HOST}:{behind}; keepalive 256; keepalive_requests 100000000; }}
                server {{ listen {servers.HOST}:{port};
                    location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";
                        proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
                        proxy_set_header X-Forwarded-Host $host; }} }}
            }}""")
        super().__init__(pinned(core, [program, "-p", folder, "-c", folder / "nginx.conf"]), port)


class Haproxy(servers.Server):
    name = "HAProxy"
    first_path = "/small"

    def __init__(self, program, folder, behind, core=0):
        port = servers.free_port()
        folder = pathlib.Path(folder)
        folder.mkdir()
        (folder / "haproxy.cfg").write_text(f"""
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 5s
    option forwardfor
    http-reuse always
frontend front
    bind {servers.HOST}:{port}
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    default_backend behind
backend behind
    server one {servers.HOST}:{behind}
""")
        super().__init__(pinned(core, [program, "-f", folder / "haproxy.cfg", "-db"]), port)


def cpu_s(server):
    """Of all threads, in nanoseconds' grain: the ticks of /proc/PID/stat are too coarse for a run of a second."""
    total = 0
    for pid in server.children():
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


class PinnedLoad(measure.Load):
    """As Load, on the core that the proxy does not have; with the proxy's processor time."""

    def run(self, server, path):
        command = pinned(1, [self.program, "-c", CONNECTIONS, "-d", self.seconds, "-w", 0,
                             f"{servers.HOST}:{server.port}", path])
        before = cpu_s(server)
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, check=False)
        run = measure.json.loads(done.stdout)
        run["cpu_us"] = (cpu_s(server) - before) * 1e6 / max(1, run["requests"])
        run["busy"] = run["cpu_us"] * run["rps"] / 1e6
        return run


def idle_bytes(server, first=1500, count=2000):
    """Memory of a connection that made one request and waits: what `count` of them add, each, when there are `first`
    already, so that memory which lay free is no gain."""
    request = f"GET /small HTTP/1.1\r\nHost: {servers.HOST}\r\n\r\n".encode()
    before, clients = 0, []
    try:
        for n in range(first + count):
            if n == first:
                before = server.memory_mb("RssAnon")
            clients.append(socket.create_connection((servers.HOST, server.port), timeout=30))
            clients[-1].sendall(request)
            got = b""
            while len(got.partition(b"\r\n\r\n")[2]) < SIZES["1 kB"]:
                got += clients[-1].recv(65536)
        return (server.memory_mb("RssAnon") - before) * 1048576 / count
    finally:
        for s in clients:
            s.close()


def results(program, load_program, seconds, rounds):
    """({size: {proxy: median run}}, {proxy: bytes of an idle connection}); what is not installed is left out."""
    cases, idle = {}, {}
    load = PinnedLoad(load_program, seconds)
    nginx = servers.find_nginx()
    haproxy = shutil.which("haproxy") or ("/usr/sbin/haproxy" if os.path.exists("/usr/sbin/haproxy") else None)
    if not nginx and not haproxy:
        return {}, {}
    with tempfile.TemporaryDirectory(prefix="vitrine-proxy-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        bodies = {"/small": SIZES["1 kB"], "/large": SIZES["20 kB"]}
        with Answer(load_program.with_name("answer"), bodies) as behind:
            proxies = [Edge(program, folder / "edge", behind.port)]
            if nginx:
                proxies.append(NginxProxy(nginx, folder / "nginx", behind.port))
            if haproxy:
                proxies.append(Haproxy(haproxy, folder / "haproxy", behind.port))
            try:
                for proxy in proxies:
                    servers.wait_for(proxy.port, "/small", proxy.process)
                for size, path in zip(SIZES, bodies):
                    runs = {p.name: [] for p in proxies}
                    for _ in range(rounds):
                        for p in proxies:
                            runs[p.name].append(load.run(p, path))
                    cases[size] = {name: measure.median_of(list_) for name, list_ in runs.items()}
                idle = {p.name: idle_bytes(p) for p in proxies}
            finally:
                for p in proxies:
                    p.stop()
    return cases, idle


def ratios(case):
    """(requests a second, processor time) beside the better of the peers; above 1 is better than they are."""
    ours, peers = case["Vitrine"], [run for name, run in case.items() if name != "Vitrine"]
    if any(run["errors"] for run in case.values()):
        return None, None
    return ours["rps"] / max(p["rps"] for p in peers), min(p["cpu_us"] for p in peers) / ours["cpu_us"]


def goals(cases, idle):
    for size, case in cases.items():
        rps, cpu = ratios(case)
        yield f"edge as a proxy, {size}: requests / the better of nginx and HAProxy", ">= 1", rps, (
            rps is not None and rps >= 1)
        yield f"edge as a proxy, {size}: requests a processor second / theirs", ">= 1", cpu, (
            cpu is not None and cpu >= 1)
    value = idle["Vitrine"] / idle["HAProxy"] if idle.get("HAProxy") else None
    yield "edge: memory of an idle connection / HAProxy's", "<= 1", value, value is not None and value <= 1


def section(cases, idle, number):
    lines = ["", "## As a proxy", "",
             f"One core and one thread for each proxy, {CONNECTIONS} kept connections; load generator and the server "
             "behind share the other core. In brackets: processor microseconds a request, and how busy the proxy's "
             "core was with it: where that is far from 100 %, others were the limit.", ""]
    names = list(next(iter(cases.values())))
    lines += ["| answer | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for size, case in cases.items():
        cells = [f"{number(run['rps'])} ({run['cpu_us']:.1f}, {run['busy']:.0%})" +
                 (" **errors**" if run["errors"] else "") for run in case.values()]
        lines.append(f"| {size} | " + " | ".join(cells) + " |")
    lines.append("| memory of an idle connection, bytes | " + " | ".join(f"{idle[n]:,.0f}" for n in names) + " |")
    return lines


if __name__ == "__main__":
    found, idle_ = results(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(),
                       float(sys.argv[3]) if len(sys.argv) > 3 else 2, int(sys.argv[4]) if len(sys.argv) > 4 else 3)
    for name_, case_ in found.items():
        for who, run_ in case_.items():
            print(f"{name_:6} {who:8} {run_['rps']:10,.0f}/s {run_['cpu_us']:6.1f} us, {run_['busy']:4.0%} busy, "
                  f"p99 {run_['p99_us']:.0f} errors {run_['errors']} {run_['first_error']}")
    print("idle connection, bytes", idle_)
    for goal in goals(found, idle_):
        print(goal)
