/* The macro dialect on the fiber shim: every thread is a fiber, and what the text does to shared
 * and global memory, at barriers and in shuffles is checked. GNU C, compiled as a shared object
 * whose undefined symbols are those of shim.c in the test program. */
#define PRNN_SHIM 1
#include "shim_text.h"

/* Functions and place. */
#define PRNN_FN static inline __attribute__((unused))
#define PRNN_CONST_FN PRNN_FN
struct prnn_launch;
#define PRNN_KERNEL(name, threads) PRNN_SHIM_KERNEL(name, threads)
#define PRNN_SHIM_KERNEL(name, threads)                                                            \
    static void name##_body(const struct prnn_launch *prnn_launch_);                               \
    __attribute__((visibility("default"))) void name(const struct prnn_launch *prnn_launch_);      \
    __attribute__((visibility("default"))) void name(const struct prnn_launch *prnn_launch_)       \
    {                                                                                              \
        shim_enter(__FILE__, __LINE__, (threads));                                                 \
        name##_body(prnn_launch_);                                                                 \
    }                                                                                              \
    static void name##_body(const struct prnn_launch *prnn_launch_ __attribute__((unused)))
#define PRNN_LAUNCH (prnn_launch_)
#define PRNN_TID ((prnn_i32)shim_self->tid)
#define PRNN_BID ((prnn_i32)shim_self->bid)
#define PRNN_UNROLL
#define PRNN_NO_UNROLL
#define PRNN_UNROLL_BY(n)
#define PRNN_RESTRICT __restrict__

