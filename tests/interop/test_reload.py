# SPDX-License-Identifier: MPL-2.0
"""SIGHUP reads the configuration again: what changes at once, for whom, what does not, and that a mistake changes nothing.
And other signals, which used to end the broker and lose every store."""

import os
import pty
import signal
import subprocess

import pytest

from broker import Broker, zpl
from client import Client
from hashes import cheap_hash, real_hash, secret_hash, slow_hash
from kvbroker import kvbroker, start_kvbroker
from project import binary_of
from rpc import RpcError, codes, pack
from subscriber import Subscriber, subscribed
from terminal import status_of
from tool import Tool
from waiting import TIMEOUT, wait_until

SECRET, OTHER_SECRET = "a secret of sixteen", "another of sixteen"
DONE = r"SIGHUP: (the configuration was read again|nothing changes|the broker was started without)"


def managers(**passwords):
    return {"managers": {user: cheap_hash(password) for user, password in passwords.items()}}


def names(**secrets):
    return {"names": {name: secret_hash(secret) for name, secret in secrets.items()}}


ADAM = managers(adam="eve")


def hup(broker):
    """Sends SIGHUP and returns the lines of the log about it."""
    since = len(broker.lines)
    broker.process.send_signal(signal.SIGHUP)
    broker.wait_log(DONE, since=since)
    return [line for line in broker.lines[since:] if "SIGHUP" in line]


def reload(broker, *trees):
    """Writes a configuration of TREES and the endpoints, and sends SIGHUP. Returns the lines of the log about it."""
    whole = {"listen": {"requests": "tcp://127.0.0.1:*", "events": "tcp://127.0.0.1:*"}}
    for tree in trees:
        for section, keys in tree.items():
            whole[section] = {**whole.get(section, {}), **keys}
    broker.config.write_text(zpl(whole) + "\n")
    return hup(broker)


def was_taken(lines, taken, fixed=0):
    """Checks that LINES report TAKEN changed keys, and FIXED keys that need a restart. Returns LINES."""
    assert lines[-1].endswith(f"read again; keys that changed: {taken}, that need a restart: {fixed}"), lines
    return lines


# -- each kind of setting


def test_timeout__holds_for_sessions_that_there_are():
    with Broker() as broker, broker.client("lamp") as lamp, broker.manager("boss") as boss:
        lamp.call("put", "k", "v")
        assert lamp.call("hello")["timeout_ms"] == 60000
        was_taken(reload(broker, ADAM, {"session": {"timeout": "200ms"}}), 1)
        assert lamp.recv_push() == boss.recv_push() == [2, "bye", [{"reason": "timeout"}]]
        was_taken(reload(broker, ADAM, {"session": {"timeout": "1h30m"}}), 1)
        assert lamp.call("hello")["timeout_ms"] == 5400000
        assert lamp.call("get", "k") == "v"


def test_limits__hold_at_once__and_what_is_there_stays():
    limits = {"value": 10, "key": 5, "batch": 3, "keys_per_client": 2, "clients": 3, "outstanding": "16MiB"}
    with Broker() as broker, broker.client("lamp") as lamp, broker.manager("boss") as boss:
        for key in ("a", "b", "c", "longer than five"):
            lamp.call("put", key, "longer than ten")
        lines = was_taken(reload(broker, ADAM, {"limits": limits}), 5)
        assert [line for line in lines if line.endswith("limits/batch has changed")], lines
        shown = lamp.call("hello")["limits"]
        assert (shown["value"], shown["key"], shown["batch"]) == (10, 5, 3)
        assert lamp.code("put", "a", "longer than ten") == "INVALID_ARGUMENT"
        assert lamp.code("get", "longer than five") == "INVALID_ARGUMENT"
        assert lamp.code("put", "d", "v") == "RESOURCE_EXHAUSTED"
        assert lamp.call("put", "a", "shorter") > 0
        assert len(lamp.call("list")["entries"]) == 4 and lamp.call("get", "b") == "longer than ten"
        with broker.client("third") as third, broker.client("fourth") as fourth:
            assert (third.code("ping"), fourth.code("ping")) == (None, "RESOURCE_EXHAUSTED")
            was_taken(reload(broker, ADAM), 5)
            assert fourth.code("ping") is None
        assert lamp.call("put", "d", "longer than ten") > 0
        assert boss.call("stats")["keys"] == 5


