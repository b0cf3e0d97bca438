# SPDX-License-Identifier: MPL-2.0
"""Clients in a separate process."""

import json
import subprocess
import sys

from closing import Closing
from project import SUPPORT
from waiting import TIMEOUT, readable


class Peer(Closing):
    """A separate process with its own sockets, which can be killed. See peer.py for what it can do."""

    def __init__(self, endpoint, **open_options):
        self.endpoint = endpoint
        self.process = subprocess.Popen([sys.executable, str(SUPPORT / "peer.py"), endpoint], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        if open_options.pop("open", True):
            self.hello = self.do("open", **open_options)

    def start(self, operation, **arguments):
        """Requests an operation without waiting for its answer."""
        self.process.stdin.write(json.dumps({"do": operation, **arguments}) + "\n")
        self.process.stdin.flush()

    def answer(self, timeout=3 * TIMEOUT):
        """Waits for the answer to an operation and returns it. Fails if the process ends or fails."""
        if not readable(self.process.stdout, timeout):
            raise TimeoutError(f"no answer from the peer process within {timeout:g} s")
        line = self.process.stdout.readline()
        assert line, f"the peer process ended with {self.process.wait()}"
        return json.loads(line)

    def do(self, operation, **arguments):
        self.start(operation, **arguments)
        return self.answer()

    def kill(self):
        """Sends SIGKILL: the system closes its connections, and no client sends `bye`."""
        self.process.kill()
        self.process.wait()
        self._close()

    def close(self):
        if self.process.poll() is None:
            self.kill()

    def _close(self):
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
