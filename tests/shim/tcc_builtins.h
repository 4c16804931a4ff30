/* What tcc lacks of gcc's builtins, for kernel texts that it compiles: included ahead of the text.
 */
float fmaf(float, float, float), fabsf(float), sqrtf(float), fmaxf(float, float);
float exp2f(float), tanhf(float), log2f(float);
double fma(double, double, double), fabs(double), sqrt(double), fmax(double, double);
void *memcpy(void *, const void *, unsigned long);
#define __builtin_fmaf fmaf
#define __builtin_fma fma
#define __builtin_fabsf fabsf
#define __builtin_fabs fabs
#define __builtin_sqrtf sqrtf
#define __builtin_sqrt sqrt
#define __builtin_fmaxf fmaxf
#define __builtin_fmax fmax
#define __builtin_exp2f exp2f
#define __builtin_tanhf tanhf
#define __builtin_log2f log2f
#define __builtin_memcpy memcpy
#define __atomic_store_n(place, value, order) (*(place) = (value))
#define _Pragma(text)
