# SPDX-License-Identifier: MPL-2.0
"""Starts a broker and plays a session of two people who use kvzmq-cli, each on a pseudo-terminal. Shows what they type
and see, and compares the answers with the expected ones. examples/quickstart calls it with the folder of the programs."""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

FIRST_ID = 48106
PATIENCE = 30  # seconds that a single step may take

# Who types what, and the expected answer. The clients take turns, as two people would.
SESSION = [
    (1, "get city", "<blank>"),
    (1, "put city Kolkata", "Successfully set city as Kolkata"),
    (1, "get city", "Kolkata"),
    (1, "bad command", "Illegal command"),
    (2, "auth adam eve", "Authentication success"),
    (2, f"manage {FIRST_ID} get city", "Kolkata"),
    (2, f"manage {FIRST_ID} put city Mumbai", "Successfully set city as Mumbai"),
    (2, "get city", "<blank>"),
    (1, "get city", "Mumbai"),
]


class Failure(Exception):
    pass


class Terminal:
    """An interactive program on a pseudo-terminal, which gets its input line by line. Its prompt is `> `."""

    def __init__(self, command, environment):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment,
                                        start_new_session=True)
        os.close(slave)
        self.greeting = self.answer()

    def answer(self):
        """Returns what the program writes up to its next prompt, as lines without control sequences of the terminal."""
        deadline = time.monotonic() + PATIENCE
        text = ""
        while not re.search(r"(^|\n)> $", text):
            readable, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            try:
                piece = os.read(self.master, 65536) if readable else b""
            except OSError:  # the pseudo-terminal's way to report that the program has ended
                piece = b""
            if not piece:
                raise Failure(f"no prompt came; the program wrote: {text!r}")
            text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", piece.decode("utf-8", "replace"))
        return text.split("\n")[:-1]

    def type(self, line):
        os.write(self.master, line.encode() + b"\n")
        echo, *rest = self.answer()
        return "\n".join(rest)

    def leave(self):
        """Types Ctrl-D at the prompt. The program must then end with status 0."""
        os.write(self.master, b"\x04")
        status = self.process.wait(PATIENCE)
        if status != 0:
            raise Failure(f"kvzmq-cli ended with status {status}")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


def start_broker(programs, folder):
    """Starts a broker with the account adam/eve on free ports. Returns its process, its request endpoint and its log."""
    digest = subprocess.run([programs / "kvbroker", "hash-password"], input="eve\n", text=True, capture_output=True,
                            timeout=PATIENCE, check=True).stdout.strip()
    config = folder / "kvbroker.cfg"
    config.write_text("listen\n"
                      '    requests = "tcp://127.0.0.1:*"\n'
                      '    events = "tcp://127.0.0.1:*"\n'
                      "ids\n"
                      f"    first = {FIRST_ID}\n"
                      "managers\n"
                      f'    adam = "{digest}"\n')
    print("The broker's configuration (kvbroker hash-password made the hash of adam's password):\n")
    print(indented(config.read_text()))
    log = folder / "kvbroker.log"
    with log.open("w") as out:
        process = subprocess.Popen([programs / "kvbroker", "--config", config], stderr=out, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while not re.search(r"(?i)\bready\b", log.read_text()):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise Failure(f"the broker did not start:\n{log.read_text()}")
        time.sleep(0.02)
    return process, re.search(r"tcp://\S+:\d+", log.read_text()).group(0), log


def play(clients):
    """Plays the session. Returns the number of unexpected answers."""
    wrong = 0
    last = None
    for number, typed, expected in SESSION:
        if number != last:
            # At the user's first turn, also the tool's greeting.
            print(f"  client {number}:", *clients[number].greeting)
            clients[number].greeting = []
            last = number
        seen = clients[number].type(typed)
        print(f"    > {typed}")
        print(f"    {seen}")
        if seen != expected:
            wrong += 1
            print(f"    ^^^ expected: {expected}")
    return wrong


def indented(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


def run(programs, folder):
    broker, endpoint, log = start_broker(programs, folder)
    clients = {}
    try:
        # Keeps the tool's history out of the user's folder. A plain terminal keeps its output readable.
        environment = {**os.environ, "TERM": "dumb", "XDG_STATE_HOME": str(folder / "state")}
        for number in (1, 2):
            clients[number] = Terminal([programs / "kvzmq-cli", "--server", endpoint, "--timeout", str(PATIENCE)], environment)
        print(f"Two people at kvzmq-cli --server {endpoint}:\n")
        wrong = play(clients)
        for client in clients.values():
            client.leave()
        broker.send_signal(signal.SIGINT)
        status = broker.wait(PATIENCE)
        print("\nThe broker's log, Ctrl-C at its end:\n")
        print(indented(log.read_text()))
        if status != 0:
            raise Failure(f"the broker ended with status {status}")
        return wrong
    finally:
        for client in clients.values():
            client.close()
        if broker.poll() is None:
            broker.kill()
            broker.wait()


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kvbroker-quickstart-"))
    try:
        wrong = run(programs, folder)
    except (Failure, subprocess.SubprocessError, OSError) as problem:
        print(f"quickstart: {problem}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if wrong:
        print(f"quickstart: {wrong} of {len(SESSION)} answers are not the expected ones", file=sys.stderr)
        return 1
    print(f"""All {len(SESSION)} answers are the expected ones; everything is stopped again.

The programs are in {os.path.relpath(programs)}. Go on with "A first session" in README.md, which does the same by hand, or run
examples/fleet: 50 devices, and a manager that configures and watches them all.""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
