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

// Filled by the host (mod.rs beside this file); the layouts must agree.
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

}  // namespace
