/* SPDX-License-Identifier: MPL-2.0 */
/* Configuration texts, valid and invalid. An invalid one must give exactly one line that says where the
 * problem is, what it is, and what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/config/config.h"
#include "broker/config/config_kind.h"
#include "broker/net/ipc_file.h"

#define HASH                                                                                                 \
    "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define SECRET "$blake2b$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

typedef struct fixture {
    settings_t settings;
    char problem[CONFIG_PROBLEM_SIZE];
} fixture_t;

static bool read_text(fixture_t *fixture, const char *text)
{
    return config_read(&fixture->settings, "f", bytes_from_text(text), fixture->problem,
                       sizeof fixture->problem);
}

static void must_read(fixture_t *fixture, const char *text)
{
    if (!read_text(fixture, text))
        fail_msg("refused: %s", fixture->problem);
}

static void must_set(fixture_t *fixture, const char *assignment)
{
    if (!config_set(&fixture->settings, assignment, fixture->problem, sizeof fixture->problem))
        fail_msg("refused: %s", fixture->problem);
}

/* Checks that the problem begins with START, is one line, and has a part that says what to do (after a `;`).
 */
static void problem_check(const fixture_t *fixture, const char *start)
{
    if (strncmp(fixture->problem, start, strlen(start)) != 0)
        fail_msg("expected \"%s...\", got \"%s\"", start, fixture->problem);
    assert_null(strchr(fixture->problem, '\n'));
    assert_non_null(strchr(fixture->problem, ';'));
}

/* ---- Valid -------------------------------------------------------------------------------------- */

static void defaults__as_documented(void **state)
{
    fixture_t *fixture = *state;
    settings_t *settings = &fixture->settings;
    assert_int_equal(settings->request_count, 1);
    assert_string_equal(settings->requests[0], "tcp://127.0.0.1:5000");
    assert_int_equal(settings->event_count, 1);
    assert_string_equal(settings->events[0], "tcp://127.0.0.1:5001");
    assert_int_equal(settings->ipc.mode, 0600);
    assert_int_equal(settings->ipc.group, IPC_GROUP_OWN);
    assert_int_equal(settings->timeout_ms, 60000);
    assert_int_equal(settings->first_id, 32768);
    assert_int_equal(settings->last_id, 60999);
    limits_t limits = LIMITS_DEFAULT;
    assert_memory_equal(&settings->limits, &limits, sizeof limits);
    assert_true(config_check(settings, fixture->problem, sizeof fixture->problem));
}

static void file__every_key__lands_in_its_setting(void **state)
{
    fixture_t *fixture = *state;
    settings_t *settings = &fixture->settings;
    must_read(fixture, "# a comment\n"
                       "listen\n"
                       "    requests = \"tcp://127.0.0.1:*, ipc:///tmp/r\" # two\n"
                       "    events = tcp://[::1]:7000\n"
                       "\n"
                       "    advertise = tcp://broker.example:7000\n"
                       "    ipc_mode = 660\n"
                       "    ipc_group = 100\n"
                       "events\n"
                       "    keep = 5\n"
                       "    keep_bytes = 6MiB\n"
                       "    inline = 7\n"
                       "session\n"
                       "    timeout = 0.5\n"
                       "managers\n"
                       "    adam = \"" HASH "\"\n"
                       "    eve = '" HASH "'\n"
                       "names\n"
                       "    lamp-1 = \"" SECRET "\"\n"
                       "ids\n"
                       "    first = 40000\n"
                       "    last = 40001\n"
                       "limits\n"
                       "    key = 512\n"
                       "    value = 2MiB\n"
                       "    message = 16 MiB\n"
                       "    batch = 1000\n"
                       "    clients = 7\n"
                       "    keys_per_client = 8\n"
                       "    bytes_per_client = 9KiB\n"
                       "    bytes_total = 1GiB\n"
                       "    outstanding = 20971520\n");
    assert_int_equal(settings->request_count, 2);
    assert_string_equal(settings->requests[0], "tcp://127.0.0.1:*");
    assert_string_equal(settings->requests[1], "ipc:///tmp/r");
    assert_int_equal(settings->event_count, 1);
    assert_string_equal(settings->events[0], "tcp://[::1]:7000");
    assert_int_equal(settings->advertised_count, 1);
    assert_string_equal(settings->advertised[0], "tcp://broker.example:7000");
    assert_int_equal(settings->ipc.mode, 0660);
    assert_int_equal(settings->ipc.group, 100);
    assert_int_equal(settings->events_keep, 5);
    assert_int_equal(settings->events_keep_bytes, 6 << 20);
    assert_int_equal(settings->events_inline, 7);
    assert_int_equal(settings->timeout_ms, 500);
    assert_int_equal(settings->manager_count, 2);
    assert_string_equal(settings->managers[1].name, "eve");
    assert_string_equal(settings->managers[1].hash, HASH);
    assert_int_equal(settings->name_count, 1);
    assert_string_equal(settings->names[0].name, "lamp-1");
    assert_string_equal(settings->names[0].hash, SECRET);
    assert_int_equal(settings->first_id, 40000);
    assert_int_equal(settings->last_id, 40001);
    limits_t limits = {.key = 512,
                       .value = 2 << 20,
                       .message = 16 << 20,
                       .batch = 1000,
                       .clients = 7,
                       .keys_per_client = 8,
                       .bytes_per_client = 9 << 10,
                       .bytes_total = 1 << 30,
                       .outstanding = 20971520};
    assert_memory_equal(&settings->limits, &limits, sizeof limits);
    assert_true(config_check(settings, fixture->problem, sizeof fixture->problem));
}

