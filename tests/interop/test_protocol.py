# SPDX-License-Identifier: MPL-2.0
"""Frames, envelopes, batches and messages: PROTOCOL.md, sections 1 and 2."""

import re
import struct

import msgpack
import pytest
import zmq

from broker import Broker
from managing import wait_disconnected
from rpc import RpcError, codes, outcome, pack, unpack_all


def ping(msgid):
    return pack([0, msgid, "ping", []])


def nested(depth):
    """Returns DEPTH arrays, each within the one before."""
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


# -- frames and envelopes


def test_dealer__one_frame__is_answered_with_one_frame(client):
    client.send_raw(ping(7))
    assert [unpack_all(frame) for frame in client.recv_frames()] == [[[1, 7, None, "pong"]]]


def test_req__is_served(broker):
    with broker.client(kind=zmq.REQ) as client:
        assert client.call("ping") == "pong"
        assert client.call("put", "k", "v") > 0
        assert client.call("get", "k") == "v"


@pytest.mark.parametrize("envelope", ([b""], [b"request 7", b""], [b"a", b"b", b"\0\xff", b""]), ids=len)
def test_envelope__is_sent_back_before_the_answer(client, envelope):
    client.send_frames([*envelope, ping(7)])
    assert client.recv_frames() == [*envelope, pack([1, 7, None, "pong"])]


@pytest.mark.parametrize("frames", ([b"a", ping(7)], [ping(7), ping(8)], [b"a", b"b", b"c", ping(7)], [ping(7), b""]),
                         ids=("2", "2 payloads", "4", "empty last"))
def test_frames__without_an_empty_one_before_the_payload__one_error_in_one_frame(client, frames):
    client.send_frames(frames)
    assert codes(unpack_all(client.recv_payload())) == [(0, "INVALID_ARGUMENT")]
    assert client.call("ping") == "pong"


def test_envelope__only_notifications__is_answered_with_an_empty_payload(client):
    client.send_frames([b"", pack([2, "put", ["k", "v"]])])
    assert client.recv_frames() == [b"", b""]
    client.send_frames([b"", pack([0, 1, "get", ["k"]])])
    assert client.recv_frames() == [b"", pack([1, 1, None, "v"])]


def test_req__only_notifications__may_ask_again(broker):
    with broker.client(kind=zmq.REQ) as client:
        client.notify("put", "k", "v")
        assert client.recv_payload() == b""
        assert client.call("get", "k") == "v"


# -- batches and notifications


def test_batch__is_answered_in_one_payload_in_order(client):
    assert client.batch(("put", "k", "1"), ("get", "k"), ("put", "k", "2"), ("nonsense",), ("get", "k"))[1::3] == ["1", "2"]


def test_batch__one_error__the_rest_is_carried_out(client):
    results = client.batch(("put", "k", "v"), ("get", 7), ("get", "k"))
    assert isinstance(results[1], RpcError) and results[1].code == "INVALID_ARGUMENT"
    assert results[2] == "v"


def test_payloads__are_carried_out_in_order(client):
    msgids = [client.request("put", "k", str(number)) for number in range(500)]
    revisions = [client.result(msgid) for msgid in msgids]
    assert revisions == sorted(revisions)
    assert client.call("get", "k") == "499"


def test_notification__is_carried_out_and_never_answered(client):
    client.notify("put", "k", "v")
    client.notify("nonsense")
    client.notify("get")
    client.notify("put", "k", "v", {"nonsense": 1})
    client.notify("clients")
    assert client.call("get", "k") == "v"  # the first answer that comes


def test_batch__with_notifications__answers_the_requests_alone(client):
    answers = client.exchange(pack([2, "put", ["k", "v"]]) + ping(1) + pack([2, "nonsense", []]) + pack([0, 2, "get", ["k"]]))
    assert answers == [[1, 1, None, "pong"], [1, 2, None, "v"]]


def test_batch__at_the_limit__is_carried_out(client):
    answers = client.exchange(b"".join(ping(number) for number in range(4096)))
    assert [answer[1] for answer in answers] == list(range(4096))


def test_batch__one_past_the_limit__one_error_and_nothing_is_carried_out(client):
    payload = pack([0, 1, "put", ["past", "v"]]) + b"".join(ping(number) for number in range(4096))
    assert codes(client.exchange(payload)) == [(0, "INVALID_ARGUMENT")]
    assert client.call("get", "past") is None


