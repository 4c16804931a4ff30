/* What 'bench' has measured, and how it is printed. */
#ifndef PRNN_BENCH_ROWS_H
#define PRNN_BENCH_ROWS_H

#include "shape_list.h"
#include "textbuf.h"

/* One measurement. What was not measured, or has no meaning, is NaN or NULL. */
struct bench_row {
    const char *cell, *device, *dtype, *math, *direction;
    struct shape shape;
    const char *strategy;
    double seconds, fewest; /* median, and the shortest */
    double elements;        /* batch * seq_len * channels */
    double bytes;           /* of sequence tensors, read and written once */
    double evaluate;        /* seconds of the step's functions alone; CPU */
    double copy;            /* seconds of moving as many bytes */
    /* Of a GPU: */
    double special;  /* seconds of the special-function results of the strategy's runs */
    double expected; /* seconds as the plan predicts them, or as 'tune' measured them */
    const char *sequential_strategy;
    double sequential; /* seconds of the best kernel that runs in order */
    double per_step;   /* seconds with one step a chunk */
    double corrections, mismatch;
    const char *verdict; /* "fine", or what was wrong */
};

struct bench_rows {
    struct arena *arena;
    struct bench_row *rows;
    uint32_t count, room;
    double bandwidth;      /* bytes a second of a copy; 0: unknown */
    const char *copied_by; /* "with 2 threads", "on cuda:0" */
    bool is_device;
};

struct bench_row bench_row_empty(void);
struct bench_row *bench_rows_add(struct bench_rows *rows);

/* The larger of the times that no kernel could beat. */
double bench_row_floor(const struct bench_row *row);

void bench_rows_table(struct textbuf *out, const struct bench_rows *rows);
void bench_rows_csv_head(struct textbuf *out);
void bench_rows_csv_row(struct textbuf *out, const struct bench_row *row);
void bench_rows_json(struct textbuf *out, const struct bench_rows *rows);
/* Bars of time over floor. */
void bench_rows_svg(struct textbuf *out, const struct bench_rows *rows);

#endif
