/* Faults on purpose while it runs, for valgrind.sh ('unset') and races.sh ('race'), which must see
 * them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int shared;

static void *add(void *nothing)
{
    for (int i = 0; i < 1000; i++)
        shared++;
    return nothing;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "race") == 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, add, NULL) != 0)
            return 1;
        add(NULL);
        pthread_join(thread, NULL);
        printf("%d\n", shared);
    } else if (argc == 2 && strcmp(argv[1], "unset") == 0) {
        volatile int *place = malloc(sizeof *place);
        puts(place && *place > 0 ? "more" : "less");
        free((void *)place);
    } else
        return 2;
    return 0;
}
