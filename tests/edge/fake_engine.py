# SPDX-License-Identifier: Apache-2.0
"""A container engine as far as the edge sees one: /containers/json and /events of the Docker Engine API, on a Unix
socket. Containers and events are what Docker 24 answers, cut to the fields that anyone reads."""
import json
import os
import socket
import threading


def container(name, labels, port=80, ip="127.0.0.1", state="running", status="Up 2 minutes", networks=None):
    return {"Id": (name * 64)[:64], "Names": ["/" + name], "Image": "app:1", "State": state, "Status": status,
            "Labels": labels, "Ports": [{"PrivatePort": port, "Type": "tcp"}],
            "HostConfig": {"NetworkMode": "bridge"},
            "NetworkSettings": {"Networks": networks or {"bridge": {"NetworkID": "n1", "IPAddress": ip}}}}


class Engine:
    def __init__(self, path):
        self.path, self.containers, self.streams, self.lists = str(path), [], [], 0
        self.lock = threading.Condition()
        self.start()

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path)
        self.listening.listen(16)
        threading.Thread(target=self._accept, args=(self.listening,), daemon=True).start()

    def _accept(self, listening):
        while True:
            try:
                s, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            data = s.recv(4096)
            if not data:
                return
            head += data
        target = head.split(b" ")[1]
        with self.lock:
            if target.startswith(b"/events"):
                s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                self.streams.append(s)
            elif target == b"/containers/json":
                body = json.dumps(self.containers).encode()
                self.lists += 1
                s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            else:
                s.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            self.lock.notify_all()

    def set(self, *containers):
        with self.lock:
            self.containers = list(containers)

    def event(self, action, name, **attributes):
        line = json.dumps({"Type": "container", "Action": action, "scope": "local", "time": 1700000000,
                           "Actor": {"ID": (name * 64)[:64], "Attributes": {"name": name, **attributes}}}) + "\n"
        data = line.encode()
        with self.lock:
            for s in self.streams:
                half = len(data) // 2  # in two chunks: an event need not come whole
                s.sendall(b"%x\r\n%s\r\n" % (half, data[:half]))
                s.sendall(b"%x\r\n%s\r\n" % (len(data) - half, data[half:]))

    def stop(self):
        self.listening.close()
        with self.lock:
            for s in self.streams:
                s.close()
            self.streams = []
