// What the host's C++ compiler needs to read CUDA C++: the language's words, vector types, atomics, warp operations
// and the functions that NVRTC knows without a header. Compiled in front of the prelude, by `sim` only.
//
// Every load and store that the compiler emits for a kernel is checked by the runtime (see the runtime folder). Functions
// marked WF_UNCHECKED are the shim's own; they announce what they touch themselves.
#define WF_SIM 1
#define WF_UNCHECKED __attribute__((no_sanitize("thread")))
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static const
#define __shared__ static __attribute__((section("wf_shared"), used))

struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };

extern "C" {
// Constant for the whole life of a fiber, so the compiler may keep the results.
__attribute__((const)) dim3 wf_thread_idx();
__attribute__((const)) dim3 wf_block_idx();
__attribute__((const)) dim3 wf_block_dim();
__attribute__((const)) dim3 wf_grid_dim();
__attribute__((const)) void* wf_dynamic_shared();
unsigned wf_barrier(int line, int kind, unsigned predicate);
unsigned long long wf_warp(int kind, unsigned mask, unsigned long long value, unsigned lane);
void wf_yield();
void wf_atomic(void* address, unsigned bytes);
void wf_read(const void* address, unsigned long bytes);
void wf_write(void* address, unsigned long bytes);
void wf_trap();
double floor(double); double ceil(double); double trunc(double); double round(double); double rint(double);
double sqrt(double); double cbrt(double); double exp(double); double exp2(double); double log(double);
double log2(double); double log10(double); double pow(double, double); double fmod(double, double);
double sin(double); double cos(double); double tan(double); double asin(double); double acos(double);
double atan(double); double atan2(double, double); double sinh(double); double cosh(double); double tanh(double);
double asinh(double); double acosh(double); double atanh(double); double fabs(double); double fma(double, double, double);
float floorf(float); float ceilf(float); float truncf(float); float roundf(float); float rintf(float);
float sqrtf(float); float fabsf(float); float fmodf(float, float); float fmaf(float, float, float);
double expm1(double); double log1p(double); double hypot(double, double);
float cbrtf(float); float expf(float); float logf(float); float log2f(float); float log10f(float);
float powf(float, float); float sinf(float); float cosf(float); float tanf(float);
float asinf(float); float acosf(float); float atanf(float); float atan2f(float, float);
float sinhf(float); float coshf(float); float tanhf(float);
}

#define threadIdx (wf_thread_idx())
#define blockIdx (wf_block_idx())
#define blockDim (wf_block_dim())
#define gridDim (wf_grid_dim())
#define warpSize 32

#define __syncthreads() ((void)wf_barrier(__LINE__, 0, 0))
#define __syncthreads_count(p) ((int)wf_barrier(__LINE__, 1, (p) ? 1u : 0u))
#define __syncthreads_and(p) ((int)wf_barrier(__LINE__, 2, (p) ? 1u : 0u))
#define __syncthreads_or(p) ((int)wf_barrier(__LINE__, 3, (p) ? 1u : 0u))
static inline void __threadfence() { __asm__ volatile("" ::: "memory"); }
static inline void __threadfence_block() { __asm__ volatile("" ::: "memory"); }
static inline void __threadfence_system() { __asm__ volatile("" ::: "memory"); }
static inline void __nanosleep(unsigned) { wf_yield(); }
static inline void __trap() { wf_trap(); }

