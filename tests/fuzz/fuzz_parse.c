/* The front end alone, up to the typed tree: many more texts a second than the whole compiler, for
 * the many that end here. */
#include "fuzz_target.h"

#include "pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pipeline_options options = PIPELINE_OPTIONS_INIT;
    struct unit *unit;
    options.last = PIPELINE_TYPECHECK;
    const enum pipeline_class result =
        pipeline_load_text(&unit, "a.cell", (const char *)data, size, &options);
    if (result == PIPELINE_NOMEM)
        return 0;
    FUZZ_PROMISE(result != PIPELINE_INTERNAL, "no cell is an internal error");
    FUZZ_PROMISE(result == PIPELINE_OK || *unit->messages, "a refusal has words");
    for (const char *c = unit->messages; *c; c++)
        FUZZ_PROMISE(*c == '\n' || (*c >= ' ' && *c <= '~'), "messages are printable ASCII");
    unit_free(unit);
    return 0;
}
