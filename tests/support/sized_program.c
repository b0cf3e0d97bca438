/* SPDX-License-Identifier: MPL-2.0 */
/* Passes every struct of kvzmq.h that may grow to the library and back, and prints what was in it. A test
 * builds it as C and C++, with three versions of the header: the present one, an older one, and a later one
 * (LATER is defined, and each struct has a member `later` at its end).
 *
 *     sized_program ENDPOINT USER PASSWORD */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kvzmq.h>

#define GUARD 0xa5 /* fills each struct before a call, and the bytes after it */

/* Declares a struct, followed by bytes that the library must not write. */
#define SIZED(type, name)                                                                                    \
    struct name##_guarded {                                                                                  \
        type it;                                                                                             \
        unsigned char guard[512];                                                                            \
    } name;                                                                                                  \
    memset(&(name), GUARD, sizeof(name))

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                          \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static void check_bytes(const void *bytes, size_t size, int expected)
{
    for (size_t i = 0; i < size; i++)
        CHECK(((const unsigned char *)bytes)[i] == expected);
}

#ifdef LATER
#define CHECK_LATER(name) check_bytes((name).it.later, sizeof(name).it.later, 0)
#else
#define CHECK_LATER(name) (void)0
#endif

/* Checks a struct that a call filled in: nothing was written after its end, and members that the library does
 * not know are zero. */
#define CHECK_SIZED(name)                                                                                    \
    do {                                                                                                     \
        CHECK((name).it.size == sizeof(name).it);                                                            \
        check_bytes((name).guard, sizeof(name).guard, GUARD);                                                \
        CHECK_LATER(name);                                                                                   \
    } while (0)

static int changes;

static void changed(void *context, const kvzmq_event_t *event)
{
    (void)context;
    CHECK(KVZMQ_HAS(event, by));
#ifdef LATER
    CHECK(!KVZMQ_HAS(event, later));
#endif
    CHECK(event->kind == KVZMQ_EVENT_PUT && strcmp(event->key.data, "city") == 0 && event->value_size == 7);
    changes++;
}

static void store(kvzmq_t *conn)
{
    kvzmq_put_options_t options;
    SIZED(kvzmq_digest_t, digest);
    kvzmq_put_options_init(&options);
    options.conditional = true;
    CHECK(kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Kolkata"), &options, NULL) == KVZMQ_OK);
    CHECK(kvzmq_put(conn, NULL, kvzmq_text("city"), kvzmq_text("Mumbai"), &options, NULL) ==
          KVZMQ_FAILED_PRECONDITION);
    CHECK(kvzmq_digest(conn, NULL, &digest.it) == KVZMQ_OK);
    CHECK_SIZED(digest);
    printf("digest %s\n", digest.it.seq > 0 && digest.it.digest != 0 ? "set" : "not set");
    options.size = 0;
    CHECK(kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("v"), &options, NULL) == KVZMQ_INVALID_ARGUMENT);
#ifdef LATER
    kvzmq_put_options_init(&options);
    options.later[0] = 1;
    CHECK(kvzmq_put(conn, NULL, kvzmq_text("k"), kvzmq_text("v"), &options, NULL) == KVZMQ_INVALID_ARGUMENT);
    CHECK(strstr(kvzmq_error(conn), "newer") != NULL);
#endif
}

static void pages(kvzmq_t *conn)
{
    kvzmq_range_t range;
    kvzmq_page_t *page;
    SIZED(kvzmq_row_t, row);
    SIZED(kvzmq_client_t, client);
    kvzmq_range_init(&range);
    range.prefix = kvzmq_text("ci");
    CHECK(kvzmq_list(conn, NULL, &range, &page) == KVZMQ_OK);
    CHECK(kvzmq_page_next(page, &row.it));
    CHECK_SIZED(row);
    printf("row %s = %s\n", row.it.key.data, row.it.value.data);
    CHECK(!kvzmq_page_next(page, &row.it));
    kvzmq_page_destroy(&page);
    range.prefix = kvzmq_text("lamp");
    CHECK(kvzmq_clients(conn, &range, &page) == KVZMQ_OK);
    CHECK(kvzmq_page_next_client(page, &client.it));
    CHECK_SIZED(client);
    printf("client %s with %d keys\n", client.it.id.data, (int)client.it.keys);
    kvzmq_page_destroy(&page);
}

