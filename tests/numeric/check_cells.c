/* The cells of cells/ against an independent binary128 reference: values, Jacobians (central
 * differences of the reference, whose own error is below 1e-20), and the structure expected. */
#include "cells_reference.h"

#include "ir_eval.h"
#include "pipeline.h"

#include <check.h>
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POINTS = 300, ROOM = 64, STATES = 16, LOADS = 20 };

static const double TOLERANCE = 1e-13; /* relative, to magnitudes of at least 1 */
static const double STEP = 0x1p-36;

typedef void reference_fn(const quad *h, const quad *x, const quad *p, quad *next, quad *y);

struct row {
    const char *name;
    reference_fn *step;
    bool is_affine;
    const char *blocks;  /* states in solve order, "A" an affine block, "R" a read-out */
    const char *pattern; /* of the Jacobian: rows, one letter for each state */
};

#define S6_BLOCKS "0A|1A|2A|3A|4A|5A|6A|7A|8A|9A|10A|11A|12A|13A|14A|15A"
#define S6_PATTERN                                                                                 \
    "x...............|.x..............|..x.............|...x............|....x...........|"        \
    ".....x..........|......x.........|.......x........|........x.......|.........x......|"        \
    "..........x.....|...........x....|............x...|.............x..|..............x.|"        \
    "...............x"
static const struct row rows[] = {
    {"brc", brc_reference, false, "0", "x"},
    {"cfc", cfc_reference, false, "0", "x"},
    {"ctrnn", ctrnn_reference, false, "0", "x"},
    {"elman_heads", elman_heads_reference, false, "0,1,2,3", "xxxx|xxxx|xxxx|xxxx"},
    {"gru_heads", gru_heads_reference, false, "0,1,2,3", "xxxx|xxxx|xxxx|xxxx"},
    {"gru_reset_after", gru_reset_after_reference, false, "0", "x"},
    {"hgrn", hgrn_reference, true, "0A", "x"},
    {"indrnn", indrnn_reference, false, "0", "x"},
    {"indrnn_relu", indrnn_relu_reference, false, "0", "x"},
    {"indylstm", indylstm_reference, false, "0,1", "xx|xx"},
    {"lrc", lrc_reference, false, "0", "x"},
    {"lru", lru_reference, true, "0,1A", "xx|xx"},
    {"mgu", mgu_reference, false, "0", "x"},
    {"mingru", mingru_reference, true, "0A", "x"},
    {"minlstm", minlstm_reference, true, "0A", "x"},
    {"nlru", nlru_reference, false, "0", "x"},
    {"paragru", paragru_reference, false, "0", "x"},
    {"paralstm", paralstm_reference, false, "0,1", "xx|xx"},
    {"rglru", rglru_reference, true, "0A", "x"},
    {"s6", s6_reference, true, S6_BLOCKS, S6_PATTERN},
    {"slstm", slstm_reference, false, "0,1,2,3", "x.xx|.xxx|..xx|xxxx"},
    {"slstm_r0", slstm_r0_reference, false, "2|0A|1A|3AR", "x.x.|.xx.|..x.|xxx."},
    {"sru", sru_reference, false, "0", "x"},
    {"titans_lite", titans_lite_reference, false, "0", "x"},
    {"unicornn", unicornn_reference, false, "0,1", "xx|xx"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static struct unit *cell_load(const char *name)
{
    char path[1024];
    struct unit *unit;
    snprintf(path, sizeof path, "%s/cells/%s.cell", PRNN_SOURCE_DIR, name);
    ck_assert_int_ne(pipeline_load_file(&unit, path, NULL), PIPELINE_NOMEM);
    ck_assert_msg(unit->result == PIPELINE_OK, "%s: %s", name, unit->messages);
    return unit;
}

static uint64_t random_state;

static double random_uniform(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) * 0x1p-53;
}

static double random_normal(void)
{
    double radius = sqrt(-2 * log(1 - random_uniform()));
    return radius * cos(6.283185307179586 * random_uniform());
}

/* Normal; a promised range is kept, and the normaliser of slstm is positive. */
static double random_leaf(const struct ir_decl *decl)
{
    double value = random_normal();
    if (decl->role == IR_ROLE_STATE && strcmp(decl->name, "n") == 0)
        return exp(value);
    if (decl->has_range && !(value >= decl->lo && value <= decl->hi))
        value = decl->lo + (decl->hi - decl->lo) * random_uniform();
    return value;
}

static void compare(const char *name, const char *what, uint32_t index, double found, quad wanted)
{
    double scale = fmax(1, fabs((double)wanted));
    ck_assert_msg(fabs((double)(found - wanted)) <= TOLERANCE * scale,
                  "%s: %s %u is %.17g, reference %.17g", name, what, (unsigned)index, found,
                  (double)wanted);
}

START_TEST(step_and_jacobian_are_those_of_the_equations)
{
    const struct row *row = &rows[_i];
    struct unit *unit = cell_load(row->name);
    jmp_buf escape;
    struct arena *arena = arena_create(&escape);
    const struct ir *ir = unit->ir;
    uint32_t mask = IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT) | IR_MASK(IR_OUT_JACOBIAN);
    struct ir_program *program;
    double *scratch;

    if (setjmp(escape))
        ck_abort_msg("no memory");
    program = ir_program_create(ir, mask, arena);
    scratch = calloc(ir_program_scratch(program), sizeof *scratch);
    ck_assert_ptr_nonnull(scratch);
    random_state = 1;
    for (int point = 0; point < POINTS; point++) {
        double leaf[3][ROOM], next[STATES], output[STATES], jacobian[STATES * STATES];
        quad q[3][ROOM], qnext[2][STATES], qoutput[STATES];
        struct ir_leaves_f64 leaves = {.h = leaf[0], .x = leaf[1], .p = leaf[2]};

        for (uint32_t k = 0; k < ir->decl_count; k++) {
            const struct ir_decl *decl = &ir->decls[k];
            if (decl->role == IR_ROLE_OUTPUT)
                continue;
            for (uint32_t i = decl->first; i < decl->first + decl->count; i++)
                q[decl->role][i] = leaf[decl->role][i] = random_leaf(decl);
        }
        leaves.out[IR_OUT_NEXT] = next;
        leaves.out[IR_OUT_OUTPUT] = output;
        leaves.out[IR_OUT_JACOBIAN] = jacobian;
        ir_eval_f64(program, &leaves, scratch);
        row->step(q[0], q[1], q[2], qnext[0], qoutput);
        for (uint32_t i = 0; i < ir->states; i++)
            compare(row->name, "next", i, next[i], qnext[0][i]);
        for (uint32_t k = 0; k < ir->outputs; k++)
            compare(row->name, "output", k, output[k], qoutput[k]);
        for (uint32_t j = 0; j < ir->states; j++) {
            quad centre = q[0][j];
            for (int side = 0; side < 2; side++) {
                q[0][j] = centre + (side ? STEP : -STEP);
                row->step(q[0], q[1], q[2], qnext[side], qoutput);
            }
            q[0][j] = centre;
            for (uint32_t i = 0; i < ir->states; i++)
                compare(row->name, "jacobian", i * ir->states + j, jacobian[i * ir->states + j],
                        (qnext[1][i] - qnext[0][i]) / (2 * (quad)STEP));
        }
    }
    free(scratch);
    arena_destroy(arena);
    unit_free(unit);
}
END_TEST

