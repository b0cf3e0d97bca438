/* SPDX-License-Identifier: MPL-2.0 */
/* Fills in for closed standard files. */
#include "common/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

bool standard_files_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* With O_PATH, reads and writes fail, and any path will do. (/dev/null would be an empty input and
         * accept any output.) open returns FD, because it is the lowest free number. */
        if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH | O_DIRECTORY) != fd)
            return false;
    }
    return true;
}
