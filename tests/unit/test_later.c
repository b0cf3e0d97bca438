/* SPDX-License-Identifier: MPL-2.0 */
/* Claims about a hub whose commands are applied later: which requests wait, in which order answers leave, and
 * what happens to a request if the state has changed when its command is applied. */
#include <stdlib.h>

#include "broker/core/reconfigure.h"
#include "tests/support/hub_fixture.h"
#include "tests/support/later_log.h"

typedef struct later {
    fixture_t *fixture;
    later_log_t *log;
    struct connection *peers;
    unsigned applied; /* commands that were applied */
} later_t;

static void count_command(void *context, const command_t *command, const place_t *place)
{
    later_t *later = context;
    (void)command;
    (void)place;
    later->applied++;
}

static int setup(void **state)
{
    void *fixture;
    later_t *later = calloc(1, sizeof *later);
    assert_non_null(later);
    hub_setup(&fixture);
    later->fixture = fixture;
    later->peers = later->fixture->peers;
    later->log = later_log_new(later->fixture->hub, 1);
    assert_non_null(later->log);
    later_log_observe(later->log, count_command, later);
    *state = later;
    return 0;
}

static int teardown(void **state)
{
    later_t *later = *state;
    void *fixture = later->fixture;
    hub_teardown(&fixture);
    later_log_destroy(&later->log);
    free(later);
    return 0;
}

/* Gives PEER a session with a client. No command is on its way afterwards. */
static void begin(later_t *later, struct connection *peer)
{
    ask(later->fixture, peer, "ping", "");
    later_log_settle(later->log);
    assert_got(peer, "");
    peer->count = 0;
    later->applied = 0;
}

/* Makes PEER a manager. */
static void begin_manager(later_t *later, struct connection *peer)
{
    begin(later, peer);
    login(later->fixture, peer, true);
    later_log_settle(later->log);
    assert_got(peer, "");
    peer->count = 0;
    later->applied = 0;
}

static void puts_add(buffer_t *payload, unsigned count)
{
    buffer_init(payload, 1 << 20);
    for (unsigned i = 0; i < count; i++)
        request_add(payload, i, "put", "ss", "k", "v");
}

static unsigned pending(const struct connection *peer)
{
    return peer->session->batch.pending.count;
}

/* ---- What waits ------------------------------------------------------------------------------- */

static void puts__as_many_as_fit__are_proposed_without_waiting_and_answered_in_order(void **state)
{
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    begin(later, peer);
    buffer_t payload;
    puts_add(&payload, PENDING_MAX);
    payload_give(later->fixture, peer, &payload);
    assert_int_equal(pending(peer), PENDING_MAX);
    assert_int_equal(later->fixture->hub->stats.puts_total, 0);
    later_log_settle(later->log);
    assert_int_equal(later->applied, PENDING_MAX);
    assert_int_equal(peer->count, PENDING_MAX);
    for (unsigned i = 0; i < PENDING_MAX; i++) {
        assert_int_equal(peer->got[i].msgid, i);
        assert_false(peer->got[i].failed);
    }
}

static void puts__one_more_than_fit__waits(void **state)
{
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    begin(later, peer);
    buffer_t payload;
    puts_add(&payload, PENDING_MAX + 1);
    payload_give(later->fixture, peer, &payload);
    assert_int_equal(pending(peer), PENDING_MAX);
    later_log_settle(later->log);
    assert_int_equal(later->fixture->hub->stats.puts_total, PENDING_MAX + 1);
    assert_int_equal(peer->count, PENDING_MAX + 1);
}

