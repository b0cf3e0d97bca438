/* SPDX-License-Identifier: MPL-2.0 */
/* Texts of the public status codes. Checks that the codes agree with the protocol's. */
#include <assert.h>

#include "client/include/kvzmq.h"

#include "common/status.h"

/* The broker's codes have the same numbers on both sides. This does not compile if the lists disagree. */
#define STATUS(name, text) static_assert((int)KVZMQ_##name == (int)STATUS_##name, text);
#include "common/status.def"
#undef STATUS

#define QUOTE(text)  #text
#define EXPAND(text) QUOTE(text)

const char *kvzmq_version(void)
{
    return EXPAND(KVZMQ_VERSION_MAJOR) "." EXPAND(KVZMQ_VERSION_MINOR) "." EXPAND(KVZMQ_VERSION_PATCH);
}

const char *kvzmq_status_text(kvzmq_status_t status)
{
    switch (status) {
#define CASE(name, number, meaning)                                                                          \
    case KVZMQ_##name:                                                                                       \
        return #name;
        KVZMQ_STATUS_LIST(CASE)
#undef CASE
    }
    return "?";
}

const char *kvzmq_status_meaning(kvzmq_status_t status)
{
    switch (status) {
#define CASE(name, number, meaning)                                                                          \
    case KVZMQ_##name:                                                                                       \
        return meaning;
        KVZMQ_STATUS_LIST(CASE)
#undef CASE
    }
    return "?";
}
