#include "resolve.h"

#include <assert.h>
#include <string.h>

#include "attributes.h"
#include "limits.h"

/* Two passes over the cell: the first gives every declared name its symbol, so that the second can
 * tell a name that is used too early from one that does not exist. */
struct resolver {
    struct arena *arena;
    struct diag *diag;
    struct sema *sema;
    const struct scope *scope; /* where names are looked up */
    struct ast_fn *fn;         /* whose body is being resolved; NULL: the cell */
    bool is_output;            /* a name stands for itself as an output */
};

/* ---- Expressions ---- */

static const char *primed(struct resolver *cx, const char *name)
{
    return arena_printf(cx->arena, "%s'", name);
}

static void note_declared(struct resolver *cx, struct diag_message *message,
                          const struct symbol *symbol)
{
    diag_note(cx->diag, message, symbol->span, "'%s' is declared here", symbol->name);
}

static struct symbol *report_unknown(struct resolver *cx, const char *name, struct span span)
{
    if (cx->fn && scope_find(&cx->sema->values, name)) {
        diag_add(cx->diag, DIAG_ID_NOT_IN_FUNCTION, span, name);
        return NULL;
    }
    struct diag_message *message = diag_add(cx->diag, DIAG_ID_UNKNOWN_NAME, span, name);
    const struct symbol *nearest = scope_nearest(cx->scope, name);
    if (ast_function_find(name) || scope_find(&cx->sema->functions, name)) {
        diag_note_bare(cx->diag, message, "'%s' is a function and is followed by '('", name);
    } else if (nearest) {
        diag_fix(message, span, nearest->name);
        note_declared(cx, message, nearest);
    }
    return NULL;
}

static void resolve_name(struct resolver *cx, struct ast_expr *expr)
{
    struct symbol *symbol = scope_find(cx->scope, expr->name);
    if (!symbol) {
        report_unknown(cx, expr->name, expr->span);
        /* Later uses in the cell are the same fault. */
        if (!cx->fn)
            scope_add(&cx->sema->values, SYMBOL_UNKNOWN, expr->name, expr->span);
        return;
    }
    expr->symbol = symbol;
    symbol->uses++;
    if (symbol->kind == SYMBOL_UNKNOWN || symbol->is_reported)
        return;
    if (expr->kind == AST_NEXT && symbol->kind != SYMBOL_STATE) {
        struct diag_message *message =
            diag_add(cx->diag, DIAG_ID_NOT_A_STATE, expr->span, symbol->name,
                     symbol_kind_article(symbol->kind),
                     arena_printf(cx->arena, "'%s'", primed(cx, symbol->name)));
        note_declared(cx, message, symbol);
        return;
    }
    const bool is_next = expr->kind == AST_NEXT;
    if (is_next && symbol->is_defined && !symbol->update)
        return; /* no-update says it */
    if (is_next ? symbol->is_updated : symbol->is_defined)
        return;
    symbol->is_reported = true;
    struct diag_message *message = diag_add(cx->diag, DIAG_ID_USED_BEFORE, expr->span,
                                            is_next ? primed(cx, symbol->name) : symbol->name);
    diag_note(cx->diag, message,
              is_next && symbol->update ? symbol->update->name_span : symbol->span,
              "it is defined here");
    if (cx->is_output && is_next)
        diag_note_bare(cx->diag, message, "outputs stand behind what they name");
    else if (cx->is_output)
        diag_note_bare(cx->diag, message,
                       "outputs stand behind what they name, or define it: 'output %s = ...;'",
                       symbol->name);
}

static const char *count_text(struct arena *arena, uint32_t fewest, uint32_t most, const char *noun)
{
    const char *plural = most == 1 ? "" : "s";
    if (fewest == most)
        return arena_printf(arena, "%u %s%s", most, noun, plural);
    return arena_printf(arena, "%u or %u %s%s", fewest, most, noun, plural);
}

static void check_count(struct resolver *cx, struct span span, const char *name, uint32_t fewest,
                        uint32_t most, uint32_t found)
{
    if (found < fewest || found > most)
        diag_add(cx->diag, DIAG_ID_ARGUMENT_COUNT, span, name,
                 count_text(cx->arena, fewest, most, "argument"),
                 arena_printf(cx->arena, "%u", found));
}

