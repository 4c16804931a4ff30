#include "number.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Reading. A decimal is digits * 10^exponent. Few digits and a small power are exact in double, and
 * one operation rounds once (Clinger 1990). All others take the long way: the quotient of two big
 * integers, scaled by a power of two to 64 bits or more, rounded to what the double has room for.
 * strtod() is not used because its decimal point is the locale's. */

/* A midpoint between two doubles has at most 767 significant digits, so digits beyond these only
 * say "a bit more". */
enum { DIGITS_MAX = 800, BIG_WORDS = 160 };

struct big {
    uint32_t words[BIG_WORDS]; /* least significant first */
    int count;
};

static void big_multiply_add(struct big *big, uint32_t factor, uint32_t term)
{
    uint64_t carry = term;
    for (int i = 0; i < big->count; i++) {
        carry += (uint64_t)big->words[i] * factor;
        big->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) {
        assert(big->count < BIG_WORDS);
        big->words[big->count++] = (uint32_t)carry;
    }
}

static void big_power_of_ten(struct big *big, int exponent)
{
    for (; exponent >= 9; exponent -= 9)
        big_multiply_add(big, 1000000000u, 0);
    for (; exponent > 0; exponent--)
        big_multiply_add(big, 10, 0);
}

static int big_bits(const struct big *big)
{
    if (big->count == 0)
        return 0;
    int bits = (big->count - 1) * 32;
    for (uint32_t top = big->words[big->count - 1]; top; top >>= 1)
        bits++;
    return bits;
}

