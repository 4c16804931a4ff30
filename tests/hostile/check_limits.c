/* Large and deep input: each text ends with its exit code and its message, within a second of
 * processor time, 200 MB and a stack of 1 MiB. A text is 'first', 'count' times 'unit', 'middle',
 * 'count' times 'close', 'last'; in a unit '$' is the number of the copy and '%' the next one. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostile_run.h"

enum { SECONDS = 1, KILOBYTES = 200 * 1000 };

struct row {
    const char *name;
    const char *first, *unit;
    unsigned long count;
    const char *middle, *close, *last;
    int exit_code;
    const char *words; /* found in stderr; "": there may be any */
};

#define HEAD "cell c { state h; input u; "
#define TOO_DEEP 4, "error: nested more than 256 deep [too-deep]"
#define OPERATIONS 4, "error: the cell needs more than 20000 operations [too-many-operations]"

static const struct row rows[] = {
    /* D3 */
    {"1 MiB", HEAD "h' = h + u; } #", "x", (1ul << 20) - 42, "", "", "", 0, ""},
    {"1 MiB + 1", HEAD "h' = h + u; } #", "x", (1ul << 20) - 41, "", "", "", 4,
     "error: the file is larger than 1048576 bytes [source-too-large]"},
    {"a million signs", HEAD "h' = h; ", ";", 1000000, "}", "", "", 1, "[too-many-errors]"},
    {"too many tokens", HEAD "h' = h; ", "a$ = u; ", 25001, "}", "", "", 4,
     "error: more than 100000 words and signs [too-many-tokens]"},
    {"name of 63", HEAD, "a", 63, " = h; h' = u; }", "", "", 0, ""},
    {"name of 64", HEAD, "a", 64, " = h; h' = u; }", "", "", 1,
     "error: the name has 64 bytes, at most 63 are allowed [name-too-long]"},
    {"name of a million", HEAD, "a", 1000000, " = h; h' = u; }", "", "", 1,
     "error: the name has 1000000 bytes, at most 63 are allowed [name-too-long]"},
    {"a million digits", HEAD "h' = u + h*", "1", 1000000, "; }", "", "", 1,
     "is larger than a double can hold [number-overflow]"},
    {"a million digits behind the point", HEAD "h' = u + h*0.", "1", 1000000, "; }", "", "", 0, ""},
    {"a million zeros behind the point", HEAD "h' = u + h*0.", "0", 1000000, "1; }", "", "", 0,
     "loses digits [underflow]"},
    {"digits and exponent cancel", HEAD "h' = u + h*1", "0", 1000000, "e-1000000; }", "", "", 0,
     ""},
    {"exponent of a million digits", HEAD "h' = u + h*1e", "9", 1000000, "; }", "", "", 1,
     "is larger than a double can hold [number-overflow]"},
    {"1e400", HEAD "h' = u + 1e400; }", "", 0, "", "", "", 1,
     "error: '1e400' is larger than a double can hold [number-overflow]"},
    {"1e-400", HEAD "h' = u + 1e-400*h; }", "", 0, "", "", "", 0,
     "warning: '1e-400' is smaller than a normal double and loses digits [underflow]"},
    {"0x", HEAD "h' = u + 0x; }", "", 0, "", "", "", 1, "error: '0x' is not a number"},
    {"1..2", HEAD "h' = u + 1..2; }", "", 0, "", "", "", 1, "error: '1..2' is not a number"},
    /* D4 */
    {"parentheses, 256", HEAD "h' = u + ", "(", 256, "h", ")", "; }", 0, ""},
    {"parentheses, 257", HEAD "h' = u + ", "(", 257, "h", ")", "; }", TOO_DEEP},
    {"parentheses, 10^4", HEAD "h' = u + ", "(", 10000, "h", ")", "; }", TOO_DEEP},
    {"parentheses, 10^6", HEAD "h' = u + ", "(", 1000000, "", "", "", TOO_DEEP},
    {"minus, 10^4", HEAD "h' = u ", "-", 10000, "h; }", "", "", TOO_DEEP},
    {"minus, 10^6", HEAD "h' = u ", "-", 1000000, "h; }", "", "", TOO_DEEP},
    {"not, 10^4", HEAD "h' = where(", "not ", 10000, "h < u, h, u); }", "", "", TOO_DEEP},
    {"power, 10^4", HEAD "h' = u + ", "h^", 10000, "h; }", "", "", TOO_DEEP},
    {"calls, 10^4", HEAD "h' = u + ", "tanh(", 10000, "h", ")", "; }", TOO_DEEP},
    {"calls, 2*10^5", HEAD "h' = u + ", "tanh(", 200000, "h", "", "", TOO_DEEP},
    {"brackets, 10^6", HEAD "h' = u", "[", 1000000, "", "", "", 4, "error: nested more than 256"},
    {"indices, 10^4", HEAD "h' = u", "[0]", 10000, "; }", "", "", TOO_DEEP},
    {"sums, 10^4", HEAD "h' = u", " + h", 10000, "; }", "", "", TOO_DEEP},
    {"functions of functions", "fn f0(x) = x + 1; ", "fn f%(x) = f$(x); ", 300,
     HEAD "h' = f299(h); }", "", "", TOO_DEEP},
    {"recursion in a circle", "fn f(x) = g(x); fn g(x) = f(x); " HEAD "h' = f(h); }", "", 0, "", "",
     "", 1, "[used-before-definition]"},
    /* D7 */
    {"size 0", "cell c { state h[0]; h' = h; }", "", 0, "", "", "", 1,
     "error: a size is a positive integer, found 0 [bad-size]"},
    {"size -1", "cell c { state h[-1]; h' = h; }", "", 0, "", "", "", 1,
     "error: a size is a positive integer, found -1 [bad-size]"},
    {"size 2^31", "cell c { state h; input u[2147483648]; h' = sum(u); }", "", 0, "", "", "", 4,
     "[too-many-scalars]"},
    {"size 2^63", "cell c { state h; input u[9223372036854775808]; h' = sum(u); }", "", 0, "", "",
     "", 4, "[too-many-scalars]"},
    {"size 2^16 x 2^16", "cell c { state h[65536, 65536]; h' = h; }", "", 0, "", "", "", 4,
     "[too-many-scalars]"},
    {"size 2^32 x 2^32", "cell c { state h[4294967296, 4294967296]; h' = h; }", "", 0, "", "", "",
     4, "[too-many-scalars]"},
    {"size inf", "cell c { state h[1/0]; h' = h; }", "", 0, "", "", "", 1, "[not-finite]"},
    {"states, 17", "cell c { state h[17]; h' = tanh(h); }", "", 0, "", "", "", 4,
     "error: the cell has 17 scalar states, at most 16 are allowed [too-many-states]"},
    {"arguments, 40000", HEAD "h' = min(u", ", u", 39999, "); }", "", "", 1,
     "error: 'min' takes 2 arguments, found 40000 [argument-count]"},
    {"places, 40000", "cell c { state h; input v[2]; h' = v[0", ", 0", 39999, "]; }", "", "", 1,
     "[index-count]"},
    /* D8 */
    {"products, 2^64 of them", HEAD "a0 = h + u; ", "a% = a$*a$; ", 64, "h' = tanh(a64); }", "", "",
     0, ""},
    {"chained tanh products", HEAD "a0 = h; ", "a% = tanh(a$*u)*tanh(a$ + u); ", 30, "h' = a30; }",
     "", "", 0, ""},
    {"functions that double", "fn f0(x) = x*x + 1; ", "fn f%(x) = f$(x)*f$(x + 1); ", 30,
     HEAD "h' = f30(h); }", "", "", OPERATIONS},
    {"x^100000", HEAD "h' = u + tanh(h)^100000; }", "", 0, "", "", "", 0, ""},
    {"x^1e300", HEAD "h' = u + tanh(h)^1e300; }", "", 0, "", "", "", 0, ""},
    {"a tower of powers", HEAD "a0 = h; ", "a% = a$^1023; ", 100, "h' = u + tanh(a100); }", "", "",
     0, ""},
    {"a square of a thousand", "cell c { state h; input v[1024]; h' = sum(outer(v, v) @ v); }", "",
     0, "", "", "", OPERATIONS},
    {"names of names", HEAD "a0 = u; ", "a% = a$; ", 24000, "h' = a24000; }", "", "", 0, ""},
    {"tanh of tanh", HEAD "a0 = h; ", "a% = tanh(a$*u + $); ", 8000, "h' = a8000; }", "", "",
     OPERATIONS},
    /* Messages without end. */
    {"unused names on one line", "cell c { state h; ", "a$ = 1; ", 24000, "h' = h; } # c", "", "",
     0, "warning: definition 'a0' is never used [unused]"},
    {"unused parameters on one line", "fn f(q", ", p$", 30000, ") = q; " HEAD "h' = f(u); }", "",
     "", 1, "[argument-count]"},
    {"errors on one line", "cell c { ", "u; ", 45000, " }", "", "", 1, "[too-many-errors]"},
    {"comments, 170000 lines", "", "## c\n", 170000, HEAD "h' = h; }", "", "", 0, ""},
    {"a comment for each name", HEAD "\n", "## c\na$ = u;\n", 20000, "h' = h; }", "", "", 0,
     "[unused]"},
    {"a name like many", HEAD, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa$ = h; ", 15000,
     "h' = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaax; }", "", "", 1, "[unknown-name]"},
};

