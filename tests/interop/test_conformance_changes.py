# SPDX-License-Identifier: MPL-2.0
"""Cases to which several rules of PROTOCOL.md about changes apply: chains of `prev` over several lives of a client, who made
a change, the order of events, and what ends with a session."""

import contextlib
import time

import pytest

from broker import Broker
from chance import seeded
from hashes import secret_hash
from rpc import RpcError, pack
from stores import digest_of
from subscriber import RawSubscriber, Subscriber, check_event, subscribed
from waiting import TIMEOUT, wait_until

SECRET = "sixteen bytes or more of a secret"
KEEP_ALL = {"limit": 10000}


def since(manager, seq, **options):
    """Returns the events after SEQ and checks their form."""
    return [check_event(event) for event in manager.call("replay", seq, {**KEEP_ALL, **options})["events"]]


def who(event):
    return event["kind"], event["client"], event["by"], event["user"]


# -- the chain about a client


def random_lives(broker, manager, chance):
    """Clients with two names and two numbers connect, leave, are forgotten and connect again, with and without keys."""
    sessions = {}
    for _ in range(300):
        slot = chance.choice(("a/1", "a/2", "b/1", None, ""))
        if slot not in sessions:
            sessions[slot] = broker.client(slot or None)
        name = (slot or "a").split("/")[0]
        action = chance.randrange(8)
        if action < 3:
            sessions[slot].call("put", chance.choice("kl"), "v", {"ttl_ms": 1} if chance.random() < 0.3 else {})
        elif action == 3:
            sessions[slot].call("del", chance.choice("kl"))
        elif action == 4:
            sessions[slot].call("bye")  # its next request begins another session
        elif action == 5:
            manager.call("manage", name, "put", "m", "v", {"create": True})
        elif action == 6:
            manager.code("manage", name, "del", chance.choice("klm"))
        elif chance.random() < 0.5:
            manager.code("forget", name)
    for name in ("a", "b"):  # at least two lives each, whatever was drawn above
        for _ in range(2):
            manager.call("manage", name, "put", "m", "v", {"create": True})
            manager.call("forget", name)


def test_prev__over_many_lives_of_names_and_numbers__is_a_chain_that_begins_anew_behind_each_drop():
    with Broker(options={"ids/first": 40000, "ids/last": 40002}) as broker, broker.manager() as manager:
        random_lives(broker, manager, seeded())
        events = since(manager, 0)
        last, lives = {}, {}
        for event in events:
            assert event["prev"] == last.get(event["client"], 0), event
            lives[event["client"]] = lives.get(event["client"], 0) + (event["prev"] == 0)
            last[event["client"]] = 0 if event["kind"] == "drop" else event["seq"]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert min(lives["a"], lives["b"]) > 1, lives


def test_prev__of_a_name_that_the_configuration_keeps__begins_anew_too():
    with Broker(names={"kept": secret_hash(SECRET)}) as broker, broker.manager() as manager, broker.client("kept/1") as client:
        begin = manager.seq()
        for _ in range(2):
            client.call("hello", {"secret": SECRET})
            client.call("bye")
        events = since(manager, begin, client="kept")
        assert [event["kind"] for event in events] == ["connect", "disconnect", "drop"] * 2
        assert [event["prev"] for event in events] == [0, begin + 1, begin + 2, 0, begin + 4, begin + 5]
        client.call("hello", {"secret": SECRET})
        for after in (begin, begin + 4, begin + 6):  # its store had no changes in any life
            assert client.call("watch", True, {"after": after}) == begin + 7


def test_prev__of_a_life_that_was_missed_whole__is_0_like_that_of_the_next_one():
    """This is why a subscriber to one client must also replay if prev is 0 (PROTOCOL.md 6.2)."""
    with Broker() as broker, broker.manager() as manager:
        begin = manager.seq()
        for life in range(2):
            with broker.client(f"lamp/{life}") as lamp:
                lamp.call("bye")
        firsts = [event["prev"] for event in since(manager, begin, client="lamp") if event["kind"] == "connect"]
        assert firsts == [0, 0]


