# SPDX-License-Identifier: MPL-2.0
"""kvzmq-cli in one-shot and piped use: its output and its exit status."""

import base64
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
from multiprocessing.pool import ThreadPool

import pytest

from broker import Broker
from front import Front
from terminal import status_of
from tool import Tool
from waiting import TIMEOUT, wait_until

ALL_BYTES = bytes(range(256))


def text(done):
    return done.stdout.decode()


def complaint(done):
    """Returns the only line on standard error."""
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


# -- what is shown


def test_put__one_shot__says_so_and_the_named_store_keeps_it(tool, name):
    done = tool.run("-n", name, "put", "city", "Kolkata")
    assert (text(done), done.stderr, done.returncode) == ("Successfully set city as Kolkata\n", b"", 0)
    done = tool.run("--name", name, "get", "city")
    assert (text(done), done.stderr, done.returncode) == ("Kolkata\n", b"", 0)


def test_get__absent_key__is_blank_and_exit_1(tool, name):
    done = tool.run("-n", name, "get", "city")
    assert (text(done), done.stderr, done.returncode) == ("<blank>\n", b"", 1)


def test_get__empty_value__is_no_absent_key(tool, name):
    assert tool.run("-n", name, "put", "k", "").returncode == 0
    shown = {form: tool.run("-n", name, "-o", form, "get", "k") for form in ("text", "json", "raw")}
    assert {form: (done.stdout, done.returncode) for form, done in shown.items()} == {
        "text": (b"\n", 0), "json": (b'""\n', 0), "raw": (b"", 0)}
    shown = {form: tool.run("-n", name, "-o", form, "get", "absent") for form in ("text", "json", "raw")}
    assert {form: (done.stdout, done.returncode) for form, done in shown.items()} == {
        "text": (b"<blank>\n", 1), "json": (b"null\n", 1), "raw": (b"", 1)}


def test_get__value_that_reads_blank__differs_from_an_absent_key_in_json(tool, name):
    assert tool.run("-n", name, "put", "k", "<blank>").returncode == 0
    assert json.loads(tool.run("-n", name, "-o", "json", "get", "k").stdout) == "<blank>"
    assert json.loads(tool.run("-n", name, "-o", "json", "get", "absent").stdout) is None


@pytest.mark.parametrize("value", [ALL_BYTES, ALL_BYTES * 4096, b"text\n", b"", "größe ☃ 𝄞".encode(), b"\0"],
                         ids=["all bytes", "1 MiB", "text", "empty", "unicode", "zero"])
def test_x__value_from_standard_input__is_byte_exact(tool, name, value):
    assert tool.run("-n", name, "-x", "put", "k", typed=value).returncode == 0
    assert tool.run("-n", name, "-o", "raw", "get", "k").stdout == value
    assert tool.run("-n", name, "get", "k").stdout == value + b"\n"


def test_x__text_is_put_as_str_and_bytes_as_bin(tool, broker, name):
    with broker.client(f"{name}/wire") as client:
        tool.run("-n", name, "-x", "put", "text", typed="größe".encode())
        tool.run("-n", name, "-x", "put", "bytes", typed=b"\xff")
        tool.run("-n", name, "--bin", "put", "forced", "größe")
        assert [client.call("get", key) for key in ("text", "bytes", "forced")] == ["größe", b"\xff", "größe".encode()]


def test_x__value_then_options__options_stand_behind_the_arguments(tool, name):
    assert tool.run("-n", name, "-x", "put", "k", "--ttl", "1h", typed=b"--ttl").returncode == 0
    entry = json.loads(tool.run("-n", name, "-o", "json", "entry", "k").stdout)
    assert entry["value"] == "--ttl" and 3500000 < entry["ttl_ms"] <= 3600000


def test_put__value_over_the_limit__exit_2_and_one_line(tool, name):
    done = tool.run("-n", name, "-x", "put", "k", typed=bytes(1048577))
    assert done.returncode == 2
    assert complaint(done).startswith("INVALID_ARGUMENT: ")
    assert tool.run("-n", name, "get", "k").returncode == 1


