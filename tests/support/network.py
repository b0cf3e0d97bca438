# SPDX-License-Identifier: MPL-2.0
"""A network of a test's own, with nothing but loopback: in it every port is free, whatever runs on the machine. What a test
starts in it ends with it, also what a shell left in the background, and also if the test is killed."""

import os
import pathlib
import subprocess
import sys

# Brings loopback up (SIOCSIFFLAGS with IFF_UP), says so, and keeps the network until its standard input ends, as it does when
# the test is killed. It is the first process of a PID namespace: when it ends, the system kills all the others there.
HOLD = ("import fcntl, signal, socket, struct, sys\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "with socket.socket() as any:\n"
        "    fcntl.ioctl(any, 0x8914, struct.pack('16sh', b'lo', 1))\n"
        "print('up', flush=True)\n"
        "sys.stdin.read()\n")


class Network:
    """`inside` is put before a command that is to run there."""

    def __init__(self):
        spaces = ["--net", "--pid", "--fork", "--kill-child"]
        spaces += [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        self.holder = subprocess.Popen(["unshare", *spaces, "--", sys.executable, "-c", HOLD], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "up\n", "no network namespace can be made here"
        as_user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        first = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().strip()
        self.inside = ["nsenter", f"--target={first}", "--net", "--pid", *as_user, "--"]

    def close(self):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
