# SPDX-License-Identifier: MPL-2.0
"""Cases to which several rules of PROTOCOL.md apply: the order of checks, batches that end early, claims, the sequence."""

import struct
import time

import pytest

from broker import Broker
from hashes import real_hash, secret_hash, slow_hash
from managing import clients_of, park, wait_disconnected
from rpc import codes, pack, unpack_all
from waiting import wait_until

SECRET = "sixteen bytes or more of a secret"


def alone(manager):
    """Whether the manager's session is the only one. (It logs in again, because it may have timed out too.)"""
    return manager.batch(("auth", "adam", "eve"), ("stats",))[1]["sessions"] == 1


# -- envelopes


@pytest.mark.parametrize("envelope, taken", (([b"x"] * 15 + [b""], True), ([b"x"] * 16 + [b""], False), ([b""] * 16, True),
                                             ([b"x" * 4088, b""], True), ([b"x" * 4089, b""], False)),
                         ids=("16 frames", "17 frames", "16 empty", "4096 bytes", "4097 bytes"))
def test_envelope__at_its_bounds(broker, envelope, taken):
    with broker.client() as client:
        client.send_frames([*envelope, pack([0, 1, "ping", []])])
        if taken:
            assert client.recv_frames() == [*envelope, pack([1, 1, None, "pong"])]
        else:
            assert codes(unpack_all(client.recv_payload())) == [(0, "INVALID_ARGUMENT")]
        assert client.call("ping") == "pong"


# -- the sequence


def test_seq__counts_every_event_and_nothing_else(name):
    with Broker() as broker, broker.manager() as manager:
        def step():
            """Returns by how much seq has grown since the last call."""
            nonlocal last
            before, last = last, manager.seq()
            return last - before

        last = manager.seq()
        assert last == 2  # the manager's connect and its role
        left, right = broker.client(f"{name}/left"), broker.client(f"{name}/right")
        left.call("ping")
        assert step() == 1  # connect
        right.call("ping")
        assert step() == 0  # another session of the client
        right.call("put", "k", "v")
        right.call("put", "k", "w")
        assert step() == 2
        assert right.code("put", "k", "x", {"if_revision": 0}) == "FAILED_PRECONDITION"
        assert right.call("del", "absent") is None
        right.call("del", "k")
        assert step() == 1
        left.call("put", "k", "v", {"ttl_ms": 1})
        wait_until(lambda: left.call("get", "k") is None)
        assert step() == 2  # put, expire
        assert left.call("auth", "adam", "eve") == {"role": "manager"}
        assert left.call("auth", "adam", "eve") == {"role": "manager"}
        assert left.code("auth", "adam", "nope") == "UNAUTHENTICATED"
        assert step() == 1  # the role changed once
        assert right.call("bye") is True
        assert step() == 0
        manager.call("role", name, "guest")
        manager.call("role", name, "guest")
        assert step() == 1
        assert left.call("bye") is True
        assert step() == 2  # disconnect, drop
        manager.call("manage", name, "put", "k", "v", {"create": True})
        assert step() == 1
        assert manager.code("manage", f"{name}-x", "put", "k", "v", {"create": True, "if_revision": 1}) == "FAILED_PRECONDITION"
        assert step() == 0
        manager.call("forget", name)
        assert step() == 1  # drop


def test_seq__one_role_event_for_all_sessions_of_a_client(broker, manager, name):
    sessions = [broker.client(f"{name}/{number}") for number in range(3)]
    for session in sessions:
        session.call("hello", {"secret": SECRET})
    before = manager.seq()
    manager.call("role", name, "manager")
    assert manager.seq() == before + 1
    assert all(session.call("hello")["role"] == "manager" for session in sessions)


def test_seq__the_expiries_that_a_list_meets_are_in_its_seq(broker):
    with broker.client() as client:
        for number in range(10):
            client.call("put", f"k{number}", "v", {"ttl_ms": 30})
        client.call("put", "z", "v")
        page = wait_until(lambda: (found := client.call("list")) and len(found["entries"]) == 1 and found)
        assert page["more"] is False
        assert client.call("put", "z", "w") == page["seq"] + 1


# -- bye, forget and role within a batch


