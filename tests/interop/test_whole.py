# SPDX-License-Identifier: MPL-2.0
"""A watcher's copy is complete, whatever happens to it: it is stopped, disconnected, short of buffers, killed, or away for longer
than the log keeps events. Its stream has the broker's order without a gap or a duplicate, or says that the stores were read
again.

KV_CHANGES, KV_SEEDS and KV_RATE (numbers) make a run longer; KV_SEED repeats one."""

import contextlib
import os
import signal
import threading
import time

import pytest
import zmq

from background import Background
from broker import DEFAULT_ACCOUNT, Broker
from chance import rounds, seeded
from managing import clients_of, digests_of
from project import SANITIZED
from relay import Relay
from stores import entries_of
from subscriber import Subscriber, Watcher, subscribed
from waiting import wait_until
from watchers import Library, Recipe, Tool, checksum

CHANGES = int(os.environ.get("KV_CHANGES", rounds(4000 if SANITIZED else 12000)))
SEEDS = int(os.environ.get("KV_SEEDS", 1))
# Changes per second. Watchers in Python on a shared machine must be able to follow.
RATE = int(os.environ.get("KV_RATE", 2000 if SANITIZED else 6000))
CLIENTS = 20
KEEP = RATE // 2  # events in the log: half a second
INLINE = 700


class Writers:
    """Twenty clients that change their stores. `known` is {seq: the event that it must be}."""

    def __init__(self, broker, chance):
        self.broker, self.chance = broker, chance
        self.clients = [None] * CLIENTS
        self.names = [None] * CLIENTS
        self.known = {}
        self.done = 0

    def begin(self, index):
        # Every fourth client has no name: its store ends with it.
        self.clients[index] = self.broker.client(f"writer-{index}/{self.done}" if index % 4 else None)
        self.names[index] = self.clients[index].whoami()

    def change(self):
        chance = self.chance
        kind = chance.random()
        key = f"k{chance.randrange(40)}"
        if kind < 0.15:
            return ("del", key)
        value = chance.randbytes(chance.randrange(INLINE + 50))
        value = value if kind < 0.5 else value.hex()[:len(value)]
        return ("put", key, value, {"ttl_ms": chance.randrange(1, 60)}) if kind > 0.9 else ("put", key, value)

    def batch(self, index):
        if self.clients[index] is None:
            self.begin(index)
        requests = [self.change() for _ in range(self.chance.randint(1, 60))]
        for request, revision in zip(requests, self.clients[index].batch(*requests)):
            if revision is not None:
                value = request[2] if request[0] == "put" and len(request[2]) <= INLINE else None
                self.known[revision] = [request[0], self.names[index], request[1], checksum(value)]
        self.done += len(requests)
        if self.chance.random() < 0.01:
            self.clients[index].call("bye")
            self.clients[index].close()
            self.clients[index] = None

    def run(self):
        begin = time.monotonic()
        pause = threading.Event()
        while self.done < CHANGES:
            self.batch(self.chance.randrange(CLIENTS))
            pause.wait(max(0.0, begin + self.done / RATE - time.monotonic()))


def disturb(manager, watchers, relays, chance, stop):
    """Stops, disconnects, kills and restarts watchers until STOP is set. At first the last watcher is killed and stays away until
    the log no longer has its next event."""
    epoch = manager.call("events")["epoch"]

    def forgotten(seq):
        wait_until(lambda: stop.is_set() or manager.call("events")["oldest"] > seq, what="the log is overrun")

    watchers[-1].restart(epoch, forgotten)
    while not stop.wait(chance.random() * 0.3):
        manager.call("ping")
        watcher = chance.choice(watchers)
        what = chance.random()
        if what < 0.4:
            watcher.signal(signal.SIGSTOP)
            stop.wait(chance.random() * chance.choice((0.2, 1.5)))
            watcher.signal(signal.SIGCONT)
        elif what < 0.85:
            chance.choice(relays).cut()
        else:
            watcher.restart(epoch)


def check_stream(lines, known):
    """Checks that between resets all seqs are consecutive, the chains of all clients have no gap, and events are as KNOWN says.
    Returns the number of resets."""
    assert lines[0][0] == "reset"
    resets = 0
    for line in lines:
        if line[0] == "reset":
            resets += 1
            last, chains = int(line[1]), {}
            continue
        seq, prev, kind, client = int(line[0]), line[1] and int(line[1]), line[2], line[3]
        assert seq == last + 1, f"{seq} came after {last}"
        last = seq
        assert prev is None or chains.get(client, prev) == prev, line
        chains[client] = 0 if kind == "drop" else seq
        if kind in ("put", "del"):
            assert known[seq] == line[2:], (line, known[seq])
        else:
            assert seq not in known, (line, known[seq])
    return resets


