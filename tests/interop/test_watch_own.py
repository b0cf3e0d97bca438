# SPDX-License-Identifier: MPL-2.0
"""`watch`: what a session is told about its own client's store, and in what order (PROTOCOL.md 5, 6.3)."""

import time

import pytest
import zmq

from broker import Broker
from client import unique
from hashes import slow_hash
from managing import park
from project import SANITIZED
from rpc import outcome, pack, unpack_all
from subscriber import check_event
from waiting import wait_until


def changed(client, timeout=None):
    """Returns the event of the next push."""
    number, method, params = client.recv_push(timeout)
    assert (number, method, len(params)) == (2, "changed", 1)
    return check_event(params[0])


def nothing_pushed(client):
    """Whether nothing was pushed before the answer to a ping."""
    client.call("ping")
    return not client.pushed


@pytest.fixture
def pair(broker):
    """Two sessions of one client, and its name. The first watches."""
    name = unique("own")
    with broker.client(f"{name}/1") as first, broker.client(f"{name}/2") as second:
        second.call("ping")
        first.call("watch", True)
        yield first, second, name


# -- what is told


def test_put_del_expire__of_another_session__are_told_as_events(pair):
    first, second, name = pair
    revision = second.call("put", "k", "v", {"ttl_ms": 30000})
    event = changed(first)
    assert (event["kind"], event["client"], event["key"], event["value"], event["seq"], event["by"]) == (
        "put", name, "k", "v", revision, name)
    second.call("del", "k")
    assert (changed(first)["kind"], changed_after(first, second, "put", "k", "v", {"ttl_ms": 10})) == ("del", "put")
    event = changed(first)
    assert (event["kind"], event["key"], event["by"]) == ("expire", "k", None)


def changed_after(first, second, *request):
    second.call(*request)
    return changed(first)["kind"]


def test_a_manager__is_told_of_as_by_and_user(pair, broker):
    first, _, name = pair
    with broker.manager("boss") as manager:
        manager.call("manage", name, "put", "k", b"\xff")
        event = changed(first)
        assert (event["value"], event["by"], event["user"]) == (b"\xff", "boss", "adam")


def test_own_changes__are_not_told(pair):
    first, _, _ = pair
    first.call("put", "k", "v")
    first.batch(("put", "k", "w"), ("del", "k"))
    assert nothing_pushed(first)


def test_own_changes__through_manage__are_not_told(broker):
    with broker.manager("self-managed") as manager:
        manager.call("watch", True)
        manager.call("manage", "self-managed", "put", "k", "v")
        assert nothing_pushed(manager)


def test_presence_and_roles__are_not_told(pair, broker):
    first, second, name = pair
    with broker.client(f"{name}/3") as third, broker.manager() as manager:
        third.call("ping")
        third.call("bye")
        second.call("auth", "adam", "eve")
        manager.call("role", name, "guest")
    assert nothing_pushed(first)


def test_other_clients__are_not_told(pair, broker):
    first, second, name = pair
    with broker.client(name + "x") as other:
        other.call("put", "k", "v")
    assert nothing_pushed(first)


def test_who_did_not_ask_or_no_longer_asks__is_told_nothing(pair):
    first, second, _ = pair
    first.call("put", "k", "v")
    assert nothing_pushed(second)
    assert first.call("watch", False) == second.call("put", "k", "w") - 1
    assert nothing_pushed(first)
    first.call("watch", True)
    second.call("put", "k", "x")
    assert changed(first)["value"] == "x"


def test_expiry__met_by_a_request_of_the_session_itself__is_told(pair, broker):
    first, second, _ = pair
    first.call("put", "k", "v", {"ttl_ms": 100})
    with broker.standing_still():
        begin = time.monotonic()
        get = first.request("get", "k")
        wait_until(lambda: time.monotonic() > begin + 0.3, what="the entry's time is up")
    assert first.result(get) is None
    assert changed(first)["kind"] == "expire"


# -- order