def test_bye__the_connections_next_payload_begins_a_new_session(broker):
    with broker.manager() as client:
        number = client.whoami()
        client.call("put", "k", "v")
        assert client.call("bye") is True
        assert client.batch(("get", "k"), ("clients",))[0] is None
        hello = client.call("hello")
        assert hello["role"] == "guest" and hello["client"] != number


def test_bye__in_front_of_a_break__drops_the_break_too(broker):
    with broker.client() as client:
        assert client.exchange(pack([0, 1, "bye", []]) + b"\xc1") == [[1, 1, None, True]]


def test_bye__of_one_session__leaves_the_clients_others(broker, manager, name):
    with broker.client(f"{name}/1") as one, broker.client(f"{name}/2") as two:
        one.call("ping")
        two.call("put", "k", "v")
        assert one.call("bye") is True
        assert clients_of(manager)[name]["sessions"] == 1
        assert two.call("get", "k") == "v"


def test_forget__oneself_in_a_batch__is_answered_and_the_rest_is_dropped(broker, manager, name):
    with broker.manager(f"{name}/1") as one, broker.client(f"{name}/2") as two:
        two.call("put", "k", "v")
        before = manager.seq()
        answers = one.exchange(pack([0, 1, "put", ["k", "w"]]) + pack([0, 2, "forget", [name]])
                               + pack([0, 3, "put", ["k", "x"]]) + pack([2, "put", ["l", "x"]]))
        assert [answer[1] for answer in answers] == [1, 2] and answers[1][3] is True
        events = manager.call("replay", before, {"client": name})["events"]  # other clients may change too
        assert [event["kind"] for event in events] == ["put", "disconnect", "drop"]
        assert manager.code("manage", name, "get", "k") == "NOT_FOUND"
        assert one.recv_push() == two.recv_push() == [2, "bye", [{"reason": "forgotten"}]]
        assert one.code("clients") == "PERMISSION_DENIED"
        assert two.call("get", "k") is None
        assert clients_of(manager)[name]["sessions"] == 2


def test_forget__a_client_that_waits_for_auth__ends_it_and_the_broker_goes_on(name):
    with Broker(hashes={"slow": slow_hash("eve")}) as broker, broker.manager() as manager:
        with broker.client(f"{name}/1") as one, broker.client(f"{name}/2") as two:
            two.call("ping")
            park(manager, one, ("ping",))
            assert manager.call("forget", name) is True
            assert name not in clients_of(manager)
            assert one.recv_push() == [2, "bye", [{"reason": "forgotten"}]]
            assert two.code("auth", "slow", "wrong") == "UNAUTHENTICATED"  # verified after that one
            assert one.request("hello") == one.recv_response()[1]  # no other answer comes before it
            assert one.call("hello")["role"] == "guest"
        assert manager.call("ping") == "pong"


def test_forget__sessions_that_never_gave_the_secret_end_too():
    with Broker(names={"lamp": secret_hash(SECRET)}) as broker, broker.manager() as manager, broker.client("lamp/1") as thief:
        assert manager.code("forget", "lamp") == "NOT_FOUND"  # a claim alone is no client
        assert thief.code("ping") == "UNAUTHENTICATED"
        assert manager.call("stats")["sessions"] == 2
        assert manager.call("forget", "lamp") is True
        assert manager.call("stats")["sessions"] == 1
        assert thief.code("ping") == "UNAUTHENTICATED"
        assert not thief.pushed
        assert "lamp" not in clients_of(manager)


def test_role__given_up_in_a_batch__what_is_behind_sees_it(broker):
    with broker.manager() as one:
        number = int(one.whoami())
        results = one.batch(("stats",), ("role", number, "guest"), ("stats",), ("auth", "adam", "eve"), ("role", number, "manager"))
        assert results[1] == "guest" and results[2].code == "PERMISSION_DENIED"
        assert results[3:] == [{"role": "manager"}, "manager"]


def test_manage__last_key_of_an_absent_name__is_gone_for_the_next_request(broker, manager, name):
    manager.call("manage", name, "put", "k", "v", {"create": True})
    results = manager.batch(("manage", name, "del", "k"), ("manage", name, "get", "k"))
    assert results[0] > 0 and results[1].code == "NOT_FOUND"


# -- requests that wait, with payloads after them


