/* Decimal text <-> double, correctly rounded both ways and the same in every locale. */
#ifndef PRNN_NUMBER_H
#define PRNN_NUMBER_H

#include <stddef.h>

enum number_status {
    NUMBER_OK,
    NUMBER_MALFORMED, /* *out is 0 */
    NUMBER_OVERFLOW,  /* *out is infinite */
    NUMBER_UNDERFLOW, /* not 0, but the nearest double is 0 or subnormal and another number */
};

/* Room for what number_print() writes, with its NUL. */
enum { NUMBER_TEXT_ROOM = 40 };

/* Read [+-]digits[.digits][e[+-]digits], with at least one digit before or behind the point, and
 * nothing else. Any number of digits; ties round to even. */
enum number_status number_parse(const char *text, size_t length, double *out);

/* The shortest decimal that reads back as the same double. Returns its length. Below 1e-4 and from
 * 1e16 on it has an exponent: "1e-05". "nan", "inf", "-inf" for what is not finite. */
size_t number_print(char *text, double number);
/* Rounded to 'digits' (1 to 17) significant digits, without trailing zeros. */
size_t number_print_short(char *text, double number, int digits);

#endif
