# SPDX-License-Identifier: MPL-2.0
"""kvzmq-cli bench: what it does and shows, that it detects each kind of wrong answer, and that it leaves nothing behind."""

import json
import re
import signal
import threading

import pytest

from broker import Broker
from liar import Forger
from rpc import pack, unpack_all
from tool import Tool
from waiting import TIMEOUT, readable

WORKLOADS = ["get", "put", "mixed", "a", "b", "c", "d", "e", "f"]
LATENCIES = ["p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"]
SMALL = ["--clients", "3", "--keys", "300"]
FACTS = {"endpoint", "broker", "library", "libzmq", "cpus", "kernel", "load_average"}


def check_clean(broker):
    """Checks that no store of a benchmark is left."""
    with broker.manager() as manager:
        assert [client["id"] for client in manager.call("clients", {"prefix": "bench-"})["clients"]] == []


def bench(tool, *arguments, status=0):
    """Runs a benchmark. Returns its JSON output and its standard error."""
    done = tool.run("-o", "json", "-t", str(TIMEOUT), "bench", *arguments)
    assert done.returncode == status, (done.stdout, done.stderr)
    return json.loads(done.stdout), done.stderr.decode()


def check_good(shown, operations):
    assert shown["operations"] == operations
    assert (shown["errors"], shown["wrong"], shown["problem"]) == (0, False, None)
    assert 0 < shown["p50_ns"] and [shown[name] for name in LATENCIES] == sorted(shown[name] for name in LATENCIES)
    assert shown["throughput"] > 0 and shown["load_per_second"] > 0
    assert all(shown[name] for name in FACTS), shown


# -- workloads


@pytest.mark.parametrize("more", [[], ["--batch", "7", "--in-flight", "3", "--threads", "2"], ["--shared", "--batch", "5"]],
                         ids=["one", "many", "shared"])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_workload__real_broker__every_answer_is_right_and_nothing_is_left(broker, tool, workload, more):
    shown, told = bench(tool, workload, *SMALL, "--requests", "1000", *more)
    check_good(shown, 1000)
    assert shown["workload"] == workload and shown["keys"] == 300 and shown["stores"] == (1 if "--shared" in more else 3)
    adds = workload in "de"
    assert shown["removed"] > 300 if adds else shown["removed"] == 300
    assert shown["requests"] > 1000 if workload == "f" else shown["requests"] == 1000
    assert re.search(r"^bench: loading 300 keys into (1 store|3 stores), bench-[0-9a-f]{8}-0", told)
    assert f"bench: running workload {workload}\nbench: removed {shown['removed']} keys\n" in told
    check_clean(broker)


@pytest.mark.parametrize("distribution", ["uniform", "zipfian", "latest"])
def test_distribution__each__is_used(broker, tool, distribution):
    shown, _ = bench(tool, "a", *SMALL, "--requests", "500", "--distribution", distribution)
    check_good(shown, 500)
    assert shown["distribution"] == distribution


def test_modify__of_one_key_in_one_message__conflicts_and_that_is_no_error(broker, tool):
    shown, _ = bench(tool, "f", "--clients", "2", "--shared", "--keys", "1", "--requests", "400", "--batch", "20")
    check_good(shown, 400)
    assert shown["conflicts"] > 0
    check_clean(broker)


def test_sizes__of_keys_and_values__are_those_that_were_asked_for(broker, tool):
    for key, value in ((3, 16), (40, 1001)):
        shown, _ = bench(tool, "mixed", "--clients", "2", "--keys", "100", "--requests", "300", "--key-size", str(key),
                         "--value-size", str(value))
        check_good(shown, 300)
        assert (shown["key_size"], shown["value_size"]) == (key, value)


def test_duration__that_is_asked_for__is_kept(tool):
    shown, _ = bench(tool, "get", *SMALL, "--duration", "300ms")
    assert 300 <= shown["elapsed_ms"] and shown["duration_ms"] == 300 and shown["requests_asked"] is None
    check_good(shown, shown["operations"])