def test_auth__by_notification__is_carried_out_and_not_answered():
    with Broker(hashes={"slow": real_hash("eve")}) as broker, broker.client() as client:
        client.notify("auth", "slow", "eve")
        assert client.call("hello")["role"] == "manager"  # the first answer, and after the change of role
        answers = client.exchange(pack([2, "role", [int(client.whoami()), "guest"]]) + pack([2, "auth", ["slow", "no"]])
                                  + pack([0, 9, "stats", []]))
        assert codes(answers) == [(9, "PERMISSION_DENIED")]


def test_auth__in_an_envelope__is_answered_with_it():
    with Broker(hashes={"slow": real_hash("eve")}) as broker, broker.client() as client:
        client.send_frames([b"r1", b"", pack([0, 1, "auth", ["slow", "eve"]]) + pack([2, "put", ["k", "v"]])])
        client.send_frames([b"r2", b"", pack([2, "auth", ["slow", "no"]])])
        client.send_frames([b"r3", b"", pack([0, 3, "get", ["k"]])])
        client.send_frames([b"r4", pack([0, 3, "get", ["k"]])])
        client.send_frames([b"r5", b"", b""])
        assert client.recv_frames() == [b"r1", b"", pack([1, 1, None, {"role": "manager"}])]
        assert client.recv_frames() == [b"r2", b"", b""]
        assert client.recv_frames() == [b"r3", b"", pack([1, 3, None, "v"])]
        assert codes(unpack_all(client.recv_payload())) == [(0, "INVALID_ARGUMENT")]
        envelope, delimiter, payload = client.recv_frames()
        assert (envelope, delimiter) == (b"r5", b"") and codes(unpack_all(payload)) == [(0, "INVALID_ARGUMENT")]


def test_bye__behind_a_request_that_waits__drops_the_payloads_behind_it():
    with Broker(hashes={"slow": real_hash("eve")}) as broker, broker.client() as client:
        number = client.whoami()
        client.send_raw(pack([0, 1, "auth", ["slow", "eve"]]) + pack([0, 2, "bye", []]))
        client.send_raw(pack([0, 3, "ping", []]))
        assert unpack_all(client.recv_payload()) == [[1, 1, None, {"role": "manager"}], [1, 2, None, True]]
        client.send_raw(pack([0, 4, "hello", []]))
        msgid, _, hello = unpack_all(client.recv_payload())[0][1:]
        assert (msgid, hello["role"]) == (4, "guest") and hello["client"] != number


def test_break__behind_a_request_that_waited__says_the_byte_of_the_whole_payload(broker):
    with broker.client() as client:
        before = pack([0, 1, "put", ["k", "v"]]) + pack([0, 2, "auth", ["adam", "eve"]]) + pack([0, 3, "ping", []])
        answers = client.exchange(before + b"\xc1" + pack([0, 4, "ping", []]))
        assert codes(answers) == [(1, None), (2, None), (3, None), (0, "INVALID_ARGUMENT")]
        assert f"byte {len(before)}" in answers[3][2][1]


def test_batch__several_requests_that_wait__are_answered_in_order():
    with Broker() as broker, broker.client() as client:
        results = client.batch(("auth", "adam", "no"), ("ping",), ("auth", "adam", "eve"), ("stats",), ("auth", "adam", "no"), ("stats",))
        assert (results[0].code, results[1], results[2]) == ("UNAUTHENTICATED", "pong", {"role": "manager"})
        assert isinstance(results[3], dict) and results[4].code == "UNAUTHENTICATED" and isinstance(results[5], dict)


# -- the order of checks


def test_order__without_the_secret(broker, name):
    with broker.client(f"{name}/owner") as owner, broker.client(f"{name}/other") as other:
        owner.call("hello", {"secret": SECRET})
        assert codes(other.exchange(pack([0, 1, "ping"]))) == [(1, "INVALID_ARGUMENT")]  # first: the form of the request
        assert other.code("nonsense") == "UNIMPLEMENTED"  # second: the method
        for method, *params in (("ping", 1), ("stats",), ("stats", 1), ("manage",), ("hello", 1), ("hello", {"nonsense": 1}),
                                ("hello", {}, 1), ("hello", {"secret": "short"}), ("bye", 1), ("bye",)):
            assert other.code(method, *params) == "UNAUTHENTICATED"
        other.notify("put", "k", "of the thief")
        assert other.call("hello", {"secret": SECRET})["client"] == name
        assert owner.call("get", "k") is None


