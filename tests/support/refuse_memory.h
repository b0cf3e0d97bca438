/* SPDX-License-Identifier: MPL-2.0 */
/* Allocations that the project's own code makes go through here, and can be refused: the linker leads them
 * here (tests/unit/CMakeLists.txt). */
#ifndef KV_TESTS_SUPPORT_REFUSE_MEMORY_H
#define KV_TESTS_SUPPORT_REFUSE_MEMORY_H

#include <stdbool.h>

enum { REFUSE_NEVER = -1 };

extern int refuse_after; /* allocations that are still granted */
extern bool refuse_once; /* the one behind them is refused, and no more; else all are */
extern unsigned refused; /* those that were not */

/* Whether the allocation that is asked for now is refused: for a test that leads another allocator here. */
bool refuse_memory(void);

#endif
