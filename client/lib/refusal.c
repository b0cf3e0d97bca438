/* SPDX-License-Identifier: MPL-2.0 */
/* Finds the reason by connecting again, without ZeroMQ. */
#include "client/lib/refusal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct reason {
    int error;
    const char *text;
} reason_t;

static const reason_t reasons[] = {
    {EACCES, "permission is denied; you need write permission for the socket, and access to its folders"},
    {EPERM, "permission is denied; you need write permission for the socket, and access to its folders"},
    {ENOENT, "there is no such file; start kvbroker there, or name another endpoint"},
    {ENOTDIR, "there is no such folder; start kvbroker there, or name another endpoint"},
    {EPROTOTYPE, "it is a socket of another kind; name another endpoint"},
};

/* The errno of a connection to PATH; 0 = none, or unknown. */
static int connect_error(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (file == -1)
        return 0;
    memcpy(address.sun_path, path, size);
    int error = connect(file, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    (void)close(file);
    return error;
}

const char *refusal_of_path(const char *endpoint)
{
    static const char scheme[] = "ipc://";
    struct sockaddr_un address;
    struct stat found;
    if (strncmp(endpoint, scheme, sizeof scheme - 1) != 0)
        return NULL;
    const char *path = endpoint + sizeof scheme - 1;
    if (*path == '@' || strlen(path) >= sizeof address.sun_path) /* an abstract socket, or too long */
        return NULL;
    int error = connect_error(path);
    if (error == ECONNREFUSED && stat(path, &found) == 0 && !S_ISSOCK(found.st_mode))
        return "it is not a socket; start kvbroker on another path, or name another endpoint";
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].error == error)
            return reasons[i].text;
    }
    return NULL;
}