// Warp operations. The bits of a value travel as one 64-bit word.
template <class T> WF_UNCHECKED static inline unsigned long long wf_bits(T value) {
  static_assert(sizeof(T) <= 8, "a shuffle takes at most 8 bytes");
  unsigned long long bits = 0;
  __builtin_memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T> WF_UNCHECKED static inline T wf_value(unsigned long long bits) {
  T value;
  __builtin_memcpy(&value, &bits, sizeof(T));
  return value;
}
extern "C" __attribute__((const)) unsigned wf_lane();
template <class T> WF_UNCHECKED static inline T __shfl_sync(unsigned mask, T v, int source, int width = 32) {
  unsigned lane = wf_lane(), base = lane & ~(unsigned)(width - 1);
  return wf_value<T>(wf_warp(1, mask, wf_bits(v), base + ((unsigned)source & (width - 1))));
}
template <class T> WF_UNCHECKED static inline T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32) {
  unsigned lane = wf_lane(), base = lane & ~(unsigned)(width - 1);
  return wf_value<T>(wf_warp(1, mask, wf_bits(v), lane - base >= delta ? lane - delta : lane));
}
template <class T> WF_UNCHECKED static inline T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32) {
  unsigned lane = wf_lane(), base = lane & ~(unsigned)(width - 1);
  return wf_value<T>(wf_warp(1, mask, wf_bits(v), lane - base + delta < (unsigned)width ? lane + delta : lane));
}
template <class T> WF_UNCHECKED static inline T __shfl_xor_sync(unsigned mask, T v, int x, int width = 32) {
  unsigned lane = wf_lane(), other = lane ^ (unsigned)x, base = lane & ~(unsigned)(width - 1);
  return wf_value<T>(wf_warp(1, mask, wf_bits(v), other < base + width ? other : lane));
}
static inline void __syncwarp(unsigned mask = 0xffffffffu) { wf_warp(0, mask, 0, 0); }
static inline unsigned __ballot_sync(unsigned mask, int p) { return (unsigned)wf_warp(2, mask, p != 0, 0); }
static inline int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
static inline int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, !p) == 0; }
template <class T> static inline unsigned __match_any_sync(unsigned mask, T v) {
  return (unsigned)wf_warp(3, mask, wf_bits(v), 0);
}
template <class T> static inline unsigned __match_all_sync(unsigned mask, T v, int* all) {
  unsigned same = (unsigned)wf_warp(4, mask, wf_bits(v), 0);
  *all = same != 0;
  return same;
}
static inline unsigned __reduce_add_sync(unsigned mask, unsigned v) { return (unsigned)wf_warp(5, mask, v, 0); }
static inline int __reduce_add_sync(unsigned mask, int v) { return (int)wf_warp(5, mask, (unsigned)v, 0); }
static inline unsigned __reduce_min_sync(unsigned mask, unsigned v) { return (unsigned)wf_warp(6, mask, v, 0); }
static inline unsigned __reduce_max_sync(unsigned mask, unsigned v) { return (unsigned)wf_warp(7, mask, v, 0); }
static inline int __reduce_min_sync(unsigned mask, int v) { return (int)wf_warp(8, mask, (unsigned)v, 0); }
static inline int __reduce_max_sync(unsigned mask, int v) { return (int)wf_warp(9, mask, (unsigned)v, 0); }
static inline unsigned __reduce_and_sync(unsigned mask, unsigned v) { return (unsigned)wf_warp(10, mask, v, 0); }
static inline unsigned __reduce_or_sync(unsigned mask, unsigned v) { return (unsigned)wf_warp(11, mask, v, 0); }
static inline unsigned __reduce_xor_sync(unsigned mask, unsigned v) { return (unsigned)wf_warp(12, mask, v, 0); }

// Atomics. Fibers are not preempted inside, so plain operations do.
#define WF_ATOMIC(name, T, expression)                                          \
  WF_UNCHECKED static inline T name(T* address, T v) {                          \
    wf_atomic((void*)address, sizeof(T));                                       \
    T old = *(volatile T*)address;                                              \
    *(volatile T*)address = (expression);                                       \
    return old;                                                                 \
  }                                                                             \
  static inline T name##_block(T* address, T v) { return name(address, v); }    \
  static inline T name##_system(T* address, T v) { return name(address, v); }
#define WF_ATOMIC_INTEGERS(name, expression)  \
  WF_ATOMIC(name, int, expression)            \
  WF_ATOMIC(name, unsigned, expression)       \
  WF_ATOMIC(name, unsigned long long, expression)
