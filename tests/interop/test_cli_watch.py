# SPDX-License-Identifier: MPL-2.0
"""kvzmq-cli watch and verify: lines about changes, in the foreground, in the background while a user types, and across a
restart of the broker."""

import contextlib
import datetime
import json
import re
import signal
import threading

import pytest

from background import Background
from broker import Broker
from client import unique
from liar import Forger
from running import Running
from screen import Screen
from tool import Tool
from waiting import TIMEOUT

ACCOUNT = {"KVZMQ_PASSWORD": "eve"}
MANAGER = ("-u", "adam")


class Watch(Running):
    """kvzmq-cli watch in its own process. `lines` is what it has shown so far."""

    def __init__(self, tool, *arguments, options=MANAGER, **environment):
        super().__init__(tool.start(*options, "watch", *arguments, **ACCOUNT, **environment))


@pytest.fixture
def client(broker):
    """A client with a name that no other test uses."""
    name = unique("store")
    with broker.client(name + "/wire") as made:
        made.name = name
        made.call("ping")
        yield made


# -- lines


def test_watch__text__is_a_line_an_event_with_time_seq_client_kind_key_change_and_by_whom(tool, broker, client):
    with Watch(tool, client.name) as watch, broker.manager() as manager:
        watch.wait("ready")
        client.call("put", "city", "Kolkata", {"ttl_ms": 3600000})
        adam = manager.whoami()
        revision = manager.call("manage", client.name, "put", "city", "Mumbai")
        line = watch.wait("Mumbai")
        assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}}  {revision}  {client.name}  put  city  "
                            rf"Kolkata -> Mumbai  by {adam} \(adam\)", line)
        assert watch.wait("put  city  .* -> Kolkata").endswith(f"Kolkata for 3600.000 s  by {client.name}")


def test_watch__json__each_line_parses_and_has_the_protocols_names(tool, client):
    with Watch(tool, client.name, options=(*MANAGER, "-o", "json")) as watch:
        watch.wait('"ready"')
        client.call("put", "a", "1")
        client.call("put", "a", b"\xff")
        revision = client.call("del", "a")
        last = json.loads(watch.wait('"del"'))
        events = [json.loads(line) for line in watch.lines]
    assert [event["kind"] for event in events] == ["ready", "put", "put", "del"]
    assert events[1]["value"] == "1" and events[1]["size"] == 1 and events[1]["revision"] == events[1]["seq"]
    assert events[2]["old"] == "1" and events[2]["old_known"] and events[2]["value"] == {"base64": "/w=="}
    assert last["old"] == {"base64": "/w=="} and last["value"] is None and last["seq"] == revision
    assert last["client"] == last["by"] == client.name and last["user"] is None and last["time_ms"] > 1e12
    assert last["epoch"] == client.call("hello")["epoch"]


def test_watch__raw__has_14_cells_with_tabs_between(tool, client):
    with Watch(tool, client.name, options=(*MANAGER, "-o", "raw")) as watch:
        watch.wait("ready")
        client.call("put", "a\tb", "1\n2")
        assert watch.wait("put").split("\t")[3:9] == [client.name, "put", "a\\tb", "-", "no", "1\\n2"]
        assert all(line.count("\t") == 13 for line in watch.lines)


def test_watch__control_characters_and_long_values__stay_on_one_line_that_is_not_long(tool, client):
    with Watch(tool, client.name) as watch:
        watch.wait("ready")
        client.call("put", "a", "x\n\x1b[31my" + "z" * 10000)
        line = watch.wait("put  a")
        assert "x\\n\\x1b[31my" in line and len(line) < 500 and "..." in line


def test_watch__time__is_that_of_the_change_to_the_millisecond_in_local_time(tool, client):
    revision = client.call("put", "a", "1")
    options = ("watch", client.name, "--since", str(revision - 1), "--count", "1")
    event = json.loads(tool.as_manager("-o", "json", *options).stdout.splitlines()[-1])
    line = tool.as_manager(*options, TZ="Asia/Kolkata").stdout.decode().splitlines()[-1]
    shown = datetime.datetime.strptime(line.split("  ")[0] + "000 +0530", "%Y-%m-%d %H:%M:%S.%f %z")
    assert round(shown.timestamp() * 1000) == event["time_ms"]


