/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about event_link.h, with the broker's event socket at the other end. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/event_side.h"

#include "client/watch/event_link.h"
#include "common/clock.h"
#include "common/limits.h"

enum { LOOK_MS = 10 };

static const char begun[] = "begun";

typedef struct fixture {
    event_side_t side;
    void *context; /* the link's */
    event_link_t *link;
} fixture_t;

static int setup(void **state)
{
    static fixture_t fixture;
    fixture = (fixture_t){.context = zmq_ctx_new()};
    event_side_open(&fixture.side);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *fixture = *state;
    event_link_destroy(&fixture->link);
    event_side_close(&fixture->side);
    return zmq_ctx_term(fixture->context);
}

static event_link_options_t options_of(const fixture_t *fixture)
{
    return (event_link_options_t){.endpoint = fixture->side.endpoint,
                                  .mechanism = kvzmq_text("PLAIN"),
                                  .username = kvzmq_text(fixture->side.ticket->username),
                                  .password = kvzmq_text(fixture->side.ticket->password)};
}

static void publish(fixture_t *fixture, const char *topic, const char *content)
{
    event_side_publish(&fixture->side, topic, bytes_from_text(content));
}

/* Makes a link that subscribes to CLIENT's events (NULL = all). Returns when it receives syncs: it subscribes
 * to them last, so all its subscriptions are in effect. */
static void link_make(fixture_t *fixture, const char *client)
{
    event_link_options_t options = options_of(fixture);
    options.client = client;
    assert_int_equal(event_link_new(fixture->context, &options, &fixture->link), KVZMQ_OK);
    event_side_subscription_wait(&fixture->side);
    do
        publish(fixture, "/", begun);
    while (!event_link_wait(fixture->link, -1, LOOK_MS));
}

/* Receives the next payload that link_make did not publish. */
static bool receive(event_link_t *link, payload_t *payload)
{
    while (event_link_receive(link, payload)) {
        if (!bytes_equal(payload_bytes(payload), bytes_from_text(begun)))
            return true;
        payload_release(payload);
    }
    return false;
}

static void assert_receives(event_link_t *link, const char *content)
{
    payload_t payload;
    int64_t deadline = clock_monotonic_ms() + TIMEOUT_MS;
    while (!receive(link, &payload)) {
        assert_true(clock_monotonic_ms() < deadline);
        (void)event_link_wait(link, -1, deadline - clock_monotonic_ms());
    }
    assert_true(bytes_equal(payload_bytes(&payload), bytes_from_text(content)));
    payload_release(&payload);
}

static void receive__of_all__has_every_payload_in_order(void **state)
{
    fixture_t *fixture = *state;
    payload_t none;
    link_make(fixture, NULL);
    assert_false(receive(fixture->link, &none));
    publish(fixture, "lamp/", "1");
    publish(fixture, "/", "2");
    publish(fixture, "door/", "3");
    assert_receives(fixture->link, "1");
    assert_receives(fixture->link, "2");
    assert_receives(fixture->link, "3");
    assert_false(receive(fixture->link, &none));
}

static void receive__of_one_client__has_its_events_and_the_syncs(void **state)
{
    fixture_t *fixture = *state;
    link_make(fixture, "lamp");
    publish(fixture, "lamp2/", "another whose name begins as it does");
    publish(fixture, "lam/", "another");
    publish(fixture, "lamp/", "its own");
    publish(fixture, "/", "sync");
    assert_receives(fixture->link, "its own");
    assert_receives(fixture->link, "sync");
}

static void wait__descriptor_is_readable__returns_at_once(void **state)
{
    fixture_t *fixture = *state;
    payload_t none;
    link_make(fixture, NULL);
    int wake = eventfd(1, EFD_CLOEXEC);
    int64_t begin_ms = clock_monotonic_ms();
    while (event_link_wait(fixture->link, wake, TIMEOUT_MS))
        assert_false(receive(fixture->link, &none)); /* discards what link_make published */
    assert_true(clock_monotonic_ms() - begin_ms < TIMEOUT_MS);
    close(wake);
}

static void new__mechanism_or_endpoint_that_cannot_be__is_refused(void **state)
{
    fixture_t *fixture = *state;
    event_link_t *link = NULL;
    event_link_options_t options = options_of(fixture);
    options.mechanism = kvzmq_text("CURVE");
    assert_int_equal(event_link_new(fixture->context, &options, &link), KVZMQ_UNIMPLEMENTED);
    options = options_of(fixture);
    options.endpoint = "tcp://nowhere";
    assert_int_equal(event_link_new(fixture->context, &options, &link), KVZMQ_PROTOCOL);
    assert_null(link);
}

static void endpoint__of_another_kind_or_too_long__is_not_taken(void **state)
{
    (void)state;
    static char text[LIMIT_ENDPOINT + 1];
    assert_true(event_link_endpoint(kvzmq_text("tcp://127.0.0.1:5001")));
    assert_true(event_link_endpoint(kvzmq_text("ipc:///run/kv")));
    assert_false(event_link_endpoint(kvzmq_text("inproc://application")));
    assert_false(event_link_endpoint(kvzmq_text("tcp:/")));
    assert_false(event_link_endpoint(kvzmq_text("")));
    memset(text, 'x', sizeof text);
    memcpy(text, "tcp://", 6);
    assert_true(event_link_endpoint(kvzmq_text_of(text, LIMIT_ENDPOINT)));
    assert_false(event_link_endpoint(kvzmq_text_of(text, LIMIT_ENDPOINT + 1)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(receive__of_all__has_every_payload_in_order),
        TEST(receive__of_one_client__has_its_events_and_the_syncs),
        TEST(wait__descriptor_is_readable__returns_at_once),
        TEST(new__mechanism_or_endpoint_that_cannot_be__is_refused),
        TEST(endpoint__of_another_kind_or_too_long__is_not_taken),
    };
    return cmocka_run_group_tests_name("client_event_link", tests, NULL, NULL);
}
