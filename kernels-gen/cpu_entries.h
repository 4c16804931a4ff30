/* Requires  cpu_forward.h; with PRNN_CPU_BACKWARD 1 also cpu_backward.h; cell_functions()
 * Provides  the exported table 'prnn_cpu_entries' of abi.h */

/* The functions of one step on numbers that never leave the first-level cache. */
static double cpu_evaluate_only(prnn_i64 count)
{
    prnn_real v[PRNN_CPU_GROUP], sum[PRNN_CPU_GROUP];
    double total = 0;
    for (int c = 0; c < PRNN_CPU_GROUP; c++) {
        v[c] = (prnn_real)(c + 1) / (prnn_real)PRNN_CPU_GROUP;
        sum[c] = 0;
    }
    for (prnn_i64 done = 0; done < count; done += PRNN_CPU_GROUP) {
        CPU_SIMD
        for (int c = 0; c < PRNN_CPU_GROUP; c++) {
            sum[c] += cell_functions(v[c]);
            v[c] = (prnn_real)0.9375 * v[c] + (prnn_real)0.03125;
        }
    }
    for (int c = 0; c < PRNN_CPU_GROUP; c++)
        total += (double)sum[c];
    return total;
}

extern const struct prnn_cpu_entries prnn_cpu_entries;
PRNN_EXPORT const struct prnn_cpu_entries prnn_cpu_entries = {
    PRNN_ABI_VERSION,
    sizeof(prnn_given),
    sizeof(prnn_elem),
    {PRNN_STATES, PRNN_INPUTS, PRNN_PARAMS, PRNN_OUTPUTS},
    cpu_forward,
#if PRNN_CPU_BACKWARD
    cpu_backward,
#else
    0,
#endif
    cpu_evaluate_only,
};
