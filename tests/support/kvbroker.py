# SPDX-License-Identifier: MPL-2.0
"""kvbroker as a program that a user or a script runs. (broker.py has a broker for tests.)"""

import subprocess

from project import binary_of
from waiting import TIMEOUT


def kvbroker(*arguments, typed=b"", wrapper=(), **keywords):
    """Runs it to its end, through the command WRAPPER, with TYPED (bytes) on its standard input. The result has returncode,
    stdout, stderr (bytes)."""
    return subprocess.run([*wrapper, binary_of("kvbroker"), *arguments], input=typed, capture_output=True, timeout=2 * TIMEOUT,
                          check=False, **keywords)


def start_kvbroker(folder, **streams):
    """Starts it without a configuration, on ipc endpoints in FOLDER, with the given standard streams. Returns its process and
    its request endpoint."""
    endpoint = f"ipc://{folder}/requests"
    command = [binary_of("kvbroker"), "--set", f"listen/requests={endpoint}", "--set", f"listen/events=ipc://{folder}/events"]
    return subprocess.Popen(command, **streams), endpoint