class OneClient:
    """Follows one client as PROTOCOL.md 6.2 says. Events for which LOSE(event) is true never arrive."""

    def __init__(self, manager, name, lose):
        self.manager, self.name, self.lose = manager, name, lose
        self.subscriber = subscribed(manager, [name + "/"])
        self.position = manager.call("events")["seq"]
        self.heard = []
        self.asked = False
        self.replays = 0

    def hole(self, event):
        return event["seq"] != self.position + 1 and (event["prev"] > self.position or event["prev"] == 0)

    def take(self):
        method, content = self.subscriber.recv()
        if method == "sync":
            self.asked = False
            if content["seq"] > self.position:
                self.replay(content["seq"])
        elif not self.lose(content) and content["seq"] > self.position:
            if not self.hole(content):
                self.heard.append(content)
                self.position = content["seq"]
            elif not self.asked:
                self.replay(content["seq"])

    def replay(self, until):
        self.asked = True
        self.replays += 1
        while self.position < until:
            page = self.manager.call("replay", self.position, {"client": self.name})
            self.heard += page["events"]
            self.position = page["seq"]


def test_recipe__for_one_client__is_whole_over_lost_events_and_whole_lives():
    chance = seeded()
    with Broker() as broker, broker.manager() as manager, broker.client("other") as other, broker.client("lamp/1") as lamp:
        follower = OneClient(manager, "lamp", lambda event: chance.random() < 0.3)
        begin = follower.position
        with contextlib.closing(follower.subscriber):
            for _ in range(60):
                for _ in range(chance.randrange(3)):
                    lamp.call("put", "k", "v")
                for _ in range(chance.randrange(3)):
                    lamp.call("del", "k")
                    lamp.call("bye")
                other.batch(*[("put", "k", "v")] * chance.randrange(1, 3))
                while follower.subscriber.socket.poll(0):
                    follower.take()
            end = other.call("put", "k", "v")
            while follower.position < end:
                follower.take()
        assert follower.heard == since(manager, begin, client="lamp")
        assert follower.replays > 1


# -- by whom


def test_by_and_user__of_each_who_can_do_something():
    with Broker(accounts={"adam": "eve", "bert": "eve"}) as broker, broker.manager("boss") as boss:
        begin = boss.seq()
        boss.call("manage", "lamp", "put", "k", "v", {"create": True, "secret": SECRET})
        with broker.client("lamp") as lamp, broker.client() as other:
            lamp.call("hello", {"secret": SECRET})
            lamp.call("put", "k", "guest")
            boss.call("role", "lamp", "manager")
            lamp.call("put", "k", "manager by another's word")
            number = other.whoami()
            lamp.call("manage", number, "put", "k", "v")
            lamp.call("auth", "bert", "eve")
            lamp.call("put", "k", "manager by bert")
            lamp.call("manage", number, "del", "k")
            boss.call("role", "lamp", "guest")
            lamp.call("put", "k", "guest again")
            boss.call("role", "lamp", "manager")
            lamp.call("del", "k")
            lamp.call("auth", "bert", "eve")
            lamp.call("auth", "adam", "eve")
            assert lamp.batch(("put", "k", "adam"), ("role", "lamp", "guest"), ("put", "k", "guest"))[1] == "guest"
            lamp.call("auth", "bert", "eve")
            lamp.call("forget", "lamp")
            events = since(boss, begin)
        assert [who(event) for event in events if event["client"] != number or event["by"] != number] == [
            ("put", "lamp", "boss", "adam"),
            ("connect", "lamp", "lamp", None),
            ("put", "lamp", "lamp", None),
            ("role", "lamp", "boss", "adam"),
            ("put", "lamp", "lamp", None),  # a manager without an account
            ("put", number, "lamp", None),
            ("put", "lamp", "lamp", "bert"),
            ("del", number, "lamp", "bert"),
            ("role", "lamp", "boss", "adam"),
            ("put", "lamp", "lamp", None),
            ("role", "lamp", "boss", "adam"),  # the account did not come back with the role
            ("del", "lamp", "lamp", None),
            ("put", "lamp", "lamp", "adam"),  # its last login, which made no event: the role stayed the same
            ("role", "lamp", "lamp", None),  # it gave up its own role: as it is after the change
            ("put", "lamp", "lamp", None),
            ("role", "lamp", "lamp", "bert"),
            ("disconnect", "lamp", "lamp", "bert"),
            ("drop", "lamp", "lamp", "bert")]


