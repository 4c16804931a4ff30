/* Numbers against the C library, which rounds correctly in the C locale, and printed numbers read
 * back. */
#include "fuzz_target.h"

#include "number.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* [+-]digits[.digits][e[+-]digits] and nothing else: strtod() takes more. */
static bool is_number(const char *text)
{
    size_t digits = 0;
    text += *text == '+' || *text == '-';
    for (; isdigit((unsigned char)*text); text++)
        digits++;
    if (*text == '.')
        for (text++; isdigit((unsigned char)*text); text++)
            digits++;
    if (digits == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '+' || text[1] == '-');
        if (!isdigit((unsigned char)*text))
            return false;
        while (isdigit((unsigned char)*text))
            text++;
    }
    return *text == '\0';
}

static void check_reading(const char *text, size_t size)
{
    double value = -1;
    const enum number_status status = number_parse(text, size, &value);
    if (strlen(text) != size || !is_number(text)) {
        FUZZ_PROMISE(status == NUMBER_MALFORMED && value == 0, "what is no number is refused");
        return;
    }
    const double expected = strtod(text, NULL);
    FUZZ_PROMISE(!memcmp(&value, &expected, sizeof value), "numbers are rounded correctly");
    FUZZ_PROMISE((status == NUMBER_OVERFLOW) == (isinf(expected) != 0), "overflow is said");
    const bool is_zero = text[strcspn(text, "123456789eE")] == '\0' ||
                         strchr("eE", text[strcspn(text, "123456789eE")]);
    FUZZ_PROMISE(status != NUMBER_UNDERFLOW || fabs(expected) < DBL_MIN, "underflow is below");
    FUZZ_PROMISE(expected != 0 || (status == NUMBER_UNDERFLOW) == !is_zero, "lost digits are said");
}

static void check_printing(double number)
{
    char text[NUMBER_TEXT_ROOM];
    double back = 0;
    size_t length = number_print(text, number);
    FUZZ_PROMISE(length < sizeof text && text[length] == '\0', "printed numbers fit their room");
    if (!isfinite(number))
        return;
    number_parse(text, length, &back);
    FUZZ_PROMISE(!memcmp(&back, &number, sizeof back), "printed numbers read back");
    for (int digits = 1; digits <= 17; digits++) {
        length = number_print_short(text, number, digits);
        FUZZ_PROMISE(length < sizeof text && text[length] == '\0', "short numbers fit their room");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exactly this size shows reads behind the end. */
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    check_reading(text, size);
    free(text);
    if (size == sizeof(double)) {
        double number;
        memcpy(&number, data, sizeof number);
        check_printing(number);
    }
    return 0;
}
