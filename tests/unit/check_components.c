#include "sample_cells.h"

#include "components.h"

static struct pattern random_graph(struct arena *arena, uint32_t n, uint32_t edges, uint64_t *seed)
{
    struct pattern reads = pattern_create(n, n, arena);
    for (uint32_t k = 0; k < edges; k++)
        pattern_put(&reads, (uint32_t)sample_random(seed, 0, n),
                    (uint32_t)sample_random(seed, 0, n));
    return reads;
}

/* By definition: two nodes are in one component if each reaches the other. */
START_TEST(nodes_share_a_component_if_each_reaches_the_other)
{
    struct arena *arena = sample_arena();
    uint64_t seed = 1000 + (uint64_t)_i;
    const uint32_t n = 1 + (uint32_t)_i % 40;
    const struct pattern reads = random_graph(arena, n, n + (uint32_t)_i % 7, &seed);
    struct pattern reach = pattern_create(n, n, arena);
    struct components components;

    memcpy(reach.word, reads.word, (size_t)n * reads.words * sizeof *reads.word);
    pattern_close(&reach);
    components_find(&components, &reads, arena);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            const bool is_mutual = pattern_has(&reach, i, j) && pattern_has(&reach, j, i);
            ck_assert_msg((components.of[i] == components.of[j]) == is_mutual, "seed %d: %u, %u",
                          _i, (unsigned)i, (unsigned)j);
        }
    arena_destroy(arena);
}
END_TEST

START_TEST(what_is_read_comes_before_its_reader)
{
    struct arena *arena = sample_arena();
    uint64_t seed = 2000 + (uint64_t)_i;
    const uint32_t n = 1 + (uint32_t)_i % 40;
    const struct pattern reads = random_graph(arena, n, n, &seed);
    struct components components;

    components_find(&components, &reads, arena);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            ck_assert_msg(!pattern_has(&reads, i, j) || components.of[j] <= components.of[i],
                          "seed %d: %u reads %u", _i, (unsigned)i, (unsigned)j);
    arena_destroy(arena);
}
END_TEST

START_TEST(every_node_is_listed_once_in_ascending_order)
{
    struct arena *arena = sample_arena();
    uint64_t seed = 3000 + (uint64_t)_i;
    const uint32_t n = 1 + (uint32_t)_i % 40;
    const struct pattern reads = random_graph(arena, n, n, &seed);
    struct components components;

    components_find(&components, &reads, arena);
    ck_assert_uint_eq(components.first[0], 0);
    ck_assert_uint_eq(components.first[components.count], n);
    for (uint32_t c = 0; c < components.count; c++)
        for (uint32_t k = components.first[c]; k < components.first[c + 1]; k++) {
            ck_assert_uint_eq(components.of[components.node[k]], c);
            ck_assert(k == components.first[c] || components.node[k - 1] < components.node[k]);
        }
    arena_destroy(arena);
}
END_TEST

/* Deep enough to end a C stack if the walk were recursive. */
START_TEST(a_long_chain_is_walked_without_recursion)
{
    enum { N = 4096 };
    struct arena *arena = sample_arena();
    struct pattern reads = pattern_create(N, N, arena);
    struct components components;
    for (uint32_t i = 0; i + 1 < N; i++)
        pattern_put(&reads, i, i + 1);
    components_find(&components, &reads, arena);
    ck_assert_uint_eq(components.count, N);
    pattern_put(&reads, N - 1, 0);
    components_find(&components, &reads, arena);
    ck_assert_uint_eq(components.count, 1);
    arena_destroy(arena);
}
END_TEST

START_TEST(the_cycle_found_is_one_and_is_shortest)
{
    struct arena *arena = sample_arena();
    uint64_t seed = 4000 + (uint64_t)_i;
    const uint32_t n = 2 + (uint32_t)_i % 20;
    const struct pattern reads = random_graph(arena, n, 2 * n, &seed);
    struct pattern walk = pattern_create(1, n, arena);
    uint32_t path[64], shortest = 0;

    /* Readers of readers, one step a round: the round in which 0 comes back is the length. */
    pattern_put(&walk, 0, 0);
    for (uint32_t round = 1; round <= n && !shortest; round++) {
        struct pattern next = pattern_create(1, n, arena);
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < n; j++)
                if (pattern_has(&walk, 0, j) && pattern_has(&reads, i, j))
                    pattern_put(&next, 0, i);
        walk = next;
        if (pattern_has(&walk, 0, 0))
            shortest = round;
    }
    const uint32_t length = components_cycle(&reads, 0, true, path, 64, arena);
    ck_assert_uint_eq(length, shortest ? shortest + 1 : 0);
    for (uint32_t k = 0; k + 1 < length; k++)
        ck_assert_msg(pattern_has(&reads, path[k + 1], path[k]), "%u does not read %u",
                      (unsigned)path[k + 1], (unsigned)path[k]);
    ck_assert(length == 0 || (path[0] == 0 && path[length - 1] == 0));
    arena_destroy(arena);
}
END_TEST

START_TEST(a_short_array_takes_the_first_entries_of_a_cycle)
{
    struct arena *arena = sample_arena();
    struct pattern reads = pattern_create(4, 4, arena);
    uint32_t path[3] = {9, 9, 9};
    for (uint32_t i = 0; i < 4; i++)
        pattern_put(&reads, (i + 1) % 4, i);
    ck_assert_uint_eq(components_cycle(&reads, 0, true, path, 2, arena), 5);
    ck_assert(path[0] == 0 && path[1] == 1 && path[2] == 9);
    arena_destroy(arena);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("components");
    tcase_add_loop_test(tcase, nodes_share_a_component_if_each_reaches_the_other, 0, 80);
    tcase_add_loop_test(tcase, what_is_read_comes_before_its_reader, 0, 80);
    tcase_add_loop_test(tcase, every_node_is_listed_once_in_ascending_order, 0, 80);
    tcase_add_loop_test(tcase, the_cycle_found_is_one_and_is_shortest, 0, 80);
    tcase_add_test(tcase, a_long_chain_is_walked_without_recursion);
    tcase_add_test(tcase, a_short_array_takes_the_first_entries_of_a_cycle);
    return sample_run("components", tcase);
}