def test_text_and_raw__show_the_same_names(tool):
    text = tool.run("bench", "get", *SMALL, "--requests", "100").stdout.decode()
    assert re.search(r"^workload +get$", text, re.M) and re.search(r"^latency p99\.9 +\d+\.\d{3} ms$", text, re.M)
    raw = tool.run("-o", "raw", "bench", "get", *SMALL, "--requests", "100").stdout.decode()
    assert re.search(r"^p999_ns\t\d+$", raw, re.M)


def test_pipe__bench_is_a_line_like_any_other(tool):
    done = tool.run("-o", "json", typed=b"bench get --clients 2 --keys 10 --requests 50\nping\n")
    result, pong = (json.loads(line) for line in done.stdout.splitlines())
    assert result["operations"] == 50 and pong == {"answer": "pong"}


def test_run__longer_than_a_session_may_be_silent__says_nothing_of_that(tmp_path):
    with Broker(options={"session/timeout": 1}) as broker:
        shown, told = bench(Tool(broker.request_endpoint, tmp_path), "get", "--clients", "2", "--keys", "10", "--duration", "2500ms",
                            "--rate", "1")
        check_good(shown, shown["operations"])
        assert [line.split()[1] for line in told.splitlines()] == ["loading", "running", "removed"]
        check_clean(broker)


def test_progress__is_shown_at_a_terminal_alone(tool):
    with tool.terminal("bench", "get", *SMALL, "--duration", "2500ms") as terminal:
        terminal.wait(r"running: \d+ s, \d+ operations, \d+ a second")
        terminal.wait(r"^keys removed +300")
        assert terminal.ended() == 0
    assert b"running:" not in tool.run("bench", "get", *SMALL, "--duration", "1500ms").stderr


def test_other_stores__are_not_touched(broker, tool):
    with broker.client("bench-mine/x") as mine, broker.manager() as manager:
        revision = mine.call("put", "kkkk000000000000", "v")
        bench(tool, "put", *SMALL, "--requests", "100")
        assert mine.call("entry", "kkkk000000000000")["revision"] == revision
        assert [client["id"] for client in manager.call("clients", {"prefix": "bench-"})["clients"]] == ["bench-mine"]
        mine.call("del", "kkkk000000000000")


# -- rate


def test_rate__sends_as_many_as_are_due(tool):
    shown, _ = bench(tool, "get", *SMALL, "--duration", "1", "--rate", "200")
    check_good(shown, 200)
    assert shown["rate"] == 200


# -- wrong answers


def flip(text):
    return text[:-1] + chr(ord(text[-1]) ^ 1)


class Stale:
    """Answers every `get` with the first value that was read, whatever the key."""

    def __init__(self):
        self.first = None

    def __call__(self, result):
        self.first = self.first or result
        return None, self.first


def one_less(page):
    return None, {**page, "entries": page["entries"][:-1]}


def without_second(page):
    return None, {**page, "entries": page["entries"][:1] + page["entries"][2:]}


