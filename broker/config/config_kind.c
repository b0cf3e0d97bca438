/* SPDX-License-Identifier: MPL-2.0 */
/* Reads, checks, shows and frees the values of each kind. */
#include "broker/config/config_kind.h"

#include <inttypes.h>
#include <stdlib.h>

#include "broker/config/config_value.h"
#include "broker/core/password_hash.h"
#include "broker/core/secret.h"
#include "common/name.h"
#include "common/utf8.h"

static bool value_fault(const key_row_t *row, const config_place_t *place, const char *value,
                        complaint_t complaint)
{
    char quoted[CONFIG_QUOTE_SIZE];
    return config_fault(place, "%s/%s: \"%s\" %s", row->section, row->key,
                        utf8_quote(bytes_from_text(value), quoted, sizeof quoted), complaint);
}

/* ---- Numbers ---------------------------------------------------------------------------------- */

static uint64_t *number_at(settings_t *settings, const key_row_t *row)
{
    return (uint64_t *)((char *)settings + row->at);
}

static uint64_t number_of(const settings_t *settings, const key_row_t *row)
{
    return *(const uint64_t *)((const char *)settings + row->at);
}

static const char *number_text(uint64_t number, char out[VALUE_TEXT_SIZE])
{
    snprintf(out, VALUE_TEXT_SIZE, "%" PRIu64, number);
    return out;
}

/* How numbers of one kind are read and written. */
typedef struct notation {
    complaint_t (*read)(const char *text, uint64_t *number);
    const char *(*text)(uint64_t number, char out[VALUE_TEXT_SIZE]);
} notation_t;

static bool number_assign(settings_t *settings, const key_row_t *row, const config_place_t *place,
                          const char *value, notation_t notation)
{
    uint64_t number = 0;
    complaint_t complaint = notation.read(value, &number);
    if (complaint != NULL)
        return value_fault(row, place, value, complaint);
    if (number < row->min || number > row->max) {
        char low[VALUE_TEXT_SIZE];
        char high[VALUE_TEXT_SIZE];
        return config_fault(place, "%s/%s is out of range; choose from %s to %s", row->section, row->key,
                            notation.text(row->min, low), notation.text(row->max, high));
    }
    *number_at(settings, row) = number;
    return true;
}

#define NUMBER_KIND(name, reads, writes)                                                                     \
    static bool name##_assign(settings_t *settings, const key_row_t *row, const config_place_t *place,       \
                              const char *unused, const char *value)                                         \
    {                                                                                                        \
        (void)unused;                                                                                        \
        return number_assign(settings, row, place, value, (notation_t){reads, writes});                      \
    }                                                                                                        \
    static void name##_show(const settings_t *settings, const key_row_t *row, FILE *out)                     \
    {                                                                                                        \
        char text[VALUE_TEXT_SIZE];                                                                          \
        fputs(writes(number_of(settings, row), text), out);                                                  \
    }                                                                                                        \
    const kind_t kind_##name = {name##_assign, name##_show, NULL}

NUMBER_KIND(count, value_number, number_text);
NUMBER_KIND(size, value_size, value_size_text);
NUMBER_KIND(duration, value_duration, value_duration_text);
NUMBER_KIND(mode, value_mode, value_mode_text);
NUMBER_KIND(group, value_group, value_group_text);

/* ---- Lists of endpoints ----------------------------------------------------------------------- */

static unsigned *list_count(settings_t *settings, const key_row_t *row)
{
    return (unsigned *)((char *)settings + row->count_at);
}

