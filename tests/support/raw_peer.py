# SPDX-License-Identifier: MPL-2.0
"""A peer that does not use a ZeroMQ library."""

import socket
import struct

from closing import Closing
from waiting import TIMEOUT


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
        """Returns the flags and the body of the next frame of a message. Answers heartbeats before it."""
        while True:
            flags, body = self.read_any_frame()
            if not flags & self.COMMAND:
                return flags, body
            if body.startswith(b"\x04PING"):
                pong = b"\x04PONG" + body[7:]  # with the context, which follows the two bytes of TTL
                self.send(bytes([self.COMMAND, len(pong)]) + pong)

    def closed(self, timeout=TIMEOUT):
        """Waits until the broker has closed the connection. Discards what it still sent."""
        self.socket.settimeout(timeout)
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        return True

    def close(self):
        self.socket.close()
