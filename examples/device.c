/* SPDX-License-Identifier: MPL-2.0 */
/* A device that follows its configuration while it runs. It takes a reading at an interval, and applies at
 * once what a manager writes into its store:
 *
 *     device [ENDPOINT [NAME]]                                             runs until Ctrl-C
 *     kvzmq-cli -u adam manage NAME put config/interval_ms 250
 *     kvzmq-cli -u adam watch NAME
 *
 * Under state/ it writes the settings that it has applied. To build it with an installed libkvzmq:
 *     cc -o device device.c $(pkg-config --cflags --libs kvzmq) */
#include <kvzmq.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    INTERVAL_MIN_MS = 10, /* between readings */
    INTERVAL_MAX_MS = 3600 * 1000,
    VALUE_MAX = 64, /* bytes of a setting, with its terminating zero */
    KEY_MAX = 64,   /* the same for a key */
    PAUSE_MS = 500, /* before the next attempt to reach the broker */
    SETTING_COUNT = 2
};

typedef struct device {
    kvzmq_t *conn;
    bool stale;                              /* read the configuration again */
    char settings[SETTING_COUNT][VALUE_MAX]; /* as last read; "" = never */
    long interval_ms;
    char label[VALUE_MAX];
    int64_t next_ms;   /* when the next reading is due */
    unsigned readings; /* taken so far */
} device_t;

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

/* Ctrl-C ends a call that waits. */
static bool interrupted(void *context)
{
    (void)context;
    return stopped != 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Settings ----------------------------------------------------------------------------------- */

static bool apply_interval(device_t *device, const char *value)
{
    char *end;
    long interval_ms = strtol(value, &end, 10);
    if (*end != '\0' || interval_ms < INTERVAL_MIN_MS || interval_ms > INTERVAL_MAX_MS)
        return false;
    device->interval_ms = interval_ms;
    device->next_ms = now_ms() + interval_ms;
    return true;
}

static bool apply_label(device_t *device, const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~')
            return false;
    }
    (void)snprintf(device->label, sizeof device->label, "%s", value);
    return true;
}

typedef struct setting {
    const char *name;
    const char *fallback; /* its value if the configuration has none */
    const char *expects;
    bool (*apply)(device_t *device, const char *value); /* false: not valid, nothing has changed */
} setting_t;

static const setting_t settings[SETTING_COUNT] = {
    {"interval_ms", "1000", "a number from 10 to 3600000", apply_interval},
    {"label", "none", "up to 63 printable characters of ASCII", apply_label},
};

/* Applies setting NUMBER. Reports that on standard output for people, and in the store for managers. */
static kvzmq_status_t setting_obey(device_t *device, int number, const char *value)
{
    const setting_t *setting = &settings[number];
    char key[KEY_MAX];
    char said[VALUE_MAX + KEY_MAX];
    bool fits = strlen(value) < VALUE_MAX && *value != '\0';
    if (fits && strcmp(value, device->settings[number]) == 0)
        return KVZMQ_OK;
    if (fits && setting->apply(device, value)) {
        (void)snprintf(said, sizeof said, "%s", value);
        (void)printf("applied %s = %s\n", setting->name, value);
    } else {
        (void)snprintf(said, sizeof said, "refused: not %s", setting->expects);
        (void)printf("refused %s: not %s\n", setting->name, setting->expects);
    }
    (void)snprintf(key, sizeof key, "state/%s", setting->name);
    kvzmq_status_t status = kvzmq_put(device->conn, NULL, kvzmq_text(key), kvzmq_text(said), NULL, NULL);
    if (status == KVZMQ_OK)
        (void)snprintf(device->settings[number], VALUE_MAX, "%s", value);
    return status;
}

/* Reads the whole configuration after any number of changes: only the current values matter. */
static kvzmq_status_t config_obey(device_t *device)
{
    device->stale = false; /* a change that is reported from here on sets it again */
    for (int i = 0; i < SETTING_COUNT; i++) {
        char key[KEY_MAX];
        kvzmq_value_t value = {0};
        (void)snprintf(key, sizeof key, "config/%s", settings[i].name);
        kvzmq_status_t status = kvzmq_get(device->conn, NULL, kvzmq_text(key), &value);
        if (status == KVZMQ_OK || status == KVZMQ_ABSENT)
            status = setting_obey(device, i, status == KVZMQ_OK ? value.data : settings[i].fallback);
        kvzmq_value_release(&value);
        if (status != KVZMQ_OK) {
            device->stale = true;
            return status;
        }
    }
    return KVZMQ_OK;
}

/* ---- The loop ----------------------------------------------------------------------------------- */

/* Called for a change of the own store by others. Makes no request: the library is in the middle of a call.
 */
static void changed(void *context, const kvzmq_event_t *event)
{
    static const char prefix[] = "config/";
    device_t *device = context;
    bool config =
        event->key.size >= sizeof prefix - 1 && memcmp(event->key.data, prefix, sizeof prefix - 1) == 0;
    if (config || event->kind == KVZMQ_EVENT_RESET)
        device->stale = true;
    if (event->kind == KVZMQ_EVENT_RESET)
        memset(device->settings, 0, sizeof device->settings); /* the entries under state/ may be gone too */
}

static kvzmq_status_t reading_take(device_t *device)
{
    char value[VALUE_MAX + 32];
    device->next_ms = now_ms() + device->interval_ms;
    (void)snprintf(value, sizeof value, "%s %u", device->label, ++device->readings);
    return kvzmq_put(device->conn, NULL, kvzmq_text("reading"), kvzmq_text(value), NULL, NULL);
}

/* One step: apply the configuration, take a reading that is due, or listen until the next is due. */
static kvzmq_status_t device_step(device_t *device)
{
    if (device->stale)
        return config_obey(device);
    int64_t left_ms = device->next_ms - now_ms();
    if (left_ms <= 0)
        return reading_take(device);
    kvzmq_status_t status = kvzmq_listen(device->conn, (int)left_ms);
    return status == KVZMQ_TIMEOUT ? KVZMQ_OK : status;
}

static void device_run(device_t *device)
{
    bool listens = false;
    bool trouble = false;
    while (!stopped) {
        kvzmq_status_t status =
            listens ? device_step(device) : kvzmq_on_change(device->conn, changed, device, NULL);
        if (status == KVZMQ_OK) {
            listens = true;
            trouble = false;
        } else if (status != KVZMQ_INTERRUPTED) {
            if (!trouble)
                (void)fprintf(stderr, "device: %s\n", kvzmq_error(device->conn));
            trouble = true;
            (void)poll(NULL, 0, PAUSE_MS);
        }
    }
}

int main(int argc, char **argv)
{
    kvzmq_options_t options;
    kvzmq_options_init(&options);
    options.endpoint = argc > 1 ? argv[1] : NULL;
    options.name = argc > 2 ? argv[2] : "device";
    options.interrupted = interrupted;
    options.keep_alive = true; /* the session does not time out, even if a reading takes long */

    struct sigaction action = {.sa_handler = stop};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);

    device_t device = {.conn = kvzmq_new(&options), .stale = true};
    if (device.conn == NULL)
        return 1;
    device_run(&device);
    stopped = 0; /* or it would end the goodbye too */
    (void)kvzmq_bye(device.conn);
    kvzmq_destroy(&device.conn);
    (void)printf("stopped after %u readings\n", device.readings);
    return 0;
}
