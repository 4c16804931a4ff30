#include "arguments.h"

#include <string.h>

const struct option arguments_common[] = {
    {OPTION_HELP, 'h', "help", NULL, NULL, true, "print this and exit"},
    {OPTION_HELP_MAN, 0, "help-man", NULL, NULL, true, "print this as a man page and exit"},
    {0, 0, NULL, NULL, NULL, false, NULL},
};

static const struct option *find_letter(const struct option *table, char letter)
{
    for (; table->id; table++)
        if (table->letter == letter)
            return table;
    return NULL;
}

static const struct option *find_name(const struct option *table, const char *name, size_t length)
{
    for (; table->id; table++)
        if (table->name && strlen(table->name) == length && !memcmp(table->name, name, length))
            return table;
    return NULL;
}

/* Whether 'value' is one of "a|b|c". */
static bool is_choice(const char *choices, const char *value)
{
    const size_t length = strlen(value);
    while (choices) {
        const char *end = strchr(choices, '|');
        const size_t choice = end ? (size_t)(end - choices) : strlen(choices);
        if (choice == length && !memcmp(choices, value, length))
            return true;
        choices = end ? end + 1 : NULL;
    }
    return false;
}

struct parser {
    struct arena *arena;
    struct argument *options;
    uint32_t option_count;
    const char **operands;
    uint32_t operand_count;
};

static const char *add(struct parser *parser, const struct option *option, const char *word,
                       const char *value)
{
    if (!option->is_repeatable)
        for (uint32_t i = 0; i < parser->option_count; i++)
            if (parser->options[i].id == option->id)
                return arena_printf(parser->arena, "option '%s' is given twice", word);
    if (option->choices && value && !is_choice(option->choices, value))
        return arena_printf(parser->arena, "option '%s' takes one of %s, found '%s'", word,
                            option->choices, value);
    parser->options[parser->option_count++] = (struct argument){option->id, value};
    return NULL;
}

/* "--name", "--name=value" or "--name value"; *next is the word behind, NULL at the end, and is set
 * to NULL when it was taken. */
static const char *parse_long(struct parser *parser, const struct command *command,
                              const char *word, const char **next)
{
    const char *equals = strchr(word, '=');
    const size_t length = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    const struct option *option = find_name(command->options, word + 2, length);
    if (!option)
        option = find_name(arguments_common, word + 2, length);
    const char *shown = arena_strndup(parser->arena, word, length + 2);
    if (!option)
        return arena_printf(parser->arena, "unknown option '%s'", shown);
    if (!option->value)
        return equals ? arena_printf(parser->arena, "option '%s' takes no value", shown)
                      : add(parser, option, shown, NULL);
    const char *value = equals ? equals + 1 : *next;
    if (!value)
        return arena_printf(parser->arena, "option '%s' needs %s", shown, option->value);
    if (!equals)
        *next = NULL;
    return add(parser, option, shown, value);
}

/* "-ab", "-DNAME=1" or "-D NAME=1". */
static const char *parse_letters(struct parser *parser, const struct command *command,
                                 const char *word, const char **next)
{
    for (const char *at = word + 1; *at; at++) {
        const struct option *option = find_letter(command->options, *at);
        if (!option)
            option = find_letter(arguments_common, *at);
        const char *shown = arena_printf(parser->arena, "-%c", *at);
        const char *fault;
        if (!option)
            return arena_printf(parser->arena, "unknown option '%s'", shown);
        if (!option->value) {
            if ((fault = add(parser, option, shown, NULL)) != NULL)
                return fault;
            continue;
        }
        const char *value = at[1] ? at + 1 : *next;
        if (!value)
            return arena_printf(parser->arena, "option '%s' needs %s", shown, option->value);
        if (!at[1])
            *next = NULL;
        return add(parser, option, shown, value);
    }
    return NULL;
}

const char *arguments_parse(struct arguments *out, const struct command *command,
                            const char *const *words, uint32_t word_count, struct arena *arena)
{
    /* A word gives at most as many options as it has letters. */
    size_t room = 1;
    for (uint32_t i = 0; i < word_count; i++)
        room += strlen(words[i]) + 1;
    struct parser parser = {.arena = arena};
    parser.options = arena_array(arena, room, sizeof *parser.options);
    parser.operands = arena_array(arena, word_count + 1, sizeof *parser.operands);

    const char *fault = NULL;
    bool only_operands = false;
    for (uint32_t i = 0; i < word_count && !fault; i++) {
        const char *word = words[i];
        const char *next = i + 1 < word_count ? words[i + 1] : NULL;
        const char *const given = next;
        if (only_operands || word[0] != '-' || !word[1])
            parser.operands[parser.operand_count++] = word;
        else if (!strcmp(word, "--"))
            only_operands = true;
        else if (word[1] == '-')
            fault = parse_long(&parser, command, word, &next);
        else
            fault = parse_letters(&parser, command, word, &next);
        i += next != given;
    }
    *out = (struct arguments){parser.options, parser.option_count, parser.operands,
                              parser.operand_count};
    if (arguments_has(out, OPTION_HELP) || arguments_has(out, OPTION_HELP_MAN))
        return NULL;
    if (fault)
        return fault;
    if (parser.operand_count < command->fewest)
        return arena_printf(arena, "%s is missing", command->operands);
    if (parser.operand_count > command->most)
        return arena_printf(arena, "unexpected operand '%s'", parser.operands[command->most]);
    return NULL;
}

bool arguments_has(const struct arguments *arguments, int id)
{
    for (uint32_t i = 0; i < arguments->option_count; i++)
        if (arguments->options[i].id == id)
            return true;
    return false;
}

const char *arguments_value(const struct arguments *arguments, int id, const char *missing)
{
    for (uint32_t i = 0; i < arguments->option_count; i++)
        if (arguments->options[i].id == id)
            return arguments->options[i].value;
    return missing;
}