static void get__behind_a_put__waits_and_sees_it(void **state)
{
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    begin(later, peer);
    buffer_t payload;
    buffer_init(&payload, 4096);
    request_add(&payload, 1, "put", "ss", "k", "v");
    request_add(&payload, 2, "del", "s", "k");
    request_add(&payload, 3, "get", "s", "k");
    request_add(&payload, 4, "put", "ss", "k", "w");
    payload_give(later->fixture, peer, &payload);
    assert_int_equal(pending(peer), 2);
    later_log_settle(later->log);
    assert_int_equal(peer->count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(peer->got[i].msgid, i + 1);
}

static void get__alone__waits_where_the_log_wants_a_barrier_and_is_answered_once(void **state)
{
    enum { GETS = 40 };
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    begin(later, peer);
    unsigned at_once = 0;
    for (unsigned i = 0; i < GETS; i++) {
        ask(later->fixture, peer, "get", "s", "k");
        at_once += peer->count;
        assert_int_equal(hub_waits(later->fixture->hub), peer->count == 0);
        later_log_settle(later->log);
        assert_got(peer, "");
    }
    assert_in_range(at_once, 1, GETS - 1);
    assert_int_equal(later->applied, 0);
}

static void put__that_fails_at_once__is_answered_behind_those_before(void **state)
{
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    begin_manager(later, peer);
    buffer_t payload;
    buffer_init(&payload, 4096);
    request_add(&payload, 1, "put", "ss", "k", "v");
    request_add(&payload, 2, "manage", "ssss", "nobody", "put", "k", "v");
    request_add(&payload, 3, "put", "ss", "", "v");
    payload_give(later->fixture, peer, &payload);
    later_log_settle(later->log);
    assert_int_equal(peer->count, 3);
    assert_string_equal(peer->got[0].code, "");
    assert_string_equal(peer->got[1].code, "NOT_FOUND");
    assert_string_equal(peer->got[2].code, "INVALID_ARGUMENT");
}

static void room__for_less_than_could_be_pending__waits(void **state)
{
    enum { PUTS = 60 };
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    later->fixture->settings.limits.batch = PUTS;
    later->fixture->settings.limits.message = (PUTS + 1) * LIMIT_ERROR_BYTES + 2000;
    begin(later, peer);
    buffer_t payload;
    puts_add(&payload, PUTS);
    payload_give(later->fixture, peer, &payload);
    assert_int_equal(pending(peer), 4); /* there is room for 4 answers of 512 bytes */
    later_log_settle(later->log);
    assert_int_equal(peer->count, PUTS);
    assert_int_equal(later->fixture->hub->stats.puts_total, PUTS);
}

/* ---- Sessions --------------------------------------------------------------------------------- */

static void session__lost_before_it_has_its_place__leaves_nothing(void **state)
{
    later_t *later = *state;
    hub_t *hub = later->fixture->hub;
    struct connection *peer = &later->peers[0];
    ask(later->fixture, peer, "auth", "ss", "adam", "eve");
    assert_int_equal(registry_count(hub->registry), 0);
    hub_lost(hub, peer->session, later->fixture->now_ms);
    later_log_settle(later->log);
    hub_verified(hub, later->fixture->job, VERDICT_WRONG, later->fixture->now_ms);
    later_log_settle(later->log);
    assert_int_equal(registry_count(hub->registry), 0);
    assert_int_equal(sessions_count(hub->sessions), 0);
    assert_int_equal(hub->stats.disconnects_total, 1);
    assert_false(hub_waits(hub));
}

static void session__lost_with_puts_on_their_way__they_are_carried_out_to_the_last(void **state)
{
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    snprintf(peer->identity, sizeof peer->identity, "lamp");
    for (unsigned i = 0; i < 3; i++)
        ask(later->fixture, peer, "put", "ss", "k", "v");
    hub_lost(later->fixture->hub, peer->session, later->fixture->now_ms);
    peer->session = NULL;
    later_log_settle(later->log);
    assert_int_equal(later->fixture->hub->stats.puts_total, 3);
    assert_int_equal(later->fixture->hub->stats.disconnects_total, 1);
    assert_int_equal(sessions_count(later->fixture->hub->sessions), 0);
    assert_int_equal(peer->count, 0);
}

static void bye__is_answered_when_the_session_has_left(void **state)
{
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    begin(later, peer);
    ask(later->fixture, peer, "bye", "");
    assert_int_equal(peer->count, 0);
    later_log_settle(later->log);
    assert_got(peer, "");
    assert_int_equal(registry_count(later->fixture->hub->registry), 0);
    assert_null(peer->session);
}

/* ---- The state has changed -------------------------------------------------------------------- */

/* Applies COMMAND, as one of the broker itself, before all commands that are on their way. */
static void apply_now(later_t *later, const command_t *command)
{
    place_t place = {.now_ms = later->fixture->now_ms, .time_ms = UNIX_MS};
    assert_true(hub_apply(later->fixture->hub, NULL, command, &place));
}

static void forget_now(later_t *later, const char *name)
{
    apply_now(later, &(command_t){.kind = COMMAND_FORGET,
                                  .client_id = bytes_from_text(name),
                                  .text = bytes_from_text("forgotten")});
}

static void create_now(later_t *later, const char *name)
{
    apply_now(later, &(command_t){.kind = COMMAND_PUT,
                                  .name = bytes_from_text(name),
                                  .put = {.key = bytes_from_text("k"),
                                          .value = bytes_from_text("v"),
                                          .if_revision = REVISION_ANY}});
}

static void managed_put__to_a_client_forgotten_meanwhile__is_not_found(void **state)
{
    later_t *later = *state;
    struct connection *manager = &later->peers[0];
    begin_manager(later, manager);
    create_now(later, "lamp");
    ask(later->fixture, manager, "manage", "ssss", "lamp", "put", "k", "w");
    forget_now(later, "lamp");
    later_log_settle(later->log);
    assert_got(manager, "NOT_FOUND");
    assert_int_equal(later->fixture->hub->stats.puts_total, 1);
}

static void managed_del__in_the_next_life_of_a_name__is_not_found(void **state)
{
    later_t *later = *state;
    struct connection *manager = &later->peers[0];
    begin_manager(later, manager);
    create_now(later, "lamp");
    ask(later->fixture, manager, "manage", "sss", "lamp", "del", "k");
    forget_now(later, "lamp");
    create_now(later, "lamp");
    later_log_settle(later->log);
    assert_got(manager, "NOT_FOUND");
    assert_int_equal(later->fixture->hub->stats.dels_total, 0);
}

static void managed_put__that_creates__finds_the_client_or_makes_it(void **state)
{
    later_t *later = *state;
    struct connection *manager = &later->peers[0];
    begin_manager(later, manager);
    create_now(later, "lamp");
    ask(later->fixture, manager, "manage", "ssssc", "lamp", "put", "k", "w");
    forget_now(later, "lamp");
    later_log_settle(later->log);
    assert_got(manager, "");
    ask(later->fixture, manager, "manage", "ssssc", "bell", "put", "k", "w");
    create_now(later, "bell");
    later_log_settle(later->log);
    assert_got(manager, "");
    assert_int_equal(later->fixture->hub->stats.puts_total, 4);
}

static void role__of_a_client_that_went_meanwhile__is_not_found(void **state)
{
    later_t *later = *state;
    struct connection *manager = &later->peers[0];
    begin_manager(later, manager);
    create_now(later, "lamp");
    ask(later->fixture, manager, "role", "ss", "lamp", "guest");
    forget_now(later, "lamp");
    later_log_settle(later->log);
    assert_got(manager, "NOT_FOUND");
}

static void put__above_limits_that_came_meanwhile__is_refused(void **state)
{
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    begin(later, peer);
    ask(later->fixture, peer, "put", "ss", "k", "long");
    later->fixture->settings.limits.value = 3;
    later_log_settle(later->log);
    assert_got(peer, "INVALID_ARGUMENT");
}

static void session__forgotten_with_a_put_on_its_way__gets_no_answer(void **state)
{
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    snprintf(peer->identity, sizeof peer->identity, "lamp");
    begin(later, peer);
    ask(later->fixture, peer, "put", "ss", "k", "v");
    forget_now(later, "lamp");
    later_log_settle(later->log);
    assert_null(peer->session);
    assert_int_equal(peer->count, 1);
    assert_int_equal(peer->got[0].kind, RPC_NOTIFICATION); /* bye */
    assert_int_equal(later->fixture->hub->stats.puts_total, 0);
}

static void auth__whose_account_goes_before_the_role_comes__fails(void **state)
{
    later_t *later = *state;
    struct connection *peer = &later->peers[0];
    begin(later, peer);
    login(later->fixture, peer, true);
    settings_t without = later->fixture->settings;
    without.manager_count = 0;
    assert_true(hub_configure(later->fixture->hub, &without, later->fixture->now_ms));
    later_log_settle(later->log);
    assert_got(peer, "UNAUTHENTICATED");
    assert_int_equal(peer->session->role, ROLE_GUEST);
    assert_int_equal(later->fixture->hub->stats.roles_total, 2); /* it was a manager for a moment */
    assert_true(hub_configure(later->fixture->hub, &later->fixture->settings, later->fixture->now_ms));
}

static void hello__whose_name_is_claimed_anew_meanwhile__is_refused_late(void **state)
{
    later_t *later = *state;
    struct connection *owner = &later->peers[0];
    struct connection *second = &later->peers[1];
    char other[SECRET_HASH_SIZE];
    snprintf(owner->identity, sizeof owner->identity, "lamp/1");
    snprintf(second->identity, sizeof second->identity, "lamp/2");
    begin(later, owner);
    ask(later->fixture, owner, "hello", "p", "0123456789abcdef");
    later_log_settle(later->log);
    assert_got(owner, "");
    ask(later->fixture, second, "ping", "");
    later_log_settle(later->log);
    ask(later->fixture, second, "hello", "p", "0123456789abcdef");
    secret_hash(bytes_from_text("ssssssssssssssss"), other);
    owner->session->client->claimed = false;
    apply_now(later, &(command_t){.kind = COMMAND_CLAIM,
                                  .client_id = bytes_from_text("lamp"),
                                  .client_life = owner->session->client->life,
                                  .claim = other});
    later_log_settle(later->log);
    assert_int_equal(second->count, 0);
    later->fixture->now_ms += 1000;
    hub_tick(later->fixture->hub, later->fixture->now_ms);
    assert_got(second, "UNAUTHENTICATED");
}

#define LATER_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LATER_TEST(puts__as_many_as_fit__are_proposed_without_waiting_and_answered_in_order),
        LATER_TEST(puts__one_more_than_fit__waits),
        LATER_TEST(get__behind_a_put__waits_and_sees_it),
        LATER_TEST(get__alone__waits_where_the_log_wants_a_barrier_and_is_answered_once),
        LATER_TEST(put__that_fails_at_once__is_answered_behind_those_before),
        LATER_TEST(room__for_less_than_could_be_pending__waits),
        LATER_TEST(session__lost_before_it_has_its_place__leaves_nothing),
        LATER_TEST(session__lost_with_puts_on_their_way__they_are_carried_out_to_the_last),
        LATER_TEST(bye__is_answered_when_the_session_has_left),
        LATER_TEST(managed_put__to_a_client_forgotten_meanwhile__is_not_found),
        LATER_TEST(managed_del__in_the_next_life_of_a_name__is_not_found),
        LATER_TEST(managed_put__that_creates__finds_the_client_or_makes_it),
        LATER_TEST(role__of_a_client_that_went_meanwhile__is_not_found),
        LATER_TEST(put__above_limits_that_came_meanwhile__is_refused),
        LATER_TEST(session__forgotten_with_a_put_on_its_way__gets_no_answer),
        LATER_TEST(auth__whose_account_goes_before_the_role_comes__fails),
        LATER_TEST(hello__whose_name_is_claimed_anew_meanwhile__is_refused_late),
    };
    return cmocka_run_group_tests_name("later", tests, NULL, NULL);
}