static void report_unknown_function(struct resolver *cx, const struct ast_expr *call)
{
    const char *names[AST_FN_COUNT];
    struct diag_message *message =
        diag_add(cx->diag, DIAG_ID_UNKNOWN_FUNCTION, call->name_span, call->name);
    const struct symbol *value = scope_find(cx->scope, call->name);
    const struct symbol *nearest = scope_nearest(&cx->sema->functions, call->name);
    for (int i = AST_FN_USER + 1; i < AST_FN_COUNT; i++)
        names[i - 1] = ast_function_name((enum ast_function)i);
    const char *built_in = diag_nearest(call->name, names, AST_FN_COUNT - 1);
    if (value && value->kind != SYMBOL_UNKNOWN) {
        diag_note(cx->diag, message, value->span, "'%s' is %s", value->name,
                  symbol_kind_article(value->kind));
    } else if (nearest) {
        diag_fix(message, call->name_span, nearest->name);
        note_declared(cx, message, nearest);
    } else if (built_in) {
        diag_fix(message, call->name_span, built_in);
    }
}

static void resolve_call(struct resolver *cx, struct ast_expr *call)
{
    struct symbol *symbol = scope_find(&cx->sema->functions, call->name);
    call->function = ast_function_find(call->name);
    if (!symbol && call->function == AST_FN_USER) {
        report_unknown_function(cx, call);
    } else if (!symbol) {
        check_count(cx, call->span, call->name, ast_function_fewest(call->function),
                    ast_function_most(call->function), call->arg_count);
    } else {
        call->symbol = symbol;
        symbol->uses++;
        check_count(cx, call->span, call->name, symbol->fn->param_count, symbol->fn->param_count,
                    call->arg_count);
        if (symbol->fn == cx->fn) {
            struct diag_message *message =
                diag_add(cx->diag, DIAG_ID_RECURSIVE, call->name_span, call->name);
            diag_note_bare(cx->diag, message, "a call is replaced by the body, without end here");
        } else if (!symbol->is_defined) {
            struct diag_message *message =
                diag_add(cx->diag, DIAG_ID_USED_BEFORE, call->name_span, call->name);
            diag_note(cx->diag, message, symbol->span, "it is defined here");
        }
    }
}

/* Returns the height of the expression with all calls inlined. */
static uint32_t resolve_expr(struct resolver *cx, struct ast_expr *expr)
{
    uint32_t height = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        const uint32_t below = resolve_expr(cx, expr->args[i]);
        if (below > height)
            height = below;
    }
    if (expr->kind == AST_NAME || expr->kind == AST_NEXT)
        resolve_name(cx, expr);
    else if (expr->kind == AST_CALL)
        resolve_call(cx, expr);
    if (expr->kind == AST_CALL && expr->symbol && expr->symbol->height > height)
        height = expr->symbol->height;
    if (height == LIMIT_NESTING)
        diag_add(cx->diag, DIAG_ID_TOO_DEEP, expr->span,
                 arena_printf(cx->arena, "%d", LIMIT_NESTING));
    return height + 1;
}

/* ---- Functions ---- */

static void declare_fn(struct resolver *cx, struct ast_fn *fn)
{
    struct symbol *first = scope_find(&cx->sema->functions, fn->name);
    if (first) {
        struct diag_message *message =
            diag_add(cx->diag, DIAG_ID_REDEFINED, fn->name_span, fn->name);
        diag_note(cx->diag, message, first->span, "the first one is here");
        fn->symbol = first;
        return;
    }
    if (ast_function_find(fn->name))
        diag_add(cx->diag, DIAG_ID_REDEFINED_BUILTIN, fn->name_span, fn->name);
    fn->symbol = scope_add(&cx->sema->functions, SYMBOL_FUNCTION, fn->name, fn->name_span);
    fn->symbol->fn = fn;
    fn->symbol->index = cx->sema->functions.count - 1;
}

