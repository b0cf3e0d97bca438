# SPDX-License-Identifier: MPL-2.0
"""Checks the direction of dependencies: from #include lines, and, if a build is given, from the calls between its objects.
Prints each finding as FILE:LINE: text; exits with 1 if there is one.

    check_layers.py [--root FOLDER] [BUILD_FOLDER]

A module is a .c file with the header of the same name. ORDER defines the layers; ARCHITECTURE.md explains them. The includes
need no build. The calls need the objects of a build, which may be incomplete."""

import argparse
import collections
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# From top to bottom. A module may use the modules of its own row and of the rows below. The first row that matches counts.
ORDER = [
    "broker/main",
    "broker/net/broker",
    "broker/net/*",
    "broker/config/*",
    "broker/core/hub broker/core/reconfigure",
    "broker/core/batch",
    "broker/core/execute broker/core/usual",
    "broker/core/dispatch broker/core/methods",
    "broker/core/handlers/*",
    "broker/core/sessions",
    "broker/core/due",
    "broker/core/feed",
    "broker/core/propose broker/core/room broker/core/waits",
    "broker/core/session",
    "broker/core/hub_state broker/core/request",
    "broker/core/outlets broker/core/command_log broker/core/wait broker/core/stats",
    "broker/core/state_machine",
    "broker/core/members broker/core/command",
    "broker/core/client_registry broker/core/accounts broker/core/event_wire broker/core/batch_state",
    "broker/core/event_log broker/core/tickets broker/core/login_throttle broker/core/password_hash broker/core/secret",
    "broker/core/port_ids broker/core/params broker/core/pending broker/core/arrival broker/core/settings broker/core/spares",
    "broker/engine/engine",
    "broker/engine/store broker/engine/omap",
    "broker/engine/index broker/engine/tree",
    "broker/engine/node",
    "broker/engine/record",
    "broker/engine/*",
    "client/cli/main",
    "client/cli/*",
    "client/watch/*",
    "client/lib/*",
    "client/slice client/keep client/named_tree",
    "client/include/*",
    "common/*",
]

# Folders that must not use each other, although one is below the other in ORDER.
APART = [("broker/*", "client/*"), ("client/cli/*", "client/watch/*"), ("client/cli/*", "client/lib/*")]

