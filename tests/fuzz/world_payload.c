/* SPDX-License-Identifier: MPL-2.0 */
/* Composes payloads from the fuzzer's input, and says which answers they must get. Few names, keys and
 * values, so that requests meet. */
#include "broker/core/dispatch.h"
#include "common/rpc.h"
#include "tests/fuzz/world.h"

static const char *const names[] = {"ann", "bob", "conf", "12", "n/o"};
static const char *const keys[] = {"a", "ab", "b", ""};
const char world_secrets[2][17] = {"0123456789abcdef", "ssssssssssssssss"};

static void write_client(world_t *world, buffer_t *to)
{
    uint8_t choice = world_take(world);
    if (choice % 3 == 0)
        rpc_write_uint(to, 40000 + choice % 8);
    else
        rpc_write_text(to, names[choice % (sizeof names / sizeof names[0])]);
}

static void write_key(world_t *world, buffer_t *to)
{
    rpc_write_text(to, keys[world_take(world) % 4]);
}

static void write_value(world_t *world, buffer_t *to)
{
    static const uint8_t zeros[300];
    uint8_t choice = world_take(world);
    if (choice % 4 == 0)
        rpc_write_bin(to, bytes_of(zeros, choice + choice % 3U * 20U));
    else
        rpc_write_str(to, bytes_of((const uint8_t *)"value value value value ", choice % 24));
}

static void write_options(world_t *world, buffer_t *to)
{
    uint8_t choice = world_take(world);
    unsigned count = 0;
    for (unsigned bit = 0; bit < 7; bit++)
        count += choice >> bit & 1;
    rpc_write_map(to, count);
    if (choice & 1) {
        rpc_write_text(to, "ttl_ms");
        rpc_write_uint(to, world_take(world) * 8U);
    }
    if (choice & 2) {
        rpc_write_text(to, "if_revision");
        rpc_write_uint(to, world_take(world));
    }
    if (choice & 4) {
        rpc_write_text(to, "create");
        rpc_write_bool(to, true);
    }
    if (choice & 8) {
        rpc_write_text(to, "secret");
        rpc_write_text(to, world_secrets[world_take(world) % 2]);
    }
    if (choice & 16) {
        rpc_write_text(to, "after");
        write_key(world, to);
    }
    if (choice & 32) {
        rpc_write_text(to, "limit");
        rpc_write_uint(to, world_take(world) % 4);
    }
    if (choice & 64) {
        rpc_write_text(to, "prefix");
        write_key(world, to);
    }
}

static void write_params(world_t *world, buffer_t *to, const char *form)
{
    rpc_write_array(to, (uint32_t)strlen(form));
    for (; *form; form++) {
        switch (*form) {
        case 'k':
            write_key(world, to);
            break;
        case 'v':
            write_value(world, to);
            break;
        case 'o':
            write_options(world, to);
            break;
        case 'c':
            write_client(world, to);
            break;
        case 's':
            rpc_write_map(to, 1);
            rpc_write_text(to, "secret");
            rpc_write_text(to, world_secrets[world_take(world) % 2]);
            break;
        case 'w':
            rpc_write_map(to, 1);
            rpc_write_text(to, "after");
            rpc_write_uint(to, world_take(world));
            break;
        case 'b':
            rpc_write_bool(to, world_take(world) % 4 != 0);
            break;
        case 'n':
            rpc_write_uint(to, world_take(world));
            break;
        case 'u':
            rpc_write_text(to, world_take(world) % 4 == 0 ? "nobody" : "adam");
            break;
        case 'r':
            rpc_write_text(to, world_take(world) % 2 == 0 ? "guest" : "manager");
            break;
        case 'm': {
            static const char *const managed[] = {"get", "put", "del", "list", "digest", "entry", "ping"};
            rpc_write_text(to, managed[world_take(world) % 7]);
            break;
        }
        default:
            rpc_write_nil(to);
        }
    }
}

static void write_message(world_t *world, buffer_t *to, uint32_t msgid)
{
    static const struct {
        const char *method;
        const char *form;
    } shapes[] = {
        {"get", "k"},      {"put", "kv"},      {"put", "kvo"},      {"del", "k"},     {"del", "ko"},
        {"entry", "k"},    {"list", ""},       {"list", "ko"},      {"digest", ""},   {"ping", ""},
        {"hello", ""},     {"hello", "s"},     {"auth", "uu"},      {"auth", "uu"},   {"bye", ""},
        {"clients", ""},   {"clients", "o"},   {"role", "cr"},      {"forget", "c"},  {"stats", ""},
        {"manage", "cmk"}, {"manage", "cmkv"}, {"manage", "cmkvo"}, {"manage", "cm"}, {"get", "kk"},
        {"nothing", "k"},  {"watch", "b"},     {"watch", "bw"},     {"events", ""},   {"replay", "n"},
        {"replay", "nw"},  {"put", "k"},       {"hello", "o"},
    };
    uint8_t choice = world_take(world);
    unsigned shape = choice % (sizeof shapes / sizeof shapes[0]);
    bytes_t method = bytes_from_text(shapes[shape].method);
    if (choice >= 240)
        rpc_write_notification(to, method);
    else
        rpc_write_request(to, msgid, method);
    write_params(world, to, shapes[shape].form);
}

void world_write_payload(world_t *world, buffer_t *to)
{
    uint8_t kind = world_take(world);
    if (kind >= 224) { /* raw bytes of the input */
        size_t size = world_take(world);
        size_t left = world->size - world->at;
        if (size >= left)
            size = left;
        buffer_append(to, world->data + world->at, size);
        world->at += size;
        return;
    }
    unsigned count = kind < 128 ? 1 : kind % (BATCH + 2);
    for (unsigned i = 0; i < count; i++)
        write_message(world, to, 1000U * kind + i);
}

void owed_fill(owed_t *owed, bytes_t payload, const char *fault)
{
    owed->count = 0;
    if (fault != NULL || rpc_foreign(payload) != NULL || rpc_count(payload, BATCH) > BATCH) {
        owed->msgids[owed->count++] = 0;
        return;
    }
    for (size_t at = 0;;) {
        rpc_message_t message;
        switch (rpc_read(payload, &at, &message)) {
        case RPC_STEP_END:
            return;
        case RPC_STEP_BROKEN:
            owed->msgids[owed->count++] = 0;
            return;
        case RPC_STEP_MESSAGE:
            if (message.kind == RPC_REQUEST || (message.kind == RPC_ILL_FORMED && message.answered))
                owed->msgids[owed->count++] = message.msgid;
        }
    }
}

bool owed_nothing(const owed_t *owed)
{
    return owed->count == 0 && !owed->enveloped;
}
