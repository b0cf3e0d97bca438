# SPDX-License-Identifier: MPL-2.0
"""Events reach nobody who must not see them: strangers, demoted managers, managers whose session has ended. And the holder of
a ticket cannot disturb others (PROTOCOL.md 6.1)."""

import base64
import contextlib
import os
import resource
import socket
import struct
import threading
import time

import pytest
import zmq

from background import Background
from broker import Broker
from chance import rounds, seeded
from client import unique
from project import SANITIZED
from raw_peer import GREETING_SIZE, RawPeer
from rpc import pack, unpack_all
from subscriber import RawSubscriber, Subscriber, Watcher, subscribed
from waiting import TIMEOUT, readable, wait_until

MIB = 1 << 20
SLACK = 100 * MIB if SANITIZED else 6 * MIB


def ticket_with(ticket, username, password):
    return {**ticket, "username": username, "password": password}


def token(chance, size):
    """Returns text of the form that tickets have."""
    return base64.urlsafe_b64encode(chance.randbytes(size)).decode()


class Opening(RawSubscriber):
    """A subscriber that has sent STEPS: 0 = the greeting, 1 = also credentials, 2 = also the rest of the handshake, 3 = also a
    subscription to everything. It waits for nothing but the broker's WELCOME, and with RUDE not even for that."""

    def __init__(self, ticket, steps=3, kind=b"SUB", rude=False):
        ipc = ticket["endpoint"].startswith("ipc://")
        RawPeer.__init__(self, ticket["endpoint"], handshake=False)
        if not ipc:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.said, self.rude, self.patience = -1, rude, 1.0
        self.parts = [self.greeting(b"PLAIN"), self.hello(ticket), self.initiate(kind), self.frame(b"\x01")]
        self.data = b""
        self.say(steps)

    def say(self, steps):
        if steps >= 2 > self.said and not self.rude:
            self.say(1)
            self.wait_welcome()
        with contextlib.suppress(OSError):
            self.send(b"".join(self.parts[self.said + 1:steps + 1]))
        self.said = max(self.said, steps)

    def wait_welcome(self):
        """Waits for WELCOME, for the end of the connection, or until nothing comes for `patience` seconds."""
        while b"\x07WELCOME" not in self.data and readable(self.socket, self.patience) and not self.drain():
            pass

    def drain(self):
        """Reads what has come, without waiting. Returns whether the connection is closed."""
        self.socket.setblocking(False)
        try:
            while True:
                piece = self.socket.recv(65536)
                if not piece:
                    return True
                self.data += piece
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT)

    def silent(self, _):
        self.drain()
        return not self.contents()

    def contents(self):
        """Returns the maps of all events and syncs that came."""
        contents, frames, at = [], [], GREETING_SIZE
        while at + 2 <= len(self.data):
            flags = self.data[at]
            head = 9 if flags & self.LONG else 2
            if at + head > len(self.data):
                break
            size = struct.unpack(">Q", self.data[at + 1:at + 9])[0] if flags & self.LONG else self.data[at + 1]
            if at + head + size > len(self.data):
                break
            if not flags & self.COMMAND:
                frames.append(self.data[at + head:at + head + size])
                if not flags & self.MORE:
                    contents.append(unpack_all(frames[-1])[0][2][0])
                    frames = []
            at += head + size
        return contents


# -- no ticket