# Libraries, by a pattern of their headers, and the modules that may use them.
LIBRARIES = [
    (re.compile(r"(zmq|czmq)"), "broker/net/* broker/config/* client/lib/* client/watch/*"),
    (re.compile(r"msgpack"), "common/rpc*"),
]
# Functions that only these modules may call: only the state machine changes clients and stores. (A session that belongs to
# no client yet may be the last to hold a client's record: sessions frees it then.)
DOORS = [
    (re.compile(r"engine_(put|del|record|expire|expire_key|open|close|configure)"), "broker/core/state_machine broker/core/client_registry"),
    (re.compile(r"registry_(obtain|number|open|claim|review|review_later|review_pending|undo|forget|prepare|abandon|configure)"),
     "broker/core/state_machine"),
    (re.compile(r"registry_release"), "broker/core/state_machine broker/core/sessions"),
    (re.compile(r"members_(add|remove)"), "broker/core/state_machine"),
    (re.compile(r"state_machine_(prepare|abandon|configure)"), "broker/core/reconfigure"),
]
# Functions whose callers are inlined elsewhere, and the files whose text may name them.
INLINE_DOORS = [
    (re.compile(r"\bstate_machine_apply\b"), "broker/core/state_machine.[ch] broker/core/propose.h broker/core/hub.c"),
]
COMMENT = re.compile(r"/\*.*?\*/", re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def matches(module, patterns):
    return any(fnmatch.fnmatchcase(module, pattern) for pattern in patterns.split())


def rank_of(module):
    return next((rank for rank, patterns in enumerate(ORDER) if matches(module, patterns)), None)


class House:
    """The modules of a folder, and which module uses which: {(user, used): (file, line)}."""

    def __init__(self, root):
        self.root = root
        self.findings = []
        self.uses = {}
        self.files = [path for folder in ("broker", "client", "common", "examples")
                      for path in sorted((root / folder).rglob("*.*")) if path.suffix in (".c", ".h", ".def")]
        self.modules = {self.module_of(path) for path in self.files}

    def module_of(self, path):
        return path.relative_to(self.root).with_suffix("").as_posix()

    def finding(self, path, line, text):
        self.findings.append(f"{path.relative_to(self.root).as_posix()}:{line}: {text}")

    def read_includes(self):
        for path in self.files:
            module = self.module_of(path)
            for number, text in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(text)
                if match:
                    self.read_include(path, module, number, *match.groups())

    def read_include(self, path, module, number, mark, name):
        if name.endswith(".c"):
            self.finding(path, number, f"includes a .c file: {name}")
        used = pathlib.PurePosixPath(name).with_suffix("").as_posix()
        if mark == '"' and used in self.modules:
            self.uses.setdefault((module, used), (path, number))
            if module.startswith("examples/"):
                self.finding(path, number, f"an example uses only what is installed, not {name}")
        elif mark == '"' and (self.root / name).parent.is_dir() and "/" in name:
            self.finding(path, number, f"there is no {name}")
        for pattern, users in LIBRARIES:
            if mark == "<" and pattern.match(name) and not matches(module, users) and not module.startswith("examples/"):
                self.finding(path, number, f"include not allowed: <{name}> is for {users}")

    def read_texts(self):
        """Checks INLINE_DOORS. The linker does not see which file an inlined function comes from."""
        for path in self.files:
            name = path.relative_to(self.root).as_posix()
            text = COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), path.read_text())
            for number, line in enumerate(text.splitlines(), 1):
                for pattern, users in INLINE_DOORS:
                    match = pattern.search(line)
                    if match and not matches(name, users):
                        self.finding(path, number, f"call not allowed: {match[0]} is for {users}")

    def read_calls(self, build):
        """Adds the uses that the linker sees: a call is possible without an include, if the function is declared elsewhere."""
        defined, wanted = collections.defaultdict(set), collections.defaultdict(set)
        for path in sorted(build.rglob("*.o")):
            module = self.module_of_object(build, path)
            if module not in self.modules:
                continue
            for line in subprocess.run(["nm", "-P", path], capture_output=True, text=True, check=True).stdout.splitlines():
                name, kind = line.split()[:2]
                if kind == "U":
                    wanted[module].add(name)
                elif kind.isupper():
                    defined[name].add(module)
        if not defined:
            sys.exit(f"check_layers: no objects of the project in {build}")
        for module, names in wanted.items():
            for name in sorted(names):
                self.check_doors(module, name)
                for used in self.definers(defined, name, module):
                    self.uses.setdefault((module, used), (self.root / f"{module}.c", 1))

    def check_doors(self, module, name):
        for pattern, users in DOORS:
            if pattern.fullmatch(name) and not matches(module, users):
                self.finding(self.root / f"{module}.c", 1, f"call not allowed: {name} is for {users}")

    @staticmethod
    def definers(defined, name, module):
        """Returns the modules that define NAME for MODULE. The library and the tool may have functions with the same name.
        The tool uses what kvzmq.h declares through that header."""
        if name.startswith("kvzmq_") and module.startswith("client/cli/"):
            return ["client/include/kvzmq"]
        near = {other for other in defined[name] if other.rsplit("/", 1)[0] == module.rsplit("/", 1)[0]}
        return sorted((near or defined[name]) - {module})

    @staticmethod
    def module_of_object(build, path):
        """build/…/broker/CMakeFiles/kv_core.dir/core/hub.c.o is broker/core/hub."""
        parts = path.relative_to(build).as_posix().split("/")
        if "CMakeFiles" not in parts:
            return None
        at = parts.index("CMakeFiles")
        return "/".join(parts[:at] + parts[at + 2:]).removesuffix(".o").removesuffix(".c")

    def check_order(self):
        for module in sorted(self.modules):
            if rank_of(module) is None and not module.startswith("examples/"):
                self.finding(self.root / module, 1, "stands in no row of ORDER in check_layers.py")
        for (user, used), (path, line) in sorted(self.uses.items()):
            if user == used or None in (rank_of(user), rank_of(used)):
                continue
            apart = any(matches(user, one) and matches(used, other) or matches(user, other) and matches(used, one)
                        for one, other in APART)
            if apart:
                self.finding(path, line, f"include not allowed: {user} does not know {used}")
            elif rank_of(user) > rank_of(used):
                self.finding(path, line, f"include not allowed: {used} stands above {user}")

    def check_circles(self):
        graph = collections.defaultdict(set)
        for user, used in self.uses:
            if user != used:
                graph[user].add(used)
        for circle in circles(graph):
            user, used = next((a, b) for a in circle for b in sorted(graph[a]) if b in circle)
            path, line = self.uses[(user, used)]
            self.finding(path, line, "these use each other in a circle: " + ", ".join(circle))


def circles(graph):
    """Returns the groups of nodes that reach each other, by Tarjan's algorithm."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    parser.add_argument("build", nargs="?", type=pathlib.Path)
    arguments = parser.parse_args()
    house = House(arguments.root.resolve())
    house.read_includes()
    house.read_texts()
    if arguments.build:
        house.read_calls(arguments.build.resolve())
    house.check_order()
    house.check_circles()
    print("\n".join(house.findings), end="\n" if house.findings else "")
    return 1 if house.findings else 0


if __name__ == "__main__":
    sys.exit(main())
