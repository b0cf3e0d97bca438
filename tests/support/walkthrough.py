# SPDX-License-Identifier: MPL-2.0
"""Follows a document from its first to its last line, typing like a user at two terminals. The output must be what the
document shows. Its blocks:

    ```sh       commands, typed into the terminal that was named last (the "first terminal", the "second terminal")
    ```console  the output of the commands of the block before it
    ```text     a session at both terminals in two columns, in the order of its lines; "$ " is the shell, "> " the tool
    ```LANGUAGE a file; the text before it gives its name: Save this as `NAME`
"""

import dataclasses
import re

from terminal import ENTER
from waiting import TIMEOUT

PROMPT = r"^(?:\[(?P<status>\d+)\]\$|>) \Z"  # of the shell (see ENVIRONMENT), or of the tool or a continued line
ENVIRONMENT = {"PS1": "[$?]$ ", "PS2": "> ", "TERM": "xterm", "LANG": "C.UTF-8"}
PATIENCE = 8 * TIMEOUT  # seconds for a command


@dataclasses.dataclass
class Block:
    kind: str
    text: str
    before: str  # the paragraph before it


def blocks_of(document):
    """Returns the blocks of a document, each with the paragraph before it; blank lines may be between them."""
    found = []
    lines, ended, inside, before = [], False, None, ""
    for line in document.split("\n"):
        if inside is not None and line == "```":
            found.append(Block(inside, "".join(f"{text}\n" for text in lines), before))
            lines, inside = [], None
        elif inside is None and line.startswith("```"):
            before, lines, inside = " ".join(lines), [], line[3:]
        elif inside is None and ended and line:
            lines = [line]
        elif inside is not None or line:
            lines.append(line)
        ended = inside is None and not line
    assert inside is None, "a block has no end"
    return found


def same_shape(text):
    """Returns TEXT without the parts that differ between runs: times, sequence numbers, the epoch, the shell's job messages."""
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME", text)
    text = re.sub(r"^TIME  \d+", "TIME  SEQ", text, flags=re.M)
    text = re.sub(r"epoch \S+", "epoch EPOCH", text)
    text = re.sub(r"^(\w+ +equal +)\d+$", r"\1SEQ", text, flags=re.M)
    text = re.sub(r"^\[1\].*\n", "", text, flags=re.M)
    text = re.sub(r"\d+\.\d+ s\b", "SECONDS", text)
    return re.sub(r" +", " ", text).strip()


class Person:
    """Types at a terminal in which a shell runs with ENVIRONMENT."""

    def __init__(self, terminal):
        self.terminal = terminal
        self.terminal.wait(PROMPT)
        self.type("stty cols 300")  # so that no line is wrapped

    def type(self, line):
        """Types a line. Returns what is shown in answer, and the exit status: None if the shell or the tool wants more input."""
        self.terminal.press(line + ENTER)
        self.terminal.wait(re.escape(line) + "\n", PATIENCE)
        shown = self.terminal.wait(PROMPT, PATIENCE)
        *lines, prompt = shown.split("\n")
        status = re.fullmatch(PROMPT, prompt)["status"]
        return "".join(f"{text}\n" for text in lines), None if status is None else int(status)


def type_commands(person, commands, settle):
    """Types the lines of a block. Each must succeed, unless the line after it prints its status. Returns what was shown.
    Calls SETTLE with each line after it was typed, to wait for what a user would wait for."""
    lines = commands.splitlines()
    out = ""
    for line, following in zip(lines, [*lines[1:], ""]):
        shown, status = person.type(line)
        assert status in (0, None) or "$?" in following, f"{line}\n{shown}exit status {status}"
        out += shown
        settle(line)
    return out


def type_session(people, session):
    """Types a session in two columns, and compares all answers."""
    lines = session.splitlines()
    edge = next(len(line) - len(line.lstrip()) for line in lines if line.startswith(" "))
    cells = [(side, text.rstrip()) for line in lines for side, text in enumerate((line[:edge], line[edge:]))]
    for index, (side, text) in enumerate(cells):
        if not text.startswith(("$ ", "> ")):
            continue
        expected = []
        for other, answer in cells[index + 1:]:
            if other == side and answer.startswith(("$ ", "> ")):
                break
            if other == side and answer:
                expected.append(answer)
        shown, status = people[side].type(text[2:])
        assert shown.splitlines() == expected and status in (0, None), (text, shown, expected, status)
