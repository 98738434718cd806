# SPDX-License-Identifier: Apache-2.0
"""A folder that stands for another machine: commands that come over ssh run in it, with programs of its own for what a
test may not do to this machine (systemctl, apt-get, ...), and this machine's for the rest."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import serving

WAIT_SECONDS = 120

# A command of the other machine: paths lead into the folder. What comes as a script is changed likewise.
REMOTE = """#!{python}
import os, subprocess, sys
root, command = {root!r}, sys.argv[1] if len(sys.argv) > 1 else os.environ["SSH_ORIGINAL_COMMAND"]
def local(text):
    for path in ("/usr/bin/vitrine", "/usr/bin/.vitrine", "/etc/systemd/system", "/etc/os-release", "/run/systemd",
                 "/var/lib/vitrine"):
        text = text.replace(path, root + path)
    return text
with open(root + "/commands", "a") as f:
    f.write(command + "\\n")
data = sys.stdin.buffer.read()
if "sh -s" in command:
    data = local(data.decode()).encode()
env = dict(os.environ, PATH=root + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **{env!r})
sys.exit(subprocess.run(["/bin/sh", "-c", local(command)], input=data, env=env).returncode)
"""
SSH = """#!/bin/sh
# ssh [OPTIONS] -- HOST COMMAND
case " $* " in *" -O exit "*) exit 0 ;; esac
while [ "$1" != -- ]; do shift; done
if [ "$2" = nobody@down ]; then
    echo "ssh: connect to host down port 22: Connection refused" >&2
    exit 255
fi
exec {remote} "$3"
"""
# Starts what the unit says, and is there when it is ready.
SYSTEMCTL = """#!{python}
import pathlib, re, subprocess, sys, time
root = pathlib.Path({root!r})
words = [w for w in sys.argv[1:] if not w.startswith("-")]
with open(root / "systemctl", "a") as f:
    f.write(" ".join(sys.argv[1:]) + "\\n")
pid = root / "pid"
if words[0] == "is-active":
    sys.exit(0 if pid.exists() else 3)
if words[0] == "start":
    if (root / "broken").exists():
        sys.exit(1)
    yaml = root / "var/lib/vitrine/hub.yaml"
    yaml.write_text(yaml.read_text().replace(":8080", ":" + str({port})))
    command = re.search("^ExecStart=(.*)$", (root / "etc/systemd/system/vitrine-hub.service").read_text(), re.M).group(1)
    with open(root / "log", "ab") as log:
        process = subprocess.Popen(command.split(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    end = time.monotonic() + 60
    while True:
        assert process.poll() is None and time.monotonic() < end
        if "deploy hub: done" in (root / "log").read_text():
            break
        time.sleep(0.02)
    pid.write_text(str(process.pid))
"""
SMALL = {
    "id": 'cat "$ROOT/uid" 2>/dev/null || echo 0',
    "sudo": '[ "$1" = -n ] && shift; [ -e "$ROOT/sudo" ] || exit 1; rm -f "$ROOT/uid"; exec "$@"',
    "ss": 'case "$*" in *:"$(cat "$ROOT/taken" 2>/dev/null)") '
          'echo \'LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=7,fd=6))\' ;; esac',
    "ldd": 'if [ -e "$ROOT/ldd" ]; then cat "$ROOT/ldd"; else exec /usr/bin/ldd "$@"; fi',
    "ldconfig": "echo 'libcurl.so.4 (libc6,x86-64) => /lib/libcurl.so.4'",
    "apt-cache": 'grep -qx "$2" "$ROOT/packages"',
    "apt-get": 'echo "$*" >>"$ROOT/apt"; if [ -e "$ROOT/stuck" ]; then echo "E: Could not get lock" >&2; exit 100; fi; '
               '[ "$1" = update ] || rm -f "$ROOT/ldd"',
    "uname": 'case "$1" in -m) cat "$ROOT/machine" 2>/dev/null || exec /bin/uname -m ;; *) exec /bin/uname "$@" ;; esac',
    "journalctl": "echo 'address already in use'",
}


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_for(what):
    """The first true value of what(), looked for again and again."""
    end = time.monotonic() + WAIT_SECONDS
    while not (value := what()):
        assert time.monotonic() < end, f"waited {WAIT_SECONDS} s"
        time.sleep(0.02)
    return value


def ended(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class Machine:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ship-"))  # short: sockets lie deep below it
        self.root, self.port = self.folder / "machine", serving.free_port()
        for name in ("usr/bin", "etc/systemd/system", "run/systemd/system", "var/lib", "bin"):
            (self.root / name).mkdir(parents=True)
        (self.root / "etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
        sanitizers = {k: v for k, v in os.environ.items() if k in ("ASAN_OPTIONS", "UBSAN_OPTIONS")}
        sanitizers["ASAN_OPTIONS"] = sanitizers.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        words = {"python": sys.executable, "root": str(self.root), "port": self.port,
                 "env": {"ROOT": str(self.root), **sanitizers}}
        self.remote = self.program(self.folder / "remote", REMOTE.format(**words))
        self.program("systemctl", SYSTEMCTL.format(**words))
        for name, text in SMALL.items():
            self.program(name, f"#!/bin/sh\n{text}\n")
        self.ssh_folder = self.folder / "ssh"
        self.ssh_folder.mkdir()
        self.program(self.ssh_folder / "ssh", SSH.format(remote=self.remote))

    def program(self, name, text):
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def file(self, name, text=""):
        (self.root / name).write_text(text)

    def text(self, name):
        path = self.root / name
        return path.read_text() if path.exists() else ""

    def ship(self, *arguments, to="root@there", domain="data.localhost", path=None):
        words = ["--domain", domain] if domain else []
        env = {**os.environ, "PATH": f"{path or self.ssh_folder}:{os.environ['PATH']}"}
        return subprocess.run([str(a) for a in (serving.PROGRAM, "ship", *([to] if to else []), *words, *arguments)], env=env,
                              capture_output=True, text=True, timeout=120)

    def ship_json(self, *arguments, **more):
        done = self.ship(*arguments, "--json", **more)
        return done.returncode, json.loads(done.stdout)

    def status(self, path="/-/health"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": f"data.localhost:{self.port}"})
            return connection.getresponse().status
        finally:
            connection.close()

    def stop(self):
        pid = self.text("pid")
        if pid:
            os.kill(int(pid), signal.SIGTERM)
            wait_for(lambda: ended(pid))
            logs = [self.text("log"), *(p.read_text(errors="replace") for p in
                                        (self.root / "var/lib/vitrine/edge/logs").glob("*"))]
            assert not any(serving.SANITIZER.search(log) for log in logs), logs
        shutil.rmtree(self.folder, ignore_errors=True)
