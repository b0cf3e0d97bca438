/* SPDX-License-Identifier: MPL-2.0 */
/* The commands `kvbroker hash-password` and `kvbroker hash-secret`. They read a text that is typed or piped
 * in, and print its hash for the configuration. Each returns the exit status of the process, and says on
 * standard error what went wrong. Requires sodium_init. */
#ifndef KV_BROKER_CONFIG_HASH_COMMAND_H
#define KV_BROKER_CONFIG_HASH_COMMAND_H

#include "common/status.h"

/* Reads a password and prints its hash. At a terminal, asks twice without echo; otherwise reads one line of
 * standard input. */
KV_MUST_USE int hash_password_run(void);

/* The same for the secret of a name. With GENERATE, makes a secret of 256 random bits instead of reading one,
 * and prints it on a line before its hash. */
KV_MUST_USE int hash_secret_run(bool generate);

#endif
