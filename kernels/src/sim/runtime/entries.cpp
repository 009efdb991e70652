// Last part of the runtime: what the host and the kernels call.
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
