# SPDX-License-Identifier: MPL-2.0
"""examples/device.c: it does what its configuration says, when it is changed, and after it was away."""

import pathlib
import signal
import subprocess
import threading

import pytest
from kvtest import TIMEOUT, Broker, binary_of, wait_until


class Device:
    def __init__(self, endpoint, name="lamp"):
        program = pathlib.Path(binary_of("kvbroker")).parents[1] / "examples" / "device"
        self.process = subprocess.Popen([program, endpoint, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait(self, line):
        try:
            wait_until(lambda: line in self.lines)
        except TimeoutError:
            raise AssertionError(f"{line!r} was not said: {self.lines}") from None

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        assert self.process.wait(TIMEOUT) == 0
        self.reader.join(TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(TIMEOUT)
        self.process.stdout.close()


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
