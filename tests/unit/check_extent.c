#include "extent.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The same, byte by byte. */
static bool is_shared(const struct extent *a, const struct extent *b)
{
    static unsigned char marks[1 << 16];
    memset(marks, 0, sizeof marks);
    for (int pass = 0; pass < 2; pass++) {
        const struct extent *x = pass ? b : a;
        for (int64_t i = 0; i < x->count[0]; i++)
            for (int64_t j = 0; j < x->count[1]; j++)
                for (int64_t e = 0; e < x->count[2]; e++)
                    for (int64_t k = 0; k < x->width; k++) {
                        const uintptr_t at =
                            x->base +
                            (uintptr_t)(i * x->stride[0] + j * x->stride[1] + e * x->stride[2] + k);
                        if (at >= sizeof marks || at < x->lo || at >= x->hi)
                            ck_abort_msg("byte %zu is out of bounds", (size_t)at);
                        if (pass && marks[at])
                            return true;
                        marks[at] = !pass;
                    }
    }
    return false;
}

START_TEST(tensors_that_share_a_byte_meet)
{
    /* base, strides, counts, width of both */
    static const struct {
        struct extent a, b;
        bool meets;
    } rows[] = {
        /* Dense [2, 5, 3] floats: side by side, one behind the other by a row, by one float. */
        {{1000, {60, 12, 0}, {2, 5, 1}, 12, 0, 0}, {1120, {60, 12, 0}, {2, 5, 1}, 12, 0, 0}, false},
        {{1000, {60, 12, 0}, {2, 5, 1}, 12, 0, 0}, {1108, {60, 12, 0}, {2, 5, 1}, 12, 0, 0}, true},
        {{1000, {60, 12, 0}, {2, 5, 1}, 12, 0, 0}, {1004, {60, 12, 0}, {2, 5, 1}, 12, 0, 0}, true},
        /* Packed [2, 5, 3 gates, 4] floats: gates 0 and 1, then the second one float early. */
        {{1000, {240, 48, 0}, {2, 5, 1}, 16, 0, 0},
         {1016, {240, 48, 0}, {2, 5, 1}, 16, 0, 0},
         false},
        {{1000, {240, 48, 0}, {2, 5, 1}, 16, 0, 0},
         {1012, {240, 48, 0}, {2, 5, 1}, 16, 0, 0},
         true},
        /* A gate of two elements, and the one between them. */
        {{1000, {240, 48, 32}, {2, 5, 2}, 16, 0, 0},
         {1016, {240, 48, 0}, {2, 5, 1}, 16, 0, 0},
         false},
        /* Column 0 of a trajectory with one step more, and the rest of it. */
        {{1000, {72, 0, 0}, {2, 1, 1}, 12, 0, 0}, {1012, {72, 12, 0}, {2, 5, 1}, 12, 0, 0}, false},
        {{1012, {72, 0, 0}, {2, 1, 1}, 12, 0, 0}, {1012, {72, 12, 0}, {2, 5, 1}, 12, 0, 0}, true},
        /* Time first; time backwards. */
        {{1000, {12, 24, 0}, {2, 5, 1}, 12, 0, 0}, {1012, {24, 24, 0}, {1, 5, 1}, 12, 0, 0}, true},
        {{1048, {60, -12, 0}, {2, 5, 1}, 12, 0, 0},
         {1120, {60, 12, 0}, {2, 5, 1}, 12, 0, 0},
         false},
        {{1048, {60, -12, 0}, {2, 5, 1}, 12, 0, 0}, {1112, {0, 0, 0}, {1, 1, 1}, 12, 0, 0}, true},
        /* A dense state of another shape in the middle of a dense trajectory. */
        {{1000, {60, 12, 0}, {2, 5, 1}, 12, 0, 0}, {1050, {12, 0, 0}, {2, 1, 1}, 12, 0, 0}, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct extent a = rows[i].a, b = rows[i].b;
        ck_assert(extent_bound(&a) && extent_bound(&b));
        ck_assert_msg(is_shared(&a, &b) == rows[i].meets, "row %zu is wrong", i);
        ck_assert_msg(extent_meet(&a, &b) == rows[i].meets, "row %zu", i);
        ck_assert_msg(extent_meet(&b, &a) == rows[i].meets, "row %zu, turned round", i);
    }
}
END_TEST

START_TEST(no_two_tensors_that_share_nothing_meet)
{
    int meeting = 0, missed = 0;
    srand(1);
    for (int round = 0; round < 20000; round++) {
        struct extent both[2];
        const int64_t inner = 4 * (1 + rand() % 8), outer = inner * (1 + rand() % 6);
        for (int i = 0; i < 2; i++) {
            const bool turned = rand() % 4 == 0;
            both[i] = (struct extent){
                .base = 30000 + 4 * (uintptr_t)(rand() % 100),
                .stride = {turned ? inner : outer, turned ? outer : inner, 4 * (rand() % 9 - 4)},
                .count = {1 + rand() % 3, 1 + rand() % 5, 1 + rand() % 3},
                .width = 4 * (1 + rand() % 4)};
            if (rand() % 3 == 0)
                both[i].stride[1] = -both[i].stride[1];
            ck_assert(extent_bound(&both[i]));
        }
        const bool is_met = extent_meet(&both[0], &both[1]);
        const bool shares = is_shared(&both[0], &both[1]);
        ck_assert_msg(!is_met || shares, "round %d", round);
        meeting += is_met;
        missed += shares && !is_met;
    }
    /* Undecided are those whose strides differ: two thirds of what is drawn here. */
    ck_assert_msg(meeting > missed, "%d met, %d missed", meeting, missed);
}
END_TEST

/* Whether a byte belongs to two rows. */
static bool is_twice(const struct extent *x)
{
    static unsigned char marks[1 << 16];
    memset(marks, 0, sizeof marks);
    for (int64_t i = 0; i < x->count[0]; i++)
        for (int64_t j = 0; j < x->count[1]; j++)
            for (int64_t e = 0; e < x->count[2]; e++)
                for (int64_t k = 0; k < x->width; k++)
                    if (marks[x->base + (uintptr_t)(i * x->stride[0] + j * x->stride[1] +
                                                    e * x->stride[2] + k)]++)
                        return true;
    return false;
}

START_TEST(rows_that_share_a_byte_fold)
{
    int folding = 0;
    srand(2);
    for (int round = 0; round < 20000; round++) {
        struct extent extent = {
            .base = 30000,
            .stride = {4 * (rand() % 40 - 20), 4 * (rand() % 20 - 10), 4 * (rand() % 12 - 6)},
            .count = {1 + rand() % 3, 1 + rand() % 5, 1 + rand() % 3},
            .width = 4 * (1 + rand() % 4)};
        ck_assert(extent_bound(&extent));
        const bool is_folded = extent_folds(&extent);
        ck_assert_msg(is_folded == is_twice(&extent), "round %d", round);
        folding += is_folded;
    }
    ck_assert_int_gt(folding, 5000);
    ck_assert_int_lt(folding, 19000);
}
END_TEST

START_TEST(strides_that_reach_beyond_every_address_are_found)
{
    static const int64_t strides[] = {INT64_MAX, INT64_MIN + 1, INT64_MAX / 4, -(INT64_MAX / 4)};
    for (size_t i = 0; i < 4; i++)
        for (int axis = 0; axis < EXTENT_AXES; axis++) {
            struct extent extent = {.base = 4096, .count = {2, 5, 3}, .width = 4};
            extent.stride[axis] = strides[i];
            ck_assert_msg(!extent_bound(&extent), "stride %zu, axis %d", i, axis);
            extent.count[axis] = 1; /* then it is not used */
            ck_assert_msg(extent_bound(&extent), "stride %zu, axis %d", i, axis);
        }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("extent");
    tcase_add_test(cases, tensors_that_share_a_byte_meet);
    tcase_add_test(cases, no_two_tensors_that_share_nothing_meet);
    tcase_add_test(cases, rows_that_share_a_byte_fold);
    tcase_add_test(cases, strides_that_reach_beyond_every_address_are_found);
    Suite *suite = suite_create("extent");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
