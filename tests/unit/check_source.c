#include "source.h"
#include "limits.h"
#include "sample_front.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct source *from(struct front *front, const char *text, size_t length)
{
    front_start(front);
    return source_from_memory(front->arena, front->diag, "t.cell", text, length);
}

START_TEST(columns_count_characters)
{
    struct front front;
    const char *text = "ab\n# \xc3\xa9\xe2\x82\xac x\r\nlast";
    const struct source *source = from(&front, text, strlen(text));
    const struct source_place place = source_place(source, (uint32_t)(strchr(text, 'x') - text));
    ck_assert_uint_eq(place.line, 2);
    ck_assert_uint_eq(place.column, 6);
    ck_assert_uint_eq(source_place(source, source->length).line, 3);
    const struct span line = source_line(source, 2);
    ck_assert_uint_eq(line.begin, 3);
    ck_assert_int_eq(text[line.end], '\r');
    front_end(&front);
}
END_TEST

START_TEST(columns_of_a_long_line_count_every_character)
{
    /* Characters of one, two and three bytes, so that they lie across every mark. */
    static const char *const LETTERS[] = {"a", "\xc3\xa9", "\xe2\x82\xac"};
    struct front front;
    char text[5000] = "\xef\xbb\xbf# first\n#";
    uint32_t offsets[2000], count = 0, length = (uint32_t)strlen(text);
    while (count < 2000) {
        const char *letter = LETTERS[count % 7 % 3];
        offsets[count++] = length;
        strcpy(text + length, letter);
        length += (uint32_t)strlen(letter);
    }
    const struct source *source = from(&front, text, length);
    for (uint32_t i = 0; i < count; i++) {
        const struct source_place place = source_place(source, offsets[i]);
        ck_assert_uint_eq(place.line, 2);
        ck_assert_uint_eq(place.column, i + 2);
    }
    front_end(&front);
}
END_TEST

START_TEST(a_byte_order_mark_is_skipped)
{
    struct front front;
    const struct source *source = from(&front, "\xef\xbb\xbfx", 4);
    ck_assert_uint_eq(source->start, 3);
    ck_assert_uint_eq(source_place(source, 3).column, 1);
    front_end(&front);
}
END_TEST

START_TEST(what_is_not_utf8_is_refused)
{
    static const struct {
        const char *text;
        size_t length;
        const char *slug;
    } ROWS[] = {
        {"a\0b", 3, "nul-byte"},
        {"\x80", 1, "not-utf8"},
        {"\xc0\x80", 2, "not-utf8"},
        {"\xe0\x80\x80", 3, "not-utf8"},
        {"\xed\xa0\x80", 3, "not-utf8"},
        {"\xf4\x90\x80\x80", 4, "not-utf8"},
        {"\xe2\x82", 2, "not-utf8"},
        {"\xff", 1, "not-utf8"},
        {"\xf0\x8f\xbf\xbf", 4, "not-utf8"},
        {"ok \xf0\x9f\x98\x80", 7, ""},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct front front;
        const struct source *source = from(&front, ROWS[i].text, ROWS[i].length);
        ck_assert_msg(!source == (ROWS[i].slug[0] != 0), "row %zu", i);
        ck_assert_str_eq(front_slugs(&front), ROWS[i].slug);
        front_end(&front);
    }
}
END_TEST

START_TEST(size_is_limited_to_the_byte)
{
    char *text = malloc(LIMIT_SOURCE_BYTES + 1);
    memset(text, ' ', LIMIT_SOURCE_BYTES + 1);
    struct front front;
    ck_assert_ptr_nonnull(from(&front, text, LIMIT_SOURCE_BYTES));
    front_end(&front);
    ck_assert_ptr_null(from(&front, text, LIMIT_SOURCE_BYTES + 1));
    ck_assert_int_eq(diag_worst(front.diag), DIAG_LIMIT);
    front_end(&front);
    free(text);
}
END_TEST

START_TEST(endless_and_missing_files_end_with_the_right_class)
{
    static const struct {
        const char *path;
        enum diag_class fault;
    } ROWS[] = {{"/dev/zero", DIAG_LIMIT}, {"/", DIAG_IO}, {"/nonexistent/x.cell", DIAG_IO}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct front front;
        front_start(&front);
        ck_assert_ptr_null(source_load(front.arena, front.diag, ROWS[i].path));
        ck_assert_msg(diag_worst(front.diag) == ROWS[i].fault, "%s", ROWS[i].path);
        front_end(&front);
    }
}
END_TEST

START_TEST(a_fifo_is_read_to_its_end)
{
    char folder[] = "/tmp/check_source.XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    const pid_t child = fork();
    if (child == 0) {
        FILE *file = fopen(path, "w");
        for (int i = 0; i < 3; i++) {
            fputs("# part\n", file);
            fflush(file);
            usleep(1000);
        }
        fclose(file);
        _exit(0);
    }
    struct front front;
    front_start(&front);
    const struct source *source = source_load(front.arena, front.diag, path);
    unlink(path);
    rmdir(folder);
    ck_assert_ptr_nonnull(source);
    ck_assert_uint_eq(source->length, 21);
    front_end(&front);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        columns_count_characters,     columns_of_a_long_line_count_every_character,
        a_byte_order_mark_is_skipped, what_is_not_utf8_is_refused,
        size_is_limited_to_the_byte,  endless_and_missing_files_end_with_the_right_class,
        a_fifo_is_read_to_its_end};
    return FRONT_MAIN("source", tests);
}
