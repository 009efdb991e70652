// String references to offsets and bytes, as Arrow lays strings out. Bytes are gathered only here, for the rows that
// are left.
//
// A tile is 256 strings, a thread each. Three launches: sum the lengths of each tile, sum the tiles (sum_tiles of
// select.cu), then write offsets and bytes. Null rows have references of no bytes.

WF_KERNEL(256) measure_strings(const WfStringRef* refs, u64 count, u64* tiles) {
  __shared__ WfBlockScratch<u64> scratch;
  u64 at = wf_grid_thread();
  u64 sum = wf_block_reduce<WfSum, u64>(at < count ? (u64)refs[at].bytes : 0ull, &scratch);
  if (threadIdx.x == 0) tiles[blockIdx.x] = sum;
}

// The block's output is one range of bytes. Each thread makes words of it, the string of a byte found by searching the
// tile's offsets, so that long and short strings load all threads alike. A word that two tiles share is written by
// bytes.
template <class Offset> WF_DEVICE void write_strings(const WfStringRef* refs, u64 count, const u64* tiles, Offset* offsets,
                                                     u8* bytes, u64 capacity, u64* starts, u64* addresses,
                                                     WfBlockScratch<u64>* scratch, WfError* error) {
  u64 at = wf_grid_thread(), base = tiles[blockIdx.x], total;
  WfStringRef mine = at < count ? refs[at] : WfStringRef{0, 0, 0};
  u64 before = wf_block_exclusive_sum<u64>(mine.bytes, scratch, &total);
  bool room = base + total <= capacity;
  if (!room) {
    if (threadIdx.x == 0) wf_raise(error, WF_CAPACITY, blockIdx.x);
    base = total = before = 0;
  }
  starts[threadIdx.x] = before;
  addresses[threadIdx.x] = mine.address;
  if (at < count) offsets[at] = (Offset)(base + before);
  if (at + 1 == count) offsets[count] = (Offset)(base + (room ? before + mine.bytes : 0));
  __syncthreads();  // starts and addresses are there
  u64 first = base, last = base + total;
  for (u64 word = (first & ~3ull) + threadIdx.x * 4ull; word < last; word += blockDim.x * 4ull) {
    u64 from = wf_max(word, first), to = wf_min(word + 4u, last);
    u64 string = wf_last_at_most<u64>(starts, blockDim.x, from - base);
    u64 within = from - base - starts[string];
    const u8* source = (const u8*)addresses[string] + within;
    bool whole = to - from == 4u && (string + 1 == blockDim.x || starts[string + 1] - (from - base) >= 4u);
    if (whole) {
      *(u32*)(bytes + word) = wf_load_u32(source);
      continue;
    }
    for (u64 place = from; place < to; place++) {
      while (string + 1 < blockDim.x && starts[string + 1] <= place - base) string++;
      bytes[place] = ((const u8*)addresses[string])[place - base - starts[string]];
    }
  }
}

#define WRITE_STRINGS(name, Offset)                                                                               \
  WF_KERNEL(256) name(const WfStringRef* refs, u64 count, const u64* tiles, Offset* offsets, u8* bytes,           \
                      u64 capacity, WfError* error) {                                                             \
    __shared__ u64 starts[256];                                                                                   \
    __shared__ u64 addresses[256];                                                                                \
    __shared__ WfBlockScratch<u64> scratch;                                                                       \
    write_strings<Offset>(refs, count, tiles, offsets, bytes, capacity, starts, addresses, &scratch, error);      \
  }
WRITE_STRINGS(write_strings_32, i32)
WRITE_STRINGS(write_strings_64, i64)
