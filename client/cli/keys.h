/* SPDX-License-Identifier: MPL-2.0 */
/* What the keys of a terminal send: characters, and escape sequences (CSI and SS3) of xterm, vt220, rxvt,
 * screen, the Linux console and their like. Knows libedit's functions by name only. */
#ifndef KV_CLIENT_CLI_KEYS_H
#define KV_CLIENT_CLI_KEYS_H

#include "common/bytes.h"
#include "common/status.h"

enum {
    KEYS_SEQUENCE_MAX = 32 /* bytes of a sequence that is looked at; longer ones are passed over whole */
};

/* The function of the sequence that begins a paste: the text stands behind it, up to keys_paste_end. */
#define KEYS_PASTE "kvzmq-paste"

extern const char keys_paste_end[];

typedef enum keys_state {
    KEYS_OUTSIDE,
    KEYS_ESCAPE, /* behind ESC, or two of them */
    KEYS_CSI,    /* behind ESC [ */
    KEYS_SS3,    /* behind ESC O */
    KEYS_CONSOLE /* behind ESC [ [, with which the Linux console begins its function keys */
} keys_state_t;

/* What was read of a key. All zero: nothing. */
typedef struct keys {
    keys_state_t state;
    size_t size;  /* of `bytes` in use */
    bool overrun; /* there was more than it holds */
    uint8_t bytes[KEYS_SEQUENCE_MAX];
} keys_t;

typedef enum keys_step {
    KEYS_MORE,    /* the key is not complete */
    KEYS_PLAIN,   /* `bytes` are typed as they are */
    KEYS_SEQUENCE /* `bytes` are an escape sequence */
} keys_step_t;

/* Takes the next BYTE. After KEYS_PLAIN and KEYS_SEQUENCE the next one begins another key. */
keys_step_t keys_take(keys_t *keys, uint8_t byte);

/* The libedit function, or KEYS_PASTE, that the key with SEQUENCE stands for; NULL: none. */
const char *keys_function(bytes_t sequence);

#endif
