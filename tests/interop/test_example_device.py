# SPDX-License-Identifier: MPL-2.0
"""examples/device.c applies its configuration at its start, when it changes, and after the device was away."""

import contextlib
import re
import signal
import subprocess

import pytest

from broker import Broker
from chance import seeded
from project import build_folder
from relay import Relay
from rpc import RpcError
from running import Running
from waiting import wait_until


class Device(Running):
    def __init__(self, endpoint, name="lamp"):
        program = build_folder() / "examples" / "device"
        super().__init__(subprocess.Popen([program, endpoint, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))

    def wait(self, line):
        return super().wait(f"^{re.escape(line)}$")

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        assert self.ended() == 0


@pytest.fixture
def manager():
    with Broker() as broker, broker.manager() as made:
        made.endpoint = broker.request_endpoint
        yield made


def configure(manager, key, value, options=None):
    manager.call("manage", "lamp", "put", f"config/{key}", value, {"create": True, **(options or {})})


def state(manager, key):
    return manager.call("manage", "lamp", "get", key)


def test_device__change_of_its_configuration__is_applied_said_and_shown_in_its_store(manager):
    with Device(manager.endpoint) as device:
        device.wait("applied interval_ms = 1000")
        configure(manager, "interval_ms", "50")
        device.wait("applied interval_ms = 50")
        wait_until(lambda: state(manager, "state/interval_ms") == "50")
        configure(manager, "label", "hall")
        device.wait("applied label = hall")
        wait_until(lambda: (state(manager, "reading") or "").startswith("hall "))


def test_device__configuration_that_waited__is_applied_at_its_start(manager):
    configure(manager, "interval_ms", "77")
    with Device(manager.endpoint) as device:
        device.wait("applied interval_ms = 77")


@pytest.mark.parametrize("value", ["often", "", "9", "3600001", "50 ", "9" * 100, b"\xff"])
def test_device__value_that_is_not_valid__is_refused_and_the_last_one_holds(manager, value):
    with Device(manager.endpoint) as device:
        device.wait("applied interval_ms = 1000")
        configure(manager, "interval_ms", "50")
        device.wait("applied interval_ms = 50")
        configure(manager, "interval_ms", value)
        wait_until(lambda: (state(manager, "state/interval_ms") or "").startswith("refused"))
        reading = state(manager, "reading")
        wait_until(lambda: state(manager, "reading") != reading)


def test_device__configuration_that_ends__is_the_default_again(manager):
    with Device(manager.endpoint) as device:
        device.wait("applied interval_ms = 1000")
        configure(manager, "interval_ms", "50", {"ttl_ms": 300})
        device.wait("applied interval_ms = 50")
        wait_until(lambda: device.lines.count("applied interval_ms = 1000") == 2)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_device__signal__says_goodbye_and_ends_with_0(manager, how):
    with Device(manager.endpoint) as device:
        device.wait("applied label = none")
        device.stop(how)
        assert device.lines[-1].startswith("stopped after ")
        rows = manager.call("clients")["clients"]
        assert [row["connected"] for row in rows if row["id"] == "lamp"] == [False]


def test_device__broker_is_started_anew__obeys_what_the_new_one_has(tmp_path):
    endpoints = {"requests": [f"ipc://{tmp_path}/r"], "events": [f"ipc://{tmp_path}/e"]}
    with Broker(**endpoints) as first, first.manager() as manager:
        device = Device(first.request_endpoint)
        device.wait("applied interval_ms = 1000")
        configure(manager, "interval_ms", "50")
        device.wait("applied interval_ms = 50")
    with device, Broker(**endpoints) as second, second.manager() as manager:
        wait_until(lambda: device.lines.count("applied interval_ms = 1000") == 2, what="the default again")
        configure(manager, "interval_ms", "60")
        device.wait("applied interval_ms = 60")
        assert state(manager, "state/interval_ms") in ("1000", "60")


class World:
    """A device behind a relay, and faults for it. Only its label is configured."""

    def __init__(self, stack):
        self.stack = stack
        self.relay = stack.enter_context(Relay())
        self.broker = self.device = None
        self.start_broker()
        self.start_device()

    def start_broker(self):
        self.broker = Broker(options={"session/timeout": 1})
        self.stack.callback(self.broker.kill)
        self.relay.aim(self.broker.start().request_endpoint)
        self.relay.cut()

    def start_device(self):
        self.device = self.stack.enter_context(Device(self.relay.endpoint))

    def manage(self, *request):
        """Returns the result of a manager's request, or None if it fails, as for a client that does not exist. Uses a new session
        each time, because sessions time out quickly here."""
        with self.broker.manager() as manager:
            with contextlib.suppress(RpcError):
                return manager.call(*request)

    def configure(self, label):
        if label is None:
            self.manage("manage", "lamp", "del", "config/label")
        else:
            self.manage("manage", "lamp", "put", "config/label", label, {"create": True})

    def obeys(self, label):
        wanted = "none" if label is None else label
        wait_until(lambda: self.manage("manage", "lamp", "get", "state/label") == wanted, what=f"the label {wanted}")

    # The faults. Each returns the label that the device must have afterwards.

    def is_cut(self, label):
        self.relay.cut()
        self.configure(label)
        return label

    def is_stopped(self, label):
        """Stopped until its session has timed out."""
        since = len(self.broker.lines)
        self.device.process.send_signal(signal.SIGSTOP)
        self.configure(label)
        self.broker.wait_log("client lamp disconnected", since=since)
        self.device.process.send_signal(signal.SIGCONT)
        return label

    def is_killed(self, label):
        self.device.process.kill()
        self.device.process.wait()
        self.configure(label)
        self.start_device()
        return label

    def is_forgotten(self, _):
        self.manage("forget", "lamp")
        return None

    def is_killed_and_its_store_emptied(self, _):
        self.device.process.kill()
        self.device.process.wait()
        for key, *_ in (self.manage("manage", "lamp", "list") or {"entries": []})["entries"]:
            self.manage("manage", "lamp", "del", key)
        self.start_device()
        return None

    def loses_its_broker(self, _):
        self.broker.kill()
        self.start_broker()
        return None


def test_device__whatever_happens__obeys_what_its_configuration_is():
    chance = seeded()
    faults = ["is_cut", "is_stopped", "is_killed", "is_forgotten", "is_killed_and_its_store_emptied", "loses_its_broker"]
    rounds = faults + chance.choices(faults, k=6)
    chance.shuffle(rounds)
    with contextlib.ExitStack() as stack:
        world = World(stack)
        for number, fault in enumerate(rounds):
            world.configure(f"before {number}")
            world.obeys(f"before {number}")
            label = chance.choice((None, f"while {number}"))
            print(fault, label)
            world.obeys(getattr(world, fault)(label))
