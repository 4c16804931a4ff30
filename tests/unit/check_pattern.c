#include "sample_cells.h"

#include "pattern.h"

/* Rows as strings: "x." */
static struct pattern from_rows(struct arena *arena, uint32_t n, const char *const *rows)
{
    struct pattern pattern = pattern_create(n, n, arena);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            if (rows[i][j] == 'x')
                pattern_put(&pattern, i, j);
    return pattern;
}

static const struct {
    const char *name;
    uint32_t n;
    const char *rows[4], *closed[4];
} closures[] = {
    {"empty", 2, {"..", ".."}, {"x.", ".x"}},
    {"diagonal", 3, {"x..", ".x.", "..x"}, {"x..", ".x.", "..x"}},
    {"lower triangular", 3, {"x..", "xx.", "xxx"}, {"x..", "xx.", "xxx"}},
    {"upper triangular", 3, {"xxx", ".xx", "..x"}, {"xxx", ".xx", "..x"}},
    {"chain", 4, {"x...", "xx..", ".xx.", "..xx"}, {"x...", "xx..", "xxx.", "xxxx"}},
    {"ring", 4, {"...x", "x...", ".x..", "..x."}, {"xxxx", "xxxx", "xxxx", "xxxx"}},
    {"two blocks", 4, {".x..", "x...", "...x", "..x."}, {"xx..", "xx..", "..xx", "..xx"}},
    {"one into two", 3, {"x..", "x.x", ".x."}, {"x..", "xxx", "xxx"}},
};

START_TEST(closing_gives_the_expected_pattern)
{
    struct arena *arena = sample_arena();
    struct pattern pattern = from_rows(arena, closures[_i].n, closures[_i].rows);
    pattern_close(&pattern);
    for (uint32_t i = 0; i < closures[_i].n; i++)
        for (uint32_t j = 0; j < closures[_i].n; j++)
            ck_assert_msg(pattern_has(&pattern, i, j) == (closures[_i].closed[i][j] == 'x'),
                          "%s: entry %u, %u", closures[_i].name, (unsigned)i, (unsigned)j);
    arena_destroy(arena);
}
END_TEST

/* Sizes on both sides of a word, against the definition: the union of all powers. */
START_TEST(closure_is_the_union_of_powers)
{
    static const uint32_t sizes[] = {1, 2, 63, 64, 65, 130};
    struct arena *arena = sample_arena();
    const uint32_t n = sizes[_i];
    struct pattern pattern = pattern_create(n, n, arena);
    struct pattern closed = pattern_create(n, n, arena);
    uint64_t seed = 17 + n;

    for (uint32_t k = 0; k < n + n / 4; k++)
        pattern_put(&pattern, (uint32_t)sample_random(&seed, 0, n),
                    (uint32_t)sample_random(&seed, 0, n));
    for (uint32_t i = 0; i < n; i++)
        pattern_put(&closed, i, i);
    for (uint32_t power = 0; power < n; power++)
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < n; j++)
                if (pattern_has(&pattern, i, j))
                    pattern_join(&closed, i, &closed, j);
    pattern_close(&pattern);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            ck_assert_msg(pattern_has(&pattern, i, j) == pattern_has(&closed, i, j),
                          "n %u: entry %u, %u", (unsigned)n, (unsigned)i, (unsigned)j);
    arena_destroy(arena);
}
END_TEST

START_TEST(closing_twice_changes_nothing)
{
    struct arena *arena = sample_arena();
    struct pattern pattern = from_rows(arena, closures[_i].n, closures[_i].rows);
    pattern_close(&pattern);
    const size_t bytes = (size_t)pattern.rows * pattern.words * sizeof *pattern.word;
    uint64_t *once = arena_alloc(arena, bytes);
    memcpy(once, pattern.word, bytes);
    pattern_close(&pattern);
    ck_assert_mem_eq(once, pattern.word, bytes);
    arena_destroy(arena);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("pattern");
    const int count = sizeof closures / sizeof closures[0];
    tcase_add_loop_test(tcase, closing_gives_the_expected_pattern, 0, count);
    tcase_add_loop_test(tcase, closure_is_the_union_of_powers, 0, 6);
    tcase_add_loop_test(tcase, closing_twice_changes_nothing, 0, count);
    return sample_run("pattern", tcase);
}