def test_watch__large_value__is_told_by_its_size(tool, client):
    with Watch(tool, client.name, "--count", "2") as watch:
        watch.wait("ready")
        client.call("put", "a", "z" * 100000)
        client.call("put", "a", "small")
        assert watch.ended() == 0
        assert "-> <100000 bytes>" in watch.lines[-2] and "<100000 bytes> -> small" in watch.lines[-1]


def test_watch__binary_value__is_escaped_where_short_and_told_by_its_size_where_long(tool, client):
    with Watch(tool, client.name, "--count", "2") as watch:
        watch.wait("ready")
        client.call("put", "a", b"\xff" * 64)
        client.call("put", "a", b"\xff" * 65)
        assert watch.ended() == 0
        assert '-> "' + r"\xff" * 64 + '"  by' in watch.lines[-2]
        assert r"\xff" * 64 + '" -> <65 bytes>  by' in watch.lines[-1]


@pytest.mark.parametrize("value, shown", [
    ("plain", "plain"), ("größe", "größe"), ("a->b", "a->b"), ("-5", "-5"), ("漢字", "漢字"),
    ("a b", '"a b"'), ("1 -> 2  by root (adam)", '"1 -> 2  by root (adam)"'), ("<blank>", '"<blank>"'), ("?", '"?"'), ("->", '"->"'),
    ("<5 bytes>", '"<5 bytes>"'), ('say "x"', r'"say \"x\""'), ('""', r'"\"\""'), ("it's", '"it\'s"'), ("C:\\x", r'"C:\\x"'),
    ("x\ny\x1b[2J", r'"x\ny\x1b[2J"'), ("a\u00a0b", '"a\u00a0b"'), ("a\u2003b", '"a\u2003b"'), ("a\u202eb", r'"a\xe2\x80\xaeb"'),
    ("y" * 300, '"' + "y" * 256 + '"...'), ("y" * 253 + "...", "y" * 253 + "..."), (b"a\xff", r'"a\xff"'), (b"\\xff", r'"\\xff"'),
])
def test_watch__value__cannot_be_taken_for_another_part_of_its_line(tool, client, value, shown):
    before = client.call("put", value if isinstance(value, str) and len(value) < 200 else "key", value)
    done = tool.as_manager("watch", client.name, "--since", str(before - 1), "--count", "1")
    line = done.stdout.decode().splitlines()[-1]
    key = shown if isinstance(value, str) and len(value) < 200 else "key"
    assert line.endswith(f"  put  {key}  ? -> {shown}  by {client.name}"), line


# -- old values


def test_watch__old_value__is_unknown_until_it_was_seen(tool, client):
    client.call("put", "a", "1")
    with Watch(tool, client.name, "--count", "3") as watch:
        watch.wait("ready")
        client.call("put", "a", "2")
        client.call("del", "a")
        client.call("put", "a", "3")
        assert watch.ended() == 0
        assert [re.search(r"a  (\S+ -> \S+)", line).group(1) for line in watch.lines[-3:]] == [
            "? -> 2", "2 -> <blank>", "<blank> -> 3"]


def test_watch__initial__shows_the_state_and_knows_every_old_value(tool, client):
    client.call("put", "a", "1")
    client.call("put", "b", "2")
    with Watch(tool, client.name, "--initial", "--count", "2") as watch:
        watch.wait("ready")
        assert [line.split("  ")[3:] for line in watch.lines[:2]] == [["entry", "a", "1"], ["entry", "b", "2"]]
        client.call("put", "a", "3")
        client.call("put", "c", "4")
        assert watch.ended() == 0
        assert "1 -> 3" in watch.lines[-2] and "<blank> -> 4" in watch.lines[-1]


# -- which events


def test_watch__prefix__tells_keys_that_begin_with_it(tool, client):
    with Watch(tool, client.name, "--prefix", "config/") as watch:
        watch.wait("ready")
        for key in ("state/a", "config/a", "confi", "config/b"):
            client.call("put", key, "1")
        watch.wait("config/b")
        assert [line.split("  ")[4] for line in watch.lines[1:]] == ["config/a", "config/b"]


