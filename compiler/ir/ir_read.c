/* The reader is exact and strict: it takes what ir_print() writes, with any blanks and comments.
 * It reports the first error only; its texts come from tests and dumps, not from users. */
#include "ir_text.h"

#include "ir_build.h"
#include "limits.h"
#include "number.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct reader {
    struct arena *arena;
    struct ir *ir;
    const char *at; /* next character of the line; a line ends with '\n', ';' or NUL */
    const char *message;
    uint32_t decl_room;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct reader *reader, const char *format,
                                                       ...)
{
    char text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!reader->message)
        reader->message = arena_strdup(reader->arena, text);
    return false;
}

static void skip_blanks(struct reader *reader)
{
    while (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r')
        reader->at++;
}

static bool at_end(struct reader *reader)
{
    skip_blanks(reader);
    return *reader->at == '\0' || *reader->at == '\n' || *reader->at == ';';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of the word here: letters, digits, '_'. */
static size_t word_length(const struct reader *reader)
{
    size_t length = 0;
    while (is_letter(reader->at[length]) || is_digit(reader->at[length]))
        length++;
    return length;
}

static bool take_char(struct reader *reader, char c)
{
    skip_blanks(reader);
    if (*reader->at != c)
        return false;
    reader->at++;
    return true;
}

static bool expect_char(struct reader *reader, char c)
{
    return take_char(reader, c) || fail(reader, "'%c' is missing", c);
}

static bool take_word(struct reader *reader, const char *word)
{
    skip_blanks(reader);
    const size_t length = word_length(reader);
    if (length != strlen(word) || memcmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static bool expect_index(struct reader *reader, uint32_t *out)
{
    uint32_t value = 0;
    const char *begin = reader->at;
    for (; is_digit(*reader->at); reader->at++) {
        value = value * 10 + (uint32_t)(*reader->at - '0');
        if (value >= 1u << 24)
            return fail(reader, "an index is too large");
    }
    *out = value;
    return reader->at > begin || fail(reader, "an index is missing");
}

static bool expect_number(struct reader *reader, double *out)
{
    skip_blanks(reader);
    if (take_word(reader, "nan")) {
        *out = (double)NAN;
        return true;
    }
    const bool is_negative = *reader->at == '-';
    reader->at += is_negative;
    if (take_word(reader, "inf")) {
        *out = is_negative ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    size_t length = 0;
    for (char last = 0;
         is_digit(reader->at[length]) || reader->at[length] == '.' || reader->at[length] == 'e' ||
         ((reader->at[length] == '-' || reader->at[length] == '+') && last == 'e');
         length++)
        last = reader->at[length];
    const enum number_status status = number_parse(reader->at, length, out);
    if (status == NUMBER_MALFORMED || status == NUMBER_OVERFLOW)
        return fail(reader, "a number is missing or out of range");
    reader->at += length;
    if (is_negative)
        *out = -*out;
    return true;
}

static bool hex_value(const char *digits, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        static const char hex[] = "0123456789abcdef";
        const char *digit = digits[i] ? strchr(hex, digits[i]) : NULL;
        if (!digit)
            return false;
        *out = *out * 16 + (unsigned)(digit - hex);
    }
    return true;
}

/* A JSON string as textbuf_add_json_string() writes it: what is escaped is one byte. */
static bool expect_string(struct reader *reader, const char **out)
{
    if (!expect_char(reader, '"'))
        return false;
    char *text = arena_alloc(reader->arena, strlen(reader->at) + 1);
    size_t length = 0;
    for (; *reader->at != '"'; reader->at++) {
        char c = *reader->at;
        if (c == '\0' || c == '\n')
            return fail(reader, "the closing '\"' is missing");
        if (c == '\\') {
            static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
            c = *++reader->at;
            const char *letter = c ? strchr(letters, c) : NULL;
            unsigned code;
            if (letter) {
                c = bytes[letter - letters];
            } else if (c == 'u' && hex_value(reader->at + 1, &code) && code > 0 && code < 0x80) {
                c = (char)code;
                reader->at += 4;
            } else {
                return fail(reader, "unknown escape in a string");
            }
        }
        text[length++] = c;
    }
    reader->at++;
    *out = text;
    return true;
}

static bool read_header(struct reader *reader)
{
    if (!take_word(reader, "ir") || !take_word(reader, "1") || !take_word(reader, "cell"))
        return fail(reader, "the first line must be 'ir 1 cell \"name\"'");
    if (!expect_string(reader, &reader->ir->name))
        return false;
    return !take_word(reader, "doc") || expect_string(reader, &reader->ir->doc);
}

static uint32_t *role_count(struct ir *ir, enum ir_role role)
{
    return role == IR_ROLE_STATE   ? &ir->states
           : role == IR_ROLE_INPUT ? &ir->inputs
           : role == IR_ROLE_PARAM ? &ir->params
                                   : &ir->outputs;
}

static bool read_shape(struct reader *reader, struct ir_decl *decl)
{
    decl->rows = decl->cols = 1;
    if (take_char(reader, '[')) {
        decl->rank = 1;
        if (!expect_index(reader, &decl->rows))
            return false;
        if (take_char(reader, ',')) {
            decl->rank = 2;
            skip_blanks(reader);
            if (!expect_index(reader, &decl->cols))
                return false;
        }
        if (!expect_char(reader, ']'))
            return false;
    }
    if (decl->rows == 0 || decl->cols == 0 || decl->rows > LIMIT_OPERATIONS / decl->cols)
        return fail(reader, "the shape of '%s' is empty or too large", decl->name);
    decl->count = decl->rows * decl->cols;
    return true;
}

static bool read_init(struct reader *reader, struct ir_decl *decl)
{
    unsigned numbers = 0;
    if (take_word(reader, "zeros")) {
        decl->init = IR_INIT_ZEROS;
    } else if (take_word(reader, "ones")) {
        decl->init = IR_INIT_ONES;
    } else if (take_word(reader, "constant")) {
        decl->init = IR_INIT_CONSTANT;
        numbers = 1;
    } else if (take_word(reader, "normal")) {
        decl->init = IR_INIT_NORMAL;
        numbers = 2;
    } else if (take_word(reader, "uniform")) {
        decl->init = IR_INIT_UNIFORM;
        numbers = 2;
    } else {
        return fail(reader, "unknown 'init'");
    }
    return (numbers < 1 || expect_number(reader, &decl->init_a)) &&
           (numbers < 2 || expect_number(reader, &decl->init_b));
}

static bool read_attributes(struct reader *reader, struct ir_decl *decl)
{
    while (!at_end(reader)) {
        if (take_word(reader, "in")) {
            decl->has_range = true;
            if (!expect_number(reader, &decl->lo) || !expect_number(reader, &decl->hi))
                return false;
        } else if (take_word(reader, "init")) {
            if (!read_init(reader, decl))
                return false;
        } else if (take_word(reader, "shared")) {
            decl->is_shared = true;
        } else if (take_word(reader, "nograd")) {
            decl->no_gradient = true;
        } else if (take_word(reader, "doc")) {
            if (!expect_string(reader, &decl->doc))
                return false;
        } else {
            return fail(reader, "unknown attribute of '%s'", decl->name);
        }
    }
    return true;
}

static bool read_decl(struct reader *reader, enum ir_role role)
{
    struct ir *ir = reader->ir;
    struct ir_decl decl = {.role = role};
    skip_blanks(reader);
    const size_t length = word_length(reader);
    if (length == 0 || length > LIMIT_NAME_BYTES)
        return fail(reader, "a name is missing or too long");
    decl.name = arena_strndup(reader->arena, reader->at, length);
    reader->at += length;
    if (!read_shape(reader, &decl))
        return false;
    skip_blanks(reader);
    const bool has_number = is_digit(*reader->at) || *reader->at == '-' || *reader->at == 'n';
    if (role == IR_ROLE_STATE && has_number && !take_word(reader, "nograd") &&
        !expect_number(reader, &decl.initial))
        return false;
    if (!read_attributes(reader, &decl))
        return false;
    if (ir->decl_count && ir->decls[ir->decl_count - 1].role > role)
        return fail(reader, "states, inputs, params and outputs are declared in this order");
    decl.first = *role_count(ir, role);
    if (decl.count > LIMIT_OPERATIONS - decl.first)
        return fail(reader, "'%s' makes too many scalars", decl.name);
    *role_count(ir, role) += decl.count;
    if (ir->decl_count == reader->decl_room) {
        reader->decl_room = reader->decl_room ? 2 * reader->decl_room : 16;
        ir->decls = arena_grow(reader->arena, ir->decls, ir->decl_count, reader->decl_room,
                               sizeof *ir->decls);
    }
    ir->decls[ir->decl_count++] = decl;
    return true;
}

static bool read_ref(struct reader *reader, ir_ref *out)
{
    struct ir *ir = reader->ir;
    skip_blanks(reader);
    enum ir_kind kind = IR_NONE;
    uint32_t count = 0;
    switch (*reader->at) {
    case '%':
        kind = IR_VALUE;
        count = ir->insn_count;
        break;
    case 'h':
        kind = IR_STATE;
        count = ir->states;
        break;
    case 'x':
        kind = IR_INPUT;
        count = ir->inputs;
        break;
    case 'p':
        kind = IR_PARAM;
        count = ir->params;
        break;
    case 'c':
        kind = IR_COTANGENT;
        count = ir->states + ir->outputs;
        break;
    default: {
        double number = 0;
        if (!expect_number(reader, &number))
            return false;
        *out = ir_constant(ir, number);
        return true;
    }
    }
    const char letter = *reader->at++;
    uint32_t index = 0;
    if (!expect_index(reader, &index))
        return false;
    if (index >= count)
        return fail(reader, "'%c%u' is not there: only %u are known here", letter, index, count);
    *out = IR_REF(kind, index);
    return true;
}

static bool read_op(struct reader *reader, enum ir_op *out)
{
    for (int op = 0; op < IR_OP_COUNT; op++) {
        if (take_word(reader, ir_op_name((enum ir_op)op))) {
            *out = (enum ir_op)op;
            return true;
        }
    }
    return fail(reader, "unknown operation '%.*s'", (int)word_length(reader), reader->at);
}

static bool read_insn(struct reader *reader)
{
    struct ir *ir = reader->ir;
    uint32_t index = 0;
    enum ir_op op = IR_NEG;
    if (!expect_index(reader, &index))
        return false;
    if (index != ir->insn_count)
        return fail(reader, "'%%%u' stands where '%%%u' is due", index, ir->insn_count);
    if (index >= LIMIT_OPERATIONS)
        return fail(reader, "more than %d operations", LIMIT_OPERATIONS);
    if (!expect_char(reader, '=') || !read_op(reader, &op))
        return false;
    ir_ref operand[3] = {IR_REF_NONE, IR_REF_NONE, IR_REF_NONE};
    for (unsigned i = 0; i < ir_op_arity(op); i++) {
        if ((i > 0 && !expect_char(reader, ',')) || !read_ref(reader, &operand[i]))
            return false;
    }
    ir_append(ir, op, operand[0], operand[1], operand[2]);
    return true;
}

static bool expect_out_kind(struct reader *reader, int *out)
{
    for (*out = 0; *out < IR_OUT_KIND_COUNT; ++*out) {
        if (take_word(reader, ir_out_kind_name((enum ir_out_kind) * out)))
            return true;
    }
    return fail(reader, "unknown kind of out");
}

static bool read_out(struct reader *reader)
{
    int kind = 0;
    uint32_t i = 0, j = 0;
    ir_ref value = IR_REF_NONE;
    if (!expect_out_kind(reader, &kind) || !expect_char(reader, '.') || !expect_index(reader, &i))
        return false;
    if (kind == IR_OUT_JACOBIAN || kind == IR_OUT_ADJACOBIAN) {
        if (!expect_char(reader, '.') || !expect_index(reader, &j))
            return false;
    }
    if (!expect_char(reader, '=') || !read_ref(reader, &value))
        return false;
    if (i > UINT16_MAX || j > UINT16_MAX)
        return fail(reader, "an index is too large");
    if (ir_find_out(reader->ir, (enum ir_out_kind)kind, i, j))
        return fail(reader, "'%s.%u' is there twice", ir_out_kind_name((enum ir_out_kind)kind), i);
    ir_add_out(reader->ir, (enum ir_out_kind)kind, i, j, value);
    return true;
}

static bool read_line(struct reader *reader)
{
    if (take_char(reader, '%'))
        return read_insn(reader);
    if (take_word(reader, "out"))
        return read_out(reader);
    enum ir_role role;
    if (take_word(reader, "state"))
        role = IR_ROLE_STATE;
    else if (take_word(reader, "input"))
        role = IR_ROLE_INPUT;
    else if (take_word(reader, "param"))
        role = IR_ROLE_PARAM;
    else if (take_word(reader, "output"))
        role = IR_ROLE_OUTPUT;
    else
        return fail(reader, "a declaration, an instruction or an out is due");
    if (reader->ir->insn_count || reader->ir->out_count)
        return fail(reader, "declarations stand before instructions");
    return read_decl(reader, role);
}

struct ir *ir_read(struct arena *arena, const char *text, uint32_t *line, const char **message)
{
    struct reader reader = {.arena = arena, .ir = ir_create(arena), .at = text};
    bool has_header = false;
    for (*line = 1;; ++*line) {
        if (!at_end(&reader)) {
            const bool is_read = has_header ? read_line(&reader) : read_header(&reader);
            has_header = true;
            if (!is_read || (!at_end(&reader) && !fail(&reader, "there is more on the line"))) {
                *message = reader.message;
                return NULL;
            }
        }
        while (*reader.at != '\n' && *reader.at != '\0')
            reader.at++;
        if (*reader.at == '\0')
            break;
        reader.at++;
    }
    *message = has_header ? NULL : "the text is empty";
    return has_header ? reader.ir : NULL;
}
