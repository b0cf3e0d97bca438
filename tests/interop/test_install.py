# SPDX-License-Identifier: MPL-2.0
"""The installed libkvzmq: a program builds against it with CMake and with pkg-config, and runs. The library exports the
functions of the header and nothing else."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from broker import DEFAULT_ACCOUNT, Broker
from project import REPOSITORY, SANITIZER_FLAGS, build_folder
from waiting import TIMEOUT

FLAGS = " ".join(SANITIZER_FLAGS)


def run(*command, **keywords):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=2 * TIMEOUT, **keywords)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """The folder in which the build was installed."""
    folder = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", build_folder(), "--prefix", folder)
    return folder


@pytest.fixture
def source(tmp_path):
    """A copy of the example, so that building leaves nothing in the checkout."""
    return shutil.copytree(REPOSITORY / "examples" / "consumer", tmp_path / "consumer")


def library_of(prefix):
    found = list(prefix.rglob("libkvzmq.so"))
    assert len(found) == 1, found
    return found[0]


def check_consumer(program, prefix):
    environment = dict(os.environ, LD_LIBRARY_PATH=str(library_of(prefix).parent))
    with Broker() as broker:
        said = run(program, broker.request_endpoint, env=environment)
        assert re.fullmatch(r"client \d+ keeps city = Kolkata\n", said)


def test_consumer__by_find_package__builds_and_runs(prefix, source):
    build = source / "build"
    run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_FLAGS={FLAGS}")
    run("cmake", "--build", build)
    check_consumer(build / "consumer", prefix)


def test_consumer__by_pkg_config__builds_and_runs(prefix, source):
    path = library_of(prefix).parent / "pkgconfig"
    run("make", "-C", source, f"CFLAGS=-Wall -Wextra -Werror {FLAGS}",
        env=dict(os.environ, PKG_CONFIG_PATH=str(path)))
    check_consumer(source / "consumer", prefix)


def test_library__shows_the_headers_functions_and_nothing_else(prefix):
    header = (REPOSITORY / "client" / "include" / "kvzmq.h").read_text()
    declared = set(re.findall(r"KVZMQ_EXPORT[^;(]*?\b(kvzmq_\w+)\(", header))
    assert len(declared) > 40
    names = run("nm", "-D", "--defined-only", "--format=posix", library_of(prefix)).splitlines()
    shown = {line.split()[0].split("@")[0] for line in names if line.split()[1] != "A"}  # A: the symbol of the version
    assert shown == declared


def test_library__has_a_soname_with_its_interface_version(prefix):
    library = library_of(prefix)
    said = run("readelf", "-d", library)
    assert re.search(r"SONAME.*\[libkvzmq\.so\.0\]", said)
    assert library.resolve().name == "libkvzmq.so.0.1.0"
    assert not re.search(r"(RPATH|RUNPATH)", said)


def test_include_folder__holds_one_header(prefix):
    assert [path.name for path in (prefix / "include").rglob("*") if path.is_file()] == ["kvzmq.h"]


@pytest.mark.parametrize("compiler, language", [("cc", "c"), ("c++", "c++")])
def test_header__alone__compiles(prefix, compiler, language):
    run(compiler, "-x", language, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
        pathlib.Path(prefix) / "include" / "kvzmq.h")


@pytest.mark.parametrize("program", ["kvbroker", "kvzmq-cli"])
def test_installed_programs__run_from_any_prefix_that_may_be_moved(prefix, tmp_path, program):
    moved = shutil.copytree(prefix, tmp_path / "moved", symlinks=True)
    environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    assert run(moved / "bin" / program, "--version", env=environment)
    assert f"{moved}/" in run("ldd", moved / "bin" / "kvzmq-cli", env=environment)


SIZED = re.compile(r"(typedef struct (kvzmq_\w+) \{\n *size_t size;)(.*?)(\n\} \2_t;)", re.DOTALL)


def as_it_is(header):
    return header


def as_older_programs_had_it(header):
    """Returns HEADER without the last member of each struct that may grow."""
    bare = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    shorter, count = SIZED.subn(lambda found: found[1] + re.sub(r"[^;]*;\s*\Z", "", found[3]) + found[4], bare)
    assert count >= 12
    return shorter


def as_newer_programs_will_have_it(header):
    """Returns HEADER with unknown members at the end of each struct that may grow."""
    longer, count = SIZED.subn(lambda found: found[1] + found[3] + "\n    uint64_t later[3];" + found[4], header)
    assert count >= 12
    return "#define LATER\n" + longer


@pytest.mark.parametrize("compiler, language", [("cc", "c"), ("c++", "c++")])
@pytest.mark.parametrize("altered", [as_it_is, as_older_programs_had_it, as_newer_programs_will_have_it])
def test_program_with_another_versions_header__gets_from_this_library_what_both_know(prefix, tmp_path, altered, compiler,
                                                                                     language):
    header = (prefix / "include" / "kvzmq.h").read_text()
    (tmp_path / "kvzmq.h").write_text(altered(header))
    library = library_of(prefix)
    source = REPOSITORY / "tests" / "support" / "sized_program.c"
    run(compiler, "-x", language, "-Wall", "-Wextra", "-Werror", *SANITIZER_FLAGS, "-I", tmp_path, source,
        "-o", tmp_path / "program", "-L", library.parent, "-lkvzmq")
    with Broker() as broker:
        said = run(tmp_path / "program", broker.request_endpoint, *DEFAULT_ACCOUNT,
                   env=dict(os.environ, LD_LIBRARY_PATH=str(library.parent)))
    assert said.splitlines() == ["digest set", "row city = Kolkata", "client lamp with 1 keys", "answer Kolkata", "1 change",
                                 "event entry city of 7 bytes", "mirror of 1 keys, ready"]