static void file__ways_to_write_the_same__are_all_taken(void **state)
{
    static const char *const texts[] = {
        "session/timeout = 5",
        "session\n    timeout=5",
        "session\r\n    timeout = 5\r\n",
        "session # of a client\n    timeout = 5 # seconds\n",
        "session\n  # a comment may stand anywhere\n\t\n    timeout = '5'",
        "session\n    timeout = \"5\"# seconds",
        "session\nsession\n    timeout = 5.000",
        "ids\nsession\n    timeout\t=\t5",
        "\xef\xbb\xbfsession\r\n    timeout = 5\r\n",
        "session/timeout = 5s",
        "session/timeout = 5000ms",
        "session/timeout = \"4s1000ms\"",
    };
    fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fixture->settings.timeout_ms = 0;
        must_read(fixture, texts[i]);
        assert_int_equal(fixture->settings.timeout_ms, 5000);
    }
}

static void file__empty_or_comments_alone__leaves_the_defaults(void **state)
{
    fixture_t *fixture = *state;
    must_read(fixture, "");
    must_read(fixture, "\n\n# nothing\n");
    assert_int_equal(fixture->settings.timeout_ms, 60000);
}

static void file__line_of_the_longest_length__is_taken(void **state)
{
    fixture_t *fixture = *state;
    char text[CONFIG_LINE_MAX + 2];
    int length = snprintf(text, sizeof text, "session/timeout = 5 #");
    memset(text + length, 'x', sizeof text - (size_t)length);
    text[CONFIG_LINE_MAX] = '\0';
    must_read(fixture, text);
    text[CONFIG_LINE_MAX] = 'x';
    text[CONFIG_LINE_MAX + 1] = '\0';
    assert_false(read_text(fixture, text));
    problem_check(fixture, "f:1: longer than 1024 bytes");
}

