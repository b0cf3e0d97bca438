# SPDX-License-Identifier: MPL-2.0
"""Checks the project's rules for single files: the licence line, the include guard, banned calls, comparisons of pointers.
Prints each finding as FILE:LINE: text; exits with 1 if there is one.

    check_source.py [FOLDER]      (default: the project)"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNUSED_HERE = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|atoll|usleep|alloca)\s*\(")
# A pointer is compared with NULL, not taken for a truth value. These find declarations of pointers, other declarations, and
# what is taken for a truth value; a name that is declared in both ways is not judged.
COMPARED = ("broker", "client", "common", "examples")
POINTER = re.compile(r"\w\s+(?:\*+\s*(?:const\s+)?)+(\w+)(?=\s*[;,)=])")
OTHER = re.compile(r"\b(?:bool|int|unsigned|char|long|double|\w+_t)\s+(?:\w+,\s*)*(\w+)(?=\s*[;,)=\[])")
PLACE = r"((?:\w+(?:->|\.))*)(\w+)"
TRUTHS = [re.compile(before + PLACE + after) for before, after in (
    (r"!", r"(?![\w(\[.]|->|\s*=)"),
    (r"\b(?:if|while) \(", r"(?=\))"),
    (r"; ", r"(?=;)"),
    (r"(?:&&|\|\|) ", r"(?=[);])"),
    (r"(?:^\s*|\(|(?<![=!<>])= |return |, |&& |\|\| |: )", r"(?= &&| \|\|| \?)"))]
COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', re.S)
LICENCE = "/* SPDX-License-Identifier: MPL-2.0 */"


def guard_of(path):
    """Returns the include guard of a header, made from its whole path, so that no two headers have the same."""
    return "KV_" + re.sub(r"\W", "_", path.as_posix()).upper()


def code_of(path):
    """The text of a file without comments and strings, with the same lines."""
    return COMMENT_OR_TEXT.sub(lambda found: "\n" * found[0].count("\n"), path.read_text())


def pointers_of(codes):
    """The names that are declared in these texts, as pointers and nothing else."""
    return {name for code in codes for name in POINTER.findall(code)} - {name for code in codes for name in OTHER.findall(code)}


def truths(root):
    """Finds pointers that are taken for truth values. A field is judged by all files, another name by its own file."""
    codes = {path: code_of(path) for folder in COMPARED for path in sorted((root / folder).rglob("*.[ch]"))}
    fields = pointers_of(codes.values())
    for path, code in codes.items():
        own = pointers_of([code])
        for number, line in enumerate(code.splitlines(), 1):
            for within, name in (found.groups() for truth in TRUTHS for found in truth.finditer(line)):
                if name in (fields if within else own):
                    yield f"{path.relative_to(root)}:{number}: {within}{name} is a pointer: compare it with NULL"


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
    yield from truths(root)


def main():
    found = list(findings(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
