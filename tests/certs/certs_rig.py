# SPDX-License-Identifier: Apache-2.0
"""A certificate authority (pebble), the DNS it asks (pebble-challtestsrv, or a real BIND), and edges that use them."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "edge")]
import serving  # noqa: E402
from edge_rig import WAIT_SECONDS, Edge, Strict  # noqa: E402

NEEDED = ("pebble", "pebble-challtestsrv", "openssl")


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def free_ports(count):
    ports = set()
    while len(ports) < count:
        ports.add(serving.free_port())
    return list(ports)


def wait_until(condition, why, seconds=WAIT_SECONDS):
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < end, why() if callable(why) else why
        time.sleep(0.01)


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Running:
    """A program that is stopped at the end."""

    def __init__(self, stack, *command, env=None, log=None):
        self.file = open(log, "ab")
        self.log_path = pathlib.Path(log)
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=self.file,
                                        stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        stack.callback(self.stop)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.file.close()

    def log(self):
        return self.log_path.read_text(errors="replace")


def make_pair(folder, name, san):
    """A certificate that signs itself, and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName={san}", "-keyout", key,
                    "-out", cert], check=True, capture_output=True)
    return cert, key


class Dns:
    """Answers every A with 127.0.0.1; what else there is is set over HTTP."""

    def __init__(self, stack, folder):
        self.port, self.management = free_ports(2)
        self.program = Running(stack, program("pebble-challtestsrv"), "-dns01", f"127.0.0.1:{self.port}", "-management",
                               f"127.0.0.1:{self.management}", "-http01", "", "-https01", "", "-tlsalpn01", "",
                               "-defaultIPv6", "", log=folder / "dns.log")
        wait_until(lambda: listens(self.management), self.program.log)

    def set(self, what, **values):
        request = urllib.request.Request(f"http://127.0.0.1:{self.management}/{what}", json.dumps(values).encode())
        urllib.request.urlopen(request, timeout=WAIT_SECONDS).close()


class Authority:
    """pebble; http_port and tls_port are where it looks for the names it is asked about."""

    def __init__(self, stack, folder, dns_port, http_port, tls_port, env=None, eab=None, validity=None):
        self.folder = folder
        self.ca, key = make_pair(folder, "authority", "DNS:localhost,IP:127.0.0.1")
        self.config = {"certificate": str(self.ca), "privateKey": str(key), "httpPort": http_port, "tlsPort": tls_port,
                       "ocspResponderURL": ""}
        if eab:
            self.config |= {"externalAccountBindingRequired": True, "externalAccountMACKeys": eab}
        if validity:
            self.config["certificateValidityPeriod"] = validity
        self.command = [program("pebble"), "-config", folder / "authority.json", "-strict", "-dnsserver",
                        f"127.0.0.1:{dns_port}"]
        # By itself it refuses one good nonce of twenty: what is then sent again would count as another order.
        self.env = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": "0", **(env or {})}
        self.stack, self.log_path, self.port = stack, folder / "authority.log", None
        self.start()

    def start(self):
        """Again: at the same address, with another root and no memory."""
        for _ in range(5):  # somebody else may take the ports before it does
            if not self.port:
                self.port, self.management = free_ports(2)
            self.config |= {"listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.management}"}
            (self.folder / "authority.json").write_text(json.dumps({"pebble": self.config}))
            self.program = Running(self.stack, *self.command, env=self.env, log=self.log_path)
            wait_until(lambda: self.program.process.poll() is not None or (listens(self.management) and listens(self.port)),
                       self.program.log)
            if self.program.process.poll() is None:
                break
            self.port = None
        context = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(f"https://127.0.0.1:{self.management}/roots/0", context=context, timeout=WAIT_SECONDS) as r:
            (self.folder / "root.pem").write_bytes(r.read())

    @property
    def directory(self):
        return f"https://127.0.0.1:{self.port}/dir"

    @property
    def root(self):
        return self.folder / "root.pem"

    def asked(self, text):
        return self.program.log().count(text)


class CertEdge(Edge):
    """An edge that gets its certificates from `directory`."""

    def __init__(self, folder, directory, ca, authority, http_port, tls_port, *options):
        self.authority, self.tls_port, self.http_port = authority, tls_port, http_port
        acme = ("--acme", "admin@example.org", "--acme-agree", "--acme-directory", directory, "--acme-ca", ca)
        super().__init__(folder, "--listen-tls", f"127.0.0.1:{tls_port}", *acme, *options,
                         listen=(f"127.0.0.1:{http_port}",))

    def handshake(self, host, alpn=("http/1.1",), timeout=WAIT_SECONDS, session=None, context=None):
        """A TLS connection whose certificate is checked for `host` against the authority's root."""
        if context is None:
            context = ssl.create_default_context(cafile=str(self.root()))
            context.set_alpn_protocols(list(alpn))
        raw = socket.create_connection(("127.0.0.1", self.tls_port), timeout=timeout)
        try:
            return context.wrap_socket(raw, server_hostname=host, session=session)
        except BaseException:
            raw.close()
            raise

    def root(self):
        return self.authority.root

    def try_run(self, *arguments):
        """As run, for what fails."""
        code, out, err = serving.run(*arguments, "--state", self.state, timeout=60)
        assert code, out
        return out, err

    def orders(self):
        """How many certificates were ordered so far."""
        return self.authority.asked("POST /order-plz")

    def get_plain(self, host, path="/"):
        with Strict(("127.0.0.1", self.http_port)) as c:
            return c.get(path, host=host)

    def metrics(self):
        with Strict(f"{self.state}/control.sock") as c:
            return c.get("/metrics").text

    def serial(self, host):
        with self.handshake(host) as s:
            return s.getpeercert()["serialNumber"]

    def get(self, host, path="/", s=None):
        own = s or self.handshake(host)
        own.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            more = own.recv(4096)
            assert more, data
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        while len(body) < length:
            body += own.recv(4096)
        if s is None:
            own.close()
        return int(head.split(b" ")[1]), head.decode(), body

    def certs(self):
        return self.control("/certs")["certificates"]

    def cert(self, name):
        return next((c for c in self.certs() if c.get("name") == name), None)

    def wait_cert(self, name, state="valid"):
        def there():
            cert = self.cert(name)
            return cert if cert and cert["state"] == state else None
        return wait_until(there, lambda: f"{name} is not {state}\n{self.certs()}\n{self.log()}")


class World:
    """An authority, the DNS that it asks, and edges where it looks for names."""

    def __init__(self, stack, folder, **options):
        self.stack, self.folder, self.count = stack, folder, 0
        self.http_port, self.tls_port = free_ports(2)
        self.dns = Dns(stack, folder)
        self.ca = Authority(stack, folder, self.dns.port, self.http_port, self.tls_port, **options)

    def edge(self, *options, directory=None, ca=None):
        self.count += 1
        folder = self.folder / f"edge{self.count}"
        folder.mkdir()
        edge = CertEdge(folder, directory or self.ca.directory, ca or self.ca.ca, self.ca,
                        self.http_port, self.tls_port, "--grace", "2", *options)
        self.stack.callback(edge.stop)
        return edge
