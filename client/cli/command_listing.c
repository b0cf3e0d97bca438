/* SPDX-License-Identifier: MPL-2.0 */
/* The commands that show many rows. They request page after page, and keep only one in memory. */
#include "client/cli/command_listing.h"

#include <assert.h>
#include <stdlib.h>

#include "client/cli/cell.h"
#include "client/cli/interrupt.h"
#include "client/cli/output_text.h"
#include "client/slice.h"

enum {
    PAGE_ROWS = 1000, /* rows in a request */
    COLUMNS_MAX = 10  /* most columns of a listing */
};

/* A kind of listing: its columns, how to fetch a page, and how to turn a row into cells. */
typedef struct listing {
    const column_t *columns;
    size_t column_count;
    kvzmq_status_t (*fetch)(cli_t *cli, const call_t *call, const kvzmq_range_t *range, kvzmq_page_t **page);
    /* Sets CELLS from the next row of PAGE, and *LAST to its key or id; false at the end. Both borrow from
     * the page. */
    bool (*next)(kvzmq_page_t *page, cell_t *cells, kvzmq_slice_t *last);
} listing_t;

/* Shows pages until the end, or until LEFT rows are shown. Then *FOLLOW says whether more rows follow. */
static kvzmq_status_t listing_pages(cli_t *cli, const call_t *call, const listing_t *listing, uint64_t left,
                                    bool *follow)
{
    output_t *output = &cli->output;
    kvzmq_range_t range = {.size = sizeof range, .after = slice_of(call->texts[OPT_AFTER])};
    if (call->argument_count > 0)
        range.prefix = slice_of(call->arguments[0]);
    kvzmq_page_t *shown = NULL; /* kept for the next request: `range.after` borrows from it */
    kvzmq_status_t status = KVZMQ_OK;
    bool more = left > 0;
    while (more) {
        kvzmq_page_t *page;
        range.limit = left < PAGE_ROWS ? (uint32_t)left : PAGE_ROWS;
        status = listing->fetch(cli, call, &range, &page);
        if (status != KVZMQ_OK)
            break;
        kvzmq_page_destroy(&shown);
        shown = page;
        cell_t cells[COLUMNS_MAX];
        uint64_t before = left;
        while (left > 0 && listing->next(page, cells, &range.after)) {
            output->ops->row(output, cells);
            left--;
        }
        output->ops->rows_break(output);
        *follow = kvzmq_page_more(page);
        more = left > 0 && left < before && *follow && !interrupt_pending();
    }
    kvzmq_page_destroy(&shown);
    return status;
}

/* Writes remarks about a listing that may surprise a person. */
static void listing_remark(const cli_t *cli, const call_t *call, bool follow)
{
    if (cli->output.ops != &output_text)
        return;
    bytes_t prefix = call->argument_count > 0 ? call->arguments[0] : bytes_of(NULL, 0);
    bool pattern = prefix.size > 0 && memchr(prefix.data, '*', prefix.size) != NULL;
    if (pattern)
        cli_remark(cli, call->command->name, "the argument is a prefix, not a pattern: * stands for itself");
    if (follow)
        cli_remark(cli, call->command->name, "more follow; to go on, give --after with the last one");
}

static outcome_t listing_show(cli_t *cli, const call_t *call, const listing_t *listing)
{
    output_t *output = &cli->output;
    bool limited = (call->given & OPT_BIT(OPT_LIMIT)) != 0;
    output->ops->rows_begin(output, listing->columns, listing->column_count);
    bool follow = false;
    kvzmq_status_t status =
        listing_pages(cli, call, listing, limited ? call->numbers[OPT_LIMIT] : UINT64_MAX, &follow);
    if (status == KVZMQ_OK && !interrupt_pending()) {
        output->ops->rows_end(output);
        listing_remark(cli, call, follow);
        return OUTCOME_OK;
    }
    output->ops->rows_abort(output);
    return status == KVZMQ_OK ? OUTCOME_INTERRUPTED : cli_fail(cli, status);
}

/* ---- Entries ---------------------------------------------------------------------------------- */

static kvzmq_status_t entries_fetch(cli_t *cli, const call_t *call, const kvzmq_range_t *range,
                                    kvzmq_page_t **page)
{
    return kvzmq_list(cli->connection, call->client, range, page);
}

