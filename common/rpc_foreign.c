/* SPDX-License-Identifier: MPL-2.0 */
/* Owns which payloads count as text that was sent by mistake. */
#include "common/rpc.h"
#include "common/utf8.h"

enum { TEXT_MIN = 2 }; /* bytes; a single byte gets one error anyway */

#define EXPECTED "not MessagePack: send an array, [0, msgid, method, params]"

/* How known kinds of text begin. */
static const struct beginning {
    const char *text;
    const char *problem;
} beginnings[] = {
    {"{", "this is JSON, " EXPECTED},        {"[", "this is JSON, " EXPECTED},
    {"GET ", "this is HTTP, " EXPECTED},     {"HEAD ", "this is HTTP, " EXPECTED},
    {"POST ", "this is HTTP, " EXPECTED},    {"PUT ", "this is HTTP, " EXPECTED},
    {"DELETE ", "this is HTTP, " EXPECTED},  {"CONNECT ", "this is HTTP, " EXPECTED},
    {"OPTIONS ", "this is HTTP, " EXPECTED}, {"TRACE ", "this is HTTP, " EXPECTED},
    {"PATCH ", "this is HTTP, " EXPECTED},   {"HTTP/", "this is HTTP, " EXPECTED},
};
enum { BEGINNINGS = sizeof beginnings / sizeof beginnings[0] };

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_text(bytes_t payload)
{
    for (size_t i = 0; i < payload.size; i++) {
        if (payload.data[i] < ' ' && !is_blank(payload.data[i]))
            return false;
    }
    return utf8_valid(payload);
}

const char *rpc_foreign(bytes_t payload)
{
    /* A message begins with the head of an array: most payloads return here. */
    if (payload.size < TEXT_MIN || (payload.data[0] >= 0x80 && payload.data[0] < 0xc2) || !is_text(payload))
        return NULL;
    size_t at = 0;
    while (at < payload.size && is_blank(payload.data[at]))
        at++;
    bytes_t rest = bytes_of(payload.data + at, payload.size - at);
    for (unsigned i = 0; i < BEGINNINGS; i++) {
        if (bytes_starts_with(rest, bytes_from_text(beginnings[i].text)))
            return beginnings[i].problem;
    }
    return "this is text, " EXPECTED;
}
