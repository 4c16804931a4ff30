/* The macro dialect on a CUDA device, for NVRTC: no header is included.
 *
 * Raw intrinsics and inline assembly stand here and nowhere else. Every macro has a meaning in plain
 * C too: prelude_host.h for the CPU product, tests/shim/prelude_shim.h for the checked execution of
 * the same text thread by thread. */
#define PRNN_CUDA 1

/* Functions and place. */
#define PRNN_FN static __device__ __forceinline__
#define PRNN_CONST_FN static constexpr __device__ __forceinline__
/* Shared memory bounds the thread blocks of a multiprocessor; told so, the compiler gives a thread
 * the registers that are left. */
#define PRNN_KERNEL(name, threads)                                                                 \
    extern "C" __global__ void __launch_bounds__(threads,                                          \
                                                 (threads) == PRNN_THREADS ? PRNN_MIN_BLOCKS : 1)  \
        name(const __grid_constant__ struct prnn_launch prnn_launch_)
#define PRNN_LAUNCH (&prnn_launch_)
#define PRNN_TID ((prnn_i32)threadIdx.x)
#define PRNN_BID ((prnn_i32)blockIdx.x)
#define PRNN_UNROLL _Pragma("unroll")
#define PRNN_NO_UNROLL _Pragma("unroll 1")
#define PRNN_PRAGMA_(text) _Pragma(#text)
#define PRNN_UNROLL_BY(n) PRNN_PRAGMA_(unroll n)
#define PRNN_RESTRICT __restrict__

/* Shared memory: views of one pool at constant offsets. */
extern __shared__ __align__(128) unsigned char prnn_pool[];
#define PRNN_SHARED(T, s_name, offset, n) T *const s_name = (T *)(prnn_pool + (offset))
#define PRNN_SLD(s, i) ((s)[i])
#define PRNN_SST(s, i, v) ((void)((s)[i] = (v)))
/* Two neighbours at an even index, as one access of the hardware. */
struct __align__(4) prnn_pair16 { unsigned short a, b; };
struct __align__(8) prnn_pair32 { float a, b; };
struct __align__(16) prnn_pair64 { double a, b; };
PRNN_FN struct prnn_pair16 prnn_pair_at(const unsigned short *p) { return *(const struct prnn_pair16 *)p; }
PRNN_FN struct prnn_pair32 prnn_pair_at(const float *p) { return *(const struct prnn_pair32 *)p; }
PRNN_FN struct prnn_pair64 prnn_pair_at(const double *p) { return *(const struct prnn_pair64 *)p; }
#define PRNN_SLD2(s, i, v0, v1)                                                                    \
    do {                                                                                           \
        auto prnn_pair_ = prnn_pair_at((s) + (i));                                                 \
        (v0) = prnn_pair_.a;                                                                       \
        (v1) = prnn_pair_.b;                                                                       \
    } while (0)

/* Barriers: all threads of the block, at the same place. */
#define PRNN_BARRIER() __syncthreads()
#define PRNN_BARRIER_OR(p) __syncthreads_or(p)

/* Shuffles: 32 threads, all of them. */
#define PRNN_SHFL_UP(v, d) __shfl_up_sync(0xffffffffu, v, d)
#define PRNN_SHFL_DOWN(v, d) __shfl_down_sync(0xffffffffu, v, d)
#define PRNN_SHFL(v, lane) __shfl_sync(0xffffffffu, v, lane)
/* From the thread whose lane differs in the bits of d; all threads of a segment of 'width', a power of two. */
#define PRNN_SHFL_XOR(v, d, width) __shfl_xor_sync(prnn_segment_mask(width), v, d)
PRNN_FN unsigned prnn_segment_mask(int width)
{
    return width == 32 ? 0xffffffffu : ((1u << width) - 1) << (threadIdx.x % 32 & -width);
}

/* Asynchronous copy of 16 bytes from global memory to element i of s; 'valid' 0: zeros instead, and
 * nothing is read. Seen by all after WAIT and a barrier. WAIT(n): all but the last n groups. */
#define PRNN_ASYNC_COPY16(s, i, g, valid)                                                          \
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(                            \
                     (unsigned)__cvta_generic_to_shared((s) + (i))),                               \
                 "l"(g), "r"((valid) ? 16 : 0)                                                     \
                 : "memory")
/* ... and of one element; what is smaller than 4 bytes is there at once. */
PRNN_FN void prnn_async_copy_elem(float *s, const float *g, int valid)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"((unsigned)__cvta_generic_to_shared(s)), "l"(g), "r"(valid ? 4 : 0) : "memory");
}
PRNN_FN void prnn_async_copy_elem(double *s, const double *g, int valid)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"((unsigned)__cvta_generic_to_shared(s)), "l"(g), "r"(valid ? 8 : 0) : "memory");
}
PRNN_FN void prnn_async_copy_elem(prnn_u32 *s, const prnn_u32 *g, int valid)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"((unsigned)__cvta_generic_to_shared(s)), "l"(g), "r"(valid ? 4 : 0) : "memory");
}
PRNN_FN void prnn_async_copy_elem(unsigned short *s, const unsigned short *g, int valid)
{
    *s = valid ? *g : (unsigned short)0;
}
#define PRNN_ASYNC_COPY_ELEM(s, i, g, valid) prnn_async_copy_elem((s) + (i), g, valid)
#define PRNN_ASYNC_COMMIT() asm volatile("cp.async.commit_group;" ::: "memory")
#define PRNN_ASYNC_WAIT(n) asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory")