def test_x__more_than_8_MiB__is_refused_without_asking_the_broker(tmp_path):
    done = Tool("tcp://127.0.0.1:1", tmp_path).run("-x", "put", "k", typed=bytes(8 * 1024 * 1024 + 1))
    assert done.returncode == 2
    assert "-x" in complaint(done)


def test_x__8_MiB__is_taken(tmp_path):
    done = Tool("tcp://127.0.0.1:1", tmp_path).run("-x", "put", "k", typed=bytes(8 * 1024 * 1024))
    assert done.returncode == 3, complaint(done)  # the input was accepted; then the connection failed


def test_json__bytes_are_base64_and_text_is_a_string(tool, name):
    tool.run("-n", name, "-x", "put", "b", typed=ALL_BYTES)
    assert json.loads(tool.run("-n", name, "-o", "json", "get", "b").stdout) == {
        "base64": base64.b64encode(ALL_BYTES).decode()}


def test_put__bytes_in_text__are_told_by_their_number(tool, name):
    assert text(tool.run("-n", name, "-x", "put", "b", typed=ALL_BYTES)) == "Successfully set b as <256 bytes>\n"


def test_list__more_than_a_page__shows_everything_in_order(tool, broker, name):
    keys = [f"k{number:05}" for number in range(2500)]
    with broker.client(f"{name}/filler") as client:
        client.batch(*[("put", key, key) for key in reversed(keys)])
    rows = json.loads(tool.run("-n", name, "-o", "json", "list").stdout)
    assert [row["key"] for row in rows] == keys and [row["value"] for row in rows] == keys
    shown = text(tool.run("-n", name, "list")).splitlines()
    assert shown[0].split() == ["KEY", "VALUE", "REVISION", "TTL"] and len(shown) == 2501
    lines = text(tool.run("-n", name, "-o", "raw", "list", "k000")).splitlines()
    assert [line.split("\t")[0] for line in lines] == keys[:100]
    rows = json.loads(tool.run("-n", name, "-o", "json", "list", "--limit", "1500", "--after", "k00009").stdout)
    assert [row["key"] for row in rows] == keys[10:1510]


def test_list__limit_or_pattern__says_on_standard_error_what_it_did(tool, broker, name):
    with broker.client(name + "/wire") as client:
        client.batch(*[("put", key, "v") for key in ("k*a", "ka", "kb")])
    done = tool.run("-n", name, "list", "--limit", "2")
    assert text(done).count("\n") == 3 and complaint(done) == "list: more follow; to go on, give --after with the last one"
    assert tool.run("-n", name, "list", "--limit", "3").stderr == b"" and tool.run("-n", name, "list", "k").stderr == b""
    done = tool.run("-n", name, "list", "k*")
    assert text(done).count("\n") == 2 and complaint(done) == "list: the argument is a prefix, not a pattern: * stands for itself"
    assert tool.run("-n", name, "-o", "json", "list", "k*", "--limit", "1").stderr == b""
    assert "more follow" in complaint(tool.as_manager("clients", "--limit", "1"))


def test_list__empty_store__is_an_empty_array(tool, name):
    assert json.loads(tool.run("-n", name, "-o", "json", "list").stdout) == []


def test_list__control_characters__cannot_break_a_table_or_a_raw_line(tool, broker, name):
    with broker.client(f"{name}/filler") as client:
        client.call("put", "a\tb\n", "\x1b[31m\\")
    assert text(tool.run("-n", name, "list")).splitlines()[1].split()[:2] == ["a\\tb\\n", "\\x1b[31m\\"]
    assert text(tool.run("-n", name, "-o", "raw", "list")).split("\t")[:2] == ["a\\tb\\n", "\\x1b[31m\\\\"]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("value", ["aé", "日本" * 100, b"\x84\xdf\x9a", b"\xff\xfe"])
