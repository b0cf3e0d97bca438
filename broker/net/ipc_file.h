/* SPDX-License-Identifier: MPL-2.0 */
/* The socket file of an ipc endpoint. A path belongs to one broker at a time: it holds a lock on the file
 * PATH.lock beside it. A file at the path is replaced only if it is a socket on which nobody listens. libzmq
 * does none of this: it deletes any file, and listens before a mode could be set. */
#ifndef KV_BROKER_NET_IPC_FILE_H
#define KV_BROKER_NET_IPC_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "broker/core/settings.h"
#include "common/status.h"

typedef struct ipc_file ipc_file_t;

/* Writes the absolute path to ABSOLUTE. False, with errno set, if it is unknown or too long for a socket
 * (ENAMETOOLONG). */
KV_MUST_USE bool ipc_path_absolute(const char *path, char *absolute, size_t size);

/* Whether nothing but a broker's lock, which is an empty file, stands at PATH.lock. False: errno is EEXIST.
 */
KV_MUST_USE bool ipc_lock_free(const char *path);

/* Whether this process may give a file of its own to GROUP. False: errno is EPERM. */
KV_MUST_USE bool ipc_group_allowed(uint64_t group);

/* Makes a socket that listens at PATH, for BACKLOG connections that wait, and writes its descriptor, owned by
 * the caller, to *FD. NULL, with errno set, if that fails, and nothing was changed then: EADDRINUSE if
 * somebody listens there, or starts to; ENOTSOCK if something else stands there; EEXIST if something else
 * stands in place of the lock. */
KV_MUST_USE ipc_file_t *ipc_file_new(const char *path, const ipc_access_t *access, int backlog, int *fd);

/* Removes the file, unless it is another one by now, and releases the path. Before or after the socket is
 * closed. */
void ipc_file_destroy(ipc_file_t **file);

#endif
