/* Arms the allocator of a program from its environment: FAULT_ALLOCATION is "12" (the 12th
 * allocation fails) or "12+" (and all behind it). At its end the program writes '+' to descriptor
 * 100 where one has failed, else '-'. */
#include "allocation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void arm(void)
{
    const char *text = getenv("FAULT_ALLOCATION");
    if (text)
        allocation_arm(strtol(text, NULL, 10),
                       strchr(text, '+') ? ALLOCATION_REST : ALLOCATION_ONE);
}

__attribute__((destructor)) static void report(void)
{
    allocation_disarm();
    if (getenv("FAULT_ALLOCATION"))
        (void)!write(100, allocation_has_failed() ? "+" : "-", 1);
}
