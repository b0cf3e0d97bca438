# SPDX-License-Identifier: MPL-2.0
"""Endpoints of the broker: IPv4, IPv6, both, ipc; and which event endpoint a manager is told for each."""

import contextlib
import re
import socket
import subprocess

import pytest
import zmq

from broker import Broker
from kvbroker import kvbroker
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
    """Checks that a manager that connects to REQUEST_HOST is told EVENT_HOST for events, and receives events there."""
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
            boss.call("role", victim.whoami(), "guest")
            last = boss.call("put", "k", "v") - 1
            with contextlib.suppress(TimeoutError):  # ends with silence: not even a sync comes
                while True:
                    assert subscriber.recv(1.5)[1]["seq"] <= last


# -- host names

HOSTS = """127.0.0.1 both partly here localhost
::1 both
127.0.0.2 here
192.0.2.7 away partly
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A command that runs another command in its own mount namespace, where /etc/hosts contains HOSTS."""
    folder = tmp_path_factory.mktemp("hosts")
    (folder / "hosts").write_text(HOSTS)
    (folder / "nsswitch").write_text("hosts: files\n")
    mount = (f"mount --bind {folder}/hosts /etc/hosts && mount --bind {folder}/nsswitch /etc/nsswitch.conf && "
             'exec "$@"')
    command = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespaces here")
    return command


def listening(broker, what):
    return re.findall(rf"listening for {what} on (\S+)", broker.log())


def hosts_of(endpoints):
    return [endpoint.rsplit(":", 1)[0] for endpoint in endpoints]


@needs_ipv6
def test_a_name__with_addresses_of_both_kinds__is_all_of_them(named):
    with Broker(requests=["tcp://both:*"], events=["tcp://both:*"], wrapper=named, wait_endpoints=4) as broker:
        for what in ("requests", "events"):
            assert hosts_of(listening(broker, what)) == ["tcp://127.0.0.1", "tcp://[::1]"]
        for endpoint in listening(broker, "requests"):
            with broker.manager(endpoint=endpoint, sockopt=WIDE) as manager, subscribed(manager) as subscriber:
                assert manager.call("events")["endpoint"] == listening(broker, "events")[0]
                last = manager.call("put", "k", "v")
                subscriber.until(lambda event, last=last: event["seq"] == last)


@pytest.mark.parametrize("name, hosts", [
    ("localhost", ["tcp://127.0.0.1"]), ("partly", ["tcp://127.0.0.1"]), ("here", ["tcp://127.0.0.1", "tcp://127.0.0.2"]),
    ("lo", ["tcp://127.0.0.1"]), ("127.0.0.1", ["tcp://127.0.0.1"])])
def test_a_name__is_those_of_its_addresses_that_this_machine_has(named, name, hosts):
    with Broker(requests=[f"tcp://{name}:*"], wrapper=named, wait_endpoints=len(hosts) + 1) as broker:
        assert hosts_of(listening(broker, "requests")) == hosts
        for endpoint in listening(broker, "requests"):
            with broker.client(endpoint=endpoint) as client:
                assert client.call("ping") == "pong"


@pytest.mark.parametrize("endpoint, problem", [
    ("tcp://away:*", "this machine has no such address"), ("tcp://192.0.2.7:5000", "this machine has no such address"),
    ("tcp://[2001:db8::7]:5000", "this machine has no such address"), ("tcp://nobody-knows-it:5000", "no such host"),
    ("tcp://[localhost]:5000", "no such host"), ("ipc:///no-such-folder/requests", "no such folder"),
    ("ipc:///etc/hosts", "the file there is not a socket"), ("ipc:///etc", "the file there is not a socket"), ("tcp://lo0:5000", "no such host")])
def test_an_endpoint_that_is_not_here__is_refused_alike_by_the_check_and_by_the_start(named, endpoint, problem):
    said = []
    for arguments in (("--check-config",), ()):
        done = kvbroker(*arguments, "--set", f"listen/requests={endpoint}", "--set", "listen/events=tcp://127.0.0.1:*", wrapper=named)
        assert (done.returncode, done.stdout) == (2, b""), done
        said.append(done.stderr.decode())
    assert said[0] == said[1] and said[0].count("\n") == 1
    assert said[0].startswith(f"listen/requests: {endpoint}: {problem}"), said[0]


def test_a_port_in_use__is_no_fault_of_the_configuration():
    with Broker() as broker:
        done = kvbroker("--check-config", "--config", broker.config, "--set", f"listen/requests={broker.request_endpoint}")
        assert (done.returncode, done.stderr) == (0, b"")
        with broker.client() as client:
            assert client.call("ping") == "pong"


@needs_ipv6
def test_the_tool__reaches_an_ipv6_address__and_watches_there(tmp_path):
    with Broker(requests=["tcp://[::1]:*"], events=["tcp://[::1]:*"]) as broker:
        tool = Tool(broker.request_endpoint, tmp_path)
        done = tool.run("-n", "lamp", "put", "colour", "red")
        assert (done.returncode, done.stderr) == (0, b"")
        done = tool.as_manager("watch", "lamp", "--since", "0", "--count", "2")
        assert done.returncode == 0 and b"colour" in done.stdout, done