/* Clusters: blocks that run together and reach each other's shared memory. */
PRNN_FN unsigned prnn_cluster_rank(void)
{
    unsigned rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}
#define PRNN_CLUSTER_RANK ((prnn_i32)prnn_cluster_rank())
#define PRNN_CLUSTER_BARRIER()                                                                     \
    asm volatile("barrier.cluster.arrive.aligned;\n\tbarrier.cluster.wait.aligned;" ::: "memory")
PRNN_FN unsigned prnn_remote_address(const void *s, int rank)
{
    unsigned local = (unsigned)__cvta_generic_to_shared(s), remote;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(local), "r"(rank));
    return remote;
}
PRNN_FN void prnn_remote_store(float *s, int rank, float v)
{
    asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(prnn_remote_address(s, rank)), "f"(v) : "memory");
}
PRNN_FN void prnn_remote_store(double *s, int rank, double v)
{
    asm volatile("st.shared::cluster.f64 [%0], %1;" ::"r"(prnn_remote_address(s, rank)), "d"(v) : "memory");
}
PRNN_FN void prnn_remote_store(prnn_i32 *s, int rank, prnn_i32 v)
{
    asm volatile("st.shared::cluster.s32 [%0], %1;" ::"r"(prnn_remote_address(s, rank)), "r"(v) : "memory");
}
/* Store to element i of the same array of another block of the cluster (or one's own). */
#define PRNN_RST(s, rank, i, v) prnn_remote_store((s) + (i), rank, v)

/* Global memory. Input: of a tensor that nobody writes while the kernel runs, so that stores do not stand in the way of
 * asking for it early; last: not read again by this kernel, so it need not stay in a cache. Input2: two neighbours at an
 * address aligned to both. */
#define PRNN_GLD(p) (*(p))
PRNN_FN void prnn_input_load(const float *p, float *v, int is_last)
{
    if (is_last)
        asm("ld.global.cs.nc.f32 %0, [%1];" : "=f"(*v) : "l"(p));
    else
        asm("ld.global.nc.f32 %0, [%1];" : "=f"(*v) : "l"(p));
}
PRNN_FN void prnn_input_load(const double *p, double *v, int is_last)
{
    if (is_last)
        asm("ld.global.cs.nc.f64 %0, [%1];" : "=d"(*v) : "l"(p));
    else
        asm("ld.global.nc.f64 %0, [%1];" : "=d"(*v) : "l"(p));
}
PRNN_FN void prnn_input_load(const unsigned short *p, unsigned short *v, int is_last)
{
    if (is_last)
        asm("ld.global.cs.nc.u16 %0, [%1];" : "=h"(*v) : "l"(p));
    else
        asm("ld.global.nc.u16 %0, [%1];" : "=h"(*v) : "l"(p));
}
PRNN_FN void prnn_input_load(const prnn_u32 *p, prnn_u32 *v, int is_last)
{
    if (is_last)
        asm("ld.global.cs.nc.u32 %0, [%1];" : "=r"(*v) : "l"(p));
    else
        asm("ld.global.nc.u32 %0, [%1];" : "=r"(*v) : "l"(p));
}
PRNN_FN void prnn_input_load2(const float *p, float *v, float *w, int is_last)
{
    if (is_last)
        asm("ld.global.cs.nc.v2.f32 {%0, %1}, [%2];" : "=f"(*v), "=f"(*w) : "l"(p));
    else
        asm("ld.global.nc.v2.f32 {%0, %1}, [%2];" : "=f"(*v), "=f"(*w) : "l"(p));
}
PRNN_FN void prnn_input_load2(const double *p, double *v, double *w, int is_last)
{
    if (is_last)
        asm("ld.global.cs.nc.v2.f64 {%0, %1}, [%2];" : "=d"(*v), "=d"(*w) : "l"(p));
    else
        asm("ld.global.nc.v2.f64 {%0, %1}, [%2];" : "=d"(*v), "=d"(*w) : "l"(p));
}
#define PRNN_GLD_INPUT(p, v, is_last) prnn_input_load(p, &(v), is_last)
#define PRNN_GLD_INPUT2(p, v, w, is_last) prnn_input_load2(p, &(v), &(w), is_last)
/* p and 'times' hops of so many bytes. One instruction: the compiler would take the hop out of loops as 64 bits, of which
 * a product takes three, and of one mad.wide the assembler makes two shifts. */
