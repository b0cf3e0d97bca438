/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of configuration keys, and what settings own. Knows no syntax of files. */
#include "broker/config/config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "broker/config/config_table.h"
#include "broker/config/config_value.h"
#include "broker/core/accounts.h"
#include "broker/core/secret.h"
#include "broker/net/ipc_file.h"
#include "common/edit_distance.h"
#include "common/name.h"
#include "common/utf8.h"

enum {
    QUOTE_SIZE = 100,       /* bytes of a piece of input quoted in a problem */
    IPC_MODE_DEFAULT = 0600 /* the broker's own user alone */
};

struct kind {
    /* Sets the key (NAME stands in place of the row's NAME) to VALUE, or writes the problem. */
    bool (*assign)(settings_t *settings, const key_row_t *row, const place_t *place, const char *name,
                   const char *value);
    /* Writes the value it has, or a sample of one, as a file would have it. */
    void (*show)(const settings_t *settings, const key_row_t *row, FILE *out);
};

/* ---- Places and problems ---------------------------------------------------------------------- */

bool place_fault(const place_t *place, const char *format, ...)
{
    char text[CONFIG_PROBLEM_SIZE];
    va_list arguments;
    va_start(arguments, format);
    utf8_vformat(text, sizeof text, format, arguments);
    va_end(arguments);
    if (place->line > 0)
        utf8_format(place->problem, place->size, "%s:%u: %s", place->name, place->line, text);
    else
        utf8_format(place->problem, place->size, "%s: %s", place->name, text);
    return false;
}

static bool memory_fault(const place_t *place)
{
    return place_fault(place, "memory is used up; free some and start again");
}

