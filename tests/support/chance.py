# SPDX-License-Identifier: MPL-2.0
"""Random numbers for randomised tests. All follow from one seed, which is printed; set KV_SEED to repeat a run. (chance.h is
the same for C.) Tests must not use other random numbers; check_chance.py finds those that do.

KV_ROUNDS (default 1) multiplies the rounds of randomised tests: tests/run is quick, tests/long is thorough."""

import os
import random

SEED = int(os.environ.get("KV_SEED") or random.SystemRandom().randrange(2**32))  # one for the process; conftest.py shows it


def rounds(number):
    """Returns how many rounds to do if NUMBER of them are enough for tests/run."""
    return number * max(1, int(os.environ.get("KV_ROUNDS") or 1))


def seeded(purpose=""):
    """Returns a generator for PURPOSE (a text), independent of the others. So the numbers of a thread do not depend on other
    threads, and those of a test do not depend on which tests ran before it."""
    print(f"KV_SEED={SEED}")
    return random.Random(f"{SEED}/{purpose}")
