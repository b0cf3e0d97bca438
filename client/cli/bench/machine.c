/* SPDX-License-Identifier: MPL-2.0 */
/* Reads facts about the machine from the system. */
#include "client/cli/bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "client/cli/bench/libzmq.h"

/* The first line "model name : ..." of /proc/cpuinfo; some processors have none. */
static void cpu_read(char *text, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[MACHINE_TEXT_SIZE];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        const char *name = colon + 1 + strspn(colon + 1, " ");
        (void)snprintf(text, size, "%.*s", (int)strcspn(name, "\n"), name);
        break;
    }
    if (file != NULL)
        (void)fclose(file);
}

void machine_read(machine_t *machine)
{
    struct utsname system;
    double load;
    *machine = (machine_t){.cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN)};
    cpu_read(machine->cpu, sizeof machine->cpu);
    libzmq_version(machine->libzmq, sizeof machine->libzmq);
    if (uname(&system) == 0)
        (void)snprintf(machine->kernel, sizeof machine->kernel, "%.40s %.80s", system.sysname,
                       system.release);
    if (getloadavg(&load, 1) == 1)
        (void)snprintf(machine->load, sizeof machine->load, "%.2f", load);
}