enum { ROWS = sizeof rows / sizeof *rows };

struct text {
    char *bytes;
    size_t size, room;
};

static void add(struct text *text, const char *bytes, size_t size)
{
    if (text->size + size > text->room) {
        text->room = 2 * (text->size + size);
        text->bytes = realloc(text->bytes, text->room);
        ck_assert_ptr_nonnull(text->bytes);
    }
    if (size > 0)
        memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

static void add_copies(struct text *text, const char *unit, unsigned long count)
{
    for (unsigned long i = 0; i < count && *unit; i++)
        for (const char *c = unit; *c; c++) {
            char number[24];
            if (*c != '$' && *c != '%')
                add(text, c, 1);
            else
                add(text, number, (size_t)snprintf(number, sizeof number, "%lu", i + (*c == '%')));
        }
}

START_TEST(a_large_text_is_answered_in_time_and_within_memory)
{
    const struct row *row = &rows[_i];
    struct text text = {NULL, 0, 0};
    static struct hostile_run run;
    add(&text, row->first, strlen(row->first));
    add_copies(&text, row->unit, row->count);
    add(&text, row->middle, strlen(row->middle));
    add_copies(&text, row->close, row->count);
    add(&text, row->last, strlen(row->last));
    ck_assert(hostile_write("hostile.cell", text.bytes, text.size));
    free(text.bytes);

    hostile_run(&run, ".",
                (char *[]){(char[]){PARARNNC}, (char[]){"check"}, (char[]){"hostile.cell"}, NULL});
    ck_assert_msg(run.exit_code == row->exit_code, "%s: exit %d, expected %d\n%.500s", row->name,
                  run.exit_code, row->exit_code, run.err);
    ck_assert_msg(strstr(run.err, row->words), "%s: expected '%s' in\n%.2000s", row->name,
                  row->words, run.err);
    ck_assert_msg(!(run.seconds > SECONDS * hostile_allowance()), "%s: %.2f s", row->name,
                  run.seconds);
    ck_assert_msg(run.kilobytes <= (long)KILOBYTES * hostile_allowance(), "%s: %ld kB", row->name,
                  run.kilobytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, a_large_text_is_answered_in_time_and_within_memory, 0, ROWS);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
