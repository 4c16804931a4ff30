#include "intern.h"

#include <string.h>

uint32_t intern_hash(const char *text, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

void intern_init(struct intern *table, struct arena *arena)
{
    *table = (struct intern){.arena = arena, .slot_count = 64, .room = 32};
    table->slots = arena_array(arena, table->slot_count, sizeof *table->slots);
    table->names = arena_array(arena, table->room, sizeof *table->names);
    table->lengths = arena_array(arena, table->room, sizeof *table->lengths);
}

static uint32_t *find_slot(const struct intern *table, const char *text, size_t length)
{
    uint32_t i = intern_hash(text, length) & (table->slot_count - 1);
    for (;; i = (i + 1) & (table->slot_count - 1)) {
        const uint32_t entry = table->slots[i];
        if (entry == 0 || (table->lengths[entry - 1] == length &&
                           memcmp(table->names[entry - 1], text, length) == 0))
            return &table->slots[i];
    }
}

static void grow(struct intern *table)
{
    table->names =
        arena_grow(table->arena, table->names, table->count, table->room * 2, sizeof *table->names);
    table->lengths = arena_grow(table->arena, table->lengths, table->count, table->room * 2,
                                sizeof *table->lengths);
    table->room *= 2;
    table->slot_count *= 2;
    table->slots = arena_array(table->arena, table->slot_count, sizeof *table->slots);
    for (uint32_t i = 0; i < table->count; i++)
        *find_slot(table, table->names[i], table->lengths[i]) = i + 1;
}

uint32_t intern_add(struct intern *table, const char *text, size_t length)
{
    uint32_t *slot = find_slot(table, text, length);
    if (*slot)
        return *slot - 1;
    if (table->count == table->room) {
        grow(table);
        slot = find_slot(table, text, length);
    }
    table->names[table->count] = arena_strndup(table->arena, text, length);
    table->lengths[table->count] = (uint32_t)length;
    *slot = ++table->count;
    return table->count - 1;
}

const char *intern_name(struct intern *table, const char *text, size_t length)
{
    const uint32_t number = intern_add(table, text, length); /* before 'names', which it may move */
    return table->names[number];
}
