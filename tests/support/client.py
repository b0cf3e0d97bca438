# SPDX-License-Identifier: MPL-2.0
"""Clients made with only pyzmq and msgpack. They know the protocol, and use no code of libkvzmq."""

import collections
import itertools
import time

import zmq

from closing import Closing
from rpc import RpcError, check_response, outcome, pack, unpack_all
from waiting import TIMEOUT

_serial = itertools.count(1)


def unique(prefix):
    """Returns a client name that no other test of this process uses."""
    return f"{prefix}-{next(_serial)}"


_context = None


def context():
    global _context  # one for the process, as pyzmq recommends, but with room for many sockets
    if _context is None:
        _context = zmq.Context()
        _context.set(zmq.MAX_SOCKETS, 8192)
    return _context


class Client(Closing):
    """A socket that speaks the protocol. DEALER, or REQ for one request at a time.

    pushed   messages that the broker pushed while an answer was waited for
    """

    def __init__(self, endpoint, identity=None, kind=zmq.DEALER, timeout=TIMEOUT, sockopt=None, process=None):
        self.endpoint = endpoint
        self.process = process  # the broker's, if known: do not wait for answers after it has ended
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

    # -- frames

    def send_raw(self, payload):
        """Sends one payload as it is."""
        self.socket.send(payload)

    def send_frames(self, frames):
        self.socket.send_multipart(frames)

    def recv_frames(self, timeout=None):
        """Returns the next message as a list of frames."""
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
        """Whether nothing comes for SECONDS."""
        return not self._messages and not self.socket.poll(int(seconds * 1000))

    # -- messages

    def recv(self, timeout=None):
        """Returns the next message: a response or a push."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self._messages:
            self._messages.extend(unpack_all(self.recv_payload(max(0.0, deadline - time.monotonic()))))
        return self._messages.popleft()

    def recv_response(self, timeout=None):
        """Returns the next response. Pushes before it go to `pushed`."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            message = self.recv(max(0.0, deadline - time.monotonic()))
            if isinstance(message, list) and message and message[0] == 2:
                self.pushed.append(message)
            else:
                return check_response(message)

    def recv_push(self, timeout=None):
        """Returns the next push."""
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
        """Returns the result of a request that was sent, or raises the RpcError that answered it."""
        response = self.recv_response(timeout)
        assert response[1] == msgid, (response, msgid)
        result = outcome(response)
        if isinstance(result, RpcError):
            raise result
        return result

    def call(self, method, *params, timeout=None):
        return self.result(self.request(method, *params), timeout)

    def error(self, method, *params, timeout=None):
        """Sends a request and returns the RpcError that answers it, or None."""
        try:
            self.call(method, *params, timeout=timeout)
        except RpcError as error:
            return error
        return None

    def code(self, method, *params, timeout=None):
        """Sends a request and returns the error code of its answer, or None."""
        error = self.error(method, *params, timeout=timeout)
        return error and error.code

    def out_of_range(self, method, *params):
        """Sends a request that must fail with OUT_OF_RANGE. Returns the seq in its answer."""
        error = self.error(method, *params)
        assert error and error.code == "OUT_OF_RANGE", error
        return error.detail

    def whoami(self):
        """Returns the id of the client that its session belongs to."""
        return self.call("hello")["client"]

    def seq(self):
        """Returns the number of the broker's last change."""
        return self.call("digest")["seq"]

    def batch(self, *requests, timeout=None):
        """Sends requests (method, params…) in one payload; returns results and RpcErrors in their order."""
        first = self._msgid + 1
        self._msgid += len(requests)
        payload = b"".join(pack([0, first + index, request[0], list(request[1:])])
                           for index, request in enumerate(requests))
        answers = self.exchange(payload, timeout)
        assert [answer[1] for answer in answers] == list(range(first, first + len(requests))), answers
        return [outcome(answer) for answer in answers]
