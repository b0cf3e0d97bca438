# SPDX-License-Identifier: MPL-2.0
"""Everything that the documents name exists: commands and their options, files, presets. And the examples of kvzmq.h compile."""

import configparser
import itertools
import json
import re
import shlex
import subprocess

import pytest

import check_layers
from broker import Broker
from project import REPOSITORY, SANITIZER_FLAGS, binary_of, build_folder
from waiting import TIMEOUT

DOCUMENTS = ["README.md", "SECURITY.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "common/PROTOCOL.md",
             "examples/kvbroker.conf"]
FOLDERS = ("broker/", "client/", "common/", "tests/", "examples/")
HEADER = REPOSITORY / "client" / "include" / "kvzmq.h"


def quoted():
    """Yields (FILE:LINE, text) of everything that the documents quote as code."""
    for name in DOCUMENTS:
        text = (REPOSITORY / name).read_text()
        for found in re.finditer(r"`([^`\n]+)`|\"(kv[^\"\n]+)\"", text):
            yield f"{name}:{text.count(chr(10), 0, found.start()) + 1}", found[1] or found[2]


def help_of(program, *arguments):
    return subprocess.run([binary_of(program), *arguments], capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout


def anchor_of(heading):
    """Returns the anchor that sites which render Markdown give HEADING."""
    return "#" + re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")


def pictures():
    """Those of ARCHITECTURE.md."""
    return re.findall(r"^```text\n(.*?)^```", (REPOSITORY / "ARCHITECTURE.md").read_text(), re.M | re.S)


def test_contents_of_the_protocol__are_its_headings():
    text = (REPOSITORY / "common" / "PROTOCOL.md").read_text()
    listed = re.findall(r"^ *\* \[(.*)\]\((#.*)\)$", text, re.M)
    headings = [heading for heading in re.findall(r"^###? (.*)", text, re.M) if heading != "Contents"]
    assert len(headings) > 15
    assert listed == [(heading, anchor_of(heading)) for heading in headings]


def test_example_of_the_protocol__is_what_the_broker_answers():
    text = (REPOSITORY / "common" / "PROTOCOL.md").read_text()
    blocks = re.findall(r"^```text\n(.*?)^```", text.split("\n### 2.2 ")[1].split("\n### ")[0], re.M | re.S)
    request, answer = ("".join(re.match(r"(?:[0-9a-f]{2} )+", line)[0] for line in block.splitlines()) for block in blocks)
    with Broker() as broker, broker.client() as client:
        client.send_raw(bytes.fromhex(request))
        assert [frame.hex(" ") for frame in client.recv_frames()] == [answer.strip()]


@pytest.fixture(scope="module")
def helps():
    """{program: its help}. The tool's includes the help of each of its commands."""
    tool = help_of("kvzmq-cli", "--help")
    commands = re.findall(r"^  ([a-z]+) ", tool[tool.index("\nCommands:"):], re.M)
    assert len(commands) > 15
    tool += "".join(help_of("kvzmq-cli", "help", command) for command in commands)
    return {"kvzmq-cli": tool, "kvbroker": help_of("kvbroker", "--help")}


def test_commands__that_are_quoted__exist_with_their_options(helps):
    commands = [(where, shlex.split(text)) for where, text in quoted() if re.match(r"(kvbroker|kvzmq-cli) [a-z-]", text)]
    assert len(commands) > 10
    for where, (program, *words) in commands:
        for word in words:
            if word.startswith("-") and word != "--":
                name = word.split("=")[0]
                assert re.search(rf"(^|[\s,\[]){re.escape(name)}\b", helps[program], re.M), f"{where}: {name}"
        if re.fullmatch(r"[a-z][a-z-]*", words[0]):
            assert re.search(rf"^  {words[0]} ", helps[program], re.M), f"{where}: {words[0]}"


def test_files__that_are_named__exist():
    names = [(where, word) for where, text in quoted() if where.split(":")[0] != "common/PROTOCOL.md"
             for word in text.split()[:1] if word.startswith(FOLDERS)]
    assert len(names) > 30
    for where, name in names:
        assert (REPOSITORY / name).exists(), f"{where}: {name}"


def test_sources__that_are_named__exist():
    """With or without their folder. A document may have the reader save one."""
    there = {path.name for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.*")}
    named = 0
    for where, text in quoted():
        saved = re.findall(r"Save this as `([^`]+)`", (REPOSITORY / where.split(":")[0]).read_text())
        for name in re.findall(r"[\w-]+\.(?:py|c|h|def)\b", text):
            named += 1
            assert name in there or name in saved, f"{where}: {name}"
    assert named > 30


def test_modules__that_the_layout_names__are_all_there_are():
    """ARCHITECTURE.md has a table for each folder of the broker, after a line that begins with the folder."""
    layout = (REPOSITORY / "ARCHITECTURE.md").read_text()
    layout = layout[layout.index("## The broker in four libraries"):layout.index("## The loop")]
    parts = re.split(r"^\*\*\w+\*\* \(`(broker/\w+/)`\)", layout, flags=re.M)[1:]
    tables = dict(zip(parts[::2], parts[1::2]))
    assert len(tables) == 4
    for folder, text in tables.items():
        there = {path.name for path in (REPOSITORY / folder).iterdir() if path.suffix in (".c", ".h", ".def")}
        for cell in re.findall(r"^\| (`[^|]*) \|", text, re.M):
            for name in re.findall(r"`([^`]+)`", cell):
                pattern = name if name.endswith(("/", ".def")) else f"{name}.[ch]"
                named = {path.name for path in (REPOSITORY / folder).glob(pattern)}
                assert named, folder + name
                there -= named
        assert not there, f"{folder}: ARCHITECTURE.md does not name {sorted(there)}"


def test_modules__that_the_pictures_name__exist():
    names = set(re.findall(r"\b(?:net|core|engine)/(?:handlers/\*|\w+)", "".join(pictures())))
    assert len(names) > 10
    for name in names:
        assert list((REPOSITORY / "broker").glob(f"{name}.h")), name


def test_order_of_the_core__as_a_picture__is_that_of_check_layers():
    rows = [[module.removeprefix("broker/core/") for module in row.split()] for row in check_layers.ORDER if "broker/core/" in row]
    (order,) = (picture for picture in pictures() if picture.startswith(" hub, "))
    assert [re.split(r"\s{2,}", line.strip())[0].split(", ") for line in order.splitlines()] == rows


def test_presets__that_are_named__exist():
    presets = {preset["name"] for preset in json.loads((REPOSITORY / "CMakePresets.json").read_text())["configurePresets"]}
    named = [(where, name) for where, text in quoted() for name in re.findall(r"--preset (\S+)|build/([\w-]+)", text)
             for name in name if name and not name.startswith(("bin", "installed"))]
    assert named
    for where, name in named:
        assert name in presets, f"{where}: {name}"


def test_editorconfig__says_of_C_what_the_formatter_does():
    editors = configparser.ConfigParser()
    editors.read_string("[top]\n" + (REPOSITORY / ".editorconfig").read_text())
    formatter = dict(line.split(": ", 1) for line in (REPOSITORY / ".clang-format").read_text().splitlines())
    assert editors["*"]["indent_style"] == "space" and formatter.get("UseTab", "Never") == "Never"
    assert editors["*"]["indent_size"] == formatter["IndentWidth"]
    assert editors["*.{c,h}"]["max_line_length"] == formatter["ColumnLimit"]


def test_header__its_first_example__compiles_and_runs(tmp_path):
    """The code in the first comment of the header, as a program."""
    head = HEADER.read_text().split(" * Threads.")[0]
    code = re.findall(r"^ \*     (.*)$", head, re.M)
    assert len(code) > 5
    library = build_folder() / "lib"
    with Broker() as broker:
        text = "\n".join(["#include <kvzmq.h>", "#include <stdio.h>", "int main(void)", "{", *code, "    return 0;", "}", ""])
        source = tmp_path / "example.c"
        source.write_text(text.replace("tcp://127.0.0.1:5000", broker.request_endpoint))
        for command in (["cc", "-Wall", "-Wextra", "-Werror", *SANITIZER_FLAGS, f"-I{HEADER.parent}", "-o", tmp_path / "example", source,
                         f"-L{library}", f"-Wl,-rpath,{library}", "-lkvzmq"], [tmp_path / "example"]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=2 * TIMEOUT, check=False)
            assert done.returncode == 0 and done.stderr == "", done.stderr
        broker.wait_log(r"client 32768 disconnected")


def test_header__its_examples_of_watching_and_mirrors__compile(tmp_path):
    lines = HEADER.read_text().splitlines()
    source = ["#include <kvzmq.h>", "#include <stdio.h>", "void print(const kvzmq_event_t *event);"]
    for name, first, given in (("watch", "kvzmq_options_t connection;", []),
                               ("mirror", "kvzmq_mirror_t *mirror =", ["kvzmq_options_t connection = {.size = sizeof connection};"])):
        begin = next(index for index, line in enumerate(lines) if line.startswith(f" *     {first}"))
        block = itertools.takewhile(lambda line: line == " *" or line.startswith(" *     "), lines[begin:])
        code = [line[2:] for line in block]
        source += [f"void {name}(void);", f"void {name}(void)", "{", *given, *code, "}"]
    (tmp_path / "examples.c").write_text("\n".join(source) + "\n")
    done = subprocess.run(["cc", "-fsyntax-only", "-Wall", "-Wextra", f"-I{HEADER.parent}", tmp_path / "examples.c"],
                          capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stderr + "\n".join(source)