@pytest.mark.parametrize("run", range(SEEDS))
def test_whole__watchers_that_are_stopped_cut_starved_and_killed(run):
    chance = seeded(f"run {run}")
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        requests, events = (stack.enter_context(Relay()) for _ in range(2))
        broker = stack.enter_context(Broker(options={"events/keep": KEEP, "events/inline": INLINE,
                                                     "listen/advertise": events.endpoint}))
        requests.aim(broker.request_endpoint)
        events.aim(broker.event_endpoint)
        manager = stack.enter_context(broker.manager("boss"))
        by_relay = (broker.folder, requests.endpoint, DEFAULT_ACCOUNT)
        watchers = [Recipe("direct", broker.folder, broker.request_endpoint, DEFAULT_ACCOUNT, events=broker.event_endpoint),
                    Recipe("recipe", *by_relay, mark=10), Library("library", *by_relay), Library("starved", *by_relay, mark=10),
                    Tool("tool", *by_relay), Recipe("forgotten", *by_relay)]
        for watcher in watchers:
            watcher.start()
            stack.callback(watcher.end)
        for watcher in watchers:
            wait_until(watcher.last, what="the beginning of a stream")
        stop = threading.Event()
        disturbing = Background(disturb, manager, watchers, (requests, events), seeded(f"disturbance {run}"), stop)
        stack.callback(disturbing.join)
        stack.callback(stop.set)
        writers = Writers(broker, chance)
        writers.run()
        stop.set()
        disturbing.finish()
        written = time.monotonic() - begin

        last = max(writers.known)
        for watcher in watchers:
            wait_until(lambda watcher=watcher: (watcher.last() or 0) >= last, what="a watcher has all changes")
        wait_until(lambda: manager.call("stats")["keys"] == permanent(manager), what="all keys with a ttl have expired")
        end = manager.call("events")["seq"]
        seen, counts = {}, []
        for watcher in watchers:
            told = watcher.finish(end)
            lines = watcher.lines()
            resets = check_stream(lines, writers.known)
            for line in lines:
                if line[0] != "reset":
                    assert seen.setdefault(line[0], line[2:]) == line[2:]
            counts.append((watcher.name, len(lines) - resets, resets, told.get("replays"), told.get("begun")))
            digests = digests_of(manager)
            assert told.get("digests", digests) == digests
        assert counts[-1][2] >= 2, "the watcher that was away for too long did not read the stores again"
        print(f"{writers.done} changes in {written:.1f} s, {end} events; (name, events, resets, replays and sessions of the last "
              f"life) of the watchers: {counts}; {time.monotonic() - begin:.1f} s in all")


def permanent(manager):
    """Returns the number of keys without a ttl in all stores."""
    return sum(entry[3] is None for client in clients_of(manager) for entry in entries_of(manager, of=client))


def test_tail_loss__the_last_events_before_silence_are_dropped__whole_again():
    size, count = 8000, 3000 // (3 if SANITIZED else 1)
    with Broker(options={"events/keep_bytes": 256 << 20}) as broker, broker.client("lamp") as lamp:
        events = []
        watcher = Watcher(broker.request_endpoint, ("adam", "eve"), events.append, lambda seq: None,
                          sockopt={zmq.RCVHWM: 10, zmq.RCVBUF: 16384})
        with contextlib.closing(watcher):
            watcher.step()
            for _ in range(count // 100):
                last = lamp.batch(*[("put", "k", "v" * size)] * 100)[-1]
            # From here on the watcher reads, and only syncs are published.
            begin = time.monotonic()
            wait_until(lambda: watcher.step() or watcher.seq >= last, what="the watcher has all events", interval=0)
            took = time.monotonic() - begin
            seqs = [event["seq"] for event in events]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) and seqs[-1] >= last  # or later, if it had to log in again
            assert watcher.replays > 0, "no event was dropped, so nothing had to be replayed"
            print(f"{count} events of {size} bytes, whole after {took:.2f} s")


def test_a_stopped_subscriber__costs_the_others_nothing():
    with Broker() as broker, broker.manager() as manager, broker.client("lamp") as lamp:
        deaf = Subscriber(manager.call("events"), [""], sockopt={zmq.RCVHWM: 1, zmq.RCVBUF: 4096})
        with deaf, subscribed(manager, ["lamp/"]) as other:
            for _ in range(40):
                last = lamp.batch(*[("put", "k", "v" * 4000)] * 50)[-1]
                assert other.until(lambda event: event["seq"] == last)