def test_batch__lowered_while_a_payload_waits__holds_for_the_next_one():
    with Broker(hashes={"slow": slow_hash("eve")}) as broker, broker.client() as client:
        slow = {"managers": {"slow": slow_hash("eve")}}
        requests = [("ping",)] * 30
        expected = [*["pong"] * 10, {"role": "manager"}, *["pong"] * 20]
        before = broker.processor_time()
        calls = [*requests[:10], ("auth", "slow", "eve"), *requests[10:]]
        client.send_raw(b"".join(pack([0, i, call[0], list(call[1:])]) for i, call in enumerate(calls)))
        wait_verifying(broker, before)
        was_taken(reload(broker, ADAM, slow, {"limits": {"batch": 5}}), 1)
        answers = [client.recv() for _ in calls]
        assert [answer[3] for answer in answers] == expected, answers
        assert codes(client.exchange(b"".join(pack([0, i, "ping", []]) for i in range(6)))) == [(0, "INVALID_ARGUMENT")]


def wait_verifying(broker, before):
    """Waits until the broker is in the middle of a slow verification. BEFORE is its CPU time when that was asked for."""
    wait_until(lambda: broker.processor_time() > before + 0.1, what="the password under way")


def test_inline__holds_for_the_next_event():
    with Broker() as broker, broker.manager() as manager, subscribed(manager) as subscriber, broker.client("lamp") as lamp:
        lamp.call("put", "k", "x" * 100)
        assert subscriber.until(lambda event: event["kind"] == "put")[-1]["value"] == "x" * 100
        was_taken(reload(broker, ADAM, {"events": {"inline": 99}}), 1)
        lamp.call("put", "k", "y" * 100)
        event = subscriber.until(lambda event: event["kind"] == "put")[-1]
        assert (event["value"], event["size"]) == (None, 100)


def test_what_cannot_change__is_named_and_stays():
    fixed = {"listen": {"requests": "tcp://127.0.0.1:*,tcp://127.0.0.1:*", "advertise": "tcp://example.org:1"},
             "ids": {"first": 40000, "last": 40010}, "events": {"keep": 5, "keep_bytes": "1MiB"}, "limits": {"message": "16MiB"}}
    with Broker() as broker, broker.manager() as manager:
        before = manager.call("events")["endpoint"]
        lines = was_taken(reload(broker, ADAM, fixed, {"session": {"timeout": 50}}), 1, 7)
        for key in ("listen/requests", "listen/advertise", "ids/first", "ids/last", "events/keep", "events/keep_bytes",
                    "limits/message"):
            assert [line for line in lines if f" warning SIGHUP: {key} differs" in line], lines
        hello = manager.call("hello")
        assert (hello["timeout_ms"], hello["limits"]["message"]) == (50000, 8388608)
        assert manager.call("events")["endpoint"] == before
        with broker.client() as other:
            assert int(other.whoami()) < 40000
        was_taken(hup(broker), 0, 7)
        was_taken(reload(broker, ADAM), 1)


# -- mistakes


@pytest.mark.parametrize("text, problem", [
    ("session\n    timout = 5\n", ":2: unknown key session/timout; did you mean session/timeout?"),
    ("session\n    timeout = 5\nmanagers\n    adam = eve\n", ":4: managers/adam is not an argon2id hash"),
    ("limits\n    value = 8MiB\n", "limits/message (8388608) is too small for a value of limits/value (8388608)"),
    ("limits\n    value = 8MiB\n    message = 16MiB\n    outstanding = 16MiB\n", "with the old values of the keys that need a restart: "),
    (None, "cannot be opened: No such file or directory"),
    ("folder", "is not a regular file"), ("fifo", "is not a regular file"),
], ids=("key", "hash", "check", "check beside what stays", "no file", "folder", "fifo"))
def test_a_mistake__changes_nothing_and_says_where(text, problem):
    with Broker() as broker, broker.manager() as manager, subscribed(manager) as subscriber:
        before = manager.call("hello")
        broker.config.unlink()
        if text == "folder":
            broker.config.mkdir()
        elif text == "fifo":
            os.mkfifo(broker.config)
        elif text:
            broker.config.write_text(text)
        lines = hup(broker)
        assert len(lines) == 1 and " error " in lines[0] and "nothing changes" in lines[0] and problem in lines[0], lines
        assert manager.call("hello") == before
        last = manager.call("put", "k", "v")
        subscriber.until(lambda event: event["seq"] == last)


