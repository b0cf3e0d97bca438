/* SPDX-License-Identifier: MPL-2.0 */
/* Compares 16 bytes at once. The portable way is always compiled, so that a test can compare both. */
#ifndef KV_BROKER_ENGINE_TAGS_H
#define KV_BROKER_ENGINE_TAGS_H

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bits 0 to 15 tell which of the 16 bytes at TAGS are TAG. */
static inline unsigned tags_match_portable(const uint8_t *tags, uint8_t tag)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; i++)
        mask |= (unsigned)(tags[i] == tag) << i;
    return mask;
}

static inline unsigned tags_match(const uint8_t *tags, uint8_t tag)
{
#ifdef __SSE2__
    __m128i sixteen = _mm_loadu_si128((const __m128i *)(const void *)tags);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(sixteen, _mm_set1_epi8((char)tag)));
#else
    return tags_match_portable(tags, tag);
#endif
}

#endif
