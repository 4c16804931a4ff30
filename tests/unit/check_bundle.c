/* .prnn files: what is written is read back, and no damaged file is. */
#include <check.h>

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"

static jmp_buf escape;
static struct arena *arena;

static void setup(void)
{
    arena = arena_create(&escape);
    ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
    arena_destroy(arena);
}

static struct textbuf sample(void)
{
    static const struct bundle_part parts[] = {
        {BUNDLE_CELL, "paragru", "cell c { }\n", 11},
        {BUNDLE_DEFINES, "", "", 0},
        {BUNDLE_CUBIN, "forward sm_90", "\0\177ELF\0", 6},
    };
    struct textbuf text;
    textbuf_init(&text, arena);
    bundle_write(&text, parts, 3);
    return text;
}

START_TEST(what_is_written_is_read_back)
{
    const struct textbuf text = sample();
    struct bundle bundle;
    ck_assert_ptr_null(bundle_read(&bundle, text.text, text.length, arena));
    ck_assert_uint_eq(bundle.part_count, 3);
    ck_assert_str_eq(bundle.parts[0].name, "paragru");
    ck_assert_str_eq(bundle.parts[0].bytes, "cell c { }\n");
    ck_assert_uint_eq(bundle.parts[1].length, 0);
    ck_assert_uint_eq(bundle.parts[2].length, 6);
    ck_assert_mem_eq(bundle.parts[2].bytes, "\0\177ELF\0", 6);
    ck_assert_ptr_eq(bundle_find(&bundle, BUNDLE_CUBIN), &bundle.parts[2]);
    ck_assert_ptr_null(bundle_find(&bundle, BUNDLE_TEXT));
}
END_TEST

START_TEST(a_truncated_bundle_is_refused_at_every_length)
{
    const struct textbuf text = sample();
    for (size_t length = 0; length < text.length; length++) {
        /* Exactly as long: a read past the end is seen by the address sanitiser. */
        char *copy = malloc(length ? length : 1);
        memcpy(copy, text.text, length);
        struct bundle bundle;
        ck_assert_msg(bundle_read(&bundle, copy, length, arena) != NULL, "length %zu", length);
        ck_assert_uint_eq(bundle.part_count, 0);
        free(copy);
    }
}
END_TEST

START_TEST(a_flipped_byte_is_refused_at_every_place)
{
    const struct textbuf text = sample();
    for (size_t i = 0; i < text.length; i++) {
        text.text[i] = (char)(text.text[i] ^ 1);
        struct bundle bundle;
        ck_assert_msg(bundle_read(&bundle, text.text, text.length, arena) != NULL, "byte %zu", i);
        text.text[i] = (char)(text.text[i] ^ 1);
    }
}
END_TEST

/* The digest again, so that the checks behind it are reached. */
static void seal(struct textbuf *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i + 8 < text->length; i++)
        hash = (hash ^ (unsigned char)text->text[i]) * 0x100000001b3u;
    for (int i = 0; i < 8; i++)
        text->text[text->length - 8 + (size_t)i] = (char)(unsigned char)(hash >> 8 * i);
}

START_TEST(sealed_lies_about_counts_and_lengths_are_refused)
{
    /* The count of parts, the kind and name length of the first, its length. */
    static const size_t places[] = {8, 12, 16, 27};
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        struct textbuf text = sample();
        memset(text.text + places[p], 0xff, 4);
        seal(&text);
        struct bundle bundle;
        ck_assert_msg(bundle_read(&bundle, text.text, text.length, arena) != NULL, "place %zu",
                      places[p]);
    }
}
END_TEST

START_TEST(the_same_parts_give_the_same_bytes)
{
    const struct textbuf a = sample(), b = sample();
    ck_assert_uint_eq(a.length, b.length);
    ck_assert_mem_eq(a.text, b.text, a.length);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bundle");
    TCase *tcase = tcase_create("bundle");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_is_written_is_read_back);
    tcase_add_test(tcase, a_truncated_bundle_is_refused_at_every_length);
    tcase_add_test(tcase, a_flipped_byte_is_refused_at_every_place);
    tcase_add_test(tcase, sealed_lies_about_counts_and_lengths_are_refused);
    tcase_add_test(tcase, the_same_parts_give_the_same_bytes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
