/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the file and its lock, and the order in which they are made. Does not use libzmq. */
#include "broker/net/ipc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    LOCK_MODE = 0600,
    LOCK_TRIES = 100 /* a try fails if the holder removes the lock's file at the same time */
};

#define LOCK_SUFFIX ".lock"

struct ipc_file {
    char *path;
    char *lock_path;
    int lock;  /* descriptor of the lock's file; -1 = not held */
    bool made; /* the socket's file was made, and these identify it: */
    dev_t device;
    ino_t inode;
};

bool ipc_path_absolute(const char *path, char *absolute, size_t size)
{
    const struct sockaddr_un *address = NULL;
    char folder[PATH_MAX] = "";
    if (path[0] != '/' && getcwd(folder, sizeof folder) == NULL)
        return false;
    int length = snprintf(absolute, size, "%s%s%s", folder, path[0] == '/' ? "" : "/", path);
    if (length >= 0 && (size_t)length < size && (size_t)length < sizeof address->sun_path)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

/* ---- The lock --------------------------------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether FOUND looks like a broker's lock. Such a file is empty, so a file with content is something else.
 */
static bool lock_like(const struct stat *found)
{
    return S_ISREG(found->st_mode) && found->st_size == 0;
}

static bool lock_path_free(const char *lock_path)
{
    struct stat found;
    if (lstat(lock_path, &found) != 0 || lock_like(&found))
        return true;
    errno = EEXIST;
    return false;
}

bool ipc_lock_free(const char *path)
{
    char lock_path[PATH_MAX];
    int length = snprintf(lock_path, sizeof lock_path, "%s" LOCK_SUFFIX, path);
    return length < 0 || (size_t)length >= sizeof lock_path || lock_path_free(lock_path);
}

/* Tries once to open and lock the lock's file. Returns false with errno set on failure; EAGAIN means that the
 * file was removed meanwhile. */
static bool lock_try(ipc_file_t *file)
{
    struct stat held;
    struct stat named;
    if (!lock_path_free(file->lock_path))
        return false;
    file->lock = open(file->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, LOCK_MODE);
    if (file->lock < 0)
        return false;
    if (flock(file->lock, LOCK_EX | LOCK_NB) != 0) {
        errno = errno == EWOULDBLOCK ? EADDRINUSE : errno;
    } else if (fstat(file->lock, &held) == 0) {
        if (lstat(file->lock_path, &named) == 0 && same_file(&held, &named))
            return true;
        errno = EAGAIN;
    }
    int error = errno;
    close(file->lock);
    file->lock = -1;
    errno = error;
    return false;
}

static bool lock_take(ipc_file_t *file)
{
    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        if (lock_try(file))
            return true;
        if (errno != EAGAIN)
            return false;
    }
    errno = EADDRINUSE;
    return false;
}

/* ---- The socket ------------------------------------------------------------------------------- */

static int socket_open(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Whether nobody listens at ADDRESS. If false, errno says why. */
static bool address_stale(const struct sockaddr_un *address)
{
    int probe = socket_open();
    if (probe < 0)
        return false;
    int error = connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 ? EADDRINUSE : errno;
    close(probe);
    /* EAGAIN: its backlog is full. EPROTOTYPE: a socket of another type. */
    errno = error == EAGAIN || error == EPROTOTYPE ? EADDRINUSE : error;
    return error == ECONNREFUSED;
}

/* Removes the socket of a dead broker from PATH. Requires the lock. Returns false with errno set if anything
 * else is there. */
static bool path_clear(const char *path, const struct sockaddr_un *address)
{
    struct stat found;
    if (lstat(path, &found) != 0)
        return errno == ENOENT;
    if (!S_ISSOCK(found.st_mode)) {
        errno = ENOTSOCK;
        return false;
    }
    return address_stale(address) && unlink(path) == 0;
}

/* Binds to the address. The file is made without permissions and gets them before the socket listens. A wrong
 * mode would matter even before it listens: connect(2) checks permissions first and the listening socket
 * later, so it could pass the old mode and then find the socket listening. */
static bool address_bind(int listener, const struct sockaddr_un *address)
{
    mode_t before = umask(0777);
    bool bound = bind(listener, (const struct sockaddr *)address, sizeof *address) == 0;
    int error = errno;
    umask(before);
    errno = error;
    return bound;
}

bool ipc_group_allowed(uint64_t group)
{
    if (group == IPC_GROUP_OWN)
        return true;
    int file = memfd_create("group", MFD_CLOEXEC); /* a file without a name, to try it on */
    if (file < 0)
        return true; /* unknown; ipc_file_new will fail if it is not allowed */
    bool refused = fchown(file, (uid_t)-1, (gid_t)group) != 0 && errno == EPERM;
    close(file);
    errno = refused ? EPERM : 0;
    return !refused;
}

/* Sets who may connect. */
static bool access_set(ipc_file_t *file, const ipc_access_t *access)
{
    struct stat made;
    if (lstat(file->path, &made) != 0)
        return false;
    file->made = true;
    file->device = made.st_dev;
    file->inode = made.st_ino;
    if (access->group != IPC_GROUP_OWN && lchown(file->path, (uid_t)-1, (gid_t)access->group) != 0)
        return false;
    return chmod(file->path, (mode_t)access->mode) == 0;
}

ipc_file_t *ipc_file_new(const char *path, const ipc_access_t *access, int backlog, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    memcpy(address.sun_path, path, length);
    int listener = -1;
    ipc_file_t *file = calloc(1, sizeof *file);
    if (file == NULL)
        return NULL;
    file->lock = -1;
    file->path = strdup(path);
    file->lock_path = malloc(length + sizeof LOCK_SUFFIX);
    if (file->path == NULL || file->lock_path == NULL)
        goto failed;
    snprintf(file->lock_path, length + sizeof LOCK_SUFFIX, "%s" LOCK_SUFFIX, path);
    if (!lock_take(file) || !path_clear(path, &address))
        goto failed;
    listener = socket_open();
    if (listener < 0 || !address_bind(listener, &address) || !access_set(file, access) ||
        listen(listener, backlog) != 0)
        goto failed;
    *fd = listener;
    return file;
failed:;
    int error = errno;
    if (listener >= 0)
        close(listener);
    ipc_file_destroy(&file);
    errno = error;
    return NULL;
}

void ipc_file_destroy(ipc_file_t **self)
{
    ipc_file_t *file = *self;
    if (file == NULL)
        return;
    struct stat found;
    if (file->made && lstat(file->path, &found) == 0 && found.st_dev == file->device &&
        found.st_ino == file->inode)
        unlink(file->path);
    if (file->lock >= 0) {
        struct stat held;
        if (fstat(file->lock, &held) == 0 && lstat(file->lock_path, &found) == 0 && same_file(&held, &found))
            unlink(file->lock_path);
        close(file->lock);
    }
    free(file->lock_path);
    free(file->path);
    free(file);
    *self = NULL;
}
