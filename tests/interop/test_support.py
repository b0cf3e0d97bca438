# SPDX-License-Identifier: MPL-2.0
"""The support code of other tests: the source of their random numbers, the checks of the project's source, and reading from
processes that are still writing. And that the benchmark of promised times, which is rarely run, still works."""

import json
import os
import subprocess
import sys

import pytest

import check_chance
import check_layers
import check_source
from chance import seeded
from project import REPOSITORY, SUPPORT
from waiting import TIMEOUT, readable
from watchers import WatchProcess

WAYS = {
    "test_a.py": ["import random", "from random import choice", "import uuid", "import secrets as s", "import hypothesis",
                  "import os\nname = os.urandom(8)", "name = hash('text')", "import os\nseed = os.environ['KV_SEED']"],
    "test_a.c": ["int n = rand();", "int n = rand_r (&seed);", "srandom(time(NULL));", "long n = lrand48();",
                 "getrandom(buffer, 8, 0);", "unsigned seed = (unsigned)time(NULL);", "char *s = getenv(\"KV_SEED\");",
                 "state ^= state << 13;", "seed = seed * 1664525 + 1013904223;"],
}


def test_chance__every_test_draws_from_the_source_that_KV_SEED_repeats():
    assert list(check_chance.findings(SUPPORT.parent)) == []


@pytest.mark.parametrize("name, text", [(name, text) for name, texts in WAYS.items() for text in texts])
def test_chance__drawn_in_another_way__is_found(tmp_path, name, text):
    (tmp_path / name).write_text(text + "\n")
    (found,) = check_chance.findings(tmp_path)
    assert found.startswith(f"{tmp_path / name}:{1 + text.count(chr(10))}: ")


def house(root, files):
    """Returns a House of check_layers.py with FILES, checked without a build."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    checked = check_layers.House(root)
    checked.read_includes()
    checked.read_texts()
    checked.check_order()
    checked.check_circles()
    return checked


def test_layers__of_the_project__have_no_includes_against_the_order():
    assert house(REPOSITORY, {}).findings == []


@pytest.mark.parametrize("files, finding", [
    ({"broker/engine/store.c": '#include "broker/core/hub.h"\n', "broker/core/hub.h": ""},
     "broker/engine/store.c:1: include not allowed: broker/core/hub stands above broker/engine/store"),
    ({"common/name.h": '\n#include "broker/engine/pool.h"\n', "broker/engine/pool.h": ""},
     "common/name.h:2: include not allowed: broker/engine/pool stands above common/name"),
    ({"client/cli/shell.c": '#include "client/lib/link.h"\n', "client/lib/link.h": ""},
     "client/cli/shell.c:1: include not allowed: client/cli/shell does not know client/lib/link"),
    ({"client/lib/link.c": '#include "broker/engine/pool.h"\n', "broker/engine/pool.h": ""},
     "client/lib/link.c:1: include not allowed: client/lib/link does not know broker/engine/pool"),
    ({"broker/core/hub.c": "#include <zmq.h>\n"}, "broker/core/hub.c:1: include not allowed: <zmq.h> is for broker/net/*"),
    ({"broker/hub.c": ""}, "broker/hub:1: stands in no row of ORDER"),
    ({"common/name.c": '#include "common/utf8.c"\n', "common/utf8.c": ""}, "common/name.c:1: includes a .c file: common/utf8.c"),
    ({"broker/core/handlers/store.c": "/* state_machine_apply\n */\nstatic int put(void) { return state_machine_apply(); }\n"},
     "broker/core/handlers/store.c:3: call not allowed: state_machine_apply is for broker/core/state_machine.[ch]"),
    ({"broker/core/new.c": ""}, "broker/core/new:1: stands in no row of ORDER"),
    ({"common/name.h": '#include "common/utf8.h"\n', "common/utf8.c": '#include "common/name.h"\n', "common/utf8.h": ""},
     "common/name.h:1: these use each other in a circle: common/name, common/utf8"),
])
def test_layers__an_include_against_the_order__is_found(tmp_path, files, finding):
    (found,) = house(tmp_path, files).findings
    assert found.startswith(finding)


def compiled_house(tmp_path, modules):
    """Returns a checked House with MODULES of the broker, {path: text of its .c file}, and a build that has their objects."""
    objects = tmp_path / "build/broker/CMakeFiles/kv.dir"
    for name, text in modules.items():
        for folder in (objects, tmp_path / "broker"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"broker/{name}.c").write_text(text + "\n")
        subprocess.run(["gcc", "-c", tmp_path / f"broker/{name}.c", "-o", f"{objects / name}.c.o"], check=True)
    checked = house(tmp_path, {})
    assert checked.findings == []
    checked.read_calls(tmp_path / "build")
    checked.check_order()
    checked.check_circles()
    return checked


def test_layers__a_call_against_the_order__is_found_without_an_include(tmp_path):
    checked = compiled_house(tmp_path, {"engine/store": "void hub_sync(void); void store_put(void) { hub_sync(); }",
                                        "core/hub": "void hub_sync(void); void hub_sync(void) {}"})
    assert checked.findings == ["broker/engine/store.c:1: include not allowed: broker/core/hub stands above broker/engine/store"]


def test_layers__a_circle_of_calls__is_found_without_an_include(tmp_path):
    text = "void {0}_one(void); void {1}_one(void); void {0}_one(void) {{ {1}_one(); }}"
    checked = compiled_house(tmp_path, {"engine/index": text.format("index", "tree"), "engine/tree": text.format("tree", "index")})
    assert checked.findings == ["broker/engine/index.c:1: these use each other in a circle: broker/engine/index, broker/engine/tree"]


def test_layers__a_change_that_passes_by_the_state_machine__is_found(tmp_path):
    caller = "void engine_put(void); void {0}(void); void {0}(void) {{ engine_put(); }}"
    checked = compiled_house(tmp_path, {"engine/engine": "void engine_put(void); void engine_put(void) {}",
                                        "core/state_machine": caller.format("apply"), "core/hub": caller.format("hub_tick")})
    (found,) = checked.findings
    assert found.startswith("broker/core/hub.c:1: call not allowed: engine_put is for broker/core/state_machine")


@pytest.mark.parametrize("text, finding", [
    ("int a;", "does not begin with /* SPDX"),
    (f"{check_source.LICENCE}\n#ifndef KV_NAME_H\n", "its include guard is not KV_COMMON_NAME_H"),
    (f"{check_source.LICENCE}\n#ifndef KV_COMMON_NAME_H\n{{ strcpy(a, b); }}", "strcpy is not used here"),
])
def test_source__a_file_against_the_rules__is_found(tmp_path, text, finding):
    house(tmp_path, {"common/name.h": text})
    assert finding in "\n".join(check_source.findings(tmp_path))


@pytest.mark.parametrize("code, name", [
    ("if (!node)", "node"), ("if (node)", "node"), ("return done && node;", "node"), ("int a = node ? 1 : 2;", "node"),
    ("bool a = other == node ? done : true;", ""), ("for (; node; node = node->next)", "node"), ("for (;; other = node)", ""), ("while (node && done) {", "node"), ("if (done)", ""),
    ("if (done && node->next)", "node->next"), ("if (!node->done)", ""), ("if (node != NULL && !done)", ""), ("/* if (node) */", ""),
])
def test_source__a_pointer_that_is_taken_for_a_truth_value__is_found(tmp_path, code, name):
    text = f"{check_source.LICENCE}\nstruct node {{\n    struct node *next;\n    bool done;\n}};\nvoid f(struct node *node, bool done)\n"
    house(tmp_path, {"common/name.c": f"{text}{{\n    {code}\n}}\n"})
    assert list(check_source.findings(tmp_path)) == \
        ([f"common/name.c:8: {name} is a pointer: compare it with NULL"] if name else [])


def test_source__of_the_project__keeps_the_rules():
    assert list(check_source.findings(REPOSITORY)) == []


def drawn(seed, purpose):
    """Returns what a process with KV_SEED prints and draws. Checks that it prints the seed."""
    code = f"from chance import seeded; print(seeded({purpose!r}).randbytes(8).hex())"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(SUPPORT), "KV_SEED": seed},
                          capture_output=True, text=True, check=True)
    assert f"KV_SEED={seed}\n" in done.stdout
    return done.stdout


def test_chance__the_same_seed__repeats_in_another_process():
    assert drawn("7", "a") == drawn("7", "a") != drawn("7", "b")
    assert drawn("7", "a").splitlines()[1] != drawn("8", "a").splitlines()[1]
    assert seeded("a").random() == seeded("a").random() != seeded("b").random()


WRITER = r"""
import os
number = 0
while os.read(0, 1):
    for number in range(number, number + 1000):
        for part in (b"line ", b"%d" % number, b"\n"):
            os.write(1, part)
    number += 1
