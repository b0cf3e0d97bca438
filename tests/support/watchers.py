# SPDX-License-Identifier: MPL-2.0
"""Watchers in their own processes, which a test stops, cuts and kills: the recipe in Python (watch_process.py), the library
(watch_program.c) and the tool (kvzmq-cli watch). Each appends its stream to a file, which it continues after a restart."""

import base64
import json
import os
import signal
import subprocess
import sys

import xxhash

from project import SUPPORT, binary_of, build_folder
from stores import as_bytes
from waiting import TIMEOUT, wait_until


def checksum(value):
    """Returns what a stream contains in place of a value; VALUE may be None."""
    return "-" if value is None else str(xxhash.xxh64_intdigest(as_bytes(value)))


class WatchProcess:
    """The process of a watcher, and its stream. A line of the stream is [seq, prev, kind, client, key, checksum of the value]
    or ["reset", seq]."""

    def __init__(self, name, folder, endpoint, account):
        self.name, self.path = name, folder / f"stream-{name}"
        self.endpoint, self.account = endpoint, account
        self.process = None

    def command(self, since):
        """Returns the program with its arguments. SINCE is (seq, epoch) or None."""
        raise NotImplementedError

    def parse(self, line):
        """Returns a line of the file as a line of the stream, or None if it does not belong to the stream."""
        return line.split()

    def start(self, since=None):
        self.drop_half_line()
        with self.path.open("ab") as stream:
            self.process = subprocess.Popen(self.command(since), stdin=subprocess.PIPE, stdout=self.output(stream), text=True,
                                            env={**os.environ, "KVZMQ_PASSWORD": self.account[1]})

    def output(self, stream):
        """Returns where its standard output goes. STREAM is the file."""
        return subprocess.PIPE

    def signal(self, number):
        self.process.send_signal(number)

    def drop_half_line(self):
        """Removes an incomplete last line, which a kill leaves. Do not call it while the process runs and writes."""
        if self.path.exists():
            os.truncate(self.path, self.path.read_bytes().rfind(b"\n") + 1)

    def lines(self):
        """Returns its complete lines."""
        data = self.path.read_bytes()
        whole = data[:data.rfind(b"\n") + 1]
        return [line for line in map(self.parse, whole.decode().splitlines()) if line]

    def last(self):
        """Returns the seq of its last complete line; None if there is none."""
        with self.path.open("rb") as stream:
            begin = max(0, self.path.stat().st_size - 16384)
            stream.seek(begin)
            data = stream.read()
        whole = data[data.find(b"\n") + 1 if begin else 0:data.rfind(b"\n") + 1]
        lines = [self.parse(line) for line in whole.decode().splitlines()[-20:]]
        lines = [line for line in lines if line]
        return int(lines[-1][lines[-1][0] == "reset"]) if lines else None

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def restart(self, epoch, before=None):
        """Kills it, calls BEFORE with the seq at which its stream ended, and starts it again from there."""
        wait_until(lambda: self.last() is not None, what="its first line")
        self.kill()
        seq = self.last()
        if before:
            before(seq)
        self.start((seq, epoch))

    def finish(self, seq):
        """Ends it when its stream has reached SEQ. Returns what it prints then: its counts, and the digests of its copy."""
        output, _ = self.process.communicate(f"{seq}\n", timeout=2 * TIMEOUT)
        assert self.process.returncode == 0, self.process.returncode
        return json.loads(output)

    def end(self):
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()


class Recipe(WatchProcess):
    """The recipe of PROTOCOL.md 6.2 in Python. MARK is its receive high-water mark. EVENTS is an endpoint to use instead of
    the one that the broker advertises."""

    def __init__(self, *arguments, mark=None, events=None):
        super().__init__(*arguments)
        self.options = {"endpoint": self.endpoint, "account": self.account, "output": str(self.path), "mark": mark,
                        "events": events}

    def command(self, since):
        return [sys.executable, str(SUPPORT / "watch_process.py"), json.dumps({**self.options, "since": since})]


class Library(WatchProcess):
    """kvzmq_watch and kvzmq_mirror. MARK is the watch's receive high-water mark."""

    def __init__(self, *arguments, mark=0):
        super().__init__(*arguments)
        self.mark = mark

    def command(self, since):
        return [str(build_folder() / "tests" / "watch_program"), self.endpoint, *self.account, str(self.path), str(self.mark), *map(str, since or ())]


class Tool(WatchProcess):
    """kvzmq-cli watch. Its lines have no `prev`, and it keeps no copy."""

    anew = True  # the next `ready` starts the stream again

    def command(self, since):
        return [*self.base(), "watch", *(["--since", f"{since[0]}@{since[1]}"] if since else [])]

    def base(self):
        return [binary_of("kvzmq-cli"), "-s", self.endpoint, "-u", self.account[0], "-o", "json"]

    def start(self, since=None):
        """Returns when it has connected and written a line. Like any command of the tool, it ends if it cannot connect."""
        self.drop_half_line()
        begin = self.path.stat().st_size if self.path.exists() else 0
        super().start(since)
        wait_until(lambda: self.path.stat().st_size > begin or self.process.poll() is not None, what="that it has connected")
        assert self.process.poll() is None, f"it ended with {self.process.returncode}"

    def output(self, stream):
        return stream

    def lines(self):
        self.anew = True
        return super().lines()

    def last(self):
        self.anew = True  # the lines before the end of the file do not matter here
        return super().last()

    def finish(self, seq):
        wait_until(lambda: (self.last() or 0) >= seq, what="the end of the stream")
        self.signal(signal.SIGINT)
        self.process.communicate(timeout=TIMEOUT)
        return {}

    def parse(self, line):
        event = json.loads(line)
        kind, value = event["kind"], event["value"]
        if kind == "reset":
            self.anew = True
        if kind == "ready" and self.anew:
            self.anew = False
            return ["reset", str(event["seq"])]
        if event["client"] is None:
            return None  # `ready` after an interruption, `lost` or `again`
        value = base64.b64decode(value["base64"]) if isinstance(value, dict) else value
        return [str(event["seq"]), None, kind, event["client"], event["key"] or "-", checksum(value)]
