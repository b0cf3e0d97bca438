/* SPDX-License-Identifier: MPL-2.0 */
/* NATS, whose protocol has no batches: a batch is that many messages at once. It uses a JetStream key-value
 * bucket (ADR-8), as `nats kv` and the libraries do. A get is a direct get of the last message of the key's
 * subject. A put publishes to that subject and is done when the stream acknowledges it. `answered` counts
 * messages. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/peer.h"

#define BUCKET  "bench"
#define STREAM  "KV_" BUCKET
#define SUBJECT "$KV." BUCKET "."
#define INBOX   "_INBOX."
#define ANYBODY "@@@@@@@@@@@@" /* PEER_INBOX_SIZE bytes, replaced by each connection's inbox */

static void nats_write(buffer_t *request, buffer_t *answer, op_t op, const uint64_t *keys, uint64_t batch)
{
    char key[WORKLOAD_KEY_SIZE + 1];
    char value[WORKLOAD_VALUE_SIZE + 1];
    for (uint64_t i = 0; i < batch; i++) {
        workload_key_write(keys[i], key);
        workload_value_write(keys[i], value);
        *strchr(key, ':') = '-'; /* a bucket's keys may not contain a colon */
        if (op == OP_GET)
            peer_append(request,
                        "PUB $JS.API.DIRECT.GET." STREAM "." SUBJECT "%s " INBOX ANYBODY " 0\r\n\r\n", key);
        else
            peer_append(request, "PUB " SUBJECT "%s " INBOX ANYBODY " %d\r\n%s\r\n", key, WORKLOAD_VALUE_SIZE,
                        value);
        peer_append(answer, "%s", value);
    }
}

/* Writes the connection's inbox into a payload, whose requests all have the same size. */
static void nats_address(const connection_t *connection, uint8_t *payload, size_t size)
{
    size_t request = size / connection->load->batch;
    const uint8_t *place = memmem(payload, request, ANYBODY, PEER_INBOX_SIZE);
    assert(place);
    for (size_t at = (size_t)(place - payload); at < size; at += request)
        memcpy(payload + at, connection->inbox, PEER_INBOX_SIZE);
}

/* Returns the decimal number that ends before *END, and moves *END to its first digit. */
static size_t number_before(const uint8_t *begin, const uint8_t **end)
{
    size_t number = 0;
    size_t unit = 1;
    while (*end > begin && (*end)[-1] >= '0' && (*end)[-1] <= '9') {
        number += (size_t)(*--*end - '0') * unit;
        unit *= 10;
    }
    return number;
}

/* Checks a message: the value of a key, or the acknowledgement of a put. Messages come in the order of the
 * requests. */
static void nats_check(connection_t *connection, bytes_t body)
{
    static const char acknowledged[] = "{\"stream\":\"" STREAM "\"";
    const load_t *load = connection->load;
    bytes_t values = peer_expected(connection);
    const char *text = (const char *)body.data;
    bool right;
    if (load->op == OP_GET) {
        right = body.size == WORKLOAD_VALUE_SIZE &&
                memcmp(text, values.data + connection->answered * WORKLOAD_VALUE_SIZE, body.size) == 0;
    } else {
        const char seq[] = "\"seq\":";
        const char *number = memmem(text, body.size, seq, strlen(seq));
        uint64_t sequence = number ? strtoull(number + strlen(seq), NULL, 10) : 0;
        right = body.size > strlen(acknowledged) && memcmp(text, acknowledged, strlen(acknowledged)) == 0 &&
                sequence > connection->sequence;
        connection->sequence = sequence;
    }
    if (!right)
        peer_fail("a wrong answer to %s: %.*s", load->what, (int)body.size, text);
    if (++connection->answered == load->batch)
        peer_answered(connection);
}

/* A message is "MSG SUBJECT SID SIZE" or "HMSG SUBJECT SID SIZE_OF_HEADERS SIZE", followed by the headers and
 * the body. */
static size_t nats_take(connection_t *connection, bytes_t data)
{
    size_t at = 0;
    const uint8_t *end;
    while (at < data.size && (end = memmem(data.data + at, data.size - at, "\r\n", 2)) != NULL) {
        const uint8_t *line = data.data + at;
        size_t next = (size_t)(end - data.data) + 2;
        if (*line == 'M' || *line == 'H') {
            size_t size = number_before(line, &end);
            end--;
            size_t headers = *line == 'H' ? number_before(line, &end) : 0;
            if (data.size - next < size + 2)
                break;
            if (headers > size)
                peer_fail("a malformed message");
            nats_check(connection, bytes_of(data.data + next + headers, size - headers));
            next += size + 2;
        } else if (memcmp(line, "PI", 2) == 0) {
            peer_output(connection, bytes_from_text("PONG\r\n"));
        } else if (*line == '-') {
            peer_fail("%.*s", (int)(end - line), (const char *)line);
        }
        at = next;
    }
    return at;
}

static void nats_greet(connection_t *connection)
{
    char text[PEER_LINE_SIZE];
    snprintf(text, sizeof text,
             "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"protocol\":1}\r\n"
             "SUB " INBOX "%s 1\r\nPING\r\n",
             connection->inbox);
    peer_dialogue(connection, text, "PONG\r\n");
}

/* Creates the bucket as ADR-8 specifies it: a stream that keeps one message of each subject. */
static void nats_create(connection_t *connection)
{
    static const char stream[] =
        "{\"name\":\"" STREAM "\",\"subjects\":[\"" SUBJECT
        ">\"],\"retention\":\"limits\",\"max_consumers\":-1,"
        "\"max_msgs_per_subject\":1,\"max_msgs\":-1,\"max_bytes\":-1,\"discard\":\"new\",\"storage\":"
        "\"memory\","
        "\"num_replicas\":1,\"allow_rollup_hdrs\":true,\"deny_delete\":true,\"allow_direct\":true}";
    char text[2 * PEER_LINE_SIZE];
    int size = snprintf(text, sizeof text, "PUB $JS.API.STREAM.CREATE." STREAM " " INBOX "%s %zu\r\n%s\r\n",
                        connection->inbox, strlen(stream), stream);
    assert(size < (int)sizeof text);
    peer_dialogue(connection, text, "\"did_create\":true}\r\n");
}

const protocol_t peer_nats = {.name = "nats",
                              .write = nats_write,
                              .address = nats_address,
                              .take = nats_take,
                              .greet = nats_greet,
                              .create = nats_create};