def test_order__the_role_before_params_and_the_client(broker):
    with broker.client() as guest:
        for method, *params in (("manage",), ("manage", "nobody", "nonsense"), ("manage", None, None),
                                ("clients", 1), ("role", "nobody", "king"), ("forget",), ("stats", 1)):
            assert guest.code(method, *params) == "PERMISSION_DENIED"


def test_order__managed_options_before_the_client(manager):
    code = manager.code
    assert code("manage", "nobody", "put", "k", "v", {"create": True, "secret": "short"}) == "INVALID_ARGUMENT"
    assert code("manage", "nobody", "put", "k", "v", {"secret": SECRET}) == "INVALID_ARGUMENT"
    assert code("manage", "nobody", "put", "k", "v", {"create": False, "secret": SECRET}) == "INVALID_ARGUMENT"
    assert code("manage", "nobody", "list", "", {"create": True}) == "INVALID_ARGUMENT"
    assert code("manage", "nobody", "get", "k", None) == "INVALID_ARGUMENT"
    assert code("manage", "nobody", "put", "", "v", {"create": True}) == "INVALID_ARGUMENT"


def test_order__conditions_before_limits__for_a_client_that_would_be_made():
    with Broker(options={"limits/clients": 1}) as broker, broker.manager() as manager:
        error = manager.error("manage", "lamp", "put", "k", "v", {"create": True, "if_revision": 7})
        assert (error.code, error.detail) == ("FAILED_PRECONDITION", 0)
        assert manager.code("manage", "lamp", "put", "k", "v", {"create": True}) == "RESOURCE_EXHAUSTED"
        assert manager.code("manage", "lamp", "get", "k") == "NOT_FOUND"


# -- clients at their limit


def test_clients_limit__a_session_without_a_place__gets_resource_exhausted_last_of_all():
    with Broker(options={"limits/clients": 2}) as broker, broker.manager() as manager, broker.client() as other:
        other.call("ping")
        with broker.client() as late, broker.client("late/1") as named:
            for one in (late, named):
                assert one.code("ping") == "RESOURCE_EXHAUSTED"
                assert one.code("hello") == "RESOURCE_EXHAUSTED"
                assert one.code("nonsense") == "UNIMPLEMENTED"
                assert one.code("stats") == "PERMISSION_DENIED"
                assert one.code("get") == "INVALID_ARGUMENT"
                assert one.code("put", "k", "v", {"ttl_ms": 0}) == "INVALID_ARGUMENT"
            assert len(clients_of(manager)) == 2
            assert named.call("bye") is True
            assert other.call("bye") is True
            assert late.call("ping") == "pong"
            assert named.code("ping") == "RESOURCE_EXHAUSTED"


def test_clients_limit__a_client_that_is_there_takes_more_sessions():
    with Broker(options={"limits/clients": 2}) as broker, broker.manager() as manager:
        manager.call("manage", "lamp", "put", "k", "v", {"create": True})
        with broker.client("lamp/1") as one, broker.client("lamp/2") as two:
            assert (one.call("get", "k"), two.call("get", "k")) == ("v", "v")


def test_clients_limit__a_claimed_name_without_a_place__may_give_its_secret_again():
    with Broker(options={"limits/clients": 2}, names={"lamp": secret_hash(SECRET)}) as broker, broker.manager(), broker.client() as other:
        other.call("ping")
        with broker.client("lamp/1") as lamp:
            assert lamp.code("hello", {"secret": SECRET}) == "RESOURCE_EXHAUSTED"
            assert lamp.code("ping") == "UNAUTHENTICATED"
            other.call("bye")
            assert lamp.call("hello", {"secret": SECRET})["client"] == "lamp"


# -- claims


def test_claim__again_with_the_same_secret_succeeds_with_another_fails_and_changes_nothing(broker, name):
    with broker.client(name) as client:
        assert client.call("hello", {"secret": SECRET})["client"] == name
        client.call("put", "k", "v")
        assert client.call("hello", {"secret": SECRET})["client"] == name
        start = time.monotonic()
        assert client.code("hello", {"secret": "w" * 16}) == "UNAUTHENTICATED"
        assert time.monotonic() - start > 0.95
        assert client.call("get", "k") == "v"


