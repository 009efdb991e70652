// Second part of the runtime: what is checked at every access.
namespace {

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

}  // namespace
