/* SPDX-License-Identifier: MPL-2.0 */
/* Facts about the machine that affect a measurement. */
#ifndef KV_CLIENT_CLI_BENCH_MACHINE_H
#define KV_CLIENT_CLI_BENCH_MACHINE_H

#include <stdint.h>

enum { MACHINE_TEXT_SIZE = 128 };

/* A text is "" if it is not known. */
typedef struct machine {
    char cpu[MACHINE_TEXT_SIZE];    /* model */
    char kernel[MACHINE_TEXT_SIZE]; /* name and release */
    char libzmq[MACHINE_TEXT_SIZE]; /* the version that runs */
    char load[MACHINE_TEXT_SIZE];   /* the load average of the last minute */
    uint64_t cpus;                  /* processors that are online */
} machine_t;

void machine_read(machine_t *machine);

#endif
