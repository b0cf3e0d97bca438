# SPDX-License-Identifier: MPL-2.0
"""Where the project and its programs are, and how they were built."""

import os
import pathlib
import shutil

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SUPPORT = pathlib.Path(__file__).resolve().parent

# Sanitizers make a program several times slower and larger; ctest says which are on.
SANITIZERS = os.environ.get("KV_SANITIZE", "")
SANITIZED = bool(SANITIZERS)
SANITIZER_FLAGS = [f"-fsanitize={SANITIZERS}"] if SANITIZED else []  # for a compiler: a sanitized library needs a sanitized program


def binary_of(name):
    """Returns the path of a program: the one that ctest gives, or otherwise that of the newest build."""
    told = os.environ.get({"kvbroker": "KVBROKER", "kvzmq-cli": "KVZMQ_CLI"}[name])
    if told:
        return told
    built = [REPOSITORY / "build" / preset / "bin" / name for preset in ("dev", "release", "asan-ubsan")]
    built = [path for path in built if path.exists()]
    if not built:
        raise FileNotFoundError(f"{name} is not built: cmake --preset dev && cmake --build --preset dev")
    return str(max(built, key=lambda path: path.stat().st_mtime))


def build_folder():
    """Returns the folder of the build under test."""
    return pathlib.Path(os.environ.get("KV_BUILD_DIR") or pathlib.Path(binary_of("kvbroker")).parents[1])


def fresh_checkout(path, *without):
    """Makes PATH a copy of the repository, as after a clone: nothing is built. Leaves out the names that match WITHOUT."""
    names = ("build", ".git", ".cache", "__pycache__", *without)
    return shutil.copytree(REPOSITORY, path, symlinks=True, ignore=shutil.ignore_patterns(*names))
