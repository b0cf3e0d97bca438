/* SPDX-License-Identifier: MPL-2.0 */
/* What the protocols share: failures, the batch that must be answered next, and answers known to the byte. */
#include "tests/bench/peer.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void peer_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("peer_client: ", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void peer_check(bool done, const char *what)
{
    if (!done)
        peer_fail("%s: %s", what, strerror(errno));
}

void peer_append(buffer_t *buffer, const char *format, ...)
{
    char text[PEER_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(size >= 0 && size < PEER_LINE_SIZE);
    buffer_append(buffer, text, (size_t)size);
}

/* Returns the batch that must be answered next. */
static const pending_t *oldest(const connection_t *connection)
{
    if (connection->oldest == connection->sent)
        peer_fail("an answer came that nobody asked for");
    return &connection->pending[connection->oldest % connection->load->in_flight];
}

bytes_t peer_expected(const connection_t *connection)
{
    return buffer_bytes(&connection->run->answers[oldest(connection)->payload]);
}

void peer_answered(connection_t *connection)
{
    double sent = oldest(connection)->sent;
    connection->oldest++;
    connection->answered = 0;
    connection->run->answered++;
    if (connection->run->result)
        result_answer(connection->run->result, sent);
}

void peer_output(connection_t *connection, bytes_t bytes)
{
    assert(bytes.size <= connection->output_room - connection->filled);
    memcpy(connection->output + connection->filled, bytes.data, bytes.size);
    connection->filled += bytes.size;
}

void peer_dialogue(connection_t *connection, const char *text, const char *answer)
{
    char input[PEER_INPUT_SIZE];
    size_t size = 0;
    peer_check(send(connection->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), "sending");
    do {
        ssize_t got = recv(connection->fd, input + size, sizeof input - size - 1, 0);
        peer_check(got > 0, "waiting for the server");
        size += (size_t)got;
        input[size] = '\0';
    } while (!strstr(input, answer) && !strstr(input, "-ERR") && !strstr(input, "\"error\""));
    if (!strstr(input, answer))
        peer_fail("%s", input);
}

size_t peer_take_exact(connection_t *connection, bytes_t data)
{
    size_t at = 0;
    while (at < data.size) {
        bytes_t expected = peer_expected(connection);
        size_t part = expected.size - connection->answered;
        if (part > data.size - at)
            part = data.size - at;
        if (memcmp(data.data + at, expected.data + connection->answered, part) != 0)
            peer_fail("a wrong answer to %s: %.*s", connection->load->what, (int)part,
                      (const char *)data.data + at);
        at += part;
        connection->answered += part;
        if (connection->answered == expected.size)
            peer_answered(connection);
    }
    return at;
}
