// An extreme of values wider than a word: three words, a version and the value. The version is 0 before the first
// value, odd while one is being written, and grows with each; who reads a value looks whether it was the same before
// and after. The same rows may be added again without a change.
struct WfExtreme {
  u64* version;
  u64* first;
  u64* second;
};

// Calls `better(first, second)` with the value that is there, and `write()` if it says so, or if there is none.
template <class Better, class Write> WF_DEVICE void wf_extreme(WfExtreme extreme, Better better, Write write) {
  while (true) {
    u64 version = *(volatile u64*)extreme.version;
    if ((version & 1ull) != 0) {
      __nanosleep(20);
      continue;
    }
    if (version != 0) {
      __threadfence();  // the version was there before the value is read
      u64 first = *(volatile u64*)extreme.first, second = *(volatile u64*)extreme.second;
      __threadfence();  // and the value is read before the version is looked at again
      if (*(volatile u64*)extreme.version != version) continue;
      if (!better(first, second)) return;
    }
    if (atomicCAS(extreme.version, version, version + 1ull) != version) continue;
    bool written = write();
    __threadfence();  // the value is there before its version
    atomicExch(extreme.version, written ? version + 2ull : version);
    return;
  }
}

WF_CALLED void wf_extreme_wide(WfExtreme extreme, i128 v, bool largest) {
  wf_extreme(
      extreme,
      [&](u64 low, u64 high) {
        i128 kept = (i128)((u128)high << 64 | low);
        return largest ? v > kept : v < kept;
      },
      [&]() {
        *(volatile u64*)extreme.first = (u64)v;
        *(volatile u64*)extreme.second = (u64)((u128)v >> 64);
        return true;
      });
}

// The bytes are copied to the table's heap; where it is full the table is marked, and the host runs the launch again.
WF_CALLED void wf_extreme_text(WfExtreme extreme, WfGroups* table, WfStringRef v, bool largest) {
  wf_extreme(
      extreme,
      [&](u64 address, u64 bytes) {
        i32 order = wf_string_compare((const u8*)v.address, v.bytes, (const u8*)address, bytes);
        return largest ? order > 0 : order < 0;
      },
      [&]() {
        u8* room = wf_heap_take(&table->heap, ((u64)v.bytes + 15ull) & ~7ull);
        if (room == 0) {
          atomicExch(&table->overflow, 1u);
          return false;
        }
        wf_keep_text(room, (const u8*)v.address, v.bytes);
        *(volatile u64*)extreme.first = (u64)room;
        *(volatile u64*)extreme.second = v.bytes;
        return true;
      });
}
