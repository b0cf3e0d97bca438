# SPDX-License-Identifier: MPL-2.0
"""Options of kvzmq-cli: they may stand anywhere, and work the same in one-shot use, in a pipe and at the prompt. And the
messages about wrong words."""

import json
import os
import re

import pytest

from broker import Broker
from tool import Tool
from waiting import TIMEOUT, readable


def quoted(words):
    return " ".join("'" + word.replace("'", "\\'") + "'" for word in words)


class OneShot:
    def __init__(self, tool, name):
        self.run = lambda *words: tool.run("-n", name, *words)

    def lines(self, *words):
        done = self.run(*words)
        return done.stdout.decode().splitlines(), done.stderr.decode().splitlines()

    def close(self):
        pass


class Piped:
    """One process that gets a line at a time, followed by a ping: all output before the ping's answer belongs to that line."""

    def __init__(self, tool, name):
        self.process = tool.start("-n", name)
        self.given = 0  # lines

    def lines(self, *words):
        self.process.stdin.write(quoted(words).encode() + b"\nping\n")
        self.process.stdin.flush()
        shown = told = b""
        while not shown.endswith(b"pong\n"):
            assert readable(self.process.stdout, TIMEOUT), "no answer to a ping"
            piece = os.read(self.process.stdout.fileno(), 65536)
            assert piece, "the tool has ended"
            shown += piece
        while readable(self.process.stderr):
            told += os.read(self.process.stderr.fileno(), 65536)
        prefix = f"line {self.given + 1}: "
        self.given += 2
        return (shown.decode().splitlines()[:-1],
                [line.removeprefix(prefix) for line in told.decode().splitlines()])

    def close(self):
        with self.process:
            assert self.process.communicate(timeout=TIMEOUT) == (b"", b"")
        assert self.process.returncode in (0, 1, 2)


class Typed:
    """At a terminal both outputs are one, and a wrong command shows the line "Illegal command" first."""

    def __init__(self, tool, name):
        self.terminal = tool.terminal("-n", name)
        self.terminal.prompt()

    def lines(self, *words):
        shown = self.terminal.type(quoted(words))
        if shown[:1] == ["Illegal command"]:
            return [], ["Illegal command: " + shown[1], *shown[2:]]
        return shown, []

    def close(self):
        self.terminal.close()


@pytest.fixture(params=[OneShot, Piped, Typed])
def way(request, tool, name):
    """A way to give the tool a command. `lines` returns the lines of standard output and of standard error."""
    made = request.param(tool, name)
    yield made
    made.close()


# -- where options stand


def test_option__of_a_command__may_stand_anywhere(way):
    for words in (["put", "temp", "5", "--ttl", "1h30m"], ["put", "--ttl", "1h30m", "temp", "5"], ["put", "temp", "--ttl=1h30m", "5"],
                  ["put", "--ttl=90m", "--", "temp", "5"], ["--ttl", "5400", "put", "temp", "5"]):
        assert way.lines("put", "temp", "0") == (["Successfully set temp as 0"], [])
        assert way.lines(*words) == (["Successfully set temp as 5"], [])
        (entry,), _ = way.lines("entry", "temp", "-o", "json")
        assert 5300000 < json.loads(entry)["ttl_ms"] <= 5400000


def test_option__of_the_run__may_stand_anywhere_in_every_form(way):
    words = ["get", "absent"]
    for options in ["-o", "json"], ["-ojson"], ["-o=json"], ["--output", "json"], ["--output=json"]:
        for place in range(3):
            assert way.lines(*words[:place], *options, *words[place:]) == (["null"], [])


def test_option__format_of_one_line__is_of_that_line_alone(tool, name):
    done = tool.run("-n", name, typed=b"put k v\nget k -o json\nget k\nget k -o raw\nget k -o json\n")
    assert done.stdout == b'Successfully set k as v\n"v"\nv\nv"v"\n'
    done = tool.run("-n", name, typed=b"put k text --bin\nget k -o json\nput k text\nget k -o json\n")
    assert json.loads(done.stdout.splitlines()[1]) == {"base64": "dGV4dA=="} and done.stdout.endswith(b'\n"text"\n')


