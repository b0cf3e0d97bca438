/* SPDX-License-Identifier: MPL-2.0 */
/* Prints each change of one client's store, or of all stores, until Ctrl-C. For managers:
 *
 *     KVZMQ_PASSWORD=eve watch ENDPOINT USER [CLIENT]
 *
 * A watch has a connection and a thread of its own. So it takes the options for a connection, and
 * kvzmq_watch_next returns every error, at the beginning or later. To build this program with an installed
 * libkvzmq:
 *     cc -o watch watch.c $(pkg-config --cflags --libs kvzmq) */
#include <kvzmq.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

/* Ctrl-C ends kvzmq_watch_next. */
static bool interrupted(void *context)
{
    (void)context;
    return stopped != 0;
}

static void print(const kvzmq_event_t *event)
{
    printf("%llu %s", (unsigned long long)event->seq, kvzmq_event_kind_text(event->kind));
    if (event->client.data != NULL)
        printf(" %s", event->client.data);
    if (event->key.data != NULL)
        printf(" %s", event->key.data);
    if (event->has_value)
        printf(" = %s", event->value.data);
    printf("\n");
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        fputs("usage: KVZMQ_PASSWORD=... watch ENDPOINT USER [CLIENT]\n", stderr);
        return 2;
    }
    struct sigaction action = {.sa_handler = stop};
    (void)sigaction(SIGINT, &action, NULL);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);

    kvzmq_options_t connection;
    kvzmq_options_init(&connection);
    connection.endpoint = argv[1];
    connection.user = argv[2];
    connection.password = getenv("KVZMQ_PASSWORD");
    connection.interrupted = interrupted;

    kvzmq_watch_options_t wanted;
    kvzmq_watch_options_init(&wanted);
    wanted.client = argc > 3 ? argv[3] : NULL;
    wanted.initial = true;

    kvzmq_watch_t *watch = kvzmq_watch_new(&connection, &wanted);
    kvzmq_event_t event;
    kvzmq_status_t status;
    while ((status = kvzmq_watch_next(watch, -1, &event)) == KVZMQ_OK)
        print(&event);
    if (status != KVZMQ_INTERRUPTED)
        fprintf(stderr, "%s: %s\n", kvzmq_status_text(status), kvzmq_watch_error(watch));
    kvzmq_watch_destroy(&watch);
    return status == KVZMQ_INTERRUPTED ? 0 : 1;
}