def test_list__text_beyond_ascii__is_shown_whatever_the_locale(tool, broker, name, value, locale):
    """libsmartcols 2.38 loops forever on such a cell if the locale cannot represent it."""
    with broker.client(f"{name}/filler") as client:
        client.call("put", "größe", value)
    shown = text(tool.run("-n", name, "list", LC_ALL=locale)).splitlines()[1]
    assert shown.split()[0] == "größe"
    if isinstance(value, str):
        assert value[:80] in shown


def test_entry_del_digest__json__have_the_protocols_names(tool, name):
    revision = json.loads(tool.run("-n", name, "-o", "json", "put", "k", "v").stdout)["revision"]
    entry = json.loads(tool.run("-n", name, "-o", "json", "entry", "k").stdout)
    assert entry == {"value": "v", "revision": revision, "ttl_ms": None}
    digest = json.loads(tool.run("-n", name, "-o", "json", "digest").stdout)
    assert digest["keys"] == 1 and len(digest["digest"]) == 16
    assert json.loads(tool.run("-n", name, "-o", "json", "del", "k").stdout)["revision"] > revision
    done = tool.run("-n", name, "-o", "json", "del", "k")
    assert (done.stdout, done.returncode) == (b"null\n", 1)


def test_clients_role_stats_forget__as_a_manager__work(tool, name):
    assert tool.run("-n", name, "put", "k", "v").returncode == 0
    shown = json.loads(tool.as_manager("-o", "json", "clients", name).stdout)
    assert [(client["id"], client["keys"], client["connected"]) for client in shown] == [(name, 1, False)]
    assert text(tool.as_manager("manage", name, "get", "k")) == "v\n"
    assert json.loads(tool.as_manager("-o", "json", "stats").stdout)["puts_total"] > 0
    done = tool.as_manager("role", name, "manager")
    assert done.returncode == 1 and complaint(done).startswith("FAILED_PRECONDITION: ")
    assert text(tool.as_manager("forget", name)) == f"Successfully forgot {name}\n"
    assert json.loads(tool.as_manager("-o", "json", "clients", name).stdout) == []


