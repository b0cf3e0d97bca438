# SPDX-License-Identifier: MPL-2.0
"""The loop never waits for argon2id: while many clients fail to log in, another's requests are answered at once."""

import time

import zmq

from broker import Broker
from hashes import real_hash
from rpc import pack, unpack_all
from waiting import wait_until

CLIENTS = 20


def test_ping__while_20_clients_fail_to_log_in__waits_for_no_verification():
    """A loop that waited for verifications would answer at most one ping for each."""
    with Broker(hashes={"slow": real_hash("eve")}) as broker, broker.client() as other:
        poller = zmq.Poller()
        guessers = []
        for _ in range(CLIENTS):
            guesser = broker.client()
            guesser.call("ping")
            poller.register(guesser.socket, zmq.POLLIN)
            guessers.append(guesser)
        for number, guesser in enumerate(guessers):
            # Each tries another account, so that none is throttled. An unknown account costs as much as a known one.
            guesser.request("auth", f"nobody-{number}", "nope")

        failed, times = 0, []

        def ping():
            nonlocal failed
            start = time.monotonic()
            assert other.call("ping") == "pong"
            times.append(time.monotonic() - start)
            for ready, _ in poller.poll(1):
                (answer,) = unpack_all(ready.recv())
                assert answer[2][0] == "UNAUTHENTICATED", answer
                failed += 1
            return failed == CLIENTS

        wait_until(ping, what="all have failed", interval=0)
        times.sort()
        print(f"ping: {len(times)} times, median {times[len(times) // 2] * 1000:.2f} ms, "
              f"95 % {times[len(times) * 95 // 100] * 1000:.2f} ms, worst {times[-1] * 1000:.2f} ms")
        assert len(times) > 5 * CLIENTS


def test_auth__many_waiting__each_is_answered_in_its_own_session():
    with Broker(hashes={"slow": real_hash("eve")}) as broker:
        clients = [broker.client(f"worker-{number}") for number in range(4)]
        for client in clients:
            client.send_raw(pack([0, 1, "auth", ["slow", "eve"]]) + pack([0, 2, "hello", []]))
        for number, client in enumerate(clients):
            first, second = unpack_all(client.recv_payload())
            assert first == [1, 1, None, {"role": "manager"}]
            assert (second[3]["client"], second[3]["role"]) == (f"worker-{number}", "manager")
