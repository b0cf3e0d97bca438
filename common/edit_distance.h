/* SPDX-License-Identifier: MPL-2.0 */
/* How far apart two words are, to suggest a word for an unknown one. */
#ifndef KV_COMMON_EDIT_DISTANCE_H
#define KV_COMMON_EDIT_DISTANCE_H

#include "common/bytes.h"

enum { EDIT_TEXT_MAX = 64 }; /* bytes that are compared; names of keys, options and commands are shorter */

/* Edits (an insertion, deletion or substitution of a byte, or a swap of two neighbours) that turn A into B.
 * A text above EDIT_TEXT_MAX is as far from any other as the longer of the two has bytes. */
unsigned edit_distance(bytes_t a, bytes_t b);

#endif