def test_manage_put_create__name_and_secret__make_a_claimed_store(tool, name, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef\n")
    done = tool.as_manager("manage", name, "put", "k", "v", "--create", "--secret-file", str(secret))
    assert (text(done), done.returncode) == ("Successfully set k as v\n", 0)
    assert tool.run("-n", name, "get", "k").returncode == 5
    assert text(tool.run("-n", name, "--secret-file", str(secret), "get", "k")) == "v\n"
    assert text(tool.run("-n", name, "get", "k", KVZMQ_SECRET="0123456789abcdef")) == "v\n"


def test_hello_ping_bye__text_and_json(tool, name):
    hello = json.loads(tool.run("-n", name, "-o", "json", "hello").stdout)
    assert (hello["client"], hello["role"], hello["protocol"]) == (name, "guest", 1)
    assert hello["note"] is None
    assert text(tool.run("ping")) == "pong\n"
    assert text(tool.run("bye")) == "Bye\n"


def test_note__of_the_broker__is_on_standard_error_and_in_hello(broker, tmp_path):
    """The tool sends valid names only, so its requests are relayed through a socket with an invalid one."""
    with Front() as front, broker.client("my lamp") as behind, Tool(front.endpoint, tmp_path).start("-o", "json", "hello") as process:
        front.forward(behind, 3)  # hello, hello, bye
        shown, told = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    said = told.decode()
    assert said.startswith('The broker says: the socket identity "my lamp" is not a valid name') and said.count("\n") == 1, said
    assert json.loads(shown)["note"] == said.removeprefix("The broker says: ").rstrip("\n")


def test_auth__texts__as_required_and_in_json_as_data(tool):
    done = tool.run("auth", "adam", "eve")
    assert (text(done), done.stderr, done.returncode) == ("Authentication success\n", b"", 0)
    done = tool.run("auth", "adam", "wrong")
    assert (text(done), done.stderr, done.returncode) == ("Authentication failure\n", b"", 5)
    assert json.loads(tool.run("-o", "json", "auth", "adam", "eve").stdout) == {"role": "manager"}
    done = tool.run("-o", "json", "auth", "adam", "wrong")
    assert done.returncode == 5 and json.loads(done.stdout)["error"]["code"] == "UNAUTHENTICATED"
    assert complaint(done).startswith("UNAUTHENTICATED: ")


def test_password__of_1025_bytes__is_refused_before_it_is_sent(tool):
    assert tool.run("auth", "adam", KVZMQ_PASSWORD="p" * 1024).returncode == 5
    done = tool.run("auth", "adam", KVZMQ_PASSWORD="p" * 1025)
    assert done.returncode == 2
    assert "1024" in complaint(done)


def test_auth__a_password_of_several_words__is_refused_and_not_shown(tool):
    done = tool.run("auth", "adam", "correct", "horse", "battery")
    assert done.returncode == 2
    assert b"quote a password with blanks" in done.stderr
    assert not re.search(b"correct|horse|battery", done.stdout + done.stderr)


def test_auth__password_from_file_or_environment_or_input__no_asking(tool, tmp_path):
    (tmp_path / "password").write_text("eve\n")
    for done in (tool.run("--password-file", str(tmp_path / "password"), "auth", "adam"),
                 tool.run("auth", "adam", KVZMQ_PASSWORD="eve"), tool.run("-x", "auth", "adam", typed=b"eve")):
        assert (text(done), done.returncode) == ("Authentication success\n", 0)


@pytest.mark.parametrize("arguments, environment", [
    (["auth", "adam", "s3cret-word"], {}), (["auth", "adam"], {"KVZMQ_PASSWORD": "s3cret-word"}),
    (["-n", "n", "get", "k"], {"KVZMQ_SECRET": "s3cret-word-of-16"})])
def test_password__in_arguments_or_environment__is_gone_from_them_at_once(tmp_path, arguments, environment):
    with Front() as silent, Tool(silent.endpoint, tmp_path).start("-t", "30", *arguments, **environment) as process:
        silent.wait_asked()
        shown = b"".join(pathlib.Path(f"/proc/{process.pid}/{file}").read_bytes() for file in ("cmdline", "environ"))
        process.kill()
        process.communicate()
    assert b"kvzmq-cli" in shown and b"HOME=" in shown and b"s3cret-word" not in shown


# -- conditions


def test_put__if_absent_and_if_revision__hold_or_exit_1(tool, name):
    revision = text(tool.run("-n", name, "-o", "raw", "put", "k", "1", "--if-absent")).strip()
    done = tool.run("-n", name, "put", "k", "2", "--if-absent")
    assert done.returncode == 1 and complaint(done).startswith("FAILED_PRECONDITION: ")
    assert tool.run("-n", name, "put", "k", "2", "--if-revision", revision).returncode == 0
    assert tool.run("-n", name, "put", "k", "3", "--if-revision", revision).returncode == 1
    assert tool.run("-n", name, "del", "k", "--if-revision", revision).returncode == 1
    assert text(tool.run("-n", name, "get", "k")) == "2\n"


@pytest.mark.parametrize("ttl, ttl_ms", [("90", 90000), ("2.5", 2500), ("1500ms", 1500), ("10m", 600000), ("1h", 3600000),
                                         ("7d", 604800000), ("0.5h", 1800000)])
def test_put__ttl__in_every_unit(tool, name, ttl, ttl_ms):
    typed = f"put k v --ttl {ttl}\nentry k\n".encode()
    lines = tool.run("-n", name, "-o", "json", typed=typed).stdout.splitlines()
    left = json.loads(lines[1])["ttl_ms"]
    assert ttl_ms - 1000 < left <= ttl_ms


# -- exit codes


@pytest.mark.parametrize("arguments", [
    ["bad", "command"], ["get"], ["put", "k"], ["get", "a", "b"], ["put", "k", "v", "--ttl"], ["put", "k", "v", "--ttl", "0"],
    ["put", "k", "v", "--ttl", "5x"], ["put", "k", "v", "--ttl", "-1"], ["put", "k", "v", "--create"],
    ["put", "k", "v", "--if-absent", "--if-absent"], ["del", "k", "--ttl", "5"], ["list", "--limit", "many"],
    ["manage", "1"], ["manage", "1", "auth", "adam"], ["manage", "1", "bad"], ["GET", "k"], ["list", "--no-such"]])
def test_exit_2__illegal_command__says_so_on_standard_error_alone(tool, arguments):
    done = tool.run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert re.match(r"Illegal command: \S+: \S", done.stderr.decode().splitlines()[0])
    piped = tool.run(typed=" ".join(arguments).encode())
    assert (piped.returncode, piped.stdout, piped.stderr) == (2, b"", b"line 1: " + done.stderr)


@pytest.mark.parametrize("arguments, problem", [
    ("put k v --ttl", "--ttl needs its argument, TIME"),
    ("put k v --ttl 5x", '--ttl takes a time above 0, such as 2.5 (seconds), 500ms, 5m or 1h30m, not "5x"'),
    ("list --limit many", '--limit takes a whole number, not "many"'),
    ("del k --ttl 5", "there is no option --ttl"),
    ("put k v --if-absent --if-absent", "--if-absent is given twice"),
    ("put k v --create", "--create is for managed stores: manage CLIENT put"),
    ("forget a --limit 5 b\x1bb", "there is no option --limit"),
    ("forget a b\x1bb", "one argument too many: b\\x1bb"),
    ("verify --own", "there is no option --own")])
def test_exit_2__wrong_option__is_named_and_the_usage_shown(tool, arguments, problem):
    words = arguments.split(" ")
    problem_line, usage = tool.run(*words).stderr.decode().splitlines()
    assert problem_line == f"Illegal command: {words[0]}: {problem}"
    assert usage.startswith(f"usage: {words[0]}")


@pytest.mark.parametrize("arguments", [
    ["--no-such", "ping"], ["-o", "xml", "ping"], ["-t", "0", "ping"], ["-t", "soon", "ping"], ["-t"], ["-x"],
    ["-n", "123", "ping"], ["-n", "a/b", "ping"], ["-s", "nowhere", "ping"], ["-n", "a", "--secret-file", "/nonexistent", "ping"],
    ["--secret-file", "/dev/null", "ping"], ["-n", "a", "--secret-file", "/dev/null", "ping"],
    ["-u", "adam", "--password-file", "/nonexistent", "ping"], ["put", "k", "v", "--if-absent", "--if-revision", "1"],
    ["put", "", "v"], ["-x", "ping"]])
def test_exit_2__wrong_usage__one_line_says_what(tool, arguments):
    done = tool.run(*arguments)
    assert (done.returncode, done.stdout) == (2, b""), done
    problem, *usage = done.stderr.decode().splitlines()
    assert re.match(r"(Illegal command|INVALID_ARGUMENT|kvzmq-cli|put): \S", problem), done
    assert not usage or len(usage) == 1 and usage[0].startswith("usage: "), done


def test_exit_2__no_terminal_to_ask_for_a_password__says_what_to_do(tool):
    done = subprocess.run(tool.command(["-u", "adam", "ping"]), stdin=subprocess.DEVNULL, capture_output=True,
                          env=tool.environment, start_new_session=True, timeout=TIMEOUT)
    assert done.returncode == 2
    assert "--password-file" in complaint(done)


@pytest.mark.parametrize("arguments", [["get", "k"], ["put", "k", "v"], []])
def test_exit_3__nobody_listens__one_line_names_the_endpoint_at_once(tmp_path, arguments):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound but not listening: no other process gets the port, and nobody answers
        endpoint = f"tcp://127.0.0.1:{reserved.getsockname()[1]}"
        done = Tool("tcp://127.0.0.1:1", tmp_path).run("-s", endpoint, "-t", "1000", *arguments, typed=b"ping\nping\n")
    assert done.returncode == 3
    assert endpoint in complaint(done) and "kvbroker" in complaint(done) and "-s" in complaint(done)


LIMIT = 4  # seconds: enough to connect on a busy machine


def test_exit_4__peer_that_never_answers__within_the_limit(tmp_path):
    def run(command):
        begin = time.monotonic()
        return tool.run("-t", str(LIMIT), *command), time.monotonic() - begin

    with Front() as silent, ThreadPool(3) as pool:
        tool = Tool(silent.endpoint, tmp_path)
        ended = pool.map(run, [["get", "k"], ["put", "k", "v"], ["auth", "adam", "eve"]])
    for done, taken in ended:
        assert done.returncode == 4 and complaint(done).startswith("TIMEOUT: "), done
        assert LIMIT <= taken < LIMIT + TIMEOUT / 3


def test_exit_4__write_without_an_answer__says_that_its_outcome_is_unknown(broker, tmp_path):
    with Front() as front, broker.client() as behind:
        with Tool(front.endpoint, tmp_path).start("-t", str(LIMIT), "put", "k", "v") as process:
            front.forward(behind)  # hello; the put is not answered
            told = process.communicate(timeout=TIMEOUT)[1].decode()
    assert process.returncode == 4
    assert told.startswith("OUTCOME_UNKNOWN: ")


def test_exit_4__peer_that_is_no_broker__within_the_limit(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        begin = time.monotonic()
        done = Tool(f"tcp://127.0.0.1:{listener.getsockname()[1]}", tmp_path).run("-t", str(LIMIT), "ping")
    assert done.returncode == 4 and "something else" in complaint(done), done
    assert time.monotonic() - begin < LIMIT + TIMEOUT / 3


def test_exit_5__denied__guest_wrong_password_wrong_secret(tool, name):
    assert tool.run("clients").returncode == 5
    assert complaint(tool.run("manage", name, "get", "k")).startswith("PERMISSION_DENIED: ")
    done = tool.run("-u", "adam", "ping", KVZMQ_PASSWORD="wrong")
    assert done.returncode == 5 and complaint(done).startswith("UNAUTHENTICATED: ")
    assert tool.run("-n", name, "put", "k", "v", KVZMQ_SECRET="0123456789abcdef").returncode == 0
    assert tool.run("-n", name, "get", "k", KVZMQ_SECRET="fedcba9876543210").returncode == 5


def test_exit_7__unknown_client__is_another_status_than_an_absent_key(tool, name):
    done = tool.as_manager("manage", name, "get", "k")
    assert (done.returncode, done.stdout) == (7, b"")
    assert complaint(done).startswith("NOT_FOUND: ")
    tool.as_manager("manage", name, "put", "k", "v", "--create")
    assert tool.as_manager("manage", name, "get", "absent").returncode == 1


def test_del__nothing_there__says_so_and_is_exit_1(tool, name):
    shown = {form: tool.run("-n", name, "-o", form, "del", "k") for form in ("text", "json", "raw")}
    assert {form: (done.stdout, done.stderr, done.returncode) for form, done in shown.items()} == {
        "text": (b"no such key\n", b"", 1), "json": (b"null\n", b"", 1), "raw": (b"", b"", 1)}


def test_exit_6__limit_reached__is_any_other_error(tmp_path):
    with Broker(options={"limits/keys_per_client": 1}) as broker:
        done = Tool(broker.request_endpoint, tmp_path).run(typed=b"put a 1\nput b 2\n")
    assert done.returncode == 6 and complaint(done).startswith("line 2: RESOURCE_EXHAUSTED: ")


def test_put__one_shot_without_a_name__says_that_the_store_ends_with_it(tool, name):
    done = tool.run("put", "city", "Kolkata")
    assert (text(done), done.returncode) == ("Successfully set city as Kolkata\n", 0)
    assert "--name" in complaint(done) and "ends" in complaint(done)
    assert tool.run("-n", name, "put", "city", "Kolkata").stderr == b""
    assert tool.run(typed=b"put city Kolkata\nget city\n").stderr == b""
    assert tool.as_manager("manage", name, "put", "city", "Mumbai").stderr == b""


def test_exit_6__output_cannot_be_written__is_told(tool):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(tool.command(["ping"]), stdout=full, stderr=subprocess.PIPE, env=tool.environment,
                              timeout=TIMEOUT)
    assert done.returncode == 6
    assert b"written" in done.stderr


def test_exit_130__interrupted_while_it_waits_for_an_answer(tmp_path):
    with Front() as silent, Tool(silent.endpoint, tmp_path).start("-t", "60", "get", "k") as process:
        silent.wait_asked()
        wait_until(lambda: status_of(process.pid, "State") == "S", what="the tool waits")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT)
        assert process.returncode == 130


@pytest.mark.parametrize("arguments", [["-x", "put", "k"], []])
def test_exit_130__interrupted_while_it_reads_standard_input(tool, arguments):
    with tool.start(*arguments) as process:
        wait_until(lambda: catches_interrupts(process.pid), what="it catches SIGINT")
        process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT)
        assert process.returncode == 130
        process.kill()


