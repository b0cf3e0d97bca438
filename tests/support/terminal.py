# SPDX-License-Identifier: MPL-2.0
"""A program at a pseudo-terminal, which is its controlling terminal. A test types keys like a user and reads
what is shown."""

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
    """Returns the first word of a field of /proc/PID/status."""
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
        self.mark = 0  # index in `seen` behind the last match of `wait`

    @property
    def seen(self):
        return CONTROL_SEQUENCE.sub("", self.raw.decode("utf-8", "replace"))

    def read(self, timeout):
        """Reads what is shown within TIMEOUT seconds. Returns False if the program has ended."""
        if not readable(self.master, max(0, timeout)):
            return True
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # a pseudo-terminal reports the end of the program like this
            piece = b""
        self.raw += piece
        return bool(piece)

    def wait(self, pattern, timeout=TIMEOUT):
        """Waits until PATTERN is shown after the text of the previous wait. Returns all text from there, including the
        match."""
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
        """Waits for a prompt, followed by HALF a line if that was typed. Returns the lines shown before it. The program may
        redraw the line several times."""
        return self.wait(rf"^(?:{re.escape(PROMPT + half)})+\Z").split("\n")[:-1]

    def press(self, keys):
        os.write(self.master, keys.encode())

    def press_all(self, keys):
        """The same for more keys than a terminal takes at once. Reads what is shown meanwhile."""
        left = keys.encode()
        ready = select.poll()
        ready.register(self.master, select.POLLIN | select.POLLOUT)
        while left:
            events = dict(ready.poll(TIMEOUT * 1000))
            assert events, "the program does not read keys"
            if events[self.master] & select.POLLIN:
                assert self.read(0), "the program has ended"
            if events[self.master] & select.POLLOUT:
                left = left[os.write(self.master, left[:1024]):]

    def wait_asleep(self):
        """Waits until the program sleeps, waiting for keys. After it shows a question, it may still have something to do."""
        wait_until(lambda: status_of(self.process.pid, "State") == "S", what="waiting for keys")

    def type(self, line):
        """Types a line at the prompt. Returns the lines shown in answer, without the echo."""
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
