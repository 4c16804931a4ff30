/* What tests of the front end start with: an arena, diagnostics, and text taken as far as wanted.
 */
#ifndef PRNN_SAMPLE_FRONT_H
#define PRNN_SAMPLE_FRONT_H

#include "arena.h"
#include "diag.h"
#include "parse.h"
#include "resolve.h"
#include "source.h"
#include "typecheck.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct front {
    jmp_buf escape;
    struct arena *arena;
    struct diag *diag;
    struct ast *ast;   /* NULL: errors */
    struct sema *sema; /* NULL: errors */
    bool is_typed;
};

/* The jump is never taken: memory that ends under test ends the test. */
static inline void front_start(struct front *front)
{
    *front = (struct front){.arena = NULL};
    if (setjmp(front->escape))
        abort();
    front->arena = arena_create(&front->escape);
    front->diag = diag_create(front->arena, NULL);
}

static inline void front_parse(struct front *front, const char *text)
{
    front_start(front);
    const struct source *source =
        source_from_memory(front->arena, front->diag, "t.cell", text, strlen(text));
    if (source)
        front->ast = parse(front->arena, front->diag, source);
}

static inline void front_check(struct front *front, const char *text)
{
    front_parse(front, text);
    if (front->ast)
        front->sema = resolve(front->arena, front->diag, front->ast, NULL, 0);
    if (front->sema)
        front->is_typed = typecheck(front->arena, front->diag, front->sema);
}

/* The slugs of all messages in order, with blanks between. */
static inline const char *front_slugs(const struct front *front)
{
    struct textbuf out;
    textbuf_init(&out, front->arena);
    for (const struct diag_message *m = front->diag->messages; m; m = m->next)
        textbuf_printf(&out, "%s%s", out.length ? " " : "", m->slug);
    return out.text;
}

static inline void front_end(struct front *front)
{
    arena_destroy(front->arena);
}

/* Run the tests of one file. */
static inline int front_main(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
#define FRONT_MAIN(name, tests) front_main(name, tests, sizeof(tests) / sizeof *(tests))

#endif