static void batches(kvzmq_t *conn)
{
    int tag;
    kvzmq_batch_t *batch = kvzmq_batch_new(conn);
    SIZED(kvzmq_answer_t, answer);
    CHECK(kvzmq_batch_get(batch, NULL, kvzmq_text("city"), &tag) == KVZMQ_OK);
    CHECK(kvzmq_batch_send(&batch) == KVZMQ_OK);
    CHECK(kvzmq_poll(conn, -1, &answer.it) == KVZMQ_OK);
    CHECK_SIZED(answer);
    CHECK(answer.it.tag == &tag);
    printf("answer %s\n", answer.it.value.data);
}

static void watches(const kvzmq_options_t *connection)
{
    kvzmq_watch_options_t options;
    SIZED(kvzmq_event_t, event);
    SIZED(kvzmq_watch_counts_t, counts);
    kvzmq_watch_options_init(&options);
    options.client = "lamp";
    options.initial = true;
    kvzmq_watch_t *watch = kvzmq_watch_new(connection, &options);
    CHECK(kvzmq_watch_next(watch, -1, &event.it) == KVZMQ_OK);
    CHECK_SIZED(event);
    printf("event %s %s of %d bytes\n", kvzmq_event_kind_text(event.it.kind), event.it.key.data,
           (int)event.it.value_size);
    kvzmq_watch_counts(watch, &counts.it);
    CHECK_SIZED(counts);
    kvzmq_watch_destroy(&watch);
}

static void mirrors(const kvzmq_options_t *connection)
{
    SIZED(kvzmq_mirror_state_t, state);
    kvzmq_mirror_t *mirror = kvzmq_mirror_new(connection, "lamp", kvzmq_text(""));
    CHECK(kvzmq_mirror_wait(mirror, 0, -1) == KVZMQ_OK);
    kvzmq_mirror_state(mirror, &state.it);
    CHECK_SIZED(state);
    printf("mirror of %d keys, %s\n", (int)state.it.keys, state.it.ready ? "ready" : "not ready");
    kvzmq_mirror_destroy(&mirror);
}

int main(int count, char **arguments)
{
    kvzmq_options_t options;
    CHECK(count == 4);
    kvzmq_options_init(&options);
    options.endpoint = arguments[1];
    options.user = arguments[2];
    options.password = arguments[3];
    kvzmq_t *other = kvzmq_new(&options);
    options.name = "lamp";
    kvzmq_t *conn = kvzmq_new(&options);
    CHECK(kvzmq_connect(conn) == KVZMQ_OK);
    CHECK(KVZMQ_HAS(kvzmq_session(conn), epoch));
    CHECK(kvzmq_on_change(conn, changed, NULL, NULL) == KVZMQ_OK);
    store(conn);
    pages(conn);
    batches(conn);
    CHECK(kvzmq_put(other, "lamp", kvzmq_text("city"), kvzmq_text("Kolkata"), NULL, NULL) == KVZMQ_OK);
    CHECK(kvzmq_listen(conn, -1) == KVZMQ_OK);
    printf("%d change\n", changes);
    options.name = NULL;
    watches(&options);
    mirrors(&options);
    kvzmq_destroy(&conn);
    kvzmq_destroy(&other);
#ifdef LATER
    options.later[0] = 1;
    conn = kvzmq_new(&options);
    CHECK(kvzmq_connect(conn) == KVZMQ_INVALID_ARGUMENT);
    kvzmq_destroy(&conn);
#endif
    return 0;
}
