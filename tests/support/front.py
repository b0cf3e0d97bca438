# SPDX-License-Identifier: MPL-2.0
"""A socket that a program takes for a broker. It answers only what a test forwards."""

import zmq

from client import context
from closing import Closing
from waiting import TIMEOUT


class Front(Closing):
    """A ROUTER socket at ENDPOINT."""

    def __init__(self, endpoint="tcp://127.0.0.1:*"):
        self.socket = context().socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(endpoint)
        self.endpoint = self.socket.get(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()

    def wait_asked(self):
        """Waits for the next request, and leaves it there."""
        assert self.socket.poll(int(TIMEOUT * 1000)), "nothing was asked"

    def take(self):
        """Receives the next request. Returns the identity of its sender, and its payload."""
        self.wait_asked()
        return self.socket.recv_multipart()

    def forward(self, behind, count=1):
        """Sends the next COUNT requests to a broker through the client BEHIND, and returns the answers to their senders."""
        for _ in range(count):
            identity, payload = self.take()
            behind.send_raw(payload)
            self.socket.send_multipart([identity, behind.recv_payload()])

    def close(self):
        self.socket.close()
