# SPDX-License-Identifier: MPL-2.0
"""Finds tests that use random numbers from elsewhere than tests/support/chance.py and chance.h, which print their seed and
can repeat a run with KV_SEED. Prints each finding as FILE:LINE: text; exits with 1 if there is one.

    check_chance.py [FOLDER]      (default: tests)"""

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ("chance.py", "chance.h", "check_chance.py")
MODULES = {"random", "secrets", "uuid", "hypothesis"}
CALLS = {"urandom", "getrandom", "SystemRandom"}  # of any module
# rand() and similar functions, a seed that is read directly, and another xorshift or linear congruential generator.
IN_C = re.compile(r"\b(s?rand|rand_r|s?random|random_r|[delmnj]rand48|getrandom|getentropy|arc4random\w*|randombytes\w*)\s*\("
                  r"|KV_SEED\"|\w+ \^= \w+ (<<|>>) \d+|\*=? *(UINT64_C *\()?(6364136223846793005|1664525|1103515245)"
                  r"|seed\w* = [^;]*\btime\s*\(")


def names_seed(node):
    """Whether NODE is os.environ["KV_SEED"], .get("KV_SEED", …) or getenv("KV_SEED")."""
    values = [node.slice] if isinstance(node, ast.Subscript) else node.args[:1]
    return any(isinstance(value, ast.Constant) and value.value == "KV_SEED" for value in values)


def in_python(path):
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").split(".")[0], *(alias.name for alias in node.names if alias.name in CALLS)]
        elif isinstance(node, ast.Attribute):
            names = [node.attr] if node.attr in CALLS else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hash":
            yield node.lineno, "hash() of a text is another number in every process"
            continue
        elif isinstance(node, (ast.Call, ast.Subscript)) and names_seed(node):
            yield node.lineno, "KV_SEED is read by chance.py alone"
            continue
        else:
            continue
        for name in names:
            if name in MODULES | CALLS:
                yield node.lineno, f"draws from {name}: take seeded() of chance.py"


def in_c(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if IN_C.search(line):
            yield number, "draws from another chance: take chance.h"


def findings(folder):
    for path in sorted(pathlib.Path(folder).rglob("*")):
        look = {".py": in_python, ".c": in_c, ".h": in_c}.get(path.suffix)
        if path.suffix == "" and path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/python3"):
            look = in_python
        if look and path.name not in SOURCES:
            yield from (f"{path}:{line}: {text}" for line, text in look(path))


def main():
    found = list(findings(sys.argv[1] if len(sys.argv) > 1 else ROOT / "tests"))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