/* Shared memory: views of one pool at constant offsets. */
#define PRNN_SHARED(T, s_name, offset, n)                                                          \
    static struct shim_site shim_site_##s_name;                                                    \
    T *const s_name __attribute__((unused)) = (T *)shim_view(                                      \
        &shim_site_##s_name, #s_name, (offset), (n), sizeof(T), _Alignof(T), __LINE__)
#define PRNN_SLD(s, i)                                                                             \
    (*(const __typeof__(*(s)) *)shim_shared_read((s), (i), sizeof *(s), 1, __LINE__))
#define PRNN_SST(s, i, v)                                                                          \
    ((void)({                                                                                      \
        __typeof__(*(s)) prnn_stored_ = (__typeof__(*(s)))(v);                                     \
        *(__typeof__(*(s)) *)shim_shared_write((s), (i), sizeof *(s), __LINE__) = prnn_stored_;    \
    }))
#define PRNN_SLD2(s, i, v0, v1)                                                                    \
    do {                                                                                           \
        const __typeof__(*(s)) *prnn_pair_ =                                                       \
            (const __typeof__(*(s)) *)shim_shared_read((s), (i), sizeof *(s), 2, __LINE__);        \
        (v0) = prnn_pair_[0];                                                                      \
        (v1) = prnn_pair_[1];                                                                      \
    } while (0)

/* Barriers: all threads of the block, at the same place. */
#define PRNN_BARRIER() ((void)shim_barrier(__LINE__, 0, 0))
#define PRNN_BARRIER_OR(p) shim_barrier(__LINE__, 1, (p) != 0)

/* Shuffles: 32 threads, all of them. */
#define PRNN_SHIM_SHUFFLE(v, kind, d, width)                                                       \
    ({                                                                                             \
        __typeof__((v) + 0) prnn_shuffled_ = (v);                                                  \
        shim_shuffle(&prnn_shuffled_, sizeof prnn_shuffled_, (kind), (int)(d), (width), __LINE__); \
        prnn_shuffled_;                                                                            \
    })
#define PRNN_SHFL_UP(v, d) PRNN_SHIM_SHUFFLE(v, SHIM_SHUFFLE_UP, d, 32)
#define PRNN_SHFL_DOWN(v, d) PRNN_SHIM_SHUFFLE(v, SHIM_SHUFFLE_DOWN, d, 32)
#define PRNN_SHFL(v, lane) PRNN_SHIM_SHUFFLE(v, SHIM_SHUFFLE_FROM, lane, 32)
/* Of a segment of 'width' threads, a power of two, all of them. */
#define PRNN_SHFL_XOR(v, d, width) PRNN_SHIM_SHUFFLE(v, SHIM_SHUFFLE_XOR, d, width)

/* Asynchronous copies land at WAIT, not before; until then the place holds 0xff bytes. */
#define PRNN_ASYNC_COPY16(s, i, g, valid)                                                          \
    shim_async_copy((s), (i), sizeof *(s), 16, (g), (valid) ? 1 : 0, __LINE__)
#define PRNN_ASYNC_COPY_ELEM(s, i, g, valid)                                                       \
    do {                                                                                           \
        const int prnn_valid_ = (valid) ? 1 : 0;                                                   \
        if (sizeof *(s) < 4)                                                                       \
            PRNN_SST(s, i, prnn_valid_ ? PRNN_GLD(g) : 0);                                         \
        else                                                                                       \
            shim_async_copy((s), (i), sizeof *(s), sizeof *(s), (g), prnn_valid_, __LINE__);       \
    } while (0)
#define PRNN_ASYNC_COMMIT() shim_async_commit()
#define PRNN_ASYNC_WAIT(n) shim_async_wait((n), __LINE__)

/* Clusters: blocks that run together and reach each other's shared memory. */
#define PRNN_CLUSTER_RANK ((prnn_i32)shim_self->rank)
#define PRNN_CLUSTER_BARRIER() shim_cluster_barrier(__LINE__)
#define PRNN_RST(s, rank, i, v)                                                                    \
    ((void)({                                                                                      \
        __typeof__(*(s)) prnn_stored_ = (__typeof__(*(s)))(v);                                     \
        *(__typeof__(*(s)) *)shim_remote_write((s), (rank), (i), sizeof *(s), __LINE__) =          \
            prnn_stored_;                                                                          \
    }))

/* Global memory. As the target of an assignment PRNN_GLD is counted as a read. */
#define PRNN_GLD(p) (*(__typeof__(*(p)) *)shim_global_read((p), sizeof *(p), __LINE__))
#define PRNN_HOPS(p, hop, times) ((char *)(p) + (prnn_i64)(hop) * (times))
#define PRNN_GLD_INPUT(p, v, is_last) ((void)(is_last), (void)((v) = PRNN_GLD(p)))
#define PRNN_GLD_INPUT2(p, v, w, is_last)                                                          \
    ((void)({                                                                                      \
        const __typeof__(*(p)) *prnn_pair_ = shim_global_read((p), 2 * sizeof *(p), __LINE__);     \
        (void)(is_last);                                                                           \
        (v) = prnn_pair_[0];                                                                       \
        (w) = prnn_pair_[1];                                                                       \
    }))
#define PRNN_GST(p, v)                                                                             \
    ((void)({                                                                                      \
        __typeof__(*(p)) prnn_stored_ = (__typeof__(*(p)))(v);                                     \
        *(__typeof__(*(p)) *)shim_global_write((p), sizeof *(p), 1, __LINE__) = prnn_stored_;      \
    }))
/* Two neighbours at an address aligned to both. */
#define PRNN_GST2(p, v0, v1)                                                                       \
    ((void)({                                                                                      \
        __typeof__(*(p)) prnn_stored_[2] = {(__typeof__(*(p)))(v0), (__typeof__(*(p)))(v1)};       \
        __builtin_memcpy(shim_global_write((p), sizeof *(p), 2, __LINE__), prnn_stored_,           \
                         sizeof prnn_stored_);                                                     \
    }))

/* Arithmetic. Fused only where the text says so. */
#define PRNN_FMA32(a, b, c) __builtin_fmaf(a, b, c)
#define PRNN_FMA64(a, b, c) __builtin_fma(a, b, c)
PRNN_FN float prnn_f32_of(unsigned int bits)
{
    float f;
    __builtin_memcpy(&f, &bits, sizeof f);
    return f;
}
PRNN_FN double prnn_f64_of(unsigned long long bits)
{
    double d;
    __builtin_memcpy(&d, &bits, sizeof d);
    return d;
}
PRNN_FN unsigned int prnn_bits_of_f32(float f)
{
    unsigned int bits;
    __builtin_memcpy(&bits, &f, sizeof bits);
    return bits;
}
PRNN_FN unsigned long long prnn_bits_of_f64(double d)
{
    unsigned long long bits;
    __builtin_memcpy(&bits, &d, sizeof bits);
    return bits;
}
#define PRNN_F32(bits) prnn_f32_of(bits)
#define PRNN_F64(bits) prnn_f64_of(bits)
#define PRNN_BITS32(f) prnn_bits_of_f32(f)
#define PRNN_BITS64(d) prnn_bits_of_f64(d)
PRNN_FN prnn_i32 prnn_bits_count(prnn_u32 bits)
{
    prnn_i32 count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}
#define PRNN_BITS_COUNT(bits) prnn_bits_count(bits)
#define PRNN_SQRT32(x) __builtin_sqrtf(x)
#define PRNN_SQRT64(x) __builtin_sqrt(x)
#define PRNN_DIV32(a, b) ((a) / (b))
#define PRNN_DIV64(a, b) ((a) / (b))
#define PRNN_ABS32(v) __builtin_fabsf(v)
#define PRNN_ABS64(v) __builtin_fabs(v)
#define PRNN_LARGER32(a, b) __builtin_fmaxf(a, b)
#define PRNN_LARGER64(a, b) __builtin_fmax(a, b)
#define PRNN_LARGER_OR_NAN32(a, b) ((a) != (a) || (a) > (b) ? (a) : (b))
#define PRNN_LARGER_OR_NAN64(a, b) ((a) != (a) || (a) > (b) ? (a) : (b))

/* The hardware's approximations: here the rounded function, with its flushing of subnormals. The
 * device may differ in the last bits (tanh: relative 2^-11). */
PRNN_FN float prnn_flushed(float x)
{
    return __builtin_fabsf(x) < 0x1p-126f ? x * 0.0f : x;
}
#define PRNN_EX2_APPROX(x) prnn_flushed(__builtin_exp2f(prnn_flushed(x)))
#define PRNN_RCP_APPROX(x) prnn_flushed(1.0f / prnn_flushed(x))
#define PRNN_TANH_APPROX(x) __builtin_tanhf(x)
#define PRNN_LG2_APPROX(x) prnn_flushed(__builtin_log2f(prnn_flushed(x)))
#define PRNN_RSQRT_APPROX(x) (1.0f / __builtin_sqrtf(prnn_flushed(x)))

#ifdef PRNN_REAL_F64
typedef double prnn_real;
#define PRNN_FMA(a, b, c) PRNN_FMA64(a, b, c)
#else
typedef float prnn_real;
#define PRNN_FMA(a, b, c) PRNN_FMA32(a, b, c)
#endif