def test_strangers__hear_nothing_ever():
    with Broker() as broker, broker.manager() as manager, contextlib.ExitStack() as stack:
        chance, ticket = seeded(), manager.call("events")
        with broker.manager() as gone:
            void = gone.call("events")
            gone.call("bye")
        other = stack.enter_context(broker.manager()).call("events")
        user, password = ticket["username"], ticket["password"]
        pairs = [(None, None), ("adam", "eve"), (user, other["password"]),
                 (other["username"], password), (password, user), (user, password[:-1]), (user, password + "x"),
                 (user[:-1], password), (user, password.swapcase()), (user + "\0", password), (user, token(chance, 32)),
                 (token(chance, 16), password), (token(chance, 16), token(chance, 32)), ("x" * 200, "y" * 200), (void["username"], void["password"])]
        strangers = [stack.enter_context(Subscriber(ticket_with(ticket, *pair), ["", "/"])) for pair in pairs]
        subscriber = stack.enter_context(subscribed(manager))
        lamp = stack.enter_context(broker.client("lamp"))
        strangers += [stack.enter_context(Opening(ticket_with(ticket, *pair)))
                      for pair in ((user, ""), ("", password), ("", ""))]
        refused = len(strangers) - 1  # the one without a mechanism is not asked for a ticket
        wait_until(lambda: lamp.call("put", "k", "v") and
                   manager.call("stats")["subscribers_refused_total"] >= refused, what="all strangers are refused")
        for _ in range(2):
            lamp.call("put", "k", "v")
            subscriber.sync()
        assert all(stranger.silent(0) for stranger in strangers)
        assert manager.call("stats")["subscribers_refused_total"] == refused, "a SUB that was refused must not try again"
        assert broker.wait_log(r"refused: no valid ticket")


def test_strangers__thousands_with_random_credentials__hear_nothing():
    chance = seeded()
    with Broker() as broker, broker.manager() as manager, contextlib.ExitStack() as stack:
        ticket = manager.call("events")
        subscriber = stack.enter_context(subscribed(manager))
        lamp = stack.enter_context(broker.client("lamp"))
        until = time.monotonic() + 5
        tried = 0
        kept = []
        while tried < 100 or tried < rounds(1000 if SANITIZED else 4000) and time.monotonic() < until:
            group = []
            for _ in range(100):
                user = ticket["username"] if chance.random() < 0.3 else token(chance, 16)
                group.append(Opening(ticket_with(ticket, user, token(chance, 32)), rude=True))
            lamp.call("put", "k", "v")
            for peer in group:
                wait_until(peer.drain, what="the peer is refused", interval=0.001)
            tried += len(group)
            kept.append(Opening(ticket_with(ticket, user, token(chance, 32)), 1))
            for peer in group:
                assert not peer.contents()
                peer.close()
        revision = lamp.call("put", "k", "v")
        assert subscriber.until(lambda event: event["seq"] == revision)
        for peer in kept:
            peer.rude = True
            peer.say(3)
            peer.drain()
            assert not peer.contents()
            peer.close()
        print(f"{tried} refused")
        assert manager.call("stats")["subscribers_refused_total"] >= tried


# -- demoted managers

ROUNDS = rounds(6 if SANITIZED else 20)


