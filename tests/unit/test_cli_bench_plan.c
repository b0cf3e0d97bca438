/* SPDX-License-Identifier: MPL-2.0 */
/* What the benchmark does: workloads, plans, keys and values, and the model of a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "client/cli/bench/entry.h"
#include "client/cli/bench/model.h"
#include "client/cli/bench/plan.h"

enum { DRAWS = 100000, SEED = 1 };

static const kvzmq_session_t limits = {.size = sizeof limits,
                                       .limit_key = 1024,
                                       .limit_value = 1048576,
                                       .limit_batch = 4096,
                                       .limit_message = 8388608};

/* ---- Workloads -------------------------------------------------------------------------------- */

static void workload__each__draws_its_operations_in_its_shares(void **state)
{
    (void)state;
    for (const workload_t *workload = workloads; workload->name != NULL; workload++) {
        uint64_t counts[BENCH_OPS] = {0};
        dice_t dice = {SEED};
        unsigned sum = 0;
        for (size_t i = 0; i < DRAWS; i++)
            counts[workload_next(workload, &dice)]++;
        for (size_t i = 0; i < BENCH_OPS; i++) {
            double part = workload->percent[i] / 100.0;
            double expected = (double)DRAWS * part;
            double deviation = sqrt(expected * (1 - part));
            assert_true(fabs((double)counts[i] - expected) <= 5 * deviation);
            sum += workload->percent[i];
        }
        assert_int_equal(sum, 100);
    }
}

static void find__names__are_those_of_the_tables(void **state)
{
    (void)state;
    for (const workload_t *workload = workloads; workload->name != NULL; workload++)
        assert_ptr_equal(workload_find(bytes_from_text(workload->name)), workload);
    assert_null(workload_find(bytes_from_text("g")));
    for (distribution_t i = 0; i < DISTRIBUTIONS; i++)
        assert_int_equal(distribution_find(bytes_from_text(distribution_name(i))), i);
    assert_int_equal(distribution_find(bytes_from_text("normal")), DISTRIBUTIONS);
}

/* ---- Plans ------------------------------------------------------------------------------------ */

static bench_plan_t plan_of(const char *workload)
{
    bench_plan_t plan;
    bench_plan_init(&plan);
    plan.workload = workload_find(bytes_from_text(workload));
    return plan;
}

static void check_refused(bench_plan_t plan, const char *word)
{
    problem_t problem = {""};
    assert_false(bench_plan_check(&plan, &limits, &problem));
    assert_non_null(strstr(problem.text, word));
}

static void check__defaults__are_good_for_every_workload(void **state)
{
    (void)state;
    for (const workload_t *workload = workloads; workload->name != NULL; workload++) {
        problem_t problem = {""};
        bench_plan_t plan = plan_of(workload->name);
        assert_true(bench_plan_check(&plan, &limits, &problem));
        assert_true(plan.threads >= 1 && plan.threads <= plan.clients && plan.duration_ms > 0);
        assert_true(plan.load_batch >= 1 && plan.load_batch <= limits.limit_batch);
    }
}

static void check__out_of_bounds__is_refused(void **state)
{
    (void)state;
    bench_plan_t plan = plan_of("get");
    plan.clients = PLAN_CLIENTS_MAX + 1;
    check_refused(plan, "--clients");
    plan = plan_of("get");
    plan.in_flight = KVZMQ_BATCHES_MAX + 1;
    check_refused(plan, "--in-flight");
    plan = plan_of("get");
    plan.batch = limits.limit_batch + 1;
    check_refused(plan, "--batch");
    plan = plan_of("get");
    plan.value_size = ENTRY_VALUE_MIN - 1;
    check_refused(plan, "--value-size");
    plan = plan_of("get");
    plan.key_size = limits.limit_key + 1;
    check_refused(plan, "--key-size");
}

static void check__parts_that_do_not_fit__are_refused(void **state)
{
    (void)state;
    bench_plan_t plan = plan_of("get");
    plan.keys = plan.clients - 1;
    check_refused(plan, "--keys");
    plan.shared = true;
    assert_true(bench_plan_check(&plan, &limits, &(problem_t){""}));
    plan = plan_of("get");
    plan.key_size = 4;
    check_refused(plan, "--key-size");
    plan.keys = 10000;
    assert_true(bench_plan_check(&plan, &limits, &(problem_t){""}));
    plan.workload = workload_find(bytes_from_text("d"));
    check_refused(plan, "--key-size");
    plan = plan_of("put");
    plan.value_size = 1000000;
    plan.batch = 9;
    check_refused(plan, "--batch");
    plan = plan_of("e");
    plan.value_size = 1000;
    plan.batch = 100;
    check_refused(plan, "--batch");
}

