# SPDX-License-Identifier: MPL-2.0
"""Events as managers receive them (PROTOCOL.md 6.1, 6.2): their content, their order, and syncs."""

import contextlib
import signal
import time

import pytest

from broker import Broker
from hashes import slow_hash
from project import SANITIZED
from subscriber import Subscriber, Watcher, check_event, subscribed
from waiting import wait_until

SECRET = "a secret of sixteen"


@pytest.fixture
def world():
    """A broker, a manager, and a subscriber that receives everything."""
    with Broker(options={"events/inline": 100, "session/timeout": 30}) as broker, broker.manager("boss") as manager:
        with subscribed(manager) as subscriber:
            yield broker, manager, subscriber


def fields(event, *names):
    return tuple(event[name] for name in names)


def of_kind(kind):
    return lambda event: event["kind"] == kind


# -- what is in an event


def test_put__tells_value_size_ttl_revision_and_by_whom(world):
    broker, _, subscriber = world
    with broker.client("lamp") as lamp:
        revision = lamp.call("put", "colour", "red", {"ttl_ms": 60000})
        before = int(time.time() * 1000)
        event = subscriber.until(of_kind("put"))[-1]
        assert abs(event.pop("time_ms") - before) < 5000
        assert event == {"seq": revision, "prev": revision - 1, "kind": "put", "client": "lamp", "key": "colour",
                         "value": "red", "size": 3, "ttl_ms": 60000, "revision": revision, "by": "lamp", "user": None}


@pytest.mark.parametrize("value", ("", b"", "text", b"\x00\xff", "x" * 100, b"x" * 100), ids=repr)
def test_put__a_value_within_inline__is_told_with_its_type(world, value):
    broker, _, subscriber = world
    with broker.client("lamp") as lamp:
        lamp.call("put", "k", value)
        event = subscriber.until(of_kind("put"))[-1]
        assert fields(event, "value", "size", "ttl_ms") == (value, len(value), None)
        assert isinstance(event["value"], type(value))


@pytest.mark.parametrize("value", ("x" * 101, b"x" * 1048576), ids=("101", "1 MiB of bin"))
def test_put__a_value_above_inline__is_left_out_with_its_size(world, value):
    broker, manager, subscriber = world
    with broker.client("lamp") as lamp:
        lamp.call("put", "k", value)
        event = subscriber.until(of_kind("put"))[-1]
        assert fields(event, "value", "size") == (None, len(value))
        assert manager.call("manage", "lamp", "entry", "k")["value"] == value


def test_put__of_a_manager__tells_his_client_and_account(world):
    _, manager, subscriber = world
    manager.call("manage", "made", "put", "k", "v", {"create": True})
    manager.call("manage", "made", "del", "k")
    put, deleted = subscriber.until(of_kind("del"))[-2:]
    assert fields(put, "client", "by", "user", "prev") == ("made", "boss", "adam", 0)
    assert fields(deleted, "client", "by", "user", "prev", "key") == ("made", "boss", "adam", put["seq"], "k")


def test_expire__is_nobodys(world):
    broker, _, subscriber = world
    with broker.client("lamp") as lamp:
        lamp.call("put", "k", "v", {"ttl_ms": 20})
        event = subscriber.until(of_kind("expire"))[-1]
        assert fields(event, "client", "key", "value", "by", "user") == ("lamp", "k", None, None, None)
        assert lamp.call("get", "k") is None


def test_expire__seen_by_a_request_first__comes_before_what_the_request_does(world):
    broker, _, subscriber = world
    with broker.client("lamp") as lamp:
        first = lamp.call("put", "k", "v", {"ttl_ms": 150})
        told = subscriber.until(lambda event: event["seq"] == first)[-1]["time_ms"]
        with broker.standing_still():
            put_behind = lamp.request("put", "k", "w", {"if_revision": 0})
            wait_until(lambda: time.time() * 1000 > told + 200, what="the entry's time is up")
        revision = lamp.result(put_behind)
        expire, put = subscriber.until(lambda event: event["seq"] == revision)[-2:]
        assert fields(expire, "kind", "key", "prev", "by") == ("expire", "k", first, None)
        assert fields(put, "kind", "prev", "value") == ("put", expire["seq"], "w")