def test_option__letters_together__are_several(tool, name):
    assert tool.run("-n", name, "put", "k", "-xo", "raw", typed=b"v").returncode == 0
    assert tool.run("-on", "-n", name, "get", "k").returncode == 2
    assert tool.run(f"-n{name}", "get", "k").stdout == b"v\n"


def test_argument__that_is_a_number_or_no_option__is_a_value(way):
    for value in ("-5", "-0.25", "-.5", "-1e-9", "-2E+3", "-", "5-", ""):
        assert way.lines("put", "temp", value) == ([f"Successfully set temp as {value}"], [])


def test_two_dashes__end_the_options(way):
    for value in ("--help", "-h", "--", "-x", "--ttl=5", "-5x", "--no-such", "-o"):
        assert way.lines("put", "--", "k", value) == ([f"Successfully set k as {value}"], [])
        assert way.lines("put", "k", "--", value) == ([f"Successfully set k as {value}"], [])
        assert way.lines("get", "--", "k") == ([value], [])
        assert way.lines("put", "--", value, "v") == ([f"Successfully set {value} as v"], [])


WRONG_OPTIONS = [
    (["put", "city", "--no-such"], "put: there is no option --no-such; write -- before arguments that begin with -"),
    (["put", "city", "-z"], "put: there is no option -z; write -- before arguments that begin with -"),
    (["put", "city", "--tll", "5"], "put: there is no option --tll; did you mean --ttl?"),
    (["put", "city", "v", "-ttl", "5"], "put: there is no option -ttl; did you mean --ttl?"),
    (["put", "city", "-5x"], "put: there is no option -5x; write -- before arguments that begin with -"),
    (["put", "city", "-1e"], "put: there is no option -1e; write -- before arguments that begin with -"),
    (["put", "city", "v", "--ttl"], "put: --ttl needs its argument, TIME"),
    (["put", "city", "v", "--ttl", "--if-absent"], "put: --ttl needs its argument, TIME"),
    (["put", "city", "v", "--ttl=--if-absent"],
     'put: --ttl takes a time above 0, such as 2.5 (seconds), 500ms, 5m or 1h30m, not "--if-absent"'),
    (["put", "city", "v", "--ttl", "-5"], 'put: --ttl takes a time above 0, such as 2.5 (seconds), 500ms, 5m or 1h30m, not "-5"'),
    (["put", "city", "v", "--if-absent=yes"], "put: --if-absent takes no argument"),
    (["put", "city", "v", "--ttl", "5", "--ttl", "6"], "put: --ttl is given twice"),
    (["get", "city", "--ttl", "5"], "get: there is no option --ttl"),
    (["get", "city", "-o", "xml"], 'get: --output takes text, json or raw, not "xml"'),
    (["list", "--limit=-1"], 'list: --limit takes a whole number, not "-1"'),
]


def test_option__that_is_wrong__changes_nothing_and_is_named(way):
    for words, problem in WRONG_OPTIONS:
        shown, told = way.lines(*words)
        assert (shown, told[0]) == ([], f"Illegal command: {problem}")
        assert told[1].startswith(f"usage: {words[0]}")
    assert way.lines("list", "-o", "json") == (["[]"], [])


@pytest.mark.parametrize("option", [["-s", "tcp://127.0.0.1:1"], ["-n", "other"], ["-u", "adam"], ["-x"], ["-t", "5"],
                                    ["--secret-file", "f"], ["--password-file=f"], ["-V"]])
def test_option__that_makes_the_connection__is_not_for_one_line(tool, option):
    done = tool.run(typed=" ".join(["get", "k", *option]).encode())
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"must be given when kvzmq-cli starts" in done.stderr


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_option__behind_every_command__shows_its_help_and_does_nothing(tool, option):
    commands = [row["command"] for row in json.loads(tool.run("-o", "json", "help").stdout)]
    assert len(commands) > 15
    typed = "".join(f"{command} {option}\n" for command in commands).encode()
    alone = [tool.run(command, option, KVZMQ_SERVER="tcp://127.0.0.1:1") for command in commands[:3]]
    shown = tool.run(typed=typed).stdout
    helped = tool.run(typed="".join(f"help {command}\n" for command in commands).encode()).stdout
    assert shown == helped and shown.startswith(b"".join(done.stdout for done in alone))
    assert tool.run("put", "city", option).stdout == tool.run("help", "put").stdout
    assert tool.run("manage", "lamp", "put", option).stdout == tool.run("help", "put").stdout


