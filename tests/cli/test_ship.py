# SPDX-License-Identifier: Apache-2.0
"""vitrine ship: a hub on another machine. Its ssh runs commands in a folder that stands for the machine; once more through
a real sshd, where there is one."""
import os
import re
import shutil
import subprocess
import threading

import pytest

import serving
from ship_rig import Machine, listens, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or os.uname().machine != "x86_64", reason="a machine's root is wanted")


@pytest.fixture
def machine():
    made = Machine()
    yield made
    made.stop()


def leftovers():
    return {p for p in os.listdir("/tmp") if p.startswith("vitrine-ship-")}


def changed_program(folder):
    """The same program, other bytes."""
    path = folder / "vitrine-new"
    shutil.copy(serving.PROGRAM, path)
    with open(path, "ab") as f:
        f.write(b"\nanother build\n")
    return path


def runs(machine, program):
    """The hub's own process runs these bytes."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
            if b"run" in words and str(machine.root / "var/lib/vitrine").encode() in words and b"hub" in words:
                if os.path.getsize(f"/proc/{pid}/exe") == program.stat().st_size:
                    return True
        except OSError:
            continue
    return False


def test_a_hub_is_made_and_then_taken_to_another_program(machine, tmp_path):
    before = leftovers()
    done = machine.ship("--dry-run")
    assert done.returncode == 0 and "Debian GNU/Linux 12" in done.stdout and "would make a hub" in done.stdout, done
    assert not (machine.root / "usr/bin/vitrine").exists() and not (machine.root / "var/lib/vitrine").exists()
    done = machine.ship("--dry-run", domain="data.example.org")
    assert done.returncode == 0 and "letsencrypt.org/repository" in done.stdout, done

    done = machine.ship()
    assert done.returncode == 0, done
    link = re.search(r"http://data\.localhost:\d+(/-/admin-link\?token=\S+)", done.stdout)
    assert link and f"The hub: http://data.localhost:{machine.port}" in done.stdout, done
    assert machine.status() == 200 and machine.status(link.group(1)) == 200
    assert (machine.root / "usr/bin/vitrine").read_bytes() == serving.PROGRAM.read_bytes()
    assert "enable --quiet vitrine-hub" in machine.text("systemctl")
    first = machine.text("pid")

    status, said = machine.ship_json()
    assert status == 0 and said["ok"] and not (said["sent"] or said["made"] or said["started"] or said["upgraded"]), said
    assert said["admin_link"] is None and said["address"].endswith(str(machine.port)) and machine.text("pid") == first

    answers, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            answers.append(machine.status())

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        new = changed_program(tmp_path)
        status, said = machine.ship_json("--program", new)
        assert status == 0 and said["sent"] and said["upgraded"] and not said["started"], said
        wait_for(lambda: machine.text("log").count("deploy hub: done") == 2)
        assert runs(machine, new)
    finally:
        stop.set()
        asking.join()
    assert answers and set(answers) == {200}, set(answers)
    assert os.path.exists(f"/proc/{first}") and not list((machine.root / "usr/bin").glob(".vitrine-*"))
    assert leftovers() == before


def test_a_program_that_does_not_take_over(machine, tmp_path):
    assert machine.ship().returncode == 0
    installed = machine.root / "usr/bin/vitrine"
    bad = tmp_path / "bad"
    bad.write_text(f"#!/bin/sh\ncase \"$*\" in up*) exit 1 ;; esac\nexec {serving.PROGRAM} \"$@\"\n")
    bad.chmod(0o755)
    machine.file("ldd", "\tlibc.so.6 => /lib/libc.so.6 (0x0)\n")
    status, said = machine.ship_json("--program", bad)
    assert status != 0 and "did not take over" in said["error"] and "installed one again" in said["hint"], said
    assert installed.read_bytes() == serving.PROGRAM.read_bytes() and machine.status() == 200


def test_a_run_that_broke_off_before_the_hub_was_told(machine, tmp_path):
    """The new program was in its place already, and the connection went: the next run takes the hub to it."""
    assert machine.ship().returncode == 0
    installed, new = machine.root / "usr/bin/vitrine", changed_program(tmp_path)
    installed.rename(machine.root / "usr/bin/.vitrine-before")
    shutil.copy(new, installed)
    status, said = machine.ship_json("--program", new)
    assert status == 0 and said["upgraded"] and not said["sent"], said
    wait_for(lambda: runs(machine, new))
    done = machine.ship("--program", new)
    assert done.returncode == 0 and "runs this program already" in done.stdout, done
    assert "ssh root@there vitrine hub admin-link" in done.stdout, "who lost the first link is told how to get another"
    assert not list((machine.root / "usr/bin").glob(".vitrine-*"))


def test_libraries_are_installed(machine):
    machine.file("packages", "libssl3t64\nlibz\nzlib1g\nlibnghttp2-14\n")
    machine.file("ldd", "\tlibssl.so.3 => not found\n\tlibcrypto.so.3 => not found\n\tlibz.so.1 => not found\n"
                        "\tlibnghttp2.so.14 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x0)\n")
    machine.file("uid", "1000\n")
    machine.file("sudo")
    machine.file("broken")
    done = machine.ship()
    assert "install -y --no-install-recommends libssl3t64 libnghttp2-14 zlib1g" in machine.text("apt"), done
    assert "sudo -n sh -c" in machine.text("commands")
    assert done.returncode != 0 and "the hub does not start: address already in use" in done.stderr, done
    (machine.root / "broken").unlink()
    status, said = machine.ship_json()
    assert status == 0 and said["started"] and said["admin_link"] and not said["made"] and not said["sent"], said


@pytest.mark.parametrize("files, arguments, says", [
    ({}, {"to": "nobody@down"}, "Connection refused.*ssh nobody@down true"),
    ({"uid": "1000\n"}, {}, "cannot become root.*NOPASSWD"),
    ({"packages": "libssl3\n", "ldd": "\tlibssl.so.3 => not found\n", "stuck": ""}, {},
     "apt-get install libssl3 fails there: E: Could not get lock.*by hand"),
    ({"machine": "riscv64\n"}, {}, "riscv64.*--program"),
    ({"taken": "8080"}, {}, "port 8080 is taken there by nginx.*disable --now nginx"),
    ({"packages": "", "ldd": "\tlibssl.so.3 => not found\n"}, {}, r"no package there has libssl\.so\.3.*--program"),
    ({"ldd": "./x: /lib/libc.so.6: version `GLIBC_2.99' not found (required by ./x)\n"}, {}, "newer system: GLIBC_2.99"),
    ({"ldd": "\tnot a dynamic executable\n"}, {}, "another kind of machine"),
    ({}, {"domain": None}, "which domain"),
    ({}, {"to": None}, "to which machine"),
    ({}, {"domain": "a; reboot"}, "is no domain"),
    ({}, {"path": "EMPTY"}, "no ssh here.*openssh-client"),
])
def test_what_is_in_the_way_is_named(machine, tmp_path, files, arguments, says):
    for name, text in files.items():
        machine.file(name, text)
    if arguments.get("path"):
        env = {**os.environ, "PATH": str(tmp_path)}
        done = subprocess.run([serving.PROGRAM, "ship", "a@b", "--domain", "data.localhost"], env=env, capture_output=True,
                              text=True)
    else:
        done = machine.ship(**arguments)
    assert done.returncode != 0 and re.search(says, done.stderr, re.S), done
    assert not (machine.root / "etc/systemd/system/vitrine-hub.service").exists()
    assert not list((machine.root / "usr/bin").iterdir())


def test_not_every_machine(machine):
    shutil.rmtree(machine.root / "run/systemd")
    assert "systemd does not run there" in machine.ship().stderr
    (machine.root / "run/systemd/system").mkdir(parents=True)
    (machine.root / "var/lib/vitrine").mkdir()
    machine.file("var/lib/vitrine/hub.yaml", "# a hub\ndomain: other.localhost\n")
    status, said = machine.ship_json()
    assert status != 0 and "is for other.localhost, not for data.localhost" in said["error"] and not said["ok"], said


SSHD = shutil.which("sshd") or ("/usr/sbin/sshd" if os.path.exists("/usr/sbin/sshd") else None)


@pytest.mark.skipif(not SSHD, reason="NOT TESTED: the way through a real sshd; install openssh-server")
def test_through_a_real_sshd(machine, tmp_path):
    port, keys = serving.free_port(), tmp_path / "keys"
    keys.mkdir(mode=0o700)
    for name in ("host", "mine"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    os.makedirs("/run/sshd", exist_ok=True)
    (keys / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/mine.pub\nStrictModes no\n"
        f"PermitRootLogin yes\nPasswordAuthentication no\nUsePAM no\nPidFile none\nForceCommand {machine.remote}\n")
    (keys / "ssh_config").write_text(f"IdentityFile {keys}/mine\nIdentitiesOnly yes\nUserKnownHostsFile {keys}/known\n"
                                     "StrictHostKeyChecking accept-new\n")
    (keys / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {keys}/ssh_config "$@"\n')
    (keys / "ssh").chmod(0o755)
    log = open(tmp_path / "sshd.log", "wb")
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", keys / "sshd_config"], stderr=log)
    try:
        wait_for(lambda: server.poll() is not None or listens(port))
        status, said = machine.ship_json(to=f"ssh://root@127.0.0.1:{port}", path=keys)
        assert status == 0 and said["started"] and said["admin_link"], (said, (tmp_path / "sshd.log").read_text())
        assert machine.status() == 200
        accepted = (tmp_path / "sshd.log").read_text().count("Accepted publickey")
        assert accepted == 1, "one connection for all steps"
    finally:
        server.terminate()
        server.wait(120)
        log.close()
