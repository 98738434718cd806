# SPDX-License-Identifier: Apache-2.0
"""A small app for the tests of the edge, on bare sockets so that it can also do what no good app does.

  app.py PORT_OR_SOCKET TAG [unhealthy|late SECONDS|deaf]

Every answer of "/" is "TAG PID"; the paths below are what it does otherwise."""
import hashlib
import os
import signal
import socket
import sys
import threading
import time

TAG = sys.argv[2]
MODE = sys.argv[3] if len(sys.argv) > 3 else ""
BEGAN = time.monotonic()
counts, lock = {}, threading.Lock()


def answer(body, status="200 OK", extra=""):
    body = body if isinstance(body, bytes) else body.encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def read_head(f):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = f.readline()
        if not line:
            return None
        head += line
    return head


def read_body(f, head):
    low = head.lower()
    if b"\r\ntransfer-encoding: chunked\r\n" in low:
        body = b""
        while size := int(f.readline().split(b";")[0], 16):
            body += f.read(size)
            f.readline()
        f.readline()
        return body
    for line in low.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            want = int(line.split(b":")[1])
            body = f.read(want)
            return body if len(body) == want else None
    return b""


def health():
    if MODE == "unhealthy":
        return answer("still thinking", "503 Service Unavailable")
    if MODE == "late" and time.monotonic() - BEGAN < float(sys.argv[4]):
        return answer("not yet", "503 Service Unavailable")
    if MODE == "flapping":
        flag = os.path.exists(sys.argv[4])
        return answer("ill" if flag else "ok", "500 Internal Server Error" if flag else "200 OK")
    return answer("ok")


def chunks(s, parts):
    for part in parts:
        s.sendall(b"%x;x=y\r\n%s\r\n" % (len(part), part))
        time.sleep(0.01)
    s.sendall(b"0\r\nTrailer-Field: 1\r\n\r\n")


def tunnel(s, f, head):
    name = b"Upgrade" if b"pgrade: websocket" in head else b"upgrade"
    s.sendall(b"HTTP/1.1 101 Switching Protocols\r\n%s: websocket\r\nConnection: Upgrade\r\n\r\nhello " % name)
    while data := f.read1(65536):
        s.sendall(data.upper())


def lie(s, path):
    """Answers that are wrong; the connection ends after them."""
    lies = {
        "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "/cut-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "/empty": b"",
        "/cut-head": b"HTTP/1.1 200 OK\r\nContent-Le",
        "/no-http": b"SSH-2.0-OpenSSH_9.2\r\n",
        "/split": b"HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
        "/both": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "/two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "/bad-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        "/huge-head": b"HTTP/1.1 200 OK\r\n" + b"X-Pad: " + b"a" * 200000 + b"\r\n\r\n",
        "/unasked-101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "/odd-coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    }
    s.sendall(lies[path])


def serve(s):
    f = s.makefile("rb")
    while head := read_head(f):
        method, target = head.split(b" ")[:2]
        path, _, query = target.decode().partition("?")
        give_back = path == "/give-back" and os.path.exists(os.environ.get("GIVE_BACK", "/none"))
        if give_back:
            body = f.read(100000)  # a part of it
        else:
            body = read_body(f, head)
        if body is None:
            return
        if query.startswith("id="):
            with lock:
                counts[query[3:]] = counts.get(query[3:], 0) + 1
        if path == "/up":
            s.sendall(health())
        elif path == "/headers":
            s.sendall(answer(head))
        elif give_back:
            s.sendall(b"HTTP/1.1 379 Partial POST Replay\r\nContent-Length: 4\r\n\r\nsome")
            return
        elif path in ("/echo", "/give-back"):
            if "EXECUTED" in os.environ:
                with open(os.environ["EXECUTED"], "a") as executed:
                    executed.write(f"{query} {len(body)} {hashlib.sha256(body).hexdigest()}\n")
            s.sendall(answer(f"{len(body)} {hashlib.sha256(body).hexdigest()}"))
        elif path == "/chunked":
            s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunks(s, [b"one ", b"two ", b"x" * 70000])
        elif path == "/until-close":
            s.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 100000)
            return
        elif path == "/old":
            s.sendall(b"HTTP/1.0 200 OK\r\n\r\nold")
            return
        elif path == "/more":
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        elif path == "/nothing":
            s.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        elif path == "/not-modified":
            s.sendall(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"a\"\r\n\r\n")
        elif path == "/hints":
            s.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + answer("hinted"))
        elif path == "/big":
            s.sendall(answer(b"z" * int(query)))
        elif path == "/slow":
            time.sleep(int(query) / 1000)
            s.sendall(answer(f"{TAG} slow"))
        elif path == "/until":
            while not os.path.exists(query):
                time.sleep(0.01)
            s.sendall(answer(f"{TAG} slow"))
        elif path == "/never":
            time.sleep(3600)
        elif path == "/events":
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
            time.sleep(0.2)
            s.sendall(b"data: 2\n\n")
            return
        elif path == "/quiet-events":
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            time.sleep(3600)
        elif path == "/ws":
            tunnel(s, f, head)
            return
        elif path == "/early":
            s.sendall(answer("too much", "413 Content Too Large", "Connection: close\r\n"))
            return
        elif path == "/counts":
            with lock:
                s.sendall(answer("\n".join(f"{k} {v}" for k, v in counts.items())))
        elif path == "/say":
            for _ in range(int(query) // 1000):
                print("x" * 999)
            print("said", flush=True)
            s.sendall(answer("ok"))
        elif path == "/endless-head":
            s.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                s.sendall(b"X-Pad: " + b"a" * 65536 + b"\r\n")
        elif path == "/endless-reason":
            s.sendall(b"HTTP/1.1 200 ")
            while True:
                s.sendall(b"a" * 65536)
        elif path == "/endless-interim":
            while True:
                s.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000)
        elif path == "/head":  # of so many bytes
            extra = "X-Pad: \r\n"
            extra = f"X-Pad: {'a' * (int(query) - len(answer('', extra=extra)))}\r\n"
            s.sendall(answer("", extra=extra))
        elif path == "/exit":
            os.kill(os.getpid(), signal.SIGKILL)
        elif path == "/":
            s.sendall(answer(f"{TAG} {os.getpid()}", extra="X-App: yes\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n"
                                                              "Connection: x-hop\r\n"))
        elif path == "/hello":
            s.sendall(answer("hello"))
        else:
            lie(s, path)
            return


def client(s):
    try:
        with s:
            serve(s)
    except (ConnectionError, ValueError, KeyError):
        pass


def main():
    where = sys.argv[1]
    if MODE == "dies":
        print("no database here", flush=True)
        sys.exit(3)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if MODE == "deaf" else lambda *_: os._exit(0))
    listening = socket.socket(socket.AF_UNIX if "/" in where else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(where if "/" in where else ("127.0.0.1", int(where)))
    listening.listen(1024)
    print(f"{TAG} listens on {where}", flush=True)
    while True:
        s, _ = listening.accept()
        threading.Thread(target=client, args=(s,), daemon=True).start()


main()