def test_set_on_the_command_line__still_wins():
    with Broker(options={"session/timeout": 7}) as broker, broker.client() as client:
        was_taken(reload(broker, ADAM, {"session": {"timeout": 9}, "limits": {"batch": 9}}), 1)
        hello = client.call("hello")
        assert (hello["timeout_ms"], hello["limits"]["batch"]) == (7000, 9)


def test_without_a_file__there_is_nothing_to_read(tmp_path):
    broker, endpoint = start_kvbroker(tmp_path, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        with Client(endpoint, "lamp") as lamp:
            lamp.call("put", "k", "v")
            broker.send_signal(signal.SIGHUP)
            while b"SIGHUP: the broker was started without --config: there is nothing to read again" not in (
                    line := broker.stderr.readline()):
                assert line
            assert lamp.call("get", "k") == "v"
        broker.terminate()
        assert broker.wait(TIMEOUT) == 0
    finally:
        broker.kill()
        broker.wait()
        broker.stderr.close()


# -- accounts


def code_of_auth(broker, user, password):
    with broker.client() as client:
        return client.code("auth", user, password)


def test_an_account__added__is_there_at_once():
    with Broker() as broker:
        assert code_of_auth(broker, "ruth", "naomi") == "UNAUTHENTICATED"
        lines = was_taken(reload(broker, managers(adam="eve", ruth="naomi")), 1)
        assert lines[0].endswith("managers/ruth has changed")
        assert code_of_auth(broker, "ruth", "naomi") is None
        assert code_of_auth(broker, "adam", "eve") is None


@pytest.mark.parametrize("after", (managers(adam="eve"), managers(adam="eve", ruth="boaz")), ids=("removed", "another password"))
def test_an_account__that_is_void__its_sessions_are_guests_at_once(after):
    with Broker(accounts={"adam": "eve", "ruth": "naomi"}) as broker, broker.manager("boss") as boss, subscribed(boss) as heard:
        with broker.client("ruth") as ruth, broker.client("both/1") as one, broker.client("both/2") as two:
            ruth.call("auth", "ruth", "naomi")
            one.call("auth", "ruth", "naomi")
            two.call("auth", "adam", "eve")
            ticket = ruth.call("events")
            with Subscriber(ticket) as theirs:
                theirs.sync()
                was_taken(reload(broker, after), 1)
                assert ruth.code("stats") == one.code("stats") == "PERMISSION_DENIED"
                assert ruth.call("hello")["role"] == "guest" and two.call("hello")["role"] == "manager"
                last = boss.call("put", "behind", "it")
                roles = [event for event in heard.until(lambda event: event["seq"] == last)
                         if event["kind"] == "role" and event["value"] == "guest"]
                assert sorted((event["client"], event["by"], event["user"]) for event in roles) == [
                    ("both", None, None), ("ruth", None, None)]
                with pytest.raises(TimeoutError):  # nothing after the role event is received
                    while theirs.recv(1.5)[1]["seq"] < last:
                        pass
            assert ruth.code("events") == "PERMISSION_DENIED"
            with Subscriber(ticket) as late, pytest.raises(TimeoutError):
                late.recv(1.5)
        assert code_of_auth(broker, "ruth", "naomi") == "UNAUTHENTICATED"


def test_a_password__changed_by_the_steps_of_the_help__is_the_only_one_that_is_taken(tmp_path):
    """The steps: hash-password, replace the old hash in the file, --check-config, SIGHUP."""
    old = real_hash("eve")
    with Broker(hashes={"adam": old}) as broker:
        tool = Tool(broker.request_endpoint, tmp_path)
        with tool.start() as logged_in:
            logged_in.stdin.write(b"auth adam eve\n")
            logged_in.stdin.flush()
            assert logged_in.stdout.readline() == b"Authentication success\n"
            text = broker.config.read_text()
            assert text.count(old) == 1
            broker.config.write_text(text.replace(old, real_hash("better")))
            assert kvbroker("--config", broker.config, "--check-config").returncode == 0
            was_taken(hup(broker), 1)
            shown, told = logged_in.communicate(b"clients\n", timeout=TIMEOUT)
            assert shown == b"" and b"PERMISSION_DENIED" in told and logged_in.returncode == 5
        assert tool.run("-u", "adam", "clients", KVZMQ_PASSWORD="eve").returncode == 5
        assert tool.run("-u", "adam", "clients", KVZMQ_PASSWORD="better").returncode == 0


def test_accounts__that_are_as_before__keep_their_sessions_roles_and_tickets():
    with Broker(accounts={"adam": "eve", "ruth": "naomi"}) as broker, broker.manager() as manager, subscribed(manager) as heard:
        ticket = manager.call("events")
        was_taken(reload(broker, managers(adam="eve")), 1)
        was_taken(reload(broker, managers(adam="eve", ruth="naomi", eve="adam")), 2)
        was_taken(hup(broker), 0)
        assert manager.call("events")["username"] == ticket["username"]
        last = manager.call("put", "k", "v")
        assert [event["kind"] for event in heard.until(lambda event: event["seq"] == last)] == ["put"]


@pytest.mark.parametrize("after", ({}, managers(slow="another")), ids=("removed", "another password"))
def test_an_account__void_while_its_password_is_verified__is_refused(after):
    with Broker(hashes={"slow": slow_hash("eve")}) as broker, broker.client() as client:
        before = broker.processor_time()
        msgid = client.request("auth", "slow", "eve")
        wait_verifying(broker, before)
        was_taken(reload(broker, ADAM, after), 1)
        with pytest.raises(RpcError) as refused:
            client.result(msgid)
        assert refused.value.code == "UNAUTHENTICATED"
        assert client.call("hello")["role"] == "guest"


def test_throttling__is_not_forgotten():
    with Broker() as broker, broker.client() as client:
        for _ in range(6):
            client.code("auth", "adam", "wrong")
        was_taken(reload(broker, managers(adam="eve", ruth="naomi")), 1)
        assert client.code("auth", "adam", "eve") == "RESOURCE_EXHAUSTED"


# -- names


def test_a_claim__added__ends_the_sessions_that_did_not_give_its_secret_and_keeps_the_store():
    with Broker() as broker, broker.client("lamp/1") as lamp, broker.client("lamp/2") as second, broker.manager() as manager:
        lamp.call("put", "k", "v")
        second.call("ping")
        with subscribed(manager) as heard:
            was_taken(reload(broker, ADAM, names(lamp=SECRET)), 1)
            assert lamp.recv_push() == second.recv_push() == [2, "bye", [{"reason": "revoked"}]]
            event = heard.event()
            assert (event["kind"], event["client"], event["value"], event["by"]) == ("disconnect", "lamp", "revoked", None)
        assert lamp.code("get", "k") == "UNAUTHENTICATED"
        assert lamp.call("hello", {"secret": SECRET})["client"] == "lamp"
        assert lamp.call("get", "k") == "v"


def test_a_claim__with_another_secret__takes_the_place_of_the_one_before():
    with Broker(names=names(lamp=SECRET)["names"]) as broker, broker.client("lamp/1") as lamp:
        lamp.call("hello", {"secret": SECRET})
        lamp.call("put", "k", "v")
        was_taken(reload(broker, ADAM, names(lamp=OTHER_SECRET)), 1)
        assert lamp.recv_push() == [2, "bye", [{"reason": "revoked"}]]
        assert lamp.code("hello", {"secret": SECRET}) == "UNAUTHENTICATED"
        lamp.call("hello", {"secret": OTHER_SECRET})
        assert lamp.call("get", "k") == "v"


def test_a_claim__as_before__keeps_its_sessions():
    claims = names(lamp=SECRET)
    with Broker(names=claims["names"]) as broker, broker.client("lamp/1") as lamp:
        lamp.call("hello", {"secret": SECRET})
        was_taken(reload(broker, ADAM, claims, names(other=SECRET)), 1)
        assert lamp.call("ping") == "pong" and not lamp.pushed


def test_a_claim__removed__goes_on_as_long_as_the_client_exists():
    with Broker(names=names(lamp=SECRET)["names"]) as broker, broker.client("lamp/1") as lamp, broker.client("lamp/2") as thief:
        lamp.call("hello", {"secret": SECRET})
        lamp.call("put", "k", "v")
        was_taken(reload(broker, ADAM), 1)
        assert lamp.call("get", "k") == "v"
        assert thief.code("get", "k") == "UNAUTHENTICATED"
        lamp.call("del", "k")
        lamp.call("bye")
        assert thief.call("put", "k", "of anybody") > 0


def test_a_claim__removed_where_nothing_is__ends_at_once():
    with Broker(names=names(lamp=SECRET)["names"]) as broker, broker.client("lamp/2") as other:
        assert other.code("ping") == "UNAUTHENTICATED"
        was_taken(reload(broker, ADAM), 1)
        assert other.call("ping") == "pong"


def test_a_claim__added_and_removed__leaves_nothing(tmp_path):
    with Broker() as broker, broker.manager() as manager:
        for _ in range(3):
            was_taken(reload(broker, ADAM, names(lamp=SECRET, bell=SECRET)), 2)
            with broker.client("lamp/1") as lamp:
                assert lamp.code("ping") == "UNAUTHENTICATED"
            was_taken(reload(broker, ADAM), 2)
        assert manager.code("forget", "bell") == "NOT_FOUND"


# -- signals


@pytest.mark.parametrize("number", (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE))
def test_a_signal_without_a_meaning__is_ignored(number):
    with Broker() as broker, broker.client("lamp") as lamp:
        lamp.call("put", "k", "v")
        broker.process.send_signal(number)
        was_taken(hup(broker), 0)  # a later signal is handled: the one before did not end the broker
        assert lamp.call("get", "k") == "v"


def test_many_hangups__under_load__lose_nothing():
    with Broker() as broker, broker.client("lamp") as lamp:
        for number in range(300):
            broker.process.send_signal(signal.SIGHUP)
            assert lamp.call("put", f"k{number}", str(number)) > 0
        assert lamp.call("digest")["keys"] == 300


def test_stop__right_behind_a_hangup__still_stops():
    with Broker() as broker:
        broker.process.send_signal(signal.SIGHUP)
        broker.process.send_signal(signal.SIGTERM)
        broker.wait_exit(0)


def has_ended(pid):
    try:
        return status_of(pid, "State") == "Z"  # nobody has asked for its exit status
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("shell_options", ("", "set -m; stty tostop; "), ids=("of its shell's jobs", "a job that may not write"))
def test_a_broker_in_the_background__survives_its_terminal(tmp_path, shell_options):
    endpoint = f"ipc://{tmp_path}/r"
    pid_file = tmp_path / "pid"
    command = (f"{shell_options}{binary_of('kvbroker')} --set listen/requests={endpoint} --set listen/events=ipc://{tmp_path}/e & "
               f"echo $! > {pid_file}; read nothing")
    shell, terminal = pty.fork()
    if shell == 0:
        os.execv("/bin/sh", ["sh", "-c", command])
    wait_until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"), what="the broker's pid")
    broker = int(pid_file.read_text())
    try:
        with Client(endpoint, "lamp") as lamp:
            lamp.call("put", "k", "v")  # the broker has written to the terminal by then
            os.close(terminal)  # the terminal hangs up: SIGHUP to all processes in its foreground
            os.waitpid(shell, 0)
            for _ in range(3):
                assert lamp.call("get", "k") == "v"
            with Client(endpoint, "another") as another:  # its connection is logged, to a terminal that is gone
                assert another.call("ping") == "pong"
    finally:
        os.kill(broker, signal.SIGTERM)
    wait_until(lambda: has_ended(broker), what="the end of the broker")