@pytest.mark.parametrize("arguments", [("-u", "adam", "--password-file", "{}", "ping"), ("-n", "a", "--secret-file", "{}", "ping"),
                                       ("-u", "adam", "manage", "new", "put", "k", "v", "--create", "--secret-file", "{}")])
def test_exit_130__ctrl_c_while_a_password_file_is_read(tool, tmp_path, arguments):
    os.mkfifo(tmp_path / "pipe")
    words = [word.format(tmp_path / "pipe") for word in arguments]
    with tool.start("-o", "json", *words, KVZMQ_PASSWORD="eve") as process:
        wait_until(lambda: catches_interrupts(process.pid), what="it catches SIGINT")
        # Repeatedly: a signal that comes before it opens the file does not end the read.
        wait_until(lambda: process.send_signal(signal.SIGINT) or process.poll() is not None, what="the end of the tool")
        shown, told = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130 and told == b"", told
    assert json.loads(shown)["error"]["code"] == "INTERRUPTED"


def catches_interrupts(pid):
    return int(status_of(pid, "SigCgt"), 16) & (1 << (signal.SIGINT - 1))


@pytest.mark.parametrize("closed, arguments, complaint_of", [
    (0, (), "cannot read the commands: Bad file descriptor"),
    (0, ("-x", "put", "k"), "cannot read standard input: Bad file descriptor"),
    (1, ("get", "k"), "the output could not be written"),
])
def test_exit_6__standard_file_that_it_needs_is_closed__says_so_and_does_nothing(broker, tool, name, closed, arguments, complaint_of):
    with broker.client(name + "/wire") as client:
        client.call("put", "k", "v")
        done = subprocess.run(tool.command(["-n", name, *arguments]), preexec_fn=lambda: os.close(closed), capture_output=True,
                              env=tool.environment, timeout=2 * TIMEOUT, check=False)
        assert done.returncode == 6 and complaint_of in complaint(done), done
        assert client.call("get", "k") == "v"


