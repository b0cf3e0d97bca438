/* SPDX-License-Identifier: MPL-2.0 */
/* memcached: a batch is one `get` of several keys, or several quiet `ms` (set), which answer only if they
 * fail, followed by `mn`. */
#include "tests/bench/peer.h"

static void memcached_write(buffer_t *request, buffer_t *answer, op_t op, const uint64_t *keys,
                            uint64_t batch)
{
    char key[WORKLOAD_KEY_SIZE + 1];
    char value[WORKLOAD_VALUE_SIZE + 1];
    bool quiet = op == OP_PUT && batch > 1;
    if (op == OP_GET)
        peer_append(request, "get");
    for (uint64_t i = 0; i < batch; i++) {
        workload_key_write(keys[i], key);
        workload_value_write(keys[i], value);
        if (op == OP_GET) {
            peer_append(request, " %s", key);
            peer_append(answer, "VALUE %s 0 %d\r\n%s\r\n", key, WORKLOAD_VALUE_SIZE, value);
        } else {
            peer_append(request, "ms %s %d%s\r\n%s\r\n", key, WORKLOAD_VALUE_SIZE, quiet ? " q" : "", value);
        }
    }
    if (op == OP_GET) {
        peer_append(request, "\r\n");
        peer_append(answer, "END\r\n");
    } else if (quiet) {
        peer_append(request, "mn\r\n");
        peer_append(answer, "MN\r\n");
    } else {
        peer_append(answer, "HD\r\n");
    }
}

const protocol_t peer_memcached = {.name = "memcached", .write = memcached_write, .take = peer_take_exact};
