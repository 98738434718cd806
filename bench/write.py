# SPDX-License-Identifier: Apache-2.0
"""The write API: rows a second in batches of 100 and single rows from 64 clients, each acknowledged after its COMMIT;
the bare limit beside them is the same rows through Python's sqlite3 in one transaction a batch, and one commit a row.

  bench/write.py --program build/vitrine [--seconds 3]      (bench/run calls write_figures())
"""
import argparse
import base64
import hashlib
import hmac
import json
import pathlib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

SECRET = "bench"
BATCH = 100
CLIENTS = 64


def token():
    def b64(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    text = b64(json.dumps({"a": "root", "t": int(time.time())}, separators=(",", ":")).encode())
    key = hashlib.sha1(b"tokensigner" + SECRET.encode()).digest()
    return "dstok_" + (text + b"." + b64(hmac.new(key, text, hashlib.sha1).digest())).decode()


def make(path, mode):
    db = sqlite3.connect(path)
    db.execute(f"pragma journal_mode={mode}")
    db.execute("create table t (id integer primary key, name text, n integer, x real)")
    db.commit()
    db.close()


def row(i):
    return {"name": f"name of row {i}", "n": i, "x": i * 0.5}


def request(rows, single):
    body = json.dumps({"row": rows[0]} if single else {"rows": rows}).encode()
    return (f"POST /d/t/-/insert HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def read_answer(sock, pending):
    while b"\r\n\r\n" not in pending:
        piece = sock.recv(65536)
        if not piece:
            raise RuntimeError("the server closed the connection")
        pending += piece
    head, _, rest = pending.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
    while len(rest) < length:
        rest += sock.recv(65536)
    if not head.startswith(b"HTTP/1.1 201"):
        raise RuntimeError((head + rest)[:300])
    return rest[length:]


def load(port, clients, seconds, single):
    """One process of the load: `clients` connections, each with one request under way. Prints the answers."""
    import selectors
    data = request([row(i) for i in range(1 if single else BATCH)], single)
    selector, done, end = selectors.DefaultSelector(), 0, time.monotonic() + seconds
    for _ in range(clients):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(data)
        selector.register(sock, selectors.EVENT_READ)
    while time.monotonic() < end:
        for key, _ in selector.select(1):
            read_answer(key.fileobj, b"")
            done += 1
            key.fileobj.sendall(data)
    for key in list(selector.get_map().values()):
        read_answer(key.fileobj, b"")
        done += 1
    print(done)


def measure(port, clients, seconds, single, processes):
    began = time.monotonic()
    each = [clients // processes + (i < clients % processes) for i in range(processes)]
    command = [sys.executable, __file__, "--load", str(port)]
    children = [subprocess.Popen([*command, str(n), str(seconds), str(int(single))], stdout=subprocess.PIPE, text=True)
                for n in each if n]
    done = sum(int(child.communicate()[0]) for child in children)
    if any(child.returncode for child in children):
        raise RuntimeError("a client failed")
    return done / (time.monotonic() - began)


def server(program, path, *options):
    child = subprocess.Popen(
        [program, "serve", path, "--root", "--secret", SECRET, "--port", "0", "--internal", path.parent / "internal.db",
         *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in child.stdout:
        if "http://127.0.0.1:" in line:
            port = int(line.split("http://127.0.0.1:")[1].split()[0].strip("/").split("/")[0])
            threading.Thread(target=lambda: [None for _ in child.stdout], daemon=True).start()
            threading.Thread(target=lambda: [None for _ in child.stderr], daemon=True).start()
            return child, port
    raise RuntimeError(f"the program did not start: {child.stderr.read()}")


def bare(path, seconds, batch):
    """Rows a second of Python's sqlite3, one transaction a batch, synchronous=full."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma synchronous=full")
    rows = [tuple(row(i).values()) for i in range(batch)]
    done, end = 0, time.monotonic() + seconds
    began = time.monotonic()
    while time.monotonic() < end:
        db.execute("begin immediate")
        db.executemany("insert into t (name, n, x) values (?, ?, ?)", rows)
        db.execute("commit")
        done += batch
    db.close()
    return done / (time.monotonic() - began)


def write_figures(program, folder, seconds=3):
    """[(what, figure, unit)]"""
    figures = []
    for mode in ("delete", "wal"):
        path = pathlib.Path(folder) / mode / "d.db"
        path.parent.mkdir()
        make(path, mode)
        child, port = server(program, path)
        try:
            batches = measure(port, 8, seconds, False, 2)
            single = measure(port, CLIENTS, seconds, True, 2)
        finally:
            child.terminate()
            child.wait()
        figures += [(f"{mode}: rows/s in batches of {BATCH}, 8 clients", batches * BATCH, "rows/s"),
                    (f"{mode}: single rows, {CLIENTS} clients", single, "requests/s"),
                    (f"{mode}: bare sqlite3, batches of {BATCH}", bare(path, 1, BATCH), "rows/s"),
                    (f"{mode}: bare sqlite3, a commit a row", bare(path, 1, 1), "rows/s")]
    return figures


def main():
    if sys.argv[1:2] == ["--load"]:
        port, clients, seconds, single = sys.argv[2:6]
        load(int(port), int(clients), float(seconds), single == "1")
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--program", default="build/vitrine")
    parser.add_argument("--seconds", type=float, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        program = pathlib.Path(args.program).resolve()
        for what, figure, unit in write_figures(program, pathlib.Path(folder).resolve(), args.seconds):
            print(f"{what:<45} {figure:>10,.0f} {unit}")


if __name__ == "__main__":
    main()