static void resolve_fn(struct resolver *cx, struct ast_fn *fn)
{
    struct scope params;
    scope_init(&params, cx->arena, NULL);
    fn->param_symbols = arena_array(cx->arena, fn->param_count, sizeof(struct symbol *));
    for (uint32_t i = 0; i < fn->param_count; i++) {
        struct symbol *first = scope_find(&params, fn->params[i]);
        if (first) {
            struct diag_message *message =
                diag_add(cx->diag, DIAG_ID_REDEFINED, fn->param_spans[i], fn->params[i]);
            diag_note(cx->diag, message, first->span, "the first one is here");
            fn->param_symbols[i] = first;
            continue;
        }
        struct symbol *symbol =
            scope_add(&params, SYMBOL_FN_PARAM, fn->params[i], fn->param_spans[i]);
        symbol->fn = fn;
        symbol->index = i;
        symbol->is_defined = true;
        fn->param_symbols[i] = symbol;
    }
    cx->fn = fn;
    cx->scope = &params;
    fn->symbol->height = resolve_expr(cx, fn->body);
    fn->symbol->is_defined = true;
    cx->fn = NULL;
    cx->scope = &cx->sema->values;
}

/* ---- Declarations ---- */

static enum symbol_kind kind_of(const struct ast_decl *decl)
{
    switch (decl->kind) {
    case AST_STATE:
        return SYMBOL_STATE;
    case AST_INPUT:
        return SYMBOL_INPUT;
    case AST_PARAM:
        return SYMBOL_PARAM;
    case AST_CONST:
        return SYMBOL_CONST;
    case AST_OUTPUT:
        return SYMBOL_OUTPUT;
    default:
        return SYMBOL_DEFINITION;
    }
}

static void report_redefined(struct resolver *cx, const struct ast_decl *decl,
                             const struct symbol *first)
{
    struct diag_message *message;
    const bool is_late = decl->kind == AST_DEFINE || decl->kind == AST_OUTPUT;
    if (is_late && first->kind == SYMBOL_STATE) {
        message = diag_add(cx->diag, DIAG_ID_REDEFINED_STATE, decl->name_span, decl->name);
        if (decl->kind == AST_DEFINE)
            diag_fix(message, decl->name_span, primed(cx, decl->name));
        note_declared(cx, message, first);
    } else if (is_late && first->kind <= SYMBOL_CONST) {
        message = diag_add(cx->diag, DIAG_ID_REDEFINED_KIND, decl->name_span, decl->name,
                           symbol_kind_article(first->kind));
        note_declared(cx, message, first);
    } else {
        message = diag_add(cx->diag, DIAG_ID_REDEFINED, decl->name_span, decl->name);
        diag_note(cx->diag, message, first->span, "the first one is here");
    }
}

/* The first pass: a symbol for each name that a statement brings in. */
static void declare(struct resolver *cx, struct ast_decl *decl)
{
    if (decl->is_reference || decl->kind == AST_UPDATE || decl->kind == AST_GUESS)
        return;
    struct symbol *first = scope_find(&cx->sema->values, decl->name);
    if (first) {
        report_redefined(cx, decl, first);
        return;
    }
    decl->symbol = scope_add(&cx->sema->values, kind_of(decl), decl->name, decl->name_span);
    decl->symbol->decl = decl;
}

/* The state that "h' =" or 'guess h =' is about; NULL, with a message, if there is none. */
static struct symbol *find_state(struct resolver *cx, const struct ast_decl *decl)
{
    struct symbol *symbol = scope_find(&cx->sema->values, decl->name);
    if (!symbol || symbol->kind == SYMBOL_UNKNOWN) {
        if (!symbol)
            report_unknown(cx, decl->name, decl->name_span);
        return NULL;
    }
    if (symbol->kind == SYMBOL_STATE)
        return symbol;
    const char *what = decl->kind == AST_GUESS
                           ? "a guess"
                           : arena_printf(cx->arena, "'%s'", primed(cx, symbol->name));
    struct diag_message *message = diag_add(cx->diag, DIAG_ID_NOT_A_STATE, decl->name_span,
                                            symbol->name, symbol_kind_article(symbol->kind), what);
    note_declared(cx, message, symbol);
    return NULL;
}

/* Before the second pass: which update belongs to which state. */
static void attach(struct resolver *cx, struct ast_decl *decl)
{
    if (decl->kind != AST_UPDATE && decl->kind != AST_GUESS)
        return;
    struct symbol *state = find_state(cx, decl);
    if (!state)
        return;
    struct ast_decl **place = decl->kind == AST_UPDATE ? &state->update : &state->guess;
    decl->symbol = state;
    if (*place) {
        struct diag_message *message =
            diag_add(cx->diag, decl->kind == AST_UPDATE ? DIAG_ID_TWO_UPDATES : DIAG_ID_TWO_GUESSES,
                     decl->name_span, decl->name);
        diag_note(cx->diag, message, (*place)->name_span, "the first one is here");
        return;
    }
    *place = decl;
}

