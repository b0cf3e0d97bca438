# SPDX-License-Identifier: MPL-2.0
"""Many clients: 2,000 at once, each with its own store, all killed; 1,200 short sessions (KV_SESSIONS sets the number). Fewer
under sanitizers, where speed is not measured."""

import contextlib
import os
import time

from broker import Broker
from managing import clients_of
from project import SANITIZED
from waiting import wait_until

FLEET = 200 if SANITIZED else 2000
SESSIONS = int(os.environ.get("KV_SESSIONS", 600 if SANITIZED else 1200))
PROCESSES = 4


def test_2000_clients__each_reads_its_own_then_all_are_killed_and_gone():
    with (Broker(options={"session/timeout": 600}) as broker, broker.manager() as manager,
          contextlib.ExitStack() as stack):
        peers = [stack.enter_context(broker.peer(open=False)) for _ in range(PROCESSES)]
        for number, peer in enumerate(peers):
            # Every other process uses names, so that both kinds of client are killed.
            identity = "fleet-%d/1" if number % 2 else None
            peer.start("open", count=FLEET // PROCESSES, identity=identity, first=number * FLEET)
        ids = [client_id for peer in peers for client_id in peer.answer()["ids"]]
        assert len(set(ids)) == FLEET
        for peer in peers:
            peer.start("own", keys=2)
        assert [peer.answer() for peer in peers] == [{"right": FLEET // PROCESSES}] * PROCESSES
        seen = clients_of(manager)
        assert set(seen) == {*ids, manager.whoami()}
        assert all(seen[client_id]["connected"] and seen[client_id]["keys"] == 2 for client_id in ids)

        for peer in peers:
            peer.process.kill()
        start = time.monotonic()
        names = {client_id for client_id in ids if not client_id.isdigit()}

        def all_gone():
            now = clients_of(manager)
            return set(now) == names | {manager.whoami()} and not any(now[name]["connected"] for name in names)

        wait_until(all_gone, what="all killed clients are gone")
        print(f"{FLEET} clients gone {time.monotonic() - start:.2f} s after SIGKILL")
        # Stores of named clients stay, each with its own value. Those of numbered clients are gone.
        for name in list(names)[:50]:
            assert manager.call("manage", name, "get", "key-1") == f"value of {name}, 1"
        for number in [client_id for client_id in ids if client_id.isdigit()][:50]:
            assert manager.code("manage", int(number), "get", "key-1") == "NOT_FOUND"


def test_short_sessions__one_after_another__numbers_are_reused_in_order():
    first, last = 40000, 40000 + SESSIONS // 4
    options = {"ids/first": first, "ids/last": last, "session/timeout": 600}  # the manager is silent for a long time
    with Broker(options=options) as broker, broker.manager() as manager:
        assert manager.whoami() == str(first)
        with broker.peer(open=False) as peer:
            start = time.monotonic()
            answer = peer.do("cycle", count=SESSIONS)
            print(f"{SESSIONS} sessions in {time.monotonic() - start:.1f} s")
        assert "wrong" not in answer, answer
        numbers = range(first + 1, last + 1)  # without the manager's
        assert answer["ids"] == [str(numbers[index % len(numbers)]) for index in range(SESSIONS)]
        assert set(clients_of(manager)) == {manager.whoami()}
        wait_until(lambda: broker.descriptors() < 100, what="descriptors are closed")


def test_short_sessions__64_side_by_side__none_is_ended_wrongly_none_is_left():
    with Broker(options={"session/timeout": 600}) as broker, broker.manager() as manager, contextlib.ExitStack() as stack:
        peers = [stack.enter_context(broker.peer(open=False)) for _ in range(PROCESSES)]
        start = time.monotonic()
        for peer in peers:
            peer.start("cycle", count=SESSIONS // PROCESSES, width=64 // PROCESSES)
        answers = [peer.answer() for peer in peers]
        print(f"{SESSIONS} sessions in {time.monotonic() - start:.1f} s")
        assert not [answer for answer in answers if "wrong" in answer]
        ids = [client_id for answer in answers for client_id in answer["ids"]]
        # The range is larger than the run: no number is used twice, and none is skipped.
        assert sorted(map(int, ids)) == list(range(32769, 32769 + SESSIONS))
        wait_until(lambda: set(clients_of(manager)) == {manager.whoami()}, what="no client is left")
        assert broker.rss() < (2000 if SANITIZED else 100) * 1024 * 1024


def test_64_side_by_side_that_are_killed_again_and_again__nothing_is_left():
    with Broker(options={"ids/first": 40000, "ids/last": 40099}) as broker, broker.manager() as manager:
        for _ in range(3):
            with contextlib.ExitStack() as stack:
                peers = [stack.enter_context(broker.peer(open=False)) for _ in range(4)]
                for peer in peers:
                    peer.start("open", count=16)
                for peer in peers:
                    peer.answer()
                for peer in peers:
                    peer.start("post", method="put", params=["k", "of the dead"], count=500)
                for peer in peers:
                    peer.kill()
            with broker.client() as newcomer:
                assert newcomer.call("get", "k") is None
            wait_until(lambda: set(clients_of(manager)) == {manager.whoami()}, what="the killed clients are gone")
