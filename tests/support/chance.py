# SPDX-License-Identifier: MPL-2.0
"""Chance for randomised tests: numbers that follow from a seed, which is printed and which KV_SEED repeats (chance.h is the
same for C). No test draws from anything else; check_chance.py finds those that do.

KV_ROUNDS says how many times as many rounds a randomised test does (1): tests/run is quick, tests/long thorough."""

import os
import random

SEED = int(os.environ.get("KV_SEED") or random.SystemRandom().randrange(2**32))  # one a process; conftest.py shows it


def rounds(number):
    """How many rounds to do if NUMBER of them are enough for tests/run."""
    return number * max(1, int(os.environ.get("KV_ROUNDS") or 1))


def seeded(purpose=""):
    """A source of its own for each PURPOSE (a text): what one thread draws does not depend on what another draws, and what
    a test draws not on which tests ran before it."""
    print(f"KV_SEED={SEED}")
    return random.Random(f"{SEED}/{purpose}")
