#include "attributes.h"

#include <assert.h>
#include <string.h>

static const struct init_row {
    const char *name;
    uint32_t arg_count;
    enum symbol_init init;
} INITS[] = {
    {"zeros", 0, SYMBOL_INIT_ZEROS},       {"ones", 0, SYMBOL_INIT_ONES},
    {"constant", 1, SYMBOL_INIT_CONSTANT}, {"normal", 2, SYMBOL_INIT_NORMAL},
    {"uniform", 2, SYMBOL_INIT_UNIFORM},
};
enum { INIT_COUNT = sizeof INITS / sizeof *INITS };

static const struct init_row *find_init(const char *word)
{
    for (uint32_t i = 0; i < INIT_COUNT; i++)
        if (strcmp(INITS[i].name, word) == 0)
            return &INITS[i];
    return NULL;
}

enum symbol_init attributes_init(const char *word)
{
    assert(find_init(word));
    return find_init(word)->init;
}

static void check_place(struct diag *diag, const char *what, const char *attribute,
                        struct span span, bool is_allowed)
{
    if (span.end && !is_allowed)
        diag_add(diag, DIAG_ID_ATTRIBUTE_PLACE, span, what, attribute);
}

static void check_init(struct diag *diag, const struct ast_attributes *attributes)
{
    const struct init_row *row = find_init(attributes->init);
    if (!row) {
        const char *names[INIT_COUNT];
        struct diag_message *message =
            diag_add(diag, DIAG_ID_UNKNOWN_ATTRIBUTE, attributes->init_span, attributes->init,
                     "'normal', 'uniform', 'zeros', 'ones' or 'constant'");
        for (uint32_t i = 0; i < INIT_COUNT; i++)
            names[i] = INITS[i].name;
        const char *nearest = diag_nearest(attributes->init, names, INIT_COUNT);
        if (nearest)
            diag_note_bare(diag, message, "did you mean '%s'", nearest);
        return;
    }
    if (attributes->init_arg_count != row->arg_count)
        diag_add(diag, DIAG_ID_ARGUMENT_COUNT, attributes->init_span, row->name,
                 arena_printf(diag->arena, "%u argument%s", row->arg_count,
                              row->arg_count == 1 ? "" : "s"),
                 arena_printf(diag->arena, "%u", attributes->init_arg_count));
}

void attributes_check_words(struct diag *diag, const struct ast_statement *statement)
{
    const struct ast_attributes *a = statement->attributes;
    const bool is_param = statement->kind == AST_PARAM;
    const bool is_argument = is_param || statement->kind == AST_INPUT;
    const char *what = is_param ? "a param" : is_argument ? "an input" : "a state";
    if (a->repeated_span.end) {
        const struct span span = a->repeated_span;
        const char *name = span.begin == a->shared_span.begin  ? "shared"
                           : span.begin == a->range_span.begin ? "in"
                           : span.begin == a->init_span.begin  ? "init"
                                                               : "nograd";
        diag_add(diag, DIAG_ID_REPEATED_ATTRIBUTE, span, name);
    }
    if (a->storage && strcmp(a->storage, "shared") != 0)
        diag_add(diag, DIAG_ID_UNKNOWN_ATTRIBUTE, a->shared_span, a->storage, "'shared'");
    check_place(diag, what, "shared", a->shared_span, is_argument);
    check_place(diag, what, "in", a->range_span, is_argument);
    check_place(diag, what, "init", a->init_span, is_param);
    check_place(diag, what, "nograd", a->nograd_span, is_argument);
    if (a->init && is_param)
        check_init(diag, a);
}