static void add_output(struct resolver *cx, struct ast_decl *decl)
{
    struct sema *sema = cx->sema;
    const struct symbol *symbol = decl->symbol;
    if (!symbol || symbol->kind == SYMBOL_UNKNOWN)
        return;
    if (decl->is_reference && decl->value->kind == AST_NAME && symbol->kind != SYMBOL_DEFINITION &&
        symbol->kind != SYMBOL_OUTPUT) {
        struct diag_message *message = diag_add(cx->diag, DIAG_ID_NOT_AN_OUTPUT, decl->name_span,
                                                decl->name, symbol_kind_article(symbol->kind));
        if (symbol->kind == SYMBOL_STATE) {
            diag_fix(message, decl->name_span, primed(cx, decl->name));
            diag_note_bare(cx->diag, message, "'%s'' is its value after the step", decl->name);
        } else {
            diag_note_bare(cx->diag, message, "give it a name: 'output y = %s;'", decl->name);
        }
        return;
    }
    for (uint32_t i = 0; i < sema->output_count; i++) {
        if (strcmp(sema->outputs[i].name, decl->name) == 0) {
            struct diag_message *message =
                diag_add(cx->diag, DIAG_ID_TWO_OUTPUTS, decl->name_span, decl->name);
            diag_note(cx->diag, message, sema->outputs[i].span, "the first one is here");
            return;
        }
    }
    sema->outputs[sema->output_count++] = (struct sema_output){.name = decl->name,
                                                               .value = decl->value,
                                                               .symbol = decl->symbol,
                                                               .span = decl->span,
                                                               .doc = decl->doc};
}

static void resolve_attributes(struct resolver *cx, const struct ast_statement *statement)
{
    const struct ast_attributes *attributes = statement->attributes;
    attributes_check_words(cx->diag, statement);
    if (attributes->lo) {
        resolve_expr(cx, attributes->lo);
        resolve_expr(cx, attributes->hi);
    }
    for (uint32_t i = 0; i < attributes->init_arg_count; i++)
        resolve_expr(cx, attributes->init_args[i]);
}

static void resolve_statement(struct resolver *cx, struct ast_statement *statement)
{
    resolve_attributes(cx, statement);
    for (struct ast_decl *decl = statement->decls; decl; decl = decl->next) {
        for (uint32_t i = 0; i < decl->size_count; i++)
            resolve_expr(cx, decl->sizes[i]);
        cx->is_output = decl->is_reference;
        if (decl->value)
            resolve_expr(cx, decl->value);
        cx->is_output = false;
        if (decl->is_reference)
            decl->symbol = decl->value->symbol;
        if (decl->kind == AST_UPDATE && decl->symbol)
            decl->symbol->is_updated = true;
        else if (decl->symbol && !decl->is_reference)
            decl->symbol->is_defined = true;
        if (decl->kind == AST_OUTPUT)
            add_output(cx, decl);
    }
}

/* ---- The whole ---- */

static uint32_t count_decls(const struct ast *ast)
{
    uint32_t count = 0;
    for (const struct ast_statement *s = ast->statements; s; s = s->next)
        for (const struct ast_decl *decl = s->decls; decl; decl = decl->next)
            count++;
    return count;
}

/* The symbols of one kind, numbered. */
static struct symbol **collect(struct resolver *cx, enum symbol_kind kind, uint32_t limit,
                               uint32_t *count)
{
    const struct scope *values = &cx->sema->values;
    struct symbol **list = arena_array(cx->arena, values->count, sizeof *list);
    *count = 0;
    for (uint32_t i = 0; i < values->count; i++) {
        struct symbol *symbol = values->symbols[i];
        if (symbol->kind != kind)
            continue;
        if (*count == limit)
            diag_add(cx->diag, DIAG_ID_TOO_MANY_NAMES, symbol->span,
                     arena_printf(cx->arena, "%u", limit),
                     arena_printf(cx->arena, "%ss", symbol_kind_name(kind)));
        symbol->index = *count;
        list[(*count)++] = symbol;
    }
    return list;
}

