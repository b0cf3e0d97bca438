# SPDX-License-Identifier: MPL-2.0
"""Messages about options, paths, endpoints and configurations are lines of valid UTF-8 without control characters, whatever
bytes the programs were given."""

import os
import subprocess

import pytest

from broker import Broker
from project import binary_of
from tool import Tool
from waiting import TIMEOUT

FOREIGN = b"a\n\r\t\x1b[31mb\x9b\x7f\xff\xc3\xe2\x80\xae\xc2\x85z"  # line breaks, escapes, C1, invalid UTF-8, U+202E


def check_lines(output):
    assert output
    for line in output.removesuffix(b"\n").split(b"\n"):
        text = line.decode()  # it is UTF-8
        assert text.isprintable(), text
        assert text.count("\\n") <= 2, "a line break was not escaped as expected"
    return output.decode()


def run(program, *arguments, typed=b"", **environment):
    done = subprocess.run([binary_of(program), *arguments], input=typed, capture_output=True, timeout=2 * TIMEOUT,
                          env={**os.environ, **environment})
    assert done.returncode != 0
    return done


@pytest.mark.parametrize("arguments", [
    ["--config", FOREIGN], ["--check-config", "--config", FOREIGN], ["--set", FOREIGN], ["--set", b"listen/requests=" + FOREIGN],
    ["--set", b"listen/requests=ipc:///" + FOREIGN + b"/x"], ["--set", b"log/" + FOREIGN + b"=1"], ["--set", b"session/timeout=" + FOREIGN],
    ["--set", b"managers/" + FOREIGN + b"=1"], ["--set", b"managers/adam=" + FOREIGN], ["--set", b"listen/advertise=" + FOREIGN],
    [b"--" + FOREIGN], [b"-" + FOREIGN[4:]], [FOREIGN], [b"hash-password", FOREIGN]])
def test_broker__option_or_path_of_any_bytes__is_quoted(arguments):
    check_lines(run("kvbroker", *arguments).stderr)


@pytest.mark.parametrize("text", [FOREIGN, b"listen\n    " + FOREIGN, b"listen\n    requests = " + FOREIGN, b"listen\n    requests = \"" + FOREIGN[3:],
                                  b"managers\n    adam = " + FOREIGN[3:], FOREIGN[3:] + b"\n    a = 1"])
def test_broker__configuration_of_any_bytes__is_quoted(tmp_path, text):
    path = os.fsencode(tmp_path) + b"/" + FOREIGN
    with open(path, "wb") as file:
        file.write(text + b"\n")
    check_lines(run("kvbroker", "--check-config", "--config", path).stderr)


@pytest.mark.parametrize("arguments", [
    ["-s", FOREIGN, "ping"], ["-s", b"tcp://" + FOREIGN, "ping"], ["-s", b"ipc:///tmp/" + FOREIGN, "ping"], ["-s", b"tcp://127.0.0.1:1" + FOREIGN, "ping"],
    ["--name", FOREIGN, "ping"], ["--password-file", FOREIGN, "-u", "a", "ping"], ["--secret-file", FOREIGN, "--name", "a", "ping"], ["-o", FOREIGN, "ping"],
    ["-t", FOREIGN, "ping"], [b"--" + FOREIGN], [FOREIGN], ["put", "--ttl", FOREIGN, "k", "v"], ["list", "--limit", FOREIGN], ["ping", FOREIGN],
    ["watch", "--since", FOREIGN], ["put", "k", "v", FOREIGN], ["manage", FOREIGN, FOREIGN], ["manage", FOREIGN, "get", "k"]])
@pytest.mark.parametrize("format", ["text", "json"])
def test_tool__argument_of_any_bytes__is_quoted(broker, arguments, format):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KVZMQ_")}
    done = run("kvzmq-cli", "-o", format, *arguments, KVZMQ_SERVER=broker.request_endpoint, **environment)
    check_lines(done.stderr)
    if done.stdout:
        check_lines(done.stdout)


@pytest.fixture(scope="module")
def broker():
    with Broker() as running:
        yield running


def test_tool__typed_line_of_any_bytes__is_quoted(broker, tmp_path):
    done = Tool(broker.request_endpoint, tmp_path).run(typed=FOREIGN.replace(b"\n", b"") + b"\nget " + FOREIGN[4:] + b"\n")
    check_lines(done.stderr)