static void set__over_a_file__replaces_it(void **state)
{
    fixture_t *fixture = *state;
    must_read(fixture, "listen/requests = tcp://127.0.0.1:1\nmanagers/adam = \"" HASH "\"");
    must_set(fixture, "listen/requests=ipc://a,ipc://b");
    must_set(fixture, "managers/adam=$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_int_equal(fixture->settings.request_count, 2);
    assert_string_equal(fixture->settings.requests[1], "ipc://b");
    assert_int_equal(fixture->settings.manager_count, 1);
    assert_non_null(strstr(fixture->settings.managers[0].hash, "t=3"));
}

static void set__names_that_a_file_cannot_hold__are_taken(void **state)
{
    fixture_t *fixture = *state;
    must_set(fixture, "names/~lamp:1!=" SECRET);
    must_set(fixture, "managers/Zoë Blue=" HASH);
    assert_string_equal(fixture->settings.names[0].name, "~lamp:1!");
    assert_string_equal(fixture->settings.managers[0].name, "Zoë Blue");
}

static void set__value_at_its_bound__is_taken_and_one_past_refused(void **state)
{
    static const struct {
        const char *good;
        const char *bad;
    } pairs[] = {
        {"session/timeout=0.05", "session/timeout=0.049"},
        {"session/timeout=31536000", "session/timeout=31536000.001"},
        {"session/timeout=50ms", "session/timeout=49ms"},
        {"session/timeout=365d", "session/timeout=365d1ms"},
        {"ids/first=1", "ids/first=0"},
        {"ids/last=65535", "ids/last=65536"},
        {"limits/key=1024", "limits/key=1025"},
        {"limits/key=1", "limits/key=0"},
        {"limits/value=0", "limits/value=1073741825"},
        {"limits/value=1GiB", "limits/value=2GiB"},
        {"limits/message=2KiB", "limits/message=2047"},
        {"limits/batch=1000000", "limits/batch=1000001"},
        {"limits/clients=10000000", "limits/clients=10000001"},
    };
    fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        must_set(fixture, pairs[i].good);
        if (config_set(&fixture->settings, pairs[i].bad, fixture->problem, sizeof fixture->problem))
            fail_msg("taken: %s", pairs[i].bad);
        problem_check(fixture, "--set: ");
        assert_non_null(strstr(fixture->problem, "out of range"));
    }
}

static void set__ipc_mode_and_group__are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t mode;
    } modes[] = {{"0660", 0660}, {"660", 0660}, {"0777", 0777}, {"000", 0}, {"060", 060}};
    fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "listen/ipc_mode=%s", modes[i].text);
        must_set(fixture, text);
        assert_int_equal(fixture->settings.ipc.mode, modes[i].mode);
    }
    must_set(fixture, "listen/ipc_group=root");
    assert_int_equal(fixture->settings.ipc.group, 0);
    must_set(fixture, "listen/ipc_group=");
    assert_int_equal(fixture->settings.ipc.group, IPC_GROUP_OWN);
    must_set(fixture, "listen/ipc_group=4294967294");
    assert_int_equal(fixture->settings.ipc.group, UINT32_MAX - 1);
}

/* ---- Invalid ------------------------------------------------------------------------------------ */