static void check_states(struct resolver *cx)
{
    const struct sema *sema = cx->sema;
    if (sema->state_count == 0)
        diag_add(cx->diag, DIAG_ID_NO_STATE, sema->ast->name_span, sema->ast->name);
    for (uint32_t i = 0; i < sema->state_count; i++)
        if (!sema->states[i]->update)
            diag_add(cx->diag, DIAG_ID_NO_UPDATE, sema->states[i]->span, sema->states[i]->name);
}

static void default_outputs(struct resolver *cx)
{
    struct sema *sema = cx->sema;
    if (sema->output_count > 0)
        return;
    sema->outputs = arena_array(cx->arena, sema->state_count, sizeof *sema->outputs);
    for (uint32_t i = 0; i < sema->state_count; i++) {
        struct symbol *state = sema->states[i];
        struct ast_expr *value = ast_name(cx->arena, AST_NEXT, state->name, state->span);
        value->symbol = state;
        sema->outputs[sema->output_count++] = (struct sema_output){.name = state->name,
                                                                   .value = value,
                                                                   .symbol = state,
                                                                   .span = state->span,
                                                                   .doc = state->decl->doc};
    }
}

static void check_defines(struct resolver *cx)
{
    const struct sema *sema = cx->sema;
    for (uint32_t i = 0; i < sema->define_count; i++) {
        const char *name = sema->defines[i].name;
        const struct symbol *symbol = scope_find(&sema->values, name);
        if (symbol && symbol->kind == SYMBOL_CONST)
            continue;
        struct diag_message *message = diag_add_bare(cx->diag, DIAG_ID_UNKNOWN_CONST, name);
        const struct symbol *nearest = symbol ? symbol : scope_nearest(&sema->values, name);
        if (nearest)
            diag_note(cx->diag, message, nearest->span, "'%s' is %s", nearest->name,
                      symbol_kind_article(nearest->kind));
    }
}

struct sema *resolve(struct arena *arena, struct diag *diag, struct ast *ast,
                     const struct sema_define *defines, uint32_t define_count)
{
    const uint32_t errors = diag->error_count;
    struct sema *sema = arena_alloc(arena, sizeof *sema);
    struct resolver cx = {.arena = arena, .diag = diag, .sema = sema, .scope = &sema->values};
    *sema = (struct sema){.ast = ast, .defines = defines, .define_count = define_count};
    scope_init(&sema->functions, arena, NULL);
    scope_init(&sema->values, arena, NULL);
    sema->outputs = arena_array(arena, count_decls(ast), sizeof *sema->outputs);

    for (struct ast_fn *fn = ast->fns; fn; fn = fn->next)
        declare_fn(&cx, fn);
    for (struct ast_statement *s = ast->statements; s; s = s->next)
        for (struct ast_decl *decl = s->decls; decl; decl = decl->next)
            declare(&cx, decl);
    for (struct ast_fn *fn = ast->fns; fn; fn = fn->next)
        resolve_fn(&cx, fn);
    for (struct ast_statement *s = ast->statements; s; s = s->next)
        for (struct ast_decl *decl = s->decls; decl; decl = decl->next)
            attach(&cx, decl);
    for (struct ast_statement *s = ast->statements; s; s = s->next)
        resolve_statement(&cx, s);

    sema->states = collect(&cx, SYMBOL_STATE, LIMIT_TENSORS, &sema->state_count);
    sema->inputs = collect(&cx, SYMBOL_INPUT, LIMIT_TENSORS, &sema->input_count);
    sema->params = collect(&cx, SYMBOL_PARAM, LIMIT_TENSORS, &sema->param_count);
    sema->consts = collect(&cx, SYMBOL_CONST, UINT32_MAX, &sema->const_count);
    uint32_t numbered; /* later stages find these by their number alone */
    collect(&cx, SYMBOL_DEFINITION, UINT32_MAX, &numbered);
    collect(&cx, SYMBOL_OUTPUT, UINT32_MAX, &numbered);
    check_states(&cx);
    if (sema->output_count > LIMIT_TENSORS)
        diag_add(diag, DIAG_ID_TOO_MANY_NAMES, sema->outputs[LIMIT_TENSORS].span,
                 arena_printf(arena, "%d", LIMIT_TENSORS), "outputs");
    default_outputs(&cx);
    check_defines(&cx);
    return diag->error_count > errors ? NULL : sema;
}
