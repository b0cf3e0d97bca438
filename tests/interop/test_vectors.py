# SPDX-License-Identifier: MPL-2.0
"""The golden wire vectors (tests/vectors), checked with msgpack for Python, as an independent client reads them."""
import json

import msgpack
import pytest

from project import REPOSITORY

VECTORS = REPOSITORY / "tests" / "vectors"
DEPTH = 8


class Pairs(list):
    """A map as its pairs in order: keys that are maps or arrays, and keys given twice, stay visible."""


def load(name):
    vectors = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def value(meaning):
    if isinstance(meaning, list):
        return [value(item) for item in meaning]
    if isinstance(meaning, dict):
        (tag, content), = meaning.items()
        if tag == "bin":
            return bytes.fromhex(content)
        if tag == "uint":
            return int(content)
        return Pairs((value(key), value(item)) for key, item in content)
    return meaning


def message(meaning):
    (kind, parts), = meaning.items()
    parts = value(parts)
    if kind == "request":
        return [0, *parts]
    if kind == "notification":
        return [2, *parts]
    if kind == "result":
        return [1, parts[0], None, parts[1]]
    return [1, parts[0], parts[1:], None]


def pack(item):
    packer = msgpack.Packer(use_bin_type=True)
    if isinstance(item, Pairs):
        return packer.pack_map_header(len(item)) + b"".join(pack(key) + pack(inner) for key, inner in item)
    if isinstance(item, list):
        return packer.pack_array_header(len(item)) + b"".join(pack(inner) for inner in item)
    return packer.pack(item)


def unpack(payload):
    """Returns the complete values of the payload, and whether it is broken after them."""
    unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", strict_map_key=False,
                                object_pairs_hook=Pairs, max_buffer_size=1 << 20)
    unpacker.feed(payload)
    values = []
    end = 0
    while end < len(payload):
        try:
            values.append(unpacker.unpack())
        except (msgpack.UnpackException, ValueError):
            return values, True
        end = unpacker.tell()
    return values, not payload


def sound(item, depth=1):
    """Whether a message may contain ITEM: no floats, no ext, no str that is not UTF-8, at most 8 levels."""
    if isinstance(item, str):
        return all(not 0xD800 <= ord(c) <= 0xDFFF for c in item)
    if isinstance(item, (Pairs, list)):
        inner = [part for pair in item for part in pair] if isinstance(item, Pairs) else item
        return depth <= DEPTH and all(sound(part, depth + 1) for part in inner)
    return item is None or isinstance(item, (bool, int, bytes))


def is_array(item):
    return isinstance(item, list) and not isinstance(item, Pairs)


def is_number(item, top=2**64):
    return isinstance(item, int) and not isinstance(item, bool) and 0 <= item < top


def begins_with(item, number):
    return is_array(item) and len(item) > 0 and is_number(item[0]) and item[0] == number


def is_notification(item):
    return (sound(item) and begins_with(item, 2) and len(item) == 3 and isinstance(item[1], (str, bytes))
            and is_array(item[2]))


def is_request(item):
    return (sound(item) and begins_with(item, 0) and len(item) == 4 and is_number(item[1], 2**32)
            and isinstance(item[2], (str, bytes)) and is_array(item[3]))


def is_error(item):
    return (is_array(item) and len(item) in (2, 3) and all(isinstance(part, (str, bytes)) for part in item[:2])
            and all(is_number(part) for part in item[2:]))


def is_response(item):
    return (begins_with(item, 1) and len(item) == 4 and is_number(item[1], 2**32)
            and (item[2] is None or is_error(item[2])))


def msgid(item, kind):
    """Returns the msgid of the answer to an ill-formed message, PROTOCOL.md section 2."""
    return item[1] if begins_with(item, kind) and len(item) > 1 and is_number(item[1], 2**32) else 0


def check(vector, is_message, kind):
    payload = bytes.fromhex(vector["hex"])
    values, broken = unpack(payload)
    means = vector["means"]
    if "broken" in means[-1]:
        assert broken
        means = means[:-1]
    else:
        assert not broken
    assert len(values) == len(means)
    for item, meaning in zip(values, means):
        if "ill_formed" in meaning:
            assert not is_message(item)
            assert msgid(item, kind) == meaning["ill_formed"]
            assert begins_with(item, 2) != meaning.get("answered", True) or kind == 1
        else:
            assert is_message(item)
            assert repr(item) == repr(message(meaning))  # repr, because 1 == True
    if vector.get("canonical", True):
        assert b"".join(pack(message(meaning)) for meaning in means) == payload


@pytest.mark.parametrize("vector", load("to_broker.json"))
def test_to_broker__is_read_and_written_as_it_means(vector):
    check(vector, lambda item: is_request(item) or is_notification(item), 0)


@pytest.mark.parametrize("vector", load("to_broker_odd.json"))
def test_to_broker_odd__is_read_as_it_means(vector):
    check(vector, lambda item: is_request(item) or is_notification(item), 0)


@pytest.mark.parametrize("vector", load("to_client.json"))
def test_to_client__is_read_and_written_as_it_means(vector):
    check(vector, lambda item: is_response(item) or is_notification(item), 1)


def plainly(payload):
    """Returns the kind of text that PAYLOAD is by PROTOCOL.md section 2, *Text by mistake*, or None."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    if len(payload) < 2 or any(ord(c) < 32 and c not in "\t\n\r" for c in text):
        return None
    text = text.lstrip(" \t\n\r")
    methods = ("GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PATCH ", "HTTP/")
    return "JSON" if text.startswith(("{", "[")) else "HTTP" if text.startswith(methods) else "text"


@pytest.mark.parametrize("vector", load("foreign.json"))
def test_foreign__is_what_it_is_said_to_be(vector):
    payload = bytes.fromhex(vector["hex"])
    assert plainly(payload) == vector["is"]
    values, _ = unpack(payload)
    assert vector["is"] is None or not any(is_request(item) or is_notification(item) for item in values)


def test_every_method_of_the_protocol__has_a_vector():
    protocol = (REPOSITORY / "common" / "PROTOCOL.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in protocol.splitlines() if line.startswith(("| G |", "| M |"))]
    methods = {row[2].split("`")[1].split()[0] for row in rows}
    assert len(methods) >= 18
    vectors = json.loads((VECTORS / "to_broker.json").read_text(encoding="utf-8"))
    sent = {meaning["request"][1] for vector in vectors for meaning in vector["means"] if "request" in meaning}
    assert methods <= sent
