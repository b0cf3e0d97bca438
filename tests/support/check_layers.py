# SPDX-License-Identifier: MPL-2.0
"""Checks the house's rules that a compiler does not: which way dependencies point, what the core may link, calls
that are not used here. Prints each finding as FILE:LINE: text; exits 1 if there is one.

    check_layers.py BUILD_FOLDER      (of a finished build: the libraries in it say which module is in which layer)
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("broker", "client", "common", "tests", "examples")

# Which folders a folder's files may include from (ARCHITECTURE.md). Tests may look at everything.
ALLOWED = {
    "common": {"common"},
    "broker": {"broker", "common"},
    "client": {"client", "common"},
    "examples": set(),  # only what is installed
}
# The engine knows neither who asks nor how (ARCHITECTURE.md): of the broker it may include these alone.
ENGINE = {"engine", "store", "expiry", "omap", "omap_inner", "omap_leaf", "omap_node", "omap_warm", "pool"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
UNUSED_HERE = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|atoll|usleep|alloca)\s*\(")
LICENCE = "/* SPDX-License-Identifier: MPL-2.0 */"

findings = []


def finding(path, line, text):
    findings.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def sources():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            if "build" not in path.parts[len(ROOT.parts):]:
                yield path


def includes_of(path):
    for number, text in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(text)
        if match:
            yield number, match.group(1), match.group(2)


def modules_of(library):
    """The modules (broker/engine, …) whose objects an archive holds."""
    names = subprocess.run(["ar", "t", library], capture_output=True, text=True, check=True).stdout.split()
    stems = {name.removesuffix(".o").removesuffix(".c") for name in names}
    return {str(path.relative_to(ROOT).with_suffix("")) for path in (ROOT / "broker").rglob("*.c") if path.stem in stems}


def check_includes(core, service):
    for path in sources():
        top = path.relative_to(ROOT).parts[0]
        module = str(path.relative_to(ROOT).with_suffix(""))
        for number, mark, name in includes_of(path):
            if name.endswith(".c"):
                finding(path, number, f"includes a .c file: {name}")
            folder = name.split("/")[0]
            if mark == '"' and folder in ALLOWED and top in ALLOWED and folder not in ALLOWED[top]:
                finding(path, number, f"{top}/ may not include from {folder}/: {name}")
            if path.parent.name == "broker" and path.stem in ENGINE and folder == "broker" and pathlib.Path(name).stem not in ENGINE:
                finding(path, number, f"the engine may not know: {name}")
            if path.is_relative_to(ROOT / "client/cli") and folder == "client" and not name.startswith("client/cli/"):
                finding(path, number, f"the tool uses nothing of the library but <kvzmq.h>: {name}")
            if module in core and name.removesuffix(".h") in service:
                finding(path, number, f"the core may not know a module of the service: {name}")
            if (module in core or top == "common") and re.match(r"(zmq|czmq)", name):
                finding(path, number, f"only the service and the client library know ZeroMQ: {name}")
            if top in ("common", "broker") and name.startswith("msgpack") and not path.stem.startswith("rpc"):
                finding(path, number, f"only rpc_* know MessagePack's bytes: {name}")


def check_cycles():
    """No header may reach itself."""
    graph = {}
    for path in sources():
        if path.suffix == ".h":
            graph[str(path.relative_to(ROOT))] = [name for _, mark, name in includes_of(path) if mark == '"']
    done = set()

    def walk(name, trail):
        if name in trail:
            finding(ROOT / name, 1, "includes itself: " + " -> ".join([*trail[trail.index(name):], name]))
        elif name not in done:
            for other in graph.get(name, []):
                walk(other, [*trail, name])
            done.add(name)

    for header in graph:
        walk(header, [])


def symbols(arguments):
    text = subprocess.run(["nm", "-P", *arguments], capture_output=True, text=True, check=True).stdout
    return {line.split()[0].split("@")[0] for line in text.splitlines() if len(line.split()) > 1}


def check_links(libraries):
    """Nothing of the core or of what both sides share may need libzmq or czmq."""
    for package in ("libzmq", "libczmq"):
        folder = subprocess.run(["pkg-config", "--variable=libdir", package], capture_output=True, text=True,
                                check=True).stdout.strip()
        provided = symbols(["-D", "--defined-only", f"{folder}/{package}.so"])
        provided = {name for name in provided if name.startswith("z")}
        assert provided, package
        for library in libraries:
            for name in sorted(symbols(["-u", str(library)]) & provided):
                finding(library.resolve(), 1, f"needs {name} of {package}")


def check_text():
    for path in sources():
        lines = path.read_text().splitlines()
        if not lines or lines[0] != LICENCE:
            finding(path, 1, f"does not begin with {LICENCE}")
        for number, text in enumerate(lines, 1):
            match = UNUSED_HERE.search(text)
            if match:
                finding(path, number, f"{match.group(1)} is not used here: it has no bound, or hides errors")
        if path.suffix == ".h" and path.parent.name != "handlers" and not any("#ifndef" in text for text in lines):
            finding(path, 1, "has no include guard")


def main():
    build = ROOT / sys.argv[1]
    core_library, service_library = build / "broker/libkv_core.a", build / "broker/libkv_service.a"
    core, service = modules_of(core_library), modules_of(service_library)
    assert core and service and not core & service, "the build's libraries do not say which module is where"
    check_includes(core, service)
    check_cycles()
    check_links([core_library, build / "common/libkv_common.a"])
    check_text()
    for text in findings:
        print(text)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
