/* What a kernel of device_kernels.h is told, for the program and for the compiler of the device. */
#ifndef CHARLM_KERNEL_ARGS_H
#define CHARLM_KERNEL_ARGS_H

struct kernel_args {
    long long count, total; /* turns of the loop; what else is counted stands at the kernel */
    int rows, columns;
    void *p[5];
    const unsigned char *symbols;
    double number[8];
};

#define CHARLM_KERNELS(X)                                                                          \
    X(fill)                                                                                        \
    X(copy)                                                                                        \
    X(add)                                                                                         \
    X(fill_rows)                                                                                   \
    X(gather)                                                                                      \
    X(one_hot)                                                                                     \
    X(row_losses)                                                                                  \
    X(part_sums)                                                                                   \
    X(part_squares)                                                                                \
    X(adapt)

#endif
