// The host emulation of a GPU: runs one launch at a time, a fiber a CUDA thread, blocks one after the other.
//
// Kernels are compiled with the compiler's thread sanitizer switched on, but without its library: every load and
// store calls one of the __tsan_* functions below. They check it against
//   - device memory: one shadow byte a byte says whether it is allocated and whether it was ever written;
//   - shared memory: bounds, ever written in this block, and whether a barrier or warp operation lies between
//     two accesses of different threads of which one writes;
//   - the fiber's own stack and the module's constants, which are free to read.
// The order in which threads and blocks run comes from a seed.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT extern "C" __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)

namespace {

struct Dim3 { unsigned x, y, z; };

// Filled by the host (src/sim/engine.rs); the layouts must agree.
struct Launch {
  void (*entry)(void**);
  void** values;
  const char *shared_start, *shared_end, *image_start, *image_end;
  unsigned grid[3], block[3];
  unsigned shared_bytes;
  unsigned check_races;
  uint64_t seed;
};
struct Fault {
  uint64_t address;
  uint64_t bytes;
  unsigned kind;  // 0: as the text says; 1: device memory that is not allocated; 2: never written
  char text[500];
};

enum State : unsigned char { READY, AT_BARRIER, AT_WARP, DONE };

constexpr size_t STACK_BYTES = 256 << 10;
constexpr uint64_t CANARY = 0x5afe5afe57ac57acull;
constexpr unsigned THREADS_MAX = 1024;
constexpr unsigned DYNAMIC_SHARED_MAX = 227 << 10;
constexpr unsigned STATIC_SHARED_MAX = 64 << 10;
// A fiber that runs this many accesses lets others run; this many turns without any progress are a livelock.
constexpr unsigned TURN_ACCESSES = 2000;
constexpr unsigned TURNS_MAX = 200000;

struct Fiber {
  void* sp;
  char* stack;
  unsigned id;
  Dim3 index;
  State state;
  // At a barrier or a warp operation:
  int line, kind;
  unsigned mask, lane_source;
  uint64_t value, result;
};

// What is known of one byte of shared memory. Epochs tell what lies between two accesses.
struct Cell {
  uint64_t write_epoch, read_epoch, write_warp_epoch, read_warp_epoch, block;
  unsigned short writer, reader;
  bool atomic_write, several_lanes, several_warps;
};

struct Engine {
  char *arena = nullptr;
  unsigned char* shadow = nullptr;
  uint64_t arena_bytes = 0;

  const Launch* launch = nullptr;
  Fault* fault = nullptr;
  bool failed = false;
  Fiber fibers[THREADS_MAX];
  char* stacks = nullptr;
  unsigned threads = 0, alive = 0;
  unsigned ready[THREADS_MAX];
  unsigned ready_count = 0;
  Fiber* current = nullptr;
  void* scheduler_sp = nullptr;
  unsigned budget = 0;
  unsigned idle_turns = 0;
  uint64_t random = 1;
  unsigned order = 0;  // 0 ascending, 1 descending, else random
  Dim3 block_index;