def test_watch__without_client__tells_of_all_stores_and_of_who_comes_and_goes(tool, broker, client):
    with Watch(tool) as watch:
        watch.wait("ready")
        with broker.client() as guest:
            number = guest.whoami()
            guest.call("put", "a", "1")
            guest.call("bye")
        client.call("put", "a", "1")
        assert "<blank> -> 1" in watch.wait(f"  {number}  put  a  ")  # the watch saw the store begin, so it knows the old value
        watch.wait(f"  {number}  connect")
        assert "bye" in watch.wait(f"  {number}  disconnect")
        watch.wait(f"  {number}  drop  by the broker")
        watch.wait(f"  {client.name}  put  a  ")


def test_watch__since__tells_what_came_after_that_number(tool, client):
    first = client.call("put", "a", "1")
    client.call("put", "a", "2")
    epoch = client.call("hello")["epoch"]
    for since in (str(first), f"{first}@{epoch}"):
        done = tool.as_manager("-o", "json", "watch", client.name, "--since", since, "--count", "1")
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert [(event["kind"], event["value"]) for event in events] == [("ready", None), ("put", "2")]
        assert events[0]["seq"] == first


def test_watch__since_a_number_that_is_not_kept__says_reset_and_goes_on(tmp_path):
    with Broker(options={"events/keep": 5}) as small, small.client("lamp/wire") as lamp:
        for number in range(20):
            lamp.call("put", "a", str(number))
        with Watch(Tool(small.request_endpoint, tmp_path), "lamp", "--since", "1", "--count", "1") as watch:
            assert "the broker no longer keeps them" in watch.wait("  reset  ")
            watch.wait("  ready  ")
            lamp.call("put", "a", "new")
            watch.wait("new")
            assert watch.ended() == 0


def test_watch__since_0_when_the_first_are_not_kept__begins_at_the_oldest_and_says_which(tmp_path):
    with Broker(options={"events/keep": 20}) as small, small.client("lamp/wire") as lamp:
        revisions = [lamp.call("put", "a", str(number)) for number in range(40)]
        done = Tool(small.request_endpoint, tmp_path).as_manager("watch", "lamp", "--since", "0", "--count", "0")
        assert done.returncode == 0, done
        lines = done.stdout.decode().splitlines()
        assert "  ready  " in lines[0] and all("  put  " in line for line in lines[1:]) and "-> 39" in lines[-1], lines
        oldest = int(re.fullmatch(r"watch: begins with change (\d+): the broker does not keep older ones\n",
                                  done.stderr.decode()).group(1))
        told = [int(line.split("  ")[1]) for line in lines[1:]]
        assert told == [revision for revision in revisions if revision >= oldest] and len(told) >= 10


@contextlib.contextmanager
def writing(broker):
    """Writes to lamp's store without pause, so that a log of 16 changes is replaced within milliseconds."""
    stop = threading.Event()

    def write():
        with broker.client("lamp/writer") as lamp:
            while not stop.is_set():
                lamp.call("put", "a", "1")

    writer = Background(write)
    try:
        yield
    finally:
        stop.set()
        writer.finish()


@pytest.mark.parametrize("arguments", [(), ("lamp",)])
def test_watch__since_0_while_others_write_and_the_log_is_short__begins_at_the_oldest_and_says_which(tmp_path, arguments):
    with Broker(options={"events/keep": 16}) as small, small.client("lamp/wire") as lamp:
        lamp.batch(*[("put", "a", str(number)) for number in range(40)])
        tool = Tool(small.request_endpoint, tmp_path)
        with writing(small):
            for _ in range(5):
                done = tool.as_manager("-o", "json", "watch", *arguments, "--since", "0", "--count", "1")
                assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, done
                ready, first = [json.loads(line) for line in done.stdout.splitlines()]
                assert ready["kind"] == "ready" and first["seq"] > ready["seq"] >= 24, done
                assert arguments or first["seq"] == ready["seq"] + 1, done
                assert done.stderr.decode() == f"watch: begins with change {ready['seq'] + 1}: the broker does not keep older ones\n"