def test_claim__by_one_of_two_sessions_in_a_client__fails_until_the_other_left(broker, name):
    with broker.client(f"{name}/1") as one, broker.client(f"{name}/2") as two:
        one.call("ping")
        two.call("ping")
        assert one.code("hello", {"secret": SECRET}) == "FAILED_PRECONDITION"
        two.call("bye")
        assert one.call("hello", {"secret": SECRET})["client"] == name
        assert two.code("ping") == "UNAUTHENTICATED"


def test_claim__of_a_store_whose_entries_time_has_come__succeeds(broker, name):
    with broker.client(name) as client:
        _, claim = client.batch(("put", "k", "v", {"ttl_ms": 50}), ("hello", {"secret": SECRET}))  # in one payload
        assert claim.code == "FAILED_PRECONDITION"
        wait_until(lambda: client.code("hello", {"secret": SECRET}) is None)


def test_claim__ends_with_the_client__and_a_session_that_waited_outside_is_let_in(broker, manager, name):
    with broker.client(f"{name}/1") as one, broker.client(f"{name}/2") as two:
        one.call("hello", {"secret": SECRET})
        assert two.code("ping") == "UNAUTHENTICATED"
        one.call("bye")
        assert name not in clients_of(manager)
        assert two.call("ping") == "pong"
        assert clients_of(manager)[name]["claimed"] is False
        assert one.call("ping") == "pong"
        assert two.code("hello", {"secret": SECRET}) == "FAILED_PRECONDITION"


def test_claim__of_a_name_with_a_session_left_outside__fails(broker, name):
    with broker.client(f"{name}/1") as one, broker.client(f"{name}/2") as two, broker.client(f"{name}/3") as three:
        one.call("hello", {"secret": SECRET})
        assert two.code("ping") == "UNAUTHENTICATED"
        one.call("bye")  # the claim is gone; the second session has sent nothing since
        assert three.code("hello", {"secret": SECRET}) == "FAILED_PRECONDITION"


def test_create__with_secret__where_it_cannot_claim(broker, manager, name):
    manager.call("manage", name, "put", "k", "v", {"create": True})
    assert manager.code("manage", name, "put", "k", "w", {"create": True, "secret": SECRET}) == "FAILED_PRECONDITION"
    assert manager.call("manage", name, "get", "k") == "v"
    with broker.client() as numbered:
        number = int(numbered.whoami())
        assert manager.code("manage", number, "put", "k", "w", {"create": True, "secret": SECRET}) == "FAILED_PRECONDITION"
        assert manager.code("manage", number, "put", "k", "w", {"create": True}) is None
    with Broker(names={"lamp": secret_hash(SECRET)}) as other, other.manager() as boss:
        assert boss.code("manage", "lamp", "put", "k", "v", {"create": True, "secret": "w" * 16}) == "FAILED_PRECONDITION"
        assert boss.code("manage", "lamp", "get", "k") == "NOT_FOUND"
        assert boss.code("manage", "lamp", "put", "k", "v", {"create": True}) is None
        with other.client("lamp") as lamp:
            assert lamp.code("get", "k") == "UNAUTHENTICATED"
            lamp.call("hello", {"secret": SECRET})
            assert lamp.call("get", "k") == "v"


def test_create__failed_put__claims_nothing(broker, manager, name):
    options = {"create": True, "secret": SECRET, "if_revision": 3}
    assert manager.code("manage", name, "put", "k", "v", options) == "FAILED_PRECONDITION"
    with broker.client(name) as client:
        assert client.call("ping") == "pong"
        assert clients_of(manager)[name]["claimed"] is False


# -- numbers and strings


@pytest.mark.parametrize("form", ("uint64", "int64", "bin", "str"))
def test_client__by_number_in_any_form(broker, manager, form):
    with broker.client() as client:
        number = int(client.whoami())
        encoded = {"uint64": b"\xcf" + struct.pack(">Q", number), "int64": b"\xd3" + struct.pack(">q", number),
                   "bin": pack(str(number).encode()), "str": pack(str(number))}[form]
        for msgid, (method, tail, count) in enumerate((("manage", pack("digest"), 2), ("role", pack("guest"), 2))):
            answers = manager.exchange(b"\x94\x00" + pack(msgid) + pack(method) + bytes([0x90 | count]) + encoded + tail)
            assert codes(answers) == [(msgid, None)]
        assert codes(manager.exchange(b"\x94\x00\x07" + pack("forget") + b"\x91" + encoded)) == [(7, "FAILED_PRECONDITION")]


