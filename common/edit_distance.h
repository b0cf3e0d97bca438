/* SPDX-License-Identifier: MPL-2.0 */
/* How similar two words are, to suggest a known word for an unknown one. */
#ifndef KV_COMMON_EDIT_DISTANCE_H
#define KV_COMMON_EDIT_DISTANCE_H

#include "common/bytes.h"

enum { EDIT_TEXT_MAX = 64 }; /* bytes; names of keys, options and commands are shorter */

/* The least number of edits that turn A into B. An edit is the insertion, deletion or substitution of a byte,
 * or the swap of two neighbours. If a text is longer than EDIT_TEXT_MAX, the result is the size of the longer
 * one. */
unsigned edit_distance(bytes_t a, bytes_t b);

#endif
