# SPDX-License-Identifier: MPL-2.0
"""kvzmq-cli as a process: one command, fed by a pipe, or at a terminal, in its own environment."""

import os
import subprocess

from project import binary_of
from terminal import Terminal
from waiting import TIMEOUT


class Started(subprocess.Popen):
    """A running tool. Its pipes have no buffers here, so `readable` is right about them. If the test fails, it is killed: it
    might run for ever."""

    def __init__(self, command, environment):
        super().__init__(command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)

    def __exit__(self, kind, value, traceback):
        if kind is not None:
            self.kill()
        return super().__exit__(kind, value, traceback)


class Tool:
    """Runs kvzmq-cli with the broker at ENDPOINT. FOLDER is its home directory, where its history goes."""

    def __init__(self, endpoint, folder):
        self.folder = folder
        self.history = folder / "state" / "kvzmq" / "history"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("KVZMQ_")}
        self.environment.update(HOME=str(folder), XDG_STATE_HOME=str(folder / "state"), TERM="xterm", LC_ALL="C.UTF-8",
                                KVZMQ_SERVER=endpoint)

    def command(self, arguments):
        return [binary_of("kvzmq-cli"), *arguments]

    def run(self, *arguments, typed=b"", preexec_fn=None, **environment):
        """Runs it to its end with TYPED (bytes) on its standard input. The result has returncode, stdout, stderr (bytes)."""
        return subprocess.run(self.command(arguments), input=typed, capture_output=True, timeout=2 * TIMEOUT,
                              env={**self.environment, **environment}, preexec_fn=preexec_fn)

    def as_manager(self, *arguments, **keywords):
        """The same as the manager of a broker with the default account."""
        return self.run("-u", "adam", *arguments, KVZMQ_PASSWORD="eve", **keywords)

    def start(self, *arguments, **environment):
        return Started(self.command(arguments), {**self.environment, **environment})

    def terminal(self, *arguments, **environment):
        return Terminal(self.command(arguments), {**self.environment, **environment})