def test_watch_own__since_0_when_the_first_are_not_kept__begins_at_the_oldest_and_says_which(tmp_path):
    with Broker(options={"events/keep": 16}) as small, small.client("lamp/wire") as lamp:
        newest = [lamp.call("put", "a", str(number)) for number in range(40)][-1]
        done = Tool(small.request_endpoint, tmp_path).run("-n", "lamp", "-o", "json", "watch", "--own", "--since", "0", "--count", "0")
        assert done.returncode == 0, done
        ready, *changes = [json.loads(line) for line in done.stdout.splitlines()]
        assert (ready["kind"], ready["seq"]) == ("ready", newest - 16), done
        assert [change["seq"] for change in changes] == list(range(newest - 15, newest + 1)), done
        assert done.stderr.decode() == f"watch: begins with change {newest - 15}: older ones are not kept, or are of another store\n"


def test_watch_own__since_0_of_a_client_by_number__begins_with_its_store(tool):
    done = tool.run("-o", "json", typed=b"put a 1\nput a 2\nwatch --own --since 0 --count 2\n")
    assert done.returncode == 0, done
    changes = [json.loads(line) for line in done.stdout.splitlines()[-2:]]
    assert [(change["kind"], change["value"]) for change in changes] == [("put", "1"), ("put", "2")], done


def test_watch__since_a_position_while_others_write_and_the_log_is_short__says_reset(tmp_path):
    with Broker(options={"events/keep": 16}) as small, small.client("lamp/wire") as lamp:
        lamp.batch(*[("put", "a", str(number)) for number in range(40)])
        epoch = lamp.call("hello")["epoch"]
        with writing(small):
            done = Tool(small.request_endpoint, tmp_path).as_manager("watch", "--since", f"0@{epoch}", "--count", "0")
        lines = done.stdout.decode().splitlines()
        assert done.returncode == 0 and "  reset  " in lines[0] and "no longer keeps them" in lines[0], done
        assert "  ready  " in lines[1] and done.stderr == b"", done


@pytest.mark.parametrize("options, arguments", [(MANAGER, ()), (None, ("--own",))])
def test_watch__since_with_count_0__tells_what_there_is_and_ends(tool, client, options, arguments):
    before = client.call("put", "a", "1") - 1
    client.batch(*[("put", "a", str(number)) for number in range(2, 2500)])
    options, arguments = (options, (client.name,)) if options else (("-n", client.name), arguments)
    done = tool.run(*options, "watch", *arguments, "--since", str(before), "--count", "0", **ACCOUNT)
    assert done.returncode == 0 and done.stderr == b"", done
    lines = done.stdout.decode().splitlines()
    assert [line.split("  ")[3] for line in lines] == ["ready"] + ["put"] * 2499, lines[-1]
    assert "-> 2499" in lines[-1]


def test_watch__since_now_with_count_0_or_nothing_wanted__ends_at_once(tool, client):
    now = client.call("put", "a", "1")
    for arguments in ((client.name, "--since", str(now)), (client.name, "--since", "0", "--prefix", "nothing")):
        done = tool.as_manager("watch", *arguments, "--count", "0")
        assert done.returncode == 0 and done.stdout.decode().count("\n") == 1 and "  ready  " in done.stdout.decode(), done


def test_watch_own__count_0__says_that_it_is_ready_and_from_where(tool, client):
    now = client.call("put", "a", "1")
    done = tool.run("-n", client.name, "watch", "--own", "--count", "0")
    assert done.returncode == 0 and re.search(r"  \d+  -  ready  later events follow; epoch \S+\n$", done.stdout.decode()), done
    assert int(done.stdout.decode().split("  ")[1]) >= now


def test_watch__name_that_nobody_has__says_so_and_waits(tool, broker, client):
    with Watch(tool, client.name + "-new", "--count", "1") as watch:
        watch.wait("  ready  ")
        with broker.client(client.name + "-new/wire") as new:
            new.call("put", "a", "1")
        assert watch.ended() == 0
        assert watch.process.stderr.read().decode() == f"watch: there is no client {client.name}-new now; waiting for it\n"
    assert tool.as_manager("watch", client.name, "--count", "0").stderr == b""


