#include "unused.h"

static void warn_if_unused(struct diag *diag, const struct symbol *symbol)
{
    if (symbol->uses == 0 && symbol->name[0] != '_')
        diag_add(diag, DIAG_ID_UNUSED, symbol->span, symbol_kind_name(symbol->kind), symbol->name);
}

void unused_warn(struct diag *diag, const struct sema *sema)
{
    for (const struct ast_fn *fn = sema->ast->fns; fn; fn = fn->next) {
        warn_if_unused(diag, fn->symbol);
        for (uint32_t i = 0; i < fn->param_count; i++)
            warn_if_unused(diag, fn->param_symbols[i]);
    }
    for (uint32_t i = 0; i < sema->values.count; i++) {
        const struct symbol *symbol = sema->values.symbols[i];
        if (symbol->kind != SYMBOL_STATE && symbol->kind != SYMBOL_OUTPUT)
            warn_if_unused(diag, symbol);
    }
}