def test_requests_that_change_nothing__make_no_event(world):
    broker, manager, subscriber = world
    with broker.client("lamp") as lamp:
        first = lamp.call("put", "k", "v")
        lamp.call("del", "absent")
        lamp.code("put", "k", "w", {"if_revision": 0})
        lamp.call("get", "k")
        lamp.call("hello")
        manager.code("role", "lamp", "manager")
        manager.call("role", "lamp", "guest")
        manager.call("auth", "adam", "eve")
        assert lamp.call("put", "k", "w") == first + 1
        assert [event["seq"] for event in subscriber.until(of_kind("put"))][-1] == first
        assert fields(subscriber.event(), "kind", "seq") == ("put", first + 1)


def test_role__one_event_a_request__for_all_sessions_of_the_client(world):
    broker, manager, subscriber = world
    manager.call("manage", "deputy", "put", "k", "v", {"create": True, "secret": SECRET})
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(broker.client(f"deputy/{number}")) for number in range(3)]
        for session in sessions:
            session.call("hello", {"secret": SECRET})
        assert manager.call("role", "deputy", "manager") == "manager"
        assert manager.call("role", "deputy", "manager") == "manager"
        sessions[0].call("put", "end", "")
        assert manager.call("role", "deputy", "guest") == "guest"
        sessions[0].call("put", "end", "")
        subscriber.until(of_kind("connect"))
        events = [subscriber.event() for _ in range(4)]
    assert [event["kind"] for event in events] == ["role", "put", "role", "put"]
    assert [fields(event, "client", "value", "by", "user") for event in events if event["kind"] == "role"] == [
        ("deputy", "manager", "boss", "adam"), ("deputy", "guest", "boss", "adam")]


def test_auth__makes_a_role_event_of_its_own_client(world):
    broker, _, subscriber = world
    with broker.client("second") as second:
        second.code("auth", "adam", "wrong")
        second.call("auth", "adam", "eve")
        connect, role = (subscriber.event(), subscriber.event())
        assert fields(connect, "kind", "client", "value", "by", "user") == ("connect", "second", None, "second", None)
        assert fields(role, "kind", "client", "value", "by", "user") == ("role", "second", "manager", "second", "adam")


# -- presence


def test_presence__first_session_connects_last_one_disconnects(world):
    broker, _, subscriber = world
    with broker.client("lamp/1") as one, broker.client("lamp/2") as two:
        one.call("ping")
        two.call("ping")
        one.call("bye")
        revision = two.call("put", "k", "v")
        two.call("bye")
        events = subscriber.until(of_kind("disconnect"))
        assert [event["kind"] for event in events] == ["connect", "put", "disconnect"]
        assert fields(events[2], "client", "value", "by", "prev") == ("lamp", "bye", "lamp", revision)


def test_presence__a_name_without_keys_and_a_number__are_dropped_at_their_end(world):
    broker, _, subscriber = world
    for identity in ("lamp", None):
        with broker.client(identity) as client:
            name = client.whoami()
            if identity is None:
                client.call("put", "k", "v")
            client.call("bye")
            events = subscriber.until(of_kind("drop"))
            assert [event["kind"] for event in events if event["kind"] != "put"] == ["connect", "disconnect", "drop"]
            assert {event["client"] for event in events} == {name}
            assert fields(events[-1], "by", "user", "prev") == (None, None, events[-2]["seq"])
            assert events[0]["prev"] == 0


def test_disconnect__timeout():
    with Broker(options={"session/timeout": 1}) as broker, broker.client("lamp") as lamp:
        lamp.call("put", "k", "v")
        broker.wait_log("lamp disconnected")
        with broker.manager() as manager:  # a session that was there from the start might have timed out too
            events = map(check_event, manager.call("replay", 0)["events"])
            (event,) = (event for event in events if event["kind"] == "disconnect")
            assert fields(event, "client", "value", "by") == ("lamp", "timeout", None)


def test_disconnect__lost__by_sigkill(world):
    broker, _, subscriber = world
    with broker.peer(identity="lamp") as peer:
        peer.do("call", method="put", params=["k", "v"])
        subscriber.until(of_kind("put"))
        peer.kill()
        event = subscriber.event()
        assert fields(event, "kind", "client", "value", "by") == ("disconnect", "lamp", "lost", None)


