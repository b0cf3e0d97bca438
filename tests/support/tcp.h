/* SPDX-License-Identifier: MPL-2.0 */
/* TCP connections, below ZeroMQ. */
#ifndef KV_TESTS_SUPPORT_TCP_H
#define KV_TESTS_SUPPORT_TCP_H

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* A connection to ENDPOINT, tcp://127.0.0.1:PORT. */
static inline int tcp_connect(const char *endpoint)
{
    const char *port = strrchr(endpoint, ':') + 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

#endif
