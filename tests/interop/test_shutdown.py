# SPDX-License-Identifier: MPL-2.0
"""Start and shutdown: signals, the `bye` to every session, ports in use."""

import re
import signal
import socket
import time

import pytest
import zmq

from broker import Broker
from kvbroker import kvbroker
from raw_peer import RawPeer
from rpc import RpcError, pack, unpack_all
from waiting import TIMEOUT

BOUND = 5.0  # seconds that a shutdown may take
GRACE = TIMEOUT / 3  # seconds that a busy machine may add


def stopping(broker, seconds=1):
    """Begins a shutdown that takes SECONDS: the answers to so many wrong secrets, and to a ping after them, are still due.
    Returns the client that sent them, and their msgids."""
    owner, thief = broker.client("lamp/owner"), broker.client("lamp/thief")
    owner.call("hello", {"secret": "s" * 16})
    assert thief.code("ping") == "UNAUTHENTICATED"
    msgids = [*(thief.request("hello", {"secret": "w" * 16}) for _ in range(seconds)), thief.request("ping")]
    owner.call("ping")
    broker.process.send_signal(signal.SIGTERM)
    broker.wait_log(r"(?i)stopping")
    return thief, msgids


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT), ids=lambda number: number.name)
def test_signal__every_session_is_told_bye_is_logged_exit_0(number):
    with Broker() as broker:
        clients = [broker.client(), broker.client("named/1"), broker.manager()]
        for client in clients:
            client.call("put", "k", "v")
        broken = broker.client()
        broken.exchange(b"\xc1")
        start = time.monotonic()
        broker.process.send_signal(number)
        for client in [*clients, broken]:
            assert client.recv_push() == [2, "bye", [{"reason": "shutdown"}]]
        broker.wait_exit(0, BOUND + GRACE)
        assert time.monotonic() - start < BOUND + GRACE
        assert re.search(r"\bBye\b", broker.log(1)), broker.log()
        assert len(re.findall(r"\bBye\b", broker.log())) == 1


def test_signal__without_clients__ends_at_once():
    with Broker() as broker:
        start = time.monotonic()
        broker.stop(GRACE)
        assert time.monotonic() - start < GRACE


def test_signal__a_session_with_envelopes__gets_no_push():
    with Broker() as broker, broker.client(kind=zmq.REQ) as req, broker.client() as enveloped:
        req.call("ping")
        enveloped.send_frames([b"e", b"", pack([0, 1, "ping", []])])
        enveloped.recv_frames()
        broker.stop(BOUND + GRACE)
        assert req.silent(0.05) and enveloped.silent(0.05)


def test_signal__what_was_received_is_answered():
    with Broker() as broker:
        thief, msgids = stopping(broker)
        for msgid in msgids:
            with pytest.raises(RpcError, match="UNAUTHENTICATED"):
                thief.result(msgid)
        broker.wait_exit(0, BOUND + GRACE)


def test_signal__a_client_that_does_not_read__does_not_hold_it_up():
    with Broker() as broker:
        deaf = RawPeer(broker.request_endpoint, b"deaf/1")
        deaf.send_frame(pack([0, 1, "put", ["k", "v" * 1000000]]))
        deaf.read_frame()
        for _ in range(12):
            deaf.send_frame(pack([0, 1, "get", ["k"]]))
        with broker.client() as other:
            other.call("ping")
        start = time.monotonic()
        broker.stop(BOUND + GRACE)
        assert time.monotonic() - start < BOUND + GRACE
        deaf.close()


def test_second_signal__ends_it_at_once():
    broker = Broker().start()
    try:
        stopping(broker, 4)
        broker.process.send_signal(signal.SIGTERM)
        broker.process.wait(TIMEOUT)
        assert broker.process.returncode != 0
        assert not re.search(r"Bye|Sanitizer|runtime error", broker.log())
    finally:
        broker.kill()


def test_signal__new_connections_are_not_served_while_it_stops():
    with Broker() as broker:
        stopping(broker)
        with broker.client() as late:
            late.request("put", "k", "v")
            broker.wait_exit(0, BOUND + GRACE)
            assert late.silent(0.05) or unpack_all(late.recv_payload())[0][:2] != [1, 1]


@pytest.mark.parametrize("which", ("requests", "events"))
def test_port_in_use__one_line_names_it_and_says_what_to_do(which):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        other = "events" if which == "requests" else "requests"
        done = kvbroker("--set", f"listen/{which}={endpoint}", "--set", f"listen/{other}=tcp://127.0.0.1:*")
    (line,) = [line for line in done.stderr.decode().splitlines() if not re.search(" info .*listening for requests", line)]
    assert done.returncode == 1 and " error " in line
    assert endpoint in line and f"listen/{which}" in line
    assert re.search("in use|another program", line)


def test_two_brokers__the_second_fails_the_first_goes_on():
    with Broker() as broker, broker.client() as client:
        done = kvbroker("--set", f"listen/requests={broker.request_endpoint}", "--set", "listen/events=tcp://127.0.0.1:*")
        (line,) = done.stderr.decode().splitlines()
        assert done.returncode == 1 and broker.request_endpoint in line
        assert client.call("ping") == "pong"


def test_several_endpoints__each_is_served(tmp_path):
    requests = ["tcp://127.0.0.1:*", f"ipc://{tmp_path}/requests", "tcp://127.0.0.1:*"]
    with Broker(requests=requests, events=["tcp://127.0.0.1:*", f"ipc://{tmp_path}/events"]) as broker:
        assert len(set(broker.request_endpoints)) == 3
        for endpoint in broker.request_endpoints:
            with broker.client("same/" + str(broker.request_endpoints.index(endpoint)), endpoint=endpoint) as client:
                client.call("put", "k", endpoint)
                assert client.call("get", "k") == endpoint
        assert broker.event_endpoints[1] == f"ipc://{tmp_path}/events"


def test_log__says_who_connected_and_who_disconnected_and_no_value_password_or_secret():
    with Broker() as broker, broker.client("lamp/1") as client:
        client.call("hello", {"secret": "needle-secret-of-16"})
        client.call("put", "needle-key", "needle-value")
        assert client.code("auth", "adam", "needle-password") == "UNAUTHENTICATED"
        client.call("auth", "adam", "eve")
        client.call("bye")
        broker.wait_log(r"(?i)lamp.*disconnect|disconnect.*lamp")
        assert re.search(r"(?im)^.*lamp.*\bconnected|\bconnected.*lamp", broker.log())
        assert "needle-value" not in broker.log() and "needle-password" not in broker.log()
        assert "needle-secret" not in broker.log()