def test_help_option__of_the_run__needs_no_broker_and_no_password(tool):
    assert tool.run("-u", "adam", "-h", KVZMQ_SERVER="tcp://127.0.0.1:1").stdout == tool.run("--help").stdout
    assert tool.run("-u", "adam", "help", KVZMQ_SERVER="tcp://127.0.0.1:1").returncode == 0


def test_secret_file__of_the_name_and_of_a_new_store__are_told_apart_by_their_places(tool, tmp_path, name):
    own, new = tmp_path / "own", tmp_path / "new"
    own.write_text("o" * 16)
    new.write_text("n" * 16)
    done = tool.as_manager("-n", f"{name}-boss", "--secret-file", str(own), "manage", name, "put", "k", "v", "--create",
                           "--secret-file", str(new))
    assert done.stdout == b"Successfully set k as v\n"
    assert tool.run("-n", name, "get", "k", "--secret-file", str(new)).stdout == b"v\n"
    assert tool.run("put", "k", "v", "-n", f"{name}-boss", "--secret-file", str(own)).returncode == 0
    assert tool.run("-n", name, "--secret-file", str(own), "get", "k").returncode == 5


def test_auth__password_that_begins_with_a_dash__needs_two_dashes_and_is_not_shown(tmp_path):
    with Broker(accounts={"adam": "-s3cret"}) as broker:
        tool = Tool(broker.request_endpoint, tmp_path)
        assert tool.run("auth", "adam", "--", "-s3cret").returncode == 0
        for words in (["auth", "adam", "-q3cret"], ["auth", "adam", "--s3cret=x"]):
            done = tool.run(*words)
            assert done.returncode == 2 and b"write --" in done.stderr and b"3cret" not in done.stderr + done.stdout


# -- the meaning of a word


@pytest.mark.parametrize("option", ["-u", "-n", "-s", "--secret-file", "--password-file", "--user", "--name", "--server", "-o"])
def test_option__empty_because_a_variable_is_not_set__is_refused(tool, option):
    for words in ([option, "", "put", "k", "v"], ["put", "k", "v", option, ""]):
        done = tool.run(*words)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"has an empty" in done.stderr, done
    if option.startswith("--"):
        assert tool.run(f"{option}=", "put", "k", "v").returncode == 2


def test_option__value_that_looks_like_one__is_a_value_that_is_missing(tool):
    done = tool.run("-n", "-u", "adam", "get", "k")
    assert done.returncode == 2 and b"--name needs its argument, NAME" in done.stderr
    assert tool.run("--name=-x", "hello", "-o", "json").returncode == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_server__host_and_port_alone__are_tcp(tool, broker, host):
    bare = f"{host}:{broker.request_endpoint.rsplit(':', 1)[1]}"
    environment = {"KVZMQ_SERVER": "tcp://127.0.0.1:1"}
    assert tool.run("-s", bare, "ping", **environment).stdout == b"pong\n"
    assert tool.run("ping", KVZMQ_SERVER=bare).stdout == b"pong\n"
    with tool.terminal("-s", bare) as running:
        assert re.match(rf"Connected to tcp://{re.escape(bare)} as client", running.prompt()[0])


@pytest.mark.parametrize("endpoint", ["nowhere", "/run/kvbroker", "http://127.0.0.1:80"])
def test_server__that_is_no_endpoint__says_what_one_is(tool, endpoint):
    done = tool.run("-s", endpoint, "ping")
    assert done.returncode == 2 and b"-s takes tcp://HOST:PORT, HOST:PORT or ipc://PATH" in done.stderr


@pytest.mark.parametrize("typed, meant", [
    ("gte", "get"), ("GET", "get"), ("gett", "get"), ("puts", "put"), ("delte", "del"), ("lsit", "list"), ("maange", "manage"),
    ("set", "put"), ("rm", "del"), ("keys", "list"), ("login", "auth"), ("subscribe", "watch"), ("clientss", "clients")])
