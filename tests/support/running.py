# SPDX-License-Identifier: MPL-2.0
"""A process whose output is read line by line while it runs."""

import re
import threading

from closing import Closing
from waiting import TIMEOUT, wait_until


class Running(Closing):
    """Reads the standard output of PROCESS, which is a pipe, into `lines`."""

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
        """Waits for the next line that was not returned yet, and returns it."""
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
        """Waits until the process has ended by itself, and returns its exit status."""
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
