# SPDX-License-Identifier: MPL-2.0
"""The servers that tests/bench/compare and tests/bench/growth measure: how each one is started, filled with keys, and asked for its statistics.

Each server has the settings that make it fast at this work: it writes nothing to disk, its memory is not limited, and it may use
all processors that are assigned to it. The clients define what a request is (bench_requests.c, peer_client.c)."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import time

from measuring import Failure, Holder, pinned
from waiting import TIMEOUT, wait_until

STORE = "bench"  # name of the kvbroker client whose keys are used


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process on a free port of the loopback interface, with a folder of its own."""

    def __init__(self, bench, name):
        self.bench, self.name = bench, name
        self.port = free_port()
        self.folder = pathlib.Path(bench.folder, f"{name}-{self.port}")
        self.folder.mkdir()
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self.log = self.folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(pinned(bench.server_cpus, self.command()), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=bench.environment)
        self.holder = None
        self.loaded_bytes = None  # resident memory with all keys

    def command(self):
        return {"kvbroker": self.kvbroker, "libzmq": self.libzmq, "redis": self.redis, "memcached": self.memcached,
                "nats": self.nats}[self.name]()

    def kvbroker(self):
        return [self.bench.program("kvbroker"), "--set", f"listen/requests={self.endpoint}", "--set",
                "listen/events=tcp://127.0.0.1:*", "--set", "session/timeout=86400"]

    def libzmq(self):
        return [self.bench.test_program("bench_requests"), self.endpoint, "serve"]

    def redis(self):
        return ["redis-server", "--bind", "127.0.0.1", "--port", self.port, "--save", "", "--appendonly", "no", "--maxclients",
                "10000", "--dir", self.folder]

    def memcached(self):
        """One thread for each processor, memory for all keys, and a high limit of requests in a pipeline (-R)."""
        user = ["-u", "root"] if os.getuid() == 0 else []
        return ["memcached", "-l", "127.0.0.1", "-p", self.port, "-t", len(self.bench.server_cpus), "-m", 4096, "-M", "-c", 4096,
                "-R", 1024, *user]

    def nats(self):
        configuration = self.folder / "nats.conf"
        configuration.write_text(f'listen: "127.0.0.1:{self.port}"\nping_interval: "1h"\n'
                                 f'jetstream {{ store_dir: "{self.folder}" }}\n')
        return ["nats-server", "-c", configuration]

    def wait_ready(self):
        def accepts():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            return self.process.poll() is not None

        with contextlib.suppress(TimeoutError):
            wait_until(accepts)
            if self.process.poll() is None:
                return
        raise Failure(f"{self.name} did not start: {self.log.read_text(errors='replace')[-2000:]}")

    def load(self, keys):
        """Put KEYS keys into the server."""
        if self.name == "kvbroker":
            self.holder = Holder(self.bench, self.endpoint, "hold", keys, STORE).fill()
        elif self.name != "libzmq":
            self.bench.client([self.bench.test_program("peer_client"), self.name, self.port, "load", keys])
        self.loaded_bytes = self.resident_bytes()

    def processor_s(self):
        """Return the processor time of all its threads so far. The clock's id is the one that clock_getcpuclockid(3) returns."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def resident_bytes(self):
        status = pathlib.Path("/proc", str(self.process.pid), "status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) * 1024

    def redis_counts(self):
        text = self.bench.client(["redis-cli", "-p", self.port, "info", "stats", "commandstats"])
        values = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        calls = {name: int(re.search(r"calls=(\d+)", values.get(f"cmdstat_{name}", "calls=0"))[1]) for name in ("get", "set")}
        return calls, int(values["keyspace_misses"]), int(values["total_error_replies"])

    def stop(self):
        if self.holder:
            self.holder.close()
        self.process.terminate()
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
