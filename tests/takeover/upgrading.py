# SPDX-License-Identifier: Apache-2.0
"""A served site that is upgraded: follows it from process to process."""
import contextlib
import json
import os
import pathlib
import signal
import time

import serving

WAIT_SECONDS = 120


def until(condition, what="it"):
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"waited in vain for {what}")


def alive(pid):
    """Runs, and is no zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Served(serving.Server):
    def __init__(self, folder, *arguments, **how):
        self.state = folder / "state"
        super().__init__(*arguments, "--state", self.state, **how)

    def status(self):
        try:
            return json.loads((self.state / "serve.json").read_text())
        except (OSError, ValueError):
            return {"pid": self.process.pid, "failures": 0, "failure": ""}

    @property
    def pid(self):
        return self.status()["pid"]

    def wait(self):
        super().wait()
        until(lambda: (self.state / "serve.json").exists(), "the status file")
        return self

    def upgrade(self):
        """SIGUSR2; returns the new process once it serves and the old one has ended."""
        before = self.pid
        until(lambda: self.try_upgrade(before), "a new process")
        if before == self.process.pid:
            assert self.process.wait(WAIT_SECONDS) == 0, self.log()
        until(lambda: not alive(before), "the end of the old process")
        return self.pid

    def try_upgrade(self, before):
        """One SIGUSR2, and what came of it; False: the predecessor of `before` was not quite gone."""
        mark = len(self.output)
        os.kill(before, signal.SIGUSR2)
        done = until(lambda: "taken" if f"process {self.pid} takes over" in "".join(self.output[mark:]) else
                     "late" if "try again in a moment" in "".join(self.output[mark:]) else "", "an upgrade")
        return done == "taken"

    def fail_upgrade(self):
        """SIGUSR2 that cannot succeed: returns why."""
        before = self.status()
        os.kill(before["pid"], signal.SIGUSR2)
        until(lambda: self.status()["failures"] > before["failures"], "a failure")
        assert self.pid == before["pid"]
        return self.status()["failure"]

    def kill(self):
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        super().kill()

    def stop(self):
        if self.stopped or self.pid == self.process.pid:
            super().stop()
            return
        self.hang_up()
        self.stopped = True
        pid = self.pid
        assert alive(pid), self.log()
        os.kill(pid, signal.SIGTERM)
        until(lambda: not alive(pid), "the end of the last process")
        self.process.wait(WAIT_SECONDS)
        for reader in self.readers:
            reader.join(20)
        assert not serving.SANITIZER.search(self.log()), self.log()
        assert not (self.state / "serve.json").exists(), "a process that stopped well takes its status file along"