"""


class Writer(WatchProcess):
    """Writes 1,000 lines for each character that it gets, each line in pieces, so that a reader meets incomplete ones."""

    def command(self, since):
        return [sys.executable, "-c", WRITER]

    def output(self, stream):
        return stream


def test_lines__of_a_process_that_is_writing_them__are_whole_and_none_is_lost(tmp_path):
    writer = Writer("writer", tmp_path, "", ("", ""))
    writer.start()
    lines = []
    for turn in range(1, 6):
        writer.process.stdin.write("x")
        writer.process.stdin.flush()
        while len(lines) < turn * 1000:
            lines = writer.lines()
            assert lines == [["line", str(number)] for number in range(len(lines))]
    writer.process.communicate()
    assert writer.lines() == [["line", str(number)] for number in range(5000)]


def test_start__behind_a_line_that_a_kill_cut_off__takes_it_away(tmp_path):
    writer = Writer("writer", tmp_path, "", ("", ""))
    writer.path.write_text("whole 1\nhal")
    writer.start()
    writer.process.communicate("x")
    assert writer.lines()[:2] == [["whole", "1"], ["line", "0"]]


BACKGROUND = """
import subprocess, sys
from network import Network
pipe = int(sys.argv[1])
network = Network()
left = f"setsid bash -c 'echo begun >&{pipe}; exec sleep 1000' & wait"
subprocess.run([*network.inside, "bash", "-c", left], pass_fds=[pipe])
"""


def test_network__of_a_test_that_is_killed__ends_with_all_that_runs_there():
    reader, writer = os.pipe()
    with subprocess.Popen([sys.executable, "-c", BACKGROUND, str(writer)], pass_fds=[writer],
                          env={**os.environ, "PYTHONPATH": str(SUPPORT)}) as test, os.fdopen(reader, "rb", 0) as pipe:
        os.close(writer)
        assert readable(pipe, TIMEOUT) and pipe.readline() == b"begun\n"
        test.kill()
        assert readable(pipe, TIMEOUT), "a process is still running"
        assert pipe.read() == b""  # end of file: no process has the pipe any more


def test_promises__one_row_once__is_measured_and_every_quote_is_in_its_document():
    done = subprocess.run([sys.executable, SUPPORT.parent / "bench" / "promises", "--runs", "1", "-o", "json", "session"],
                          capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["row"], row["runs"]) == ("session", 1) and 0 < row["median_s"] == row["worst_s"]
