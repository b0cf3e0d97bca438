/* SPDX-License-Identifier: MPL-2.0 */
/* Recognises what the keys of a terminal send: characters, and escape sequences (CSI and SS3) of xterm,
 * vt220, rxvt, screen, the Linux console and similar terminals. Names libedit's functions, but does not call
 * libedit. */
#ifndef KV_CLIENT_CLI_KEYS_H
#define KV_CLIENT_CLI_KEYS_H

#include "common/bytes.h"
#include "common/status.h"

enum {
    KEYS_SEQUENCE_MAX = 32 /* most bytes of a sequence; longer ones are ignored */
};

/* The function of the sequence that begins a paste. The pasted text follows, up to keys_paste_end. */
#define KEYS_PASTE "kvzmq-paste"

extern const char keys_paste_end[];

typedef enum keys_state {
    KEYS_OUTSIDE,
    KEYS_ESCAPE, /* after one or two ESC */
    KEYS_CSI,    /* after ESC [ */
    KEYS_SS3,    /* after ESC O */
    KEYS_CONSOLE /* after ESC [ [, as the Linux console's function keys begin */
} keys_state_t;

/* The bytes of a key that were read so far. All zero = none. */
typedef struct keys {
    keys_state_t state;
    size_t size;  /* bytes in use */
    bool overrun; /* the sequence is longer than `bytes` */
    uint8_t bytes[KEYS_SEQUENCE_MAX];
} keys_t;

typedef enum keys_step {
    KEYS_MORE,    /* the key is not complete */
    KEYS_PLAIN,   /* `bytes` are ordinary input */
    KEYS_SEQUENCE /* `bytes` are an escape sequence */
} keys_step_t;

/* Takes the next BYTE. After KEYS_PLAIN and KEYS_SEQUENCE, the next byte begins another key. */
keys_step_t keys_take(keys_t *keys, uint8_t byte);

/* The libedit function of the key that sends SEQUENCE, or KEYS_PASTE; NULL = none. */
const char *keys_function(bytes_t sequence);

#endif
