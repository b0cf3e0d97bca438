/* SPDX-License-Identifier: MPL-2.0 */
/* The syntax of configuration values. It is strict: a value must match it completely. */
#include "broker/config/config_value.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/un.h>

#include "broker/core/settings.h"
#include "common/duration.h"
#include "common/number.h"

enum {
    PORT_MAX = 65535,
    MODE_DIGITS = 3,
    HOST_MAX = 253 /* bytes of a host name, RFC 1035 */
};

complaint_t value_number(const char *text, uint64_t *number)
{
    return number_parse(bytes_from_text(text), number) ? NULL : "is not a whole number; write digits alone";
}

/* Units of sizes, the largest first. */
static const struct {
    const char *text;
    unsigned shift; /* the unit is 1 << shift bytes */
} units[] = {{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}};
enum { UNIT_COUNT = sizeof units / sizeof units[0] };

complaint_t value_size(const char *text, uint64_t *bytes)
{
    static const char complaint[] =
        "is not a size; write a number of bytes, or one with KiB, MiB or GiB (8MiB)";
    bytes_t rest = bytes_from_text(text);
    uint64_t read = 0;
    if (!number_take(&rest, &read))
        return complaint;
    if (bytes_starts_with(rest, bytes_from_text(" ")))
        rest = bytes_of(rest.data + 1, rest.size - 1);
    for (unsigned i = 0; i < UNIT_COUNT; i++) {
        if (!bytes_equal(rest, bytes_from_text(units[i].text)))
            continue;
        if (__builtin_mul_overflow(read, UINT64_C(1) << units[i].shift, &read))
            return complaint;
        *bytes = read;
        return NULL;
    }
    return complaint;
}

complaint_t value_duration(const char *text, uint64_t *ms)
{
    return duration_parse(bytes_from_text(text), ms) ? NULL : "is not " DURATION_EXPECTED "; write one";
}

complaint_t value_mode(const char *text, uint64_t *mode)
{
    const char *digits = strlen(text) > MODE_DIGITS && text[0] == '0' ? text + 1 : text;
    if (strlen(digits) != MODE_DIGITS || strspn(digits, "01234567") != MODE_DIGITS)
        return "is not a file's mode; write three octal digits, such as 660";
    *mode = (uint64_t)(digits[0] - '0') << 6 | (uint64_t)(digits[1] - '0') << 3 | (uint64_t)(digits[2] - '0');
    return NULL;
}

complaint_t value_group(const char *text, uint64_t *group)
{
    uint64_t number = IPC_GROUP_OWN;
    if (text[0] == '\0' || number_parse(bytes_from_text(text), &number)) {
        if (text[0] != '\0' && number >= (gid_t)-1)
            return "is above every group's number; write a group's name";
        *group = number;
        return NULL;
    }
    errno = 0;
    const struct group *found = getgrnam(text);
    if (found == NULL && errno == ENOMEM)
        return "cannot be looked up: out of memory; free some and start again";
    if (found == NULL)
        return "is not a group of this system; write the name or the number of one (\"getent group\" lists "
               "them)";
    *group = found->gr_gid;
    return NULL;
}

static complaint_t tcp_check(const char *address)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address)
        return "names no host and port; write tcp://HOST:PORT (PORT may be * for any free one)";
    bytes_t host = bytes_of(address, (size_t)(colon - address));
    if (host.size > HOST_MAX)
        return "has a host name that is too long; the longest has 253 bytes";
    bool bracketed = host.data[0] == '[' && host.data[host.size - 1] == ']';
    if (!bracketed && memchr(host.data, ':', host.size) != NULL)
        return "has a colon in its host; write an IPv6 address in brackets: tcp://[::1]:5000";
    if (strcmp(colon + 1, "*") == 0)
        return NULL;
    uint64_t port = 0;
    if (value_number(colon + 1, &port) != NULL || port == 0 || port > PORT_MAX)
        return "has no valid port; write 1 to 65535, or * for any free one";
    return NULL;
}

static complaint_t ipc_check(const char *path)
{
    struct sockaddr_un address;
    if (*path == '\0')
        return "names no path; write ipc:///run/kvbroker/requests, say";
    if (strlen(path) >= sizeof address.sun_path)
        return "has a path too long for a Unix socket; use one of at most 107 bytes";
    return NULL;
}

/* The transports that a broker can listen on. */
static const struct {
    const char *scheme;
    complaint_t (*check)(const char *rest);
} transports[] = {{"tcp://", tcp_check}, {"ipc://", ipc_check}};
enum { TRANSPORT_COUNT = sizeof transports / sizeof transports[0] };

complaint_t value_endpoint(const char *text)
{
    for (unsigned i = 0; i < TRANSPORT_COUNT; i++) {
        size_t length = strlen(transports[i].scheme);
        if (strncmp(text, transports[i].scheme, length) == 0)
            return transports[i].check(text + length);
    }
    return "has a transport that kvbroker does not listen on; write tcp://HOST:PORT or ipc://PATH";
}

const char *value_size_text(uint64_t bytes, char out[VALUE_TEXT_SIZE])
{
    unsigned unit = 0;
    while (bytes % (UINT64_C(1) << units[unit].shift) != 0 || bytes == 0) {
        if (units[unit].shift == 0)
            break;
        unit++;
    }
    snprintf(out, VALUE_TEXT_SIZE, "%" PRIu64 "%s", bytes >> units[unit].shift, units[unit].text);
    return out;
}

const char *value_mode_text(uint64_t mode, char out[VALUE_TEXT_SIZE])
{
    snprintf(out, VALUE_TEXT_SIZE, "%04" PRIo64, mode);
    return out;
}

const char *value_group_text(uint64_t group, char out[VALUE_TEXT_SIZE])
{
    out[0] = '\0';
    if (group != IPC_GROUP_OWN)
        snprintf(out, VALUE_TEXT_SIZE, "%" PRIu64, group);
    return out;
}

const char *value_duration_text(uint64_t ms, char out[VALUE_TEXT_SIZE])
{
    int length = snprintf(out, VALUE_TEXT_SIZE, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
    while (out[length - 1] == '0')
        out[--length] = '\0';
    if (out[length - 1] == '.')
        out[length - 1] = '\0';
    return out;
}