static const struct {
    const char *text;
    const char *problem;
} broken_files[] = {
    /* Form. */
    {"\tsession\n", "f:1: a tab in the indentation"},
    {"session\n\ttimeout = 5\n", "f:2: a tab in the indentation"},
    {"session\n    \ttimeout = 5\n", "f:2: a tab in the indentation"},
    {"session\n  timeout = 5\n", "f:2: indented by 2 spaces"},
    {"session\n     timeout = 5\n", "f:2: indented by 5 spaces"},
    {"session\n        timeout = 5\n", "f:2: indented too deep"},
    {"\n    timeout = 5\n", "f:2: indented, but under no section"},
    {"session/timeout = 5\n    x = 5\n", "f:2: indented, but under no section"},
    {"session\n    timeout = 5\n        x = 1\n", "f:3: indented too deep"},
    {"session\n    timeout = \"5\n", "f:2: a quote is not closed"},
    {"session\n    timeout = \"5\" s\n", "f:2: text follows the closing quote"},
    {"session\n    timeout: 5\n", "f:2: \": 5\" after a key"},
    {"session\n    timeout 5\n", "f:2: \"5\" after a key"},
    {"names\n    a:b = x\n",
     "f:2: \":b = x\" after a key; write KEY = VALUE (a key has letters, digits and $-_@.&+; --set takes "
     "any name)"},
    {"session\n    = 5\n", "f:2: \"= 5\" does not begin with a key"},
    {"/session\n", "f:1: \"/session\" does not begin with a key"},
    {"session/ = 5\n", "f:1: \"session/ = 5\" does not begin with a key"},
    {"[session]\n", "f:1: \"[session]\" does not begin with a key"},
    {"\xef\xbb\xbf\xef\xbb\xbfsession\n", "f:1: \"\\u{feff}session\" does not begin with a key"},
    {"session\n\xef\xbb\xbf    timeout = 5\n", "f:2: \"\\u{feff}    timeout = 5\" does not begin with a key"},
    {"session\n    timeout = \xff\n", "f:2: is not UTF-8"},
    /* Keys. */
    {"sesion\n    timeout = 5\n", "f:1: unknown section sesion; did you mean session?"},
    {"session\n    timout = 5\n", "f:2: unknown key session/timout; did you mean session/timeout?"},
    {"session\n    tiemout = 5\n", "f:2: unknown key session/tiemout; did you mean session/timeout?"},
    {"manager\n    adam = x\n", "f:1: unknown section manager; did you mean managers?"},
    {"manager/adam = x\n", "f:1: unknown key manager/adam; did you mean managers/NAME?"},
    {"limit/batch = 5\n", "f:1: unknown key limit/batch; did you mean limits/batch?"},
    {"something/else = 5\n", "f:1: unknown key something/else; \"kvbroker --help-config\""},
    {"session = 5\n", "f:1: session is a section and takes no value"},
    {"session\n    timeout\n", "f:2: session/timeout has no value"},
    {"session\n    timeout =\n", "f:2: session/timeout has no value"},
    {"session\n    timeout = # 5\n", "f:2: session/timeout has no value"},
    {"session\n    timeout = 5\n    timeout = 6\n", "f:3: session/timeout was set in line 2 already"},
    {"session/timeout = 5\nsession\n    timeout = 6\n", "f:3: session/timeout was set in line 1 already"},
    {"managers\n    a = \"" HASH "\"\n    a = \"" HASH "\"\n", "f:3: managers/a was set in line 2 already"},
    {"session\n    timeout\n        x = 5\n", "f:2: session/timeout has no value"},
    /* Values. */
    {"session/timeout = \"\"\n", "f:1: session/timeout: \"\" is not a time above 0"},
    {"session/timeout = fast\n", "f:1: session/timeout: \"fast\" is not a time above 0"},
    {"session/timeout = 1e3\n", "f:1: session/timeout: \"1e3\" is not a time above 0"},
    {"session/timeout = -1\n", "f:1: session/timeout: \"-1\" is not a time above 0"},
    {"session/timeout = 30m1h\n", "f:1: session/timeout: \"30m1h\" is not a time above 0"},
    {"session/timeout = \"5 m\"\n", "f:1: session/timeout: \"5 m\" is not a time above 0"},
    {"session/timeout = 366d\n", "f:1: session/timeout is out of range; choose from 0.05 to 31536000"},
    {"session/timeout = 1.\n", "f:1: session/timeout: \"1.\" is not a time above 0"},
    {"session/timeout = 0.0005\n", "f:1: session/timeout is out of range"},
    {"session/timeout = 0\n", "f:1: session/timeout: \"0\" is not a time above 0"},
    {"session/timeout = 99999999999999999999\n", "f:1: session/timeout: \"99999999999999999999\" is not"},
    {"session/timeout = 18446744073709551\n", "f:1: session/timeout: \"18446744073709551\" is not a"},
    {"session/timeout = 9007199254740\n", "f:1: session/timeout is out of range"},
    {"ids/first = 0x10\n", "f:1: ids/first: \"0x10\" is not a whole number"},
    {"ids/first = 5.5\n", "f:1: ids/first: \"5.5\" is not a whole number"},
    {"limits/value = 5MB\n", "f:1: limits/value: \"5MB\" is not a size"},
    {"limits/value = 99999999999999GiB\n", "f:1: limits/value: \"99999999999999GiB\" is not a size"},
    {"limits/value = MiB\n", "f:1: limits/value: \"MiB\" is not a size"},
    {"limits/value = 5 GiB\n", "f:1: limits/value is out of range; choose from 0 to 1GiB"},
    {"listen/requests = 5000\n", "f:1: listen/requests: \"5000\" has a transport that kvbroker does not"},
    {"listen/requests = udp://a:1\n", "f:1: listen/requests: \"udp://a:1\" has a transport"},
    {"listen/requests = inproc://a\n", "f:1: listen/requests: \"inproc://a\" has a transport"},
    {"listen/requests = tcp://\n", "f:1: listen/requests: \"tcp://\" names no host and port"},
    {"listen/requests = tcp://localhost\n",
     "f:1: listen/requests: \"tcp://localhost\" names no host and port"},
    {"listen/requests = tcp://:5000\n", "f:1: listen/requests: \"tcp://:5000\" names no host and port"},
    {"listen/requests = tcp://a:0\n", "f:1: listen/requests: \"tcp://a:0\" has no valid port"},
    {"listen/requests = tcp://a:65536\n", "f:1: listen/requests: \"tcp://a:65536\" has no valid port"},
    {"listen/requests = tcp://a:http\n", "f:1: listen/requests: \"tcp://a:http\" has no valid port"},
    {"listen/requests = tcp://::1:5000\n",
     "f:1: listen/requests: \"tcp://::1:5000\" has a colon in its host"},
    {"listen/ipc_mode = 66\n", "f:1: listen/ipc_mode: \"66\" is not a file's mode"},
    {"listen/ipc_mode = 0888\n", "f:1: listen/ipc_mode: \"0888\" is not a file's mode"},
    {"listen/ipc_mode = 1777\n", "f:1: listen/ipc_mode: \"1777\" is not a file's mode"},
    {"listen/ipc_mode = 00660\n", "f:1: listen/ipc_mode: \"00660\" is not a file's mode"},
    {"listen/ipc_mode = rw\n", "f:1: listen/ipc_mode: \"rw\" is not a file's mode"},
    {"listen/ipc_group = no-such-group\n", "f:1: listen/ipc_group: \"no-such-group\" is not a group"},
    {"listen/ipc_group = 4294967295\n", "f:1: listen/ipc_group: \"4294967295\" is above every"},
    {"listen/ipc_group = 18446744073709551615\n", "f:1: listen/ipc_group: \"18446744073709551615\" is above"},
    {"listen/requests = ipc://\n", "f:1: listen/requests: \"ipc://\" names no path"},
    {"listen/requests = \" , \"\n", "f:1: listen/requests names no endpoint"},
    {"listen/requests = \"tcp://a:1, b\"\n", "f:1: listen/requests: \"b\" has a transport"},
    {"listen/events = \"1 2\"\n", "f:1: listen/events: \"1\" has a transport"},
    {"managers\n    adam = eve\n", "f:2: managers/adam is not an argon2id hash"},
    {"managers\n    a/b = \"" HASH "\"\n", "f:2: \"a/b\" is not an account name"},
    {"managers\n    adam = \"" SECRET "\"\n", "f:2: managers/adam is not an argon2id hash"},
    {"names\n    lamp = \"" HASH "\"\n", "f:2: names/lamp is not the hash of a secret"},
    {"names\n    48106 = \"" SECRET "\"\n", "f:2: \"48106\" is not a valid client name"},
    {"names\n    a/b = \"" SECRET "\"\n", "f:2: \"a/b\" is not a valid client name"},
};

