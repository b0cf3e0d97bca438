/* SPDX-License-Identifier: MPL-2.0 */
/* Shared by the programs that tests start. PROGRAM is the name of the program. */
#ifndef KV_TESTS_SUPPORT_PROGRAM_H
#define KV_TESTS_SUPPORT_PROGRAM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include <kvzmq.h>

static inline _Noreturn void program_fail(const char *program, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program, what, why);
    exit(1);
}

/* Reads TEXT as a number; a newline may follow. Ends the program if it is not a number. */
static inline uint64_t program_number(const char *program, const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    if (end == text || (*end != '\0' && *end != '\n'))
        program_fail(program, text, "is not a number");
    return number;
}

/* Streams contain this in place of a value: the XXH64 of its bytes. */
static inline uint64_t program_checksum(kvzmq_slice_t value)
{
    return (uint64_t)XXH64(value.data != NULL ? value.data : "", value.size, 0);
}

#endif
