# SPDX-License-Identifier: MPL-2.0
"""A broker process on free ports. Knows the broker's command line and its log, but uses no code of the broker. Every wait is
for a condition and has a bound.

    with Broker() as broker, broker.client("lamp") as lamp, broker.manager() as adam:
        revision = lamp.call("put", "colour", "red")
        assert adam.call("manage", "lamp", "get", "colour") == "red"
"""

import collections
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from client import Client
from hashes import cheap_hash
from peer_process import Peer
from project import binary_of
from waiting import TIMEOUT

DEFAULT_ACCOUNT = ("adam", "eve")
SANITIZER_REPORT = re.compile(r"(ERROR|WARNING|SUMMARY): \w*Sanitizer|runtime error:|LeakSanitizer")
ENDPOINT = re.compile(r"tcp://[^\s,;()'\"]+:\d+|ipc://[^\s,;()'\"]+")


def zpl(tree, depth=0):
    """Returns nested dictionaries as a ZPL configuration (RFC 4)."""
    lines = []
    for name, value in tree.items():
        indent = "    " * depth
        if isinstance(value, dict):
            lines.append(f"{indent}{name}")
            lines.append(zpl(value, depth + 1))
        else:
            lines.append(f'{indent}{name} = "{value}"')
    return "\n".join(line for line in lines if line)


class Broker:
    """A kvbroker process with its own configuration in a temporary folder, listening on free ports.

    accounts  managers: {user: password}
    hashes    more managers: {user: hash}
    names     {client name: hash of its secret} for the configuration
    options   {"session/timeout": 5, ...}: given as --set on the command line
    ipc       listen on ipc in the temporary folder instead of tcp
    requests, events   lists of endpoints, instead of one free endpoint
    wait_endpoints     the least number of endpoints in the log, if names in the lists have several addresses
    """

    def __init__(self, accounts=None, names=None, options=None, ipc=False, requests=None, events=None, hashes=None,
                 binary=None, wrapper=(), arguments=(), wait_endpoints=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kvbroker-"))
        accounts = dict([DEFAULT_ACCOUNT]) if accounts is None else accounts
        self.accounts = accounts
        managers = {user: cheap_hash(password) for user, password in accounts.items()}
        managers.update(hashes or {})
        if ipc:
            requests = requests or [f"ipc://{self.folder}/requests"]
            events = events or [f"ipc://{self.folder}/events"]
        self._wait_endpoints = wait_endpoints
        self._requests = requests or ["tcp://127.0.0.1:*"]
        self._events = events or ["tcp://127.0.0.1:*"]
        tree = {"listen": {"requests": ",".join(self._requests), "events": ",".join(self._events)}}
        if managers:
            tree["managers"] = managers
        if names:
            tree["names"] = names
        self.config = self.folder / "kvbroker.cfg"
        self.config.write_text(zpl(tree) + "\n")
        self._command = [*wrapper, binary or binary_of("kvbroker"), "--config", str(self.config)]
        for key, value in (options or {}).items():
            self._command += ["--set", f"{key}={value}"]
        self._command += list(arguments)
        self.process = None
        self.lines = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = None
        self._clients = []
        self._identities = collections.Counter()
        self.request_endpoints = []
        self.event_endpoints = []

    # -- life

    def start(self):
        self.spawn()
        self.wait_log(r"(?i)\bready\b", what="that it is ready")
        endpoints = [found for line in self.log_until(r"(?i)\bready\b") for found in ENDPOINT.findall(line)]
        split = len(self._requests)
        assert len(endpoints) >= (self._wait_endpoints or split + len(self._events)), f"endpoints missing in the log:\n{self.log()}"
        self.request_endpoints = endpoints[:split]
        self.event_endpoints = endpoints[split:split + len(self._events)]
        return self

    def spawn(self):
        """Starts the process without waiting for it to be ready."""
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:quarantine_size_mb=16:abort_on_error=0")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, env=environment)
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        return self

    def _read_log(self):
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def stop(self, timeout=TIMEOUT):
        """Sends SIGTERM. The broker must end by itself, with status 0 and without a sanitizer's report."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait_exit(0, timeout)

    def wait_exit(self, status, timeout=TIMEOUT):
        """Waits for the process to end. It must end with STATUS within TIMEOUT seconds."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the broker did not end within {timeout} s:\n{self.log()}") from None
        self._reader.join(timeout)
        assert not SANITIZER_REPORT.search(self.log()), f"a sanitizer reports:\n{self.log()}"
        assert self.process.returncode == status, f"exit status {self.process.returncode}:\n{self.log()}"
        return self

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self._abandon()
            raise

    def __exit__(self, kind, value, traceback):
        try:
            for client in self._clients:
                client.close()
            if kind is None:
                self.stop()
            else:
                sys.stderr.write(f"--- log of the broker ---\n{self.log(200)}\n")
        finally:
            self._abandon()

    def kill(self):
        """Kills it with SIGKILL and removes its folder."""
        self._abandon()

    def _abandon(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        if self._reader:
            self._reader.join(TIMEOUT)
            self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- log

    def log(self, last=2000):
        with self._news:
            return "\n".join(self.lines[-last:])

    def log_until(self, pattern):
        with self._news:
            lines = []
            for line in self.lines:
                lines.append(line)
                if re.search(pattern, line):
                    break
            return lines

    def wait_log(self, pattern, timeout=TIMEOUT, since=0, what=None):
        """Waits for a line of the log that PATTERN matches, at index SINCE or later, and returns it."""
        deadline = time.monotonic() + timeout
        index = since
        with self._news:
            while True:
                while index < len(self.lines):
                    if re.search(pattern, self.lines[index]):
                        return self.lines[index]
                    index += 1
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    text = "\n".join(self.lines[-60:])
                    raise AssertionError(f"the broker did not log {what or pattern!r}:\n{text}")
                self._news.wait(left)

    # -- endpoints and resources

    @property
    def request_endpoint(self):
        return self.request_endpoints[0]

    @property
    def event_endpoint(self):
        return self.event_endpoints[0]

    def rss(self):
        """Bytes of memory that the process uses."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) * 1024

    def processor_time(self):
        """CPU time of all threads of the process, in seconds. Other programs do not affect it."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @contextlib.contextmanager
    def standing_still(self):
        """Stops the process for the time of a `with`."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    # -- clients

    def check_serves(self):
        """Checks that a new client is served."""
        with self.client() as client:
            client.call("put", "k", "v")
            assert client.call("get", "k") == "v"

    def client(self, identity=None, exact=False, **keywords):
        """Returns a client. If an earlier client had the same IDENTITY, adds an instance to it, unless EXACT. This is needed
        even if the earlier client is closed: ZeroMQ drops its connection some time later, and never answers another
        connection with the same socket identity that came before that."""
        if identity is not None and not exact:
            self._identities[identity] += 1
            again = self._identities[identity]
            if again > 1:
                suffix = f"+{again}" if "/" in str(identity) else f"/{again}"
                identity += suffix.encode() if isinstance(identity, bytes) else suffix
        client = Client(keywords.pop("endpoint", self.request_endpoint), identity, process=self.process, **keywords)
        self._clients.append(client)
        return client

    def manager(self, identity=None, **keywords):
        """Returns a client that is logged in with the first account."""
        client = self.client(identity, **keywords)
        user, password = next(iter(self.accounts.items()))
        assert client.call("auth", user, password) == {"role": "manager"}
        return client

    def peer(self, *arguments, **keywords):
        return Peer(keywords.pop("endpoint", self.request_endpoint), *arguments, **keywords)
