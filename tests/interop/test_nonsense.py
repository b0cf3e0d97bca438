# SPDX-License-Identifier: MPL-2.0
"""The library with a broker that answers nonsense: it does not crash or loop, and its copy is complete again once a correct
broker answers. KV_SEED repeats a run, KV_SECONDS makes it longer."""

import contextlib
import os
import pathlib
import tempfile
import time

from broker import DEFAULT_ACCOUNT, Broker
from chance import rounds, seeded
from liar import Liar
from managing import digests_of
from owners import Owner
from waiting import TIMEOUT, wait_until
from watchers import Library

SECONDS = float(os.environ.get("KV_SECONDS", rounds(2)))


def changes(broker, chance, owner, until, timeout=TIMEOUT):
    """Other clients change stores until UNTIL is true, for at most TIMEOUT seconds."""
    with broker.client("writer") as writer, broker.client(f"{owner}/other") as other:
        def write():
            for client in (writer, other):
                key = f"k{chance.randrange(30):02}"
                client.call("put", key, chance.randbytes(100)) if chance.random() < 0.8 else client.call("del", key)

        wait_until(lambda: write() or until(), timeout, what="what the changes are made for", interval=0)


def test_nonsense__is_survived__and_a_sane_broker_is_followed():
    chance = seeded()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        liar = stack.enter_context(contextlib.closing(Liar(seeded("lies"))))
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
        changes(first, chance, "device", lambda: liar.told > 0 and time.monotonic() > end, SECONDS + TIMEOUT)
        for process in (watcher, owner):
            assert process.process.poll() is None, process.name

        liar.lies = False
        second = stack.enter_context(Broker())
        liar.aim(second.request_endpoint)
        first.kill()
        with second.manager() as manager:
            epoch = manager.call("hello")["epoch"]
            changes(second, chance, "device", lambda: (owner.position() or (0, ""))[1] == epoch)
            owner.rest()
            copy, there = owner.settle(manager)
            assert copy == there
            wait_until(lambda: manager.call("manage", "device", "put", "finish", "v") and
                       any(line[4:5] == ["finish"] for line in watcher.lines()), what="the watcher follows", interval=0.1)
            end = manager.call("events")["seq"]
            digests = digests_of(manager)
            assert watcher.finish(end)["digests"] == digests
        print(f"{liar.told} lies")
