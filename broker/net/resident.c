/* SPDX-License-Identifier: MPL-2.0 */
/* Reads /proc/self/statm (proc(5)): pages of address space, pages in memory, and more. */
#include "broker/net/resident.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATM_SIZE = 128 }; /* bytes that are read; the second number is within them */

int resident_open(void)
{
    return open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

int64_t resident_bytes(int file)
{
    char text[STATM_SIZE];
    ssize_t size = file < 0 ? -1 : pread(file, text, sizeof text - 1, 0);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    const char *resident = strchr(text, ' ');
    return resident != NULL ? strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}
