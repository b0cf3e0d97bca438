# SPDX-License-Identifier: MPL-2.0
"""A process whose lines are read as they come."""

import re
import threading

from closing import Closing
from waiting import TIMEOUT, wait_until


class Running(Closing):
    """PROCESS, whose standard output is a pipe; `lines` is what it has said there."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self.taken = 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append((line if isinstance(line, str) else line.decode()).rstrip("\n"))

    def line(self):
        """The next line that was not taken yet."""
        wait_until(lambda: len(self.lines) > self.taken, what="another line")
        self.taken += 1
        return self.lines[self.taken - 1]

    def wait(self, pattern):
        """Waits for a line that PATTERN matches, and returns it."""
        try:
            return wait_until(lambda: next((line for line in self.lines if re.search(pattern, line)), None))
        except TimeoutError:
            raise AssertionError(f"{pattern!r} was not said: {self.lines}") from None

    def ended(self):
        """Its exit status, when it has ended by itself."""
        status = self.process.wait(TIMEOUT)
        self.reader.join(TIMEOUT)
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(TIMEOUT)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