# -- order


READERS = {
    "get": (("get", "k"), lambda result: result is None),
    "entry": (("entry", "k"), lambda result: result is None),
    "del": (("del", "k"), lambda result: result is None),
    "del if_revision": (("del", "k", {"if_revision": 0}), lambda result: result is None),
    "list": (("list", "k"), lambda result: result["entries"] == []),
    "digest": (("digest",), lambda result: (result["digest"], result["keys"]) == (0, 0)),
    "put if_revision": (("put", "k", "w", {"if_revision": 0}), lambda result: isinstance(result, int)),
}


@pytest.mark.parametrize("managed", (False, True), ids=("own", "managed"))
@pytest.mark.parametrize("reader", READERS)
def test_expire__comes_before_whatever_would_read_the_entry(reader, managed):
    """The broker is stopped until the entry has expired, so that it handles the request before its timer."""
    request, absent = READERS[reader]
    with Broker() as broker, broker.manager() as manager, broker.client("lamp") as lamp, subscribed(manager) as subscriber:
        lamp.call("watch", True)
        first = lamp.call("put", "k", "v", {"ttl_ms": 150})
        begin = time.monotonic()
        subscriber.until(lambda event: event["seq"] == first)
        with broker.standing_still():
            asker = manager if managed else lamp
            msgid = asker.request("manage", "lamp", *request) if managed else asker.request(*request)
            wait_until(lambda: time.monotonic() > begin + 0.2, what="its time has come")
        result = asker.result(msgid)
        assert absent(result), result
        expire = subscriber.event()
        assert (expire["kind"], expire["key"], expire["prev"], expire["seq"]) == ("expire", "k", first, first + 1)
        if isinstance(result, dict):
            assert result["seq"] == expire["seq"]
        if isinstance(result, int):
            assert result == expire["seq"] + 1
        assert lamp.recv_push()[2] == [expire]


def test_role_of_oneself__the_batch_goes_on_as_guest__and_nothing_behind_the_event_is_heard():
    with Broker() as broker, broker.manager("boss") as boss, broker.client("lamp") as lamp:
        begin = boss.seq()
        with subscribed(boss) as subscriber:
            answers = boss.batch(("role", "boss", "guest"), ("events",), ("put", "k", "v"))
            assert answers[0] == "guest" and answers[1].code == "PERMISSION_DENIED"
            lamp.call("put", "k", "v")
            heard = []
            with contextlib.suppress(TimeoutError):  # ends with silence: not even a sync comes
                while True:
                    heard.append(subscriber.recv(1.5)[1]["seq"])
            assert not [seq for seq in heard if seq > begin + 1], heard
        assert answers[2] == begin + 2


def test_changed__is_the_event_as_it_was_published_and_is_replayed():
    with Broker(options={"events/inline": 10}) as broker, broker.manager("boss") as boss, broker.client("lamp/1") as lamp:
        with subscribed(boss, ["lamp/"]) as subscriber:
            lamp.call("watch", True)
            begin = boss.seq()
            boss.call("manage", "lamp", "put", "k", b"\xff", {"ttl_ms": 60000})
            boss.call("manage", "lamp", "put", "k", "longer than ten")
            boss.call("manage", "lamp", "del", "k")
            boss.call("manage", "lamp", "put", "k", "", {"ttl_ms": 1})
            published = subscriber.until(lambda event: event["kind"] == "expire")[-5:]
            pushed = [lamp.recv_push() for _ in published]
            assert [message[:2] for message in pushed] == [[2, "changed"]] * 5
            assert [message[2] for message in pushed] == [[event] for event in published]
            assert since(boss, begin) == published


# -- what ends with a session