static void file__broken__gives_its_line_and_the_reason(void **state)
{
    fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof broken_files / sizeof broken_files[0]; i++) {
        if (read_text(fixture, broken_files[i].text))
            fail_msg("taken: %s", broken_files[i].text);
        problem_check(fixture, broken_files[i].problem);
    }
}

static void file__zero_byte__is_refused(void **state)
{
    fixture_t *fixture = *state;
    bytes_t text = bytes_of("session\n    timeout = 5\0\n", 25);
    assert_false(config_read(&fixture->settings, "f", text, fixture->problem, sizeof fixture->problem));
    problem_check(fixture, "f:2: has a zero byte");
}

static void file__wrong_hash__is_not_quoted(void **state)
{
    fixture_t *fixture = *state;
    assert_false(read_text(fixture, "managers/adam = secretpassword"));
    assert_null(strstr(fixture->problem, "secretpassword"));
    assert_false(read_text(fixture, "names/lamp = secretsecretsecret"));
    assert_null(strstr(fixture->problem, "secretsecret"));
}

static void file__endpoints_at_their_bound__are_taken_and_one_past_refused(void **state)
{
    fixture_t *fixture = *state;
    char text[CONFIG_LINE_MAX] = "listen/requests=";
    for (unsigned i = 0; i < CONFIG_ENDPOINTS_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "ipc://%u ", i);
    must_read(fixture, text);
    assert_int_equal(fixture->settings.request_count, CONFIG_ENDPOINTS_MAX);
    snprintf(text + strlen(text), sizeof text - strlen(text), "ipc://x");
    assert_false(read_text(fixture, text));
    problem_check(fixture, "f:1: listen/requests has more than 16 endpoints");
}