static bool entries_next(kvzmq_page_t *page, cell_t *cells, kvzmq_slice_t *last)
{
    kvzmq_row_t row;
    if (!kvzmq_page_next(page, &row))
        return false;
    cells[0] = cell_text(slice_bytes(row.key));
    cells[1] = cell_from_slice(row.value);
    cells[2] = cell_of(CELL_NUMBER, row.revision);
    cells[3] = row.ttl_ms < 0 ? cell_nil() : cell_of(CELL_DURATION, (uint64_t)row.ttl_ms);
    *last = row.key;
    return true;
}

outcome_t command_list(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {{"key", "KEY", FIT_LEFT},
                                       {"value", "VALUE", FIT_CUT},
                                       {"revision", "REVISION", FIT_RIGHT},
                                       {"ttl_ms", "TTL", FIT_RIGHT}};
    static const listing_t listing = {columns, sizeof columns / sizeof *columns, entries_fetch, entries_next};
    return listing_show(cli, call, &listing);
}

/* ---- Clients ---------------------------------------------------------------------------------- */

static kvzmq_status_t clients_fetch(cli_t *cli, const call_t *call, const kvzmq_range_t *range,
                                    kvzmq_page_t **page)
{
    (void)call;
    return kvzmq_clients(cli->connection, range, page);
}

static bool clients_next(kvzmq_page_t *page, cell_t *cells, kvzmq_slice_t *last)
{
    kvzmq_client_t client;
    if (!kvzmq_page_next_client(page, &client))
        return false;
    cells[0] = cell_text(slice_bytes(client.id));
    cells[1] = cell_of(CELL_BOOL, client.connected);
    cells[2] = cell_of(CELL_NUMBER, client.sessions);
    cells[3] = cell_unless_empty(client.role);
    cells[4] = cell_of(CELL_BOOL, client.claimed);
    cells[5] = cell_unless_empty(client.peer);
    cells[6] = cell_of(CELL_TIME, client.since_ms);
    cells[7] = cell_of(CELL_DURATION, client.idle_ms);
    cells[8] = cell_of(CELL_NUMBER, client.keys);
    cells[9] = cell_of(CELL_NUMBER, client.bytes);
    *last = client.id;
    return true;
}

outcome_t command_clients(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {
        {"id", "CLIENT", FIT_LEFT},          {"connected", "ON", FIT_LEFT},
        {"sessions", "SESSIONS", FIT_RIGHT}, {"role", "ROLE", FIT_LEFT},
        {"claimed", "CLAIMED", FIT_LEFT},    {"peer", "PEER", FIT_LEFT},
        {"since_ms", "SINCE", FIT_LEFT},     {"idle_ms", "IDLE", FIT_RIGHT},
        {"keys", "KEYS", FIT_RIGHT},         {"bytes", "BYTES", FIT_RIGHT},
    };
    static_assert(sizeof columns / sizeof *columns <= COLUMNS_MAX, "a row's cells hold every column");
    static const listing_t listing = {columns, sizeof columns / sizeof *columns, clients_fetch, clients_next};
    return listing_show(cli, call, &listing);
}

/* ---- Counters --------------------------------------------------------------------------------- */

outcome_t command_stats(cli_t *cli, const call_t *call)
{
    (void)call;
    kvzmq_page_t *page = NULL;
    kvzmq_status_t status = kvzmq_stats(cli->connection, &page);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    outcome_t outcome = OUTCOME_OK;
    size_t most = kvzmq_page_count(page);
    size_t count = 0;
    column_t *columns = calloc(most + 1, sizeof *columns);
    cell_t *cells = calloc(most + 1, sizeof *cells);
    if (columns == NULL || cells == NULL) {
        outcome = cli_fail(cli, KVZMQ_NO_MEMORY);
        goto cleanup;
    }
    const char *name;
    uint64_t number;
    while (count < most && kvzmq_page_next_stat(page, &name, &number)) {
        columns[count] = (column_t){name, name, FIT_RIGHT};
        cells[count] = cell_of(CELL_NUMBER, number);
        count++;
    }
    cli->output.ops->record(&cli->output, columns, cells, count);
cleanup:
    free(cells);
    free(columns);
    kvzmq_page_destroy(&page);
    return outcome;
}
