# SPDX-License-Identifier: MPL-2.0
"""Where the broker is reached: IPv4, IPv6, both, ipc; and which endpoint for events a manager is told then."""

import contextlib
import socket

import pytest
import zmq

from kvtest import Broker
from subscriber import subscribed
from tool import Tool


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
WIDE = {zmq.IPV6: 1}


def port_of(endpoint):
    return endpoint.rsplit(":", 1)[1]


def assert_told(broker, request_host, event_host, sockopt=None):
    """Who reaches the broker at REQUEST_HOST is told of EVENT_HOST, and hears events there."""
    endpoint = f"tcp://{request_host}:{port_of(broker.request_endpoints[0])}"
    with broker.manager(endpoint=endpoint, sockopt=sockopt) as manager, subscribed(manager, sockopt=sockopt):
        assert manager.call("events")["endpoint"] == f"tcp://{event_host}:{port_of(broker.event_endpoints[0])}"


@needs_ipv6
def test_both_kinds__each_is_told_the_address_it_came_by():
    with Broker(requests=["tcp://[::]:*"], events=["tcp://[::]:*"]) as broker:
        assert_told(broker, "127.0.0.1", "127.0.0.1")
        assert_told(broker, "127.0.0.2", "127.0.0.2")
        assert_told(broker, "[::1]", "[::1]", WIDE)


@needs_ipv6
def test_both_kinds_for_events_alone__ipv4_is_told_ipv4():
    with Broker(requests=["tcp://127.0.0.1:*"], events=["tcp://[::]:*"]) as broker:
        assert_told(broker, "127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize("events", ("tcp://0.0.0.0:*", pytest.param("tcp://[::]:*", marks=needs_ipv6)))
def test_ipc_with_events_at_any_host__is_told_this_machine(events, tmp_path):
    with Broker(requests=[f"ipc://{tmp_path}/r"], events=[events]) as broker:
        with broker.manager() as manager, subscribed(manager):
            assert manager.call("events")["endpoint"] == f"tcp://127.0.0.1:{port_of(broker.event_endpoints[0])}"


@needs_ipv6
def test_demotion__of_a_subscriber_over_ipv6__closes_its_connection():
    with Broker(requests=["tcp://127.0.0.1:*"], events=["tcp://[::1]:*"]) as broker, broker.manager("boss") as boss:
        with broker.manager() as victim, subscribed(victim, sockopt=WIDE) as subscriber:
            boss.call("role", victim.call("hello")["client"], "guest")
            last = boss.call("put", "k", "v") - 1
            with contextlib.suppress(TimeoutError):  # silence: there is not even a sync any more
                while True:
                    assert subscriber.recv(1.5)[1]["seq"] <= last


@needs_ipv6
def test_the_tool__reaches_an_ipv6_address__and_watches_there(tmp_path):
    with Broker(requests=["tcp://[::1]:*"], events=["tcp://[::1]:*"]) as broker:
        tool = Tool(broker.request_endpoint, tmp_path)
        done = tool.run("-n", "lamp", "put", "colour", "red")
        assert (done.returncode, done.stderr) == (0, b"")
        done = tool.run("-u", "adam", "watch", "lamp", "--since", "0", "--count", "2", KVZMQ_PASSWORD="eve")
        assert done.returncode == 0 and b"colour" in done.stdout, done
