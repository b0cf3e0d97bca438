/* SPDX-License-Identifier: MPL-2.0 */
/* Owns what replaces a closed standard file. */
#include "common/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

bool standard_files_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* Not /dev/null, which would be an empty input and take any output: with O_PATH nothing can be read
         * or written, and any path will do. The lowest free number is FD, since those below are taken. */
        if (fcntl(fd, F_GETFD) < 0 && open("/", O_PATH | O_DIRECTORY) != fd)
            return false;
    }
    return true;
}
