#include "textbuf.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

/* Room for 'more' bytes and the NUL behind them. */
static void reserve(struct textbuf *buf, size_t more)
{
    const size_t need = buf->length + more + 1;
    if (need <= buf->room)
        return;
    size_t room = buf->room ? buf->room * 2 : 64;
    while (room < need)
        room *= 2;
    buf->text = arena_grow(buf->arena, buf->text, buf->length, room, 1);
    buf->room = room;
}

void textbuf_init(struct textbuf *buf, struct arena *arena)
{
    *buf = (struct textbuf){.arena = arena};
    reserve(buf, 0);
}

void textbuf_add_n(struct textbuf *buf, const char *text, size_t length)
{
    reserve(buf, length);
    if (length)
        memcpy(buf->text + buf->length, text, length);
    buf->length += length;
    buf->text[buf->length] = '\0';
}

void textbuf_add(struct textbuf *buf, const char *text)
{
    textbuf_add_n(buf, text, strlen(text));
}

void textbuf_printf(struct textbuf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0) {
        reserve(buf, (size_t)length);
        vsnprintf(buf->text + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
}

void textbuf_add_number(struct textbuf *buf, double number)
{
    char text[NUMBER_TEXT_ROOM];
    textbuf_add_n(buf, text, number_print(text, number));
}

void textbuf_add_short(struct textbuf *buf, double number, int digits)
{
    char text[NUMBER_TEXT_ROOM];
    textbuf_add_n(buf, text, number_print_short(text, number, digits));
}

void textbuf_add_json_string(struct textbuf *buf, const char *text)
{
    textbuf_add(buf, "\"");
    for (; *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            textbuf_printf(buf, "\\%c", byte);
        else if (byte == '\n')
            textbuf_add(buf, "\\n");
        else if (byte == '\t')
            textbuf_add(buf, "\\t");
        else if (byte < 0x20 || byte == 0x7f)
            textbuf_printf(buf, "\\u%04x", byte);
        else
            textbuf_add_n(buf, text, 1);
    }
    textbuf_add(buf, "\"");
}

void textbuf_add_json_number(struct textbuf *buf, double number)
{
    if (isfinite(number))
        textbuf_add_number(buf, number);
    else
        textbuf_add(buf, "null");
}