static void endpoints_free(char **list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

/* Removes the next endpoint from *TEXT and returns a copy, owned by the caller. NULL if there is none (then
 * *TEXT is empty) or memory is refused. */
static char *endpoint_next(const char **text)
{
    static const char separators[] = ", ";
    const char *begin = *text + strspn(*text, separators);
    size_t length = strcspn(begin, separators);
    *text = begin;
    if (length == 0)
        return NULL;
    char *endpoint = strndup(begin, length);
    if (endpoint != NULL)
        *text = begin + length;
    return endpoint;
}

static bool endpoints_assign(settings_t *settings, const key_row_t *row, const config_place_t *place,
                             const char *unused, const char *value)
{
    (void)unused;
    bool done = false;
    unsigned count = 0;
    char **list = calloc(CONFIG_ENDPOINTS_MAX, sizeof *list);
    if (list == NULL)
        return config_fault_memory(place);
    for (char *endpoint; (endpoint = endpoint_next(&value)) != NULL;) {
        if (count == CONFIG_ENDPOINTS_MAX) {
            free(endpoint);
            config_fault(place, "%s/%s has more than %d endpoints; use fewer", row->section, row->key,
                         (int)CONFIG_ENDPOINTS_MAX);
            goto cleanup;
        }
        list[count++] = endpoint;
        complaint_t complaint = value_endpoint(endpoint);
        if (complaint != NULL) {
            value_fault(row, place, endpoint, complaint);
            goto cleanup;
        }
    }
    if (*value != '\0') {
        config_fault_memory(place);
        goto cleanup;
    }
    if (count == 0) {
        config_fault(place, "%s/%s names no endpoint; write tcp://HOST:PORT or ipc://PATH", row->section,
                     row->key);
        goto cleanup;
    }
    char ***at = (char ***)((char *)settings + row->at);
    char **before = *at;
    unsigned before_count = *list_count(settings, row);
    *at = list;
    *list_count(settings, row) = count;
    list = before;
    count = before_count;
    done = true;
cleanup:
    endpoints_free(list, count);
    return done;
}

static void endpoints_show(const settings_t *settings, const key_row_t *row, FILE *out)
{
    char *const *list = *(char ***)((const char *)settings + row->at);
    unsigned count = *(const unsigned *)((const char *)settings + row->count_at);
    if (count == 0)
        fputs("tcp://broker.example.org:5001", out);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", list[i]);
}

static void endpoints_release(settings_t *settings, const key_row_t *row)
{
    endpoints_free(*(char ***)((char *)settings + row->at), *list_count(settings, row));
}

const kind_t kind_endpoints = {endpoints_assign, endpoints_show, endpoints_release};

/* ---- Credentials ------------------------------------------------------------------------------ */

/* Returns the index in the sorted list where the credential NAME is, or would be inserted. */
static unsigned credential_place(const credential_t *list, unsigned count, const char *name)
{
    unsigned low = 0;
    unsigned high = count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (strcmp(list[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Returns the credential NAME of the list. If there is none, inserts one without a hash. NULL if memory is
 * refused or the list is full. */
static credential_t *credential_at(credential_t **list, unsigned *count, const char *name)
{
    unsigned place = credential_place(*list, *count, name);
    if (place < *count && strcmp((*list)[place].name, name) == 0)
        return &(*list)[place];
    if (*count == CONFIG_CREDENTIALS_MAX)
        return NULL;
    bool full = (*count & (*count - 1)) == 0; /* capacity is the next power of two */
    if (full) {
        size_t capacity = *count == 0 ? 1 : (size_t)*count * 2;
        credential_t *grown = realloc(*list, capacity * sizeof **list);
        if (grown == NULL)
            return NULL;
        *list = grown;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return NULL;
    credential_t *credential = &(*list)[place];
    memmove(credential + 1, credential, (*count - place) * sizeof *credential);
    ++*count;
    *credential = (credential_t){.name = copy};
    return credential;
}

static bool credential_assign(settings_t *settings, const key_row_t *row, const config_place_t *place,
                              const char *name, const char *value)
{
    credential_t **list = (credential_t **)((char *)settings + row->at);
    unsigned *count = list_count(settings, row);
    char *hash = strdup(value);
    credential_t *credential = hash == NULL ? NULL : credential_at(list, count, name);
    if (credential == NULL) {
        free(hash);
        return *count == CONFIG_CREDENTIALS_MAX
                   ? config_fault(place, "section %s has more than %d entries; use fewer", row->section,
                                  (int)CONFIG_CREDENTIALS_MAX)
                   : config_fault_memory(place);
    }
    free(credential->hash);
    credential->hash = hash;
    return true;
}

static bool manager_assign(settings_t *settings, const key_row_t *row, const config_place_t *place,
                           const char *name, const char *value)
{
    char quoted[CONFIG_QUOTE_SIZE];
    utf8_quote(bytes_from_text(name), quoted, sizeof quoted);
    size_t length = strlen(name);
    if (length == 0 || length > LIMIT_USER || strchr(name, '/') != NULL || !utf8_valid(bytes_from_text(name)))
        return config_fault(place, "\"%s\" is not an account name; use 1 to %d bytes of text without '/'",
                            quoted, (int)LIMIT_USER);
    if (!password_hash_valid(value))
        return config_fault(place,
                            "managers/%s is not an argon2id hash that the broker accepts; make one with "
                            "\"kvbroker hash-password\" and put it in quotes",
                            quoted);
    return credential_assign(settings, row, place, name, value);
}

static bool name_assign(settings_t *settings, const key_row_t *row, const config_place_t *place,
                        const char *name, const char *value)
{
    char quoted[CONFIG_QUOTE_SIZE];
    utf8_quote(bytes_from_text(name), quoted, sizeof quoted);
    if (!name_valid(bytes_from_text(name)))
        return config_fault(
            place,
            "\"%s\" is not a valid client name; use 1 to %d printable ASCII characters without '/' and "
            "blanks, not digits alone",
            quoted, (int)LIMIT_NAME);
    if (!secret_hash_valid(value))
        return config_fault(
            place,
            "names/%s is not the hash of a secret; make one with \"kvbroker hash-secret\" and put it "
            "in quotes",
            quoted);
    return credential_assign(settings, row, place, name, value);
}

static void credentials_release(settings_t *settings, const key_row_t *row)
{
    credential_t *list = *(credential_t **)((char *)settings + row->at);
    unsigned count = *list_count(settings, row);
    for (unsigned i = 0; i < count; i++) {
        free(list[i].name);
        free(list[i].hash);
    }
    free(list);
}

/* The samples look like hashes. No password or secret is known that has them. */
#define SAMPLE_SALT "AAAAAAAAAAAAAAAAAAAAAA"
#define SAMPLE_SUM  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void manager_show(const settings_t *settings, const key_row_t *row, FILE *out)
{
    (void)settings;
    (void)row;
    fputs("$argon2id$v=19$m=65536,t=2,p=1$" SAMPLE_SALT "$" SAMPLE_SUM, out);
}

static void name_show(const settings_t *settings, const key_row_t *row, FILE *out)
{
    (void)settings;
    (void)row;
    fputs("$blake2b$" SAMPLE_SALT "$" SAMPLE_SUM, out);
}

const kind_t kind_manager = {manager_assign, manager_show, credentials_release};
const kind_t kind_name = {name_assign, name_show, credentials_release};
