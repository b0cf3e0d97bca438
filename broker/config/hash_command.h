/* SPDX-License-Identifier: MPL-2.0 */
/* The commands `kvbroker hash-password` and `kvbroker hash-secret`: what is typed or piped in goes out as the
 * hash that the configuration holds. Each returns the process's exit status and says on standard error what
 * went wrong. sodium_init must have been called. */
#ifndef KV_BROKER_CONFIG_HASH_COMMAND_H
#define KV_BROKER_CONFIG_HASH_COMMAND_H

#include "common/status.h"

/* Reads a password, at a terminal twice and without echo, else one line of standard input, and prints its
 * hash. */
KV_MUST_USE int hash_password_run(void);

/* The same for a name's secret. With GENERATE: makes one of 256 random bits, and prints it on a line before
 * its hash. */
KV_MUST_USE int hash_secret_run(bool generate);

#endif