@pytest.mark.parametrize("number, code", ((-1, "INVALID_ARGUMENT"), (0, "NOT_FOUND"), (2**64 - 1, "NOT_FOUND")))
def test_client__by_a_number_that_nobody_has(manager, number, code):
    for request in (("manage", number, "get", "k"), ("role", number, "guest"), ("forget", number)):
        assert manager.code(*request) == code


@pytest.mark.parametrize("number, code", ((0, None), (2**53, "FAILED_PRECONDITION"), (2**53 + 1, "INVALID_ARGUMENT"),
                                          (2**64 - 1, "INVALID_ARGUMENT")))
def test_if_revision__at_its_bounds(broker, number, code):
    with broker.client() as client:
        assert client.code("put", "k", "v", {"if_revision": number}) == code
        assert client.code("del", "absent", {"if_revision": number}) == code


@pytest.mark.parametrize("size, code", ((0, "INVALID_ARGUMENT"), (1, "UNAUTHENTICATED"), (256, "UNAUTHENTICATED"), (257, "INVALID_ARGUMENT")))
def test_auth__user_at_its_bounds(broker, size, code):
    with broker.client() as client:
        assert client.code("auth", "u" * size, "p") == code


def test_auth__password_at_its_bound(broker):
    with broker.client() as client:
        assert client.code("auth", "somebody", b"\xff" * 1024) == "UNAUTHENTICATED"
        assert client.code("auth", "somebody", "p" * 1025) == "INVALID_ARGUMENT"
        assert client.code("auth", b"\xff", "p") == "INVALID_ARGUMENT"


@pytest.mark.parametrize("method", ("list", "clients"))
def test_prefix_and_after__at_their_bounds(manager, method):
    def ask(options):
        return manager.code("list", options.pop("prefix", ""), options) if method == "list" else manager.code("clients", options)

    for option in ("prefix", "after"):
        assert ask({option: ""}) is None
        assert ask({option: "x" * 1024}) is None
        assert ask({option: "x" * 1025}) == "INVALID_ARGUMENT"
        assert ask({option: b"\xff"}) == "INVALID_ARGUMENT"


# -- small limits


def test_limits__at_each_bound_and_one_past():
    limits = {"key": 8, "value": 16, "batch": 4, "message": 4096}
    with Broker(options={f"limits/{key}": value for key, value in limits.items()}) as broker, broker.client() as client:
        assert client.call("hello")["limits"] == limits
        assert client.code("put", "k" * 8, "v" * 16) is None
        assert client.code("put", "k" * 9, "v") == "INVALID_ARGUMENT"
        assert client.code("get", "k" * 9) == "INVALID_ARGUMENT"
        assert client.code("put", "k", "v" * 17) == "INVALID_ARGUMENT"
        assert client.code("list", "k" * 9) is None
        assert codes(client.exchange(b"".join(pack([0, number, "ping", []]) for number in range(4)))) == [
            (number, None) for number in range(4)]
        assert codes(client.exchange(b"".join(pack([0, number, "ping", []]) for number in range(5)))) == [(0, "INVALID_ARGUMENT")]
        assert codes(client.exchange(b"".join(pack([0, number, "ping", []]) for number in range(4)) + b"\xc1")) == [
            *((number, None) for number in range(4)), (0, "INVALID_ARGUMENT")]
        head = b"\x94\x00\x01" + pack("nonsense") + b"\x91\xc5"
        assert codes(client.exchange(head + struct.pack(">H", 4096 - len(head) - 2) + bytes(4096 - len(head) - 2))) == [(1, "UNIMPLEMENTED")]


def test_limits__sums_over_all_clients_are_resource_exhausted():
    with Broker(options={"limits/bytes_total": 4096}) as broker, broker.client() as one, broker.client() as two:
        one.call("put", "a", "v" * 3000)
        assert two.code("put", "a", "v" * 1095) == "RESOURCE_EXHAUSTED"
        assert two.code("put", "a", "v" * 1094) is None
        one.call("bye")
        assert two.code("put", "b", "v" * 3000) is None


def test_page__ends_at_an_eighth_of_a_message():
    options = {"limits/message": 65536, "limits/value": 20000, "limits/key": 100, "limits/batch": 32}
    with Broker(options=options) as broker, broker.client() as client:
        for number in range(20):
            client.call("put", f"k{number:02}", "v" * 1000)
        page = client.call("list")
        assert (len(page["entries"]), page["more"]) == (8, True)
        client.call("put", "k00", "v" * 20000)
        page = client.call("list")
        assert (len(page["entries"]), page["more"]) == (1, True)


