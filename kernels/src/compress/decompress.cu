// Snappy and raw LZ4: a warp a page, one launch for all pages of a partition.
//
// All lanes parse alike: they hold 256 bytes of the compressed page in registers, a word a lane twice, and read from
// them by shuffles, while the next 128 bytes are already on their way. Literals and matches are copied by all lanes.
// A warp barrier stands before a match, because it reads what other lanes wrote. Every length is checked before it is
// used; the rest of a malformed page is filled with zeros.

struct WfBlob {
  u64 source;
  u64 target;
  u32 source_bytes;
  u32 target_bytes;
  u32 codec;
  u32 item;
};

struct Window {
  u64 start;   // address of the first compressed byte
  u64 end;     // and after the last
  u64 base;    // address of the first byte held, a multiple of 128; 0: nothing is held
  u32 first;   // bytes base + 4 * lane and on
  u32 second;  // 128 bytes further
};

WF_DEVICE u32 window_word(const Window* window, u64 address) {
  return address + 4u > window->start && address < window->end ? *(const u32*)address : 0;
}

// The 4 bytes at `at`, zeros after the end. All lanes pass the same place.
WF_DEVICE u32 peek(Window* window, u32 at) {
  u64 address = window->start + at, mine = 4ull * wf_lane_id();
  if (window->base == 0 || address >= window->base + 256u || address < window->base) {
    window->base = address & ~127ull;
    window->first = window_word(window, window->base + mine);
    window->second = window_word(window, window->base + 128u + mine);
  } else if (address >= window->base + 128u) {
    window->base += 128u;
    window->first = window->second;
    window->second = window_word(window, window->base + 128u + mine);
  }
  u32 word = (u32)(address - window->base) / 4u, shift = (u32)(address & 3u) * 8u;
  u32 low = wf_shfl(window->first, word);
  u32 high = word < 31u ? wf_shfl(window->first, word + 1u) : wf_shfl(window->second, 0);
  return __funnelshift_r(low, high, shift);
}

// Copies bytes that do not overlap. Long ones go by words of the target.
WF_DEVICE void copy_literal(u8* target, const u8* source, u32 bytes) {
  u32 lane = wf_lane_id();
  if (bytes < 128u) {
    for (u32 i = lane; i < bytes; i += WF_WARP) target[i] = source[i];
    return;
  }
  u32 head = (u32)(0ull - (u64)target) & 3u;
  if (lane < head) target[lane] = source[lane];
  u32 words = (bytes - head) / 4u;
  for (u32 i = lane; i < words; i += WF_WARP) {
    const u8* from = source + head + i * 4u;
    const u32* aligned = (const u32*)((u64)from & ~3ull);
    u32 shift = (u32)((u64)from & 3u) * 8u;
    u32 value = shift == 0 ? aligned[0] : __funnelshift_r(aligned[0], aligned[1], shift);
    *(u32*)(target + head + i * 4u) = value;
  }
  u32 done = head + words * 4u;
  if (done + lane < bytes) target[done + lane] = source[done + lane];
}

// Copies from `offset` bytes before; where that overlaps, the bytes repeat.
WF_DEVICE void copy_match(u8* target, u32 offset, u32 bytes) {
  __syncwarp();  // earlier bytes of other lanes are there
  const u8* source = target - offset;
  for (u32 i = wf_lane_id(); i < bytes; i += WF_WARP) target[i] = source[offset >= bytes ? i : i % offset];
}

// Where a page stands: bytes read and written.
struct Progress {
  u32 in;
  u32 out;
};

WF_DEVICE bool literal(const WfBlob* blob, Progress* at, u32 bytes) {
  if (bytes > blob->source_bytes - at->in || bytes > blob->target_bytes - at->out) return false;
  copy_literal((u8*)blob->target + at->out, (const u8*)blob->source + at->in, bytes);
  at->in += bytes;
  at->out += bytes;
  return true;
}

