# SPDX-License-Identifier: MPL-2.0
"""A program on a screen. It runs in its own tmux, which interprets all control sequences and
reports what a user would see."""

import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

from closing import Closing
from waiting import TIMEOUT, wait_until


class Screen(Closing):
    """Runs COMMAND on a screen of COLUMNS and ROWS."""

    def __init__(self, command, environment, columns=72, rows=24):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kvscreen-"))
        self.environment = environment
        self.tmux("-f", os.devnull, "-u", "new-session", "-d", "-x", str(columns), "-y", str(rows), shlex.join(command))

    def tmux(self, *arguments):
        return subprocess.run(["tmux", "-S", str(self.folder / "socket"), *arguments], env=self.environment, text=True,
                              capture_output=True, timeout=TIMEOUT, check=True).stdout

    def press(self, text):
        self.tmux("send-keys", "-l", text)

    def key(self, *names):
        """Presses keys by tmux's names: Enter, Left, C-c."""
        self.tmux("send-keys", *names)

    def lines(self):
        """Returns the lines on the screen, without trailing blanks and blank lines at the end."""
        return [line.rstrip() for line in self.tmux("capture-pane", "-p").rstrip().split("\n")]

    def wait(self, condition, what="what is expected on the screen"):
        """Waits until CONDITION is true of the lines, and returns them."""
        seen = []

        def shown():
            seen[:] = self.lines()
            return condition(seen)

        try:
            wait_until(shown, what=what, interval=0.05)
        except TimeoutError:
            raise AssertionError(f"{what} was not shown:\n" + "\n".join(seen)) from None
        return seen

    def close(self):
        subprocess.run(["tmux", "-S", str(self.folder / "socket"), "kill-server"], env=self.environment, check=False,
                       stderr=subprocess.DEVNULL, timeout=TIMEOUT)
        shutil.rmtree(self.folder, ignore_errors=True)
