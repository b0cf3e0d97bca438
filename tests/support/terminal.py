# SPDX-License-Identifier: MPL-2.0
"""A program at a pseudo-terminal, which is its controlling terminal: typed at as by a person, read as it is shown."""

import os
import pty
import re
import select
import subprocess
import time

from closing import Closing
from waiting import TIMEOUT, readable, wait_until

PROMPT = "> "
ENTER, TAB, INTERRUPT, END, UP, KILL_LINE = "\n", "\t", "\x03", "\x04", "\x1b[A", "\x15"
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\a")


def status_of(pid, field):
    """A field of what the system says about a process, its first word."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(line.split()[1] for line in status if line.startswith(field + ":"))


class Terminal(Closing):
    """Runs COMMAND; `seen` is everything shown so far, without the terminal's control sequences."""

    def __init__(self, command, environment):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment,
                                        preexec_fn=lambda: os.login_tty(slave))
        os.close(slave)
        self.raw = b""
        self.mark = 0  # in `seen`: behind what was waited for last

    @property
    def seen(self):
        return CONTROL_SEQUENCE.sub("", self.raw.decode("utf-8", "replace"))

    def read(self, timeout):
        """Reads what is shown next; false at its end."""
        if not readable(self.master, max(0, timeout)):
            return True
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # how a pseudo-terminal says that the program has ended
            piece = b""
        self.raw += piece
        return bool(piece)

    def wait(self, pattern, timeout=TIMEOUT):
        """Waits until PATTERN is shown behind what was waited for before. Returns all shown in between, and it."""
        deadline = time.monotonic() + timeout
        compiled = re.compile(pattern, re.M)
        while True:
            match = compiled.search(self.seen, self.mark)
            if match:
                text = self.seen[self.mark:match.end()]
                self.mark = match.end()
                return text
            if time.monotonic() > deadline or not self.read(deadline - time.monotonic()):
                raise AssertionError(f"{pattern!r} was not shown: {self.seen[self.mark:]!r}")

    def prompt(self, half=""):
        """Waits for a prompt with HALF a line typed behind it. Returns the lines shown before it. The program may draw the
        line several times, each over the one before."""
        return self.wait(rf"^(?:{re.escape(PROMPT + half)})+\Z").split("\n")[:-1]

    def press(self, keys):
        os.write(self.master, keys.encode())

    def press_all(self, keys):
        """The same for more than a terminal takes at once; reads meanwhile what is shown."""
        left = keys.encode()
        ready = select.poll()
        ready.register(self.master, select.POLLIN | select.POLLOUT)
        while left:
            events = dict(ready.poll(TIMEOUT * 1000))
            assert events, "the program takes no keys"
            if events[self.master] & select.POLLIN:
                assert self.read(0), "the program has ended"
            if events[self.master] & select.POLLOUT:
                left = left[os.write(self.master, left[:1024]):]

    def wait_asleep(self):
        """Waits until the program waits for keys: what it does between showing a question and that is nobody's to see."""
        wait_until(lambda: status_of(self.process.pid, "State") == "S", what="waiting for keys")

    def type(self, line):
        """Types a line at the prompt. Returns the lines shown in answer, its own echo apart."""
        self.press(line + ENTER)
        self.wait(re.escape(line) + "\n")
        return self.prompt()

    def leave(self, keys=END):
        """Presses KEYS, at which the program must end. Returns its exit status."""
        self.press(keys)
        return self.ended()

    def ended(self, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while self.read(deadline - time.monotonic()):
            assert time.monotonic() < deadline, f"the program did not end: {self.seen!r}"
        return self.process.wait(timeout)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
