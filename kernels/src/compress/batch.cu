// What a library says of the pieces that it decompressed, against what was expected of them: a warp takes a piece. A
// piece that is not as it should be raises, and zeros take the place of whatever came out.
//
// Pieces with a CRC-32 behind them, those of gzip, are read once more to compare it: the library does not. Each lane
// takes a 32nd of the piece, 4 bytes a step by four tables in shared memory, which the block fills; what follows a
// lane's part multiplies its remainder by a power of x. A lane reads 32-byte sectors of its own, 8 steps each, from L1.
// Some 25 instructions a step: a page of 1 MiB takes a warp 0.2 ms, which is less than it took to decompress.

#define CRC_POLYNOMIAL 0xedb88320u  // of gzip (RFC 1952), the highest power lowest
#define CRC_ONE 0x80000000u         // the polynomial 1
#define CRC_TABLES 4u

struct CrcShared {
  u32 tables[CRC_TABLES][256];  // [k][byte]: the remainder of the byte with k zero bytes behind it
};

WF_DEVICE u32 crc_times_x(u32 a) { return a >> 1 ^ (a & 1u ? CRC_POLYNOMIAL : 0u); }

// By all threads of a block of 256.
WF_DEVICE void fill_crc_tables(CrcShared* shared) {
  u32 byte = threadIdx.x, remainder = byte;
  for (u32 bit = 0; bit < 8u; bit++) remainder = crc_times_x(remainder);
  shared->tables[0][byte] = remainder;
  __syncthreads();  // the first table is read by all
  for (u32 k = 1; k < CRC_TABLES; k++) {
    remainder = remainder >> 8 ^ shared->tables[0][remainder & 255u];
    shared->tables[k][byte] = remainder;
  }
  __syncthreads();  // and the others
}

// The product of two remainders.
WF_DEVICE u32 crc_times(u32 a, u32 b) {
  u32 product = 0;
  for (u32 bit = CRC_ONE; bit != 0; bit >>= 1, b = crc_times_x(b)) {
    if (a & bit) product ^= b;
  }
  return product;
}

// The remainder of x to the power of 8 * bytes.
WF_DEVICE u32 crc_power(u64 bytes) {
  u32 power = CRC_ONE, square = CRC_ONE >> 8;
  for (; bytes != 0; bytes >>= 1, square = crc_times(square, square)) {
    if (bytes & 1u) power = crc_times(power, square);
  }
  return power;
}

WF_DEVICE u32 crc_byte(const CrcShared* shared, u32 remainder, u32 byte) {
  return remainder >> 8 ^ shared->tables[0][(remainder ^ byte) & 255u];
}

// By all lanes of a warp.
WF_DEVICE u32 crc32_of(const CrcShared* shared, const u8* bytes, u64 count) {
  u64 part = (count + 4u * WF_WARP - 1u) / (4u * WF_WARP) * 4u;  // whole words: all lanes meet alignment together
  u64 at = wf_lane_id() * part, end = at + part;
  if (at > count) at = count;
  if (end > count) end = count;
  u64 behind = count - end;
  u32 remainder = 0;
  for (; at < end && ((u64)(bytes + at) & 3u) != 0; at++) remainder = crc_byte(shared, remainder, bytes[at]);
  for (; at + 4u <= end; at += 4u) {
    u32 word = remainder ^ *(const u32*)(bytes + at);
    remainder = shared->tables[3][word & 255u] ^ shared->tables[2][word >> 8 & 255u] ^
                shared->tables[1][word >> 16 & 255u] ^ shared->tables[0][word >> 24];
  }
  for (; at < end; at++) remainder = crc_byte(shared, remainder, bytes[at]);
  remainder = crc_times(remainder, crc_power(behind));
  // It begins with 32 ones, as if they stood in front of all.
  if (wf_lane_id() == 0) remainder ^= crc_times(~0u, crc_power(count));
  for (u32 lanes = WF_WARP / 2u; lanes > 0; lanes /= 2u) remainder ^= wf_shfl_xor(remainder, lanes);
  return ~remainder;
}

// Columns of a table, an entry a piece each; `crcs` are addresses, 0 where there is none.
struct WfPieces {
  const u64* targets;
  const u64* target_bytes;
  const u64* items;
  const u64* crcs;
  const u64* found_bytes;
  const i32* statuses;
};

WF_KERNEL(256) check_unpacked(WfPieces pieces, u64 count, WfError* error) {
  __shared__ CrcShared shared;
  fill_crc_tables(&shared);
  u64 piece = wf_grid_thread() / WF_WARP;
  if (piece >= count) return;
  u8* target = (u8*)pieces.targets[piece];
  u64 bytes = pieces.target_bytes[piece];
  bool good = pieces.statuses[piece] == 0, whole = pieces.found_bytes[piece] == bytes;
  const u8* crc = (const u8*)pieces.crcs[piece];
  if (good && whole && crc != 0) {
    u32 says = crc[0] | crc[1] << 8 | crc[2] << 16 | (u32)crc[3] << 24;
    good = says == crc32_of(&shared, target, bytes);
  }
  if (good && whole) return;
  if (wf_lane_id() == 0) wf_raise(error, good ? WF_BAD_SIZE : WF_BAD_COMPRESSION, pieces.items[piece]);
  for (u64 i = wf_lane_id(); i < bytes; i += WF_WARP) target[i] = 0;
}
