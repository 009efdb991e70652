// A page while a warp decompresses it: where it stands, the window of compressed bytes in shared memory, and copies of
// whole ranges.

#define WINDOW_BYTES 1024u  // held in shared memory: a ring, a byte lies at its address modulo the size
#define HALF_BYTES 512u     // loaded at once: 16 bytes a lane
#define GROUP_BYTES 128u    // output written together: 4 bytes a lane
#define ROUNDS 4u           // GROUP_BYTES by warps
#define WINDOW_WORDS (WINDOW_BYTES / 4u)
#define ENTRIES 64u         // most literals and matches of a batch, by the sizes that they have at least

// What a warp keeps in shared memory.
struct Shared {
  __align__(16) u32 window[WINDOW_WORDS + 4u];  // the first word again at the end
  i32 entries[ENTRIES];
  i32 origins[GROUP_BYTES];
  __align__(4) u8 marks[GROUP_BYTES];  // zeros between groups
  u8 starts[WF_WARP];
};

struct Page {
  const u8* source;
  u8* target;
  u32 source_bytes;
  u32 target_bytes;
  u32 in;   // compressed bytes that are done
  u32 out;  // and plain bytes that are written
  u64 held;     // address of the first byte in the window, a multiple of HALF_BYTES; 0: none is
  uint4 ahead;  // the lane's part of the half that follows the window, on its way from memory
  Shared* shared;
};

WF_DEVICE u32 source_word(const Page* page, u64 address) {
  u64 start = (u64)page->source;
  return address + 4u > start && address < start + page->source_bytes ? *(const u32*)address : 0;
}

// 16 bytes at a multiple of 16; zeros where no compressed bytes are.
WF_DEVICE uint4 source_part(const Page* page, u64 address) {
  u64 start = (u64)page->source;
  if (address >= start && address + 16u <= start + page->source_bytes) return *(const uint4*)address;
  return make_uint4(source_word(page, address), source_word(page, address + 4u), source_word(page, address + 8u),
                    source_word(page, address + 12u));
}

WF_DEVICE void put_part(Page* page, u64 address, uint4 part) {
  u32* window = page->shared->window;
  u32 word = (u32)address % WINDOW_BYTES / 4u;
  *(uint4*)&window[word] = part;
  if (word == 0) window[WINDOW_WORDS] = part.x;
}

// Moves the window so that it holds the bytes from `in` on, 512 of them at least. The half after it is asked for in
// the same call and arrives while the warp works on this one.
WF_DEVICE void move_window(Page* page) {
  u64 address = (u64)page->source + page->in, mine = 16u * wf_lane_id();
  u64 distance = address - page->held;
  if (page->held != 0 && distance < HALF_BYTES) return;
  __syncwarp();  // no lane reads the old bytes any more
  if (page->held != 0 && distance < WINDOW_BYTES) {
    put_part(page, page->held + mine, page->ahead);
    page->held += HALF_BYTES;
  } else {
    page->held = address & ~(u64)(HALF_BYTES - 1u);
    uint4 first = source_part(page, page->held + mine), second = source_part(page, page->held + HALF_BYTES + mine);
    put_part(page, page->held + mine, first);
    put_part(page, page->held + HALF_BYTES + mine, second);
  }
  page->ahead = source_part(page, page->held + WINDOW_BYTES + mine);
  __syncwarp();  // the parts of all lanes are there
}

// Where a compressed byte lies in the window, which must hold it.
WF_DEVICE u32 window_place(const Page* page, u32 in) { return ((u32)(u64)page->source + in) & (WINDOW_BYTES - 1u); }
WF_DEVICE u32 window_byte(const Page* page, u32 in) {
  return ((const u8*)page->shared->window)[window_place(page, in)];
}
// 4 bytes, the first one lowest.
WF_DEVICE u32 window_u32(const Page* page, u32 in) {
  u32 place = window_place(page, in);
  const u32* words = page->shared->window + place / 4u;
  return __funnelshift_r(words[0], words[1], place % 4u * 8u);
}

