# SPDX-License-Identifier: MPL-2.0
"""Every command block of README.md, run as it stands there but for where the build and the broker are."""

import json
import os
import pathlib
import re
import subprocess
import sys

from kvtest import REPOSITORY, TIMEOUT, binary_of

README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.S)

# Up to the broker's start; then its clients; what stands there is not changed.
START = "kvbroker --config kvbroker.conf &\n"
AWAIT = "for i in $(seq 100); do kvzmq-cli ping >/dev/null 2>&1 && break; kill -0 $!; done\n"


def blocks(language):
    return [text for kind, text in BLOCKS if kind == language]


def script(folder):
    """The shell blocks behind the two commands, as one script on a broker of its own."""
    build = pathlib.Path(binary_of("kvbroker")).parents[1]
    text = "".join(blocks("sh")[2:])
    text = re.sub(r"(\$PWD/)?build/release", lambda _: str(build), text)
    endpoints = f'listen\\n    requests = "ipc://{folder}/requests"\\n    events = "ipc://{folder}/events"\\n'
    assert START in text
    return text.replace(START, f"printf '{endpoints}' >>kvbroker.conf\n{START}{AWAIT}")


def python_block(folder):
    (program,) = blocks("python")
    assert len([line for line in program.splitlines() if line.strip()]) == 15
    return program.replace("tcp://127.0.0.1:5000", f"ipc://{folder}/requests")


def same_shape(text):
    """TEXT without what differs from run to run: times, numbers, and the epoch."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  \d+", "TIME  SEQ", re.sub(r"epoch \S+", "EPOCH", text))
    return re.sub(r"by \d{5} ", "by NUMBER ", text)


def test_first_commands__are_quickstart_and_run():
    """Both have tests of their own; CI runs the second."""
    first, second = blocks("sh")[:2]
    assert [block.split()[0] for block in (first, second)] == ["examples/quickstart", "tests/run"]
    assert "tests/run" in (REPOSITORY / ".ci" / "run").read_text()


def test_shell_and_python_blocks__do_what_they_say(tmp_path):
    program = tmp_path / "client.py"
    program.write_text(python_block(tmp_path))
    everything = script(tmp_path) + f"{sys.executable} {program}\nkill $!\nwait $!\n"
    environment = dict(os.environ, KVZMQ_SERVER=f"ipc://{tmp_path}/requests")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", everything], cwd=tmp_path, env=environment, capture_output=True,
                          text=True, timeout=4 * TIMEOUT)
    assert done.returncode == 0, everything + done.stdout + done.stderr
    out = done.stdout
    (shown,) = blocks("console")
    assert same_shape(shown) in same_shape(out), (shown, out)
    shown = ["Successfully set city as Kolkata\nKolkata\n", "Successfully set city as Mumbai\n", "lamp", "\nMumbai\n", "\n1000\n",
             '"Mumbai"\n', "  ready  ", "  connect  by ", "entry  blob", '"client": "lamp"', "  ready  ",
             "equal", "250\n", "[['interval_ms', '250',"]
    for text in shown:
        assert text in out, (text, out)
        out = out[out.index(text) + len(text) - 1:]


def test_interactive_session__is_the_one_that_is_tested_on_terminals():
    (session,) = blocks("text")
    tested = (REPOSITORY / "tests" / "interop" / "test_required_session.py").read_text()
    typed = re.findall(r"> (\S.*?)(?:  |$)", session, re.M)
    assert len(typed) == 8
    for command in typed:
        assert json.dumps(command) in tested, command


def test_configuration_table__names_keys_that_exist():
    keys = re.findall(r"^\| `([a-z]+/[a-zA-Z]+)`", README, re.M)
    assert len(keys) >= 6
    help_text = subprocess.run([binary_of("kvbroker"), "--help-config"], capture_output=True, text=True, timeout=TIMEOUT).stdout
    for key in keys:
        section, name = key.split("/")
        assert re.search(rf"^#{section}\n(#.*\n)*#    {name} = ", help_text, re.M), key