@pytest.mark.parametrize("ipc", (False, True), ids=("tcp", "ipc"))
def test_demotion__nothing_above_the_role_event__on_any_connection(ipc):
    """Each round demotes a manager that has connections at every stage. Three threads open more of them all the time, while
    puts are published."""
    chance = seeded()
    demotions = ROUNDS // 4 if ipc else ROUNDS
    with Broker(ipc=ipc) as broker, broker.manager("boss") as boss, contextlib.ExitStack() as stack:
        putters = [stack.enter_context(broker.client(f"lamp-{number}")) for number in range(2)]
        stop = threading.Event()
        current = []  # the last one is the ticket to use
        opened = {}  # {username: connections with it}
        stack.callback(stop.set)

        def put():
            while not stop.is_set():
                for putter in putters:
                    putter.batch(*[("put", "k", "v")] * 20)

        def intrude(number):
            peers = []
            dice = seeded(f"intruder {number}")
            while not stop.is_set():
                ticket = current[-1]
                with contextlib.suppress(OSError):
                    peer = Opening(ticket, 0, rude=dice.random() < 0.1)
                    peer.patience = 0.05  # seconds; a refused peer is not told
                    peer.say(dice.choice((0, 1, 2, 3, 3)))
                    opened[ticket["username"]].append(peer)
                    peers.append(peer)
                for peer in peers[-8:]:
                    peer.say(3)
                if dice.random() < 0.3:
                    stop.wait(0.003)

        threads, limits = [], []
        for round_ in range(demotions):
            victim = stack.enter_context(broker.manager())
            name = victim.whoami()
            ticket = victim.call("events")
            mine = opened.setdefault(ticket["username"], [])
            current.append(ticket)
            if round_ == 0:
                threads += [Background(put), *(Background(intrude, number) for number in range(3))]
                for thread in threads:
                    stack.callback(thread.join)
                stack.callback(stop.set)
            stages = [Opening(ticket, steps) for steps in (0, 1, 2, 2, 3, 3)]
            mine += stages
            subscriber = stack.enter_context(subscribed(victim))
            if round_ == 0:
                wait_until(lambda heard=stages[-1]: heard.drain() or heard.contents(), what="a connection receives something")
            stop.wait(chance.random() * 0.02)
            assert boss.call("role", name, "guest") == "guest"
            page = boss.call("replay", ticket["seq"], {"client": name, "limit": 10000})
            while not page["events"] or page["events"][-1]["value"] != "guest":
                page = boss.call("replay", page["seq"], {"client": name, "limit": 10000})
            mine.append(Opening(ticket, 0))
            for peer in mine[-1:] + stages:
                peer.patience = 0.02
                peer.say(3)
            limits.append((page["events"][-1]["seq"], ticket["username"], subscriber))
            assert victim.code("events") == "PERMISSION_DENIED"
        put_last = boss.call("manage", "lamp-0", "put", "last", "v")
        stop.set()
        for thread in threads:
            thread.finish()
        with subscribed(boss, ["lamp-0/"]) as witness:
            boss.call("manage", "lamp-0", "put", "last", "v")
            witness.event()
        count = heard = 0
        for limit, username, subscriber in limits:
            while not subscriber.silent(0):
                assert subscriber.recv()[1]["seq"] <= limit < put_last
            for peer in opened[username]:
                count += 1
                peer.drain()
                for content in peer.contents():
                    heard += 1
                    assert content["seq"] <= limit, (content, limit)
                peer.close()
        print(f"{demotions} demotions, {count} raw connections, which heard {heard} messages before")
        assert heard > 0


@pytest.mark.parametrize("ipc", (False, True), ids=("tcp", "ipc"))
def test_demotion__subscriptions_that_come_while_its_payload_runs__hear_nothing(ipc):
    """Publishing applies subscriptions that the broker has not read, also those of connections that it does not know yet."""
    puts = [("manage", "lamp", "put", "k", "v" * 500)] * (500 if SANITIZED else 4000)
    with Broker(ipc=ipc) as broker, broker.manager("boss") as boss, broker.client("lamp") as lamp:
        lamp.call("ping")
        for round_ in range(8):
            with broker.manager() as victim, contextlib.ExitStack() as stack:
                name = victim.whoami()
                ticket = victim.call("events")
                peers = [stack.enter_context(Opening(ticket, steps)) for steps in (2, 1) * 6]
                wait_until(lambda: all(peer.drain() or b"READY" in peer.data for peer in peers[::2]), what="handshakes")
                for peer in peers:
                    peer.rude = True  # it has its WELCOME
                requests = [("role", name, "guest"), *puts[1:]]
                boss.send_raw(b"".join(pack([0, number, request[0], list(request[1:])])
                                       for number, request in enumerate(requests)))
                threading.Event().wait(0.002 * round_)
                for peer in peers:
                    peer.say(3)
                answers = unpack_all(boss.recv_payload())
                assert answers[0][3] == "guest"
                limit = answers[1][3] - 1  # the role event stands before the first put
                for peer in peers:
                    wait_until(peer.drain, what="the connection is cut")
                    assert all(content["seq"] <= limit for content in peer.contents()), limit


