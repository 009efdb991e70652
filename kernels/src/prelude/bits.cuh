// Bits and bytes at any address. Device loads must be aligned to their size, so unaligned values are put together
// from aligned 64-bit words: up to 7 bytes before and after the value are read. Buffers start aligned to 256 bytes,
// and whoever makes one that is read here leaves WF_SLACK_BYTES of readable bytes at its end.
#define WF_SLACK_BYTES 8u

// Where bits lie: in one word of memory, or in two. Whoever takes many may load all words before it waits for one.
struct WfBits {
  const u64* words;
  u32 shift, width;
};

// Where `width` bits (0 to 64) lie, from bit `bit` after `data` on.
WF_DEVICE WfBits wf_bits_at(const u8* data, u64 bit, u32 width) {
  const u8* first = data + (bit >> 3);
  return WfBits{(const u64*)((u64)first & ~7ull), (u32)((u64)first & 7ull) * 8u + (u32)(bit & 7u), width};
}
WF_DEVICE bool wf_needs_both(const WfBits* bits) { return bits->shift + bits->width > 64u; }

// The bits of their words; `high` counts only if both are needed.
WF_DEVICE u64 wf_bits_of(const WfBits* bits, u64 low, u64 high) {
  u64 value = low >> bits->shift;
  if (wf_needs_both(bits)) value |= high << (64u - bits->shift);
  return bits->width >= 64u ? value : value & ((1ull << bits->width) - 1ull);
}

// `width` bits (0 to 64) from bit `bit` after `data`, counted from the least significant bit of the first byte.
WF_DEVICE u64 wf_unpack(const u8* data, u64 bit, u32 width) {
  if (width == 0) return 0;
  WfBits bits = wf_bits_at(data, bit, width);
  return wf_bits_of(&bits, bits.words[0], wf_needs_both(&bits) ? bits.words[1] : 0);
}

WF_DEVICE u16 wf_load_u16(const u8* data) { return (u16)(data[0] | (u16)data[1] << 8); }
WF_DEVICE u32 wf_load_u32(const u8* data) { return (u32)wf_unpack(data, 0, 32); }
WF_DEVICE u64 wf_load_u64(const u8* data) { return wf_unpack(data, 0, 64); }

// Whether bit `index` of a bitmap is set; a null bitmap has all bits set.
WF_DEVICE bool wf_bit(const u32* bitmap, u64 index) {
  return bitmap == 0 || (bitmap[index >> 5] >> (index & 31u) & 1u) != 0;
}

// The unsigned LEB128 number at `*at`, and `*at` after it. False if it does not end before `end` or has over 64 bits.
WF_DEVICE bool wf_read_varint(const u8* data, u64* at, u64 end, u64* value) {
  u64 result = 0;
  for (u32 shift = 0; shift < 64u; shift += 7u) {
    if (*at >= end) return false;
    u8 byte = data[(*at)++];
    if (shift == 63u && byte > 1u) return false;
    result |= (u64)(byte & 127u) << shift;
    if (byte < 128u) {
      *value = result;
      return true;
    }
  }
  return false;
}

WF_DEVICE i64 wf_unzigzag(u64 value) { return (i64)(value >> 1) ^ -(i64)(value & 1ull); }
