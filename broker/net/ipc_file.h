/* SPDX-License-Identifier: MPL-2.0 */
/* The socket file of an ipc endpoint. A path belongs to one broker at a time, which holds a lock on the file
 * PATH.lock. A file at the path is replaced only if it is a socket on which nobody listens. libzmq does none
 * of this: it deletes any file, and it listens before the caller could set a mode. */
#ifndef KV_BROKER_NET_IPC_FILE_H
#define KV_BROKER_NET_IPC_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "broker/core/settings.h"
#include "common/status.h"

typedef struct ipc_file ipc_file_t;

/* Writes the absolute path of PATH to ABSOLUTE. Returns false with errno set if it is unknown or too long for
 * a socket (ENAMETOOLONG). */
KV_MUST_USE bool ipc_path_absolute(const char *path, char *absolute, size_t size);

/* Whether PATH.lock does not exist or can be a broker's lock (an empty file). If false, errno is EEXIST. */
KV_MUST_USE bool ipc_lock_free(const char *path);

/* Whether this process may give its own files to GROUP. If false, errno is EPERM. */
KV_MUST_USE bool ipc_group_allowed(uint64_t group);

/* Makes a socket that listens at PATH with BACKLOG, and writes its descriptor to *FD; the caller owns it. On
 * failure, returns NULL with errno set and changes nothing: EADDRINUSE if somebody listens there, or is
 * starting to; ENOTSOCK if another kind of file is there; EEXIST if PATH.lock is not a broker's lock. */
KV_MUST_USE ipc_file_t *ipc_file_new(const char *path, const ipc_access_t *access, int backlog, int *fd);

/* Removes the file, unless somebody replaced it, and releases the path. The socket may be open or closed. */
void ipc_file_destroy(ipc_file_t **file);

#endif