static void share__all_clients__make_up_all_keys(void **state)
{
    (void)state;
    bench_plan_t plan = plan_of("get");
    plan.clients = 7;
    plan.keys = 1000;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < plan.clients; i++)
        sum += bench_plan_share(&plan, i);
    assert_int_equal(sum, plan.keys);
}

/* ---- Keys and values -------------------------------------------------------------------------- */

static void key__any_size__is_read_again_and_sorts_as_its_number(void **state)
{
    static const size_t sizes[] = {1, 2, 5, 11, 12, 13, 16, 100};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        uint64_t last = entry_keys(size) - 1;
        const uint64_t numbers[] = {0, 1, 7, last / 2, last - 1, last};
        char before[128] = "";
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            char key[128] = "";
            uint64_t read;
            entry_key_write(numbers[k], size, key);
            assert_int_equal(strlen(key), size);
            assert_true(entry_key_read(bytes_of(key, size), size, &read));
            assert_true(read == numbers[k]);
            if (k > 0 && numbers[k] > numbers[k - 1])
                assert_true(strcmp(before, key) < 0);
            memcpy(before, key, sizeof key);
        }
    }
    uint64_t read;
    assert_false(entry_key_read(bytes_from_text("kkkk00000000001"), 16, &read));
    assert_false(entry_key_read(bytes_from_text("kkkk00000000001x"), 16, &read));
    assert_false(entry_key_read(bytes_from_text("xkkk000000000001"), 16, &read));
}

static void value__any_size__is_known_again_and_nothing_else_is(void **state)
{
    static const uint64_t versions[] = {0, 1, 4095, 4096, UINT64_C(0x123456789abc), ENTRY_VERSION_MAX};
    (void)state;
    for (size_t size = ENTRY_VALUE_MIN; size <= 3 * ENTRY_VALUE_MIN; size++) {
        for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
            char value[64];
            uint64_t version;
            entry_value_write(SEED, 42, versions[i], size, value);
            bytes_t bytes = bytes_of(value, size);
            assert_true(entry_value_check(SEED, 42, bytes, size, &version));
            assert_true(version == versions[i]);
            assert_false(entry_value_check(SEED, 43, bytes, size, &version));
            assert_false(entry_value_check(SEED + 1, 42, bytes, size, &version));
            assert_false(entry_value_check(SEED, 42, bytes, size + 1, &version));
            for (size_t at = 0; at < size; at++) {
                assert_true(value[at] >= ' ' && value[at] <= '~');
                value[at] ^= 1;
                assert_false(entry_value_check(SEED, 42, bytes, size, &version));
                value[at] ^= 1;
            }
        }
    }
}

/* ---- The model -------------------------------------------------------------------------------- */

static void model__keys__are_absent_until_they_are_set(void **state)
{
    (void)state;
    model_t model = {.versions = NULL};
    assert_int_equal(model_get(&model, 5), MODEL_ABSENT);
    assert_true(model_reserve(&model, 5));
    model_set(&model, 5, model_version(0));
    assert_true(model_reserve(&model, 100000));
    assert_int_equal(model_get(&model, 5), model_version(0));
    assert_int_equal(model_get(&model, 100000), MODEL_ABSENT);
    assert_int_equal(model_next(&model, 0), 5);
    assert_true(model_next(&model, 6) >= model.count);
    model_release(&model);
}

static void model__versions__are_neither_absent_nor_unknown(void **state)
{
    (void)state;
    for (uint64_t low = UINT32_MAX - UINT64_C(3); low <= UINT32_MAX + UINT64_C(3); low++) {
        assert_int_not_equal(model_version(low), MODEL_ABSENT);
        assert_int_not_equal(model_version(low), MODEL_UNKNOWN);
        assert_int_not_equal(model_version(low), model_version(low + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workload__each__draws_its_operations_in_its_shares),
        cmocka_unit_test(find__names__are_those_of_the_tables),
        cmocka_unit_test(check__defaults__are_good_for_every_workload),
        cmocka_unit_test(check__out_of_bounds__is_refused),
        cmocka_unit_test(check__parts_that_do_not_fit__are_refused),
        cmocka_unit_test(share__all_clients__make_up_all_keys),
        cmocka_unit_test(key__any_size__is_read_again_and_sorts_as_its_number),
        cmocka_unit_test(value__any_size__is_known_again_and_nothing_else_is),
        cmocka_unit_test(model__keys__are_absent_until_they_are_set),
        cmocka_unit_test(model__versions__are_neither_absent_nor_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
