/* Messages as text: place, severity, text, slug; the source line, caret and tildes, the fix below.
 */
#include "diag.h"

#include <string.h>

#include "source.h"

/* Of a long line only a window around the caret is shown. */
enum { WINDOW = 160, WINDOW_LEFT = 60 };

struct paint {
    const char *bold, *error, *warning, *note, *fix, *end;
};

static const struct paint PLAIN = {"", "", "", "", "", ""};
static const struct paint COLOURED = {"\033[1m",    "\033[1;31m", "\033[1;35m",
                                      "\033[1;36m", "\033[32m",   "\033[0m"};

void diag_escape(struct textbuf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint32_t code;
        const unsigned count = source_utf8_length(text + i, length - i, &code);
        if (count == 0)
            textbuf_printf(out, "\\x%02x", (unsigned)(unsigned char)text[i]);
        else if (code == '\t')
            textbuf_add(out, " ");
        else if (code < 0x20 || code == 0x7f)
            textbuf_printf(out, "\\x%02x", code);
        else if (code >= 0x80)
            textbuf_printf(out, "\\u{%x}", code);
        else
            textbuf_add_n(out, text + i, 1);
        i += count ? count : 1;
    }
}

/* Controls of ISO 6429 but newline, directions (UAX 9), invisible signs, tags. */
static bool steers(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x09},     {0x0b, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},
        {0x61c, 0x61c},   {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

void diag_escape_controls(struct textbuf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint32_t code;
        const unsigned count = source_utf8_length(text + i, length - i, &code);
        const unsigned taken = count ? count : 1;
        if (count == 0 || steers(code))
            diag_escape(out, text + i, taken);
        else
            textbuf_add_n(out, text + i, taken);
        i += taken;
    }
}

static void add_times(struct textbuf *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        textbuf_add(out, text);
}

/* How wide the bytes are once escaped. */
static size_t width_of(struct arena *arena, const char *text, size_t length)
{
    struct textbuf buf;
    textbuf_init(&buf, arena);
    diag_escape(&buf, text, length);
    return buf.length;
}

static void print_place(const struct diag *diag, const struct span *span, struct textbuf *out)
{
    const char *name = diag->source ? diag->source->name : diag->name;
    if (name) {
        diag_escape(out, name, strlen(name));
        textbuf_add(out, ":");
    }
    if (span && diag->source) {
        const struct source_place place = source_place(diag->source, span->begin);
        textbuf_printf(out, "%u:%u:", place.line, place.column);
    }
    if (name)
        textbuf_add(out, " ");
}

static void print_head(const struct diag *diag, const struct span *span, const char *word,
                       const char *text, const char *slug, const char *colour,
                       const struct paint *paint, struct textbuf *out)
{
    textbuf_add(out, paint->bold);
    print_place(diag, span, out);
    textbuf_add(out, paint->end);
    textbuf_printf(out, "%s%s:%s %s", colour, word, paint->end, paint->bold);
    diag_escape(out, text, strlen(text));
    textbuf_add(out, paint->end);
    if (slug)
        textbuf_printf(out, " [%s]", slug);
    textbuf_add(out, "\n");
}

/* The margin of a line: its number, or blank below it. */
static void print_margin(struct textbuf *out, uint32_t line)
{
    if (line)
        textbuf_printf(out, "%5u | ", line);
    else
        textbuf_add(out, "      | ");
}

static uint32_t step_back(const char *text, uint32_t at, uint32_t least)
{
    while (at > least && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static void print_excerpt(const struct diag *diag, struct span span, const char *fix,
                          struct span fix_span, const char *colour, const struct paint *paint,
                          struct textbuf *out)
{
    const struct source *source = diag->source;
    const char *text = source->text;
    const uint32_t line = source_place(source, span.begin).line;
    const struct span whole = source_line(source, line);
    struct span shown = whole;
    uint32_t begin = span.begin > whole.end ? whole.end : span.begin;
    if (whole.end - whole.begin > WINDOW) {
        if (begin - whole.begin > WINDOW_LEFT)
            shown.begin = step_back(text, begin - WINDOW_LEFT, whole.begin);
        if (whole.end - shown.begin > WINDOW)
            shown.end = step_back(text, shown.begin + WINDOW, begin);
    }
    uint32_t end = span.end > shown.end ? shown.end : span.end;
    if (end < begin)
        end = begin;

    print_margin(out, line);
    const char *left = shown.begin > whole.begin ? "..." : "";
    textbuf_add(out, left);
    diag_escape(out, text + shown.begin, shown.end - shown.begin);
    textbuf_add(out, shown.end < whole.end ? "...\n" : "\n");

    const size_t before =
        strlen(left) + width_of(diag->arena, text + shown.begin, begin - shown.begin);
    const size_t width = width_of(diag->arena, text + begin, end - begin);
    print_margin(out, 0);
    add_times(out, " ", before);
    textbuf_printf(out, "%s^", colour);
    add_times(out, "~", width > 1 ? width - 1 : 0);
    textbuf_printf(out, "%s\n", paint->end);

    if (fix && fix_span.begin >= shown.begin && fix_span.begin <= shown.end) {
        print_margin(out, 0);
        add_times(out, " ",
                  strlen(left) +
                      width_of(diag->arena, text + shown.begin, fix_span.begin - shown.begin));
        textbuf_printf(out, "%s%s%s\n", paint->fix, fix, paint->end);
    }
}

void diag_print_message(const struct diag *diag, const struct diag_message *message,
                        struct textbuf *out, enum diag_colour colour)
{
    const struct paint *paint = colour == DIAG_COLOURED ? &COLOURED : &PLAIN;
    const char *main_colour = message->severity == DIAG_ERROR ? paint->error : paint->warning;
    const struct span *span = message->has_span ? &message->span : NULL;
    print_head(diag, span, diag_severity_name(message->severity), message->text, message->slug,
               main_colour, paint, out);
    if (span && diag->source)
        print_excerpt(diag, *span, message->fix, message->fix_span, main_colour, paint, out);
    for (const struct diag_note *note = message->notes; note; note = note->next) {
        print_head(diag, note->has_span ? &note->span : NULL, "note", note->text, NULL, paint->note,
                   paint, out);
        if (note->has_span && diag->source)
            print_excerpt(diag, note->span, NULL, note->span, paint->note, paint, out);
    }
}

void diag_print(const struct diag *diag, struct textbuf *out, enum diag_colour colour)
{
    for (const struct diag_message *message = diag->messages; message; message = message->next)
        diag_print_message(diag, message, out, colour);
}
