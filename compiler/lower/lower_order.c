#include "lower_order.h"

/* Depth first, with a stack of our own: definitions may be a chain as long as the file. */
struct frame {
    struct ast_decl *decl;
    struct ast_decl **reads; /* in the order of reading */
    uint32_t count, done;
};

struct ordering {
    struct arena *arena;
    uint8_t *is_met[3]; /* definitions, outputs, updates: by index of the symbol */
    struct frame *stack;
    struct ast_decl **order;
    uint32_t count;
};

static uint8_t *met(const struct ordering *o, const struct ast_decl *decl)
{
    const struct symbol *symbol = decl->symbol;
    return &o->is_met[decl->kind == AST_UPDATE ? 2 : symbol->kind == SYMBOL_OUTPUT][symbol->index];
}

/* What stands behind a name; NULL for a leaf. */
static struct ast_decl *source_of(const struct ast_expr *expr)
{
    if (expr->kind == AST_NEXT)
        return expr->symbol->update;
    const bool is_made =
        expr->symbol->kind == SYMBOL_DEFINITION || expr->symbol->kind == SYMBOL_OUTPUT;
    return is_made ? expr->symbol->decl : NULL;
}

static uint32_t count_names(const struct ast_expr *expr)
{
    uint32_t count = expr->kind == AST_NAME || expr->kind == AST_NEXT;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        count += count_names(expr->args[i]);
    return count;
}

static void collect(const struct ast_expr *expr, struct frame *frame)
{
    if (expr->kind == AST_NAME || expr->kind == AST_NEXT) {
        struct ast_decl *source = source_of(expr);
        if (source)
            frame->reads[frame->count++] = source;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        collect(expr->args[i], frame);
}

static void push(struct ordering *o, uint32_t *depth, struct ast_decl *decl)
{
    struct frame *frame = &o->stack[(*depth)++];
    *frame = (struct frame){.decl = decl};
    frame->reads = arena_array(o->arena, count_names(decl->value), sizeof *frame->reads);
    collect(decl->value, frame);
    if (decl->kind != AST_GUESS)
        *met(o, decl) = 1;
}

/* 'decl' behind everything that it needs. */
static void visit(struct ordering *o, struct ast_decl *decl)
{
    uint32_t depth = 0;
    if (decl->kind == AST_GUESS || !*met(o, decl))
        push(o, &depth, decl);
    while (depth > 0) {
        struct frame *top = &o->stack[depth - 1];
        if (top->done < top->count) {
            struct ast_decl *next = top->reads[top->done++];
            if (!*met(o, next))
                push(o, &depth, next);
            continue;
        }
        o->order[o->count++] = top->decl;
        depth--;
    }
}

struct ast_decl **lower_order(struct arena *arena, const struct sema *sema, uint32_t *count)
{
    uint32_t statements = 0;
    for (const struct ast_statement *s = sema->ast->statements; s; s = s->next)
        for (const struct ast_decl *decl = s->decls; decl; decl = decl->next)
            statements++;
    struct ordering o = {
        .arena = arena,
        .stack = arena_array(arena, (size_t)statements + 1, sizeof *o.stack),
        .order = arena_array(arena, (size_t)statements + 1, sizeof *o.order),
    };
    for (int k = 0; k < 3; k++)
        o.is_met[k] =
            arena_array(arena, (size_t)sema->values.count + sema->state_count, sizeof *o.is_met[k]);
    for (uint32_t i = 0; i < sema->state_count; i++)
        visit(&o, sema->states[i]->update);
    for (uint32_t i = 0; i < sema->output_count; i++) {
        struct symbol *symbol = sema->outputs[i].symbol;
        if (symbol->kind == SYMBOL_OUTPUT || symbol->kind == SYMBOL_DEFINITION)
            visit(&o, symbol->decl);
    }
    for (uint32_t i = 0; i < sema->state_count; i++)
        if (sema->states[i]->guess)
            visit(&o, sema->states[i]->guess);
    for (const struct ast_statement *s = sema->ast->statements; s; s = s->next)
        for (struct ast_decl *decl = s->decls; decl && s->kind == AST_DEFINE; decl = decl->next)
            visit(&o, decl);
    *count = o.count;
    return o.order;
}
