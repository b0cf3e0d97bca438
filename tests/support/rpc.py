# SPDX-License-Identifier: MPL-2.0
"""Messages of the protocol (PROTOCOL.md section 2), by msgpack alone."""

import msgpack


class RpcError(Exception):
    """An error that the broker answered; detail is None where it had none."""

    def __init__(self, code, message, detail=None):
        super().__init__(f"{code}: {message}" + ("" if detail is None else f" ({detail!r})"))
        self.code = code
        self.message = message
        self.detail = detail


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
