# SPDX-License-Identifier: MPL-2.0
"""Memory that the broker allocated for clients goes back to the system when they are gone."""

import contextlib

import pytest

from background import Background
from broker import Broker
from managing import clients_of
from project import SANITIZED
from raw_peer import RawPeer
from rpc import pack
from waiting import wait_until

pytestmark = pytest.mark.skipif(SANITIZED, reason="sanitizers keep what was freed, to find who uses it still")
MIB = 1 << 20
GUESTS = 24
HELD = 100 * MIB  # what all of them together make the broker allocate, at least
SLACK = 40 * MIB  # what of it may stay: far less than the C library keeps by default


@pytest.mark.parametrize("size", (8000, 65536))
def test_guests_behind_a_wrong_secret__when_they_are_gone__their_payloads_memory_is_given_back(size):
    with Broker() as broker, broker.manager() as manager:
        manager.call("manage", "lamp", "put", "k", "v", {"create": True, "secret": "s" * 16})
        before = broker.rss()
        wrong = RawPeer.frame(pack([2, "hello", [{"secret": "w" * 16}]])) * 60  # each delays its session for a second
        waits = RawPeer.frame(pack([2, "put", ["k", b"x" * size]])) * min(900, 7 * MIB // size)
        with contextlib.ExitStack() as guests:
            peers = [guests.enter_context(RawPeer(broker.request_endpoint, b"lamp/%d" % number)) for number in range(GUESTS)]
            for sender in [Background(peer.send, wrong + waits) for peer in peers]:
                sender.finish()
            wait_until(lambda: broker.rss() > before + HELD, what="the payloads are held")
            # Allocate something behind them that stays: by itself, the C library gives back only the end of the heap.
            manager.batch(*[("manage", "pin", "put", f"k{key}", b"x" * 3000, {"create": True}) for key in range(500)])
        wait_until(lambda: broker.rss() < before + SLACK, what="their memory is given back")
        assert manager.call("manage", "lamp", "get", "k") == "v"


def test_stores__when_they_are_dropped__their_memory_is_given_back():
    with Broker() as broker, broker.manager() as manager:
        before = broker.rss()
        value = b"x" * 30000
        for number in range(40):
            client = f"lamp-{number}"
            manager.call("manage", client, "put", "k", value, {"create": True})
            manager.batch(*[("manage", client, "put", f"k{key}", value) for key in range(100)])
        assert broker.rss() > before + HELD
        for number in range(40):
            manager.call("forget", f"lamp-{number}")
        assert set(clients_of(manager)) == {manager.whoami()}
        # The log of changes keeps its part, which is less than HELD.
        wait_until(lambda: broker.rss() < before + HELD, what="their memory is given back")