def test_standard_files__all_closed__are_no_socket_of_the_tool(broker, tool, name):
    done = subprocess.run(tool.command(["-n", name, "put", "k", "v"]), preexec_fn=lambda: os.closerange(0, 3),
                          env=tool.environment, timeout=2 * TIMEOUT, check=False)
    assert done.returncode == 6  # it could not print the result
    with broker.client(name + "/wire") as client:
        assert client.call("get", "k") == "v"


# -- commands from a pipe


def test_pipe__commands_one_a_line__as_one_client(tool):
    typed = b'put city "New Delhi"\r\nget city\n\n# a comment\nput bytes "\\x00\\xff"\n  get bytes\nput it \'it\\\'s\'\nget it'
    done = tool.run(typed=typed)
    assert (done.stdout, done.stderr, done.returncode) == (
        b"Successfully set city as New Delhi\nNew Delhi\nSuccessfully set bytes as <2 bytes>\n\x00\xff\n"
        b"Successfully set it as it's\nit's\n", b"", 0)


def test_pipe__lines_that_fail__the_first_gives_the_status_and_the_rest_is_tried(tool):
    done = tool.run(typed=b'get absent\nbad command\nclients\nput "\nping\n')
    assert text(done) == "<blank>\npong\n"
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert [line.split(":")[0] for line in lines] == ["line 2", "line 3", "line 4"]
    assert tool.run(typed=b"bad command\nget absent\n").returncode == 2


