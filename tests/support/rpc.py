# SPDX-License-Identifier: MPL-2.0
"""Messages of the protocol (PROTOCOL.md section 2), encoded with msgpack."""

import msgpack


class RpcError(Exception):
    """An error that the broker answered. `detail` is None if it had none."""

    def __init__(self, code, message, detail=None):
        super().__init__(f"{code}: {message}" + ("" if detail is None else f" ({detail!r})"))
        self.code = code
        self.message = message
        self.detail = detail


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def unpack_all(payload):
    """Returns the messages of a payload. Fails unless they are complete and their texts are valid UTF-8."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=True, max_buffer_size=2**31 - 1)
    unpacker.feed(payload)
    messages = list(unpacker)
    assert unpacker.tell() == len(payload), "an answer ends within a message"
    return messages


def check_response(message):
    """Checks that a response has exactly the form of PROTOCOL.md section 2, and returns it."""
    assert isinstance(message, list) and len(message) == 4 and message[0] == 1, message
    assert isinstance(message[1], int) and 0 <= message[1] < 2**32, message
    error = message[2]
    if error is not None:
        assert isinstance(error, list) and len(error) in (2, 3), message
        assert isinstance(error[0], str) and isinstance(error[1], str) and error[1], message
        assert message[3] is None, message
    return message


def outcome(message):
    """Returns the result of a response, or an RpcError (returned, not raised)."""
    check_response(message)
    return message[3] if message[2] is None else RpcError(*message[2])


def codes(answers):
    """Returns (msgid, error code) of each answer. The code of a result is None."""
    return [(check_response(answer)[1], answer[2] and answer[2][0]) for answer in answers]
