# SPDX-License-Identifier: MPL-2.0
"""Black-box tests of the broker: a broker process on free ports, and clients made of pyzmq and msgpack alone.

Knows the protocol (common/PROTOCOL.md) and the broker's command line; uses no code of the broker or of libkvzmq. Every
wait is for a condition and has a bound.

    with Broker() as broker, broker.client("lamp") as lamp, broker.manager() as adam:
        revision = lamp.call("put", "colour", "red")
        assert adam.call("manage", "lamp", "get", "colour") == "red"
"""

import collections
import ctypes
import ctypes.util
import functools
import itertools
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import msgpack
import zmq

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SUPPORT = pathlib.Path(__file__).resolve().parent

# Sanitizers make a program several times slower and larger; ctest says whether they are on.
SANITIZED = bool(os.environ.get("KV_SANITIZE"))
TIMEOUT = 60.0  # seconds before a test gives up waiting for anything: only a hang takes so long, on a busy machine too

DEFAULT_ACCOUNT = ("adam", "eve")
SANITIZER_REPORT = re.compile(r"(ERROR|WARNING|SUMMARY): \w*Sanitizer|runtime error:|LeakSanitizer")
ENDPOINT = re.compile(r"tcp://[^\s,;()'\"]+:\d+|ipc://[^\s,;()'\"]+")


class RpcError(Exception):
    """An error that the broker answered; detail is None where it had none."""

    def __init__(self, code, message, detail=None):
        super().__init__(f"{code}: {message}" + ("" if detail is None else f" ({detail!r})"))
        self.code = code
        self.message = message
        self.detail = detail


def binary_of(name):
    """Where a program of the build under test is: as ctest says, else the newest build's."""
    told = os.environ.get({"kvbroker": "KVBROKER", "kvzmq-cli": "KVZMQ_CLI"}[name])
    if told:
        return told
    built = [REPOSITORY / "build" / preset / "bin" / name for preset in ("dev", "release", "asan-ubsan")]
    built = [path for path in built if path.exists()]
    if not built:
        raise FileNotFoundError(f"{name} is not built: cmake --preset dev && cmake --build --preset dev")
    return str(max(built, key=lambda path: path.stat().st_mtime))


def wait_until(condition, timeout=TIMEOUT, what="the condition", interval=0.01):
    """Calls CONDITION until it gives something true, and returns that. Fails after TIMEOUT seconds."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come true within {timeout:g} s")
        pause.wait(interval)


_serial = itertools.count(1)


def unique(prefix):
    """A client's name that no other test of this process uses."""
    return f"{prefix}-{next(_serial)}"


def readable(source, seconds=0.0):
    """Whether SOURCE (a descriptor, or what has one) can be read, or its end was reached, within SECONDS. (select(2) takes
    no descriptor above 1,023.)"""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


@functools.lru_cache(maxsize=None)
def cheap_hash(password):
    """An argon2id hash at the lowest cost there is, so that tests that are not about its cost are quick."""
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
    assert sodium.sodium_init() >= 0
    text = ctypes.create_string_buffer(128)
    secret = password.encode()
    failed = sodium.crypto_pwhash_str_alg(text, secret, ctypes.c_ulonglong(len(secret)), ctypes.c_ulonglong(1),
                                          ctypes.c_size_t(8192), ctypes.c_int(2))
    assert failed == 0
    return text.value.decode()


SLOW_HASHES = {  # of 16 passes over 64 MiB
    "eve": "$argon2id$v=19$m=65536,t=16,p=1$QG0XO7ANxOVFWBSUmxifNA$zgxNfRTeffM29+S9HiVKFUxlH5MQzWvLpsk7EcO4nRw",
    "pace": "$argon2id$v=19$m=65536,t=16,p=1$hkbKJVMAefGN47mX+dVRYQ$sMNMX5St6whfAJ5VdzbdmzqVEYCpq+vjCqFoZSRnzXc",
}


def slow_hash(password):
    """An argon2id hash that takes about a second to verify, for tests of what happens meanwhile. (To make one takes as long.)"""
    return SLOW_HASHES[password]


@functools.lru_cache(maxsize=None)
def real_hash(password):
    """An argon2id hash as the broker's own command makes it, at its real cost."""
    done = subprocess.run([binary_of("kvbroker"), "hash-password"], input=password + "\n", text=True,
                          capture_output=True, timeout=TIMEOUT, check=True)
    return done.stdout.strip()


