/* SPDX-License-Identifier: MPL-2.0 */
/* Standard input, output and error, if the program was started with them closed. */
#ifndef KV_COMMON_STANDARD_FILES_H
#define KV_COMMON_STANDARD_FILES_H

#include "common/status.h"

/* Occupies the descriptors 0, 1 and 2 if they are closed, so that no socket gets their numbers: a program
 * would read its commands from the socket, or write its messages to it. Reading and writing still fail as on
 * a closed descriptor (EBADF). Call it before anything opens a file. False: the system gives no descriptor.
 */
KV_MUST_USE bool standard_files_hold(void);

#endif
