# SPDX-License-Identifier: Apache-2.0
"""A real hub: `vitrine hub init`, `vitrine up`, and browsers that have cookies and follow nothing by themselves."""
import html
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import serving  # noqa: E402

WAIT_SECONDS = 120
DOMAIN = "data.localhost"
SANITIZED = b"__asan_init" in serving.PROGRAM.read_bytes()
PASSWORD = "four words in a row"


def wait_for(what, seconds=WAIT_SECONDS):
    """The first true value of what(); pauses between two looks, and gives up with the last one."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            assert value, f"waited {seconds} s for {what}"
            return value
        time.sleep(0.02)


class Page:
    def __init__(self, status, headers, body, url):
        self.status, self.headers, self.body, self.url = status, headers, body, url

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def text(self):
        return self.body.decode()

    @property
    def said(self):
        """What the page says, without its tags."""
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", self.text)))

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.url} {self.header('location')} {self.said[:300]!r}>"


class Browser:
    """Sends what a browser would: cookies of the host, Origin and Sec-Fetch-Site with forms."""

    def __init__(self, hub, address="127.0.0.1"):
        self.hub, self.jar, self.address = hub, {}, address

    def connection(self, host):
        return http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=60, source_address=(self.address, 0))

    def ask(self, method, url, body=None, headers=None, origin=None):
        if url.startswith("/"):
            url = self.hub.origin + url
        parts = urllib.parse.urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": parts.netloc, "User-Agent": "Browser/1.0 (tests)"}
        cookies = self.jar.get(parts.hostname, {})
        if cookies:
            sent["Cookie"] = "; ".join(f"{k}={v}" for k, v in cookies.items())
        if method == "POST":
            sent["Origin"] = origin or f"{parts.scheme}://{parts.netloc}"
            sent["Sec-Fetch-Site"] = "same-origin" if origin is None else "cross-site"
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        sent.update(headers or {})
        connection = self.connection(parts.hostname)
        try:
            connection.request(method, target, body, {k: v for k, v in sent.items() if v is not None})
            answer = connection.getresponse()
            page = Page(answer.status, answer.getheaders(), answer.read(), url)
        finally:
            connection.close()
        for key, value in page.headers:
            if key.lower() == "set-cookie":
                name, _, rest = value.partition("=")
                cookie, _, attributes = rest.partition(";")
                mine = self.jar.setdefault(parts.hostname, {})
                if "max-age=0" in attributes.lower() or not cookie:
                    mine.pop(name, None)
                else:
                    mine[name] = cookie
        return page

    def get(self, url, **more):
        return self.ask("GET", url, **more)

    def post(self, url, form=None, **more):
        return self.ask("POST", url, form or {}, **more)

    def follow(self, page, most=10, **more):
        """As far as redirects lead."""
        while page.status in (301, 302, 303, 307, 308) and most:
            page, most = self.get(urllib.parse.urljoin(page.url, page.header("location")), **more), most - 1
        return page

    def sign_up(self, email, name="", password=PASSWORD, **more):
        return self.post("/-/sign-up", {"email": email, "name": name or email.split("@")[0], "password": password, **more})

    def sign_in(self, email, password=PASSWORD, **more):
        return self.post("/-/sign-in", {"email": email, "password": password, **more})

    def linking(self, name):
        """What the button that links this provider to the account adds to its address."""
        return re.search(rf'/-/oidc/{name}/start(\?link=[\w-]+)"', self.get("/-/account").text).group(1)

    def new_space(self, title, name=""):
        page = self.post("/-/new", {"title": title, "name": name})
        assert page.status == 303, page
        return page.header("location").rstrip("/")


class Hub:
    def __init__(self, folder, settings="", env=None, program=None, isolation=None, port=None, change=None):
        self.folder, self.port = pathlib.Path(folder) / "hub", port or serving.free_port()
        self.origin = f"http://{DOMAIN}:{self.port}"
        self.env = {**os.environ, **(env or {})}
        self.program, self.log_path, self.process = str(program or serving.PROGRAM), pathlib.Path(folder) / "hub.log", None
        made = self.run("hub", "init", "--domain", DOMAIN, "--dir", self.folder, "--listen", f"127.0.0.1:{self.port}")
        assert made.returncode == 0, made.stderr
        self.admin_link = re.search(r"http\S+/-/admin-link\?token=\S+", made.stdout).group(0)
        config = self.folder / "hub.yaml"
        if SANITIZED: # its shadow memory is larger than any limit; leaks are looked for by ptrace
            config.write_text(re.sub(r"memory_bytes: \d+", "memory_bytes: 0", config.read_text()))
            self.env["ASAN_OPTIONS"] = self.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0:disable_coredump=0"
        if isolation:
            text = (self.folder / "hub.yaml").read_text()
            (self.folder / "hub.yaml").write_text(text.replace("isolation: available", f'isolation: "{isolation}"'))
        if change:
            config.write_text(change(config.read_text()))
        if settings:
            with open(self.folder / "hub.yaml", "a") as f:
                f.write("\n" + settings + "\n")
        self.start()

    def run(self, *arguments):
        return subprocess.run([self.program, *map(str, arguments)], env=self.env, capture_output=True, text=True,
                              timeout=60)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program, "up", "--dir", str(self.folder)], env=self.env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.is_up)

    def is_up(self):
        assert self.process.poll() is None, self.log()
        try:
            return Browser(self).get("/-/health").status == 200
        except OSError:
            return False

    def log(self):
        return self.log_path.read_text(errors="replace")

    def app_log(self):
        """What the hub itself said."""
        return "".join(p.read_text(errors="replace") for p in (self.folder / "edge/logs").glob("hub*"))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0, self.log()
        logs = [self.log(), *(p.read_text(errors="replace") for p in (self.folder / "edge/logs").glob("*"))]
        for log in logs:
            assert not serving.SANITIZER.search(log), log[-20000:]

    def browser(self, address="127.0.0.1"):
        return Browser(self, address)

    def admin(self):
        """A browser of the first administrator; the link works once."""
        browser = self.browser()
        token = self.admin_link.split("token=")[1]
        page = browser.post("/-/admin-link", {"token": token, "email": "root@example.org", "name": "Root",
                                              "password": PASSWORD})
        assert page.status == 303, page
        return browser

    def space_json(self, name):
        for path in (self.folder / "spaces").glob("*/space.json"):
            value = json.loads(path.read_text())
            if value["name"] == name:
                return value
        return None


def at_once(*functions):
    """Runs them at the same moment; their results in order."""
    barrier, results = threading.Barrier(len(functions)), [None] * len(functions)

    def run(i):
        barrier.wait()
        results[i] = functions[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(functions))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results