def test_answer__does_not_fit__a_notification_needs_no_room():
    options = {"limits/message": 65536, "limits/value": 20000, "limits/key": 100, "limits/batch": 8}
    with Broker(options=options) as broker, broker.client() as client:
        client.call("put", "big", "v" * 20000)
        # After 3 * 20,009 bytes and this value, the room is less than the answer to a change may need, but enough for errors.
        client.call("put", "rest", "v" * (65536 - 3 * 20009 - 2 * 96 - 200))
        answers = client.exchange(b"".join(pack([0, number, "get", ["big"]]) for number in range(3)) + pack([0, 3, "get", ["rest"]])
                                  + pack([2, "get", ["big"]]) + pack([2, "put", ["notified", "v"]]))
        assert codes(answers) == [(number, None) for number in range(4)]
        assert client.call("get", "notified") == "v"


def test_answer__an_error_that_fits__is_not_taken_for_one_that_does_not():
    options = {"limits/message": 4096, "limits/value": 100, "limits/key": 100, "limits/batch": 41}
    with Broker(options=options) as broker, broker.client() as client:
        bad = [pack([0, number, "nonsense", [1.5, "x" * 100]]) for number in range(3)]
        assert codes(client.exchange(b"".join(bad))) == [(number, "INVALID_ARGUMENT") for number in range(3)]


# -- clients


def test_clients__times_and_peer_mean_what_they_say(broker, manager, name):
    began = time.time() * 1000
    manager.call("manage", name, "put", "k", "v", {"create": True})
    entry = clients_of(manager)[name]
    assert (entry["peer"], entry["role"], entry["connected"]) == (None, "guest", False)
    assert began - 50 <= entry["since_ms"] <= time.time() * 1000 + 50
    made = entry["since_ms"]
    wait_until(lambda: clients_of(manager)[name]["idle_ms"] >= 20)
    with broker.client(name) as client:
        client.call("ping")
        entry = clients_of(manager)[name]
        assert entry["peer"] == "127.0.0.1" and entry["since_ms"] >= made + 20 and entry["idle_ms"] < 10000
    wait_disconnected(manager, name)
    assert clients_of(manager)[name]["since_ms"] >= entry["since_ms"]
    assert clients_of(manager)[name]["peer"] is None


def test_clients__keys_change_between_pages__who_stays_is_seen_once(broker, manager, name):
    ids = [f"{name}-{number:02}" for number in range(10)]
    for one in ids:
        manager.call("manage", one, "put", "k", "v", {"create": True})
    page = manager.call("clients", {"prefix": f"{name}-", "limit": 5})
    manager.call("forget", ids[4])
    manager.call("forget", ids[6])
    manager.call("manage", f"{name}-055", "put", "k", "v", {"create": True})
    rest = manager.call("clients", {"prefix": f"{name}-", "after": page["clients"][-1]["id"]})
    assert [entry["id"] for entry in rest["clients"]] == sorted([ids[5], f"{name}-055", *ids[7:]])


def test_unproven_session__is_told_nothing_when_time_is_up():
    with Broker(options={"session/timeout": 1}) as broker, broker.manager() as manager:
        with broker.client("lamp/1") as owner, broker.client("lamp/2") as other:
            owner.call("hello", {"secret": SECRET})
            other.request("ping")
            other.recv_response()
            wait_until(lambda: alone(manager), what="the time of both is up")
            assert owner.recv_push()[1:] == ["bye", [{"reason": "timeout"}]]
            assert other.request("ping") == other.recv_response()[1] and not other.pushed


def test_req__a_session_of_both_kinds__gets_no_push():
    with (Broker(options={"session/timeout": 1}) as broker, broker.manager() as manager, broker.client() as mixed,
          broker.client() as plain):
        mixed.send_frames([b"", pack([0, 1, "ping", []])])
        mixed.recv_frames()
        mixed.send_raw(pack([0, 2, "ping", []]))
        mixed.recv_frames()
        plain.call("ping")
        wait_until(lambda: alone(manager), what="the time of both is up")
        assert plain.recv_push()[1] == "bye"
        assert mixed.call("ping") == "pong" and not mixed.pushed


