/* SPDX-License-Identifier: MPL-2.0 */
/* The digest of one entry, PROTOCOL.md section 7. The digest of a store is the XOR of those of its entries.
 */
#ifndef KV_COMMON_DIGEST_H
#define KV_COMMON_DIGEST_H

#include "common/bytes.h"

uint64_t digest_entry(bytes_t key, bool binary, bytes_t value, uint64_t revision);

#endif
