// A table of groups that has grown: every group is entered into its new slots. A thread a group.

WF_KERNEL(256) enter_groups(WfGroups* table, u32 key_words, u32 keys_in_slots) {
  u64 group = wf_grid_thread();
  if (group >= table->count) return;
  const u64* keys = (const u64*)table->keys;
  // Keys differ, so the first free slot is the group's.
  if (keys_in_slots != 0) {
    WfKeySlot* slots = (WfKeySlot*)table->slots;
    u32 at = wf_first_slot(table, keys[group]);
    while (atomicCAS(&slots[at].key, (u64)0, keys[group] ^ WF_HASH_C) != 0) at = (at + 1u) & table->slot_mask;
    slots[at].number = (u32)group + 1u;
    return;
  }
  // As wf_hash_words, for a number of words that is not known when this is compiled.
  u64 hash = WF_HASH_A;
  for (u32 w = 0; w < key_words; w++) hash = wf_fold(keys[(u64)w * table->capacity + group] ^ WF_HASH_C, hash ^ WF_HASH_B);
  u32 at = (u32)(hash ^ hash >> 32) & table->slot_mask;
  while (atomicCAS((u32*)table->slots + at, 0u, (u32)group + 1u) != 0u) at = (at + 1u) & table->slot_mask;
}

// String s of all groups as references: a long string where it is kept, a short one in its key word.
WF_KERNEL(256) refer_to_texts(const WfGroups* table, u32 text, u32 key_word, WfStringRef* references) {
  u64 group = wf_grid_thread();
  if (group >= table->count) return;
  WfStringRef kept = ((const WfStringRef*)table->texts)[(u64)text * table->capacity + group];
  if (kept.address == 0) kept.address = (u64)((const u64*)table->keys + (u64)key_word * table->capacity + group);
  references[group] = kept;
}

// A set of (group, value) keys: adds the number of each group's values to its count. A thread a member; the low half of
// word 0 of a member's key is its group.
WF_KERNEL(256) count_members(const WfGroups* set, u64* counts) {
  u64 member = wf_grid_thread();
  if (member < set->count) atomicAdd(counts + (u32)((const u64*)set->keys)[member], 1ull);
}
