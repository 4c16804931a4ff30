#include "textbuf.h"
#include "sample_front.h"

#include <math.h>

START_TEST(text_grows_and_keeps_its_end)
{
    struct front front;
    struct textbuf out;
    front_start(&front);
    textbuf_init(&out, front.arena);
    ck_assert_str_eq(out.text, "");
    for (int i = 0; i < 1000; i++)
        textbuf_printf(&out, "%d,", i % 10);
    ck_assert_uint_eq(out.length, 2000);
    ck_assert_uint_eq(strlen(out.text), 2000);
    textbuf_add_n(&out, "xyz", 1);
    ck_assert_str_eq(out.text + 1996, "8,9,x");
    front_end(&front);
}
END_TEST

START_TEST(json_has_no_bare_control_characters_and_no_nan)
{
    struct front front;
    struct textbuf out;
    front_start(&front);
    textbuf_init(&out, front.arena);
    textbuf_add_json_string(&out, "a\"b\\c\n\t\x01\x7f");
    ck_assert_str_eq(out.text, "\"a\\\"b\\\\c\\n\\t\\u0001\\u007f\"");
    textbuf_init(&out, front.arena);
    textbuf_add_json_number(&out, NAN);
    textbuf_add(&out, " ");
    textbuf_add_json_number(&out, 0.25);
    textbuf_add(&out, " ");
    textbuf_add_number(&out, -INFINITY);
    textbuf_add(&out, " ");
    textbuf_add_short(&out, 3.14159, 3);
    ck_assert_str_eq(out.text, "null 0.25 -inf 3.14");
    front_end(&front);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {text_grows_and_keeps_its_end,
                                  json_has_no_bare_control_characters_and_no_nan};
    return FRONT_MAIN("textbuf", tests);
}