def zpl(tree, depth=0):
    """A ZPL configuration (RFC 4) from nested dictionaries."""
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
    """A kvbroker process with a configuration of its own, in a temporary folder, listening on free ports.

    accounts  managers: {user: password}; hashes={user: hash} adds accounts with a hash that is given
    names     {client name: hash of its secret} for the configuration
    options   {"session/timeout": 5, ...}: given as --set on the command line
    ipc       listen on ipc in the temporary folder rather than on tcp
    requests, events   lists of endpoints, instead of one free endpoint
    wait_endpoints     where names stand for several: how many there must be in all, at least
    """

    def __init__(self, accounts=None, names=None, options=None, ipc=False, requests=None, events=None, hashes=None,
                 binary=None, wrapper=(), arguments=(), wait_endpoints=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kvtest-"))
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
        self.wait_log(r"(?i)\bready\b", what="the line that says it is ready")
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
        """SIGTERM; the broker must end by itself, with status 0 and nothing that a sanitizer reports."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait_exit(0, timeout)

    def wait_exit(self, status, timeout=TIMEOUT):
        """The process must end with STATUS within TIMEOUT seconds."""
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
        """SIGKILL, and whatever it leaves behind."""
        self._abandon()

    def _abandon(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        if self._reader:
            self._reader.join(5)
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
        """Waits for a line of the log, from line number SINCE on, and returns it."""
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

    # -- what it holds

    @property
    def request_endpoint(self):
        return self.request_endpoints[0]

    @property
    def event_endpoint(self):
        return self.event_endpoints[0]

    def rss(self):
        """Bytes of memory that the process occupies."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) * 1024

    def processor_time(self):
        """Seconds of processor time that the process has taken, all its threads together: other programs do not add to it."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    # -- clients

    def client(self, identity=None, exact=False, **keywords):
        """A client. An IDENTITY that an earlier one had, which may be closed, gets another instance, unless EXACT: ZeroMQ lets
        go of a connection in its own time, and never answers a second one that came with its socket identity before that."""
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
        """A client that is logged in by the first account."""
        client = self.client(identity, **keywords)
        user, password = next(iter(self.accounts.items()))
        assert client.call("auth", user, password) == {"role": "manager"}
        return client

    def peer(self, *arguments, **keywords):
        return Peer(keywords.pop("endpoint", self.request_endpoint), *arguments, **keywords)


_context = None


def context():
    global _context  # one a process: pyzmq's own way, with room for many sockets
    if _context is None:
        _context = zmq.Context()
        _context.set(zmq.MAX_SOCKETS, 8192)
    return _context


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def unpack_all(payload):
    """The messages of a payload. What the broker sends must be whole, and its text valid UTF-8."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=True, max_buffer_size=2**31 - 1)
    unpacker.feed(payload)
    messages = list(unpacker)
    assert unpacker.tell() == len(payload), "an answer ends within a message"
    return messages


def check_response(message):
    """A response must have exactly the form of PROTOCOL.md section 2."""
    assert isinstance(message, list) and len(message) == 4 and message[0] == 1, message
    assert isinstance(message[1], int) and 0 <= message[1] < 2**32, message
    error = message[2]
    if error is not None:
        assert isinstance(error, list) and len(error) in (2, 3), message
        assert isinstance(error[0], str) and isinstance(error[1], str) and error[1], message
        assert message[3] is None, message
    return message


def outcome(message):
    """The result of a response, or an RpcError (returned, not raised)."""
    check_response(message)
    return message[3] if message[2] is None else RpcError(*message[2])


class Client:
    """A socket that speaks the protocol. DEALER, or REQ for one request at a time.

    pushed   messages that the broker sent unasked while an answer was waited for
    """

    def __init__(self, endpoint, identity=None, kind=zmq.DEALER, timeout=TIMEOUT, sockopt=None, process=None):
        self.endpoint = endpoint
        self.process = process  # the broker's, where known: nothing is waited for when it has ended
        self.timeout = timeout
        self.kind = kind
        self.socket = context().socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDTIMEO, int(timeout * 1000))
        for option, value in (sockopt or {}).items():
            self.socket.setsockopt(option, value)
        if identity is not None:
            self.socket.setsockopt(zmq.ROUTING_ID, identity if isinstance(identity, bytes) else identity.encode())
        self.pushed = collections.deque()
        self._messages = collections.deque()
        self._msgid = 0
        self.socket.connect(endpoint)

    def close(self):
        self.socket.close(0)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # -- frames

    def send_raw(self, payload):
        """Sends one payload as it is."""
        self.socket.send(payload)

    def send_frames(self, frames):
        self.socket.send_multipart(frames)

    def recv_frames(self, timeout=None):
        """The next message as it comes, a list of frames."""
        timeout = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + timeout
        while True:
            left = max(0.0, deadline - time.monotonic())
            if self.socket.poll(int(min(left, 0.2) * 1000)):
                return self.socket.recv_multipart()
            if self.process and self.process.poll() is not None and not self.socket.poll(1000):
                raise ConnectionError(f"the broker has ended, with status {self.process.returncode}")
            if left == 0.0:
                raise TimeoutError(f"nothing from {self.endpoint} within {timeout:g} s")

    def recv_payload(self, timeout=None):
        frames = self.recv_frames(timeout)
        assert len(frames) == 1, frames
        return frames[0]

    def exchange(self, payload, timeout=None):
        """Sends PAYLOAD and returns the messages of the answer's payload."""
        self.send_raw(payload)
        return unpack_all(self.recv_payload(timeout))

    def silent(self, seconds):
        """Whether nothing comes for so long."""
        return not self._messages and not self.socket.poll(int(seconds * 1000))

    # -- messages

    def recv(self, timeout=None):
        """The next message, a response or a notification of the broker's."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self._messages:
            self._messages.extend(unpack_all(self.recv_payload(max(0.0, deadline - time.monotonic()))))
        return self._messages.popleft()

    def recv_response(self, timeout=None):
        """The next response; what was pushed before it goes to `pushed`."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            message = self.recv(max(0.0, deadline - time.monotonic()))
            if isinstance(message, list) and message and message[0] == 2:
                self.pushed.append(message)
            else:
                return check_response(message)

    def recv_push(self, timeout=None):
        """The next message that the broker sends unasked."""
        if self.pushed:
            return self.pushed.popleft()
        message = self.recv(timeout)
        assert isinstance(message, list) and message[0] == 2, message
        return message

    def request(self, method, *params):
        """Sends a request without waiting; returns its msgid."""
        self._msgid = self._msgid % 0xFFFFFFFF + 1
        self.send_raw(pack([0, self._msgid, method, list(params)]))
        return self._msgid

    def notify(self, method, *params):
        self.send_raw(pack([2, method, list(params)]))

    def result(self, msgid, timeout=None):
        """The result of a request that was sent; raises the RpcError that it was answered with."""
        response = self.recv_response(timeout)
        assert response[1] == msgid, (response, msgid)
        result = outcome(response)
        if isinstance(result, RpcError):
            raise result
        return result

    def call(self, method, *params, timeout=None):
        return self.result(self.request(method, *params), timeout)

    def code(self, method, *params, timeout=None):
        """The error code that a request is answered with, or None."""
        try:
            self.call(method, *params, timeout=timeout)
        except RpcError as error:
            return error.code
        return None

    def batch(self, *requests, timeout=None):
        """Sends requests (method, params…) in one payload; returns results and RpcErrors in their order."""
        first = self._msgid + 1
        self._msgid += len(requests)
        payload = b"".join(pack([0, first + index, request[0], list(request[1:])])
                           for index, request in enumerate(requests))
        answers = self.exchange(payload, timeout)
        assert [answer[1] for answer in answers] == list(range(first, first + len(requests))), answers
        return [outcome(answer) for answer in answers]