def test_pushes__stand_in_payloads_of_their_own__never_within_an_answer(pair, broker):
    first, _, name = pair
    with broker.manager("boss") as manager:
        for number in range(30):
            manager.request("manage", name, "put", "k", f"{number}")
            first.send_raw(pack([0, 1, "put", ["own", "v"]]) + pack([0, 2, "get", ["own"]]))
        payloads = [unpack_all(first.recv_payload()) for _ in range(60)]
        answers = [payload for payload in payloads if payload[0][0] == 1]
        pushes = [payload for payload in payloads if payload[0][0] == 2]
        assert [[message[1] for message in payload] for payload in answers] == [[1, 2]] * 30
        assert [[message[2][0]["value"] for message in payload] for payload in pushes] == [[f"{n}"] for n in range(30)]


def test_watch__with_a_put_of_another_in_between__tells_each_once_and_in_order(pair):
    first, second, _ = pair
    seqs = []
    for number in range(200):
        second.notify("put", "k", f"{number}")
        if number % 10 == 0:
            first.call("watch", True)
    second.call("ping")
    first.call("ping")
    while len(seqs) < 200:
        seqs.append(changed(first)["seq"])
    assert seqs == sorted(set(seqs))
    assert nothing_pushed(first)


def test_watch__in_the_same_payload_as_puts__tells_no_own_change(broker):
    with broker.client("same-payload") as client:
        client.batch(("put", "a", "1"), ("watch", True), ("put", "b", "2"), ("watch", True), ("del", "a"))
        assert nothing_pushed(client)


def test_parked_session__gets_its_answer_first__then_the_pushes_in_order():
    with Broker(hashes={"slow": slow_hash("eve")}) as broker, broker.manager() as manager:
        with broker.client("lamp/1") as first, broker.client("lamp/2") as second:
            first.call("watch", True)
            park(manager, first, ("ping",), ("watch", True))
            # The second `watch`, after the password, must not lose the events that are owed by then.
            revisions = second.batch(*[("put", "k", f"{number}") for number in range(100)])
            assert [outcome(answer) for answer in unpack_all(first.recv_payload())[:2]] == [{"role": "manager"}, "pong"]
            assert [changed(first)["seq"] for _ in range(100)] == revisions


# -- catching up


def test_after__tells_all_since_then__own_ones_included__right_behind_the_answer(pair):
    first, second, _ = pair
    begin = first.call("put", "a", "1")
    second.call("put", "b", "2")
    first.call("del", "a")
    changed(first)
    answers = first.exchange(b"\x94\x00\x01\xa5watch\x92\xc3\x81\xa5after" + b"\xce" + begin.to_bytes(4, "big")
                             + b"\x94\x00\x02\xa3put\x92\xa1c\xa13")
    now = outcome(answers[0])
    assert len(answers) == 2
    assert [(event["kind"], event["key"]) for event in (changed(first), changed(first))] == [("put", "b"), ("del", "a")]
    assert nothing_pushed(first), "its own change after the watch must not be pushed"
    assert now == outcome(answers[1]) - 1


def test_after__a_session_that_comes_back__learns_what_it_missed(broker):
    with broker.client("back/1") as client, broker.client("back/2") as other:
        seen = client.call("watch", True)
        epoch = client.call("hello")["epoch"]
        other.call("ping")  # so that the store does not end with the session
        client.close()
        missed = [other.call("put", f"k{number}", "v") for number in range(500)]
        with broker.client("back/3") as again:
            assert again.call("watch", True, {"after": seen, "epoch": epoch}) >= missed[-1]
            assert [changed(again)["seq"] for _ in range(500)] == missed
            assert nothing_pushed(again)


def test_after_0__in_a_store_s_first_life__tells_all_of_it(pair):
    first, second, _ = pair
    revisions = [second.call("put", "k", f"{number}") for number in range(10)]
    for _ in revisions:
        changed(first)
    first.call("watch", True, {"after": 0})
    assert [changed(first)["seq"] for _ in revisions] == revisions
    assert nothing_pushed(first)


def test_after__of_an_empty_store_that_was_dropped_and_came_back__goes_on(broker):
    with broker.client("empty/1") as client, broker.manager() as manager:
        seen = client.call("watch", True)
        client.call("bye")
        with broker.client("empty/2") as again:
            assert again.call("watch", True, {"after": seen}) > seen
            manager.call("manage", "empty", "put", "k", "v")
            assert changed(again)["value"] == "v"
            assert nothing_pushed(again)


