// Joins: what generated kernels look the keys of rows up in. A key has an entry: for dense integers its distance from
// the smallest, else the number of its group. An entry has one row of the build side, or a list of them.
#define WF_NO_ROW 0xffffffffu

struct WfJoin {
  u64 base;     // dense keys: the smallest
  u64 entries;  // how many entries there are
  u64 groups;   // WfGroups, for keys that are not dense
  u64 rows;     // u32: the row of each entry, WF_NO_ROW for none; with lists, the rows of all lists
  u64 lists;    // u32: where each entry's list starts, and one more for the end; or 0
  u64 seen;     // u8: a byte for each entry that some row of the other side had; or 0
};

// The entry of a dense key, or WF_NO_ROW.
WF_DEVICE u32 wf_dense_entry(const WfJoin* join, u64 key) {
  u64 entry = key - join->base;
  return entry < join->entries ? (u32)entry : WF_NO_ROW;
}

// wf_seek_group for keys of one word.
WF_DEVICE u32 wf_seek_key(const WfGroups* table, u64 word) {
  u32 at = wf_first_slot(table, word);
  const WfKeySlot* slots = (const WfKeySlot*)table->slots;
  while (true) {
    WfKeySlot slot = slots[at];
    if (slot.number == 0) return WF_NO_GROUP;
    if (slot.key == (word ^ WF_HASH_C)) return slot.number - 1u;
    at = (at + 1u) & table->slot_mask;
  }
}

// The number of the key's group, or WF_NO_GROUP if there is none. The table does not change meanwhile.
template <u32 W, u32 S> WF_DEVICE u32 wf_seek_group(const WfGroups* table, const u64* words, const WfStringRef* texts,
                                                    const u32* text_words) {
  if (W == 1 && S == 0) return wf_seek_key(table, words[0]);
  u32 at = (u32)wf_hash_words<W>(words) & table->slot_mask;
  const u32* slots = (const u32*)table->slots;
  while (true) {
    u32 seen = slots[at];
    if (seen == 0) return WF_NO_GROUP;
    if (wf_same_group<W, S>(table, seen - 1u, words, texts, text_words)) return seen - 1u;
    at = (at + 1u) & table->slot_mask;
  }
}
