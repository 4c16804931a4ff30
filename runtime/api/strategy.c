/* Strategies as text. */
#include "handles.h"

#include "status.h"

#include <stdio.h>
#include <string.h>

/* One letter and a number for each field. */
static uint32_t *field_of(struct strategy *strategy, char letter)
{
    switch (letter) {
    case 'W':
        return &strategy->tile_chunks;
    case 'S':
        return &strategy->chunk;
    case 'L':
        return &strategy->lanes;
    case 'V':
        return &strategy->vc;
    case 'R':
        return &strategy->stages;
    case 'C':
        return &strategy->cluster;
    case 'G':
        return &strategy->guess;
    default:
        return NULL;
    }
}

void strategy_print(char text[STRATEGY_TEXT_ROOM], const struct strategy *s)
{
    const int length = snprintf(text, STRATEGY_TEXT_ROOM, "W%u S%u L%u V%u R%u C%u", s->tile_chunks,
                                s->chunk, s->lanes, s->vc, s->stages, s->cluster);
    if (s->guess)
        snprintf(text + length, STRATEGY_TEXT_ROOM - (size_t)length, " G%u", s->guess);
}

prnn_status strategy_read(struct strategy *out, const char *text)
{
    struct strategy read = {.vc = 1, .stages = 2, .cluster = 1};
    const char *at = text;
    while (*at) {
        uint32_t *field = field_of(&read, *at);
        uint32_t number = 0;
        const char *digit = at + 1;
        for (; *digit >= '0' && *digit <= '9' && number < 100000; digit++)
            number = number * 10 + (uint32_t)(*digit - '0');
        if (!field || digit == at + 1 || (!number && *at != 'R') || (*digit && *digit != ' '))
            return status_set(PRNN_E_INVALID,
                              "strategy '%.80s' is not understood at '%.16s', needed is like "
                              "'W8 S16 L32 V1 R2 C1'",
                              text, at);
        *field = number;
        at = digit;
        while (*at == ' ')
            at++;
    }
    if (!read.tile_chunks || !read.chunk || !read.lanes)
        return status_set(PRNN_E_INVALID, "strategy '%.80s' needs at least W, S and L", text);
    *out = read;
    return PRNN_OK;
}

prnn_status wish_read(struct wish *out, const char *text)
{
    char forward[STRATEGY_TEXT_ROOM];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : 0;
    prnn_status st;
    *out = (struct wish){.is_pair = slash != NULL};
    if (!slash) {
        st = strategy_read(&out->strategy[0], text);
        out->strategy[1] = out->strategy[0];
        return st;
    }
    while (length > 0 && text[length - 1] == ' ')
        length--;
    if (length >= sizeof forward)
        return status_set(PRNN_E_INVALID, "strategy '%.80s' is too long", text);
    memcpy(forward, text, length);
    forward[length] = '\0';
    if ((st = strategy_read(&out->strategy[0], forward)) < 0)
        return st;
    for (slash++; *slash == ' ';)
        slash++;
    return strategy_read(&out->strategy[1], slash);
}

void strategy_limit(struct strategy *strategy, enum assemble_kernel kernel)
{
    /* The backward pass has a ring, and unless its chunks are long keeps values of every step of
     * one in registers. */
    const struct assemble_options options = {.kernel = kernel, .strategy = *strategy};
    const bool is_long =
        assemble_is_long(&options) && strategy->stages > 0 && strategy->chunk % ASSEMBLE_SLICE == 0;
    while (kernel == ASSEMBLE_BACKWARD && strategy->tile_chunks > 1 && strategy->chunk > 8 &&
           !is_long)
        strategy->chunk /= 2;
    if (kernel == ASSEMBLE_BACKWARD && !strategy->stages)
        strategy->stages = 2;
}
