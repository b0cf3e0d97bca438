# SPDX-License-Identifier: MPL-2.0
"""kvzmq-cli -o json when a command fails: every command, in every kind of error, prints one JSON object and nothing else.
The commands come from the tool's own help, so a new command is tested here without being named."""

import json
import re
import signal
import socket
from multiprocessing.pool import ThreadPool

import pytest

from broker import Broker
from client import unique
from front import Front
from terminal import status_of
from tool import Tool
from waiting import TIMEOUT, wait_until

LOCAL = {"help", "quit", "exit", "bye"}  # commands that send nothing; a one-shot `bye` has no session to end
SAMPLES = {"KEY": "k", "VALUE": "v", "CLIENT": "nobody", "ROLE": "guest", "USER": "adam", "WORKLOAD": "get"}
SECRET = "0123456789abcdef"


def words_of(row):
    """Returns the words of a command with its required arguments."""
    return [row["command"], *[SAMPLES[name] for name in re.sub(r"\[.*?\]", "", row["arguments"]).split()]]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def same_help(tool, one, other):
    """Whether ONE and OTHER have the same help."""
    shown = tool.run(typed=f"{one} --help\n{other} --help\n".encode()).stdout
    middle = len(shown) // 2
    return shown[:middle] == shown[middle:]


@pytest.fixture(scope="module")
def calls(home):
    """The words of every command, and once more behind `manage` those that it accepts."""
    tool = Tool("tcp://127.0.0.1:1", home)
    rows = json.loads(tool.run("-o", "json", "help").stdout)
    own = [words_of(row) for row in rows if row["arguments"] != "CLIENT COMMAND ..."]
    managed = [["manage", "nobody", *words] for words in own if same_help(tool, "manage nobody " + " ".join(words), " ".join(words))]
    assert len(own) > 15 and len(managed) > 4
    return own + managed


@pytest.fixture(scope="module")
def remote(calls):
    return [words for words in calls if words[0] not in LOCAL]


@pytest.fixture
def tool(broker, home):
    return Tool(broker.request_endpoint, home)


def check_error(done, status, *codes):
    """Checks the exit status, one JSON object with the error on standard output, and its message on standard error."""
    said = (done.args, done.stdout, done.stderr)
    assert done.returncode == status, said
    error = json.loads(done.stdout)
    assert set(error) == {"error"} and set(error["error"]) == {"code", "message"}, said
    code, message = error["error"]["code"], error["error"]["message"]
    assert code in codes and message and message.isprintable(), said
    assert done.stderr.decode().splitlines()[0].endswith(message), said


def check_silent(tool, arguments, status, **environment):
    """Checks that standard output is empty in the other formats. (Not for `auth`, which prints its failure there.)"""
    for form in ("text", "raw"):
        done = tool.run("-o", form, *arguments, **environment)
        assert (done.returncode, done.stdout) == (status, b""), done


def test_json_error__unknown_option__of_every_command(tool, calls):
    for words in calls:
        check_error(tool.run("-o", "json", *words, "--no-such"), 2, "USAGE")
        check_error(tool.run(*words, "--no-such", "-o", "json"), 2, "USAGE")
    check_silent(tool, [*calls[0], "--no-such"], 2)


def test_json_error__too_many_arguments__of_every_command(tool, calls):
    for words in calls:
        check_error(tool.run("-o", "json", *words, "a", "b", "c"), 2, "USAGE")


def test_json_error__too_few_arguments__of_every_command_that_takes_some(tool, calls):
    for words in calls:
        if words[-1] in SAMPLES.values():
            check_error(tool.run("-o", "json", *words[:-1]), 2, "USAGE")


@pytest.mark.parametrize("arguments", [
    ["no", "such"], ["manage", "nobody", "no"], ["--no-such"], ["-n"], ["-n", "", "ping"], ["-t", "x", "ping"], ["-x"],
    ["--ttl", "5"], ["-n", "9", "ping"], ["-s", "nowhere", "ping"], ["-n", "a", "--secret-file", "/nonexistent", "ping"],
    ["--secret-file", "/dev/null", "ping"], ["--password-file", "/", "auth", "adam"], ["get", ""], ["get", b"\xff"],
    ["put", "k", "v", "--if-absent", "--if-revision", "1"], ["watch", "--own", "nobody"], ["help", "no"], ["get"] * 70])