WF_ATOMIC(atomicAdd, int, (int)((unsigned)old + (unsigned)v))
WF_ATOMIC(atomicAdd, unsigned, old + v)
WF_ATOMIC(atomicAdd, unsigned long long, old + v)
WF_ATOMIC(atomicAdd, float, old + v)
WF_ATOMIC(atomicAdd, double, old + v)
WF_ATOMIC(atomicSub, int, (int)((unsigned)old - (unsigned)v))
WF_ATOMIC(atomicSub, unsigned, old - v)
WF_ATOMIC_INTEGERS(atomicExch, v)
WF_ATOMIC(atomicExch, float, v)
WF_ATOMIC_INTEGERS(atomicMin, old < v ? old : v)
WF_ATOMIC(atomicMin, long long, old < v ? old : v)
WF_ATOMIC_INTEGERS(atomicMax, old > v ? old : v)
WF_ATOMIC(atomicMax, long long, old > v ? old : v)
WF_ATOMIC_INTEGERS(atomicAnd, old & v)
WF_ATOMIC_INTEGERS(atomicOr, old | v)
WF_ATOMIC_INTEGERS(atomicXor, old ^ v)
WF_ATOMIC(atomicInc, unsigned, old >= v ? 0u : old + 1u)
WF_ATOMIC(atomicDec, unsigned, old == 0u || old > v ? v : old - 1u)
#define WF_ATOMIC_CAS(T)                                                        \
  WF_UNCHECKED static inline T atomicCAS(T* address, T expected, T v) {         \
    wf_atomic((void*)address, sizeof(T));                                       \
    T old = *(volatile T*)address;                                              \
    if (old == expected) *(volatile T*)address = v;                             \
    return old;                                                                 \
  }
WF_ATOMIC_CAS(int)
WF_ATOMIC_CAS(unsigned)
WF_ATOMIC_CAS(unsigned long long)
WF_ATOMIC_CAS(unsigned short)

// Vector types.
#define WF_VECTOR(name, T, bytes)                                                              \
  struct __attribute__((aligned(2 * bytes))) name##2 { T x, y; };                              \
  struct __attribute__((aligned(4 * bytes > 16 ? 16 : 4 * bytes))) name##4 { T x, y, z, w; };  \
  static inline name##2 make_##name##2(T x, T y) { return name##2{x, y}; }                     \
  static inline name##4 make_##name##4(T x, T y, T z, T w) { return name##4{x, y, z, w}; }
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef long long longlong;
typedef unsigned long long ulonglong;
WF_VECTOR(char, signed char, 1)
WF_VECTOR(uchar, unsigned char, 1)
WF_VECTOR(short, short, 2)
WF_VECTOR(ushort, unsigned short, 2)
WF_VECTOR(int, int, 4)
WF_VECTOR(uint, unsigned, 4)
WF_VECTOR(float, float, 4)
WF_VECTOR(longlong, long long, 8)
WF_VECTOR(ulonglong, unsigned long long, 8)
WF_VECTOR(double, double, 8)

