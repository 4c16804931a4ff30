#include "number.h"
#include "sample_front.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

static double read(const char *text, enum number_status wanted)
{
    double value = NAN;
    const enum number_status status = number_parse(text, strlen(text), &value);
    ck_assert_msg(status == wanted, "'%s': status %d, wanted %d", text, status, wanted);
    return value;
}

START_TEST(corners_are_rounded_correctly)
{
    static const struct {
        const char *text;
        double value;
    } ROWS[] = {
        {"0.5", 0.5},
        {".5", 0.5},
        {"5.", 5},
        {"-1e3", -1000},
        {"1.7976931348623157e308", DBL_MAX},
        {"2.2250738585072014e-308", DBL_MIN},
        {"9007199254740993", 9007199254740992.0}, /* a tie: to even */
        {"9007199254740993.0000000000000000000000000001", 9007199254740994.0},
        {"0e99999999999", 0},
        {"100000000000000000000000000000e-29", 1},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        ck_assert_msg(read(ROWS[i].text, NUMBER_OK) == ROWS[i].value, "'%s'", ROWS[i].text);
}
END_TEST

START_TEST(what_is_no_number_is_refused)
{
    static const char *const ROWS[] = {"",    ".",   "e5", "1e", "1e+", "0x1", "1..2", "1.2.3",
                                       "12a", "1,5", " 1", "1 ", "inf", "nan", "--1"};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        read(ROWS[i], NUMBER_MALFORMED);
}
END_TEST

START_TEST(too_large_and_too_small_are_told_apart)
{
    ck_assert(isinf(read("1e400", NUMBER_OVERFLOW)));
    ck_assert(isinf(read("1.7976931348623159e308", NUMBER_OVERFLOW)));
    ck_assert(isinf(read("1e999999999999999999999", NUMBER_OVERFLOW)));
    ck_assert(read("1e-400", NUMBER_UNDERFLOW) == 0);
    ck_assert(read("5e-324", NUMBER_UNDERFLOW) == DBL_TRUE_MIN);
}
END_TEST

START_TEST(a_million_digits_are_read)
{
    const size_t length = 1000000;
    char *text = malloc(length);
    double value;
    memset(text, '0', length);
    text[1] = '.';
    text[length - 1] = '1';
    text[0] = '1';
    ck_assert_int_eq(number_parse(text, length, &value), NUMBER_OK);
    ck_assert(value == 1);
    free(text);
}
END_TEST

START_TEST(printing_is_shortest_and_reads_back)
{
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 2000; i++) {
        char text[NUMBER_TEXT_ROOM], longer[64];
        double value, back;
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        const uint64_t bits = i % 7 ? seed : seed & UINT64_C(0x800fffffffffffff);
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        const size_t length = number_print(text, value);
        number_parse(text, length, &back);
        ck_assert_msg(back == value && strtod(text, NULL) == value, "%s for %.17g", text, value);
        int digits = 0;
        for (const char *c = text; *c && *c != 'e'; c++)
            digits += *c >= '0' && *c <= '9';
        /* One digit less, if that is fewer than printed, is another number. */
        if (strchr(text, 'e') && digits > 1) {
            snprintf(longer, sizeof longer, "%.*e", digits - 2, value);
            ck_assert_msg(strtod(longer, NULL) != value, "%s is not shortest", text);
        }
    }
}
END_TEST

START_TEST(layout_is_as_promised)
{
    static const struct {
        double value;
        const char *text;
    } ROWS[] = {{0.5, "0.5"},        {1e-5, "1e-05"},    {0.0001, "0.0001"},
                {100, "100"},        {1e16, "1e+16"},    {1e15, "1000000000000000"},
                {-1.25, "-1.25"},    {-0.0, "-0"},       {NAN, "nan"},
                {-INFINITY, "-inf"}, {5e-324, "5e-324"}, {0.1 + 0.2, "0.30000000000000004"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char text[NUMBER_TEXT_ROOM];
        const size_t length = number_print(text, ROWS[i].value);
        ck_assert_str_eq(text, ROWS[i].text);
        ck_assert_uint_eq(length, strlen(text));
    }
    char text[NUMBER_TEXT_ROOM];
    number_print_short(text, 2.0 / 3, 3);
    ck_assert_str_eq(text, "0.667");
}
END_TEST

START_TEST(the_locale_changes_nothing)
{
    static const char *const NAMES[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "C.UTF-8"};
    char text[NUMBER_TEXT_ROOM];
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (!setlocale(LC_ALL, NAMES[i]))
            continue;
        ck_assert(read("1.5", NUMBER_OK) == 1.5);
        read("1,5", NUMBER_MALFORMED);
        number_print(text, 1.0 / 3);
        ck_assert_str_eq(text, "0.3333333333333333");
    }
    setlocale(LC_ALL, "C");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {corners_are_rounded_correctly,
                                  what_is_no_number_is_refused,
                                  too_large_and_too_small_are_told_apart,
                                  a_million_digits_are_read,
                                  printing_is_shortest_and_reads_back,
                                  layout_is_as_promised,
                                  the_locale_changes_nothing};
    return FRONT_MAIN("number", tests);
}
