/* SPDX-License-Identifier: MPL-2.0 */
/* Decides which allocation is refused. */
#include "tests/support/refuse_memory.h"

#include <stdlib.h>
#include <sys/mman.h>

_Thread_local int refuse_after = REFUSE_NEVER;
_Thread_local bool refuse_once;
_Thread_local unsigned refused;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void *__real_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);

bool refuse_memory(void)
{
    if (refuse_after == REFUSE_NEVER || refuse_after-- > 0)
        return false;
    refuse_after = refuse_once ? REFUSE_NEVER : 0;
    refused++;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return refuse_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse_memory() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return refuse_memory() ? NULL : __real_realloc(block, size);
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    return refuse_memory() ? MAP_FAILED : __real_mmap(address, size, protection, flags, file, offset);
}

char *__wrap_strdup(const char *text)
{
    return refuse_memory() ? NULL : __real_strdup(text);
}
