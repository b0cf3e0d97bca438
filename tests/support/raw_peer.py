# SPDX-License-Identifier: MPL-2.0
"""A peer that does not use a ZeroMQ library."""

import socket
import struct

from closing import Closing
from waiting import TIMEOUT

GREETING_SIZE = 64


class RawPeer(Closing):
    """A ZMTP 3.0 connection, byte by byte, that can send what no ZeroMQ library would send."""

    MORE, LONG, COMMAND = 1, 2, 4

    def __init__(self, endpoint, identity=b"", kind=b"DEALER", handshake=True, receive_buffer=None):
        ipc, address = endpoint.startswith("ipc://"), endpoint.split("://", 1)[1]
        self.socket = socket.socket(socket.AF_UNIX if ipc else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        if receive_buffer:  # set it before connecting: if the window shrinks later, Linux stalls both directions
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        host, _, port = address.rpartition(":")
        self.socket.connect(address if ipc else (host, int(port)))
        if handshake:
            self.handshake(identity, kind)

    def handshake(self, identity, kind):
        self.send(self.greeting())
        self.read(GREETING_SIZE)
        self.send(self.ready(kind, identity))
        self.read_command(b"\x05READY")

    @staticmethod
    def greeting(mechanism=b"NULL"):
        """Returns the greeting of a client with ZMTP 3.0."""
        return b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32)

    @classmethod
    def ready(cls, kind=b"DEALER", identity=b""):
        return cls.command(b"\x05READY" + cls.metadata(b"Socket-Type", kind) + cls.metadata(b"Identity", identity))

    @staticmethod
    def metadata(name, value):
        return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value

    def send(self, data):
        self.socket.sendall(data)

    @classmethod
    def frame(cls, body, flags=0):
        if len(body) > 255:
            return bytes([flags | cls.LONG]) + struct.pack(">Q", len(body)) + body
        return bytes([flags, len(body)]) + body

    @classmethod
    def command(cls, body):
        return cls.frame(body, cls.COMMAND)

    def send_frame(self, body, flags=0):
        self.send(self.frame(body, flags))

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

    def read_command(self, name):
        """Reads a frame, which must be the command NAME."""
        flags, body = self.read_any_frame()
        assert flags & self.COMMAND and body.startswith(name), (flags, body)

    def read_frame(self):
        """Returns the flags and the body of the next frame of a message. Answers heartbeats before it."""
        while True:
            flags, body = self.read_any_frame()
            if not flags & self.COMMAND:
                return flags, body
            if body.startswith(b"\x04PING"):
                self.send(self.command(b"\x04PONG" + body[7:]))  # with the context, which follows the two bytes of TTL

    def closed(self, timeout=TIMEOUT):
        """Waits until the broker has closed the connection. Discards what it still sent."""
        self.socket.settimeout(timeout)
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    def reset_at_close(self):
        """Lets `close` reset the connection. The broker may not receive what was sent last."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self):
        self.socket.close()
