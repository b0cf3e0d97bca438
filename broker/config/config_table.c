/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the table of configuration keys. Does not know the syntax of files. */
#include "broker/config/config_table.h"

#include "common/edit_distance.h"
#include "common/utf8.h"

#define AT(member) offsetof(settings_t, member)

#define GIB (UINT64_C(1) << 30)

static const key_row_t table[] = {
    {"listen", "requests", &kind_endpoints, AT(requests), AT(request_count), 0, 0, true,
     "Where clients connect: one or more of tcp://HOST:PORT (HOST is a name, an address or *; PORT may be *) "
     "and ipc://PATH"},
    {"listen", "events", &kind_endpoints, AT(events), AT(event_count), 0, 0, true,
     "Where managers subscribe to events, in the same form"},
    {"listen", "advertise", &kind_endpoints, AT(advertised), AT(advertised_count), 0, 0, true,
     "The event endpoint that managers get instead, if they reach it by another way (a port mapping, a "
     "relay)"},
    {"listen", "ipc_mode", &kind_mode, AT(ipc.mode), 0, 0, 0777, true,
     "Who may connect to an ipc path: the mode of its socket file (w allows connecting)"},
    {"listen", "ipc_group", &kind_group, AT(ipc.group), 0, 0, IPC_GROUP_OWN, true,
     "The group of that file, a name or a number; if empty, the broker's own"},
    {"session", "timeout", &kind_duration, AT(timeout_ms), 0, 50, UINT64_C(31536000000), false,
     "A session ends if it sends no message for this time: seconds, or a time such as 500ms, 5m, 1h30m"},
    {"managers", "NAME", &kind_manager, AT(managers), AT(manager_count), 0, 0, false,
     "An account of managers, with the hash that \"kvbroker hash-password\" prints"},
    {"names", "NAME", &kind_name, AT(names), AT(name_count), 0, 0, false,
     "A claimed client name, with the hash that \"kvbroker hash-secret\" prints"},
    {"ids", "first", &kind_count, AT(first_id), 0, 1, 65535, true,
     "The lowest number given to a client without a name"},
    {"ids", "last", &kind_count, AT(last_id), 0, 1, 65535, true,
     "The highest; if all are in use, numbers continue at 65536"},
    {"events", "keep", &kind_count, AT(events_keep), 0, 1, UINT64_C(1) << 28, true,
     "Number of latest events that are kept, for managers that missed them"},
    {"events", "keep_bytes", &kind_size, AT(events_keep_bytes), 0, 1024, 64 * GIB, true,
     "Bytes of these events"},
    {"events", "inline", &kind_size, AT(events_inline), 0, 0, GIB, false,
     "Longest value, in bytes, that an event carries; a longer one is left out"},
    {"limits", "key", &kind_size, AT(limits.key), 0, 1, LIMIT_KEY_MAX, false, "Bytes of a key"},
    {"limits", "value", &kind_size, AT(limits.value), 0, 0, GIB, false, "Bytes of a value"},
    {"limits", "message", &kind_size, AT(limits.message), 0, 2048, GIB, true, "Bytes of a frame, in or out"},
    {"limits", "batch", &kind_count, AT(limits.batch), 0, 1, 1000000, false, "Messages in one payload"},
    {"limits", "clients", &kind_count, AT(limits.clients), 0, 1, 10000000, false, "Clients at once"},
    {"limits", "keys_per_client", &kind_count, AT(limits.keys_per_client), 0, 1, UINT64_C(1) << 40, false,
     "Keys in one client's store"},
    {"limits", "bytes_per_client", &kind_size, AT(limits.bytes_per_client), 0, 1, UINT64_C(1) << 50, false,
     "Bytes of keys and values in one client's store"},
    {"limits", "bytes_total", &kind_size, AT(limits.bytes_total), 0, 1, UINT64_C(1) << 50, false,
     "Bytes of keys and values in all stores"},
    {"limits", "outstanding", &kind_size, AT(limits.outstanding), 0, 2048, 64 * GIB, false,
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

/* How many edits turn PATH into the row's key. If PATH has no key, or the row stands for any name, only the
 * section counts. */
static unsigned row_distance(const key_row_t *row, const char *path)
{
    const char *key = NULL;
    unsigned edits = edit_distance(section_of(path, &key), bytes_from_text(row->section));
    if (key != NULL && !config_row_named(row))
        edits += edit_distance(bytes_from_text(key), bytes_from_text(row->key));
    return edits;
}

static bool unknown_fault(const config_place_t *place, const char *path)
{
    char quoted[CONFIG_QUOTE_SIZE];
    utf8_quote(bytes_from_text(path), quoted, sizeof quoted);
    const key_row_t *closest = &table[0];
    for (unsigned i = 1; i < TABLE_SIZE; i++)
        if (row_distance(&table[i], path) < row_distance(closest, path))
            closest = &table[i];
    if (row_distance(closest, path) > 2 + strlen(path) / 4)
        return config_fault(place, "unknown key %s; \"kvbroker --help-config\" lists the keys", quoted);
    bool section = strchr(path, '/') == NULL;
    return config_fault(place, "unknown %s %s; did you mean %s%s%s?", section ? "section" : "key", quoted,
                        closest->section, section ? "" : "/", section ? "" : closest->key);
}

bool config_assign(settings_t *settings, const config_place_t *place, const char *path, const char *value)
{
    if (config_section_known(path))
        return config_fault(place,
                            "%s is a section and takes no value; give its keys theirs, as in %s/KEY = VALUE",
                            path, path);
    const key_row_t *row = row_find(path);
    if (row == NULL)
        return unknown_fault(place, path);
    if (value == NULL) {
        char quoted[CONFIG_QUOTE_SIZE];
        return config_fault(place, "%s has no value; write KEY = VALUE",
                            utf8_quote(bytes_from_text(path), quoted, sizeof quoted));
    }
    return row->kind->assign(settings, row, place, strchr(path, '/') + 1, value);
}
