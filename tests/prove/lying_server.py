# SPDX-License-Identifier: Apache-2.0
"""A server that says what a test wants of it."""
import socket
import threading


class Liar:
    """A server that answers what `answer(request bytes, number of the request)` says; None: closes without a word."""

    def __init__(self, answer):
        self.answer, self.count, self.lock = answer, 0, threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            waiting = b""
            while True:
                try:
                    while b"\r\n\r\n" not in waiting:
                        piece = connection.recv(65536)
                        if not piece:
                            return
                        waiting += piece
                    request, waiting = waiting.split(b"\r\n\r\n", 1)
                    with self.lock:
                        self.count += 1
                        number = self.count
                    said = self.answer(request, number)
                    if said is None:
                        return
                    connection.sendall(said)
                except OSError:
                    return

    def close(self):
        self.socket.close()
