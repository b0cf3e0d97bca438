/* SPDX-License-Identifier: MPL-2.0 */
/* Reads the input as a configuration file, and its first line as the argument of --set. Either must give
 * valid settings or a problem of one line. */
#include <sodium.h>
#include <stdlib.h>

#include "broker/config/config.h"
#include "broker/config/config_kind.h"
#include "common/utf8.h"
#include "tests/fuzz/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Checks that a problem is one line of valid UTF-8 that fits its buffer. */
static void problem_check(const char problem[CONFIG_PROBLEM_SIZE])
{
    size_t length = strnlen(problem, CONFIG_PROBLEM_SIZE);
    CHECK(length > 0 && length < CONFIG_PROBLEM_SIZE);
    CHECK(strchr(problem, '\n') == NULL);
    CHECK(utf8_valid(bytes_of(problem, length)));
}

/* Checks what the broker relies on in settings that were accepted. */
static void settings_check(const settings_t *settings)
{
    CHECK(settings->request_count >= 1 && settings->request_count <= CONFIG_ENDPOINTS_MAX);
    CHECK(settings->event_count >= 1 && settings->event_count <= CONFIG_ENDPOINTS_MAX);
    CHECK(settings->timeout_ms > 0);
    CHECK(settings->first_id >= 1 && settings->first_id <= 65535 && settings->last_id <= 65535);
    CHECK(settings->limits.key >= 1 && settings->limits.key <= LIMIT_KEY_MAX);
    for (unsigned i = 0; i < settings->manager_count; i++)
        CHECK(settings->managers[i].name[0] != '\0' && settings->managers[i].hash[0] == '$');
    for (unsigned i = 0; i < settings->name_count; i++)
        CHECK(settings->names[i].name[0] != '\0' && settings->names[i].hash[0] == '$');
}

static void assignment_try(settings_t *settings, const uint8_t *data, size_t size)
{
    char problem[CONFIG_PROBLEM_SIZE] = "";
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    char *assignment =
        size == 0 ? calloc(1, 1) : strndup((const char *)data, end == NULL ? size : (size_t)(end - data));
    CHECK(assignment != NULL);
    if (config_set(settings, assignment, problem, sizeof problem))
        settings_check(settings);
    else
        problem_check(problem);
    free(assignment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    settings_t settings;
    char problem[CONFIG_PROBLEM_SIZE] = "";
    CHECK(sodium_init() >= 0 && settings_init(&settings));
    if (!config_read(&settings, "f", bytes_of(data, size), problem, sizeof problem)) {
        problem_check(problem);
    } else {
        settings_check(&settings);
        if (!config_check(&settings, problem, sizeof problem))
            problem_check(problem);
    }
    settings_release(&settings);
    CHECK(settings_init(&settings));
    assignment_try(&settings, data, size);
    settings_release(&settings);
    return 0;
}