def assert_void(broker, ticket):
    """Checks that a subscriber with TICKET is refused and receives nothing."""
    with broker.manager() as other:
        before = other.call("stats")["subscribers_refused_total"]
        with Subscriber(ticket) as late:
            wait_until(lambda: other.call("stats")["subscribers_refused_total"] > before, what="the subscriber is refused")
            assert late.silent(0)


def test_bye__the_connections_next_session__neither_watches_nor_has_the_ticket(broker):
    with broker.manager("comes-again/1") as client, broker.client("comes-again/2") as other:
        ticket = client.call("events")
        client.call("watch", True)
        assert client.call("bye") is True
        assert client.code("events") == "PERMISSION_DENIED"
        other.call("put", "k", "v")
        client.call("auth", "adam", "eve")
        assert client.call("events")["username"] != ticket["username"]
        assert not client.pushed
        assert_void(broker, ticket)


def silence_until_timeout(boss):
    def ended():  # log in again: its own session may have timed out too
        return boss.batch(("auth", "adam", "eve"), ("manage", "deputy", "digest"))[1]

    wait_until(lambda: isinstance(answer := ended(), RpcError) and answer.code == "NOT_FOUND", what="the end of its session")


def forget(boss):
    boss.call("forget", "deputy")


@pytest.mark.parametrize("end", (silence_until_timeout, forget))
def test_session_that_is_ended__its_event_connections_are_closed__and_its_ticket_is_void(end):
    with Broker(options={"session/timeout": 3}) as broker, broker.manager() as boss, broker.manager("deputy") as deputy:
        ticket = deputy.call("events")
        with RawSubscriber(ticket) as peer:
            peer.subscribe()
            assert peer.message()[0] == b"/"
            end(boss)
            assert peer.closed()
        assert_void(broker, ticket)


def test_auth_again__right_or_wrong__leaves_the_ticket(broker):
    with broker.manager() as manager:
        ticket = manager.call("events")
        with subscribed(manager) as subscriber:
            assert manager.code("auth", "adam", "wrong") == "UNAUTHENTICATED"
            manager.call("auth", "adam", "eve")
            again = manager.call("events")
            assert (again["username"], again["password"]) == (ticket["username"], ticket["password"])
            assert manager.call("put", "k", "v") == subscriber.until(lambda event: event["kind"] == "put")[-1]["seq"]


# -- watch, replay: params and bounds


def test_watch__options_in_every_combination(broker):
    with broker.client("combine/1") as client, broker.client("combine/2") as other:
        epoch = client.call("hello")["epoch"]
        other.call("ping")
        now = client.call("watch", True, {"epoch": epoch})
        assert client.code("watch", True, {"epoch": "another"}) == "OUT_OF_RANGE"
        assert client.code("watch", False, {"after": "x"}) == "INVALID_ARGUMENT"
        revision = other.call("put", "k", "v")  # it still watches: a failed call changes nothing
        assert client.recv_push()[2][0]["seq"] == revision
        for options in (None, {}, {"after": now, "epoch": epoch}, {"after": 2**60}, {"epoch": "another"}):
            assert client.call("watch", False, options) >= revision
            assert other.call("put", "k", "v") and client.call("ping") and not client.pushed
            client.call("watch", True)
        last = other.call("put", "k", "w")
        assert client.recv_push()[2][0]["seq"] == last
        assert client.call("watch", True, {"after": last, "epoch": epoch}) == last
        assert client.call("watch", True, {"after": last - 1, "epoch": epoch}) == last
        assert client.recv_push()[2][0]["seq"] == last


def test_watch__all_told_again__whatever_it_was_told_before(broker):
    with broker.client("again/1") as client, broker.client("again/2") as other:
        begin = client.call("watch", True)
        revisions = [other.call("put", "k", f"{number}") for number in range(5)]
        for _ in range(3):
            client.call("watch", True, {"after": begin})
        client.call("ping")
        told = [message[2][0]["seq"] for message in client.pushed]
        assert told == revisions * 4