def test_disconnect__slow():
    with Broker(hashes={"snail": slow_hash("pace")}) as broker, broker.manager() as manager:
        with subscribed(manager) as subscriber, broker.client("lamp") as lamp:
            lamp.request("auth", "snail", "pace")
            for _ in range(1025):  # one more than may wait while a password is verified
                lamp.request("ping")
            event = subscriber.until(of_kind("disconnect"))[-1]
            assert fields(event, "client", "value", "by") == ("lamp", "slow", None)


def test_forget__disconnects_as_forgotten_then_drops(world):
    broker, manager, subscriber = world
    with broker.client("lamp") as lamp:
        revision = lamp.call("put", "k", "v")
        manager.call("forget", "lamp")
        disconnect, drop = subscriber.until(of_kind("drop"))[-2:]
        assert fields(disconnect, "kind", "client", "value", "prev", "by") == ("disconnect", "lamp", "forgotten", revision,
                                                                             "boss")
        assert fields(drop, "client", "prev", "by", "user") == ("lamp", disconnect["seq"], "boss", "adam")
    with broker.client("lamp/again") as lamp:
        lamp.call("ping")
        assert fields(subscriber.event(), "kind", "prev") == ("connect", 0)


def test_forget__of_a_name_without_sessions__is_one_drop(world):
    _, manager, subscriber = world
    manager.call("manage", "made", "put", "k", "v", {"create": True})
    manager.call("forget", "made")
    put, drop = subscriber.until(of_kind("drop"))
    assert fields(drop, "prev", "key", "value", "size") == (put["seq"], None, None, None)


def test_shutdown__every_client_is_told_of_as_disconnected():
    with Broker() as broker, broker.manager("boss") as manager, subscribed(manager) as subscriber:
        lamps = [broker.client(f"lamp-{number}") for number in range(5)]
        for lamp in lamps:
            lamp.call("put", "k", "v")
        subscriber.until(lambda event: event["client"] == "lamp-4" and event["kind"] == "put")
        broker.process.send_signal(signal.SIGTERM)
        gone = {}
        while len(gone) < 6:
            event = subscriber.event()
            if event["kind"] == "disconnect":
                gone[event["client"]] = event["value"]
        assert gone == {name: "shutdown" for name in ("boss", *(f"lamp-{number}" for number in range(5)))}
        broker.wait_exit(0)


FLEET = 200 if SANITIZED else 2000


def test_presence__a_fleet_that_leaves_at_once__is_told_of_whole_and_in_order():
    with Broker() as broker, broker.peer(open=False) as peer:
        events = []
        watcher = Watcher(broker.request_endpoint, ("adam", "eve"), events.append, lambda seq: None)
        with contextlib.closing(watcher):
            watcher.step()
            peer.do("open", count=FLEET, identity="fleet-%d/1")
            peer.kill()
            leaving = {f"fleet-{number}" for number in range(FLEET)}

            def left():
                return [event["client"] for event in events
                        if fields(event, "kind", "value") == ("disconnect", "lost") and event["client"] in leaving]

            wait_until(lambda: watcher.step() or len(left()) >= FLEET, what="the fleet has left", interval=0)
            assert sorted(left()) == sorted(leaving)
            seqs = [event["seq"] for event in events]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


# -- order


def test_order__one_sequence_without_holes__and_a_chain_for_each_client(world):
    broker, manager, subscriber = world
    begin = manager.call("events")["seq"]
    with broker.client("one") as one, broker.client("two") as two:
        for number in range(50):
            one.call("put", f"k{number % 7}", "v" * number, {"ttl_ms": 5 + number} if number % 3 else {})
            two.batch(("put", "k", "v"), ("del", "k"), ("del", "k"), ("put", "k", "w"))
            if number % 10 == 9:
                manager.call("manage", f"made-{number}", "put", "k", "v", {"create": True})
        two.call("bye")
        end = manager.seq()
        events = subscriber.until(lambda event: event["seq"] >= end)
    assert [event["seq"] for event in events] == list(range(begin + 1, begin + 1 + len(events)))
    last = {}
    for event in events:
        assert event["prev"] == last.get(event["client"], 0)
        last[event["client"]] = event["seq"]
    page = manager.call("replay", begin, {"limit": 10000})
    assert [check_event(event) for event in page["events"]][:len(events)] == events


