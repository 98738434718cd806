# SPDX-License-Identifier: Apache-2.0
"""A hub beside a real edge whose process a test kills at named points, and what must be true whenever it is back."""
import email
import email.policy
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess

from hub_rig import DOMAIN, PASSWORD, SANITIZED, Browser, wait_for

import serving

WAIT = 120
RANKS = {"viewer": 1, "editor": 2, "owner": 3}


def points():
    """Names of all fault points of the program; none where it was built without."""
    if b"VITRINE_FAULT" not in serving.PROGRAM.read_bytes():
        return []
    listed = subprocess.run([serving.PROGRAM, "version"], env={**os.environ, "VITRINE_FAULT": "list"}, capture_output=True,
                            text=True, timeout=WAIT)
    return [line for line in listed.stdout.split("\n") if re.fullmatch(r"[\w-]+(\.[\w-]+)+", line)]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=WAIT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Near(Browser):
    """Asks the hub itself, and spaces through the edge."""

    def connection(self, host):
        return UnixConnection(self.hub.socket) if host == DOMAIN else super().connection(host)

    def ask(self, method, url, body=None, headers=None, origin=None):
        return super().ask(method, url, body, {"X-Forwarded-For": self.address, **(headers or {})}, origin)


class Tough:
    def __init__(self, folder, settings="", limits=None, change=lambda text: text):
        base = pathlib.Path(folder)
        self.folder, self.port, self.socket = base / "hub", serving.free_port(), base / "hub.sock"
        self.mails, self.plan, self.log_path = base / "mails", base / "plan", base / "hub.log"
        self.origin, self.people = f"http://{DOMAIN}:{self.port}", 0
        self.env = {**os.environ, "VITRINE_FAULT": f"@{self.plan}", **(limits or {})}
        self.mails.mkdir()
        made = self.run("hub", "init", "--domain", DOMAIN, "--dir", self.folder, "--listen", f"127.0.0.1:{self.port}")
        assert made.returncode == 0, made.stderr
        self.admin_link = re.search(r"token=(\S+)", made.stdout).group(1)
        config = self.folder / "hub.yaml"
        text = config.read_text() + f'\nmail: {{url: "file:{self.mails}", from: "Data <data@example.org>"}}\n{settings}\n'
        if SANITIZED:  # as in hub_rig
            text = re.sub(r"memory_bytes: \d+", "memory_bytes: 0", text)
            self.env["ASAN_OPTIONS"] = self.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0:disable_coredump=0"
        config.write_text(change(text))
        self.process, self.edge = None, self.spawn("edge", "--listen", f"127.0.0.1:{self.port}", "--state",
                                                   self.folder / "edge", "--grace", "2")
        wait_for(lambda: self.edge_says("/status"), WAIT)
        self.start()

    def run(self, *arguments):
        return subprocess.run([serving.PROGRAM, *map(str, arguments)], env=self.env, capture_output=True, text=True,
                              timeout=120)

    def spawn(self, *arguments):
        with open(self.log_path, "ab") as log:
            return subprocess.Popen([serving.PROGRAM, *map(str, arguments)], env=self.env, stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log)

    def begin(self):
        self.process = self.spawn("hub", "run", "--dir", self.folder, "--uds", self.socket)

    def start(self):
        self.begin()
        wait_for(self.is_up, WAIT)

    def is_up(self):
        assert self.process.poll() is None, self.log()
        try:
            return self.browser().get("/-/health").status == 200
        except OSError:
            return False

    def again(self, between=lambda: None):
        """Killed and started; it may be killed on its way."""
        self.process.kill()
        self.process.wait(WAIT)
        between()
        self.begin()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        for process in (self.process, self.edge):
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(WAIT) == 0, self.log()
        logs = [self.log(), *(p.read_text(errors="replace") for p in (self.folder / "edge/logs").glob("*"))]
        for log in logs:
            assert not serving.SANITIZER.search(log), log[-20000:]

    def edge_says(self, path):
        connection = UnixConnection(self.folder / "edge/control.sock")
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        except OSError:
            return None
        finally:
            connection.close()

    # ---- people ----

    def browser(self, address="127.0.0.1"):
        return Near(self, address)

    def new_browser(self):
        """From an address of its own: nobody's attempts count for others."""
        self.people += 1
        return self.browser(f"192.0.2.{self.people}" if self.people < 250 else f"198.51.100.{self.people - 249}")

    def link(self, address, path):
        """The token of the newest link of that kind that was mailed there."""
        found = []
        for file in self.mails.glob("*.eml"):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            body = mail.get_body(("plain",)) if mail["to"] == address else None
            token = body and re.search(rf"{path}\?token=(\S+)", body.get_content())
            if token:
                found.append((file.stat().st_mtime_ns, token.group(1)))
        return max(found)[1] if found else None

    def person(self, address):
        """Signed up, confirmed, signed in."""
        browser = self.new_browser()
        page = browser.sign_up(address)
        assert page.status == 303, page
        token = wait_for(lambda: self.link(address, "/-/verify"), WAIT)
        page = browser.post("/-/verify", {"token": token})
        assert page.status == 303, page
        return browser

    # ---- what must be true ----

    def rows(self, sql, *args):
        db = sqlite3.connect(self.folder / "hub.db", timeout=WAIT)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def write(self, sql, *args):
        with sqlite3.connect(self.folder / "hub.db", timeout=WAIT) as db:
            db.execute(sql, args)
        db.close()

    def value(self, sql, *args):
        return self.rows(sql, *args)[0][0]

    def differences(self):
        """Where the edge, the folders and space.json are not as hub.db says; and where hub.db is not well."""
        wrong = [f"hub.db: {line}" for line, in self.rows("pragma integrity_check") if line != "ok"]
        wrong += [f"hub.db: {line}" for line in self.rows("pragma foreign_key_check")]
        wrong += [f"{name} has no owner" for name, in self.rows(
            "select name from spaces s where not exists (select 1 from members where space_id = s.id and role = 'owner')")]
        apps = {app["name"]: app for app in self.edge_says("/status")["apps"]}
        known = {}
        for space, name, state, changed, told in self.rows("select id, name, state, changed, told from spaces"):
            known[space] = state
            app = apps.get(f"s-{space}")
            if state == "making":
                wrong.append(f"{name} is half made")
            elif state == "deleted":
                wrong += [f"{name} is deleted, and at the edge"] if app else []
            else:
                hosts = [f"{name}.{DOMAIN}"] + [h for h, in self.rows(
                    "select host from domains where space_id = ? order by host", space)]
                is_at = app and app["versions"] and app["versions"][0]["spec"]["host"]
                wrong += [f"{name} is at {is_at}, not {hosts}"] if is_at != hosts or app["doing"] else []
                wrong += [f"{name} is not told"] if changed != told else []
                wrong += self.told_wrong(space)
        wrong += [f"{app} is of no space" for app in apps if app.startswith("s-") and app[2:] not in known]
        spaces = self.folder / "spaces"
        wrong += [f"the folder {f.name} is of no space" for f in spaces.iterdir() if f.name not in known] \
            if spaces.exists() else []
        return wrong

    def told_wrong(self, space):
        name, title, visibility, state = self.rows("select name, title, visibility, state from spaces where id = ?", space)[0]
        members = {}
        for user, role in self.rows(
                "select m.user_id, m.role from (select space_id, user_id, role from members union all select s.space_id,"
                " p.user_id, s.role from team_spaces s join team_people p on p.team_id = s.team_id union all select space_id,"
                " user_id, role from space_grants) m join users u on u.id = m.user_id where m.space_id = ? and"
                " u.disabled_at = 0", space):
            members[user] = max(role, members.get(user, "viewer"), key=RANKS.get)
        try:
            told = json.loads((self.folder / "spaces" / space / "space.json").read_text())
        except OSError as e:
            return [f"{name}: {e}"]
        is_said = (told["name"], told["title"], told["visibility"], told["suspended"], set(told["hosts"]),
                   {user: m["role"] for user, m in told["members"].items()})
        hosts = {h for h, in self.rows("select host from domains where space_id = ?", space)}
        wanted = (name, title, visibility, state == "suspended", hosts, members)
        return [] if is_said == wanted else [f"{name}: space.json says {is_said}, not {wanted}"]

    def well(self):
        """Waits until everything agrees."""
        try:
            wait_for(lambda: not self.differences(), WAIT)
        except AssertionError:
            raise AssertionError((self.differences(), self.log()[-6000:])) from None

    # ---- killing ----

    def kill_at(self, point, act, of_hub=True):
        """Does act(), in the course of which the process that comes to the point dies, and brings the hub back."""
        (self.plan.parent / "plan.new").write_text(f"{point}:1:kill")
        (self.plan.parent / "plan.new").rename(self.plan)
        try:
            page = act()
        except (OSError, http.client.HTTPException):
            page = None
        wait_for(lambda: not self.plan.exists(), WAIT)
        if of_hub:
            assert page is None or getattr(page, "status", 0) >= 500, f"{point}: {page} was answered"
            assert self.process.wait(WAIT) == -signal.SIGKILL, self.log()
            self.start()
        self.well()


__all__ = ["PASSWORD", "Tough", "points"]
