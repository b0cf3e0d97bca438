/* SPDX-License-Identifier: MPL-2.0 */
/* Compares two settings, and exchanges the values of keys that cannot change. */
#include <assert.h>

#include "broker/config/config.h"
#include "broker/config/config_table.h"
#include "common/utf8.h"

enum { KEY_SIZE = 120 }; /* bytes of a key's text, its name quoted */

/* ---- Exchanging ------------------------------------------------------------------------------- */

static void bytes_exchange(void *a, void *b, size_t size)
{
    uint8_t kept[sizeof(uint64_t)];
    assert(size <= sizeof kept);
    memcpy(kept, a, size);
    memcpy(a, b, size);
    memcpy(b, kept, size);
}

static void row_exchange(const key_row_t *row, settings_t *a, settings_t *b)
{
    char *left = (char *)a;
    char *right = (char *)b;
    bool list = row->count_at > 0;
    bytes_exchange(left + row->at, right + row->at, list ? sizeof(void *) : sizeof(uint64_t));
    if (list)
        bytes_exchange(left + row->count_at, right + row->count_at, sizeof(unsigned));
}

void config_exchange_fixed(settings_t *a, settings_t *b)
{
    const key_row_t *row;
    for (unsigned i = 0; (row = config_row(i)) != NULL; i++)
        if (row->fixed)
            row_exchange(row, a, b);
}

/* ---- Comparing -------------------------------------------------------------------------------- */

/* The row that is being compared, and who wants to know the differences. */
typedef struct difference {
    const key_row_t *row;
    config_difference_fn *fn;
    void *context;
} difference_t;

/* Reports that a key differs. NAME is the key, or the name of one credential. */
static void difference_tell(const difference_t *difference, const char *name)
{
    char text[KEY_SIZE];
    char quoted[KEY_SIZE / 2];
    const key_row_t *row = difference->row;
    snprintf(text, sizeof text, "%s/%s", row->section,
             utf8_quote(bytes_from_text(name), quoted, sizeof quoted));
    difference->fn(difference->context, text, row->fixed);
}

static bool endpoints_same(char *const *a, unsigned a_count, char *const *b, unsigned b_count)
{
    if (a_count != b_count)
        return false;
    for (unsigned i = 0; i < a_count; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

/* Reports each credential that is in only one list, or that has different hashes in both. */
static void credentials_compare(const difference_t *difference, const credential_t *a, unsigned a_count,
                                const credential_t *b, unsigned b_count)
{
    unsigned i = 0;
    unsigned j = 0;
    while (i < a_count || j < b_count) {
        int order = i == a_count ? 1 : j == b_count ? -1 : strcmp(a[i].name, b[j].name);
        const char *name = order <= 0 ? a[i].name : b[j].name;
        if (order != 0 || strcmp(a[i].hash, b[j].hash) != 0)
            difference_tell(difference, name);
        i += order <= 0;
        j += order >= 0;
    }
}

static void row_compare(const difference_t *difference, const settings_t *before, const settings_t *after)
{
    const key_row_t *row = difference->row;
    const char *a = (const char *)before + row->at;
    const char *b = (const char *)after + row->at;
    if (row->count_at == 0) {
        if (*(const uint64_t *)a != *(const uint64_t *)b)
            difference_tell(difference, row->key);
        return;
    }
    unsigned a_count = *(const unsigned *)((const char *)before + row->count_at);
    unsigned b_count = *(const unsigned *)((const char *)after + row->count_at);
    if (config_row_named(row))
        credentials_compare(difference, *(credential_t *const *)a, a_count, *(credential_t *const *)b,
                            b_count);
    else if (!endpoints_same(*(char **const *)a, a_count, *(char **const *)b, b_count))
        difference_tell(difference, row->key);
}

void config_compare(const settings_t *before, const settings_t *after, config_difference_fn *fn,
                    void *context)
{
    difference_t difference = {.fn = fn, .context = context};
    for (unsigned i = 0; (difference.row = config_row(i)) != NULL; i++)
        row_compare(&difference, before, after);
}