def test_batch__notifications_count(client):
    payload = pack([2, "put", ["past", "v"]]) * 4097
    assert codes(client.exchange(payload)) == [(0, "INVALID_ARGUMENT")]
    assert client.call("get", "past") is None


def test_batch__ill_formed_messages_count():
    with Broker(options={"limits/batch": 4}) as broker, broker.client() as client:
        assert len(client.exchange(ping(1) + b"\x07" * 3)) == 4
        assert codes(client.exchange(ping(1) + b"\x07" * 4)) == [(0, "INVALID_ARGUMENT")]


# -- broken payloads


@pytest.mark.parametrize("broken", (b"\xc1", b"\x94\x00", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xd9", b"\xcf\x00",
                                    b"\x94\x00\x01\xa4pin"), ids=bytes.hex)
def test_break__what_stands_before_is_answered_then_one_error_that_says_where(client, broken):
    before = pack([0, 5, "put", ["k", "before"]]) + ping(6)
    answers = client.exchange(before + broken)
    assert codes(answers) == [(5, None), (6, None), (0, "INVALID_ARGUMENT")]
    offsets = [int(number) for number in re.findall(r"\d+", answers[2][2][1])]
    assert any(len(before) <= offset <= len(before + broken) for offset in offsets), answers[2]
    assert client.call("get", "k") == "before"


def test_break__the_rest_is_dropped(client):
    answers = client.exchange(ping(1) + b"\xc1" + pack([0, 2, "put", ["rest", "v"]]))
    assert codes(answers) == [(1, None), (0, "INVALID_ARGUMENT")]
    assert client.call("get", "rest") is None


def test_break__says_the_byte(client):
    message = client.exchange(ping(1) + b"\xc1")[1][2][1]
    assert str(len(ping(1))) in re.findall(r"\d+", message)


def test_break__empty_payload__at_byte_0(client):
    answers = client.exchange(b"")
    assert codes(answers) == [(0, "INVALID_ARGUMENT")]
    assert "0" in re.findall(r"\d+", answers[0][2][1])


def test_break__empty_payload_in_an_envelope__is_answered_with_the_envelope(client):
    client.send_frames([b"r", b"", b""])
    envelope, empty, payload = client.recv_frames()
    assert (envelope, empty) == (b"r", b"")
    assert codes(unpack_all(payload)) == [(0, "INVALID_ARGUMENT")]


def test_break__after_notifications__is_answered(client):
    assert codes(client.exchange(pack([2, "ping", []]) + b"\xc1")) == [(0, "INVALID_ARGUMENT")]


# -- ill-formed messages


@pytest.mark.parametrize("message", (
    [0, 5], [0, 5, "ping"], [0, 5, "ping", [], 1], [0, 5, 7, []], [0, 5, None, []], [0, 5, "ping", {}], [0, 5, "ping", None],
    [0, 5, "ping", "x"], [0, 5, [], []], [0, 5, "ping", [1.5]], [0, 5, "put", ["k", 1.5]], [0, 5, "nonsense", [float("nan")]],
    [0, 5, "put", ["k", msgpack.ExtType(1, b"x")]], [0, 5, "put", ["k", msgpack.Timestamp(1, 0)]]), ids=repr)
def test_ill_formed__with_a_msgid__is_answered_with_it(client, message):
    assert codes(client.exchange(pack(message) + ping(6))) == [(5, "INVALID_ARGUMENT"), (6, None)]


@pytest.mark.parametrize("message", (
    7, -1, None, True, "ping", b"ping", {}, {0: 5}, [], [0], [1], [3, 5, "ping", []], [-1, 5, "ping", []], [None],
    [0, "5", "ping", []], [0, -5, "ping", []], [0, 2**32, "ping", []], [0, 2**63, "ping", []], [0, None, "ping", []],
    [0, [5], "ping", []], [1, 5, None, "x"], ["0", 5, "ping", []], [[0], 5, "ping", []], 1.5, [1.5], [0, 1.5, "ping", []],
    msgpack.ExtType(5, b"")), ids=repr)
def test_ill_formed__without_a_msgid__is_answered_with_0(client, message):
    assert codes(client.exchange(pack(message) + ping(6))) == [(0, "INVALID_ARGUMENT"), (6, None)]


@pytest.mark.parametrize("message", (
    [2], [2, "ping"], [2, 5, []], [2, "ping", {}], [2, "ping", [], 1], [2, "put", ["k", 1.5]], [2, nested(9)], [2, "\ud800"]),
    ids=repr)
