# SPDX-License-Identifier: MPL-2.0
"""Messages about options, paths, endpoints and configurations are lines of valid UTF-8 without control characters, whatever
bytes the programs were given."""

import json
import os

import pytest

from kvbroker import kvbroker

FOREIGN = b"a\n\r\t\x1b[31mb\x9b\x7f\xff\xc3\xe2\x80\xae\xc2\x85z"  # line breaks, escapes, C1, invalid UTF-8, U+202E
QUOTED = r"a\n\r\t\x1b[31mb\x9b\x7f\xff\xc3\u{202e}\u{85}z"


def printable(output):
    """Returns OUTPUT as text. Checks that it is lines of printable UTF-8."""
    assert output
    text = output.decode()
    assert all(line.isprintable() for line in text.removesuffix("\n").split("\n")), text
    return text


def check_quotes(text):
    """Checks that TEXT quotes FOREIGN, and that every escaped line break in it belongs to a whole quote."""
    assert 0 < text.count(QUOTED) == text.count("\\n"), text


def refused(*arguments):
    """Runs the broker, which must fail. Returns what it says."""
    done = kvbroker(*arguments)
    assert done.returncode != 0
    return printable(done.stderr)


@pytest.mark.parametrize("arguments", [
    ["--config", FOREIGN], ["--check-config", "--config", FOREIGN], ["--set", FOREIGN], ["--set", b"listen/requests=" + FOREIGN],
    ["--set", b"listen/requests=ipc:///" + FOREIGN + b"/x"], ["--set", b"log/" + FOREIGN + b"=1"], ["--set", b"session/timeout=" + FOREIGN],
    ["--set", b"managers/" + FOREIGN + b"=1"], ["--set", b"listen/advertise=" + FOREIGN], [b"--" + FOREIGN], [FOREIGN],
    [b"hash-password", FOREIGN]])
def test_broker__option_or_path_of_any_bytes__is_quoted(arguments):
    check_quotes(refused(*arguments))


@pytest.mark.parametrize("arguments, shown", [(["--set", b"managers/adam=" + FOREIGN], "managers/adam is not"), ([b"-" + FOREIGN[4:]], r"option -\x1b;")])
def test_broker__password_hash_or_letters_of_any_bytes__are_not_shown_whole(arguments, shown):
    assert shown in refused(*arguments)


@pytest.mark.parametrize("text", [FOREIGN, b"listen\n    " + FOREIGN, b"listen\n    requests = " + FOREIGN, b"listen\n    requests = \"" + FOREIGN[3:],
                                  b"managers\n    adam = " + FOREIGN[3:], FOREIGN[3:] + b"\n    a = 1"])
def test_broker__configuration_of_any_bytes__is_quoted(tmp_path, text):
    path = os.fsencode(tmp_path) + b"/" + FOREIGN
    with open(path, "wb") as file:
        file.write(text + b"\n")
    check_quotes(refused("--check-config", "--config", path))


@pytest.mark.parametrize("arguments", [
    ["-s", FOREIGN, "ping"], ["-s", b"tcp://" + FOREIGN, "ping"], ["-s", b"ipc:///tmp/" + FOREIGN, "ping"], ["-s", b"tcp://127.0.0.1:1" + FOREIGN, "ping"],
    ["--password-file", FOREIGN, "-u", "a", "ping"], ["--secret-file", FOREIGN, "--name", "a", "ping"], ["-o", FOREIGN, "ping"],
    ["-t", FOREIGN, "ping"], [b"--" + FOREIGN], [FOREIGN], ["put", "--ttl", FOREIGN, "k", "v"], ["list", "--limit", FOREIGN], ["ping", FOREIGN],
    ["watch", "--since", FOREIGN], ["put", "k", "v", FOREIGN], ["manage", FOREIGN, FOREIGN]])
def test_tool__argument_of_any_bytes__is_quoted(tool, arguments):
    done = tool.run(*arguments)
    check_quotes(printable(done.stderr))
    assert done.returncode != 0 and done.stdout == b""
    done = tool.run("-o", "json", *arguments)
    check_quotes(printable(done.stderr))
    check_quotes(json.loads(printable(done.stdout))["error"]["message"])


@pytest.mark.parametrize("arguments", [["--name", FOREIGN, "ping"], ["manage", FOREIGN, "get", "k"]])
def test_tool__name_of_any_bytes__is_not_shown(tool, arguments):
    done = tool.run("-o", "json", *arguments)
    assert done.returncode != 0
    for output in (done.stderr, done.stdout):
        assert "\\" not in printable(output)


def test_tool__typed_line_of_any_bytes__is_quoted(tool):
    done = tool.run(typed=FOREIGN.replace(b"\n", b"") + b"\nget " + FOREIGN[4:] + b"\n")
    first, second = printable(done.stderr).splitlines()[:2]
    assert first.startswith("line 1: Illegal command: a: ") and f'"{QUOTED[7:]}"' in second, done
