# SPDX-License-Identifier: Apache-2.0
"""The wall clock of programs under test, set while they run: only those that were built with fault points look."""
import os
import pathlib
import struct
import time

import serving

DAY = 86400
THERE = b"VITRINE_CLOCK" in serving.PROGRAM.read_bytes()


class Clock:
    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "clock"
        self.path.write_bytes(bytes(8))
        self.path.chmod(0o644)
        self.env = {"VITRINE_CLOCK": str(self.path)}
        self.off = 0

    def set(self, seconds):
        """So far from the real time; in one write, for it is mapped."""
        self.off = seconds
        fd = os.open(self.path, os.O_WRONLY)
        os.pwrite(fd, struct.pack("=q", seconds), 0)
        os.close(fd)

    def now(self):
        return time.time() + self.off