// 16 bytes from any address, out of the aligned 32 bytes around them. `words` and `bits` tell how far in they start.
WF_DEVICE uint4 shifted(uint4 a, uint4 b, u32 words, u32 bits) {
  u32 v0 = a.x, v1 = a.y, v2 = a.z, v3 = a.w, v4 = b.x, v5 = b.y;
  if (words & 2u) v0 = a.z, v1 = a.w, v2 = b.x, v3 = b.y, v4 = b.z, v5 = b.w;
  if (words & 1u) v0 = v1, v1 = v2, v2 = v3, v3 = v4, v4 = v5;
  return make_uint4(__funnelshift_r(v0, v1, bits), __funnelshift_r(v1, v2, bits), __funnelshift_r(v2, v3, bits),
                    __funnelshift_r(v3, v4, bits));
}

// Copies bytes that do not overlap. Between 16 to 31 bytes at either end go parts of 16 bytes, aligned in the target;
// each comes from two aligned parts of the source, which the ends keep inside the range. Two parts a lane, 2 KiB a
// warp, are under way at once.
WF_DEVICE void copy_bytes(u8* target, const u8* source, u32 bytes) {
  u32 lane = wf_lane_id();
  if (bytes < 128u) {
    for (u32 i = lane; i < bytes; i += WF_WARP) target[i] = source[i];
    return;
  }
  u32 head = 16u + ((u32)(0ull - (u64)target) & 15u);
  u32 parts = (bytes - head) / 16u - 1u, tail = head + parts * 16u;
  if (lane < head) target[lane] = source[lane];
  if (tail + lane < bytes) target[tail + lane] = source[tail + lane];
  u32 words = (u32)((u64)(source + head) & 15u) / 4u, bits = (u32)((u64)(source + head) & 3u) * 8u;
  const uint4* from = (const uint4*)((u64)(source + head) & ~15ull);
  uint4* to = (uint4*)(target + head);
  u32 i = lane;
  for (; i + WF_WARP < parts; i += 2u * WF_WARP) {
    uint4 a = from[i], b = from[i + 1u], c = from[i + WF_WARP], d = from[i + WF_WARP + 1u];
    to[i] = shifted(a, b, words, bits);
    to[i + WF_WARP] = shifted(c, d, words, bits);
  }
  if (i < parts) to[i] = shifted(from[i], from[i + 1u], words, bits);
}

// Copies from `offset` bytes before; where that overlaps, the bytes repeat. What is written can be copied again as a
// whole, so the copies double in size.
WF_DEVICE void copy_match(u8* target, u32 offset, u32 bytes) {
  const u8* source = target - offset;
  u32 done = offset < 128u ? wf_min(bytes, 128u / offset * offset) : 0;
  for (u32 i = wf_lane_id(); i < done; i += WF_WARP) target[i] = source[i % offset];
  while (done < bytes) {
    __syncwarp();  // what other lanes wrote is there
    u32 count = wf_min(bytes - done, offset + done);
    copy_bytes(target + done, source, count);
    done += count;
  }
}

// A literal of any length from `in` on. False if it does not fit.
WF_DEVICE bool long_literal(Page* page, u32 bytes) {
  if (bytes > page->source_bytes - page->in || bytes > page->target_bytes - page->out) return false;
  copy_bytes(page->target + page->out, page->source + page->in, bytes);
  __syncwarp();  // for what refers to these bytes
  page->in += bytes;
  page->out += bytes;
  return true;
}

// A match of any length. False if it does not fit or refers to what is not there.
WF_DEVICE bool long_match(Page* page, u32 offset, u32 bytes) {
  if (offset == 0 || offset > page->out || bytes > page->target_bytes - page->out) return false;
  copy_match(page->target + page->out, offset, bytes);
  __syncwarp();  // for what refers to these bytes
  page->out += bytes;
  return true;
}
