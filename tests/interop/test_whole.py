# SPDX-License-Identifier: MPL-2.0
"""A watcher's view is whole, whatever happens to it: stopped, cut, starved, killed, and with a log that forgets. Its
stream is the broker's order without a hole or a duplicate, or says explicitly that it was read anew.

KV_CHANGES and KV_SEEDS (numbers) make the run longer; KV_SEED repeats one."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zlib

import pytest
import zmq

from kvtest import SANITIZED, SUPPORT, Broker, clients_of, wait_until
from relay import Relay
from subscriber import Subscriber, Watcher, as_bytes, subscribed

CHANGES = int(os.environ.get("KV_CHANGES", 4000 if SANITIZED else 30000))
SEEDS = int(os.environ.get("KV_SEEDS", 1))
RATE = 2000 if SANITIZED else 6000  # changes a second, so that watchers in Python on a shared machine can follow
CLIENTS = 20
KEEP = 3000  # events in the log: half a second
INLINE = 700


class Writers:
    """Twenty clients that change their stores. known: {seq: what event it must be}."""

    def __init__(self, broker, chance):
        self.broker, self.chance = broker, chance
        self.clients = [None] * CLIENTS
        self.names = [None] * CLIENTS
        self.known = {}
        self.done = 0

    def begin(self, index):
        # Every fourth has no name: its store goes with it.
        self.clients[index] = self.broker.client(f"writer-{index}/{self.done}" if index % 4 else None)
        self.names[index] = self.clients[index].call("hello")["client"]

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
                checksum = "-" if value is None else str(zlib.crc32(as_bytes(value)))
                self.known[revision] = [request[0], self.names[index], request[1], checksum]
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


class WatchProcess:
    """A watcher's process, and its stream over all its lives."""

    def __init__(self, broker, name, **options):
        self.path = broker.folder / f"stream-{name}"
        self.options = {"endpoint": broker.request_endpoint, "account": ["adam", "eve"], "output": str(self.path), **options}
        self.process = None
        self.start()

    def start(self, **since):
        self.process = subprocess.Popen([sys.executable, str(SUPPORT / "watch_process.py"),
                                         json.dumps({**self.options, **since})],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def signal(self, number):
        self.process.send_signal(number)

    def lines(self):
        """Its whole lines; what a kill cut off is taken away."""
        data = self.path.read_bytes() if self.path.exists() else b""
        whole = data[:data.rfind(b"\n") + 1]
        if whole != data:
            os.truncate(self.path, len(whole))
        return [line.split() for line in whole.decode().splitlines()]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def last(self):
        """The seq of its last whole line; None where there is none."""
        if not self.path.exists():
            return None
        with self.path.open("rb") as stream:
            stream.seek(max(0, self.path.stat().st_size - 4096))
            data = stream.read()
        words = data[:data.rfind(b"\n") + 1].splitlines()[-1:]
        return int(words[0].split()[words[0].startswith(b"reset")]) if words else None

    def finish(self, seq):
        self.process.stdin.write(f"{seq}\n")
        self.process.stdin.flush()
        output, _ = self.process.communicate(timeout=120)
        return json.loads(output)

    def end(self):
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()


def disturb(manager, watchers, relays, chance, stop):
    """Stops, cuts, kills and restarts watchers until told to stop. The last watcher is killed once for longer than the
    log remembers."""
    epoch = manager.call("events")["epoch"]

    def restart(watcher, until=None):
        wait_until(lambda: watcher.last() is not None, what="its first line")
        watcher.kill()
        watcher.lines()
        seq = watcher.last()
        if until:
            wait_until(lambda: stop.is_set() or manager.call("events")["oldest"] > seq, what="the log forgets")
        watcher.start(since=[seq, epoch])

    restart(watchers[-1], until="forgotten")
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
            restart(watcher)


def check_stream(lines, known):
    """Resets apart, seqs must be consecutive, chains of clients whole, and what is known of an event true. Returns the
    number of resets."""
    assert lines[0][0] == "reset"
    resets = 0
    for line in lines:
        if line[0] == "reset":
            resets += 1
            last, chains = int(line[1]), {}
            continue
        seq, prev, kind, client = int(line[0]), int(line[1]), line[2], line[3]
        assert seq == last + 1, f"{seq} came after {last}"
        last = seq
        assert chains.get(client, prev) == prev, line
        chains[client] = 0 if kind == "drop" else seq
        if kind in ("put", "del"):
            assert known[seq] == line[2:], (line, known[seq])
        else:
            assert seq not in known, (line, known[seq])
    return resets


@pytest.mark.parametrize("run", range(SEEDS))
def test_whole__watchers_that_are_stopped_cut_starved_and_killed(run):
    seed = int(os.environ.get("KV_SEED", random.randrange(2**32)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Broker(options={"events/keep": KEEP, "events/inline": INLINE}))
        manager = stack.enter_context(broker.manager("boss"))
        requests, events = (stack.enter_context(Relay(end)) for end in (broker.request_endpoint, broker.event_endpoint))
        by_relay = {"endpoint": requests.endpoint, "events": events.endpoint}
        watchers = [WatchProcess(broker, 0), WatchProcess(broker, 1, mark=10), WatchProcess(broker, 2, **by_relay),
                    WatchProcess(broker, 3, mark=10, **by_relay)]
        for watcher in watchers:
            stack.callback(watcher.end)
        for watcher in watchers:
            wait_until(watcher.last, what="a watcher's beginning")
        stop = threading.Event()
        problems = []

        def chaos():
            try:
                disturb(manager, watchers, (requests, events), random.Random(seed + 1), stop)
            except BaseException as problem:  # told in the test's own thread
                problems.append(problem)

        disturbing = threading.Thread(target=chaos)
        disturbing.start()
        stack.callback(disturbing.join)
        stack.callback(stop.set)
        writers = Writers(broker, chance)
        writers.run()
        stop.set()
        disturbing.join()
        assert not problems, problems
        written = time.monotonic() - begin

        last = max(writers.known)
        for watcher in watchers:
            wait_until(lambda watcher=watcher: (watcher.last() or 0) >= last, 60, what="a watcher has all")
        wait_until(lambda: manager.call("stats")["keys"] == permanent(manager), what="what expires has expired")
        end = manager.call("events")["seq"]
        seen, counts = {}, []
        for watcher in watchers:
            told = watcher.finish(end)
            lines = watcher.lines()
            resets = check_stream(lines, writers.known)
            for line in lines:
                if line[0] != "reset":
                    assert seen.setdefault(line[0], line) == line
            counts.append((len(lines) - resets, resets, told["replays"], told["begun"]))
            digests = {client: manager.call("manage", client, "digest") for client in clients_of(manager)}
            assert told["digests"] == {name: found["digest"] for name, found in digests.items() if found["keys"]}
        assert counts[-1][1] >= 2, "the one that was away for too long did not read anew"
        print(f"{writers.done} changes in {written:.1f} s, {end} events; (events, resets, replays and sessions of the last "
              f"life) of the watchers: {counts}; {time.monotonic() - begin:.1f} s in all")


def permanent(manager):
    """Keys that do not expire, of all stores."""
    keys = 0
    for client in clients_of(manager):
        after = {}
        while True:
            page = manager.call("manage", client, "list", "", after)
            keys += sum(1 for entry in page["entries"] if entry[3] is None)
            if not page["more"]:
                break
            after = {"after": page["entries"][-1][0]}
    return keys


def test_tail_loss__the_last_events_before_silence_are_dropped__whole_again_within_2_s():
    size, count = 8000, 3000 // (3 if SANITIZED else 1)
    with Broker(options={"events/keep_bytes": 256 << 20}) as broker, broker.client("lamp") as lamp:
        events = []
        watcher = Watcher(broker.request_endpoint, ("adam", "eve"), events.append, lambda seq: None,
                          sockopt={zmq.RCVHWM: 10, zmq.RCVBUF: 16384})
        with contextlib.closing(watcher):
            watcher.step()
            for _ in range(count // 100):
                last = lamp.batch(*[("put", "k", "v" * size)] * 100)[-1]
            # From here on it reads, and nothing but syncs is published.
            begin = time.monotonic()
            while watcher.seq < last:
                watcher.step()
            took = time.monotonic() - begin
            seqs = [event["seq"] for event in events]
            assert seqs == list(range(seqs[0], last + 1))
            assert watcher.replays > 0, "nothing was dropped"
            print(f"{count} events of {size} bytes, whole after {took:.2f} s")
            assert took < (4.0 if SANITIZED else 2.0), took


def test_a_stopped_subscriber__costs_the_others_nothing():
    with Broker() as broker, broker.manager() as manager, broker.client("lamp") as lamp:
        deaf = Subscriber(manager.call("events"), [""], sockopt={zmq.RCVHWM: 1, zmq.RCVBUF: 4096})
        with deaf, subscribed(manager, ["lamp/"]) as other:
            for _ in range(40):
                last = lamp.batch(*[("put", "k", "v" * 4000)] * 50)[-1]
                assert other.until(lambda event: event["seq"] == last)