  uint64_t epoch = 1, block_serial = 0;
  uint64_t warp_epoch[32];
  unsigned waiting_at_barrier = 0;
  alignas(256) char dynamic_shared[DYNAMIC_SHARED_MAX];
  Cell dynamic_cells[DYNAMIC_SHARED_MAX];
  Cell static_cells[STATIC_SHARED_MAX];
};
Engine* g = nullptr;

uint64_t next_random() {
  uint64_t z = (g->random += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace

// Saves the callee-saved registers on the present stack, stores its pointer, and goes on with another stack.
extern "C" void wf_switch(void** save, void* load);
#if defined(__x86_64__)
asm(R"(
.text
.type wf_switch, @function
wf_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size wf_switch, .-wf_switch
)");
static void* first_stack_pointer(char* stack, void (*start)()) {
  void** top = (void**)(stack + STACK_BYTES);
  *--top = nullptr;         // keeps the alignment that a function expects at its entry
  *--top = (void*)start;    // where the first switch returns to
  for (int i = 0; i < 6; i++) *--top = nullptr;
  return top;
}
#elif defined(__aarch64__)
asm(R"(
.text
.type wf_switch, %function
wf_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size wf_switch, .-wf_switch
)");
static void* first_stack_pointer(char* stack, void (*start)()) {
  uint64_t* frame = (uint64_t*)(stack + STACK_BYTES - 160);
  memset(frame, 0, 160);
  frame[11] = (uint64_t)start;  // x30, the return address
  return frame;
}
#else
#error "the sim device needs a context switch for this processor: x86-64 and aarch64 have one"
#endif

namespace {

void to_scheduler() { wf_switch(&g->current->sp, g->scheduler_sp); }

// Ends the launch. The fibers are abandoned where they stand: kernels own nothing that needs an end.
__attribute__((format(printf, 4, 5))) void fail(unsigned kind, uint64_t address, uint64_t bytes, const char* format, ...) {
  if (!g->failed) {
    g->failed = true;
    Fault* f = g->fault;
    f->kind = kind;
    f->address = address;
    f->bytes = bytes;
    int n = 0;
    if (g->current) {
      const Dim3 &b = g->block_index, &t = g->current->index;
      n = snprintf(f->text, sizeof f->text, "block (%u,%u,%u) thread (%u,%u,%u): ", b.x, b.y, b.z, t.x, t.y, t.z);
    }
    va_list list;
    va_start(list, format);
    vsnprintf(f->text + n, sizeof f->text - n, format, list);
    va_end(list);
  }
  if (g->current) to_scheduler();
}

void make_ready(Fiber* f) {
  f->state = READY;
  g->ready[g->ready_count++] = f->id;
}

void yield_current() {
  make_ready(g->current);
  to_scheduler();
}

void turn_over() {
  g->budget = TURN_ACCESSES / 2 + (unsigned)(next_random() % TURN_ACCESSES);
  if (++g->idle_turns > TURNS_MAX) {
    fail(0, 0, 0, "livelock: threads run but none ends or passes a barrier");
    return;
  }
  yield_current();
}

inline void count_access() {
  if (--g->budget == 0) turn_over();
}

// ---- device memory ----

template <bool WRITE> void bad_device_access(uint64_t address, uint64_t bytes) {
  uint64_t offset = address - (uint64_t)g->arena;
  for (uint64_t i = 0; i < bytes; i++) {
    unsigned char state = offset + i < g->arena_bytes ? g->shadow[offset + i] : 0;
    if (state == 0)
      return fail(1, address, bytes, "%s of %lu bytes out of bounds", WRITE ? "write" : "read", (unsigned long)bytes);
    if (!WRITE && state == 1)
      return fail(2, address + i, bytes, "read of %lu bytes that were never written", (unsigned long)bytes);
  }
}

template <unsigned N> struct Word;
template <> struct Word<1> { typedef uint8_t type; };
template <> struct Word<2> { typedef uint16_t type; };
template <> struct Word<4> { typedef uint32_t type; };
template <> struct Word<8> { typedef uint64_t type; };
template <> struct Word<16> { typedef unsigned __int128 type; };

template <bool WRITE, unsigned N> inline bool device_access(uint64_t offset) {
  typedef typename Word<N>::type W;
  const W ones = (W) ~(W)0 / 255;  // 0x0101...
  W states;
  memcpy(&states, g->shadow + offset, N);
  if (LIKELY(states == (W)(2 * ones))) return true;
  if (!WRITE) return false;
  // A byte is 0, 1 or 2: it is allocated if one of its two bits is set.
  if (((states | (W)(states >> 1)) & ones) != ones) return false;
  states = (W)(2 * ones);
  memcpy(g->shadow + offset, &states, N);
  return true;
}

template <bool WRITE> bool device_range(uint64_t offset, uint64_t bytes) {
  if (offset + bytes > g->arena_bytes) return false;
  for (uint64_t i = 0; i < bytes; i++) {
    unsigned char& state = g->shadow[offset + i];
    if (state == 0 || (!WRITE && state == 1)) return false;
    if (WRITE) state = 2;
  }
  return true;
}

// ---- shared memory ----

bool between(uint64_t epoch, uint64_t warp_epoch, unsigned other) {
  // Whether a barrier, or a warp operation of a common warp, lies between that access and now.
  unsigned me = g->current->id;
  if (epoch != g->epoch || other == me) return true;
  return other / 32 == me / 32 && warp_epoch != g->warp_epoch[me / 32];
}

template <bool WRITE, bool ATOMIC> void shared_access(Cell* cells, uint64_t offset, uint64_t bytes) {
  unsigned me = g->current->id;
  uint64_t my_warp_epoch = g->warp_epoch[me / 32];
  for (uint64_t i = 0; i < bytes; i++) {
    Cell& c = cells[offset + i];
    if (c.block != g->block_serial) {
      memset(&c, 0, sizeof c);
      c.block = g->block_serial;
    }
    bool written = c.write_epoch != 0;
    if ((!WRITE || ATOMIC) && !written)
      return fail(0, 0, 0, "read of %lu bytes of shared memory at offset %lu that were never written",
                  (unsigned long)bytes, (unsigned long)offset);
    if (g->launch->check_races) {
      if (written && !(ATOMIC && c.atomic_write) && !between(c.write_epoch, c.write_warp_epoch, c.writer))
        return fail(0, 0, 0, "race in shared memory at offset %lu: %s after a write by thread %u without a barrier",
                    (unsigned long)offset, WRITE ? "write" : "read", c.writer);
      bool read_now = c.read_epoch == g->epoch;
      if (WRITE && read_now &&
          (c.several_warps || !between(c.read_epoch, c.read_warp_epoch, c.reader) ||
           (c.several_lanes && c.reader / 32 == me / 32 && c.read_warp_epoch == my_warp_epoch)))
        return fail(0, 0, 0, "race in shared memory at offset %lu: write after a read by thread %u without a barrier",
                    (unsigned long)offset, c.reader);
    }
    if (WRITE) {
      c.write_epoch = g->epoch;
      c.write_warp_epoch = my_warp_epoch;
      c.writer = (unsigned short)me;
      c.atomic_write = ATOMIC;
    } else {
      bool same_epoch = c.read_epoch == g->epoch;
      bool same_warp = same_epoch && c.reader / 32 == me / 32;
      c.several_warps = same_epoch && (c.several_warps || !same_warp);
      c.several_lanes = same_warp && c.read_warp_epoch == my_warp_epoch && (c.several_lanes || c.reader != me);
      c.read_epoch = g->epoch;
      c.read_warp_epoch = my_warp_epoch;
      c.reader = (unsigned short)me;
    }
  }
}

// ---- the rest of the address space ----

template <bool WRITE, bool ATOMIC> void other_access(uint64_t address, uint64_t bytes) {
  if (!g->current) return;  // the host asks a module about itself
  const Launch* l = g->launch;
  uint64_t stack = (uint64_t)g->current->stack;
  if (address - stack < STACK_BYTES) return;
  uint64_t dynamic = (uint64_t)g->dynamic_shared;
  if (address - dynamic < sizeof g->dynamic_shared + 4096) {
    if (address - dynamic + bytes > l->shared_bytes)
      return fail(0, 0, 0, "access of %lu bytes at offset %lu of %u bytes of dynamic shared memory",
                  (unsigned long)bytes, (unsigned long)(address - dynamic), l->shared_bytes);
    return shared_access<WRITE, ATOMIC>(g->dynamic_cells, address - dynamic, bytes);
  }
  uint64_t start = (uint64_t)l->shared_start, end = (uint64_t)l->shared_end;
  if (address >= start && address + bytes <= end) return shared_access<WRITE, ATOMIC>(g->static_cells, address - start, bytes);
  if (!WRITE && address >= (uint64_t)l->image_start && address + bytes <= (uint64_t)l->image_end) return;
  fail(1, address, bytes, "%s of %lu bytes at address 0x%llx outside device and shared memory", WRITE ? "write" : "read",
       (unsigned long)bytes, (unsigned long long)address);
}

template <bool WRITE, unsigned N, bool ALIGNED> inline void access(void* pointer) {
  uint64_t address = (uint64_t)pointer, offset = address - (uint64_t)g->arena;
  if (LIKELY(offset < g->arena_bytes)) {
    if (ALIGNED && N > 1 && address % N != 0)
      return fail(0, 0, 0, "%s of %u bytes at misaligned address 0x%llx", WRITE ? "write" : "read", N,
                  (unsigned long long)address);
    if (!LIKELY((device_access<WRITE, N>(offset)))) bad_device_access<WRITE>(address, N);
    count_access();
    return;
  }
  other_access<WRITE, false>(address, N);
}

template <bool WRITE, bool ATOMIC> void range_access(void* pointer, uint64_t bytes) {
  if (bytes == 0) return;
  uint64_t address = (uint64_t)pointer, offset = address - (uint64_t)g->arena;
  if (offset < g->arena_bytes) {
    bool fine = ATOMIC ? device_range<false>(offset, bytes) : device_range<WRITE>(offset, bytes);
    if (!fine) bad_device_access<WRITE && !ATOMIC>(address, bytes);
    count_access();
    return;
  }
  other_access<WRITE, ATOMIC>(address, bytes);
}

// ---- barriers and warp operations ----

void progress() { g->idle_turns = 0; }

void complete_barrier_if_all_there() {
  if (g->waiting_at_barrier == 0 || g->waiting_at_barrier < g->alive) return;
  unsigned count = 0;
  const Fiber* first = nullptr;
  for (unsigned i = 0; i < g->threads; i++) {
    Fiber& f = g->fibers[i];
    if (f.state != AT_BARRIER) continue;
    if (first && (first->line != f.line || first->kind != f.kind))
      return fail(0, 0, 0, "divergent barrier: thread %u waits at line %d, thread %u at line %d", first->id, first->line,
                  f.id, f.line);
    first = first ? first : &f;
    count += (unsigned)f.value;
  }
  unsigned all = g->waiting_at_barrier;
  for (unsigned i = 0; i < g->threads; i++) {
    Fiber& f = g->fibers[i];
    if (f.state != AT_BARRIER) continue;
    f.result = f.kind == 1 ? count : f.kind == 2 ? count == all : count != 0;
    make_ready(&f);
  }
  g->waiting_at_barrier = 0;
  g->epoch++;
  progress();
}

uint64_t warp_result(const Fiber* me, Fiber* warp, unsigned lanes) {
  uint64_t result = me->kind == 6 || me->kind == 10 ? 0xffffffffu : me->kind == 8 ? 0x7fffffffu : me->kind == 9 ? 0x80000000u : 0;
  bool all_equal = true;
  for (unsigned lane = 0; lane < 32; lane++) {
    if (!(lanes >> lane & 1u)) continue;
    uint64_t v = warp[lane].value;
    switch (me->kind) {
      case 2: result |= (uint64_t)(v != 0) << lane; break;
      case 3: result |= (uint64_t)(v == me->value) << lane; break;
      case 4: all_equal = all_equal && v == me->value; break;
      case 5: result = (uint32_t)(result + v); break;
      case 6: result = v < result ? v : result; break;
      case 7: result = v > result ? v : result; break;
      case 8: result = (int32_t)v < (int32_t)result ? v : result; break;
      case 9: result = (int32_t)v > (int32_t)result ? v : result; break;
      case 10: result &= v; break;
      case 11: result |= v; break;
      case 12: result ^= v; break;
      default: break;
    }
  }
  return me->kind == 4 ? (all_equal ? lanes : 0) : result;
}

// Completes the operation that `f` waits in, once every living lane of its mask is there.
void complete_warp_if_all_there(Fiber* f) {
  unsigned base = f->id & ~31u, lanes = 0;
  Fiber* warp = g->fibers + base;
  for (unsigned lane = 0; lane < 32; lane++) {
    if (!(f->mask >> lane & 1u) || base + lane >= g->threads || warp[lane].state == DONE) continue;
    if (warp[lane].state != AT_WARP) return;
    lanes |= 1u << lane;
  }
  for (unsigned lane = 0; lane < 32; lane++) {
    if (!(lanes >> lane & 1u)) continue;
    Fiber& other = warp[lane];
    if (other.mask != f->mask || other.kind != f->kind)
      return fail(0, 0, 0, "warp operation %d with mask 0x%08x at line of thread %u meets operation %d with mask 0x%08x of thread %u",
                  f->kind, f->mask, f->id, other.kind, other.mask, other.id);
    if (f->kind == 1 && (other.lane_source >= 32 || !(lanes >> other.lane_source & 1u)))
      return fail(0, 0, 0, "shuffle by thread %u reads lane %u, which does not take part", other.id, other.lane_source);
  }
  for (unsigned lane = 0; lane < 32; lane++) {
    if (!(lanes >> lane & 1u)) continue;
    Fiber& me = warp[lane];
    me.result = me.kind == 1 ? warp[me.lane_source].value : warp_result(&me, warp, lanes);
  }
  for (unsigned lane = 0; lane < 32; lane++)
    if (lanes >> lane & 1u) make_ready(&warp[lane]);
  g->warp_epoch[base / 32]++;
  progress();
}

void thread_done() {
  Fiber* f = g->current;
  f->state = DONE;
  g->alive--;
  progress();
  Fiber* warp = g->fibers + (f->id & ~31u);
  for (unsigned lane = 0; lane < 32; lane++)
    if (warp[lane].state == AT_WARP && (f->id & ~31u) + lane < g->threads) complete_warp_if_all_there(&warp[lane]);
  complete_barrier_if_all_there();
}

void fiber_start() {
  g->launch->entry(g->launch->values);
  thread_done();
  to_scheduler();
  __builtin_trap();
}

void report_deadlock() {
  const Fiber *barrier = nullptr, *warp = nullptr;
  unsigned barriers = 0, warps = 0;
  for (unsigned i = 0; i < g->threads; i++) {
    const Fiber& f = g->fibers[i];
    if (f.state == AT_BARRIER) barriers++, barrier = barrier ? barrier : &f;
    if (f.state == AT_WARP) warps++, warp = warp ? warp : &f;
  }
  g->current = nullptr;
  fail(0, 0, 0,
       "deadlock in block (%u,%u,%u): %u threads wait at a barrier (thread %d at line %d), %u in a warp operation "
       "(thread %d, mask 0x%08x), %u have ended",
       g->block_index.x, g->block_index.y, g->block_index.z, barriers, barrier ? (int)barrier->id : -1,
       barrier ? barrier->line : 0, warps, warp ? (int)warp->id : -1, warp ? warp->mask : 0, g->threads - g->alive);
}

unsigned pick() {
  unsigned at = 0;
  // Once threads give way without progress, a fixed order could let one spin for ever.
  if (g->order > 1 || g->idle_turns > 0) {
    at = (unsigned)(next_random() % g->ready_count);
  } else {
    for (unsigned i = 1; i < g->ready_count; i++)
      if ((g->ready[i] < g->ready[at]) == (g->order == 0)) at = i;
  }
  unsigned id = g->ready[at];
  g->ready[at] = g->ready[--g->ready_count];
  return id;
}

void run_block() {
  const Launch* l = g->launch;
  g->block_serial++;
  g->epoch++;
  g->alive = g->threads;
  g->ready_count = 0;
  g->waiting_at_barrier = 0;
  g->idle_turns = 0;
  memset(g->warp_epoch, 0, sizeof g->warp_epoch);
  memset(g->dynamic_shared, 0xcb, l->shared_bytes);
  if (l->shared_start) memset((char*)l->shared_start, 0xcb, l->shared_end - l->shared_start);
  for (unsigned i = 0; i < g->threads; i++) {
    Fiber& f = g->fibers[i];
    f.id = i;
    f.index = {i % l->block[0], i / l->block[0] % l->block[1], i / l->block[0] / l->block[1]};
    f.stack = g->stacks + (size_t)i * STACK_BYTES;
    *(uint64_t*)f.stack = CANARY;
    f.sp = first_stack_pointer(f.stack, fiber_start);
    make_ready(&f);
  }
  while (g->alive > 0 && !g->failed) {
    if (g->ready_count == 0) return report_deadlock();
    Fiber* f = &g->fibers[pick()];
    g->current = f;
    g->budget = TURN_ACCESSES / 2 + (unsigned)(next_random() % TURN_ACCESSES);
    wf_switch(&g->scheduler_sp, f->sp);
    if (*(uint64_t*)f->stack != CANARY) {
      g->current = nullptr;
      return fail(0, 0, 0, "thread %u overran its stack of %zu bytes", f->id, STACK_BYTES);
    }
    g->current = nullptr;
  }
}

uint64_t gcd(uint64_t a, uint64_t b) { return b == 0 ? a : gcd(b, a % b); }

}  // namespace

// ---- called by the host ----

EXPORT int wf_start(char* arena, unsigned char* shadow, uint64_t arena_bytes) {
  g = (Engine*)mmap(nullptr, sizeof(Engine), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (g == MAP_FAILED) return 1;
  g->stacks = (char*)mmap(nullptr, STACK_BYTES * THREADS_MAX, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (g->stacks == MAP_FAILED) return 1;
  g->arena = arena;
  g->shadow = shadow;
  g->arena_bytes = arena_bytes;
  return 0;
}

EXPORT int wf_launch(const Launch* launch, Fault* fault) {
  g->launch = launch;
  g->fault = fault;
  g->failed = false;
  g->current = nullptr;
  g->threads = launch->block[0] * launch->block[1] * launch->block[2];
  g->random = launch->seed;
  g->order = launch->seed == 0 ? 0 : (unsigned)(next_random() % 6);
  if (launch->shared_end - launch->shared_start > (ptrdiff_t)STATIC_SHARED_MAX) {
    fail(0, 0, 0, "more than %u bytes of static shared memory", STATIC_SHARED_MAX);
    return 1;
  }
  uint64_t blocks = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2];
  // A permutation of the blocks: a walk with a stride that shares no factor with their number.
  uint64_t stride = 1, at = 0;
  if (g->order == 1) stride = blocks - 1 ? blocks - 1 : 1, at = blocks - 1;
  if (g->order > 1) {
    at = next_random() % blocks;
    do stride = 1 + next_random() % blocks; while (gcd(stride, blocks) != 1);
  }
  for (uint64_t i = 0; i < blocks && !g->failed; i++, at = (at + stride) % blocks) {
    g->block_index = {(unsigned)(at % launch->grid[0]), (unsigned)(at / launch->grid[0] % launch->grid[1]),
                      (unsigned)(at / launch->grid[0] / launch->grid[1])};
    run_block();
  }
  g->current = nullptr;
  return g->failed;
}

// ---- called by kernels ----

EXPORT Dim3 wf_thread_idx() { return g->current->index; }
EXPORT Dim3 wf_block_idx() { return g->block_index; }
EXPORT Dim3 wf_block_dim() { return {g->launch->block[0], g->launch->block[1], g->launch->block[2]}; }
EXPORT Dim3 wf_grid_dim() { return {g->launch->grid[0], g->launch->grid[1], g->launch->grid[2]}; }
EXPORT unsigned wf_lane() { return g->current->id % 32; }
EXPORT void* wf_dynamic_shared() { return g->dynamic_shared; }
EXPORT void wf_yield() { turn_over(); }
EXPORT void wf_trap() { fail(0, 0, 0, "trap"); }

EXPORT unsigned wf_barrier(int line, int kind, unsigned predicate) {
  Fiber* f = g->current;
  f->state = AT_BARRIER;
  f->line = line;
  f->kind = kind;
  f->value = predicate;
  g->waiting_at_barrier++;
  complete_barrier_if_all_there();
  to_scheduler();
  return (unsigned)f->result;
}

EXPORT unsigned long long wf_warp(int kind, unsigned mask, unsigned long long value, unsigned lane_source) {
  Fiber* f = g->current;
  if (!(mask >> (f->id % 32) & 1u)) fail(0, 0, 0, "warp operation with mask 0x%08x, which leaves the caller out", mask);
  f->state = AT_WARP;
  f->kind = kind;
  f->mask = mask;
  f->value = value;
  f->lane_source = lane_source;
  complete_warp_if_all_there(f);
  to_scheduler();
  return f->result;
}

EXPORT void wf_atomic(void* address, unsigned bytes) {
  if ((uint64_t)address % bytes != 0)
    fail(0, 0, 0, "atomic of %u bytes at misaligned address 0x%llx", bytes, (unsigned long long)(uint64_t)address);
  if (g->order > 1 && next_random() % 8 == 0) yield_current();
  range_access<true, true>(address, bytes);
}
EXPORT void wf_read(const void* address, unsigned long bytes) { range_access<false, false>((void*)address, bytes); }
EXPORT void wf_write(void* address, unsigned long bytes) { range_access<true, false>(address, bytes); }

EXPORT void __tsan_init() {}
EXPORT void __tsan_func_entry(void*) {}
EXPORT void __tsan_func_exit() {}
#define CHECKS(N)                                                              \
  EXPORT void __tsan_read##N(void* p) { access<false, N, true>(p); }           \
  EXPORT void __tsan_write##N(void* p) { access<true, N, true>(p); }           \
  EXPORT void __tsan_volatile_read##N(void* p) { access<false, N, true>(p); }  \
  EXPORT void __tsan_volatile_write##N(void* p) { access<true, N, true>(p); }  \
  EXPORT void __tsan_unaligned_read##N(void* p) { access<false, N, false>(p); } \
  EXPORT void __tsan_unaligned_write##N(void* p) { access<true, N, false>(p); } \
  EXPORT void __tsan_read_write##N(void* p) {                                  \
    access<false, N, true>(p);                                                 \
    access<true, N, true>(p);                                                  \
  }
CHECKS(1)
CHECKS(2)
CHECKS(4)
CHECKS(8)
CHECKS(16)
EXPORT void __tsan_read_range(void* p, unsigned long bytes) { range_access<false, false>(p, bytes); }
EXPORT void __tsan_write_range(void* p, unsigned long bytes) { range_access<true, false>(p, bytes); }
EXPORT void* __tsan_memcpy(void* to, const void* from, unsigned long bytes) {
  wf_read(from, bytes);
  wf_write(to, bytes);
  return memcpy(to, from, bytes);
}
EXPORT void* __tsan_memset(void* to, int byte, unsigned long bytes) {
  wf_write(to, bytes);
  return memset(to, byte, bytes);
}