FORGED = {
    "a changed value": ("get", "get", lambda value: (None, flip(value)), "not one that was put for this key"),
    "a shorter value": ("get", "get", lambda value: (None, value[:-1]), "not one that was put for this key"),
    "an empty value": ("get", "get", lambda value: (None, ""), "not one that was put for this key"),
    "a value of bytes": ("get", "get", lambda value: (None, value.encode()), "not one that was put for this key"),
    "the value of another key": ("get", "get", Stale(), "not one that was put for this key"),
    "no value": ("get", "get", lambda value: (None, None), "no such key, although it was put"),
    "no number": ("get", "get", lambda value: (None, 7), "unexpected answer"),
    "a revision that stands still": ("a", "put", lambda revision: (None, 1), "revision is not above"),
    "a page without its end": ("e", "list", one_less, "it ends before|leaves out|not a page"),
    "a page with a hole": ("e", "list", without_second, "leaves out a key|it ends before"),
    "a page of nothing": ("e", "list", lambda page: (None, {**page, "entries": [], "more": False}), "it ends before"),
    "a revision from the future": ("f", "entry", lambda entry: (None, {**entry, "revision": 2**50}), "not that of a put"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_answer__is_noticed_and_fails_the_run(broker, tmp_path, name):
    workload, method, forge, words = FORGED[name]
    with Forger(broker, method, forge) as forger:
        tool = Tool(forger.endpoint, tmp_path)
        shown, told = bench(tool, workload, "--clients", "2", "--keys", "200", "--requests", "1000", status=1)
    assert shown["wrong"] and re.search(words, shown["problem"]), shown["problem"]
    assert told.splitlines()[-1] == "bench: " + shown["problem"]
    check_clean(broker)


def test_write_that_is_not_carried_out__is_noticed(broker, tmp_path):
    """Each put is replaced by one with the key's first value: it is reported as done, but the value does not change."""
    class Forgetter(Forger):
        def __init__(self):
            self.puts = 0
            self.values = {}
            super().__init__(broker, None, None)

        def _ask(self, identity, payload):
            changed = []
            for message in unpack_all(payload):
                if message[0] == 0 and message[2] == "put":
                    key, value = message[3][:2]
                    message[3][1] = self.values.setdefault((identity, key), value)
                changed.append(message)
            super()._ask(identity, b"".join(pack(message) for message in changed))

        def answer(self, methods, payload):
            return payload

    with Forgetter() as forgetter:
        shown, _ = bench(Tool(forgetter.endpoint, tmp_path), "a", "--clients", "2", "--keys", "20", "--requests", "500", status=1)
    assert "not the one that was put last" in shown["problem"]
    check_clean(broker)


def test_conflict__that_is_none__is_noticed(broker, tmp_path):
    calls = iter(range(10**9))

    def refuse(revision):
        return (None, revision) if next(calls) < 100 else (["FAILED_PRECONDITION", "it has another revision", 1], None)

    with Forger(broker, "put", refuse) as forger:
        shown, _ = bench(Tool(forger.endpoint, tmp_path), "f", "--clients", "2", "--keys", "100", "--requests", "1000", status=1)
    assert "refused, although" in shown["problem"]
    check_clean(broker)


def test_error_answers__are_counted_by_code_and_fail_the_run(broker, tmp_path):
    error = ["UNAVAILABLE", "later"]
    with Forger(broker, "get", lambda value: (error, None)) as forger:
        shown, told = bench(Tool(forger.endpoint, tmp_path), "get", *SMALL, "--requests", "100", status=1)
    assert (shown["operations"], shown["errors"], shown["errors_UNAVAILABLE"], shown["wrong"]) == (100, 100, 100, False)
    assert re.fullmatch(r"bench: 100 answers were errors; the first: get of client bench-\w+-\d: UNAVAILABLE: later",
                        told.splitlines()[-1])
    check_clean(broker)


def test_limit_of_the_broker__fails_the_run_before_it_is_measured(tmp_path):
    with Broker(options={"limits/keys_per_client": 50}) as broker:
        shown, _ = bench(Tool(broker.request_endpoint, tmp_path), "get", *SMALL, "--requests", "100", status=1)
        assert (shown["operations"], shown["errors_RESOURCE_EXHAUSTED"], shown["removed"]) == (0, 150, 150)
        check_clean(broker)


def test_stall_of_the_broker__is_in_the_latency_of_all_that_was_due_meanwhile(broker, tmp_path):
    """No coordinated omission: although only one message may be in flight, latency counts from when a request was due."""
    class Stall(Forger):
        def answer(self, methods, payload):
            if methods == ["get"] and not self.told:
                self.told = 1
                threading.Event().wait(1)
            return payload

    with Stall(broker, None, None) as stall:
        shown, _ = bench(Tool(stall.endpoint, tmp_path), "get", "--clients", "1", "--keys", "10", "--duration", "2", "--rate", "100")
    assert shown["operations"] == 200 and shown["max_ns"] >= 1e9
    assert shown["p90_ns"] >= 0.7e9  # half of the 200 are due in that second; their latencies go from 1 s down to 0


# -- the end of a run


def wait_told(process, pattern):
    """Reads standard error until a line matches PATTERN."""
    lines = []
    while not lines or not re.search(pattern, lines[-1]):
        assert readable(process.stderr, TIMEOUT), f"{pattern} was not said: {lines}"
        lines.append(process.stderr.readline().decode())
        assert lines[-1], f"{pattern} was not said: {lines}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("phase", ["loading", "running"])
def test_signal__in_each_phase__deletes_what_was_put(broker, tool, number, phase):
    keys = 500000 if phase == "loading" else 300
    with tool.start("-o", "json", "bench", "a", "--clients", "3", "--keys", str(keys), "--duration", "1h") as process:
        wait_told(process, f"^bench: {phase}")
        process.send_signal(number)
        shown, told = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert json.loads(shown)["error"]["code"] == "INTERRUPTED"
    removed = int(re.search(r"^bench: removed (\d+) keys$", told.decode(), re.M)[1])
    assert removed == keys if phase == "running" else removed <= keys
    assert "may be left" not in told.decode()
    check_clean(broker)


def test_broker_that_ends__is_an_error_and_says_what_may_be_left(tmp_path):
    with Broker() as broker, Tool(broker.request_endpoint, tmp_path).start("bench", "get", *SMALL, "--duration", "1h") as process:
        wait_told(process, "^bench: running")
        broker.stop()
        shown, told = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 3 and shown == b""
    assert re.search(r"^bench: 300 keys may be left, in stores whose names begin with bench-[0-9a-f]{8}-$", told.decode(), re.M)
    assert re.search(r"^UNREACHABLE: ", told.decode(), re.M)


# -- wrong usage


@pytest.mark.parametrize("arguments, words", [
    (["g"], "there is no workload g; help bench shows all"),
    (["get", "--clients", "0"], "--clients must be above 0"),
    (["get", "--clients", "x"], '--clients takes a whole number, not "x"'),
    (["get", "--clients", "10001"], "--clients takes 1 to 10000 here, not 10001"),
    (["get", "--batch", "5000"], "--batch takes 1 to 4096 here, not 5000"),
    (["get", "--value-size", "15"], "--value-size takes 16 to 1048576 here, not 15"),
    (["get", "--distribution", "normal"], '--distribution takes uniform, zipfian or latest, not "normal"'),
    (["get", "--duration", "1", "--requests", "1"], "--duration and --requests cannot be given together"),
    (["get", "--keys", "9"], "--keys must be at least --clients: each client has a store of its own"),
    (["d", "--key-size", "8"], "workload d adds keys, for which --key-size must be at least 12"),
    (["get", "--rate", "2", "--rate", "3"], "--rate is given twice")])
def test_wrong_usage__is_refused_with_nothing_done(broker, tool, arguments, words):
    done = tool.run("bench", *arguments)
    assert done.returncode == 2 and done.stdout == b""
    assert words in done.stderr.decode().splitlines()[0] and b"loading" not in done.stderr


def test_help__names_every_workload_and_option(tool):
    shown = tool.run("help", "bench").stdout.decode()
    for workload in WORKLOADS:
        assert re.search(rf"^  {workload} +\S", shown, re.M), workload
    for option in ("clients", "threads", "in-flight", "batch", "keys", "key-size", "value-size", "distribution", "shared",
                   "duration", "requests", "rate"):
        assert re.search(rf"^  --{option} ", shown, re.M), option