# -- what is pushed


def test_watch__an_entry_that_the_session_itself_found_expired__is_told():
    with Broker() as broker, broker.client() as client:
        client.call("watch", True)
        for _ in range(30):  # in some rounds the broker reads the second payload before it checks its timers
            client.send_raw(pack([0, 1, "put", ["k", "v", {"ttl_ms": 1}]]) + pack([2, "ping", []]) * 4000)
            client.send_raw(pack([0, 2, "get", ["k"]]))
            assert [client.recv_response()[1] for _ in range(2)] == [1, 2]
            _, method, (event,) = client.recv_push()
            assert (method, event["kind"], event["key"], event["by"]) == ("changed", "expire", "k", None)


def test_watch__in_a_batch__what_the_session_does_itself_is_not_pushed_what_others_do_is(broker, name):
    with broker.client(f"{name}/1") as one, broker.client(f"{name}/2") as two:
        answers = one.exchange(pack([0, 1, "watch", [True]]) + pack([0, 2, "put", ["own", "v"]]) + pack([2, "del", ["own"]]))
        assert [answer[1] for answer in answers] == [1, 2]
        revision = two.call("put", "k", b"\xff")
        event = one.recv_push()[2][0]
        assert 0 < event["prev"] < revision
        assert event == {"seq": revision, "prev": event["prev"], "time_ms": event["time_ms"], "kind": "put", "client": name, "key": "k",
                         "value": b"\xff", "size": 1, "ttl_ms": None, "revision": revision, "by": name, "user": None}
        one.call("watch", False)
        two.call("put", "k", "w")
        assert one.call("ping") == "pong" and not one.pushed


def test_watch__what_is_owed_comes_before_the_answers_to_later_payloads(broker, name):
    with broker.client(f"{name}/1") as one, broker.client(f"{name}/2") as two:
        one.call("ping")
        for _ in range(10):
            since = two.seq()
            revisions = [two.call("put", key, "v") for key in "abc"]
            for msgid, method, params in ((1, "watch", [True, {"after": since}]), (2, "ping", []), (3, "put", ["own", "v"])):
                one.send_raw(pack([0, msgid, method, params]))
            came = [one.recv() for _ in range(6)]
            assert [message[1] if message[0] == 1 else message[2][0]["seq"] for message in came] == [1, *revisions, 2, 3]
            one.call("watch", False)


def test_replay__is_one_chain_of_numbers_for_all_and_for_each_client():
    with Broker() as broker, broker.manager() as manager, broker.client("lamp/1") as lamp:
        lamp.call("put", "k", "")
        lamp.call("auth", "adam", "eve")
        manager.call("manage", "lamp", "put", "k", "v", {"ttl_ms": 2**53})
        manager.call("role", "lamp", "guest")
        manager.call("forget", "lamp")
        lamp.call("put", "l", b"w")
        lamp.call("del", "l")
        lamp.call("bye")
        page = manager.call("replay", 0, {"epoch": manager.call("hello")["epoch"]})
        events = page["events"]
        assert [event["seq"] for event in events] == list(range(1, page["seq"] + 1))
        own = [event for event in events if event["client"] == "lamp"]
        assert manager.call("replay", 0, {"client": "lamp"})["events"] == own
        chain = [0]
        for event in own:
            assert event["prev"] == chain[-1]
            chain.append(0 if event["kind"] == "drop" else event["seq"])
        number = manager.whoami()
        assert [(event["kind"], event["value"], event["size"], event["by"], event["user"]) for event in own] == [
            ("connect", None, None, "lamp", None), ("put", "", 0, "lamp", None), ("role", "manager", None, "lamp", "adam"),
            ("put", "v", 1, number, "adam"), ("role", "guest", None, number, "adam"), ("disconnect", "forgotten", None, number, "adam"),
            ("drop", None, None, number, "adam"), ("connect", None, None, "lamp", None), ("put", b"w", 1, "lamp", None),
            ("del", None, None, "lamp", None), ("disconnect", "bye", None, "lamp", None), ("drop", None, None, None, None)]
        assert [event["ttl_ms"] for event in own if event["kind"] == "put"] == [None, 2**53, None]
        assert manager.call("replay", page["seq"]) == {"events": [], "seq": page["seq"]}
        assert manager.out_of_range("replay", page["seq"] + 1) == 0
