/* SPDX-License-Identifier: MPL-2.0 */
/* Passes what a person types to libedit: characters, whole keys (so that no key inserts the letters of its
 * escape sequence), and pasted text. */
#ifndef KV_CLIENT_CLI_TYPING_H
#define KV_CLIENT_CLI_TYPING_H

#include <histedit.h>
#include <sys/types.h>
#include <wchar.h>

#include "client/cli/keys.h"

/* Reads a byte that was typed. Returns what read returns. */
typedef ssize_t typing_read_fn(EditLine *editor, char *byte);

typedef struct typing {
    typing_read_fn *read;
    keys_t keys;
    size_t next;  /* index of the next byte in `keys` to pass to libedit */
    size_t ready; /* how many bytes of `keys` to pass to libedit */
    mbstate_t state;
} typing_t;

/* Prepares TYPING and adds its functions to EDITOR. Call it before ~/.editrc is read. TYPING must be the
 * first member of the struct that EL_CLIENTDATA points to. */
void typing_init(typing_t *typing, EditLine *editor, typing_read_fn *read);

/* Drops a key that is half read. For Ctrl-C. */
void typing_reset(typing_t *typing);

/* Gets the next character for libedit. Returns what an EL_GETCFN function must return. */
int typing_character(typing_t *typing, EditLine *editor, wchar_t *character);

/* Turn on and off that the terminal marks pasted text. */
void typing_paste_begin(EditLine *editor);
void typing_paste_end(EditLine *editor);

#endif
