# SPDX-License-Identifier: MPL-2.0
"""examples/watch.c prints changes until Ctrl-C, and says what is wrong. kvzmq.h shows the same code in short."""

import os
import re
import signal
import subprocess

from broker import DEFAULT_ACCOUNT, Broker
from project import REPOSITORY, build_folder
from running import Running
from waiting import TIMEOUT, wait_until

USER, PASSWORD = DEFAULT_ACCOUNT


def start(*arguments, password=PASSWORD):
    program = build_folder() / "examples" / "watch"
    return subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "KVZMQ_PASSWORD": password})


def test_watch__of_a_store__prints_its_state_and_each_change_until_ctrl_c():
    with Broker() as broker, broker.client("lamp") as lamp:
        first = lamp.call("put", "colour", "red")
        with Running(start(broker.request_endpoint, USER, "lamp")) as watch:
            assert watch.line() == f"{first} entry lamp colour = red"
            assert re.fullmatch(r"\d+ ready", watch.line())
            second = lamp.call("put", "colour", "blue")
            while (said := watch.line()) != f"{second} put lamp colour = blue":
                assert re.fullmatch(r"\d+ position", said)
            process = watch.process  # repeatedly: a signal between a check and poll(2) goes unnoticed
            wait_until(lambda: process.send_signal(signal.SIGINT) or process.poll() is not None, what="the end of the program")
            assert process.returncode == 0


def test_watch__wrong_password__says_so():
    with Broker() as broker, start(broker.request_endpoint, USER, password="wrong") as watch:
        out, error = watch.communicate(timeout=TIMEOUT)
        assert watch.returncode == 1 and out == "" and error.startswith("UNAUTHENTICATED: ")


def test_watch__is_what_the_header_shows():
    header = (REPOSITORY / "client" / "include" / "kvzmq.h").read_text()
    section = header[header.index("---- Watching"):]
    shown = [line.removeprefix(" *     ").strip() for line in section[:section.index("*/")].splitlines() if line.startswith(" *     ")]
    program = [line.strip() for line in (REPOSITORY / "examples" / "watch.c").read_text().splitlines()]
    values = ("connection.user =", "connection.password =", "wanted.client =")  # the program has them from its command line
    assert len(shown) > 10
    for line in shown:
        assert line in program or line.startswith(values), line
