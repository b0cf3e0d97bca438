# SPDX-License-Identifier: MPL-2.0
"""What tests/bench/compare and tests/bench/growth share: options, processors, programs, rounds, figures, facts about the machine."""

import datetime
import json
import os
import pathlib
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from closing import Closing  # noqa: E402  (it needs the path above)

PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"  # where nats-server is
KEY_SIZE, VALUE_SIZE = 16, 32  # the sizes of workload.h
RUN_S = 900  # only a hang takes so long
LOAD_QUIET = 0.3  # highest load average of a quiet machine


class Failure(Exception):
    """An error that ends the run."""


def pinned(cpus, command):
    """Return a command that runs COMMAND on these processors and is killed when this process ends."""
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", ",".join(map(str, cpus)), *map(str, command)]


class Bench:
    """The settings that all measurements share."""

    def __init__(self, options, folder):
        self.build, self.folder = options.build, folder
        self.rounds, self.seconds = options.rounds, options.seconds
        self.server_cpus, self.client_cpus = options.server_cpus, options.client_cpus
        self.environment = {**os.environ, "PATH": PATH, "LC_ALL": "C"}

    def program(self, name):
        return self.build / "bin" / name

    def test_program(self, name):
        return self.build / "tests" / name

    def client(self, command, server_pid=None):
        """Run a client and return its output. Its exit status must be 0."""
        environment = {**self.environment, "KV_SERVER_PID": str(server_pid)} if server_pid else self.environment
        done = subprocess.run(pinned(self.client_cpus, command), capture_output=True, text=True, errors="replace", check=False,
                              timeout=RUN_S, stdin=subprocess.DEVNULL, env=environment)
        if done.returncode != 0:
            words = " ".join(map(str, command))
            raise Failure(f"{words}: status {done.returncode}: {(done.stderr + done.stdout)[-2000:]}")
        return done.stdout

    def requests(self, endpoint, *arguments, server_pid=None):
        """Run bench_requests and return what it measured."""
        return json.loads(self.client([self.test_program("bench_requests"), endpoint, *arguments], server_pid))

    def requests_for(self, rate_of, unit):
        """Return how many requests take about the time of a round, a multiple of UNIT. Also warms up. RATE_OF (REQUESTS) does
        that many requests and returns how many it did in a second."""
        requests = max(4 * unit, 1000)
        for share in (0.25, 1):
            requests = max(unit, round(rate_of(requests) * self.seconds * share / unit) * unit)
        return requests

    def interleaved(self, names, run):
        """Call RUN (NAME) once a round for each name, in turn. Return {name: the result of every round}."""
        names = list(names)
        rounds = {name: [] for name in names}
        for number in range(self.rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                rounds[name].append(run(name))
        return rounds


class Holder(Closing):
    """A process that keeps connections to ENDPOINT (bench_requests' `hold`, or `bare-hold`). They are there when it is made."""

    def __init__(self, bench, endpoint, *arguments):
        command = pinned(bench.client_cpus, [bench.test_program("bench_requests"), endpoint, *arguments])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect("connected")

    def expect(self, line):
        if self.process.stdout.readline() != line + "\n":
            raise Failure(f"bench_requests was not {line}")

    def fill(self):
        """Put the keys. Return when they are there."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.expect("filled")
        return self

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


# -- figures


def summary(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def shown(series, form, spread=True):
    if not series:
        return "-"
    text = format(series["median"], form)
    return f"{text} ({series['low']:{form}} .. {series['high']:{form}})" if spread else text


# -- facts


def output_of(bench, command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=bench.environment)
    return (done.stdout + done.stderr).strip().splitlines()[0] if done.returncode == 0 else None


def facts(bench):
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    memory = re.search(r"MemTotal:\s*(\d+) kB", pathlib.Path("/proc/meminfo").read_text())
    cache = (bench.build / "CMakeCache.txt").read_text()
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": {"processor": model[1] if model else platform.machine(), "processors": os.cpu_count(),
                    "memory_bytes": int(memory[1]) * 1024, "kernel": f"{platform.system()} {platform.release()}",
                    "load_average": os.getloadavg()[0]},
        "build": re.search(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", cache, re.MULTILINE)[1],
        "versions": {
            "kvbroker": output_of(bench, [bench.program("kvbroker"), "--version"]),
            "libzmq": output_of(bench, ["pkg-config", "--modversion", "libzmq"]),
        },
        "work": {"key_bytes": KEY_SIZE, "value_bytes": VALUE_SIZE, "rounds": bench.rounds, "seconds": bench.seconds,
                 "server_cpus": bench.server_cpus, "client_cpus": bench.client_cpus},
    }


# -- options


def cpus_of(text):
    """Parse a list such as 0,2-3 into numbers."""
    numbers = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def add_options(parser):
    """Add the options that all have."""
    parser.add_argument("--quick", action="store_true", help="a smoke test of a few seconds: few keys, one short round")
    parser.add_argument("--large", action="store_true", help="up to 10 million keys")
    parser.add_argument("--rounds", type=int, help="number of rounds, of which the median is shown (default 5)")
    parser.add_argument("--seconds", type=float, help="approximate time of a round for each contender (default 0.5)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help="build folder (build/release)")
    parser.add_argument("--server-cpus", type=cpus_of, metavar="LIST", help="in the format of taskset (default: the first half)")
    parser.add_argument("--client-cpus", type=cpus_of, metavar="LIST", help="in the format of taskset (default: the other half)")
    parser.add_argument("-o", dest="output", choices=("table", "json"), default="table")


def complete(options):
    """Replace options that were not given by their defaults."""
    cpus = sorted(os.sched_getaffinity(0))
    half = len(cpus) // 2
    options.server_cpus = options.server_cpus or cpus[:half] or cpus
    options.client_cpus = options.client_cpus or cpus[half:]
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (0.02 if options.quick else 0.5)
    options.build = options.build.resolve()
    return options


# -- the program


def check_built(build, *paths):
    for path in paths:
        if not (build / path).exists():
            raise Failure(f"{build / path} is not built: cmake --preset release && cmake --build --preset release")


def raise_descriptor_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft != resource.RLIM_INFINITY else soft, hard))


def warn_if_busy():
    if (load := os.getloadavg()[0]) > LOAD_QUIET:
        print(f"the machine is busy (load average {load:.1f}): do not trust the figures", file=sys.stderr)


def status_of(run, options):
    """Call RUN (OPTIONS), which returns an exit status. Return it, or the status of what ended it, with a message."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        return run(options)
    except (Failure, subprocess.SubprocessError, OSError) as error:
        print(f"{pathlib.Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
