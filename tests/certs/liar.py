# SPDX-License-Identifier: Apache-2.0
"""An authority in front of the real one, which passes on what it is asked and answered, but for what a test changes."""
import http.client
import http.server
import json
import ssl
import threading
import time


class Liar:
    """lie(path, status, headers, body) -> None for the truth, (status, headers, body), or a number of seconds to say
    nothing for."""

    def __init__(self, stack, authority):
        self.authority, self.lie, self.asked = authority, lambda *_: None, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                context = ssl.create_default_context(cafile=str(authority.ca))
                real = http.client.HTTPSConnection("127.0.0.1", authority.port, context=context, timeout=120)
                kept = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "content-length")}
                real.request(self.command, self.path, body, kept)
                got = real.getresponse()
                data = got.read()
                real.close()
                headers = [(k, v) for k, v in got.getheaders() if k.lower() not in ("connection", "content-length", "date",
                                                                              "transfer-encoding")]
                outer.asked.append((self.command, self.path, body))
                lie = outer.lie(self.path, got.status, headers, data)
                if isinstance(lie, (int, float)):
                    time.sleep(lie)
                    self.close_connection = True
                    return
                status, headers, data = lie or (got.status, headers, data)
                self.send_response(status)
                for key, value in headers:
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_POST = do_HEAD = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # clients that leave
                pass
        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.ca, authority.folder / "authority.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        stack.callback(self.server.server_close)
        stack.callback(self.server.shutdown)
        self.directory = f"https://127.0.0.1:{self.server.server_port}/dir"

    def json(self, at, change):
        """Lies about JSON answers of addresses that begin so: change(the object)."""
        def lie(path, status, headers, body):
            if not path.startswith(at) or status >= 300:
                return None
            value = json.loads(body)
            change(value)
            return status, headers, json.dumps(value).encode()
        self.lie = lie

    def header(self, at, name, text):
        def lie(path, status, headers, body):
            if not path.startswith(at):
                return None
            return status, [(k, v) for k, v in headers if k.lower() != name] + ([(name, text)] if text else []), body
        self.lie = lie

    def instead(self, at, status, body, *headers):
        self.lie = lambda path, *_: (status, list(headers), body) if path.startswith(at) else None