def test_watch__stopped_until_the_log_is_overrun__says_reset_and_goes_on(tmp_path):
    with Broker(options={"events/keep": 5}) as small, small.client("lamp/wire") as lamp:
        with Watch(Tool(small.request_endpoint, tmp_path), "lamp") as watch:
            watch.wait("  ready  ")
            watch.process.send_signal(signal.SIGSTOP)
            for _ in range(40):  # far more than ZeroMQ and the kernel buffer for a reader that is stopped
                lamp.batch(*[("put", "a", "v" * 1000)] * 1000)
            watch.process.send_signal(signal.SIGCONT)
            watch.wait("  reset  some changes are missing")
            lamp.call("put", "a", "new")
            watch.wait("-> new")


@pytest.mark.parametrize("since, reason", [("1@former", "the broker was restarted"),
                                           ("1000000", "the broker has not reached that number yet")])
def test_watch__since_a_number_of_a_former_broker__says_reset_and_why(tool, client, since, reason):
    done = tool.as_manager("watch", client.name, "--since", since, "--count", "0")
    assert done.returncode == 0, done.stderr
    reset, ready = done.stdout.decode().splitlines()[:2]
    assert re.search(rf"  reset  {reason}.*: forget what was shown before$", reset) and "  ready  " in ready
    done = tool.as_manager("-o", "json", "watch", client.name, "--since", since, "--count", "0")
    assert json.loads(done.stdout.splitlines()[0])["value"].startswith(reason)


def test_watch_own__since_a_number_of_a_former_broker__says_reset_and_why(tool, client):
    done = tool.run("-n", client.name, "watch", "--own", "--since", "1@former", "--count", "0")
    assert done.returncode == 0, done
    reset, ready = done.stdout.decode().splitlines()
    assert reset.endswith("  reset  the broker was restarted: forget what was shown before") and "  ready  " in ready


def test_watch__empty_value__can_be_seen(tool, client):
    with Watch(tool, client.name, "--count", "2") as watch:
        watch.wait("ready")
        client.call("put", "a", "")
        client.call("put", "a", "1")
        assert watch.ended() == 0
        assert '? -> ""  by' in watch.lines[-2] and '"" -> 1  by' in watch.lines[-1]


def test_watch__count_0_with_initial__shows_the_state_and_ends(tool, client):
    client.call("put", "a", "1")
    done = tool.as_manager("watch", client.name, "--initial", "--count", "0")
    assert done.returncode == 0
    assert [line.split("  ")[3] for line in done.stdout.decode().splitlines()] == ["entry", "ready"]


# -- how it ends


def test_watch__ctrl_c__exit_130(tool, client):
    with Watch(tool, client.name) as watch:
        watch.wait("ready")
        watch.process.send_signal(signal.SIGINT)
        assert watch.ended() == 130
        assert watch.process.stderr.read() == b""


@pytest.mark.parametrize("command", ["watch", "verify"])
def test_watch__guest__exit_5_and_what_to_do(tool, command):
    alone, piped = tool.run(command), tool.run(typed=command.encode())
    for done, login in ((alone, b"-u USER"), (piped, b"auth USER")):
        assert done.returncode == 5 and done.stdout == b"", done
        assert re.match(rb"(line 1: )?PERMISSION_DENIED: .*" + login + rb".* --own", done.stderr), done


@pytest.mark.parametrize("command", ["watch", "verify typist"])
def test_watch__session_that_another_manager_promoted__says_that_a_watch_needs_an_account(tool, broker, command):
    with tool.terminal() as running, broker.manager() as manager:
        own = running.prompt()[0].split(" ")[-1]
        manager.call("role", own, "manager")
        manager.call("manage", "typist", "put", "a", "1", {"create": True})
        assert running.type(f"manage {own} list")  # its session is a manager's
        running.press(command + "\n")
        running.wait("PERMISSION_DENIED: watch and verify .* log in by themselves: auth USER first")
        running.wait("> $")
        assert running.leave() == 0


