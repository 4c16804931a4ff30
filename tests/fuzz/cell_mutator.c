/* Mutations that know the language a little: plain ones of bytes rarely leave the parser, because
 * one wrong byte makes a text that is refused. These keep brackets balanced and names declared most
 * of the time: statements and operands are exchanged, wrapped, copied; operators, numbers and names
 * replaced. Two cells are crossed by taking statements of one into the other. */
#include "fuzz_target.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t size, const uint8_t *other,
                                 size_t other_size, uint8_t *out, size_t most, unsigned seed);

enum { TOKENS = 1024, TEXT = 8192 };

struct token {
    uint32_t begin, end;
};

/* A text cut into names, numbers and signs; comments belong to none. */
struct cut {
    const char *text;
    size_t size;
    struct token tokens[TOKENS];
    uint32_t count;
};

static uint32_t state;

static uint32_t below(uint32_t bound)
{
    state = state * 1664525u + 1013904223u;
    return bound ? (uint32_t)((uint64_t)(state >> 8) * bound >> 24) : 0;
}

static bool is_word(unsigned char c)
{
    return isalnum(c) || c == '_';
}

static void cut_text(struct cut *cut, const char *text, size_t size)
{
    cut->text = text;
    cut->size = size;
    cut->count = 0;
    for (uint32_t i = 0; i < size && cut->count < TOKENS;) {
        const unsigned char c = (unsigned char)text[i];
        uint32_t end = i + 1;
        if (c == '#')
            while (end < size && text[end] != '\n')
                end++;
        else if (is_word(c) || c == '.')
            while (end < size && (is_word((unsigned char)text[end]) || text[end] == '.'))
                end++;
        else if (end < size && text[end] == '=' && strchr("<>=!", c))
            end++;
        if (c != '#' && c > ' ')
            cut->tokens[cut->count++] = (struct token){i, end};
        i = end;
    }
}

static char first_of(const struct cut *cut, uint32_t token)
{
    return cut->text[cut->tokens[token].begin];
}

static bool is_name(const struct cut *cut, uint32_t token)
{
    const unsigned char c = (unsigned char)first_of(cut, token);
    return isalpha(c) || c == '_';
}

static bool is_number(const struct cut *cut, uint32_t token)
{
    const unsigned char c = (unsigned char)first_of(cut, token);
    return isdigit(c) || c == '.';
}

/* The last token of the operand that begins here: a call, an index, a bracket, or the token. */
static uint32_t operand_end(const struct cut *cut, uint32_t token)
{
    uint32_t last = token;
    bool is_open = strchr("([", first_of(cut, token)) != NULL;
    if (!is_open && last + 1 < cut->count && strchr("([", first_of(cut, last + 1))) {
        last++;
        is_open = true;
    }
    if (!is_open)
        return token;
    int depth = 0;
    for (; last < cut->count; last++) {
        depth += strchr("([", first_of(cut, last)) != NULL;
        depth -= strchr(")]", first_of(cut, last)) != NULL;
        if (depth == 0)
            return last;
    }
    return token;
}

static bool pick_operand(const struct cut *cut, struct token *out)
{
    for (int tries = 0; tries < 16 && cut->count; tries++) {
        const uint32_t token = below(cut->count);
        if (is_name(cut, token) || is_number(cut, token) || first_of(cut, token) == '(') {
            *out =
                (struct token){cut->tokens[token].begin, cut->tokens[operand_end(cut, token)].end};
            return true;
        }
    }
    return false;
}

/* From behind a '{' or ';' to the next ';'. */
static bool pick_statement(const struct cut *cut, struct token *out)
{
    uint32_t token = below(cut->count), begin = 0;
    bool is_inside = false;
    for (uint32_t i = 0; i < token; i++)
        if (strchr("{;", first_of(cut, i))) {
            begin = i + 1;
            is_inside = true;
        }
    for (uint32_t i = begin; is_inside && i < cut->count; i++)
        if (first_of(cut, i) == ';') {
            *out = (struct token){cut->tokens[begin].begin, cut->tokens[i].end};
            return true;
        }
    return false;
}

