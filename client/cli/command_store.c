/* SPDX-License-Identifier: MPL-2.0 */
/* The commands on one store: the own store, or that of `call->client`. */
#include "client/cli/command_store.h"

#include <inttypes.h>

#include "client/slice.h"
#include "common/utf8.h"

enum {
    VALUE_SHOWN_MAX = 1024 /* most bytes of a value that the answer to put repeats */
};

/* Shows that there is no such key. */
static outcome_t show_absent(cli_t *cli)
{
    cell_t absent = cell_nil();
    cli->output.ops->value(&cli->output, &absent);
    return OUTCOME_NO;
}

/* The same for del. */
static outcome_t show_nothing_deleted(cli_t *cli)
{
    if (cli->output.ops->failure == NULL)
        return show_absent(cli);
    cli->output.ops->failure(&cli->output, "no such key");
    return OUTCOME_NO;
}

static outcome_t show_failure(cli_t *cli, kvzmq_status_t status)
{
    return status == KVZMQ_ABSENT ? show_absent(cli) : cli_fail(cli, status);
}

outcome_t command_get(cli_t *cli, const call_t *call)
{
    kvzmq_value_t value;
    kvzmq_status_t status = kvzmq_get(cli->connection, call->client, slice_of(call->arguments[0]), &value);
    if (status != KVZMQ_OK)
        return show_failure(cli, status);
    cell_t cell = cell_value(bytes_of(value.data, value.size), value.binary);
    cli->output.ops->value(&cli->output, &cell);
    kvzmq_value_release(&value);
    return OUTCOME_OK;
}

outcome_t command_entry(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {
        {"value", "value", FIT_LEFT}, {"revision", "revision", FIT_LEFT}, {"ttl_ms", "ttl", FIT_LEFT}};
    kvzmq_value_t value;
    uint64_t revision;
    int64_t ttl_ms;
    kvzmq_status_t status =
        kvzmq_entry(cli->connection, call->client, slice_of(call->arguments[0]), &value, &revision, &ttl_ms);
    if (status != KVZMQ_OK)
        return show_failure(cli, status);
    const cell_t cells[] = {cell_value(bytes_of(value.data, value.size), value.binary),
                            cell_of(CELL_NUMBER, revision),
                            ttl_ms < 0 ? cell_nil() : cell_of(CELL_DURATION, (uint64_t)ttl_ms)};
    cli->output.ops->record(&cli->output, columns, cells, 3);
    kvzmq_value_release(&value);
    return OUTCOME_OK;
}

/* How the answer to put shows VALUE: only its size, written into TEXT, if it is binary or long. */
static cell_t cell_repeated(kvzmq_slice_t value, char *text, size_t text_size)
{
    if (!value.binary && value.size <= VALUE_SHOWN_MAX)
        return cell_text(slice_bytes(value));
    snprintf(text, text_size, "<%zu bytes>", value.size);
    return cell_word(text);
}

static outcome_t take_put_options(cli_t *cli, const call_t *call, kvzmq_put_options_t *options,
                                  password_t *secret)
{
    const uint64_t conditions = OPT_BIT(OPT_IF_REVISION) | OPT_BIT(OPT_IF_ABSENT);
    if ((call->given & conditions) == conditions)
        return cli_refuse(cli, "put", "--if-revision and --if-absent cannot be used together");
    options->ttl_ms = call->numbers[OPT_TTL];
    options->conditional = (call->given & conditions) != 0;
    options->if_revision = call->numbers[OPT_IF_REVISION];
    options->create = (call->given & OPT_BIT(OPT_CREATE)) != 0;
    if ((call->given & OPT_BIT(OPT_CLAIM_SECRET_FILE)) == 0)
        return OUTCOME_OK;
    if (!options->create)
        return cli_refuse(cli, "put", "--secret-file goes with --create");
    const char *path;
    problem_t problem = {""};
    outcome_t outcome = call_text(cli, call->texts[OPT_CLAIM_SECRET_FILE], "a file's name", &path);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!password_read_file(secret, path, &problem))
        return cli_refuse_file(cli, "put", problem.text);
    options->secret = kvzmq_text(secret->text);
    return OUTCOME_OK;
}

outcome_t command_put(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {{"revision", "revision", FIT_LEFT}};
    kvzmq_put_options_t options = {.size = sizeof options};
    password_t secret = {""};
    uint64_t revision;
    kvzmq_status_t status = KVZMQ_OK;
    kvzmq_slice_t value = slice_of(call->arguments[1]);
    value.binary = cli->options->binary || !utf8_valid(call->arguments[1]);
    outcome_t outcome = take_put_options(cli, call, &options, &secret);
    if (outcome != OUTCOME_OK)
        goto cleanup;
    status =
        kvzmq_put(cli->connection, call->client, slice_of(call->arguments[0]), value, &options, &revision);
    if (status != KVZMQ_OK) {
        outcome = cli_fail(cli, status);
        goto cleanup;
    }
    char text[48];
    const cell_t words[] = {cell_word("Successfully set "), cell_text(call->arguments[0]), cell_word(" as "),
                            cell_repeated(value, text, sizeof text)};
    const cell_t cells[] = {cell_of(CELL_NUMBER, revision)};
    cli->output.ops->done(&cli->output, words, 4, columns, cells, 1);
    if (cli_is_alone(cli) && call->client == NULL && cli->options->name == NULL)
        fputs("This store ends with this command; --name NAME keeps it\n", stderr);
cleanup:
    password_wipe(&secret);
    return outcome;
}

outcome_t command_del(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {{"revision", "revision", FIT_LEFT}};
    bool conditional = (call->given & OPT_BIT(OPT_IF_REVISION)) != 0;
    uint64_t revision;
    kvzmq_status_t status = kvzmq_del(cli->connection, call->client, slice_of(call->arguments[0]),
                                      conditional ? &call->numbers[OPT_IF_REVISION] : NULL, &revision);
    if (status == KVZMQ_ABSENT)
        return show_nothing_deleted(cli);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    const cell_t words[] = {cell_word("Successfully deleted "), cell_text(call->arguments[0])};
    const cell_t cells[] = {cell_of(CELL_NUMBER, revision)};
    cli->output.ops->done(&cli->output, words, 2, columns, cells, 1);
    return OUTCOME_OK;
}

outcome_t command_digest(cli_t *cli, const call_t *call)
{
    static const column_t columns[] = {
        {"seq", "seq", FIT_LEFT}, {"digest", "digest", FIT_LEFT}, {"keys", "keys", FIT_LEFT}};
    kvzmq_digest_t digest;
    kvzmq_status_t status = kvzmq_digest(cli->connection, call->client, &digest);
    if (status != KVZMQ_OK)
        return cli_fail(cli, status);
    const cell_t cells[] = {cell_of(CELL_NUMBER, digest.seq), cell_of(CELL_DIGEST, digest.digest),
                            cell_of(CELL_NUMBER, digest.keys)};
    cli->output.ops->record(&cli->output, columns, cells, 3);
    return OUTCOME_OK;
}
