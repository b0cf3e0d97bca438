# SPDX-License-Identifier: MPL-2.0
"""A network namespace for one test, with only loopback: every port in it is free, whatever runs on the machine. All processes
in it end with it, even those that a shell left in the background, and even if the test is killed."""

import contextlib
import fcntl
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys

from closing import Closing

SIOCSIFFLAGS, IFF_UP = 0x8914, 1  # netdevice(7)


class Network(Closing):
    """Put `inside` before a command to run it in the network."""

    def __init__(self):
        spaces = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
        self.holder = subprocess.Popen(["unshare", *spaces, "--", sys.executable, __file__], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "up\n", "no network namespace can be made here"
        as_user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        self.inside = ["nsenter", f"--target={self.holder.pid}", "--net", *as_user, "--"]

    def close(self):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()


def others_here():
    """Yields the other processes in the network of this process. (A PID namespace would end them by itself, but
    LeakSanitizer fails in one without its own /proc.)"""
    here = os.readlink("/proc/self/ns/net")
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if os.readlink(process / "ns" / "net") == here and int(process.name) != os.getpid():
                yield int(process.name)


def hold():
    """Brings loopback up, prints "up", and keeps the network until standard input ends, which happens even if the test is
    killed."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
    print("up", flush=True)
    sys.stdin.read()
    while left := list(others_here()):  # repeat: a process may fork before it is killed
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    hold()
