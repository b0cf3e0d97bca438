# SPDX-License-Identifier: MPL-2.0
"""`replay`: its bounds, its pages, and a log too small to keep all events (PROTOCOL.md 5, 6.2)."""

import pytest

from broker import Broker
from chance import seeded
from subscriber import check_event

MIB = 1 << 20


def replay_all(manager, after, **options):
    """Returns all events after AFTER, read page by page, and the seq up to which they are complete."""
    events = []
    while True:
        page = manager.call("replay", after, options)
        assert sorted(page) == ["events", "seq"]
        assert page["seq"] >= after and all(after < event["seq"] <= page["seq"] for event in page["events"])
        events += [check_event(event) for event in page["events"]]
        if page["seq"] == after:
            return events, after
        after = page["seq"]


def seqs(events):
    return [event["seq"] for event in events]


@pytest.fixture(scope="module")
def filled(broker):
    """A manager on a broker with some hundred events of several clients, one of which is gone."""
    with broker.manager("boss") as manager, broker.client() as number, broker.client("lamp") as lamp:
        gone = number.whoami()
        for index in range(50):
            number.call("put", "k", f"number {index}")
            lamp.call("put", f"k{index}", "v")
            manager.call("manage", "lamp", "del", f"k{index}")
        number.call("bye")
        manager.gone = gone
        yield manager


# -- bounds


def test_after__from_oldest_to_now__else_out_of_range_with_oldest(filled):
    ticket = filled.call("events")
    now = ticket["seq"]
    assert ticket["oldest"] == 0
    assert filled.call("replay", now) == {"events": [], "seq": now}
    assert seqs(filled.call("replay", now - 1)["events"]) == [now]
    assert seqs(filled.call("replay", 0, {"limit": 3})["events"]) == [1, 2, 3]
    for beyond in (now + 1, 2**53, 2**63, 2**64 - 1):
        assert filled.out_of_range("replay", beyond) == 0


@pytest.mark.parametrize("params", [(), (None,), ("0",), (-1,), (True,), (0, {"limit": 0}), (0, {"limit": 10001}),
                                    (0, {"limit": -1}), (0, {"epoch": 1}), (0, {"after": 0}),
                                    (0, {"prefix": ""}), (0, {}, 0)], ids=repr)
def test_params__that_are_wrong__are_invalid(filled, params):
    assert filled.code("replay", *params) == "INVALID_ARGUMENT"


def test_epoch__another_one__is_out_of_range(filled):
    epoch = filled.call("hello")["epoch"]
    assert seqs(filled.call("replay", 0, {"epoch": epoch, "limit": 1})["events"]) == [1]
    for other in ("", epoch[:-1], epoch + "x", "x" * 100):
        assert filled.out_of_range("replay", 0, {"epoch": other}) == 0


def test_replay__is_for_managers(broker, filled):
    with broker.client() as guest:
        assert guest.code("replay", 0) == "PERMISSION_DENIED"
        assert guest.code("events") == "PERMISSION_DENIED"


# -- pages


@pytest.mark.parametrize("limit", (1, 2, 7, 1000, 10000))
def test_limit__pages_of_any_size__give_the_same_whole(filled, limit):
    events, until = replay_all(filled, 0, limit=limit)
    assert until >= filled.call("events")["seq"] - 10 and seqs(events) == list(range(1, until + 1))
    assert len(filled.call("replay", 0, {"limit": limit})["events"]) == min(limit, until)


def test_limit__is_a_thousand_by_default():
    with Broker() as broker, broker.manager() as manager:
        manager.batch(*[("put", "k", "v")] * 1200)
        assert seqs(manager.call("replay", 0)["events"]) == list(range(1, 1001))


def test_page__ends_at_1_mib__with_at_least_one_event():
    with Broker(options={"events/inline": 2 * MIB, "limits/value": 2 * MIB}) as broker, broker.manager() as manager:
        begin = manager.call("events")["seq"]
        for size in (400_000, 400_000, 400_000, 2 * MIB, 2 * MIB, 10):
            manager.call("put", "k", "v" * size)
        pages = []
        after = begin
        while after < begin + 6:
            page = manager.call("replay", after)
            pages.append([event["size"] for event in page["events"]])
            after = page["seq"]
        assert pages == [[400_000] * 2, [400_000], [2 * MIB], [2 * MIB], [10]]


# -- one client


