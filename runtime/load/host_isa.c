#include "host_isa.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Lines of /proc/cpuinfo that tell which instructions there are or what the compiler tunes for;
 * left out are those that change while the machine runs (MHz, bogomips). */
static bool matters(const char *line)
{
    static const char *const names[] = {
        "vendor_id",  "cpu family",       "model",       "flags", "Features",
        "CPU part",   "CPU implementer",  "CPU variant", "isa",   "cpu\t",
        "cache size", "CPU architecture", NULL};
    for (size_t i = 0; names[i]; i++)
        if (strncmp(line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

void host_isa_get(struct host_isa *isa)
{
    /* Widest first: what a person wants to know about vector loops. */
    static const char *const wide[] = {" avx512f", " avx2",  " avx ", " sve2",
                                       " sve",     " asimd", NULL};
    char text[8192];
    struct utsname machine = {0};
    struct sha256 hash;
    size_t have = 0;
    const char *found = "", *fused = "";

    (void)uname(&machine);
    sha256_init(&hash);
    sha256_add(&hash, machine.machine, strlen(machine.machine));
    /* The first processor only: the whole file asks every core for its frequency. */
    int file = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        ssize_t got = read(file, text, sizeof text - 1);
        have = got > 0 ? (size_t)got : 0;
        close(file);
    }
    text[have] = 0;
    for (char *line = text; *line && *line != '\n';) {
        char *end = strchr(line, '\n');
        size_t length = end ? (size_t)(end - line) : strlen(line);
        if (matters(line))
            sha256_add(&hash, line, length);
        if (strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0) {
            char kept = line[length];
            line[length] = 0;
            for (size_t i = 0; wide[i] && !*found; i++)
                if (strstr(line, wide[i]))
                    found = wide[i];
            if (strstr(line, " fma"))
                fused = " fma";
            line[length] = kept;
        }
        line += length + (end != NULL);
    }
    sha256_end(&hash, isa->digest);
    snprintf(isa->name, sizeof isa->name, "%.40s%.8s%s", machine.machine, found, fused);
}