def test_after__more_events_before_the_store_began_than_are_looked_at__is_out_of_range():
    with Broker() as broker, broker.client("busy") as busy, broker.client("new") as new:
        for _ in range(6):
            last = busy.batch(*[("put", "k", "v")] * 4000)[-1]
        assert new.out_of_range("watch", True, {"after": 0}) == last
        assert new.out_of_range("watch", True, {"after": last - 20000}) == last
        new.call("watch", True, {"after": last - 19999})


def test_after__out_of_range__as_for_replay():
    with Broker(options={"events/keep": 10}) as broker, broker.client("lamp/1") as client:
        now = client.call("watch", True)
        assert client.out_of_range("watch", True, {"after": now + 1}) == 0
        assert client.out_of_range("watch", True, {"after": now, "epoch": "another"}) == 0
        with broker.client("lamp/2") as other:
            now = [other.call("put", "k", "v") for _ in range(20)][-1]
            for _ in range(20):
                changed(client)
            assert client.out_of_range("watch", True, {"after": 0}) == now - 10
            other.call("put", "k", "v")  # it still watches: a failed call changes nothing
            assert changed(client)["seq"] == now + 1
            client.call("watch", True, {"after": now - 9})
            assert changed(client)["seq"] == now - 8


@pytest.mark.parametrize("params", [(), (1,), (None,), (True, {"after": -1}), (True, {"after": "0"}), (True, {"epoch": 0}),
                                    (True, {"limit": 1}), (True, {}, 1)], ids=repr)
def test_params__that_are_wrong__are_invalid(broker, params):
    with broker.client() as client:
        assert client.code("watch", *params) == "INVALID_ARGUMENT"


def test_a_reused_number__never_hears_of_the_one_who_had_it():
    with Broker(options={"ids/first": 40000, "ids/last": 40001}) as broker, broker.manager() as manager:
        with broker.client() as before:
            name = before.whoami()
            before.call("put", "k", "private")
            before.call("bye")
        wait_until(lambda: manager.code("manage", name, "digest") == "NOT_FOUND", what="the end of the client")
        with broker.client() as after:
            assert after.whoami() == name
            assert_begins_with_its_store(after, lambda: after.call("put", "k", "mine"))


def test_a_forgotten_name__never_hears_of_the_one_who_had_it(broker):
    with broker.manager() as manager:
        with broker.client("was") as before:
            before.call("put", "k", "private")
            manager.call("forget", "was")
        with broker.client("was/2") as after:
            assert_begins_with_its_store(after, lambda: manager.call("manage", "was", "put", "k", "mine"))


def assert_begins_with_its_store(client, put):
    """Checks that the lowest `after` that CLIENT may give is where its store began, and that it is told only what PUT does."""
    begin = client.out_of_range("watch", True, {"after": 0})
    assert client.out_of_range("watch", True, {"after": begin - 1}) == begin
    put()
    client.call("watch", True, {"after": begin})
    assert changed(client)["value"] == "mine"
    assert nothing_pushed(client)


def last_key_deleted(manager, other):
    manager.call("manage", "away", "del", "k")


def last_key_deleted_by_a_session_that_leaves(manager, other):
    other.call("del", "k")
    other.call("bye")


def last_key_expired(manager, other):
    manager.call("manage", "away", "put", "k", "v", {"ttl_ms": 1})
    wait_until(lambda: manager.code("manage", "away", "get", "k") == "NOT_FOUND", what="the entry's expiry")


def forgotten(manager, other):
    manager.call("forget", "away")


def forgotten_and_made_anew(manager, other):
    manager.call("forget", "away")
    manager.call("manage", "away", "put", "other", "v", {"create": True})


@pytest.mark.parametrize("lose", (last_key_deleted, last_key_deleted_by_a_session_that_leaves, last_key_expired, forgotten,
                                  forgotten_and_made_anew))
def test_after__a_store_that_was_lost_meanwhile__is_to_be_read_anew(lose):
    with Broker() as broker, broker.manager() as manager, broker.client("away/1") as client, broker.client("away/2") as other:
        client.call("put", "k", "v")
        seen = client.call("watch", True)
        client.call("bye")
        if lose is last_key_deleted_by_a_session_that_leaves:
            other.call("ping")
        lose(manager, other)
        with broker.client("away/3") as again:
            begin = again.out_of_range("watch", True, {"after": seen})
            assert seen < begin
            (connect_or_put, *_) = manager.call("replay", begin, {"client": "away"})["events"]
            assert (connect_or_put["seq"], connect_or_put["prev"]) == (begin + 1, 0)
            assert again.call("watch", True, {"after": begin}) > begin