def test_unknown_command__that_is_nearly_one_or_another_tools__is_suggested(tool, typed, meant):
    done = tool.run(typed, "city")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"Illegal command: {typed}: did you mean {meant}?\n"


def test_unknown_command__in_a_substitution__does_not_fill_the_variable(tool):
    assert tool.run("gte", "city").stdout == tool.run(typed=b"gte city\nget\n").stdout == b""


def test_unknown_command__typed__keeps_the_exact_text_and_then_suggests(tool):
    with tool.terminal() as running:
        running.prompt()
        assert running.type("gte city") == ["Illegal command", "gte: did you mean get?"]
        assert running.type("bad command") == ["Illegal command"]
        assert running.type("gte city -o json")[0].startswith('Illegal command: gte: did you mean get?')
        assert running.type("help gte") == ["Illegal command", "gte: did you mean get?"]


BLANKS = [
    (["put", "city", "New", "York"], 'York; quote a VALUE with blanks: "New York"'),
    (["put", "city", "San", "Juan", "--ttl", "5", "Capistrano"], 'Juan; quote a VALUE with blanks: "San Juan Capistrano"'),
    (["get", "my", "key"], 'key; quote a KEY with blanks: "my key"'),
    (["list", "my", "key"], 'key; quote a PREFIX with blanks: "my key"'),
    (["role", "a", "guest", "b"], "b")]


def test_too_many_arguments__where_text_may_have_blanks__says_to_quote_it(way):
    for words, hint in BLANKS:
        shown, told = way.lines(*words)
        assert (shown, told[0]) == ([], f"Illegal command: {words[0]}: one argument too many: {hint}")


def test_too_many_arguments__long_ones__are_not_repeated_whole(tool):
    told = tool.run("put", "k", "x" * 100, "y" * 100).stderr.decode().splitlines()[0]
    assert told == f"Illegal command: put: one argument too many: {'y' * 100}; quote a VALUE with blanks"
    told = tool.run("put", "k", "x", "y" * 5000).stderr.decode().splitlines()[0]
    assert len(told) < 300 and told.endswith("...; quote a VALUE with blanks")


# -- lines


def test_comments__are_passed_over_at_the_prompt_and_in_pipes(tool):
    assert tool.run(typed=b"# put a b\n  # put a c\n\t#\n#\nget '#'\n").stdout == b"<blank>\n"
    with tool.terminal() as running:
        running.prompt()
        assert running.type("# put a b") == []
        assert running.type("  # gte") == []
        assert running.type("put colour #fff") == ["Successfully set colour as #fff"]


def test_escapes__of_json__are_taken_and_others_refused(tool, broker, name):
    typed = rb'''put esc "\u001b]0"
put pair "\ud83d\ude00\u00e9"
put all "\"\\\/\b\f\n\r\t\x00\xff\a"
put bad "\q"
put lone "\ud83d"
put short "\x4"
put plain C:\temp
'''
    done = tool.run("-n", name, typed=typed)
    assert done.returncode == 2 and done.stdout.count(b"Successfully") == 4
    problems = [line.split(": ", 3) for line in done.stderr.decode().splitlines()]
    assert [problem[:3] for problem in problems] == [["line 4", "Illegal command", "byte 10"], ["line 5", "Illegal command", "byte 11"],
                                                     ["line 6", "Illegal command", "byte 12"]]
    assert r"\uXXXX" in problems[0][3]
    with broker.client(f"{name}/wire") as client:
        stored = {key: value for key, value, *_ in client.call("list")["entries"]}
    assert stored == {"esc": "\x1b]0", "pair": "😀é", "all": b'"\\/\b\f\n\r\t\0\xff\a', "plain": r"C:\temp"}


def test_x__one_argument_too_many__says_that_standard_input_is_the_last(tool):
    done = tool.run("-x", "put", "k", "v", typed=b"w")
    assert done.returncode == 2 and b"-x takes the last from standard input" in done.stderr


def test_x__wrong_usage__is_told_before_standard_input_is_read(tool):
    with tool.start("-x", "put") as process:  # its standard input stays open
        assert process.wait(TIMEOUT) == 2
