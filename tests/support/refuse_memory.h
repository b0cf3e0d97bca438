/* SPDX-License-Identifier: MPL-2.0 */
/* Lets a test refuse allocations of the project's own code. The linker redirects them to this module
 * (tests/unit/CMakeLists.txt). Each thread has its own variables, so that a peer in another thread is spared.
 */
#ifndef KV_TESTS_SUPPORT_REFUSE_MEMORY_H
#define KV_TESTS_SUPPORT_REFUSE_MEMORY_H

#include <stdbool.h>

enum { REFUSE_NEVER = -1 };

extern _Thread_local int refuse_after; /* so many allocations are granted before one is refused */
extern _Thread_local bool refuse_once; /* then refuse only one; otherwise refuse all that follow */
extern _Thread_local unsigned refused; /* allocations that were refused */

/* Counts an allocation, and returns whether to refuse it. For a test that wraps another allocator. */
bool refuse_memory(void);

#endif