def test_far_behind__more_than_may_be_outstanding__is_told_whole__and_delays_nobody():
    with Broker() as broker, broker.client("lamp/1") as other, broker.client("other/1") as one, broker.client("other/2") as two:
        first = other.call("put", "k", "v")
        revisions = [revision for _ in range(15) for revision in other.batch(*[("put", "k", "v" * 100)] * 4000)]
        one.call("watch", True)
        with broker.client("lamp/2") as late:
            late.request("watch", True, {"after": first})
            took = []
            for number in range(50):
                begin = time.monotonic()
                two.call("put", "k", f"{number}")
                changed(one)
                took.append(time.monotonic() - begin)
            assert sorted(took)[25] < 0.5, took  # usually some ms
            late.recv_response()
            assert [changed(late)["seq"] for _ in revisions] == revisions
            assert nothing_pushed(late)


# -- limits


def test_a_batch_of_own_puts_larger_than_the_log__does_not_end_the_session():
    with Broker(options={"events/keep": 100}) as broker, broker.client("lamp/1") as client, broker.client("lamp/2") as other:
        client.call("watch", True)
        client.batch(*[("put", "k", "v")] * 1000)
        assert nothing_pushed(client)
        revision = other.call("put", "k", "w")
        assert changed(client)["seq"] == revision


def test_a_log_that_overruns_while_a_request_is_parked__ends_the_session():
    with Broker(hashes={"slow": slow_hash("eve")}, options={"events/keep": 100}) as broker, broker.manager() as manager:
        with broker.client("lamp/1") as client, broker.client("lamp/2") as other:
            client.call("watch", True)
            begin = manager.call("stats")["sessions_slow_total"]
            park(manager, client, ("ping",), ("watch", True))
            other.batch(*[("put", "k", "v")] * 1000)
            wait_until(lambda: manager.call("stats")["sessions_slow_total"] == begin + 1, what="the end of the session")
            assert other.call("ping") == "pong"
            # Whether the answer still comes depends on the network. A push after a gap never comes.
            while not client.silent(0.1):
                assert client.recv()[0] == 1


def test_who_never_reads__is_cut_off_when_the_log_forgets__and_others_go_on():
    options = {"limits/outstanding": 8 << 20, "events/keep_bytes": 4 << 20}
    with Broker(options=options) as broker, broker.manager() as manager:
        with broker.client("lamp/1", sockopt={zmq.RCVHWM: 1, zmq.RCVBUF: 4096}) as stuck, broker.client("lamp/2") as other:
            stuck.call("watch", True)
            before = broker.rss()
            wait_until(lambda: other.call("put", "k", "v" * 60000) and
                       manager.call("stats")["sessions_slow_total"] == 1, what="the stuck session is ended", interval=0)
            assert broker.rss() - before < (100 if SANITIZED else 24) << 20
            assert other.call("ping") == "pong"


# -- REQ


def test_req__is_never_pushed_to(broker):
    with broker.client("req/1", kind=zmq.REQ) as client, broker.client("req/2") as other:
        client.socket.send(b"\x94\x00\x01\xa5watch\x91\xc3")
        (answer,) = unpack_all(client.recv_payload())
        assert isinstance(outcome(answer), int)
        for number in range(20):
            other.call("put", "k", f"{number}")
            client.socket.send(b"\x94\x00\x02\xa3get\x91\xa1k")
            (answer,) = unpack_all(client.recv_payload())
            assert outcome(answer) == f"{number}"


def test_dealer_that_once_sent_an_envelope__is_not_pushed_to_any_more(pair):
    first, second, _ = pair
    second.call("put", "k", "1")
    assert changed(first)["value"] == "1"
    first.send_frames([b"", b"\x94\x00\x01\xa4ping\x90"])
    assert first.recv_frames()[0] == b""
    second.call("put", "k", "2")
    first.send_frames([b"", b"\x94\x00\x02\xa4ping\x90"])
    assert unpack_all(first.recv_frames()[-1])[0][1] == 2
