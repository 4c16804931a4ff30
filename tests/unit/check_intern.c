#include "intern.h"
#include "sample_front.h"

#include <stdio.h>

START_TEST(equal_names_are_one_pointer_and_one_number)
{
    struct front front;
    front_start(&front);
    struct intern table;
    intern_init(&table, front.arena);
    const char *first[500];
    char name[16];
    for (uint32_t i = 0; i < 500; i++) { /* grows several times */
        const int length = snprintf(name, sizeof name, "n%u", i);
        first[i] = intern_name(&table, name, (size_t)length);
        ck_assert_str_eq(first[i], name);
    }
    for (uint32_t i = 0; i < 500; i++) {
        const int length = snprintf(name, sizeof name, "n%u", i);
        ck_assert_uint_eq(intern_add(&table, name, (size_t)length), i);
        ck_assert_ptr_eq(intern_name(&table, name, (size_t)length), first[i]);
    }
    ck_assert_uint_eq(table.count, 500);
    front_end(&front);
}
END_TEST

START_TEST(length_decides_not_a_nul)
{
    struct front front;
    front_start(&front);
    struct intern table;
    intern_init(&table, front.arena);
    ck_assert_uint_eq(intern_add(&table, "abc", 2), 0);
    ck_assert_uint_eq(intern_add(&table, "abd", 2), 0);
    ck_assert_uint_eq(intern_add(&table, "abc", 3), 1);
    front_end(&front);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {equal_names_are_one_pointer_and_one_number,
                                  length_decides_not_a_nul};
    return FRONT_MAIN("intern", tests);
}
