# SPDX-License-Identifier: Apache-2.0
"""The service, the image and the health check agree with the program; and what systemd says to a service is heard."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

import serving
from serving import TOP, run

UNITS = TOP / "packaging/systemd"
DOCKERFILE = (TOP / "packaging/docker/Dockerfile").read_text()
DOCKERFILE_HUB = (TOP / "packaging/docker/Dockerfile.hub").read_text()
systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")


@pytest.fixture
def units(tmp_path):
    """Copies whose program exists."""
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/vitrine", str(serving.PROGRAM))
                                          .replace("Documentation=man:vitrine(1)\n", ""))
    return tmp_path


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


@systemd
def test_systemd_takes_the_units(units):
    status, out = analyze("verify", "--man=no", "--recursive-errors=no", *units.glob("*.service"), *units.glob("*.socket"))
    assert status == 0 and "vitrine" not in out, out


@systemd
def test_the_service_is_shut_in(units):
    status, out = analyze("security", "--offline=true", "--threshold=25", units / "vitrine.service")
    assert status == 0, out[-2000:]
    # Apps of others live in this one: what they may need (a JIT, namespaces) is left to them.
    status, out = analyze("security", "--offline=true", "--threshold=35", units / "vitrine-edge.service")
    assert status == 0, out[-2000:]
    # Root, for sandboxes of others: what those take cannot be refused, all else is.
    status, out = analyze("security", "--offline=true", "--threshold=50", units / "vitrine-hub.service")
    assert status == 0, out[-2000:]


def test_the_hub_keeps_what_sandboxes_need():
    """A kernel gives no /proc to a user namespace when parts of its own are covered; a cgroup must be delegated."""
    text = (UNITS / "vitrine-hub.service").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", text, re.M))
    assert not {"ProtectKernelTunables", "ProtectKernelLogs", "ProtectProc", "ProcSubset", "ProtectControlGroups",
                "ProtectHostname", "RestrictNamespaces", "User", "DynamicUser"} & set(settings)
    assert settings["Delegate"] == "yes" and settings["Type"] == "notify" and settings["KillMode"] == "mixed"
    capabilities = set(re.findall(r"CAP_\w+", text))
    assert capabilities == {"CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_CHOWN",
                            "CAP_FOWNER", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SYS_RESOURCE"}


def options(verb):
    return set(re.findall(r"(--[a-z-]+)", run(verb, "--help")[1]))


def options_of(unit):
    return set(re.findall(r"(?<!\w)(--[a-z-]+)", (UNITS / unit).read_text().split("ExecStart=")[1].split("\n")[0]))


def test_options_in_units_and_image_exist():
    used = options_of("vitrine.service") | set(re.findall(r'"(--[a-z-]+)"', DOCKERFILE))
    assert used and used <= options("serve"), used - options("serve")
    assert options_of("vitrine-edge.service") <= options("edge"), options("edge")
    used = options_of("vitrine-hub.service") | set(re.findall(r'"(--[a-z-]+)"', DOCKERFILE_HUB.split("\nCMD ")[1]))
    assert used and used <= options("up"), used
    assert "--state" in options("list") and '["/vitrine", "list", "--state", "/var/lib/vitrine/edge"]' in DOCKERFILE_HUB


def test_the_image_of_the_hub_is_small():
    stages = DOCKERFILE_HUB.split("\nFROM ")
    assert stages[-1].startswith("scratch\n") and len(stages) == 3
    assert "HEALTHCHECK" in stages[-1] and "\nRUN " not in stages[-1] and '["up", "--dir", "/var/lib/vitrine"]' in stages[-1]
    assert "/image/bin/sh" in stages[1], "the edge starts apps with a shell"


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb")
def test_the_debian_package(tmp_path):
    """Built from this very program; installed into an empty root, and purged: data stays."""
    notice = tmp_path / "NOTICE"
    notice.write_text("what is bundled\n")
    env = {**os.environ, "DPKG_DEB_COMPRESSOR_TYPE": "none"}
    done = subprocess.run([TOP / "packaging/deb/build", serving.PROGRAM, notice, tmp_path], capture_output=True, text=True,
                          env=env)
    assert done.returncode == 0, done.stderr
    package = done.stdout.strip()
    field = lambda name: subprocess.run(["dpkg-deb", "-f", package, name], capture_output=True, text=True).stdout.strip()
    assert run("--version")[1].startswith(f"vitrine {field('Version')} ")
    assert {"libc6", "libssl3", "libcurl4"} <= set(re.findall(r"[a-z0-9.+-]+", field("Depends"))), field("Depends")
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True).stdout
    assert re.search(r"^-rwxr-xr-x root/root .* \./usr/bin/vitrine$", listed, re.M), listed
    for name in ("usr/lib/systemd/system/vitrine-hub.service", "usr/share/doc/vitrine/docs/hub.md",
                 "usr/share/man/man1/vitrine.1.gz", "usr/share/bash-completion/completions/vitrine",
                 "usr/share/doc/vitrine/NOTICE", "usr/share/doc/vitrine/copyright", "usr/share/doc/vitrine/changelog.gz"):
        assert re.search(rf"^-rw-r--r-- root/root .* \./{re.escape(name)}$", listed, re.M), (name, listed)
    assert "hub.yaml" not in listed and "conffiles" not in subprocess.run(
        ["dpkg-deb", "--ctrl-tarfile", package], capture_output=True).stdout.decode(errors="replace")
    if os.geteuid() != 0:
        pytest.skip("installing needs root")
    root = tmp_path / "root"
    (root / "var/lib/dpkg/info").mkdir(parents=True)
    (root / "var/lib/dpkg/updates").mkdir()
    (root / "var/lib/dpkg/status").write_text("")
    (root / "var/lib/dpkg/available").write_text("")

    def dpkg(*arguments):
        done = subprocess.run(["dpkg", f"--root={root}", "--force-depends", "--force-script-chrootless", *arguments],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = dpkg("-i", package)
    assert "vitrine hub init --domain" in said and "systemctl enable --now vitrine-hub" in said, said
    folder = root / "var/lib/vitrine"
    assert folder.stat().st_mode & 0o7777 == 0o700 and not list(folder.iterdir())
    assert (root / "usr/bin/vitrine").read_bytes() == serving.PROGRAM.read_bytes()
    (folder / "hub.yaml").write_text("domain: data.example.org\n")
    assert "hub init" not in dpkg("-i", package)
    assert "The data stays" in dpkg("-P", "vitrine")
    assert (folder / "hub.yaml").exists() and not (root / "usr/bin/vitrine").exists()


def test_the_image_is_small_and_unprivileged():
    stages = DOCKERFILE.split("\nFROM ")
    assert stages[-1].startswith("scratch\n") and len(stages) == 3
    assert re.search(r"^USER \d+:\d+$", stages[-1], re.M) and "HEALTHCHECK" in stages[-1]
    assert '["/vitrine", "healthcheck"]' in stages[-1] and "\nRUN " not in stages[-1]
    for name in ("LICENSE", "Makefile", "tools/setup.sh"):
        assert (TOP / name).exists()


def test_what_the_image_holds_is_enough(tmp_path):
    """The program and the libraries that ldd names, in a root of their own."""
    if os.geteuid() != 0:
        pytest.skip("needs chroot")
    listed = subprocess.run(["ldd", serving.PROGRAM], stdout=subprocess.PIPE, check=True).stdout.decode()
    if "libasan" in listed or "libclang_rt" in listed:
        pytest.skip("a sanitizer wants more")
    for library in set(re.findall(r"(/[^ ]*)", listed)):
        target = tmp_path / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    shutil.copy(serving.PROGRAM, tmp_path / "vitrine")
    tmp_path.chmod(0o755)
    done = subprocess.run(["chroot", "--userspec=65532:65532", tmp_path, "/vitrine", "--version"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0 and b"SQLite" in done.stdout, done.stdout


def test_health_check_of_an_address(server, chinook, tmp_path):
    site = server(chinook, "--setting", "base_url", "/prefix/")
    at = f"127.0.0.1:{site.port}"
    for url in (f"http://{at}/prefix/-/health", f"http://{at}/prefix/-/ready", f"{at}/prefix/"):
        assert run("healthcheck", url) == (0, "", ""), url
    status, _, err = run("healthcheck", f"http://{at}/prefix/nowhere")
    assert status == 1 and "404" in err and "/prefix/nowhere" in err
    for url, says in (("https://localhost/", "https"), ("http://:80/", "host"), ("http://a:b/", "port"),
                      (f"http://{at}/a b", "path"), ("http://a:99999/", "port"), (f"http://{at}/{'x' * 2000}", "path")):
        status, _, err = run("healthcheck", url)
        assert status not in (0, 1) and says in err, (url, status, err)
    path = tmp_path / "s.sock"
    site = server(chinook, uds=str(path))
    assert run("healthcheck", "--uds", path)[0] == 0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        status, _, err = run("healthcheck", f"127.0.0.1:{silent.getsockname()[1]}", "--timeout", "1")
        assert status == 1 and "does not answer" in err


class Manager:
    """The socket that a service manager listens on."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(20)
        self.path = str(path)

    def hears(self, wanted):
        while True:
            got = self.socket.recv(4096).decode().split("\n")
            if got[0] == wanted:
                return got

    def close(self):
        self.socket.close()