def test_ill_formed__notification__gets_nothing(client, message):
    payload = msgpack.packb(message, use_bin_type=True, unicode_errors="surrogatepass")
    assert client.exchange(payload + ping(6)) == [[1, 6, None, "pong"]]


@pytest.mark.parametrize("payload, what", (
    (b'{"method":"ping"}', "JSON"), (b'[0, 1, "ping", []]', "JSON"), ('{"größe": 3}'.encode(), "JSON"),
    (b'{"key": "' + b"x" * 10000 + b'"}', "JSON"), (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP"),
    (b"POST /put HTTP/1.1\r\n\r\n{}", "HTTP"), (b"Hello", "text"), (b"put city Kolkata\n", "text")), ids=repr)
def test_text_by_mistake__is_one_error_that_says_so_and_what_is_expected(client, payload, what):
    answers = client.exchange(payload)
    assert codes(answers) == [(0, "INVALID_ARGUMENT")]
    assert answers[0][2][1] == f"this is {what}, not MessagePack: send an array, [0, msgid, method, params]"
    client.send_frames([b"r", b"", payload])
    assert client.recv_frames() == [b"r", b"", pack(answers[0])]
    assert client.exchange(ping(6)) == [[1, 6, None, "pong"]]


@pytest.mark.parametrize("before", (b'{"method":"ping"}', b"GET / HTTP/1.1\r\n\r\n", "ärger".encode()), ids=repr)
def test_text__with_a_message_in_it__is_read_as_before(client, before):
    for payload in (before + ping(6), ping(6) + before, before + pack([2, "ping", []]) + ping(6)):
        answers = client.exchange(payload)
        assert len(answers) > 2 and all(answer[:2] == [1, 0] for answer in answers if answer[3] != "pong")


def test_depth__8_is_well_formed_9_is_not(client):
    # The message is level 1, its params level 2. The code shows whether a message with an unknown method was well-formed.
    assert codes(client.exchange(pack([0, 5, "nonsense", nested(7)]))) == [(5, "UNIMPLEMENTED")]
    assert codes(client.exchange(pack([0, 5, "nonsense", nested(8)]) + ping(6))) == [(5, "INVALID_ARGUMENT"), (6, None)]


def test_depth__maps_count(client):
    value = {}
    for _ in range(5):
        value = {"x": value}
    assert codes(client.exchange(pack([0, 5, "nonsense", [value]]))) == [(5, "UNIMPLEMENTED")]
    assert codes(client.exchange(pack([0, 5, "nonsense", [{"x": value}]]))) == [(5, "INVALID_ARGUMENT")]


def test_depth__a_very_deep_message__is_skipped_whole(client):
    deep = b"\x94\x00\x05\xa4ping" + b"\x91" * 100000 + b"\x90"
    assert codes(client.exchange(deep + ping(6))) == [(5, "INVALID_ARGUMENT"), (6, None)]


# -- text

BAD_UTF8 = (b"\xff", b"\xc3", b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"ok\x80")


def raw_str(data):
    return bytes([0xa0 | len(data)]) + data


@pytest.mark.parametrize("bad", BAD_UTF8, ids=bytes.hex)
def test_utf8__bad_str_anywhere__is_ill_formed(client, bad):
    text = raw_str(bad)
    put = b"\x94\x00\x05\xa3put"
    for message in (b"\x94\x00\x05" + text + b"\x90", put + b"\x92" + text + b"\xa1v", put + b"\x92\xa1k" + text,
                    put + b"\x93\xa1k\xa1v\x81" + text + b"\x01", b"\x94\x00\x05\xa8nonsense\x91\x91" + text):
        assert codes(client.exchange(message + ping(6))) == [(5, "INVALID_ARGUMENT"), (6, None)]


@pytest.mark.parametrize("bad", BAD_UTF8, ids=bytes.hex)
def test_utf8__bin__fails_only_where_text_is_required(client, bad):
    assert client.code("put", "k", bad) is None
    assert client.call("get", "k") == bad
    assert client.code("put", bad, "v") == "INVALID_ARGUMENT"
    assert client.code("get", bad) == "INVALID_ARGUMENT"
    assert client.code("list", bad) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("text", ("ä€😀", "\0", "a\0b", "\U0010ffff", "\ud7ff\ue000", "\n\t\x1b[31m"), ids=ascii)
def test_utf8__valid_text__is_kept(client, text):
    client.call("put", text, text)
    assert client.call("get", text) == text
    assert client.call("list", text)["entries"][0][:2] == [text, text]


@pytest.mark.parametrize("method", ("n\x1b[31m", "ä" * 300, "x" * 100000, "\0", "🎉"), ids=lambda text: ascii(text[:8]))
def test_errors__quote_input_escaped_and_cut(client, method):
    error = client.error(method)
    assert error.code == "UNIMPLEMENTED"
    assert len(error.message) < 1000
    assert error.message.isprintable()


def test_str_and_bin__are_accepted_everywhere(client):
    assert client.exchange(pack([0, 1, b"put", [b"k", "v", {b"ttl_ms": 100000}]]))[0][2] is None
    assert client.exchange(pack([0, 1, b"get", [b"k"]])) == [[1, 1, None, "v"]]
    assert client.call(b"list", b"k", {b"limit": 1})["entries"][0][0] == "k"


@pytest.mark.parametrize("value", ("", b"", "text", b"text", "ä", b"\0\xff", "<blank>"), ids=repr)
def test_values__keep_their_type(client, value):
    client.call("put", b"key", value)
    for seen in (client.call("get", "key"), client.call("entry", "key")["value"], client.call("list")["entries"][0][1]):
        assert type(seen) is type(value) and seen == value
    assert client.call("list")["entries"][0][0] == "key"  # keys are returned as str


# -- integers


@pytest.mark.parametrize("five", (b"\x05", b"\xcc\x05", b"\xcd\x00\x05", b"\xce\x00\x00\x00\x05", b"\xcf" + struct.pack(">Q", 5), b"\xd0\x05",
                                  b"\xd1\x00\x05", b"\xd2\x00\x00\x00\x05", b"\xd3" + struct.pack(">q", 5)), ids=bytes.hex)
def test_integers__count_by_value(client, five):
    assert client.exchange(b"\x94\x00" + five + b"\xa4ping\x90") == [[1, 5, None, "pong"]]
    page = b"\x94\x00\x05\xa4list\x92\xa0\x81\xa5limit" + five
    assert codes(client.exchange(page)) == [(5, None)]


@pytest.mark.parametrize("zero", (b"\x00", b"\xcc\x00", b"\xd3" + bytes(8)), ids=bytes.hex)
def test_integers__the_type_counts_by_value_too(client, zero):
    assert client.exchange(b"\x94" + zero + b"\x07\xa4ping\x90") == [[1, 7, None, "pong"]]


@pytest.mark.parametrize("msgid", (0, 1, 127, 128, 65536, 2**32 - 1))
def test_msgid__any_unsigned_32_bit_number__comes_back(client, msgid):
    assert client.exchange(ping(msgid)) == [[1, msgid, None, "pong"]]


def test_lengths__longer_encodings_are_accepted(client):
    assert client.exchange(b"\xdd\x00\x00\x00\x04\x00\x01\xdb\x00\x00\x00\x04ping\xdc\x00\x00") == [[1, 1, None, "pong"]]


# -- options


def test_options__unknown_key__is_named(client):
    error = client.error("put", "k", "v", {"ttl_msec": 5})
    assert error.code == "INVALID_ARGUMENT"
    assert "ttl_msec" in error.message
    assert client.call("get", "k") is None


@pytest.mark.parametrize("pair", (b"\xa6ttl_ms\x01\xa6ttl_ms\x01", b"\xa6ttl_ms\x01\xc4\x06ttl_ms\x02"), ids=("str", "bin"))
def test_options__a_key_twice__is_refused(client, pair):
    assert codes(client.exchange(b"\x94\x00\x05\xa3put\x93\xa1k\xa1v\x82" + pair)) == [(5, "INVALID_ARGUMENT")]
    assert client.call("get", "k") is None


def test_options__nil_means_none(client):
    assert client.call("put", "k", "v", None) > 0
    assert client.call("list", "", None)["more"] is False


# -- limits


def test_key__at_the_limit_and_one_past(client):
    assert client.code("put", "k" * 1024, "v") is None
    assert client.call("get", "k" * 1024) == "v"
    assert client.code("put", "k" * 1025, "v") == "INVALID_ARGUMENT"
    assert client.code("put", "ä" * 513, "v") == "INVALID_ARGUMENT"  # bytes count, not characters


def test_value__at_the_limit_and_one_past(client):
    for value in ("v" * 1048576, b"\xff" * 1048576):
        assert client.code("put", "k", value) is None
        assert client.call("get", "k") == value
    assert client.code("put", "k", "v" * 1048577) == "INVALID_ARGUMENT"
    assert client.call("get", "k") == b"\xff" * 1048576


def test_message__at_the_limit__is_answered(client):
    head = b"\x94\x00\x05\xa3put\x92\xa1k\xc6"
    body = bytes(8388608 - len(head) - 4)
    payload = head + struct.pack(">I", len(body)) + body
    assert len(payload) == 8388608
    assert codes(client.exchange(payload)) == [(5, "INVALID_ARGUMENT")]  # because of the value's length


def test_page_limit__at_the_bounds(client):
    assert client.code("list", "", {"limit": 1}) is None
    assert client.code("list", "", {"limit": 10000}) is None
    assert client.code("list", "", {"limit": 0}) == "INVALID_ARGUMENT"
    assert client.code("list", "", {"limit": 10001}) == "INVALID_ARGUMENT"


# -- answers that do not fit


@pytest.fixture(scope="module")
def small():
    """A broker whose answers have room for three values of 20,000 bytes and 32 errors, but not for a fourth value."""
    with Broker(options={"limits/message": 65536, "limits/value": 20000, "limits/key": 100, "limits/batch": 32}) as running:
        yield running


def test_answer__does_not_fit__exhausted_from_there_on_and_nothing_more_is_carried_out(small):
    with small.client() as client:
        client.call("put", "k", "v" * 20000)
        requests = [("get", "k")] * 3 + [("get", "k"), ("put", "after", "v"), ("ping",), ("nonsense",)]
        client.send_raw(b"".join(pack([0, msgid, name, params]) for msgid, (name, *params) in enumerate(requests))
                        + pack([2, "put", ["notified", "v"]]))
        payload = client.recv_payload()
        assert len(payload) <= 65536
        answers = unpack_all(payload)
        assert [outcome(answer) for answer in answers[:3]] == ["v" * 20000] * 3
        assert codes(answers[3:]) == [(msgid, "RESOURCE_EXHAUSTED") for msgid in (3, 4, 5, 6)]
        assert client.call("get", "after") is None
        assert client.call("get", "notified") is None


def test_answer__room_is_kept_for_every_error_of_the_largest_batch(small):
    with small.client() as client:
        client.call("put", "k", "v" * 20000)
        answers = client.exchange(b"".join(pack([0, 2**32 - 1, "get", ["k"]]) for _ in range(32)))
        assert len(answers) == 32
        whole = [code is None for _, code in codes(answers)]
        assert {code for _, code in codes(answers)} == {None, "RESOURCE_EXHAUSTED"}
        assert whole == sorted(whole, reverse=True)


def test_answer__a_notification_when_it_is_nearly_full__leaves_its_bound_as_it_is(small):
    """The discarded result of the notification goes past the room that is left. The answers behind it must not."""
    with small.client() as client:
        values = {"long": 20000, "fills": 2720, "past": 505, "next": 400}
        for key, size in values.items():
            client.call("put", key, "v" * size)
        before = [pack([0, msgid, "get", [key]]) for msgid, key in enumerate(("long", "long", "long", "fills"))]
        behind = [pack([0, msgid, "get", [key]]) for msgid, key in enumerate(("past", *["next"] * 26), start=5)]
        answers = client.exchange(b"".join([*before, pack([2, "ping", []]), *behind]))
        assert [outcome(answer) for answer in answers[:4]] == ["v" * size for size in (20000, 20000, 20000, 2720)]
        assert codes(answers[4:]) == [(msgid, "RESOURCE_EXHAUSTED") for msgid in range(5, 32)]


def test_frame__above_the_limit__ends_that_connection_alone(small):
    with small.client("big/1") as big, small.client() as other, small.manager() as manager:
        assert big.whoami() == "big"
        other.call("put", "k", "v")
        big.send_raw(bytes(65537))
        wait_disconnected(manager, "big")
        assert other.call("get", "k") == "v"


# -- options of the store's methods


def test_failed_condition__detail_is_the_revision_it_has(client):
    error = client.error("put", "k", "v", {"if_revision": 1})
    assert (error.code, error.detail) == ("FAILED_PRECONDITION", 0)
    revision = client.call("put", "k", "v", {"if_revision": 0})
    error = client.error("put", "k", "w", {"if_revision": 0})
    assert (error.code, error.detail) == ("FAILED_PRECONDITION", revision)
    error = client.error("del", "k", {"if_revision": revision + 1})
    assert (error.code, error.detail) == ("FAILED_PRECONDITION", revision)
    assert client.call("put", "k", "w", {"if_revision": revision}) > revision
    assert client.call("get", "k") == "w"
