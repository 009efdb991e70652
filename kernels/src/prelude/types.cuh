// Names of types and of what every kernel needs. Kernels are WF_KERNEL(threads) name(...) { ... }: one-dimensional
// blocks of a multiple of 32 threads unless they say otherwise.
typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
typedef __int128 i128;
typedef unsigned __int128 u128;
typedef float f32;
typedef double f64;

#define WF_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define WF_DEVICE static __device__ __forceinline__
// For functions that are long, or rarely come to be run: compiled once a kernel instead of at each call, for a call
// that costs tens of cycles. Arguments go by value: what is pointed to would have to leave its registers.
#define WF_CALLED static __device__ __noinline__
// In front of loops whose rounds are long, few or rare. Unrolled by the compiler they cost it more than they ever save.
#ifdef WF_SIM
#define WF_ROLLED
#else
#define WF_ROLLED _Pragma("unroll 1")
#endif
#define WF_ALL_LANES 0xffffffffu
#define WF_WARP 32u

// Dynamic shared memory under a name, aligned for every type.
#ifdef WF_SIM
#define WF_DYNAMIC_SHARED(T, name) T* name = (T*)wf_dynamic_shared()
#else
#define WF_DYNAMIC_SHARED(T, name)                       \
  extern __shared__ __align__(16) u8 wf_dynamic_bytes[]; \
  T* name = (T*)wf_dynamic_bytes
#endif

WF_DEVICE u32 wf_lane_id() { return threadIdx.x & 31u; }
WF_DEVICE u32 wf_warp_id() { return threadIdx.x >> 5; }
WF_DEVICE u64 wf_grid_thread() { return (u64)blockIdx.x * blockDim.x + threadIdx.x; }
WF_DEVICE u64 wf_grid_threads() { return (u64)gridDim.x * blockDim.x; }
// Lanes below the caller's.
WF_DEVICE u32 wf_lanes_below() { return (1u << wf_lane_id()) - 1u; }
template <class T> WF_DEVICE T wf_min(T a, T b) { return b < a ? b : a; }
template <class T> WF_DEVICE T wf_max(T a, T b) { return a < b ? b : a; }