static void file__accounts_at_their_bound__are_taken_and_one_past_refused(void **state)
{
    fixture_t *fixture = *state;
    char line[CONFIG_LINE_MAX];
    for (unsigned i = 0; i < CONFIG_CREDENTIALS_MAX; i++) {
        snprintf(line, sizeof line, "managers/m%u = \"" HASH "\"", i);
        must_read(fixture, line);
    }
    assert_int_equal(fixture->settings.manager_count, CONFIG_CREDENTIALS_MAX);
    assert_false(read_text(fixture, "managers/more = \"" HASH "\""));
    problem_check(fixture, "f:1: section managers has more than 10000 entries");
}

static void tcp__host_of_a_domain_s_length__is_taken_and_one_past_refused(void **state)
{
    fixture_t *fixture = *state;
    char text[320];
    snprintf(text, sizeof text, "listen/advertise=tcp://%0253d:65535", 0);
    must_set(fixture, text);
    snprintf(text, sizeof text, "listen/advertise=tcp://%0254d:65535", 0);
    assert_false(config_set(&fixture->settings, text, fixture->problem, sizeof fixture->problem));
    assert_non_null(strstr(fixture->problem, "host name that is too long"));
}

static void ipc__path_of_a_socket_s_length__is_taken_and_one_past_refused(void **state)
{
    fixture_t *fixture = *state;
    char text[160] = "listen/requests=ipc://";
    size_t begin = strlen(text);
    memset(text + begin, 'p', 107);
    must_set(fixture, text);
    text[begin + 107] = 'p';
    assert_false(config_set(&fixture->settings, text, fixture->problem, sizeof fixture->problem));
    assert_non_null(strstr(fixture->problem, "path too long"));
}

static void set__malformed__says_how(void **state)
{
    static const char *const texts[] = {"",          "session/timeout",  "=5",
                                        "session=5", "sesion/timeout=5", "session/=5"};
    fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(config_set(&fixture->settings, texts[i], fixture->problem, sizeof fixture->problem));
        problem_check(fixture, "--set: ");
    }
}

