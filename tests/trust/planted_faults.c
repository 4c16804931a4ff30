/* Faults on purpose, for analyse.sh, which must find them: a line says who reports it, and as what.
 */
#include <stdlib.h>
#include <string.h>

int after_free(void)
{
    int *place = malloc(sizeof *place);
    if (!place)
        return 0;
    *place = 1;
    free(place);
    return *place; /* tidy: unix.Malloc */
}

int through_null(const int *place)
{
    if (place)
        return 0;
    return *place; /* tidy: core.NullDereference */ /* cppcheck: nullPointerRedundantCheck */
}

void wrong_fill(int *row)
{
    memset(row, '0', 4 * sizeof *row); /* tidy: bugprone-suspicious-memset-usage */
}

int same_twice(int a, int b)
{
    return a < b && a < b; /* tidy: misc-redundant-expression */
}

int behind_the_end(void)
{
    int row[4] = {1, 2, 3, 4};
    return row[4]; /* cppcheck: arrayIndexOutOfBounds */
}

int never_set(int which)
{
    int value;
    if (which > 1)
        value = 2;
    return value; /* tidy: uninitialized.UndefReturn */ /* cppcheck: uninitvar */
}