def test_epoch_and_client__at_their_bounds(broker):
    with broker.manager() as manager:
        for size, code in ((0, "OUT_OF_RANGE"), (200, "OUT_OF_RANGE"), (201, "INVALID_ARGUMENT")):
            assert manager.code("replay", 0, {"epoch": "e" * size}) == code
            assert manager.code("watch", True, {"epoch": "e" * size}) == code
        for size, code in ((0, "INVALID_ARGUMENT"), (200, None), (201, "INVALID_ARGUMENT")):
            assert manager.code("replay", 0, {"client": "c" * size}) == code


def test_replay__one_answer_looks_at_20000_events():
    with Broker() as broker, broker.manager() as manager:
        for _ in range(6):
            manager.batch(*[("put", "k", "v")] * 4000, timeout=2 * TIMEOUT)
        assert manager.call("replay", 1, {"client": "nobody"}) == {"events": [], "seq": 20001}
        page = manager.call("replay", 20001, {"client": "nobody"})
        assert page == {"events": [], "seq": manager.seq()}


def test_replay__a_page_ends_at_an_eighth_of_a_message():
    with Broker(options={"limits/message": 524288, "limits/batch": 256, "limits/value": 4096}) as broker, broker.manager() as manager:
        for number in range(200):
            manager.call("put", "k", "v" * 1000)
        manager.send_raw(pack([0, 1, "replay", [0]]))
        size = len(manager.recv_payload())
        assert 65536 - 1300 < size <= 65536 + 64, size


# -- digests


def replayed(manager, after, until, **options):
    """Yields the events after AFTER up to UNTIL, page by page."""
    while after < until:
        page = manager.call("replay", after, options)
        yield from (check_event(event) for event in page["events"] if event["seq"] <= until)
        after = page["seq"]


def random_changes(session, chance):
    """Makes changes by notifications, so that they are in flight when a digest is requested."""
    for _ in range(chance.randrange(40)):
        key = f"k{chance.randrange(20)}"
        if chance.random() < 0.3:
            session.notify("del", key)
        else:
            value = chance.choice(("", b"", "text", b"\x00\xff" * 20))
            session.notify("put", key, value, {"ttl_ms": 3} if chance.random() < 0.2 else {})


def test_digest__at_its_seq__is_that_of_the_copy_that_replay_makes():
    chance = seeded()
    with Broker() as broker, broker.manager() as manager, broker.client("lamp/1") as one, broker.client("lamp/2") as two:
        copy, position = {}, 0
        one.call("ping")
        for _ in range(60):
            random_changes(one, chance)
            random_changes(two, chance)
            digest = manager.call("manage", "lamp", "digest") if chance.random() < 0.5 else one.call("digest")
            for event in replayed(manager, position, digest["seq"], client="lamp", limit=chance.choice((1, 7, 1000))):
                copy.pop(event["key"], None)
                if event["kind"] == "put":
                    copy[event["key"]] = (event["value"], event["seq"])
            position = digest["seq"]
            assert (digest_of(copy), len(copy)) == (digest["digest"], digest["keys"])
        assert position > 500


# -- subscriptions and syncs


def test_sync__many_subscriptions_at_once__make_few():
    with Broker() as broker, broker.manager() as manager:
        with RawSubscriber(manager.call("events")) as peer:
            peer.subscribe(b"/")
            assert peer.message()[0] == b"/"
            with broker.standing_still():
                for number in range(1000):
                    peer.subscribe(b"no-%d/" % number)
            begin = time.monotonic()
            syncs = 0
            while time.monotonic() - begin < 2.0:
                syncs += peer.message()[0] == b"/"
            assert 1 <= syncs <= 100, syncs


def test_subscriptions__taken_back_or_not__count_to_1024():
    with Broker() as broker, broker.manager() as manager:
        with RawSubscriber(manager.call("events")) as peer:
            for number in range(511):
                peer.subscribe(b"no-%d/" % number)
                peer.send_frame(b"\x00no-%d/" % number)
            peer.subscribe(b"/")
            assert peer.message()[0] == b"/"
            peer.send_frame(b"\x00/")
            peer.subscribe(b"one more/")
            assert peer.closed()