def test_json_error__wrong_usage(tool, arguments):
    check_error(tool.run("-o", "json", *arguments), 2, "USAGE", "INVALID_ARGUMENT")


def test_json_error__nobody_listens__of_every_command(home, remote):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        tool = Tool(f"tcp://127.0.0.1:{reserved.getsockname()[1]}", home)
        for words in remote:
            check_error(tool.run("-o", "json", *words, KVZMQ_PASSWORD="eve"), 3, "UNREACHABLE")
        check_silent(tool, remote[0], 3)


@pytest.fixture
def silent(home):
    """A tool whose broker accepts every request and never answers."""
    with Front() as front:
        yield Tool(front.endpoint, home), front


def test_json_error__no_answer__of_every_command(silent, remote):
    """All commands run at the same time, so that the time limit, which must allow a busy machine to connect, passes once."""
    def run(words):
        return silent[0].run("-t", "6", "-o", "json", *words, KVZMQ_PASSWORD="eve")

    with ThreadPool(len(remote)) as pool:
        for done in pool.imap_unordered(run, remote):
            check_error(done, 4, "TIMEOUT")


def test_json_error__interrupted__of_every_command(silent, remote):
    tool, front = silent
    for words in remote:
        with tool.start("-t", "60", "-o", "json", *words, KVZMQ_PASSWORD="eve") as process:
            front.take()
            wait_until(lambda: status_of(process.pid, "State") == "S", what="the tool waits")
            process.send_signal(signal.SIGINT)
            shown = process.communicate(timeout=TIMEOUT)[0]
        assert process.returncode == 130
        assert json.loads(shown)["error"]["code"] == "INTERRUPTED", (words, shown)


def test_json_error__denied__of_every_command(tool, broker, remote):
    name = unique("claimed")
    with broker.client(f"{name}/x") as owner:
        owner.call("hello", {"secret": SECRET})
        for words in remote:
            check_error(tool.run("-n", name, "-o", "json", *words, KVZMQ_PASSWORD="eve"), 5, "UNAUTHENTICATED")
        check_silent(tool, ["-n", name, *remote[0]], 5)


def test_json_error__wrong_password__of_every_command(tool, remote):
    for number, words in enumerate(remote):  # each as another user: failures of the same user are delayed
        check_error(tool.run("-u", f"user{number}", "-o", "json", *words, KVZMQ_PASSWORD="wrong"), 5, "UNAUTHENTICATED")
    check_silent(tool, ["-u", "nobody", *remote[0]], 5, KVZMQ_PASSWORD="wrong")


def test_json_error__guest__of_every_command_of_managers(tool, remote):
    guests = {"get", "put", "del", "entry", "list", "digest", "auth", "bench", "hello", "ping"}
    for words in remote:
        if words[0] not in guests:
            check_error(tool.run("-o", "json", *words), 5, "PERMISSION_DENIED")


def test_json_error__password_or_secret_that_cannot_be_read__of_every_command(tool, remote):
    for words in remote:
        check_error(tool.run("--password-file", "/nonexistent", "-u", "adam", "-o", "json", *words), 2, "USAGE")
        check_error(tool.run("--secret-file", "/nonexistent", "-n", "lamp", "-o", "json", *words), 2, "USAGE")


def test_json_error__unknown_client__of_every_command_that_must_name_one(tool, remote):
    for words in remote:
        if "nobody" in words:
            check_error(tool.as_manager("-o", "json", *words), 7, "NOT_FOUND")


def test_json_error__condition_that_fails__of_every_command_that_takes_one(tool, broker, calls):
    name = unique("conditions")
    with broker.client(f"{name}/x") as owner:
        owner.call("put", "k", "v")
        taken = 0
        for words in calls:
            if b"--if-revision" not in tool.run(*words, "--help").stdout:
                continue
            words = [name if word == "nobody" else word for word in words]
            done = tool.as_manager("-n", name, "-o", "json", *words, "--if-revision", "1")
            check_error(done, 1, "FAILED_PRECONDITION")
            taken += 1
        assert taken >= 4  # put and del, each also behind `manage`
        assert owner.call("get", "k") == "v"


