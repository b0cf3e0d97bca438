# SPDX-License-Identifier: MPL-2.0
"""Hashes of passwords (cheap ones, slow ones, and real ones that the broker made) and of secrets."""

import ctypes
import ctypes.util
import functools

from kvbroker import kvbroker


@functools.lru_cache(maxsize=None)
def sodium():
    library = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
    assert library.sodium_init() >= 0
    return library


def matches(hashed, password):
    """Whether PASSWORD (bytes) is that of the argon2id hash HASHED (bytes)."""
    return sodium().crypto_pwhash_str_verify(hashed, password, ctypes.c_ulonglong(len(password))) == 0


@functools.lru_cache(maxsize=None)
def cheap_hash(password):
    """Returns an argon2id hash with the lowest cost, so that tests that are not about its cost are quick."""
    text = ctypes.create_string_buffer(128)
    secret = password.encode()
    failed = sodium().crypto_pwhash_str_alg(text, secret, ctypes.c_ulonglong(len(secret)), ctypes.c_ulonglong(1),
                                          ctypes.c_size_t(8192), ctypes.c_int(2))
    assert failed == 0
    return text.value.decode()


SLOW_HASHES = {  # 16 passes over 64 MiB
    "eve": "$argon2id$v=19$m=65536,t=16,p=1$QG0XO7ANxOVFWBSUmxifNA$zgxNfRTeffM29+S9HiVKFUxlH5MQzWvLpsk7EcO4nRw",
    "pace": "$argon2id$v=19$m=65536,t=16,p=1$hkbKJVMAefGN47mX+dVRYQ$sMNMX5St6whfAJ5VdzbdmzqVEYCpq+vjCqFoZSRnzXc",
}


def slow_hash(password):
    """Returns an argon2id hash that takes about a second to verify, for tests of what happens meanwhile. (Making one takes
    as long, so these are constants.)"""
    return SLOW_HASHES[password]


def printed_by(command, text):
    done = kvbroker(command, typed=text.encode() + b"\n")
    assert done.returncode == 0, done
    return done.stdout.decode().strip()


@functools.lru_cache(maxsize=None)
def real_hash(password):
    """Returns an argon2id hash from the broker's own command, with its real cost."""
    return printed_by("hash-password", password)


@functools.lru_cache(maxsize=None)
def secret_hash(secret):
    """Returns the hash of a name's secret from the broker's own command."""
    return printed_by("hash-secret", secret)