def test_pipe__quit_and_bye__end_it(tool):
    assert text(tool.run(typed=b"ping\nquit\nping\n")) == "pong\n"
    assert text(tool.run(typed=b"exit\nping\n")) == ""
    assert text(tool.run(typed=b"bye\nping\n")) == "Bye\n"


def test_pipe__answers_come_at_once__not_at_the_end(tool):
    with tool.start() as process:
        for number in range(3):
            process.stdin.write(b"put k %d\nget k\n" % number)
            process.stdin.flush()
            assert process.stdout.readline() == b"Successfully set k as %d\n" % number
            assert process.stdout.readline() == b"%d\n" % number
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0


def test_pipe__session_of_a_manager__as_required(tool, name):
    done = tool.run(typed=f"auth adam eve\nmanage {name} put city Mumbai --create\nmanage {name} get city\n".encode())
    assert text(done) == "Authentication success\nSuccessfully set city as Mumbai\nMumbai\n"


def test_pipe__line_of_1_MiB_of_escapes__is_a_value(tool, name):
    typed = b'put k "' + b"\\xff" * 1048576 + b'"\n'
    assert tool.run("-n", name, typed=typed).returncode == 0
    assert tool.run("-n", name, "-o", "raw", "get", "k").stdout == b"\xff" * 1048576