class Peer:
    """A process of its own with sockets of its own: something that can be killed. See peer.py for what it does."""

    def __init__(self, endpoint, **open_options):
        self.endpoint = endpoint
        self.process = subprocess.Popen([sys.executable, str(SUPPORT / "peer.py"), endpoint], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        if open_options.pop("open", True):
            self.hello = self.do("open", **open_options)

    def start(self, operation, **arguments):
        """Asks for something without waiting for its answer."""
        self.process.stdin.write(json.dumps({"do": operation, **arguments}) + "\n")
        self.process.stdin.flush()

    def answer(self, timeout=3 * TIMEOUT):
        """The answer to what was asked. Fails where the process ends or fails."""
        if not readable(self.process.stdout, timeout):
            raise TimeoutError(f"no answer from the peer process within {timeout:g} s")
        line = self.process.stdout.readline()
        assert line, f"the peer process ended with {self.process.wait()}"
        return json.loads(line)

    def do(self, operation, **arguments):
        self.start(operation, **arguments)
        return self.answer()

    def kill(self):
        """SIGKILL: the system closes its connections, nothing says goodbye."""
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

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class RawPeer:
    """A ZMTP 3.0 connection byte by byte, for what no ZeroMQ library would send."""

    MORE, LONG, COMMAND = 1, 2, 4

    def __init__(self, endpoint, identity=b"", kind=b"DEALER", handshake=True, receive_buffer=None):
        ipc, address = endpoint.startswith("ipc://"), endpoint.split("://", 1)[1]
        self.socket = socket.socket(socket.AF_UNIX if ipc else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        if receive_buffer:  # before connecting: Linux stalls both directions of a connection whose window shrinks
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        host, _, port = address.rpartition(":")
        self.socket.connect(address if ipc else (host, int(port)))
        if handshake:
            self.handshake(identity, kind)

    def handshake(self, identity, kind):
        self.send(b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31))
        self.read(64)
        body = b"\x05READY" + self.metadata(b"Socket-Type", kind) + self.metadata(b"Identity", identity)
        self.send(bytes([self.COMMAND, len(body)]) + body)
        flags, ready = self.read_any_frame()
        assert flags & self.COMMAND and ready.startswith(b"\x05READY"), (flags, ready)

    @staticmethod
    def metadata(name, value):
        return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value

    def send(self, data):
        self.socket.sendall(data)

    @classmethod
    def frame(cls, body, more=False):
        flags = cls.MORE if more else 0
        if len(body) > 255:
            return bytes([flags | cls.LONG]) + struct.pack(">Q", len(body)) + body
        return bytes([flags, len(body)]) + body

    def send_frame(self, body, more=False):
        self.send(self.frame(body, more))

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError(f"the broker closed the connection after {len(data)} of {size} bytes")
            data += piece
        return data

    def read_any_frame(self):
        flags = self.read(1)[0]
        size = struct.unpack(">Q", self.read(8))[0] if flags & self.LONG else self.read(1)[0]
        return flags, self.read(size)

    def read_frame(self):
        """The next frame of a message: flags and body. Heartbeats between are answered."""
        while True:
            flags, body = self.read_any_frame()
            if not flags & self.COMMAND:
                return flags, body
            if body.startswith(b"\x04PING"):
                pong = b"\x04PONG" + body[7:]  # with the context that stands behind the two bytes of TTL
                self.send(bytes([self.COMMAND, len(pong)]) + pong)

    def closed(self, timeout=TIMEOUT):
        """Waits until the broker has closed the connection; what it still sent is dropped."""
        self.socket.settimeout(timeout)
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def park(manager, client, *behind, user="slow", password="eve"):
    """Has CLIENT wait for a password that takes long to verify (slow_hash), with the requests BEHIND it (method, params…) in
    the same payload; their msgids are 1, 2, …. Returns once the broker has it."""
    before = manager.call("stats")["requests_total"]
    client.send_raw(b"".join(pack([0, msgid, method, list(params)])
                             for msgid, (method, *params) in enumerate((("auth", user, password), *behind), 1)))
    asked = itertools.count(2)  # this one, and the questions themselves
    wait_until(lambda: manager.call("stats")["requests_total"] >= before + next(asked), what="the request is there")


def clients_of(manager, prefix=""):
    """Every client that the broker knows, by id: all pages of `clients`."""
    found = {}
    options = {"limit": 10000}
    if prefix:
        options["prefix"] = prefix
    while True:
        page = manager.call("clients", options)
        for entry in page["clients"]:
            found[entry["id"]] = entry
        if not page["more"]:
            return found
        options["after"] = page["clients"][-1]["id"]


def digests_of(manager):
    """{client: digest} of every store with keys. (Who has none may be gone by the time one asks.)"""
    return {name: manager.call("manage", name, "digest")["digest"]
            for name, client in clients_of(manager).items() if client["keys"]}
