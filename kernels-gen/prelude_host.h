/* The macro dialect for the CPU product: plain C, no includes. Only what has a meaning without
 * threads is here: a barrier, shared memory or a shuffle in a CPU text does not compile. */
#define PRNN_HOST 1

/* gcc threads jumps through chains of selects, and its vectoriser then works with masks on both
 * sides; and a vector of channels is one long chain of multiply-adds, which wants to be mixed with
 * its neighbours. Measured on the gated unit (gcc 12, AVX2): a quarter less time. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-thread-jumps", "schedule-insns")
#endif

#define PRNN_FN static inline __attribute__((always_inline, unused))
#define PRNN_CONST_FN PRNN_FN
#define PRNN_UNROLL _Pragma("GCC unroll 16")
#define PRNN_NO_UNROLL
#define PRNN_UNROLL_BY(n)
#define PRNN_RESTRICT __restrict__
#define PRNN_EXPORT __attribute__((visibility("default")))

#define PRNN_GLD(p) (*(p))
#define PRNN_GLD_INPUT(p, v, is_last) ((v) = *(p))
#define PRNN_GST(p, v) ((void)(*(p) = (v)))

#define PRNN_FMA32(a, b, c) __builtin_fmaf(a, b, c)
#define PRNN_FMA64(a, b, c) __builtin_fma(a, b, c)
PRNN_FN float prnn_f32_of(unsigned int bits) { float f; __builtin_memcpy(&f, &bits, sizeof f); return f; }
PRNN_FN double prnn_f64_of(unsigned long long bits) { double d; __builtin_memcpy(&d, &bits, sizeof d); return d; }
PRNN_FN unsigned int prnn_bits_of_f32(float f) { unsigned int bits; __builtin_memcpy(&bits, &f, sizeof bits); return bits; }
PRNN_FN unsigned long long prnn_bits_of_f64(double d) { unsigned long long bits; __builtin_memcpy(&bits, &d, sizeof bits); return bits; }
#define PRNN_F32(bits) prnn_f32_of(bits)
#define PRNN_F64(bits) prnn_f64_of(bits)
#define PRNN_BITS32(f) prnn_bits_of_f32(f)
#define PRNN_BITS64(d) prnn_bits_of_f64(d)
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

#ifdef PRNN_REAL_F64
typedef double prnn_real;
#define PRNN_FMA(a, b, c) PRNN_FMA64(a, b, c)
#else
typedef float prnn_real;
#define PRNN_FMA(a, b, c) PRNN_FMA32(a, b, c)
#endif
