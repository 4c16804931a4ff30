/* The inputs of a lane, brought to shared memory ahead of its steps by copies of its own: where few warps run they would wait
 * for every load, for the assembler puts loads behind the steps of a loop, whatever their order in the text.
 *
 * Requires  lane.h; PRNN_LANE_AHEAD >= 2, PRNN_S_ROWS
 * Provides  struct lane_row; struct lane_reader, lane_reader_begin(), lane_reader_next(); lane_row_get()
 * Layout    s_rows [PRNN_LANE_AHEAD][PRNN_INPUTS][threads]; a word has the element, of 16 bits twice, or with its neighbour,
 *           where threads have two channels
 * Launch    any thread that has no other asynchronous copies under way */
#if PRNN_STORAGE == 16 || PRNN_STORAGE == 116
typedef prnn_u32 lane_word;
#else
typedef prnn_elem lane_word;
#endif
#define AT_ROW(slot, i) ((slot) + (i) * PRNN_THREADS + PRNN_TID)
#define PRNN_ROW_WORDS (PRNN_INPUTS * PRNN_THREADS)
#define SHARED_ROWS PRNN_SHARED(lane_word, s_rows, PRNN_S_ROWS, PRNN_LANE_AHEAD *PRNN_INPUTS *PRNN_THREADS)

/* What a step reads. */
struct lane_row {
    lane_word x[PRNN_INPUTS + 1];
    int is_reset;
};

struct lane_reader {
    const prnn_elem *x[PRNN_INPUTS + 1]; /* where it asks next */
    prnn_i64 hop[PRNN_INPUTS + 1];
    prnn_i64 t, end; /* the step that is taken next; behind the last one */
    prnn_i32 rest;   /* steps that are not asked for; behind the last less than none */
    prnn_i32 slot;   /* where the step is that is taken next */
    int is_aligned;
};

/* Ask for the inputs of a step where the reader is; behind the last for nothing. */
PRNN_FN void lane_reader_ask(struct lane_reader *reader, prnn_i32 slot)
{
    SHARED_ROWS;
    const int is_wanted = reader->rest > 0;
    reader->rest--;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
#if PRNN_STORAGE == 16 || PRNN_STORAGE == 116
        if (PRNN_VC == 2 && !cell_input_is_shared(i) && reader->is_aligned)
            PRNN_ASYNC_COPY_ELEM(s_rows, AT_ROW(slot, i), (const lane_word *)reader->x[i], is_wanted);
        else
            PRNN_SST(s_rows, AT_ROW(slot, i), is_wanted ? PRNN_GLD(reader->x[i]) * 0x10001u : 0u);
#else
        PRNN_ASYNC_COPY_ELEM(s_rows, AT_ROW(slot, i), reader->x[i], is_wanted);
#endif
    }
    PRNN_ASYNC_COMMIT();
}

/* Before a step is asked for, not behind: a copy takes its time to read its address. */
PRNN_FN void lane_reader_move(struct lane_reader *reader)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++)
        reader->x[i] += reader->hop[i];
}

/* Read 'steps' steps from t on. */
PRNN_FN void lane_reader_begin(struct lane_reader *reader, const struct lane *lane, const struct prnn_launch *launch,
                               prnn_i64 t, prnn_i32 steps)
{
    const int has_pairs = sizeof(lane_word) > sizeof(prnn_elem) && PRNN_VC == 2 && launch->head.is_aligned;
    reader->t = t;
    reader->end = t + steps;
    reader->rest = steps;
    reader->slot = 0;
    reader->is_aligned = launch->head.is_aligned;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_X + i];
        const prnn_i64 channel = lane->at.channel - (has_pairs ? lane->c % 2 : 0);
        reader->x[i] = (const prnn_elem *)arg->base + place_offset(arg, &lane->at, t) +
                       (cell_input_is_shared(i) ? 0 : channel);
        reader->hop[i] = place_sign(&lane->at) * arg->stride_t;
    }
    PRNN_NO_UNROLL
    for (prnn_i32 slot = 0; slot < PRNN_LANE_AHEAD * PRNN_ROW_WORDS; slot += PRNN_ROW_WORDS) {
        if (slot > 0)
            lane_reader_move(reader);
        lane_reader_ask(reader, slot);
    }
}

/* Take the next step, zeros behind the last, and ask for a later one over it. */
PRNN_FN void lane_reader_next(struct lane_reader *reader, const struct lane *lane, const struct prnn_launch *launch,
                              struct lane_row *row)
{
    SHARED_ROWS;
    lane_reader_move(reader);
    PRNN_ASYNC_WAIT(PRNN_LANE_AHEAD - 1);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++)
        row->x[i] = PRNN_SLD(s_rows, AT_ROW(reader->slot, i));
    row->is_reset = reader->t < reader->end && step_is_reset(launch, &lane->at, reader->t);
    lane_reader_ask(reader, reader->slot);
    reader->slot += PRNN_ROW_WORDS;
    if (reader->slot == PRNN_LANE_AHEAD * PRNN_ROW_WORDS)
        reader->slot = 0;
    reader->t++;
}

PRNN_FN void lane_row_get(const struct lane_row *row, const struct lane *lane, prnn_real *x)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
#if PRNN_STORAGE == 16 || PRNN_STORAGE == 116
        const int is_second = !cell_input_is_shared(i) && lane->c % 2;
        x[i] = (prnn_real)PRNN_TO_REAL((prnn_elem)(is_second ? row->x[i] >> 16 : row->x[i] & 0xffffu));
#else
        (void)lane;
        x[i] = (prnn_real)PRNN_TO_REAL(row->x[i]);
#endif
    }
}
