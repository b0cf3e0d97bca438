/* SPDX-License-Identifier: MPL-2.0 */
/* Gives libedit what a person types: characters and whole keys, so that no key types the letters of its
 * escape sequence, and pasted text as text. */
#ifndef KV_CLIENT_CLI_TYPING_H
#define KV_CLIENT_CLI_TYPING_H

#include <histedit.h>
#include <sys/types.h>
#include <wchar.h>

#include "client/cli/keys.h"

/* Reads a byte that was typed. Returns what read does. */
typedef ssize_t typing_read_fn(EditLine *editor, char *byte);

typedef struct typing {
    typing_read_fn *read;
    keys_t keys;
    size_t next;  /* of the bytes in `keys`, the first that libedit has not got; all of no more: none */
    size_t ready; /* how many of them it is to get */
    mbstate_t state;
} typing_t;

/* Adds to EDITOR what keys need, before the person's own keys are read: TYPING stands in the data that
 * EL_CLIENTDATA is, at its beginning. */
void typing_init(typing_t *typing, EditLine *editor, typing_read_fn *read);

/* Forgets a key that is half read: Ctrl-C came. */
void typing_reset(typing_t *typing);

/* The next character for libedit; returns what EL_GETCFN is to return. */
int typing_character(typing_t *typing, EditLine *editor, wchar_t *character);

/* Asks the terminal to say what is pasted, and no longer. */
void typing_paste_begin(EditLine *editor);
void typing_paste_end(EditLine *editor);

#endif