static void big_shift(struct big *big, int bits)
{
    const int words = bits / 32, rest = bits % 32;
    assert(big->count + words + 1 <= BIG_WORDS);
    if (rest)
        big_multiply_add(big, 1u << rest, 0);
    if (words && big->count) {
        memmove(big->words + words, big->words, (size_t)big->count * sizeof *big->words);
        memset(big->words, 0, (size_t)words * sizeof *big->words);
        big->count += words;
    }
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (int i = a->count - 1; i >= 0; i--)
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

/* a -= b, where a >= b. */
static void big_subtract(struct big *a, const struct big *b)
{
    int64_t borrow = 0;
    for (int i = 0; i < a->count; i++) {
        int64_t word = (int64_t)a->words[i] - (i < b->count ? (int64_t)b->words[i] : 0) + borrow;
        borrow = word < 0 ? -1 : 0;
        a->words[i] = (uint32_t)word;
    }
    while (a->count && a->words[a->count - 1] == 0)
        a->count--;
}

struct decimal {
    char digits[DIGITS_MAX]; /* values 0..9, the first is not 0 */
    int count;
    int64_t exponent; /* the value is 0.d1d2d3... * 10^exponent */
    bool has_more;    /* a nonzero digit was left out */
};

static double exact_ratio(const struct decimal *decimal, bool *is_inexact)
{
    static const struct big ONE = {.words = {1}, .count = 1};
    struct big above = {.count = 0}, below = ONE;
    for (int i = 0; i < decimal->count; i++)
        big_multiply_add(&above, 10, (uint32_t)decimal->digits[i]);
    const int power = (int)decimal->exponent - decimal->count;
    if (power >= 0)
        big_power_of_ten(&above, power);
    else
        big_power_of_ten(&below, -power);

    /* Shift so that the quotient has 65 or 66 bits; shift-and-subtract division finds them. */
    const int scale = 65 - (big_bits(&above) - big_bits(&below));
    if (scale > 0)
        big_shift(&above, scale);
    else
        big_shift(&below, -scale);
    big_shift(&below, 65);
    uint64_t high = 0;
    bool sticky = decimal->has_more;
    int seen = 0, exponent = -scale + 65;
    /* Bits from 2^65 down; the first 64 from the leading one are kept, the rest is sticky. */
    for (int i = 65; i >= 0; i--) {
        const bool bit = big_compare(&above, &below) >= 0;
        if (bit)
            big_subtract(&above, &below);
        if (seen > 0 || bit) {
            if (seen == 64) {
                sticky |= bit;
            } else {
                high = high << 1 | bit;
                if (seen++ == 0)
                    exponent = i - scale;
            }
        }
        /* The next lower bit: twice the remainder instead of half the divisor. */
        if (i > 0)
            big_multiply_add(&above, 2, 0);
    }
    sticky |= above.count > 0;

    /* high has 64 bits, of value 2^exponent at the top. Round to 'room' bits. */
    int room = DBL_MANT_DIG;
    if (exponent < DBL_MIN_EXP - 1)
        room -= DBL_MIN_EXP - 1 - exponent;
    if (room < 0) {
        *is_inexact = true;
        return 0;
    }
    const int cut = 64 - room;
    uint64_t kept = cut == 64 ? 0 : high >> cut;
    const uint64_t half = (uint64_t)1 << (cut - 1);
    const uint64_t rest = high & ((half << 1) - 1);
    if (rest > half || (rest == half && (sticky || (kept & 1))))
        kept++;
    *is_inexact = rest != 0 || sticky;
    return ldexp((double)kept, exponent - 63 + cut);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The shape of the number; false if it is none. */
static bool read_decimal(const char *text, size_t length, bool *is_negative,
                         struct decimal *decimal)
{
    const int64_t huge = INT64_C(1) << 40;
    size_t i = 0;
    *is_negative = false;
    if (i < length && (text[i] == '-' || text[i] == '+'))
        *is_negative = text[i++] == '-';
    size_t digit_count = 0;
    bool has_point = false;
    *decimal = (struct decimal){.count = 0};
    for (; i < length; i++) {
        if (text[i] == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (!is_digit(text[i]))
            break;
        digit_count++;
        const char digit = (char)(text[i] - '0');
        if (decimal->count == 0 && digit == 0) {
            decimal->exponent -= has_point;
            continue;
        }
        decimal->exponent += !has_point;
        if (decimal->count < DIGITS_MAX)
            decimal->digits[decimal->count++] = digit;
        else
            decimal->has_more |= digit != 0;
    }
    if (digit_count == 0)
        return false;
    if (i < length && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        bool is_minus = false;
        if (i < length && (text[i] == '-' || text[i] == '+'))
            is_minus = text[i++] == '-';
        if (i == length)
            return false;
        int64_t exponent = 0;
        for (; i < length && is_digit(text[i]); i++)
            if (exponent < huge)
                exponent = exponent * 10 + (text[i] - '0');
        decimal->exponent += is_minus ? -exponent : exponent;
    }
    while (decimal->count && decimal->digits[decimal->count - 1] == 0 && !decimal->has_more)
        decimal->count--;
    return i == length;
}

/* Exact powers, one rounding. False when the number does not allow it. */
static bool short_way(const struct decimal *decimal, double *out)
{
    static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (decimal->count > 15 || FLT_EVAL_METHOD != 0)
        return false;
    const int64_t power = decimal->exponent - decimal->count;
    if (power < -22 || power > 22)
        return false;
    double value = 0;
    for (int i = 0; i < decimal->count; i++)
        value = value * 10 + decimal->digits[i];
    *out = power < 0 ? value / POWERS[-power] : value * POWERS[power];
    return true;
}

enum number_status number_parse(const char *text, size_t length, double *out)
{
    bool is_negative, is_inexact = false;
    struct decimal decimal;
    enum number_status status = NUMBER_OK;
    *out = 0;
    if (!read_decimal(text, length, &is_negative, &decimal))
        return NUMBER_MALFORMED;
    double value = 0;
    if (decimal.count == 0) {
        value = 0;
    } else if (decimal.exponent > 310) {
        value = INFINITY;
    } else if (decimal.exponent < -330) {
        status = NUMBER_UNDERFLOW;
    } else if (!short_way(&decimal, &value)) {
        value = exact_ratio(&decimal, &is_inexact);
        if (is_inexact && value < DBL_MIN)
            status = NUMBER_UNDERFLOW;
    }
    if (isinf(value))
        status = NUMBER_OVERFLOW;
    *out = is_negative ? -value : value;
    return status;
}

/* Writing. The decimal digits come from "%.*e", whose one trace of the locale, the point, is
 * skipped between the first two digits. */

struct digits {
    char text[20];
    int count;
    int exponent; /* the value is d.ddd * 10^exponent */
};

static void take_digits(struct digits *digits, double magnitude, int count)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", count - 1, magnitude);
    const char *at = text;
    digits->count = 0;
    for (; *at != 'e'; at++)
        if (is_digit(*at))
            digits->text[digits->count++] = *at;
    const bool is_minus = at[1] == '-';
    digits->exponent = 0;
    for (at += 2; is_digit(*at); at++)
        digits->exponent = digits->exponent * 10 + (*at - '0');
    if (is_minus)
        digits->exponent = -digits->exponent;
    while (digits->count > 1 && digits->text[digits->count - 1] == '0')
        digits->count--;
}

static size_t lay_out(char *out, const struct digits *digits, bool is_negative)
{
    size_t length = 0;
    const int count = digits->count, exponent = digits->exponent;
    if (is_negative)
        out[length++] = '-';
    if (exponent < -4 || exponent >= 16) {
        out[length++] = digits->text[0];
        if (count > 1) {
            out[length++] = '.';
            memcpy(out + length, digits->text + 1, (size_t)count - 1);
            length += (size_t)count - 1;
        }
        return length + (size_t)snprintf(out + length, 8, "e%c%02d", exponent < 0 ? '-' : '+',
                                         exponent < 0 ? -exponent : exponent);
    }
    if (exponent < 0) {
        out[length++] = '0';
        out[length++] = '.';
        for (int i = -1; i > exponent; i--)
            out[length++] = '0';
    }
    for (int i = 0; i < count || i <= exponent; i++) {
        if (i > 0 && i == exponent + 1)
            out[length++] = '.';
        out[length++] = i < count ? digits->text[i] : '0';
    }
    out[length] = '\0';
    return length;
}

/* What has no digits. 0 if the number has some. */
static size_t print_special(char *text, double number)
{
    const char *word = NULL;
    if (isnan(number))
        word = "nan";
    else if (isinf(number))
        word = number < 0 ? "-inf" : "inf";
    else if (number == 0)
        word = signbit(number) ? "-0" : "0";
    if (!word)
        return 0;
    memcpy(text, word, strlen(word) + 1);
    return strlen(word);
}

size_t number_print_short(char *text, double number, int digit_count)
{
    assert(digit_count >= 1 && digit_count <= 17);
    const size_t special = print_special(text, number);
    if (special)
        return special;
    struct digits digits;
    take_digits(&digits, fabs(number), digit_count);
    return lay_out(text, &digits, number < 0);
}

size_t number_print(char *text, double number)
{
    /* 15 digits survive the way through a normal double, so if they read back, cutting their zeros
     * gives the shortest. Subnormals promise nothing. */
    const int first = fabs(number) < DBL_MIN ? 1 : DBL_DIG;
    size_t length = 0;
    for (int count = first; count <= 17; count++) {
        double back;
        length = number_print_short(text, number, count);
        if (print_special(text, number))
            break;
        number_parse(text, length, &back);
        if (back == number)
            break;
    }
    return length;
}