@pytest.mark.parametrize("options, arguments", [(MANAGER, ()), (("-n", "leaving"), ("--own",))])
def test_watch__ctrl_c__managers_see_a_goodbye_and_no_loss(tmp_path, options, arguments):
    with Broker() as alone:
        tool = Tool(alone.request_endpoint, tmp_path)
        with Watch(tool) as seen, Watch(tool, *arguments, options=options) as watch:
            seen.wait("  ready  ")
            watch.wait("  ready  ")
            watch.process.send_signal(signal.SIGINT)
            assert watch.ended() == 130
            assert watch.process.stderr.read() == b""
            with alone.client("last/wire") as last:
                last.call("put", "a", "1")
                seen.wait("  last  put  ")
            causes = [line.split("  ")[4] for line in seen.lines if "  disconnect  " in line]
            assert causes and set(causes) == {"bye"}


def test_watch__into_a_pipe_that_nobody_reads_any_more__ends_before_the_next_change(tool, client):
    process = tool.start(*MANAGER, "watch", client.name, **ACCOUNT)
    try:
        assert b"  ready  " in process.stdout.readline()
        process.stdout.close()
        assert process.wait(TIMEOUT) == -signal.SIGPIPE
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stderr.close()


def test_watch__manager_that_is_no_longer_one__exit_5(tmp_path):
    with Broker() as alone, alone.manager() as manager:
        own = manager.whoami()
        with Watch(Tool(alone.request_endpoint, tmp_path)) as watch:
            watch.wait("  ready  ")
            watching = next(row["id"] for row in manager.call("clients")["clients"] if row["id"] != own)
            manager.call("role", watching, "guest")
            assert watch.ended() == 5
            assert watch.process.stderr.read().startswith(b"PERMISSION_DENIED: a manager made this watch's session a guest")


def test_watch__nobody_listens__exit_3(tmp_path):
    done = Tool("tcp://127.0.0.1:1", tmp_path).as_manager("watch")
    assert done.returncode == 3 and b"tcp://127.0.0.1:1" in done.stderr


@pytest.mark.parametrize("arguments", [("a", "b"), ("--since", "x"), ("--since", ""), ("--since", "1@"), ("--since", "1", "--initial"), ("a", "--own"),
                                       ("--own", "--initial"), ("--count",), ("--count", "x"), ("--nothing",)])
def test_watch__wrong_arguments__exit_2(tool, arguments):
    assert tool.as_manager("watch", *arguments).returncode == 2


def test_watch__account_that_is_wrong__exit_5(tool):
    assert tool.run(*MANAGER, "watch", KVZMQ_PASSWORD="wrong").returncode == 5


def test_watch__in_a_pipe__later_lines_have_the_same_session(tool, broker):
    done = tool.as_manager(typed=b"put k v\nwatch --count 0\nget k\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines()[-1] == "v"


def test_watch__broker_is_started_anew__says_lost_again_and_reset_and_goes_on(tmp_path):
    endpoints = {"requests": [f"ipc://{tmp_path}/r"], "events": [f"ipc://{tmp_path}/e"]}
    with Broker(**endpoints) as first, first.client("lamp/wire") as lamp:
        lamp.call("put", "a", "1")
        watch = Watch(Tool(first.request_endpoint, tmp_path), "--prefix", "a", "--initial")
        watch.wait("  ready  ")
    watch.wait("  lost  ")
    with watch, Broker(**endpoints) as second, second.client("lamp/wire") as lamp:
        lamp.call("put", "a", "2")
        line = watch.wait("-> 2  by lamp|entry  a  2")  # as an event, or in the state that is read
        kinds = [line.split("  ")[3] for line in watch.lines]
        assert kinds.index("lost") < kinds.index("again") < kinds.index("reset") < watch.lines.index(line)
        assert "the broker was restarted" in watch.wait("  reset  ")
        lamp.call("put", "a", "3")
        assert "2 -> 3" in watch.wait("-> 3")
        assert watch.process.poll() is None


# -- the client's own store


def test_watch_own__tells_what_others_change_and_not_what_the_same_session_does(tool, broker, client):
    with Watch(tool, "--own", "--count", "2", options=("-n", client.name)) as watch, broker.manager() as manager:
        assert client.name not in watch.wait("  ready  ")
        manager.call("manage", client.name, "put", "city", "Mumbai")
        client.call("put", "city", "Delhi")  # another session of the same client
        assert watch.ended() == 0
        assert re.search(r"put  city  .* -> Mumbai  by \d+ \(adam\)$", watch.lines[1])
        assert watch.lines[2].endswith(f"put  city  Mumbai -> Delhi  by {client.name}")


def test_watch_own__prefix_and_expiry(tool, broker, client):
    with Watch(tool, "--own", "--prefix", "config/", options=("-n", client.name, "-o", "json")) as watch:
        watch.wait("ready")
        client.call("put", "other", "1")
        client.call("put", "config/a", "1", {"ttl_ms": 50})
        event = json.loads(watch.wait('"expire"'))
        assert event["key"] == "config/a" and event["old"] == "1" and event["by"] is None
        assert not any("other" in line for line in watch.lines)
        watch.process.send_signal(signal.SIGINT)
        assert watch.ended() == 130


def test_watch_own__since__tells_what_was_missed(tool, client):
    first = client.call("put", "a", "1")
    client.call("put", "a", "2")
    done = tool.run("-n", client.name, "-o", "json", "watch", "--own", "--since", str(first), "--count", "1")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["value"] for line in done.stdout.splitlines()][-1] == "2"