def test_client__its_events_alone__and_complete_to_the_end(filled):
    for client in ("lamp", filled.gone, int(filled.gone), "boss", filled.gone.encode()):
        events, until = replay_all(filled, 0, client=client, limit=20)
        everything, end = replay_all(filled, 0)
        name = client.decode() if isinstance(client, bytes) else str(client)
        assert events and until >= end - 3
        assert events == [event for event in everything if event["client"] == name]
        assert [event["prev"] for event in events] == [0, *seqs(events)[:-1]]


def test_client__that_is_gone__shows_its_end(filled):
    events, _ = replay_all(filled, 0, client=filled.gone)
    assert [event["kind"] for event in events[-2:]] == ["disconnect", "drop"]
    assert filled.code("manage", filled.gone, "get", "k") == "NOT_FOUND"


def test_client__that_never_was__has_no_events_but_the_answer_is_complete(filled):
    now = filled.call("events")["seq"]
    for client in ("nobody", "no/body", "x" * 200, 1):
        assert replay_all(filled, 0, client=client) == ([], now)


def test_client__far_between__is_found_page_by_page():
    with Broker() as broker, broker.manager("boss") as manager, broker.client("rare") as rare:
        rare.call("put", "k", "first")
        for _ in range(15):
            manager.batch(*[("put", "k", "v")] * 4000)
        rare.call("put", "k", "last")
        events, until = replay_all(manager, 0, client="rare")
        assert [event["value"] for event in events] == [None, "first", "last"]
        assert until == manager.call("events")["seq"]


# -- a small log


@pytest.mark.parametrize("keep", (1, 2, 5, 64))
def test_keep__so_many_events_are_there__and_no_more(keep):
    with Broker(options={"events/keep": keep}) as broker, broker.manager() as manager:
        for count in (0, 1, keep, 3 * keep + 1):
            for _ in range(count):
                manager.call("put", "k", "v")
            now = manager.call("events")["seq"]
            oldest = manager.call("events")["oldest"]
            assert oldest == max(0, now - keep)
            assert seqs(manager.call("replay", oldest)["events"]) == list(range(oldest + 1, now + 1))
            if oldest > 0:
                assert manager.out_of_range("replay", oldest - 1) == oldest == manager.out_of_range("replay", 0)
            assert manager.out_of_range("replay", now + 1) == oldest
            assert manager.out_of_range("replay", now, {"epoch": "another"}) == oldest


def test_keep_bytes__the_latest_events_are_there__whatever_their_sizes():
    chance = seeded()
    keep_bytes = 8192
    with Broker(options={"events/keep_bytes": keep_bytes, "events/inline": 65536}) as broker, broker.manager() as manager:
        put = {}
        for round_ in range(400):
            size = chance.choice((0, 1, chance.randrange(300), chance.randrange(3000), chance.randrange(2 * keep_bytes)))
            value = chance.randbytes(size) if chance.random() < 0.5 else chr(97 + round_ % 26) * size
            key = "k" * chance.randint(1, 200)
            put[manager.call("put", key, value)] = (key, value)
            ticket = manager.call("events")
            oldest, now = ticket["oldest"], ticket["seq"]
            events, until = replay_all(manager, oldest)
            assert (seqs(events), until) == (list(range(oldest + 1, now + 1)), now)
            for event in events:
                if event["kind"] == "put":
                    assert (event["key"], event["value"]) == put[event["seq"]]
            if oldest > 0:
                assert manager.out_of_range("replay", oldest - 1) == oldest
            assert sum(len(event["key"] or "") + (event["size"] or 0) for event in events) <= keep_bytes
            if size < 300:  # the newest event is kept if it fits
                assert oldest < now


def test_keep_bytes__an_event_larger_than_the_log__empties_it():
    with Broker(options={"events/keep_bytes": 1024, "events/inline": 65536}) as broker, broker.manager() as manager:
        manager.call("put", "k", "small")
        large = manager.call("put", "k", "v" * 1024)
        assert manager.call("events")["oldest"] == large
        assert manager.call("replay", large) == {"events": [], "seq": large}
        assert manager.out_of_range("replay", large - 1) == large
        small = manager.call("put", "k", "small")
        assert seqs(manager.call("replay", large)["events"]) == [small]
        assert manager.call("events")["oldest"] == large


def test_a_new_start__begins_at_1_in_another_epoch():
    epochs = set()
    for _ in range(2):
        with Broker() as broker, broker.manager() as manager:
            epoch = manager.call("hello")["epoch"]
            assert manager.call("events")["epoch"] == epoch
            epochs.add(epoch)
            assert seqs(manager.call("replay", 0)["events"]) == [1, 2]  # the manager's connect and its role
            assert manager.call("put", "k", "v") == 3
    assert len(epochs) == 2