static void check__keys_that_do_not_agree__is_refused_with_both_names(void **state)
{
    static const struct {
        const char *sets[3];
        const char *one;
        const char *other;
    } cases[] = {
        {{"ids/first=50000", "ids/last=49999"}, "ids/first", "ids/last"},
        {{"limits/value=8MiB"}, "limits/message", "limits/value"},
        {{"limits/batch=87382"}, "limits/message", "limits/batch"},
        {{"limits/outstanding=8388607"}, "limits/outstanding", "limits/message"},
        {{"listen/events=tcp://127.0.0.1:5000"}, "tcp://127.0.0.1:5000", "listen"},
        {{"listen/requests=ipc://a,ipc://a"}, "ipc://a", "listen"},
        {{"listen/advertise=tcp://127.0.0.1:*"}, "tcp://127.0.0.1:*", "listen/advertise"},
        {{"listen/advertise=ipc:///a,tcp://0.0.0.0:1"}, "tcp://0.0.0.0:1", "listen/advertise"},
        {{"listen/advertise=ipc://run/a"}, "ipc://run/a", "listen/advertise"},
        {{"listen/advertise=tcp://*:1"}, "tcp://*:1", "listen/advertise"},
        {{"listen/advertise=tcp://[::]:1"}, "tcp://[::]:1", "listen/advertise"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_t *fixture = *state;
        settings_release(&fixture->settings);
        assert_true(settings_init(&fixture->settings));
        for (size_t j = 0; j < 3 && cases[i].sets[j] != NULL; j++)
            must_set(fixture, cases[i].sets[j]);
        assert_false(config_check(&fixture->settings, fixture->problem, sizeof fixture->problem));
        problem_check(fixture, "configuration: ");
        assert_non_null(strstr(fixture->problem, cases[i].one));
        assert_non_null(strstr(fixture->problem, cases[i].other));
    }
}

static void check__keys_that_just_agree__is_taken(void **state)
{
    fixture_t *fixture = *state;
    must_set(fixture, "ids/first=50000");
    must_set(fixture, "ids/last=50000");
    must_set(fixture, "limits/batch=87380");
    must_set(fixture, "limits/value=8386560");
    must_set(fixture, "limits/outstanding=8MiB");
    must_set(fixture, "listen/requests=tcp://127.0.0.1:*,tcp://127.0.0.1:*");
    must_set(fixture, "listen/events=tcp://127.0.0.1:*");
    must_set(fixture, "listen/advertise=tcp://a:1,tcp://a:1");
    assert_true(config_check(&fixture->settings, fixture->problem, sizeof fixture->problem));
}

static void file__that_cannot_be_read__says_why(void **state)
{
    fixture_t *fixture = *state;
    assert_false(
        config_load(&fixture->settings, "/nonexistent/k.conf", fixture->problem, sizeof fixture->problem));
    problem_check(fixture, "/nonexistent/k.conf: cannot be opened: No such file or directory");
    assert_false(config_load(&fixture->settings, "/", fixture->problem, sizeof fixture->problem));
    problem_check(fixture, "/: cannot be read: Is a directory");
    assert_false(config_load(&fixture->settings, "/dev/zero", fixture->problem, sizeof fixture->problem));
    problem_check(fixture, "/dev/zero: is larger than");
}

static void problem__room_too_small__is_cut(void **state)
{
    fixture_t *fixture = *state;
    for (size_t size = 8; size < 40; size++) {
        memset(fixture->problem, 'x', sizeof fixture->problem);
        bytes_t text = bytes_from_text("sesion/timeout = 5");
        assert_false(config_read(&fixture->settings, "f", text, fixture->problem, size));
        assert_true(strlen(fixture->problem) < size);
    }
}

/* ------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    return fixture != NULL && sodium_init() >= 0 && settings_init(&fixture->settings) ? 0 : -1;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    settings_release(&fixture->settings);
    free(fixture);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults__as_documented),
        TEST(file__every_key__lands_in_its_setting),
        TEST(file__ways_to_write_the_same__are_all_taken),
        TEST(file__empty_or_comments_alone__leaves_the_defaults),
        TEST(file__line_of_the_longest_length__is_taken),
        TEST(set__over_a_file__replaces_it),
        TEST(set__names_that_a_file_cannot_hold__are_taken),
        TEST(set__ipc_mode_and_group__are_read),
        TEST(set__value_at_its_bound__is_taken_and_one_past_refused),
        TEST(file__broken__gives_its_line_and_the_reason),
        TEST(file__zero_byte__is_refused),
        TEST(file__wrong_hash__is_not_quoted),
        TEST(file__endpoints_at_their_bound__are_taken_and_one_past_refused),
        TEST(file__accounts_at_their_bound__are_taken_and_one_past_refused),
        TEST(tcp__host_of_a_domain_s_length__is_taken_and_one_past_refused),
        TEST(ipc__path_of_a_socket_s_length__is_taken_and_one_past_refused),
        TEST(set__malformed__says_how),
        TEST(check__keys_that_do_not_agree__is_refused_with_both_names),
        TEST(check__keys_that_just_agree__is_taken),
        TEST(file__that_cannot_be_read__says_why),
        TEST(problem__room_too_small__is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
