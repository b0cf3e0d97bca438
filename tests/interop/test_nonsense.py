# SPDX-License-Identifier: MPL-2.0
"""What the library does with a broker that answers nonsense: it does not break, does not turn in circles, and is whole
again when a broker answers that does not. KV_SEED repeats a run, KV_SECONDS makes it longer."""

import contextlib
import os
import pathlib
import random
import tempfile
import time

from kvtest import DEFAULT_ACCOUNT, Broker, clients_of, wait_until
from liar import Liar
from test_own_whole import Owner, copy_of
from watchers import Library, checksum

SECONDS = float(os.environ.get("KV_SECONDS", 4))


def changes(broker, chance, owner, until):
    """Others write until UNTIL has come true."""
    with broker.client("writer") as writer, broker.client(f"{owner}/other") as other:
        while not until():
            for client in (writer, other):
                key = f"k{chance.randrange(30):02}"
                client.call("put", key, chance.randbytes(100)) if chance.random() < 0.8 else client.call("del", key)


def test_nonsense__is_survived__and_a_sane_broker_is_followed():
    seed = int(os.environ.get("KV_SEED", random.randrange(2**32)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        liar = stack.enter_context(contextlib.closing(Liar(random.Random(seed + 1))))
        first = Broker(options={"events/keep": 500, "events/inline": 90})
        stack.callback(first.kill)
        first.start()
        liar.aim(first.request_endpoint)
        liar.start()
        watcher = Library("library", folder, liar.endpoint, DEFAULT_ACCOUNT)
        owner = Owner("device", folder, liar, chance)
        for process in (watcher, owner):
            process.start()
            stack.callback(process.end)
        liar.lies = True
        end = time.monotonic() + SECONDS
        changes(first, chance, "device", lambda: time.monotonic() > end)
        told = liar.told
        assert told > 0
        for process in (watcher, owner):
            assert process.process.poll() is None, process.name

        liar.lies = False
        second = stack.enter_context(Broker())
        liar.aim(second.request_endpoint)
        first.kill()
        with second.manager() as manager:
            epoch = manager.call("hello")["epoch"]
            changes(second, chance, "device", lambda: (owner.position() or (0, ""))[1] == epoch)
            owner.process.stdin.write("\n")
            owner.process.stdin.flush()
            wait_until(lambda: ["quiet"] in owner.lines())
            end = manager.call("manage", "device", "put", "end", "v")
            wait_until(lambda: owner.is_at(end), what="the device has all")
            there = {row[0]: (row[2], checksum(row[1])) for row in manager.call("manage", "device", "list")["entries"]}
            assert copy_of(owner.lines()) == there
            wait_until(lambda: manager.call("manage", "device", "put", "finish", "v") and
                       any(line[4:5] == ["finish"] for line in watcher.lines()), what="the watcher follows", interval=0.1)
            end = manager.call("events")["seq"]
            digests = {client: manager.call("manage", client, "digest") for client in clients_of(manager)}
            found = watcher.finish(end)["digests"]
            assert found == {name: digest["digest"] for name, digest in digests.items() if digest["keys"]}
        print(f"{told} lies")