def test_watch_own__broker_is_started_anew__says_reset_and_goes_on(tmp_path):
    endpoints = {"requests": [f"ipc://{tmp_path}/r"], "events": [f"ipc://{tmp_path}/e"]}
    with Broker(**endpoints) as first:
        watch = Watch(Tool(first.request_endpoint, tmp_path), "--own", options=("-n", "lamp"))
        watch.wait("  ready  ")
    watch.wait("  lost  ")
    with watch, Broker(**endpoints) as second, second.client("lamp/wire") as lamp:
        watch.wait("  reset  ")
        lamp.call("put", "a", "2")
        watch.wait("put  a  .*-> 2")


# -- in the background while a user types


@pytest.fixture
def screen(tool):
    with Screen(tool.command(["-n", "typist"]), tool.environment) as made:
        made.wait(lambda lines: lines[-1] == ">")
        yield made


def enter(screen, line):
    """Types a line on an empty screen, and waits for the prompt after it."""
    screen.key("C-l")
    screen.wait(lambda lines: not any(seen.startswith("> " + line[:40]) for seen in lines))
    screen.press(line)
    screen.key("Enter")
    return screen.wait(lambda lines: lines[-1] == ">" and any(seen.startswith("> " + line[:40]) for seen in lines))


def typed_part(lines):
    """Returns the prompt with the typed text. It must be shown once, at the end."""
    begins = [index for index, line in enumerate(lines) if line.startswith("> put long")]
    assert len(begins) == 1, lines
    return lines[begins[0]:]


@pytest.mark.parametrize("fill", ["even", "odd"])  # a wide character fits the screen's last columns, or does not
def test_background__line_that_is_typed__stays_whole_and_can_be_edited(screen, broker, client, fill):
    enter(screen, "auth adam eve")
    enter(screen, f"watch {client.name} --prefix a")
    screen.wait(lambda lines: any("  ready  " in line for line in lines))
    value = f"{fill} größe {'漢字' * 40} 0123456789"  # characters of one byte and more, of one column and two
    screen.press(f"put long '{value}X'")
    before = typed_part(screen.wait(lambda lines: lines[-1].endswith("X'")))
    assert len(before) > 1, "the typed line must need more than one row"
    for key in ("Left", "Home", "End"):
        screen.key(key)
        client.call("put", "a", key)
        lines = screen.wait(lambda lines: any(f"-> {key}" in line for line in lines) and lines[-1] == before[-1])
        assert typed_part(lines) == before
    screen.key("Left", "BSpace", "Enter")
    screen.wait(lambda lines: lines[-1] == ">" and any("Successfully" in line for line in lines))
    with broker.client("typist/wire") as typist:
        assert typist.call("get", "long") == value