def test_json__absent_key__is_null_and_no_error(tool):
    for command in ("get", "entry", "del"):
        done = tool.run("-o", "json", command, "absent")
        assert (done.stdout, done.stderr, done.returncode) == (b"null\n", b"", 1)


def test_json_error__limit__is_any_other_error(home):
    with Broker(options={"limits/keys_per_client": 1}) as broker:
        done = Tool(broker.request_endpoint, home).run("-o", "json", typed=b"put a 1\nput b 2\n")
    first, second = done.stdout.splitlines()
    assert json.loads(first) == {"revision": 2} and json.loads(second)["error"]["code"] == "RESOURCE_EXHAUSTED"
    assert done.returncode == 6


def test_json__commands_from_a_pipe__one_value_each_errors_included(tool):
    typed = b'get absent\nbad command\nget\nput k "\\q"\nclients\n# a comment\n\nping\n'
    values = [json.loads(line) for line in tool.run("-o", "json", typed=typed).stdout.splitlines()]
    assert [value and value.get("error", value).get("code", "-") for value in values] == [
        None, "USAGE", "USAGE", "USAGE", "PERMISSION_DENIED", "-"]


# -- errors after some output


@pytest.fixture
def broken_listing(broker, home):
    """Returns what `list` shows of two pages if the broker is lost after the first."""
    def run(form):
        name = unique("pages")
        with Front() as front, broker.client(f"{name}/x") as behind:
            behind.batch(*[("put", f"k{number:04}", "v") for number in range(1500)])
            with Tool(front.endpoint, home).start("-o", form, "list") as process:
                front.forward(behind, 2)  # hello, the first page
                front.wait_asked()  # for the second page
                front.close()
                shown, told = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 3 and told.startswith(b"UNREACHABLE: ")
        return shown.decode()
    return run


def test_json__error_behind_the_first_page__is_the_last_of_an_array_that_does_not_end(broken_listing):
    shown = broken_listing("json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(shown)
    *rows, error = json.loads(shown + "]")
    assert [row["key"] for row in rows] == [f"k{number:04}" for number in range(1000)]
    assert error["error"]["code"] == "UNREACHABLE"


def test_text_and_raw__error_behind_the_first_page__show_the_rows_before_it(broken_listing):
    assert broken_listing("raw").count("\n") == 1000
    assert re.findall(r"^k\d+", broken_listing("text"), re.M) == [f"k{number:04}" for number in range(1000)]


def test_json__watch_that_ends_with_an_error__shows_it_as_its_last_line(tool, broker):
    with tool.start("-u", "adam", "-n", unique("watch"), "-o", "json", "watch", KVZMQ_PASSWORD="eve") as process, \
            broker.manager() as manager:
        ready = json.loads(process.stdout.readline())
        assert ready["kind"] == "ready"
        with broker.client("other/x") as other:
            other.call("put", "k", "v")
        watchers = [client["id"] for client in manager.call("clients")["clients"] if client["role"] == "manager"]
        for client in watchers:
            if client != manager.whoami():
                manager.call("role", client, "guest")
        *events, error = [json.loads(line) for line in process.communicate(timeout=TIMEOUT)[0].splitlines()]
        assert process.returncode == 5
        assert error["error"]["code"] == "PERMISSION_DENIED"
        assert "put" in [event["kind"] for event in events] and not [event for event in events if "error" in event]


def test_json__watch_that_is_interrupted__shows_no_error(tool):
    with tool.start("-u", "adam", "-o", "json", "watch", KVZMQ_PASSWORD="eve") as process:
        assert json.loads(process.stdout.readline())["kind"] == "ready"
        process.send_signal(signal.SIGINT)
        shown, told = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130 and told == b""
    assert [json.loads(line) for line in shown.splitlines() if b"error" in line] == []
