// A 64-bit hash for tables and filters on one device; not for data that outlives the process. The same function in
// Rust is prelude/hash.rs: what changes here changes there.
#define WF_HASH_A 0x9e3779b97f4a7c15ull
#define WF_HASH_B 0xd6e8feb86659fd93ull
#define WF_HASH_C 0xa0761d6478bd642full

WF_DEVICE u64 wf_fold(u64 a, u64 b) { return (a * b) ^ __umul64hi(a, b); }

WF_DEVICE u64 wf_hash_u64(u64 value, u64 seed) {
  return wf_fold(value ^ WF_HASH_A ^ seed, wf_fold(value ^ WF_HASH_C, seed ^ WF_HASH_B) ^ WF_HASH_B);
}

WF_DEVICE u64 wf_hash_u128(u128 value, u64 seed) {
  return wf_hash_u64((u64)value, wf_hash_u64((u64)(value >> 64), seed));
}

// Bytes at any address; see wf_unpack for the slack that they need.
WF_CALLED u64 wf_hash_bytes(const u8* data, u64 bytes, u64 seed) {
  u64 hash = seed ^ wf_fold(bytes ^ WF_HASH_C, WF_HASH_A);
  u64 at = 0;
  WF_ROLLED for (; at + 8 <= bytes; at += 8) hash = wf_fold(wf_load_u64(data + at) ^ WF_HASH_A, hash ^ WF_HASH_B);
  u64 tail = wf_unpack(data + at, 0, (u32)(bytes - at) * 8u);
  return wf_hash_u64(tail, hash);
}