def test_background__ends_at_watch_stop_and_not_before(screen, client):
    enter(screen, "auth adam eve")
    enter(screen, f"watch {client.name}")
    screen.wait(lambda lines: any("  ready  " in line for line in lines))
    assert any("already running" in line for line in enter(screen, "watch"))
    client.call("put", "a", "1")
    screen.wait(lambda lines: any("-> 1" in line for line in lines))
    screen.key("C-c")
    client.call("put", "a", "2")
    screen.wait(lambda lines: any("1 -> 2" in line for line in lines))
    assert "Stopped watching" in enter(screen, "watch stop")
    client.call("put", "a", "3")
    screen.press("get nothing")  # without clearing the screen: an unwanted line must stay visible
    screen.key("Enter")
    lines = screen.wait(lambda lines: lines[-2:] == ["<blank>", ">"])
    assert "Stopped watching" in lines and not any("2 -> 3" in line for line in lines)
    assert any("nothing is watched" in line for line in enter(screen, "watch stop"))


def test_background__own_store__is_told_while_nothing_is_typed(screen, broker):
    enter(screen, "watch --own")
    screen.wait(lambda lines: any("  ready  " in line for line in lines))
    with broker.manager() as manager:
        screen.press("get ci")
        manager.call("manage", "typist", "put", "city", "Mumbai")
        screen.wait(lambda lines: any("-> Mumbai" in line for line in lines) and lines[-1] == "> get ci")
        screen.press("ty")
        screen.key("Enter")
        lines = screen.wait(lambda lines: lines[-1] == ">" and "> get city" in lines)
        assert lines[-2] == "Mumbai"
        enter(screen, "watch stop")


def test_background__guest__is_refused_and_goes_on_typing(screen):
    screen.press("watch")
    screen.key("Enter")
    lines = screen.wait(lambda lines: any("PERMISSION_DENIED: " in line for line in lines) and lines[-1] == ">")
    assert "Stopped watching" in lines
    assert enter(screen, "get nothing")[-2] == "<blank>"


def test_background__count__ends_it(screen, client):
    enter(screen, "auth adam eve")
    enter(screen, f"watch {client.name} --count 1")
    screen.wait(lambda lines: any("  ready  " in line for line in lines))
    client.call("put", "a", "1")
    lines = screen.wait(lambda lines: "Stopped watching" in lines and lines[-1] == ">")
    assert any("-> 1" in line for line in lines)


def test_background__leaving__ends_with_0(tool):
    with tool.terminal() as running:
        running.prompt()
        running.type("auth adam eve")
        running.press("watch\n")
        running.wait("  ready  ")
        assert running.leave() == 0


# -- verify


def test_verify__one_store__is_equal(tool, client):
    for number in range(50):
        client.call("put", f"k{number}", "v")
    done = tool.as_manager("-o", "json", "verify", client.name)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["client"], row["result"]) for row in rows] == [(client.name, "equal")] and rows[0]["seq"] > 0


def test_verify__all_stores__are_equal(tool, broker, client):
    client.call("put", "a", b"\xff")
    with broker.client() as other:
        other.call("put", "a", "1")
        number = other.whoami()
        done = tool.as_manager("-o", "json", "verify")
    assert done.returncode == 0, done.stderr
    rows = {row["client"]: row["result"] for row in json.loads(done.stdout)}
    assert rows[client.name] == rows[number] == "equal" and set(rows.values()) == {"equal"}


def test_verify__client_that_is_none__says_so(tool):
    done = tool.as_manager("verify", "nosuch")
    assert done.returncode == 7 and done.stderr.startswith(b"NOT_FOUND: ")


def another_digest(result):
    return None, {**result, "digest": result["digest"] ^ 1}


def test_verify__digest_that_differs__says_different_and_exit_1(broker, tmp_path, client):
    client.call("put", "a", "1")
    with Forger(broker, "digest", another_digest) as liar:
        done = Tool(liar.endpoint, tmp_path).as_manager("verify", client.name)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert done.stdout.decode().splitlines()[1].split()[:2] == [client.name, "different"]
