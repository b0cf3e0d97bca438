/* SPDX-License-Identifier: MPL-2.0 */
/* A program that uses libkvzmq: stores a value in the broker and reads it back.
 *
 *     consumer [ENDPOINT] */
#include <kvzmq.h>
#include <stdio.h>

/* Prints what went wrong. Returns the program's exit status. */
static int give_up(const kvzmq_t *conn)
{
    (void)fprintf(stderr, "consumer: %s\n", kvzmq_error(conn));
    return 1;
}

int main(int argc, char **argv)
{
    kvzmq_options_t options;
    kvzmq_options_init(&options);
    if (argc > 1)
        options.endpoint = argv[1];
    options.keep_alive = true; /* the store exists as long as the program runs */

    kvzmq_t *conn = kvzmq_new(&options);
    if (conn == NULL)
        return 1;

    int status = 0;
    kvzmq_value_t city = {0};
    if (kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Kolkata"), NULL, NULL) != KVZMQ_OK ||
        kvzmq_get(conn, NULL, kvzmq_text("city"), &city) != KVZMQ_OK)
        status = give_up(conn);
    else
        printf("client %s keeps city = %s\n", kvzmq_session(conn)->client, city.data);

    kvzmq_value_release(&city);
    (void)kvzmq_bye(conn);
    kvzmq_destroy(&conn);
    return status;
}