static bool value_fault(const key_row_t *row, const place_t *place, const char *value, complaint_t complaint)
{
    char quoted[QUOTE_SIZE];
    return place_fault(place, "%s/%s: \"%s\" %s", row->section, row->key,
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

/* A kind of number: how its text is read and written. */
typedef struct notation {
    complaint_t (*read)(const char *text, uint64_t *number);
    const char *(*text)(uint64_t number, char out[VALUE_TEXT_SIZE]);
} notation_t;

static bool number_assign(settings_t *settings, const key_row_t *row, const place_t *place, const char *value,
                          notation_t notation)
{
    uint64_t number = 0;
    complaint_t complaint = notation.read(value, &number);
    if (complaint != NULL)
        return value_fault(row, place, value, complaint);
    if (number < row->min || number > row->max) {
        char low[VALUE_TEXT_SIZE];
        char high[VALUE_TEXT_SIZE];
        return place_fault(place, "%s/%s is out of range; choose from %s to %s", row->section, row->key,
                           notation.text(row->min, low), notation.text(row->max, high));
    }
    *number_at(settings, row) = number;
    return true;
}

#define NUMBER_KIND(name, reads, writes)                                                                     \
    static bool name##_assign(settings_t *settings, const key_row_t *row, const place_t *place,              \
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
    static const kind_t name = {name##_assign, name##_show}

NUMBER_KIND(count_kind, value_number, number_text);
NUMBER_KIND(size_kind, value_size, value_size_text);
NUMBER_KIND(duration_kind, value_duration, value_duration_text);
NUMBER_KIND(mode_kind, value_mode, value_mode_text);
NUMBER_KIND(group_kind, value_group, value_group_text);

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

/* Takes the next endpoint off *TEXT, owned; NULL if there is none (*TEXT is at its end then) or memory is
 * refused. */
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

static bool endpoints_assign(settings_t *settings, const key_row_t *row, const place_t *place,
                             const char *unused, const char *value)
{
    (void)unused;
    bool done = false;
    unsigned count = 0;
    char **list = calloc(CONFIG_ENDPOINTS_MAX, sizeof *list);
    if (list == NULL)
        return memory_fault(place);
    for (char *endpoint; (endpoint = endpoint_next(&value)) != NULL;) {
        if (count == CONFIG_ENDPOINTS_MAX) {
            free(endpoint);
            place_fault(place, "%s/%s has more than %d endpoints; use fewer", row->section, row->key,
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
        memory_fault(place);
        goto cleanup;
    }
    if (count == 0) {
        place_fault(place, "%s/%s names no endpoint; write tcp://HOST:PORT or ipc://PATH", row->section,
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

static const kind_t endpoints_kind = {endpoints_assign, endpoints_show};

/* ---- Credentials ------------------------------------------------------------------------------ */

/* The place of NAME in the sorted list: where its credential is, or belongs. */
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

/* The credential NAME of the list; made, without a hash, where there is none. NULL if memory is refused or
 * the list is full. */
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

static bool credential_assign(settings_t *settings, const key_row_t *row, const place_t *place,
                              const char *name, const char *value)
{
    credential_t **list = (credential_t **)((char *)settings + row->at);
    unsigned *count = list_count(settings, row);
    char *hash = strdup(value);
    credential_t *credential = hash == NULL ? NULL : credential_at(list, count, name);
    if (credential == NULL) {
        free(hash);
        return *count == CONFIG_CREDENTIALS_MAX
                   ? place_fault(place, "section %s has more than %d entries; use fewer", row->section,
                                 (int)CONFIG_CREDENTIALS_MAX)
                   : memory_fault(place);
    }
    free(credential->hash);
    credential->hash = hash;
    return true;
}

static bool manager_assign(settings_t *settings, const key_row_t *row, const place_t *place, const char *name,
                           const char *value)
{
    char quoted[QUOTE_SIZE];
    utf8_quote(bytes_from_text(name), quoted, sizeof quoted);
    size_t length = strlen(name);
    if (length == 0 || length > LIMIT_USER || strchr(name, '/') != NULL || !utf8_valid(bytes_from_text(name)))
        return place_fault(place, "\"%s\" is not an account name; use 1 to %d bytes of text without '/'",
                           quoted, (int)LIMIT_USER);
    if (!password_hash_valid(value))
        return place_fault(place,
                           "managers/%s is not an argon2id hash that the broker accepts; make one with "
                           "\"kvbroker hash-password\" and put it in quotes",
                           quoted);
    return credential_assign(settings, row, place, name, value);
}

static bool name_assign(settings_t *settings, const key_row_t *row, const place_t *place, const char *name,
                        const char *value)
{
    char quoted[QUOTE_SIZE];
    utf8_quote(bytes_from_text(name), quoted, sizeof quoted);
    if (!name_valid(bytes_from_text(name)))
        return place_fault(
            place,
            "\"%s\" is not a valid client name; use 1 to %d printable ASCII characters without '/' and "
            "blanks, not digits alone",
            quoted, (int)LIMIT_NAME);
    if (!secret_hash_valid(value))
        return place_fault(
            place,
            "names/%s is not the hash of a secret; make one with \"kvbroker hash-secret\" and put it "
            "in quotes",
            quoted);
    return credential_assign(settings, row, place, name, value);
}

static void credentials_free(credential_t *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        free(list[i].name);
        free(list[i].hash);
    }
    free(list);
}

/* Samples have the form of a hash, and are the hash of nothing known. */
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

static const kind_t manager_kind = {manager_assign, manager_show};
static const kind_t name_kind = {name_assign, name_show};

/* ---- The table -------------------------------------------------------------------------------- */

#define AT(member) offsetof(settings_t, member)

#define GIB (UINT64_C(1) << 30)

static const key_row_t table[] = {
    {"listen", "requests", &endpoints_kind, AT(requests), AT(request_count), 0, 0, true,
     "Where clients connect: one or more of tcp://HOST:PORT (HOST is a name, an address or *; PORT may be *) "
     "and ipc://PATH"},
    {"listen", "events", &endpoints_kind, AT(events), AT(event_count), 0, 0, true,
     "Where managers subscribe to events, in the same form"},
    {"listen", "advertise", &endpoints_kind, AT(advertised), AT(advertised_count), 0, 0, true,
     "The event endpoint that managers get instead, if they reach it by another way (a port mapping, a "
     "relay)"},
    {"listen", "ipc_mode", &mode_kind, AT(ipc_mode), 0, 0, 0777, true,
     "Who may connect to an ipc path: the mode of its socket file (w allows connecting)"},
    {"listen", "ipc_group", &group_kind, AT(ipc_group), 0, 0, IPC_GROUP_OWN, true,
     "The group of that file, a name or a number; if empty, the broker's own"},
    {"session", "timeout", &duration_kind, AT(timeout_ms), 0, 50, UINT64_C(31536000000), false,
     "A session ends if it sends no message for this time: seconds, or a time such as 500ms, 5m, 1h30m"},
    {"managers", "NAME", &manager_kind, AT(managers), AT(manager_count), 0, 0, false,
     "An account of managers, with the hash that \"kvbroker hash-password\" prints"},
    {"names", "NAME", &name_kind, AT(names), AT(name_count), 0, 0, false,
     "A claimed client name, with the hash that \"kvbroker hash-secret\" prints"},
    {"ids", "first", &count_kind, AT(first_id), 0, 1, 65535, true,
     "The lowest number given to a client without a name"},
    {"ids", "last", &count_kind, AT(last_id), 0, 1, 65535, true,
     "The highest; if all are in use, numbers continue at 65536"},
    {"events", "keep", &count_kind, AT(events_keep), 0, 1, UINT64_C(1) << 28, true,
     "Number of latest events that are kept, for managers that missed them"},
    {"events", "keep_bytes", &size_kind, AT(events_keep_bytes), 0, 1024, 64 * GIB, true,
     "Bytes of these events"},
    {"events", "inline", &size_kind, AT(events_inline), 0, 0, GIB, false,
     "Longest value, in bytes, that an event carries; it leaves out a longer one"},
    {"limits", "key", &size_kind, AT(limits.key), 0, 1, LIMIT_KEY_MAX, false, "Bytes of a key"},
    {"limits", "value", &size_kind, AT(limits.value), 0, 0, GIB, false, "Bytes of a value"},
    {"limits", "message", &size_kind, AT(limits.message), 0, 2048, GIB, true, "Bytes of a frame, in or out"},
    {"limits", "batch", &count_kind, AT(limits.batch), 0, 1, 1000000, false, "Messages in one payload"},
    {"limits", "clients", &count_kind, AT(limits.clients), 0, 1, 10000000, false, "Clients at once"},
    {"limits", "keys_per_client", &count_kind, AT(limits.keys_per_client), 0, 1, UINT64_C(1) << 40, false,
     "Keys in one client's store"},
    {"limits", "bytes_per_client", &size_kind, AT(limits.bytes_per_client), 0, 1, UINT64_C(1) << 50, false,
     "Bytes of keys and values in one client's store"},
    {"limits", "bytes_total", &size_kind, AT(limits.bytes_total), 0, 1, UINT64_C(1) << 50, false,
     "Bytes of keys and values in all stores"},
    {"limits", "outstanding", &size_kind, AT(limits.outstanding), 0, 2048, 64 * GIB, false,
     "Bytes of unread answers at which a client is cut off"},
};
enum { TABLE_SIZE = sizeof table / sizeof table[0] };

#define ANY_NAME "NAME"

bool config_row_named(const key_row_t *row)
{
    return strcmp(row->key, ANY_NAME) == 0;
}

const key_row_t *config_row(unsigned i)
{
    return i < TABLE_SIZE ? &table[i] : NULL;
}

bool config_section_known(const char *path)
{
    for (unsigned i = 0; i < TABLE_SIZE; i++)
        if (strcmp(table[i].section, path) == 0)
            return true;
    return false;
}

/* Splits PATH at its first slash. *KEY is NULL if there is none. */
static bytes_t section_of(const char *path, const char **key)
{
    const char *slash = strchr(path, '/');
    *key = slash == NULL ? NULL : slash + 1;
    return bytes_of(path, slash == NULL ? strlen(path) : (size_t)(slash - path));
}

static const key_row_t *row_find(const char *path)
{
    const char *key = NULL;
    bytes_t section = section_of(path, &key);
    if (key == NULL)
        return NULL;
    for (unsigned i = 0; i < TABLE_SIZE; i++)
        if (bytes_equal(section, bytes_from_text(table[i].section)) &&
            (config_row_named(&table[i]) || strcmp(key, table[i].key) == 0))
            return &table[i];
    return NULL;
}

/* How many edits make PATH the row's key, where a name or a key that is missing is taken as right. */
static unsigned row_distance(const key_row_t *row, const char *path)
{
    const char *key = NULL;
    unsigned edits = edit_distance(section_of(path, &key), bytes_from_text(row->section));
    if (key != NULL && !config_row_named(row))
        edits += edit_distance(bytes_from_text(key), bytes_from_text(row->key));
    return edits;
}

static bool unknown_fault(const place_t *place, const char *path)
{
    char quoted[QUOTE_SIZE];
    utf8_quote(bytes_from_text(path), quoted, sizeof quoted);
    const key_row_t *closest = &table[0];
    for (unsigned i = 1; i < TABLE_SIZE; i++)
        if (row_distance(&table[i], path) < row_distance(closest, path))
            closest = &table[i];
    if (row_distance(closest, path) > 2 + strlen(path) / 4)
        return place_fault(place, "unknown key %s; \"kvbroker --help-config\" lists the keys", quoted);
    bool section = strchr(path, '/') == NULL;
    return place_fault(place, "unknown %s %s; did you mean %s%s%s?", section ? "section" : "key", quoted,
                       closest->section, section ? "" : "/", section ? "" : closest->key);
}

bool config_assign(settings_t *settings, const place_t *place, const char *path, const char *value)
{
    if (config_section_known(path))
        return place_fault(place,
                           "%s is a section and takes no value; give its keys theirs, as in %s/KEY = VALUE",
                           path, path);
    const key_row_t *row = row_find(path);
    if (row == NULL)
        return unknown_fault(place, path);
    if (value == NULL) {
        char quoted[QUOTE_SIZE];
        return place_fault(place, "%s has no value; write KEY = VALUE",
                           utf8_quote(bytes_from_text(path), quoted, sizeof quoted));
    }
    return row->kind->assign(settings, row, place, strchr(path, '/') + 1, value);
}

bool config_set(settings_t *settings, const char *assignment, char *problem, size_t problem_size)
{
    const char *equals = strchr(assignment, '=');
    place_t place = {.name = "--set", .problem = problem, .size = problem_size};
    if (equals == NULL || equals == assignment) {
        char quoted[QUOTE_SIZE];
        return place_fault(&place, "\"%s\" has no key and value; write --set SECTION/KEY=VALUE",
                           utf8_quote(bytes_from_text(assignment), quoted, sizeof quoted));
    }
    char *path = strndup(assignment, (size_t)(equals - assignment));
    if (path == NULL)
        return memory_fault(&place);
    bool done = config_assign(settings, &place, path, equals + 1);
    free(path);
    return done;
}

/* Appended to the help of keys that SIGHUP does not change. */
#define FIXED_NOTE "; a change needs a restart"

void config_help(FILE *out)
{
    settings_t settings;
    if (!settings_init(&settings))
        return;
    fputs("# Configuration of kvbroker: every key with its default. The form is ZPL (ZeroMQ RFC 4): a "
          "section on a\n"
          "# line of its own, its keys under it, each indented by exactly 4 spaces. To set a key, take away "
          "the #\n"
          "# before it and before its section. On the command line: kvbroker --set SECTION/KEY=VALUE\n",
          out);
    for (unsigned i = 0; i < TABLE_SIZE; i++) {
        if (i == 0 || strcmp(table[i].section, table[i - 1].section) != 0)
            fprintf(out, "\n#%s\n", table[i].section);
        fprintf(out, "# %s%s\n#    %s = \"", table[i].help, table[i].fixed ? FIXED_NOTE : "", table[i].key);
        table[i].kind->show(&settings, &table[i], out);
        fputs("\"\n", out);
    }
    settings_release(&settings);
}

/* ---- Settings --------------------------------------------------------------------------------- */

bool settings_init(settings_t *settings)
{
    char problem[CONFIG_PROBLEM_SIZE];
    *settings = (settings_t){.ipc_mode = IPC_MODE_DEFAULT,
                             .ipc_group = IPC_GROUP_OWN,
                             .timeout_ms = 60000,
                             .first_id = 32768,
                             .last_id = 60999,
                             .events_keep = 65536,
                             .events_keep_bytes = 64 << 20,
                             .events_inline = 65536,
                             .limits = LIMITS_DEFAULT};
    if (config_set(settings, "listen/requests=tcp://127.0.0.1:5000", problem, sizeof problem) &&
        config_set(settings, "listen/events=tcp://127.0.0.1:5001", problem, sizeof problem))
        return true;
    settings_release(settings);
    return false;
}

void settings_release(settings_t *settings)
{
    endpoints_free(settings->requests, settings->request_count);
    endpoints_free(settings->events, settings->event_count);
    endpoints_free(settings->advertised, settings->advertised_count);
    credentials_free(settings->managers, settings->manager_count);
    credentials_free(settings->names, settings->name_count);
    *settings = (settings_t){0};
}