@pytest.mark.parametrize("endpoint", ("tcp://127.0.0.1:*", "tcp://*:*", "ipc://*", "ipc://@kvbroker-test-{}"))
def test_demotion__cuts_on_every_kind_of_endpoint(endpoint):
    with Broker(events=[endpoint.format(os.getpid())]) as broker, broker.manager() as boss, broker.manager() as victim:
        name = victim.whoami()
        with subscribed(victim) as demoted, subscribed(boss) as witness, broker.client("lamp") as lamp:
            boss.call("role", name, "guest")
            last = lamp.call("put", "k", "v")
            witness.until(lambda event: event["seq"] == last)  # whoever receives it has received it by now
            assert not [event for event in heard(demoted) if event["kind"] != "role"]


def heard(subscriber):
    """Returns the events that have come."""
    events = []
    while not subscriber.silent(0):
        method, content = subscriber.recv()
        if method == "event":
            events.append(content)
    return events


def test_demotion__cuts_where_no_descriptor_is_left():
    with Broker() as own, own.manager("boss") as boss, own.manager() as victim, own.client("lamp") as lamp:
        ticket = victim.call("events")
        name = victim.whoami()
        lamp.call("ping")
        with RawSubscriber(ticket) as peer, RawSubscriber(ticket) as quiet:
            peer.subscribe()
            assert peer.message()[0] == b"/"
            soft, hard = resource.prlimit(own.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(own.process.pid, resource.RLIMIT_NOFILE, (own.descriptors(), hard))
            assert boss.call("role", name, "guest") == "guest"
            resource.prlimit(own.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
            lamp.call("put", "k", "v")
            assert quiet.closed()
            with pytest.raises(ConnectionError):
                while True:
                    assert b"lamp" not in peer.message()[0]


def test_demotion__other_subscribers_are_whole_again():
    with Broker() as broker, broker.manager("boss") as boss, broker.client("lamp") as lamp, contextlib.ExitStack() as stack:
        events = []
        watcher = stack.enter_context(contextlib.closing(
            Watcher(broker.request_endpoint, ("adam", "eve"), events.append, lambda seq: None)))
        other = stack.enter_context(broker.manager())
        watcher.step()
        for _ in range(5):
            with broker.manager() as victim:
                name = victim.whoami()
                with subscribed(victim):
                    # A connection in its handshake cannot be told from one of the victim's.
                    newcomer = stack.enter_context(Subscriber(other.call("events"), [""]))
                    boss.call("role", name, "guest")
                    last = lamp.call("put", "k", "v")
                    wait_until(lambda: watcher.step() or watcher.seq >= last, what="the watcher has all events", interval=0)
                    wait_until(lambda: newcomer.sync()["seq"] >= last - 1, what="the newcomer receives syncs", interval=0)
                    newcomer.close()
        seqs = [event["seq"] for event in events]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


def test_demotion_and_promotion__give_another_ticket(broker):
    with broker.manager() as boss, broker.manager() as victim:
        name = victim.whoami()
        before = victim.call("events")
        boss.call("role", name, "guest")
        boss.call("role", name, "manager")
        after = victim.call("events")
        assert (before["username"], before["password"]) != (after["username"], after["password"])
        with Subscriber(before, [""]) as old, subscribed(victim) as new:
            new.sync()
            assert old.silent(0)


# -- ended sessions


def end_by_bye(session):
    session.call("bye")


def end_by_loss(session):
    session.close()


@pytest.mark.parametrize("end", (end_by_bye, end_by_loss))
def test_session_end__its_connections_are_closed__and_its_ticket_is_void(end):
    with Broker() as broker, broker.manager() as witness, broker.client("lamp") as lamp, contextlib.ExitStack() as stack:
        session = broker.manager()
        ticket = session.call("events")
        listening, idle = (stack.enter_context(RawSubscriber(ticket)) for _ in range(2))
        listening.subscribe()
        assert listening.message()[0] == b"/"
        midway = [stack.enter_context(Opening(ticket, steps)) for steps in (0, 1)]
        innocent = stack.enter_context(subscribed(witness))
        end(session)
        assert listening.closed() and idle.closed()
        wait_until(midway[1].drain, what="the connection in its handshake is closed")
        midway[0].say(3)
        late = stack.enter_context(Opening(ticket))
        revision = lamp.call("put", "k", "v")
        innocent.until(lambda event: event["seq"] == revision)
        innocent.sync()
        for peer in (*midway, late):
            peer.drain()
            assert not [content for content in peer.contents() if content["seq"] >= revision]


# -- holders of a ticket


def assert_undisturbed(broker, manager, act):
    """Checks that ACT costs another subscriber no event and that, done again, it takes no more memory of the broker. ACT must
    not use MANAGER, whose session is kept alive meanwhile."""
    unread = {zmq.RCVHWM: 0}  # unlimited: it reads at the end
    name = unique("witness")
    with broker.client(name) as witness, subscribed(manager, [f"{name}/"], sockopt=unread) as subscriber:
        stop = threading.Event()
        seqs = [witness.call("put", "k", "v")]

        def put():
            while not stop.wait(0.005):
                seqs.append(witness.call("put", "k", "v"))
                manager.call("ping")

        def growth():
            before = broker.rss()
            act()
            return broker.rss() - before

        writer = Background(put)
        try:
            act()
            # The broker now has the memory that it keeps for so many connections. How many are open at the same time depends
            # on the machine, so only growth in every call is a leak.
            wait_until(lambda: growth() < SLACK, what="a call that takes no more memory", interval=0)
        finally:
            stop.set()
            writer.join()
        writer.finish()
        told = subscriber.until(lambda event: event["seq"] == seqs[-1])
        assert [event["seq"] for event in told if event["kind"] == "put"] == seqs


def test_subscribers_that_vanish__thousands_of_times(broker):
    chance = seeded()
    done = 0
    with broker.manager() as manager:
        ticket = manager.call("events")

        def vanish():
            nonlocal done
            until = time.monotonic() + 5
            for _ in range(rounds(500 if SANITIZED else 2000)):
                with contextlib.suppress(OSError):
                    peer = Opening(ticket, chance.choice((0, 1, 2, 3, 3, 3)), rude=chance.random() < 0.5)
                    if chance.random() < 0.5:  # close with a reset
                        peer.reset_at_close()
                    if chance.random() < 0.1:
                        peer.drain()
                    peer.close()
                    done += 1
                if time.monotonic() > until and done >= 100:
                    break

        assert_undisturbed(broker, manager, vanish)
        wait_until(lambda: broker.descriptors() < 100, what="all connections are closed")
    print(f"{done} vanished")
    assert done >= 100


def random_frames(chance):
    """Returns frames that an XSUB might send, or that none would."""
    kind = chance.randrange(8)
    body = chance.randbytes(chance.choice((0, 1, 2, 10, 100, 256, 511, 512)))
    if kind == 0:
        return RawPeer.frame(body)
    if kind == 1:
        return RawPeer.frame(body, RawPeer.MORE)
    if kind == 2:
        return b"".join(RawPeer.frame(chance.randbytes(5), RawPeer.MORE) for _ in range(20)) + RawPeer.frame(b"\x01")
    if kind == 3:
        return RawPeer.frame(chance.choice((b"\x00", b"\x01", b"\x00never", b"\x01lamp/", b"\x02\x01", b"")))
    if kind == 4:
        name = chance.choice((b"SUBSCRIBE", b"CANCEL", b"PING", b"PONG", b"ERROR", b"READY", b"X"))
        return RawPeer.command((bytes([len(name)]) + name + body)[:255])
    if kind == 5:
        return bytes([RawPeer.LONG]) + struct.pack(">Q", chance.choice((0, 513, 2**31, 2**63))) + body
    if kind == 6:
        return b"".join(RawPeer.frame(b"\x01" + chance.randbytes(200)) for _ in range(40))
    return body


def test_xsub_peers_with_a_ticket__sending_any_frames(broker):
    chance = seeded()
    with broker.manager() as manager:
        ticket = manager.call("events")

        def harass():
            for _ in range(rounds(30 if SANITIZED else 150)):
                with contextlib.suppress(OSError):
                    with Opening(ticket, 2, kind=chance.choice((b"XSUB", b"XSUB", b"SUB", b"PUB", b"DEALER"))) as peer:
                        for _ in range(chance.randrange(30)):
                            peer.send(random_frames(chance))
                            peer.drain()
                            peer.data = b""

        assert_undisturbed(broker, manager, harass)


def test_floods_of_subscriptions_and_pings__ended_by_a_reset():
    """This aborts libzmq if it has stopped reading the connection."""
    ping = RawPeer.command(b"\x04PING\x00\x00")
    with Broker() as broker, broker.manager() as manager:
        ticket = manager.call("events")

        def flood():
            for _ in range(10 if SANITIZED else 100):
                with contextlib.suppress(OSError), Opening(ticket, 2) as peer:
                    peer.send((RawPeer.frame(b"\x01x") * 20 + ping) * 40)
                    peer.reset_at_close()

        assert_undisturbed(broker, manager, flood)


def test_floods_without_end__the_broker_goes_on():
    """A call of libzmq on an XPUB does not return before all that has come is read. The test has its own broker, because the rest
    of the floods may close all event connections once more."""
    flood = RawPeer.frame(b"\x00x") * 200000
    longest = 0.0
    with Broker() as broker, broker.manager() as manager, broker.client("lamp") as lamp, contextlib.ExitStack() as stack:
        ticket = manager.call("events")
        lamp.call("ping")
        stop = threading.Event()

        def pour():
            while not stop.is_set():
                with contextlib.suppress(OSError), Opening(ticket, 2) as peer:
                    peer.socket.settimeout(1.0)
                    while not stop.is_set():
                        peer.send(flood)

        before = broker.rss()
        threads = [Background(pour) for _ in range(4)]
        stack.callback(lambda: [thread.join() for thread in threads])
        stack.callback(stop.set)
        until = time.monotonic() + rounds(2)
        while time.monotonic() < until:
            begin = time.monotonic()
            lamp.call("ping")
            longest = max(longest, time.monotonic() - begin)
            assert broker.rss() - before < 512 * MIB + SLACK
        stop.set()
        for thread in threads:
            thread.finish()
        print(f"a ping took {longest:.2f} s at most")
        with subscribed(manager) as subscriber:
            assert lamp.call("put", "k", "v") <= subscriber.until(lambda event: event["client"] == "lamp")[-1]["seq"]


def test_subscription__of_256_bytes_is_taken__of_257_cuts(own_broker):
    with own_broker.manager() as manager, own_broker.client("lamp") as lamp:
        ticket = manager.call("events")

        def subscribe():
            with RawSubscriber(ticket) as peer:
                peer.subscribe(b"l" * 256)
                peer.subscribe(b"lamp/")
                wait_until(lambda: lamp.call("put", "k", "v") and readable(peer.socket), what="an event")
                assert peer.message()[0] == b"lamp/"
            for size in (257, 400, 511, 512, 600, 65536):
                with RawSubscriber(ticket) as peer:
                    with contextlib.suppress(OSError):
                        peer.subscribe(b"l" * size)
                    assert peer.closed()

        assert_undisturbed(own_broker, manager, subscribe)


def test_subscriptions__1024_are_taken__one_more_cuts(own_broker):
    with own_broker.manager() as manager, own_broker.client("lamp") as lamp:
        ticket = manager.call("events")

        def subscribe():
            with RawSubscriber(ticket) as peer:
                for number in range(1023):
                    peer.subscribe(b"no-%d/" % number)
                peer.subscribe(b"lamp/")
                wait_until(lambda: lamp.call("put", "k", "v") and readable(peer.socket), what="an event")
                assert peer.message()[0] == b"lamp/"
                peer.subscribe(b"one more")
                assert peer.closed()

        assert_undisturbed(own_broker, manager, subscribe)
