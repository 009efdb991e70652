// Third part of the runtime: barriers, warp operations, and the order in which a block's fibers run.
namespace {

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

