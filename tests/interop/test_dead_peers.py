# SPDX-License-Identifier: MPL-2.0
"""Peers that die with requests in flight. The requests belong to the dead peer's own session (PROTOCOL.md section 3), so there
is one session for each peer, each is lost once, and the requests that reached the broker are executed."""

import contextlib
import threading

import pytest

from background import Background
from broker import Broker
from raw_peer import RawPeer
from rpc import pack
from waiting import wait_until

PEERS = 200
PAYLOADS = 8  # of each
PUTS = 30  # in each payload: all together take several turns of the broker's loop
UNENDING = bytes([RawPeer.LONG]) + b"\x7f" + b"\xff" * 7  # begins a frame of 8 EiB, which no peer may send


def payload(number):
    return RawPeer.frame(b"".join(pack([0, 1, "put", [f"k{key}", f"value {number}"]]) for key in range(PUTS)))


def last_words(payloads=PAYLOADS, end=b""):
    return b"".join(payload(number) for number in range(payloads)) + end


@contextlib.contextmanager
def endless_requests(broker, senders=3):
    """SENDERS peers send without pause, so that the request socket never becomes empty."""
    enough = threading.Event()
    busy = RawPeer.frame(pack([2, "ping", []]) * 2000) * 16

    def send(peer):
        with contextlib.suppress(OSError):
            while not enough.is_set():
                peer.send(busy)

    peers = [RawPeer(broker.request_endpoint) for _ in range(senders)]
    threads = [Background(send, peer) for peer in peers]
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.finish()
        for peer in peers:
            peer.close()


def grown(manager, before, *counters):
    now = manager.call("stats")
    return tuple(now[counter] - before[counter] for counter in counters)


def assert_one_session_each(manager, before, puts):
    wait_until(lambda: grown(manager, before, "sessions_lost_total") >= (PEERS,), what="every peer is seen to be dead")
    wait_until(lambda: grown(manager, before, "sessions") == (0,), what="no session is left")
    assert grown(manager, before, "sessions_total", "sessions_lost_total", "puts_total") == (PEERS, PEERS, puts)


@pytest.mark.parametrize("heard", (False, True), ids=("never_heard_of", "with_a_session"))
@pytest.mark.parametrize("ipc", (False, True), ids=("tcp", "ipc"))
def test_peers__killed_at_once_with_requests_queued__leave_one_session_each(ipc, heard):
    with Broker(ipc=ipc) as broker, broker.manager() as manager:
        before = manager.call("stats")
        with broker.peer(open=False) as process:
            process.do("raw_open", count=PEERS, ping=heard)
            with broker.standing_still():
                process.do("raw_send", data=last_words().hex())
                process.kill()
        assert_one_session_each(manager, before, PEERS * PAYLOADS * PUTS)
        wait_until(lambda: broker.log().count("disconnected (lost)") >= PEERS, what="all are in the log")
        assert broker.log().count("disconnected (lost)") == PEERS


def test_peers__killed_while_others_send_without_end__leave_one_session_each():
    with Broker() as broker, broker.manager() as manager, endless_requests(broker):
        wait_until(lambda: manager.call("stats")["sessions"] == 4, what="the senders have sessions")
        before = manager.call("stats")
        with broker.peer(open=False) as process:
            process.do("raw_open", count=PEERS)
            with broker.standing_still():
                process.do("raw_send", data=last_words().hex())
                process.kill()
        assert_one_session_each(manager, before, PEERS * PAYLOADS * PUTS)


def test_peers__that_break_the_protocol_behind_their_requests__leave_one_session_each():
    """libzmq reports their end before it delivers the messages that came before the fault."""
    with Broker() as broker, broker.manager() as manager:
        before = manager.call("stats")
        for _ in range(PEERS):
            with RawPeer(broker.request_endpoint) as peer:
                peer.send(RawPeer.frame(pack([0, 1, "put", ["k", "v"]])) * PAYLOADS + UNENDING)
                peer.closed()
        assert_one_session_each(manager, before, PEERS * PAYLOADS)


def test_peer__killed_with_more_than_its_queue_holds__leaves_one_session():
    with Broker() as broker, broker.manager() as manager:
        before = manager.call("stats")
        with broker.peer(open=False) as process:
            process.do("raw_open", count=1)
            with broker.standing_still():
                process.do("raw_send", data=last_words(payloads=900).hex())
                process.kill()
        wait_until(lambda: grown(manager, before, "sessions_lost_total") >= (1,), what="the peer is seen to be dead")
        wait_until(lambda: grown(manager, before, "sessions") == (0,), what="no session is left")
        assert grown(manager, before, "sessions_total") == (1,)
