/* SPDX-License-Identifier: MPL-2.0 */
/* The settings in force, and what SIGHUP does: reads them again, and switches the broker to them. */
#ifndef KV_BROKER_NET_RELOAD_H
#define KV_BROKER_NET_RELOAD_H

#include "broker/core/settings.h"
#include "common/status.h"

struct hub;
struct request_socket;

/* The source of settings, read again at SIGHUP. */
typedef struct settings_source {
    /* Reads into SETTINGS (made by settings_init) and checks them. Returns false with one line in PROBLEM if
     * that fails. NULL: there is no file to read again. */
    bool (*read)(void *context, settings_t *settings, char *problem, size_t problem_size);
    void *context;
} settings_source_t;

typedef struct reload {
    settings_t settings[2]; /* the live settings, and room for the next ones */
    settings_t *live;       /* the ones in force */
    settings_source_t source;
} reload_t;

/* Takes *SETTINGS, which are in force from now on, and leaves them empty. Copies SOURCE. */
void reload_init(reload_t *reload, settings_t *settings, const settings_source_t *source);
void reload_release(reload_t *reload);

/* Reads the settings again and switches HUB and REQUESTS to them, or changes nothing if something is wrong
 * with them. Logs what it did. The old settings are freed. */
void reload_run(reload_t *reload, struct hub *hub, struct request_socket *requests);

#endif
