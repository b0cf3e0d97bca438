# SPDX-License-Identifier: MPL-2.0
"""Checks the project's rules for single files: the licence line, the include guard, banned calls. Prints each finding as
FILE:LINE: text; exits with 1 if there is one.

    check_source.py [FOLDER]      (default: the project)"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNUSED_HERE = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|atoll|usleep|alloca)\s*\(")
LICENCE = "/* SPDX-License-Identifier: MPL-2.0 */"


def guard_of(path):
    """Returns the include guard of a header, made from its whole path, so that no two headers have the same."""
    return "KV_" + re.sub(r"\W", "_", path.as_posix()).upper()


def findings_of(path, name):
    lines = path.read_text().splitlines()
    if not lines or lines[0] != LICENCE:
        yield f"{name}:1: does not begin with {LICENCE}"
    for number, text in enumerate(lines, 1):
        match = UNUSED_HERE.search(text)
        if match:
            yield f"{name}:{number}: {match.group(1)} is not used here: it has no bound, or hides errors"
    installed = "include" in name.parts
    if path.suffix == ".h" and not installed and not any(line.startswith(f"#ifndef {guard_of(name)}") for line in lines):
        yield f"{name}:1: its include guard is not {guard_of(name)}"


def findings(root):
    for folder in ("broker", "client", "common", "tests", "examples"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            name = path.relative_to(root)
            if "build" not in name.parts:
                yield from findings_of(path, name)


def main():
    found = list(findings(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
