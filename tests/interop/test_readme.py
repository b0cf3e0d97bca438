# SPDX-License-Identifier: MPL-2.0
"""README.md, typed from its first to its last command in a fresh home and a fresh checkout, at two terminals."""

import re
import subprocess
import sys

import pytest

from broker import Broker
from kvbroker import kvbroker
from network import Network
from project import REPOSITORY, SANITIZED, SANITIZER_FLAGS, build_folder, fresh_checkout
from terminal import Terminal
from waiting import TIMEOUT, wait_until
from walkthrough import ENVIRONMENT, Person, blocks_of, same_shape, type_commands, type_session

README = (REPOSITORY / "README.md").read_text()

# A stand-in for cmake. It builds nothing: it provides the requested targets, and only those, from the build under test, and
# installs that build. The tool gets a time limit that a busy machine does not reach.
CMAKE = f"""#!{sys.executable}
import os, pathlib, sys
here, there = pathlib.Path("build/release"), pathlib.Path({str(build_folder())!r})
programs = {{"kvbroker": "bin", "kvzmq-cli": "bin", "device": "examples"}}
arguments = sys.argv[1:]
if arguments == ["--preset", "release"]:
    here.mkdir(parents=True, exist_ok=True)
elif arguments[:3] == ["--build", "--preset", "release"] and here.exists():
    targets = arguments[4:] if arguments[3:4] == ["--target"] else programs
    for target in targets:
        program = here / programs[target] / target
        program.parent.mkdir(exist_ok=True)
        limit = "--timeout 60" if target == "kvzmq-cli" else ""
        program.write_text(f'#!/bin/sh\\nexec {{there / programs[target] / target}} {{limit}} "$@"\\n')
        program.chmod(0o755)
elif arguments[:2] == ["--install", str(here)] and here.exists():
    os.execv("/usr/bin/cmake", ["/usr/bin/cmake", "--install", str(there), *arguments[2:]])
else:
    sys.exit(f"cmake {{arguments}}: not expected")
"""


@pytest.fixture
def checkout(tmp_path):
    return fresh_checkout(tmp_path / "kvbroker", "corpus")


@pytest.fixture
def people(tmp_path, checkout):
    """Two users at terminals with a shell, in the checkout and in the same network."""
    home, tools = tmp_path / "home", tmp_path / "tools"
    home.mkdir()
    tools.mkdir()
    (tools / "cmake").write_text(CMAKE)
    (tools / "cmake").chmod(0o755)
    environment = {**ENVIRONMENT, "HOME": str(home), "PATH": f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin",
                   "PYTHONDONTWRITEBYTECODE": "1"}
    if SANITIZED:
        environment["CFLAGS"] = " ".join(SANITIZER_FLAGS)
    with Network() as network:
        shell = [*network.inside, "env", f"--chdir={checkout}", "bash", "--norc", "--noprofile", "-i"]
        with Terminal(shell, environment) as one, Terminal(shell, environment) as two:
            yield Person(one), Person(two)


def settle_in(home):
    """Returns a function that waits until the broker's log shows the effect of a line. (A user types too slowly to notice it.)"""
    log = home / "kvbroker.log"

    def settle(line):
        if line.endswith(" &"):
            wait_until(lambda: log.exists() and log.read_text().endswith(" ready\n"), what="the broker is ready")
        if line.startswith("kill -HUP"):
            wait_until(lambda: "SIGHUP: the configuration was read again" in log.read_text(), what="SIGHUP took effect")

    return settle


def type_all(blocks, people, checkout, settle):
    """Types the blocks of the document. A terminal that is named before a block is used until another one is named."""
    terminal, shown = 0, None
    for block in blocks:
        if named := re.search(r"\b(first|second) terminal\b", block.before):
            terminal = ["first", "second"].index(named[1])
        if block.text == "tests/run\n":
            continue  # it runs this test
        if block.kind == "sh":
            shown = type_commands(people[terminal], block.text, settle)
        elif block.kind == "console":
            assert same_shape(shown) == same_shape(block.text)
        elif block.kind == "text":
            type_session(people, block.text)
        else:
            (checkout / re.search(r"[Ss]ave this as `([\w.]+)`", block.before)[1]).write_text(block.text)


def test_every_command__typed_in_order__does_what_the_text_says(people, checkout, tmp_path):
    blocks = blocks_of(README)
    assert len(blocks) > 25
    type_all(blocks, people, checkout, settle_in(tmp_path / "home"))
    left = subprocess.run(["pgrep", "-f", f"^{checkout}"], capture_output=True, text=True, check=False).stdout
    assert left == "", "a process is left running"


def test_test_command__is_what_ci_runs():
    assert "tests/run" in (REPOSITORY / ".ci" / "run").read_text()


def test_configuration_table__names_keys_that_exist():
    keys = re.findall(r"^\| `([a-z]+/[a-zA-Z]+)`", README, re.M)
    assert len(keys) >= 6
    help_text = kvbroker("--help-config").stdout.decode()
    for key in keys:
        section, name = key.split("/")
        assert re.search(rf"^#{section}\n(#.*\n)*#    {name} = ", help_text, re.M), key


# ---- The Python program


def python_program(endpoint, then=""):
    """Returns a command that runs the README's program with the broker at ENDPOINT, and then the code THEN."""
    (program,) = [block.text for block in blocks_of(README) if block.kind == "python"]
    assert program.count("tcp://127.0.0.1:5000") == 1
    return [sys.executable, "-c", program.replace("tcp://127.0.0.1:5000", endpoint) + then]


def test_python_program__after_its_session_has_timed_out__gets_the_right_answers():
    then = f"""
assert socket.poll({int(TIMEOUT * 1000)}), "no bye came"
call("put", "a", "1")
assert [call("get", "a"), call("get", "interval_ms"), call("ping")] == ["1", "250", "pong"]
"""
    with Broker(options={"session/timeout": 1}) as broker:
        done = subprocess.run(python_program(broker.request_endpoint, then), capture_output=True, text=True, check=False,
                              timeout=4 * TIMEOUT)
    assert done.returncode == 0, done.stderr


def test_python_program__twice_at_once__both_are_answered():
    with Broker() as broker:
        with subprocess.Popen(python_program(broker.request_endpoint, "input()\n"), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as first:
            assert first.stdout.readline() == "250\n"
            second = subprocess.run(python_program(broker.request_endpoint), capture_output=True, text=True, check=False,
                                    timeout=2 * TIMEOUT)
            first.communicate("\n", timeout=TIMEOUT)
    assert second.returncode == 0 and second.stdout == "250\ninterval_ms = 250\n", second.stderr


def test_python_program__a_broker_that_does_not_answer__says_so_and_ends(tmp_path):
    program = [word.replace("poll(5000)", "poll(50)") for word in python_program(f"ipc://{tmp_path}/nobody")]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert done.returncode == 1 and "TimeoutError: no answer to put" in done.stderr


def test_examples__that_choose_an_identity__draw_its_instance():
    texts = [README, *(path.read_text() for path in (REPOSITORY / "examples").rglob("*") if path.is_file())]
    chosen = [line for text in texts for line in text.splitlines() if re.search(r"\brouting_id\s*=|\bROUTING_ID\b", line)]
    assert chosen and all("urandom" in line for line in chosen), chosen
