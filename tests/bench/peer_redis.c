/* SPDX-License-Identifier: MPL-2.0 */
/* Redis: a batch is a pipeline of GET or SET. */
#include "tests/bench/peer.h"

static void redis_write(buffer_t *request, buffer_t *answer, op_t op, const uint64_t *keys, uint64_t batch)
{
    char key[WORKLOAD_KEY_SIZE + 1];
    char value[WORKLOAD_VALUE_SIZE + 1];
    for (uint64_t i = 0; i < batch; i++) {
        workload_key_write(keys[i], key);
        workload_value_write(keys[i], value);
        if (op == OP_GET) {
            peer_append(request, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", WORKLOAD_KEY_SIZE, key);
            peer_append(answer, "$%d\r\n%s\r\n", WORKLOAD_VALUE_SIZE, value);
        } else {
            peer_append(request, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", WORKLOAD_KEY_SIZE, key,
                        WORKLOAD_VALUE_SIZE, value);
            peer_append(answer, "+OK\r\n");
        }
    }
}

const protocol_t peer_redis = {.name = "redis", .write = redis_write, .take = peer_take_exact};