def test_topics__a_subscription_to_one_client__brings_that_one_alone(world):
    broker, manager, _ = world
    with subscribed(manager, ["lamp/"]) as subscriber, broker.client("lamp") as lamp, broker.client("lamp2") as other:
        other.call("put", "k", "v")
        lamp.call("put", "k", "v")
        other.call("put", "k", "v")
        last = lamp.call("put", "end", "")
        events = subscriber.until(lambda event: event["seq"] == last)
        assert {event["client"] for event in events} == {"lamp"}
        assert [event["kind"] for event in events] == ["connect", "put", "put"]
        assert [event["prev"] for event in events] == [0, *(event["seq"] for event in events[:-1])]


# -- syncs


def test_sync__comes_every_second__with_epoch_seq_and_time(world):
    broker, manager, subscriber = world
    ticket = manager.call("events")
    syncs = [subscriber.sync() for _ in range(4)]
    for sync in syncs:
        assert (sync["epoch"], sync["seq"]) == (ticket["epoch"], ticket["seq"])
    gaps = [after["time_ms"] - before["time_ms"] for before, after in zip(syncs, syncs[1:])]
    assert 500 < min(gaps) < 1500, gaps  # a busy machine makes some longer, but not all
    with broker.client("lamp") as lamp:
        assert lamp.call("put", "k", "v") == subscriber.sync()["seq"]


def test_sync__comes_soon_after_a_subscription(world):
    _, manager, _ = world
    begin = time.monotonic()
    for _ in range(30):  # each waits for a sync: with only one a second this would take 30 s
        with subscribed(manager, ["lamp/"]):
            pass
    assert time.monotonic() - begin < 20


def test_sync__is_not_heard_by_who_did_not_subscribe_to_it(world):
    broker, manager, subscriber = world
    with Subscriber(manager.call("events"), ["lamp/"]) as deaf:
        for _ in range(2):
            subscriber.sync()
        with broker.client("lamp") as lamp:
            lamp.call("ping")
            assert deaf.recv()[0] == "event"


# -- tickets


def test_events__the_ticket_stays_the_same_while_it_is_valid(world):
    broker, manager, _ = world
    first, second = manager.call("events"), manager.call("events")
    assert first == second and sorted(first) == ["endpoint", "epoch", "mechanism", "oldest", "password", "seq", "username"]
    assert first["mechanism"] == "PLAIN" and first["endpoint"] == broker.event_endpoint
    with broker.manager() as other:
        theirs = other.call("events")
        assert theirs["username"] != first["username"] and theirs["password"] != first["password"]


def test_events__the_endpoint__is_of_the_transport_the_client_came_by(tmp_path):
    requests = ["tcp://0.0.0.0:*", f"ipc://{tmp_path}/r"]
    events = [f"ipc://{tmp_path}/e", "tcp://0.0.0.0:*", "tcp://127.0.0.1:*"]
    with Broker(requests=requests, events=events) as broker:
        port = broker.request_endpoints[0].rsplit(":", 1)[1]
        for endpoint, expected in ((f"tcp://127.0.0.1:{port}", "tcp://127.0.0.1:" + broker.event_endpoints[1].rsplit(":", 1)[1]),
                                   (f"tcp://127.0.0.2:{port}", "tcp://127.0.0.2:" + broker.event_endpoints[1].rsplit(":", 1)[1]),
                                   (f"ipc://{tmp_path}/r", f"ipc://{tmp_path}/e")):
            with broker.manager(endpoint=endpoint) as manager, subscribed(manager):
                assert manager.call("events")["endpoint"] == expected


def test_events__the_endpoint_that_is_advertised__is_told_instead(tmp_path):
    told = f"tcp://127.0.0.1:7,ipc://{tmp_path}/mapped"
    with Broker(requests=["tcp://127.0.0.1:*", f"ipc://{tmp_path}/r"], options={"listen/advertise": told}) as broker:
        for endpoint, expected in zip(broker.request_endpoints, told.split(",")):
            with broker.manager(endpoint=endpoint) as manager:
                assert manager.call("events")["endpoint"] == expected