WF_DEVICE bool match(const WfBlob* blob, Progress* at, u32 offset, u32 bytes) {
  if (offset == 0 || offset > at->out || bytes > blob->target_bytes - at->out) return false;
  copy_match((u8*)blob->target + at->out, offset, bytes);
  at->out += bytes;
  return true;
}

WF_DEVICE bool snappy(const WfBlob* blob, Window* window, Progress* at) {
  u32 bytes = blob->source_bytes;
  u64 place = 0, length;
  if (!wf_read_varint((const u8*)blob->source, &place, bytes, &length) || length != blob->target_bytes) return false;
  at->in = (u32)place;
  while (at->in < bytes) {
    u32 head = peek(window, at->in), tag = head & 255u;
    if ((tag & 3u) == 0) {
      u32 count = tag >> 2, extra = 0;
      if (count >= 60u) {
        extra = count - 59u;
        if (extra > bytes - at->in - 1u) return false;
        u32 stored = peek(window, at->in + 1u);
        count = extra == 4u ? stored : stored & ((1u << 8u * extra) - 1u);
        if (count == 0xffffffffu) return false;
      }
      at->in += 1u + extra;
      if (!literal(blob, at, count + 1u)) return false;
      continue;
    }
    u32 offset, count = (tag >> 2) + 1u, size;
    if ((tag & 3u) == 1u) {
      count = (tag >> 2 & 7u) + 4u;
      offset = (tag >> 5) << 8 | (head >> 8 & 255u);
      size = 2;
    } else if ((tag & 3u) == 2u) {
      offset = head >> 8 & 0xffffu;
      size = 3;
    } else {
      offset = peek(window, at->in + 1u);
      size = 5;
    }
    if (size > bytes - at->in) return false;
    at->in += size;
    if (!match(blob, at, offset, count)) return false;
  }
  return true;
}

// A length of LZ4: 15 in the token means that bytes follow, each added, until one is not 255.
WF_DEVICE bool lz4_length(const WfBlob* blob, Window* window, Progress* at, u32* length) {
  if (*length != 15u) return true;
  u32 byte;
  do {
    if (at->in >= blob->source_bytes || *length > blob->target_bytes) return false;
    byte = peek(window, at->in) & 255u;
    at->in++;
    *length += byte;
  } while (byte == 255u);
  return true;
}

WF_DEVICE bool lz4(const WfBlob* blob, Window* window, Progress* at) {
  u32 bytes = blob->source_bytes;
  while (at->in < bytes) {
    u32 token = peek(window, at->in) & 255u;
    at->in++;
    u32 length = token >> 4;
    if (!lz4_length(blob, window, at, &length) || !literal(blob, at, length)) return false;
    if (at->in == bytes) return true;  // the last sequence has no match
    if (bytes - at->in < 2u) return false;
    u32 offset = peek(window, at->in) & 0xffffu;
    at->in += 2;
    length = token & 15u;
    if (!lz4_length(blob, window, at, &length) || !match(blob, at, offset, length + 4u)) return false;
  }
  return true;
}

WF_KERNEL(128) decompress(const WfBlob* blobs, u32 count, WfError* error) {
  u32 index = (u32)(wf_grid_thread() / WF_WARP);
  if (index >= count) return;
  WfBlob blob = blobs[index];
  Window window = {blob.source, blob.source + blob.source_bytes, 0, 0, 0};
  Progress at = {0, 0};
  bool good;
  if (blob.codec == WF_CODEC_SNAPPY) good = snappy(&blob, &window, &at);
  else if (blob.codec == WF_CODEC_LZ4) good = lz4(&blob, &window, &at);
  else good = literal(&blob, &at, blob.source_bytes);
  if (good && at.out == blob.target_bytes) return;
  if (wf_lane_id() == 0) wf_raise(error, good ? WF_BAD_SIZE : WF_BAD_COMPRESSION, blob.item);
  for (u32 i = at.out + wf_lane_id(); i < blob.target_bytes; i += WF_WARP) ((u8*)blob.target)[i] = 0;
}
