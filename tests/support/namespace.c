/* SPDX-License-Identifier: MPL-2.0 */
/* Owns the folder that is mounted as /etc. */
#include "tests/support/namespace.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static const char INSIDE[] = "KV_NAMESPACE"; /* environment variable that marks the run inside */
static char folder[] = "/tmp/kvnames-XXXXXX";

static const char *const files[] = {"hosts", "resolv.conf", "nsswitch.conf", "host.conf", "passwd"};

static _Noreturn void give_up(const char *what)
{
    (void)fprintf(stderr, "namespace: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void file_write(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        give_up(path);
}

static void loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0)
        give_up("the loopback device");
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
        give_up("the loopback device cannot be set up");
    (void)close(fd);
}

static void run_again(char **arguments)
{
    enum { ARGUMENTS_MAX = 16 };
    const char *command[ARGUMENTS_MAX + 4] = {"unshare", geteuid() == 0 ? "-mn" : "-Urmn", "--"};
    size_t count = 3;
    for (size_t i = 0; arguments[i] != NULL; i++) {
        if (i == ARGUMENTS_MAX)
            give_up("too many arguments");
        command[count++] = arguments[i];
    }
    if (setenv(INSIDE, "1", 1) != 0)
        give_up("setenv");
    (void)execvp("unshare", (char **)command);
    give_up("unshare");
}

void namespace_enter(char **arguments)
{
    if (getenv(INSIDE) == NULL)
        run_again(arguments);
    loopback_up();
    if (mkdtemp(folder) == NULL)
        give_up(folder);
    file_write("nsswitch.conf", "passwd: files\nhosts: files dns\n");
    file_write("host.conf", "multi on\n");
    file_write("passwd", "root:x:0:0:root:/root:/bin/sh\n");
    namespace_names("", "");
    if (mount(folder, "/etc", NULL, MS_BIND, NULL) != 0)
        give_up("mount on /etc");
}

void namespace_names(const char *hosts, const char *resolv_conf)
{
    file_write("hosts", hosts);
    file_write("resolv.conf", resolv_conf);
}

void namespace_leave(void)
{
    char path[128];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    (void)umount2("/etc", MNT_DETACH);
    (void)rmdir(folder);
}