static bool pick_kind(const struct cut *cut, bool (*is_kind)(const struct cut *, uint32_t),
                      struct token *out)
{
    for (int tries = 0; tries < 16 && cut->count; tries++) {
        const uint32_t token = below(cut->count);
        if (is_kind(cut, token)) {
            *out = cut->tokens[token];
            return true;
        }
    }
    return false;
}

static bool is_operator(const struct cut *cut, uint32_t token)
{
    return strchr("+-*/@^<>=!", first_of(cut, token)) != NULL;
}

struct text {
    char bytes[TEXT];
    size_t size;
};

static void add(struct text *out, const char *bytes, size_t size)
{
    if (size > TEXT - out->size)
        size = TEXT - out->size;
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

/* 'cut' with 'place' replaced by 'piece'. */
static void replace(struct text *out, const struct cut *cut, struct token place, const char *piece,
                    size_t size)
{
    add(out, cut->text, place.begin);
    add(out, piece, size);
    add(out, cut->text + place.end, cut->size - place.end);
}

static const char *pick_text(const char *const *texts, size_t count)
{
    return texts[below((uint32_t)count)];
}

#define PICK(texts) pick_text(texts, sizeof(texts) / sizeof *(texts))

/* '$' is the operand. */
static void wrap(struct text *out, const struct cut *cut, struct token place, struct token other)
{
    static const char *const shapes[] = {
        "tanh($)",
        "sigmoid($)",
        "exp(-$)",
        "log1p($^2)",
        "sqrt(1 + $*$)",
        "rsqrt($)",
        "($ / %)",
        "($ - %)",
        "($ * %)",
        "min($, %)",
        "max($, %)",
        "clamp($, -1, 1)",
        "where($ < %, $, %)",
        "detach($)",
        "($)^3",
        "pow($, %)",
        "softplus($)",
        "gelu($)",
        "erf($)",
        "abs($)",
        "where(not ($ >= % and $ == %), %, $)",
        "sum($)",
        "softmax($)",
        "dot($, %)",
        "outer($, %)",
        "transpose($)",
        "($ @ %)",
        "$[0]",
        "$[0, 1]",
        "logsumexp($)",
        "logsumexp($, %)",
        "-$",
        "($ or %)",
        "sign($)",
    };
    add(out, cut->text, place.begin);
    for (const char *shape = PICK(shapes); *shape; shape++) {
        if (*shape == '$')
            add(out, cut->text + place.begin, place.end - place.begin);
        else if (*shape == '%')
            add(out, cut->text + other.begin, other.end - other.begin);
        else
            add(out, shape, 1);
    }
    add(out, cut->text + place.end, cut->size - place.end);
}

static bool mutate(struct text *out, const struct cut *cut)
{
    static const char *const numbers[] = {
        "0",      "1",    "2",      "3",          "-1",  "0.5", "16",   "17",   "1e308",
        "1e-320", "1e39", "100000", "2147483648", "0.0", "4",   "1024", "1e-8", "9007199254740993"};
    static const char *const operators[] = {"+", "-", "*", "/", "@", "^", "<", ">=", "==", "and"};
    static const char *const attributes[] = {" : shared",
                                             " in [-1, 1]",
                                             " nograd",
                                             " init normal(0, 0.1)",
                                             " init uniform(-1, 1)",
                                             " init ones",
                                             " in [0.1, 0.9]",
                                             " init constant(1)"};
    struct token place, other;
    switch (below(11)) {
    case 0: /* an operand for another */
        if (!pick_operand(cut, &place) || !pick_operand(cut, &other))
            return false;
        replace(out, cut, place, cut->text + other.begin, other.end - other.begin);
        return true;
    case 1:
    case 2: /* an operand within something */
        if (!pick_operand(cut, &place) || !pick_operand(cut, &other))
            return false;
        wrap(out, cut, place, other);
        return true;
    case 3: /* one name for another */
        if (!pick_kind(cut, is_name, &place) || !pick_kind(cut, is_name, &other))
            return false;
        replace(out, cut, place, cut->text + other.begin, other.end - other.begin);
        return true;
    case 4: {
        const char *number = PICK(numbers);
        if (!pick_kind(cut, is_number, &place))
            return false;
        replace(out, cut, place, number, strlen(number));
        return true;
    }
    case 5: {
        const char *operator= PICK(operators);
        if (!pick_kind(cut, is_operator, &place))
            return false;
        replace(out, cut, place, operator, strlen(operator));
        return true;
    }
    case 6: /* a statement away */
        if (!pick_statement(cut, &place))
            return false;
        replace(out, cut, place, "", 0);
        return true;
    case 7: /* a statement twice */
        if (!pick_statement(cut, &place))
            return false;
        replace(out, cut, (struct token){place.end, place.end}, cut->text + place.begin,
                place.end - place.begin);
        return true;
    case 8: { /* a new definition before a statement, and its value used behind */
        char name[16], line[64];
        if (!pick_statement(cut, &place) || !pick_operand(cut, &other))
            return false;
        snprintf(name, sizeof name, "n%u", below(1000));
        const int size = snprintf(line, sizeof line, "%s = ", name);
        add(out, cut->text, place.begin);
        add(out, line, (size_t)size);
        add(out, cut->text + other.begin, other.end - other.begin);
        add(out, "; ", 2);
        if (other.begin >= place.begin) {
            add(out, cut->text + place.begin, other.begin - place.begin);
            add(out, name, strlen(name));
            add(out, cut->text + other.end, cut->size - other.end);
        } else {
            add(out, cut->text + place.begin, cut->size - place.begin);
        }
        return true;
    }
    case 9: { /* attributes of a declaration */
        const char *attribute = PICK(attributes);
        if (!pick_statement(cut, &place))
            return false;
        replace(out, cut, (struct token){place.end - 1, place.end - 1}, attribute,
                strlen(attribute));
        return true;
    }
    default: /* two statements change places */
        if (!pick_statement(cut, &place) || !pick_statement(cut, &other) || place.end > other.begin)
            return false;
        add(out, cut->text, place.begin);
        add(out, cut->text + other.begin, other.end - other.begin);
        add(out, cut->text + place.end, other.begin - place.end);
        add(out, cut->text + place.begin, place.end - place.begin);
        add(out, cut->text + other.end, cut->size - other.end);
        return true;
    }
}

static size_t give(uint8_t *data, size_t most, const struct text *out)
{
    const size_t size = out->size < most ? out->size : most;
    memcpy(data, out->bytes, size);
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    static struct cut cut;
    static struct text texts[2];
    state = seed;
    if (below(6) == 0 || size == 0)
        return LLVMFuzzerMutate(data, size, most);
    texts[0].size = 0;
    add(&texts[0], (const char *)data, size);
    int from = 0;
    for (uint32_t steps = 1 + below(3); steps; steps--) {
        struct text *out = &texts[1 - from];
        out->size = 0;
        cut_text(&cut, texts[from].bytes, texts[from].size);
        if (mutate(out, &cut))
            from = 1 - from;
    }
    return give(data, most, &texts[from]);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t size, const uint8_t *other,
                                 size_t other_size, uint8_t *out_data, size_t most, unsigned seed)
{
    static struct cut one, two;
    static struct text out;
    struct token place, piece;
    state = seed;
    out.size = 0;
    cut_text(&one, (const char *)data, size);
    cut_text(&two, (const char *)other, other_size);
    if (below(2) ? pick_statement(&one, &place) && pick_statement(&two, &piece)
                 : pick_operand(&one, &place) && pick_operand(&two, &piece)) {
        if (below(2)) /* before it, or instead of it */
            place.end = place.begin;
        replace(&out, &one, place, (const char *)two.text + piece.begin, piece.end - piece.begin);
    } else {
        add(&out, (const char *)data, size);
    }
    return give(out_data, most, &out);
}
