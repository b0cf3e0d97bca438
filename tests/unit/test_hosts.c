/* SPDX-License-Identifier: MPL-2.0 */
/* Problems if the system has no memory to look something up. A test cannot refuse the allocations of the C
 * library, so its functions are replaced here. tests/interop/test_endpoints.py tests the rest. */
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/config/config_value.h"
#include "broker/net/hosts.h"

static int lookup_failure; /* of getaddrinfo(3) */
static int system_failure; /* errno of a call */

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
struct group *__wrap_getgrnam(const char *name);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    (void)host;
    (void)service;
    (void)hints;
    (void)found;
    errno = system_failure;
    return lookup_failure;
}

struct group *__wrap_getgrnam(const char *name)
{
    (void)name;
    errno = system_failure;
    return NULL;
}

static void check_host(int failure, int error, const char *expected)
{
    char endpoint[] = "tcp://host:5000";
    char *endpoints[] = {endpoint};
    const settings_t settings = {.requests = endpoints, .request_count = 1, .ipc.group = IPC_GROUP_OWN};
    char problem[256] = "";
    lookup_failure = failure;
    system_failure = error;
    assert_false(hosts_check(&settings, problem, sizeof problem));
    assert_string_equal(problem, expected);
}

static void host__that_cannot_be_looked_up_for_want_of_memory__is_not_called_unknown(void **state)
{
    static const char expected[] =
        "listen/requests: tcp://host:5000: out of memory; free some and start again";
    (void)state;
    check_host(EAI_MEMORY, 0, expected);
    check_host(EAI_SYSTEM, ENOMEM, expected);
}

static void host__that_nobody_knows__is_called_unknown(void **state)
{
    (void)state;
    check_host(
        EAI_NONAME, 0,
        "listen/requests: tcp://host:5000: no such host: Name or service not known; check the name, or "
        "write a numeric address");
}

static void check_group(int error, const char *expected)
{
    uint64_t group = 7;
    system_failure = error;
    complaint_t complaint = value_group("staff", &group);
    assert_non_null(complaint);
    assert_ptr_equal(strstr(complaint, expected), complaint);
    assert_int_equal(group, 7);
}

static void group__that_cannot_be_looked_up_for_want_of_memory__is_not_called_unknown(void **state)
{
    (void)state;
    check_group(ENOMEM, "cannot be looked up: out of memory");
}

static void group__that_nobody_knows__is_called_unknown(void **state)
{
    (void)state;
    check_group(0, "is not a group of this system");
    check_group(ENOENT, "is not a group of this system");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host__that_cannot_be_looked_up_for_want_of_memory__is_not_called_unknown),
        cmocka_unit_test(host__that_nobody_knows__is_called_unknown),
        cmocka_unit_test(group__that_cannot_be_looked_up_for_want_of_memory__is_not_called_unknown),
        cmocka_unit_test(group__that_nobody_knows__is_called_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