def test_pipe__line_over_8_MiB__is_refused_and_the_next_is_tried(tool):
    done = tool.run(typed=b"put k " + b"v" * 8 * 1024 * 1024 + b"\nping\n")
    assert (text(done), done.returncode) == ("pong\n", 2)
    assert complaint(done).startswith("line 1: ")


def test_pipe__broker_gone__ends_at_the_first_line(tmp_path):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        done = Tool(f"tcp://127.0.0.1:{reserved.getsockname()[1]}", tmp_path).run(typed=b"ping\nping\nping\n")
    assert done.returncode == 3
    assert complaint(done).startswith("line 1: UNREACHABLE: ")


def test_pipe__session_timed_out__says_that_it_is_a_new_client(tmp_path):
    with Broker(options={"session/timeout": 1}) as broker:
        with Tool(broker.request_endpoint, tmp_path).start() as process:
            process.stdin.write(b"put k v\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"Successfully set k as v\n"
            process.send_signal(signal.SIGSTOP)  # so that it cannot keep the session alive
            broker.wait_log(r"timeout")
            process.send_signal(signal.SIGCONT)
            shown, told = process.communicate(b"get k\n", timeout=TIMEOUT)
    assert shown == b"<blank>\n" and process.returncode == 1
    assert b"new client" in told


# -- end and help


def test_end__of_each_way_to_use_it__is_a_bye_to_the_broker(tmp_path):
    with Broker() as broker:
        tool = Tool(broker.request_endpoint, tmp_path)
        tool.run("-n", "one-shot", "ping")
        tool.run("-n", "piped", typed=b"ping\n")
        tool.run("-n", "polite", typed=b"ping\nbye\n")
        for name in ("one-shot", "piped", "polite"):
            broker.wait_log(rf"{name} disconnected \(bye\)")


def test_help__lists_every_command_option_and_exit_code(tool):
    shown = text(tool.run("--help"))
    for word in ("get KEY", "put KEY VALUE", "manage CLIENT", "--server", "--timeout", "KVZMQ_PASSWORD"):
        assert word in shown
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 130):
        assert f"\n  {code:3}  " in shown


def test_help__one_command__needs_no_broker(tmp_path):
    done = Tool("tcp://127.0.0.1:1", tmp_path).run("help", "put")
    assert text(done).startswith("Usage: put KEY VALUE [--ttl TIME]") and done.returncode == 0
    assert Tool("tcp://127.0.0.1:1", tmp_path).run("--version").stdout.startswith(b"kvzmq-cli 0.")