#define PRNN_HOPS(p, hop, times) prnn_hops(p, hop, times)
PRNN_FN char *prnn_hops(const char *p, prnn_i32 hop, prnn_i32 times)
{
    char *there;
    if (times == 0)
        return (char *)p;
    asm("{\n\t.reg .b64 by;\n\tmul.wide.s32 by, %1, %2;\n\tadd.s64 %0, by, %3;\n\t}" : "=l"(there) : "r"(hop), "r"(times), "l"(p));
    return there;
}
/* Streaming stores: written once, not read again by this kernel. */
#define PRNN_GST(p, v) prnn_stream_store(p, v)
PRNN_FN void prnn_stream_store(float *p, float v) { asm volatile("st.global.cs.f32 [%0], %1;" ::"l"(p), "f"(v) : "memory"); }
PRNN_FN void prnn_stream_store(double *p, double v) { asm volatile("st.global.cs.f64 [%0], %1;" ::"l"(p), "d"(v) : "memory"); }
PRNN_FN void prnn_stream_store(unsigned short *p, unsigned short v) { asm volatile("st.global.cs.u16 [%0], %1;" ::"l"(p), "h"(v) : "memory"); }
PRNN_FN void prnn_stream_store2(float *p, float v, float w) { asm volatile("st.global.cs.v2.f32 [%0], {%1, %2};" ::"l"(p), "f"(v), "f"(w) : "memory"); }
PRNN_FN void prnn_stream_store2(double *p, double v, double w) { asm volatile("st.global.cs.v2.f64 [%0], {%1, %2};" ::"l"(p), "d"(v), "d"(w) : "memory"); }
PRNN_FN void prnn_stream_store2(unsigned short *p, unsigned short v, unsigned short w) { asm volatile("st.global.cs.v2.u16 [%0], {%1, %2};" ::"l"(p), "h"(v), "h"(w) : "memory"); }
/* Two neighbours at an address aligned to both. */
#define PRNN_GST2(p, v0, v1) prnn_stream_store2(p, v0, v1)

/* Arithmetic. Fused only where the text says so. */
#define PRNN_FMA32(a, b, c) __fmaf_rn(a, b, c)
#define PRNN_FMA64(a, b, c) __fma_rn(a, b, c)
#define PRNN_F32(bits) __uint_as_float(bits)
#define PRNN_F64(bits) __longlong_as_double((long long)(bits))
#define PRNN_BITS32(f) __float_as_uint(f)
#define PRNN_BITS64(d) ((unsigned long long)__double_as_longlong(d))
#define PRNN_BITS_COUNT(bits) __popc(bits)
#define PRNN_SQRT32(x) __fsqrt_rn(x)
#define PRNN_SQRT64(x) __dsqrt_rn(x)
#define PRNN_DIV32(a, b) __fdiv_rn(a, b)
#define PRNN_DIV64(a, b) __ddiv_rn(a, b)
#define PRNN_ABS32(v) fabsf(v)
#define PRNN_ABS64(v) fabs(v)
/* The larger; a NaN is passed over. */
#define PRNN_LARGER32(a, b) fmaxf(a, b)
#define PRNN_LARGER64(a, b) fmax(a, b)
/* The larger, or NaN if one is. */
PRNN_FN float prnn_larger_or_nan(float a, float b) { float y; asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
#define PRNN_LARGER_OR_NAN32(a, b) prnn_larger_or_nan(a, b)
#define PRNN_LARGER_OR_NAN64(a, b) ((a) != (a) || (a) > (b) ? (a) : (b))
PRNN_FN float prnn_ex2_approx(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
PRNN_FN float prnn_rcp_approx(float x) { float y; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
PRNN_FN float prnn_tanh_approx(float x) { float y; asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
PRNN_FN float prnn_lg2_approx(float x) { float y; asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
PRNN_FN float prnn_rsqrt_approx(float x) { float y; asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
#define PRNN_EX2_APPROX(x) prnn_ex2_approx(x)
#define PRNN_RCP_APPROX(x) prnn_rcp_approx(x)
#define PRNN_TANH_APPROX(x) prnn_tanh_approx(x)
#define PRNN_LG2_APPROX(x) prnn_lg2_approx(x)
#define PRNN_RSQRT_APPROX(x) prnn_rsqrt_approx(x)
/* To 16 bits in one instruction; bits as in storage.h but for those of a NaN. */
PRNN_FN unsigned short prnn_cvt_f32_to_bf16(float x) { unsigned short y; asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x)); return y; }
PRNN_FN unsigned short prnn_cvt_f32_to_f16(float x) { unsigned short y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x)); return y; }
PRNN_FN float prnn_cvt_f16_to_f32(unsigned short x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x)); return y; }
PRNN_FN prnn_u32 prnn_cvt_f32_to_halves(float low, float high) { prnn_u32 y; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low)); return y; }
#define PRNN_F32_TO_BF16(x) prnn_cvt_f32_to_bf16(x)
#define PRNN_F32_TO_F16(x) prnn_cvt_f32_to_f16(x)
#define PRNN_F16_TO_F32(x) prnn_cvt_f16_to_f32(x)
#define PRNN_F32_TO_HALVES(low, high) prnn_cvt_f32_to_halves(low, high)

#ifdef PRNN_REAL_F64
typedef double prnn_real;
#define PRNN_FMA(a, b, c) PRNN_FMA64(a, b, c)
#else
typedef float prnn_real;
#define PRNN_FMA(a, b, c) PRNN_FMA32(a, b, c)
#endif