START_TEST(structure_is_found)
{
    const struct row *row = &rows[_i];
    struct unit *unit = cell_load(row->name);
    const struct structure *structure = &unit->structure;
    char blocks[256] = "", pattern[512] = "";
    size_t length = 0;

    for (uint32_t b = 0; b < structure->block_count; b++) {
        const struct structure_block *block = &structure->block[b];
        for (uint32_t k = 0; k < block->count; k++)
            length += (size_t)snprintf(blocks + length, sizeof blocks - length, "%s%u",
                                       k   ? ","
                                       : b ? "|"
                                           : "",
                                       (unsigned)block->state[k]);
        length += (size_t)snprintf(blocks + length, sizeof blocks - length, "%s%s",
                                   block->is_affine ? "A" : "", block->is_readout ? "R" : "");
    }
    length = 0;
    for (uint32_t i = 0; i < structure->states; i++) {
        if (i > 0)
            pattern[length++] = '|';
        for (uint32_t j = 0; j < structure->states; j++)
            pattern[length++] = ir_find_out(unit->ir, IR_OUT_JACOBIAN, i, j) ? 'x' : '.';
    }
    ck_assert_msg(structure->is_affine == row->is_affine, "%s", row->name);
    ck_assert_msg(strcmp(blocks, row->blocks) == 0, "%s: %s", row->name, blocks);
    ck_assert_msg(strcmp(pattern, row->pattern) == 0, "%s: %s", row->name, pattern);
    unit_free(unit);
}
END_TEST

START_TEST(compiler_has_nothing_to_say)
{
    struct unit *unit = cell_load(rows[_i].name);
    ck_assert_str_eq(unit->messages, "");
    ck_assert_str_eq(unit->ir->name, rows[_i].name);
    unit_free(unit);
}
END_TEST

START_TEST(every_file_is_covered)
{
    DIR *folder = opendir(PRNN_SOURCE_DIR "/cells");
    struct dirent *entry;
    int found = 0;

    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder)) != NULL) {
        char *dot = strrchr(entry->d_name, '.');
        bool is_covered = false;
        if (!dot || strcmp(dot, ".cell") != 0)
            continue;
        *dot = 0;
        for (int i = 0; i < ROWS; i++)
            is_covered = is_covered || strcmp(rows[i].name, entry->d_name) == 0;
        ck_assert_msg(is_covered, "cells/%s.cell has no reference", entry->d_name);
        found++;
    }
    closedir(folder);
    ck_assert_int_eq(found, ROWS);
}
END_TEST

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A figure, no promise: it depends on the machine. */
static void print_load_times(void)
{
    for (int i = 0; i < ROWS; i++) {
        double milliseconds[LOADS];
        for (int k = 0; k < LOADS; k++) {
            struct timespec begin, end;
            struct unit *unit;
            clock_gettime(CLOCK_MONOTONIC, &begin);
            unit = cell_load(rows[i].name);
            clock_gettime(CLOCK_MONOTONIC, &end);
            unit_free(unit);
            milliseconds[k] = 1e3 * (double)(end.tv_sec - begin.tv_sec) +
                              1e-6 * (double)(end.tv_nsec - begin.tv_nsec);
        }
        qsort(milliseconds, LOADS, sizeof *milliseconds, compare_doubles);
        printf("load %-16s %.3f ms\n", rows[i].name, milliseconds[LOADS / 2]);
    }
}

START_TEST(load_times_are_printed)
{
    print_load_times();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cells");
    TCase *tests = tcase_create("cells");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, step_and_jacobian_are_those_of_the_equations, 0, ROWS);
    tcase_add_loop_test(tests, structure_is_found, 0, ROWS);
    tcase_add_loop_test(tests, compiler_has_nothing_to_say, 0, ROWS);
    tcase_add_test(tests, every_file_is_covered);
    tcase_add_test(tests, load_times_are_printed);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
