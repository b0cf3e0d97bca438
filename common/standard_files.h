/* SPDX-License-Identifier: MPL-2.0 */
/* Standard input, output and error, if the program was started with them closed. */
#ifndef KV_COMMON_STANDARD_FILES_H
#define KV_COMMON_STANDARD_FILES_H

#include "common/status.h"

/* Occupies the descriptors 0, 1 and 2 if they are closed. Otherwise a socket could get one of their numbers,
 * and the program would read its commands from the socket or write its messages to it. Reads and writes still
 * fail as on a closed descriptor (EBADF). Call it before anything opens a file. Returns false if no
 * descriptor can be opened. */
KV_MUST_USE bool standard_files_hold(void);

#endif
