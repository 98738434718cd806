# SPDX-License-Identifier: Apache-2.0
"""Places to break out of: folders of two spaces, secrets beside them, sockets, a process to attack; and the programs,
where an unprivileged user can run them."""
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import serving

ATTACKER = serving.PROGRAM.parent / "tests/sandbox/attacker"
EXTENSION = ATTACKER.with_suffix(".so")
USER = 60123  # who tests are as an ordinary user
SPACE_USER = 200001  # who the space is outside, for root


# Built with AddressSanitizer the sandbox sets no limit of memory, and mlock does nothing.
SANITIZED = b"__asan_init" in serving.PROGRAM.read_bytes()


def require(what, fine):
    """Loudly: a machine without the means proves nothing."""
    if not fine:
        import pytest
        pytest.skip(f"not checked here: {what}")


class Box:
    """One folder under /tmp that all may enter. `who`: "root" or "user"."""

    def __init__(self, who):
        self.who = who
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="vitrine-box-", dir="/tmp"))
        self.top.chmod(0o755)
        self.program = self.copy(serving.PROGRAM)
        self.spaces = self.top / "spaces"
        self.space, self.other = self.spaces / "own", self.spaces / "other"
        for folder in (self.space / "data", self.other / "data", self.top / "run"):
            folder.mkdir(parents=True)
        self.secret, self.control = self.top / "secret", self.top / "control.sock"
        for path in (self.secret, self.other / "data/secret"):
            path.write_text("secret")
        (self.space / "space.json").write_text("{}")
        (self.space / "data/own").write_text("#!/bin/sh\n" + "x" * 5000)
        (self.space / "data/planted").symlink_to(self.secret)
        (self.space / "data/planted-folder").symlink_to(self.other)
        self.listeners = [self.listen(str(self.control)), self.listen(f"{self.other}.sock")]
        self.abstract = f"@vitrine-{self.top.name}"
        self.listeners.append(self.listen("\0" + self.abstract[1:]))
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.own(self.top)
        self.victim = self.start("/bin/sleep", "1000")

    def copy(self, path):
        target = self.top / path.name
        shutil.copy(path, target)
        target.chmod(0o755)
        return target

    def own(self, top):
        """What was made there belongs to the user as whom things are started."""
        if self.identity():
            for path in [top, *top.rglob("*")]:
                os.lchown(path, USER, USER)

    @staticmethod
    def listen(path):
        one = socket.socket(socket.AF_UNIX)
        one.bind(path)
        one.listen(64)
        return one

    def identity(self):
        """How a process of this kind is started."""
        if os.geteuid() == 0 and self.who == "user":
            return {"user": USER, "group": USER, "extra_groups": []}
        return {}

    def start(self, *command, env=None, **options):
        return subprocess.Popen([str(c) for c in command], env={**os.environ, **(env or {})},
                                stdin=subprocess.DEVNULL, **self.identity(), **options)

    def run(self, *command, env=None, timeout=60, **options):
        with self.start(*command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    def sandbox(self, *options):
        """vitrine sandbox OPTIONS --"""
        user = ["--user-id", SPACE_USER] if self.who == "root" and os.geteuid() == 0 else []
        return [self.program, "sandbox", *user, *options, "--"]

    def attack(self):
        """What the attacker has to know."""
        return {"ATTACK_SPACE": str(self.space), "ATTACK_OTHER": str(self.other), "ATTACK_SECRET": str(self.secret),
                "ATTACK_CONTROL": str(self.control), "ATTACK_ABSTRACT": self.abstract,
                "ATTACK_PORT": str(self.tcp.getsockname()[1]), "ATTACK_PID": str(self.victim.pid)}

    def close(self):
        self.victim.kill()
        self.victim.wait()
        for one in (*self.listeners, self.tcp):
            one.close()
        shutil.rmtree(self.top, ignore_errors=True)