// Integer and bit functions.
static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
static inline int __clz(int v) { return v ? __builtin_clz((unsigned)v) : 32; }
static inline int __clzll(long long v) { return v ? __builtin_clzll((unsigned long long)v) : 64; }
static inline int __ffs(int v) { return __builtin_ffs(v); }
static inline int __ffsll(long long v) { return __builtin_ffsll(v); }
static inline unsigned __brev(unsigned v) {
  unsigned r = 0;
  for (int i = 0; i < 32; i++) r |= ((v >> i) & 1u) << (31 - i);
  return r;
}
static inline unsigned long long __brevll(unsigned long long v) {
  return ((unsigned long long)__brev((unsigned)v) << 32) | __brev((unsigned)(v >> 32));
}
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  unsigned long long both = ((unsigned long long)b << 32) | a;
  unsigned r = 0;
  for (int i = 0; i < 4; i++) {
    unsigned s = (selector >> (4 * i)) & 15u;
    unsigned byte = (unsigned)(both >> (8 * (s & 7u))) & 255u;
    if (s & 8u) byte = byte & 128u ? 255u : 0u;
    r |= byte << (8 * i);
  }
  return r;
}
static inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned shift) {
  return (unsigned)(((((unsigned long long)hi << 32) | lo) << (shift & 31u)) >> 32);
}
static inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned shift) {
  return (unsigned)((((unsigned long long)hi << 32) | lo) >> (shift & 31u));
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }
static inline int __mulhi(int a, int b) { return (int)(((long long)a * b) >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
static inline long long __mul64hi(long long a, long long b) { return (long long)(((__int128)a * b) >> 64); }
template <class T> static inline T __ldg(const T* p) { return *p; }
template <class T> static inline T __ldcs(const T* p) { return *p; }
template <class T> static inline void __stcs(T* p, T v) { *p = v; }
#define WF_MIN_MAX(T)                                        \
  static inline T min(T a, T b) { return b < a ? b : a; }    \
  static inline T max(T a, T b) { return a < b ? b : a; }
WF_MIN_MAX(int)
WF_MIN_MAX(unsigned)
WF_MIN_MAX(long)
WF_MIN_MAX(unsigned long)
WF_MIN_MAX(long long)
WF_MIN_MAX(unsigned long long)
// As on the device: the number, where the other is not one.
static inline float min(float a, float b) { return __builtin_fminf(a, b); }
static inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
static inline double min(double a, double b) { return __builtin_fmin(a, b); }
static inline double max(double a, double b) { return __builtin_fmax(a, b); }

// Floating point.
static inline long long __double_as_longlong(double v) { return wf_value<long long>(wf_bits(v)); }
static inline double __longlong_as_double(long long v) { return wf_value<double>((unsigned long long)v); }
static inline int __float_as_int(float v) { return wf_value<int>(wf_bits(v)); }
static inline unsigned __float_as_uint(float v) { return wf_value<unsigned>(wf_bits(v)); }
static inline float __int_as_float(int v) { return wf_value<float>((unsigned)v); }
static inline float __uint_as_float(unsigned v) { return wf_value<float>(v); }
static inline bool isnan(double v) { return __builtin_isnan(v); }
static inline bool isnan(float v) { return __builtin_isnan(v); }
static inline bool isinf(double v) { return __builtin_isinf(v); }
static inline bool isinf(float v) { return __builtin_isinf(v); }

// Copies of memory by call are announced, because the compiler does not check inside them.
WF_UNCHECKED static inline void* wf_memcpy(void* to, const void* from, unsigned long bytes) {
  wf_read(from, bytes);
  wf_write(to, bytes);
  return __builtin_memcpy(to, from, bytes);
}
WF_UNCHECKED static inline void* wf_memset(void* to, int byte, unsigned long bytes) {
  wf_write(to, bytes);
  return __builtin_memset(to, byte, bytes);
}
#define memcpy wf_memcpy
#define memset wf_memset

// How a launch calls a kernel whose parameters only the compiler knows.
struct wf_module_info {
  const void *shared_start, *shared_end, *image_start, *image_end;
};
template <class... A> WF_UNCHECKED static inline unsigned wf_sizes(void (*)(A...), unsigned* sizes) {
  const unsigned all[] = {(unsigned)sizeof(A)..., 0u};
  for (unsigned i = 0; i < sizeof...(A); i++) sizes[i] = all[i];
  return sizeof...(A);
}
template <unsigned... I> struct wf_indices {};
template <unsigned N, unsigned... I> struct wf_count : wf_count<N - 1, N - 1, I...> {};
template <unsigned... I> struct wf_count<0, I...> { typedef wf_indices<I...> type; };
template <class... A, unsigned... I>
WF_UNCHECKED static inline void wf_call(void (*kernel)(A...), void** values, wf_indices<I...>) {
  (void)values;
  kernel(*(__typeof__(A)*)values[I]...);
}
template <class... A> WF_UNCHECKED static inline void wf_call_all(void (*kernel)(A...), void** values) {
  wf_call(kernel, values, typename wf_count<sizeof...(A)>::type());
}
#define WF_EXPORT_KERNEL(name)                                                                   \
  extern "C" WF_UNCHECKED void wf_entry_##name(void** values) { wf_call_all(&name, values); }    \
  extern "C" WF_UNCHECKED unsigned wf_sizes_##name(unsigned* sizes) {                            \
    static_assert(sizeof(sizes) == 8, "64-bit hosts only");                                      \
    return wf_sizes(&name, sizes);                                                               \
  }
extern "C" {
extern const char wf_first_shared[] __asm__("__start_wf_shared") __attribute__((weak, visibility("hidden")));
extern const char wf_last_shared[] __asm__("__stop_wf_shared") __attribute__((weak, visibility("hidden")));
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
}
#define WF_EXPORT_MODULE                                                   \
  extern "C" WF_UNCHECKED void wf_module(wf_module_info* info) {           \
    *info = {wf_first_shared, wf_last_shared, __ehdr_start, _end};         \
  }
