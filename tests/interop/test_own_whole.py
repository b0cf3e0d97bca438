# SPDX-License-Identifier: MPL-2.0
"""A client that copies its own store with kvzmq_on_change has a complete copy, whatever happens: it is disconnected, stopped for
longer than its session lasts, killed and restarted at its position, or forgotten; the log no longer has what it missed; the
broker is restarted. It is told of every change once and in order, or is told to read the store again.

KV_CHANGES and KV_SEEDS (numbers) make a run longer; KV_SEED repeats one."""

import contextlib
import os
import pathlib
import signal
import tempfile
import threading
import time

import pytest

from background import Background
from broker import DEFAULT_ACCOUNT, Broker
from chance import seeded
from owners import Owner
from relay import Relay
from rpc import RpcError
from subscriber import DATA_KINDS
from waiting import TIMEOUT, wait_until
from watchers import checksum

CHANGES = int(os.environ.get("KV_CHANGES", 6000))
SEEDS = int(os.environ.get("KV_SEEDS", 1))
RATE = 600  # changes per second by other clients; the owners make their own in addition
OWNERS = 3
EPOCHS = 3
OPTIONS = {"events/keep": 3 * RATE // 2, "events/inline": 60, "session/timeout": 1}


def check_stream(lines, truth):
    """Checks what was told between two resets: each change once, in order, as it happened, and without a gap, except for the
    client's own changes whose answers it has. TRUTH is {epoch: Recorder}. Returns the number of changes and of resets that
    were told, and how often the store was read."""
    told, resets, read = 0, 0, 0
    last, epoch, begin, own, seen = 0, None, None, set(), set()

    def complete():
        if begin is not None:
            wanted = {seq for seq, event in truth[epoch].of(lines.name).items() if begin < seq <= last}
            missing = wanted - seen - own
            assert not missing, f"{lines.name} was not told of {sorted(missing)[:10]}, in {begin}..{last} of {epoch}"

    for line in lines:
        if line[0] in ("reset", "begin"):
            complete()
            begin = None
            if line[0] == "reset":
                resets += 1
                last, own, seen = 0, set(), set()
        elif line[0] == "listed":
            begin, epoch = int(line[1]), line[2]
            read += 1
            last = max(last, begin)
        elif line[0] == "own":
            own.add(int(line[3]))
        elif line[0] == "told":
            seq = int(line[1])
            assert seq > last, f"{lines.name}: {seq} came after {last}"
            last = seq
            seen.add(seq)
            told += 1
            if begin is not None:
                event = truth[epoch].of(lines.name).get(seq)
                assert event is None or event == line[2:5], (line, event)
                assert event or not truth[epoch].has(seq), f"{line} is not what happened"
    complete()
    return told, resets, read


class Lines(list):
    name = None


class Recorder:
    """All changes, as `replay` tells a manager. `events` is {client: {seq: [kind, key, checksum]}}."""

    def __init__(self, broker):
        self.manager = Manager(broker)
        self.events, self.seen, self.gaps, self.at = {}, set(), 0, 0

    def step(self):
        try:
            page = self.manager.call("replay", self.at, {"limit": 10000})
        except RpcError as error:
            assert error.code == "OUT_OF_RANGE"
            self.at, self.gaps = error.detail, self.gaps + 1
            return
        for event in page["events"]:
            self.seen.add(event["seq"])
            if event["kind"] in DATA_KINDS:
                self.events.setdefault(event["client"], {})[event["seq"]] = [event["kind"], event["key"],
                                                                            checksum(event["value"])]
        self.at = page["seq"]

    def of(self, client):
        return self.events.get(client, {})

    def has(self, seq):
        return seq in self.seen


class Manager:
    """A manager that logs in again if its session has timed out."""

    def __init__(self, broker):
        self.client = broker.client()

    def call(self, *request):
        try:
            return self.client.call(*request)
        except RpcError as error:
            if error.code != "PERMISSION_DENIED":
                raise
            self.client.call("auth", *DEFAULT_ACCOUNT)
            return self.client.call(*request)

    def close(self):
        self.client.close()


def change_stores(broker, owners, chance, stop, changes):
    """Changes the owners' stores from outside: by a manager, by other sessions of the same clients, and by expiry."""
    manager = Manager(broker)
    others = {}
    begin, pause = time.monotonic(), threading.Event()
    for done in range(changes):
        if stop.is_set():
            break
        name, key = chance.choice(owners).name, f"k{chance.randrange(20)}"
        value = chance.randbytes(chance.randrange(80)) if chance.random() < 0.5 else f"{chance.random()}"
        options = {"ttl_ms": chance.randrange(1, 60)} if chance.random() < 0.15 else {}
        if chance.random() < 0.5:
            call, options = lambda *request, name=name: manager.call("manage", name, *request), {**options, "create": True}
        else:
            if name not in others:
                others[name] = broker.client(f"{name}/other-{done}")
            call = others[name].call
        if chance.random() < 0.25:
            with contextlib.suppress(RpcError):  # NOT_FOUND if the client was dropped
                call("del", key)
        else:
            call("put", key, value, options)
        if chance.random() < 0.01 and name in others:
            gone = others.pop(name)
            gone.call("bye")
            gone.close()
        pause.wait(max(0.0, begin + done / RATE - time.monotonic()))
    for other in others.values():
        other.call("bye")
        other.close()
    manager.close()


def vanish(owner, manager):
    """Kills OWNER, deletes all its keys, and starts it again."""
    owner.kill()
    with contextlib.suppress(RpcError):
        for key, *_ in manager.call("manage", owner.name, "list")["entries"]:
            manager.call("manage", owner.name, "del", key)
    owner.back()


def away_until_the_log_forgets(owner, manager, stop):
    owner.kill()
    position = owner.position()
    if position:
        wait_until(lambda: stop.is_set() or manager.call("events")["oldest"] > position[0], what="the log is overrun")
    owner.back()


def disturb(broker, owners, chance, stop):
    """Causes random faults until STOP is set."""
    manager = Manager(broker)

    def stopped(process, longest):
        process.send_signal(signal.SIGSTOP)
        stop.wait(chance.random() * longest)
        process.send_signal(signal.SIGCONT)

    def restarted(owner):
        owner.kill()
        stop.wait(chance.random() * chance.choice((0, 0.3, 1.5)))
        owner.back()

    def forgotten(owner):
        with contextlib.suppress(RpcError):
            manager.call("forget", owner.name)

    faults = [(8, lambda owner: owner.relay.cut()),
              (3, lambda owner: stopped(owner.process, 0.3)),
              (1, lambda owner: stopped(owner.process, 2.0)),  # its session times out
              (4, restarted), (2, forgotten), (2, lambda owner: vanish(owner, manager)),
              (1, lambda owner: stopped(broker.process, 0.8)),  # calls time out
              (0.3, lambda owner: away_until_the_log_forgets(owner, manager, stop))]
    away_until_the_log_forgets(owners[0], manager, stop)
    while not stop.wait(chance.random() * 0.15):
        ((_, fault),) = chance.choices(faults, [weight for weight, _ in faults])
        fault(chance.choice(owners))
    manager.close()


def settle(broker, owners):
    """Waits until the owners have all changes. Their copies must then be what the broker has."""
    with contextlib.closing(Manager(broker)) as manager:
        for owner in owners:
            owner.rest()
        for owner in owners:
            copy, there = owner.settle(manager)
            assert {key: revision for key, (revision, _) in copy.items()} == {
                key: revision for key, (revision, _) in there.items()}
            assert all(value in ("-", there[key][1]) for key, (_, value) in copy.items())


def one_epoch(broker, owners, part, changes):
    """Runs writers and faults during the life of one broker. PART names its random numbers. Returns the Recorder."""
    recorder = Recorder(broker)
    epoch = recorder.manager.call("hello")["epoch"]
    for owner in owners:
        wait_until(lambda owner=owner: (owner.position() or (0, ""))[1] == epoch, what=f"{owner.name} knows the broker")
    stop = threading.Event()
    disturbing = Background(disturb, broker, owners, seeded(f"{part}: disturbance"), stop, stop=stop)
    writers = Background(change_stores, broker, owners, seeded(f"{part}: changes"), stop, changes, stop=stop)
    while writers.is_alive():
        recorder.step()
        writers.join(0.05)
    stop.set()
    disturbing.join()
    writers.finish()
    disturbing.finish()
    return recorder


@pytest.mark.parametrize("run", range(SEEDS))
def test_own_store__whatever_happens__is_known_whole(run):
    with contextlib.ExitStack() as stack:
        truth, owners = {}, []
        for number in range(EPOCHS):
            broker = Broker(options=OPTIONS)
            stack.callback(broker.kill)
            broker.start()
            while len(owners) < OWNERS:
                folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
                name = f"device-{len(owners)}"
                owners.append(Owner(name, folder, stack.enter_context(Relay()), seeded(f"run {run}: {name}")))
                owners[-1].start()
                stack.callback(owners[-1].end)
            for owner in owners:
                owner.relay.aim(broker.request_endpoint)
                owner.relay.cut()
            recorder = one_epoch(broker, owners, f"run {run}: broker {number}", CHANGES // EPOCHS)
            truth[recorder.manager.call("hello")["epoch"]] = recorder
            if number == EPOCHS - 1:
                settle(broker, owners)
            recorder.step()
            recorder.manager.close()
            if number < EPOCHS - 1:
                broker.kill()
        counts = []
        for owner in owners:
            lines = Lines(owner.lines())
            lines.name = owner.name
            counts.append(check_stream(lines, truth))
            assert counts[-1][0] > 0 and counts[-1][2] > 1
            owner.process.stdin.close()
            assert owner.process.wait(TIMEOUT) == 0
        broker.stop()
        print(f"(changes told, resets, times read): {counts}; gaps in what is known: {[made.gaps for made in truth.values()]}")