def test_systemd_is_told(server, tmp_path, chinook):
    manager = Manager(tmp_path / "notify")
    path = tmp_path / "m.json"
    path.write_text("{}")
    site = server(chinook, "--metadata", path, env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"})
    assert manager.hears("READY=1") == ["READY=1"]
    assert manager.hears("WATCHDOG=1") and manager.hears("WATCHDOG=1")
    site.process.send_signal(signal.SIGHUP)
    assert manager.hears("RELOADING=1")[1].startswith("MONOTONIC_USEC=") and manager.hears("READY=1")
    path.write_text("{")
    site.process.send_signal(signal.SIGHUP)
    assert manager.hears("RELOADING=1") and "refused" in manager.hears("READY=1")[1]
    site.process.send_signal(signal.SIGTERM)
    assert manager.hears("STOPPING=1")
    assert site.process.wait(120) == 0
    site.stopped = True
    manager.close()


def test_a_socket_is_taken_over(server, chinook):
    """Socket activation: descriptor 3, with this process's number in the environment."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        starter = ("import os, sys; os.dup2(int(sys.argv[1]), 3, True); os.environ.update(LISTEN_FDS='1', "
                   "LISTEN_PID=str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])")
        site = server(chinook, before=(sys.executable, "-c", starter, str(listening.fileno())),
                      pass_fds=(listening.fileno(),), port=None)
        assert site.port == port
    assert site.get("/chinook").status == 200


def test_a_socket_outlives_the_process_with_the_service_manager(server, chinook, tmp_path):
    """kill -9, and started again as systemd does it: who came meanwhile waited in the queue of the same socket."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(30)
    first = server(chinook, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    stored = None
    while stored is None:
        text, fds, _, _ = socket.recv_fds(manager, 1000, 4)
        if text.startswith(b"FDSTORE=1"):
            assert text == b"FDSTORE=1\nFDNAME=vitrine"
            stored, = fds
    first.kill()
    waiting = socket.create_connection(("127.0.0.1", first.port), timeout=120)
    waiting.sendall(b"GET /-/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    starter = ("import os, sys; os.dup2(int(sys.argv[1]), 3, True); os.environ.update(LISTEN_FDS='1', LISTEN_FDNAMES='vitrine', "
               "LISTEN_PID=str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])")
    again = server(chinook, before=(sys.executable, "-c", starter, str(stored)), pass_fds=(stored,), port=first.port)
    assert waiting.recv(12) == b"HTTP/1.1 200"
    waiting.close()
    again.stop()
    # elsewhere: what is kept is of no use, and is given back
    with socket.create_server(("127.0.0.1", 0)) as free:
        elsewhere = free.getsockname()[1]
    other = server(chinook, before=(sys.executable, "-c", starter, str(stored)), pass_fds=(stored,), port=elsewhere,
                   env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    while not (text := manager.recv(1000)).startswith(b"FDSTOREREMOVE=1"):
        pass
    assert text == b"FDSTOREREMOVE=1\nFDNAME=vitrine"
    os.close(stored)
    other.stop()
    manager.close()
