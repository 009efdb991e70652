// Groups: a hash table from key words to group numbers, shared by all threads of a launch and kept between launches.
//
// A key is W words of 64 bits. A string is one of them: itself where it has at most 7 bytes, else its hash with the top
// bit set, and then the bytes are compared too. Slots hold a group's number plus one; 0 is free, WF_GROUP_CLAIMED is
// being written. Numbers are dense, so state and keys are arrays by number, a word after the other. A key of one word
// that is no string also stands in its slot: a row that finds its group then reads one sector and no more, and a new
// group claims its slot by its key, so that nobody has to see one word of a slot before another.
#define WF_GROUP_CLAIMED 0xffffffffu

// A slot of a table whose keys are one word. `key` is the word xor WF_HASH_C, and 0 before it is written; it is written
// once. The word that is WF_HASH_C has a slot of its own behind the others, whose `key` stays 0.
struct WfKeySlot {
  u64 key;
  u32 number;
  u32 reserved;
};

struct WfGroups {
  u64 slots;       // u32 each, or WfKeySlot
  u64 keys;        // u64: word w of group g at keys[w * capacity + g]
  u64 texts;       // WfStringRef: string s of group g at texts[s * capacity + g]
  u32 slot_mask;   // slots - 1, a power of two
  u32 capacity;    // groups that there is room for
  u32 count;       // groups; more than capacity if there was no room
  u32 overflow;    // not 0: some row found no room
  WfHeap heap;     // bytes of long strings
};

// A string as a key word.
WF_DEVICE u64 wf_string_key(WfStringRef text) {
  if (text.bytes <= 7u) return wf_unpack((const u8*)text.address, 0, text.bytes * 8u) | (u64)text.bytes << 56;
  return wf_hash_bytes((const u8*)text.address, text.bytes, 0) | 1ull << 63;
}

template <u32 W> WF_DEVICE u64 wf_hash_words(const u64* words) {
  u64 hash = WF_HASH_A;
  for (u32 w = 0; w < W; w++) hash = wf_fold(words[w] ^ WF_HASH_C, hash ^ WF_HASH_B);
  return hash ^ hash >> 32;
}

template <u32 W, u32 S> WF_DEVICE bool wf_same_group(const WfGroups* table, u32 group, const u64* words,
                                                     const WfStringRef* texts, const u32* text_words) {
  // Volatile: another thread of this launch may have written them, past this multiprocessor's cache.
  const volatile u64* keys = (const volatile u64*)table->keys;
  for (u32 w = 0; w < W; w++)
    if (keys[(u64)w * table->capacity + group] != words[w]) return false;
  for (u32 s = 0; s < S; s++) {
    if (words[text_words[s]] >> 63 == 0) continue;
    const volatile WfStringRef* kept = (const volatile WfStringRef*)table->texts + (u64)s * table->capacity + group;
    if (!wf_string_equal((const u8*)kept->address, kept->bytes, (const u8*)texts[s].address, texts[s].bytes)) return false;
  }
  return true;
}

// Copies a string to room of whole words of its own, and zeros behind it.
WF_CALLED void wf_keep_text(u8* room, const u8* from, u32 bytes) {
  WF_ROLLED for (u32 at = 0; at < bytes; at += 8u)
    *(u64*)(room + at) = wf_unpack(from + at, 0, wf_min(bytes - at, 8u) * 8u);
  *(u64*)(room + ((bytes + 7u) & ~7u)) = 0;
}

// Takes room for the long strings of a new key; false if there is none.
template <u32 S> WF_DEVICE bool wf_group_rooms(WfGroups* table, const u64* words, const WfStringRef* texts,
                                               const u32* text_words, u8** rooms) {
  bool room = true;
  for (u32 s = 0; s < S; s++) {
    rooms[s] = 0;
    if (words[text_words[s]] >> 63 == 0) continue;
    // Slack behind each, because strings are compared by whole words.
    rooms[s] = wf_heap_take(&table->heap, ((u64)texts[s].bytes + 15ull) & ~7ull);
    room = room && rooms[s] != 0;
  }
  return room;
}

template <u32 W, u32 S> WF_DEVICE void wf_write_group(WfGroups* table, u32 group, const u64* words,
                                                      const WfStringRef* texts, const u32* text_words, u8* const* rooms) {
  for (u32 s = 0; s < S; s++) {
    WfStringRef* kept = (WfStringRef*)table->texts + (u64)s * table->capacity + group;
    u32 bytes = texts[s].bytes;
    if (rooms[s] != 0) {
      wf_keep_text(rooms[s], (const u8*)texts[s].address, bytes);
    }
    // A short string is its key word, which finish_groups lets the reference lead to.
    kept->address = (u64)rooms[s];
    kept->bytes = bytes;
    kept->reserved = 0;
  }
  for (u32 w = 0; w < W; w++) ((u64*)table->keys)[(u64)w * table->capacity + group] = words[w];
}

// Where the search for a key of one word begins.
WF_DEVICE u32 wf_first_slot(const WfGroups* table, u64 word) {
  return word == WF_HASH_C ? table->slot_mask + 1u : (u32)wf_hash_words<1>(&word) & table->slot_mask;
}

// wf_find_group for keys of one word. As long as there is room both words of a slot only ever change from nothing to what
// they stay, so rows that find their group need no fence, and neither do those that make one.
WF_DEVICE u32 wf_find_key(WfGroups* table, u64 word) {
  u32 at = wf_first_slot(table, word);
  u64 wanted = word ^ WF_HASH_C;
  WfKeySlot* slots = (WfKeySlot*)table->slots;
  while (true) {
    WfKeySlot* slot = slots + at;
    u32 number = *(volatile u32*)&slot->number;
    u64 key = *(volatile u64*)&slot->key;
    // That there is a number says nothing of a key that was read after it.
    if (key == 0 && (wanted != 0 || number == 0)) {
      if (*(volatile u32*)&table->overflow != 0) return WF_NO_GROUP;
      bool claimed;
      if (wanted != 0) {
        key = atomicCAS(&slot->key, (u64)0, wanted);
        claimed = key == 0;
      } else {
        claimed = atomicCAS(&slot->number, 0u, WF_GROUP_CLAIMED) == 0;
      }
      if (claimed) {
        u32 group = atomicAdd(&table->count, 1u);
        if (group >= table->capacity) {
          // Given back, so that whoever looks for a free slot finds one, and that there is no room.
          atomicExch(&table->overflow, 1u);
          if (wanted != 0) atomicExch(&slot->key, (u64)0);
          else atomicExch(&slot->number, 0u);
          return WF_NO_GROUP;
        }
        ((u64*)table->keys)[group] = word;
        *(volatile u32*)&slot->number = group + 1u;
        return group;
      }
    }
    if (key == wanted) {
      while (number == 0 || number == WF_GROUP_CLAIMED) {
        if (*(volatile u32*)&table->overflow != 0) return WF_NO_GROUP;
        __nanosleep(20);
        number = *(volatile u32*)&slot->number;
      }
      return number - 1u;
    }
    at = (at + 1u) & table->slot_mask;
  }
}

// The number of the key's group, a new one if there is none. WF_NO_GROUP if there is no room: the host makes some and
// runs the launch again, which changes nothing for rows that found theirs.
template <u32 W, u32 S> WF_DEVICE u32 wf_find_group(WfGroups* table, const u64* words, const WfStringRef* texts,
                                                    const u32* text_words) {
  if (W == 1 && S == 0) return wf_find_key(table, words[0]);
  u32 at = (u32)wf_hash_words<W>(words) & table->slot_mask;
  u32* slots = (u32*)table->slots;
  while (true) {
    u32 seen = *(volatile u32*)(slots + at);
    if (seen == 0) {
      if (*(volatile u32*)&table->overflow != 0) return WF_NO_GROUP;
      seen = atomicCAS(slots + at, 0u, WF_GROUP_CLAIMED);
      if (seen == 0) {
        u8* rooms[S + 1];
        u32 group = WF_NO_GROUP;
        // Room first, so that every number below `capacity` has its key.
        if (wf_group_rooms<S>(table, words, texts, text_words, rooms)) group = atomicAdd(&table->count, 1u);
        if (group >= table->capacity) {
          atomicExch(&table->overflow, 1u);
          atomicExch(slots + at, 0u);
          return WF_NO_GROUP;
        }
        wf_write_group<W, S>(table, group, words, texts, text_words, rooms);
        __threadfence();  // the key is there before its number
        atomicExch(slots + at, group + 1u);
        return group;
      }
    }
    while (seen == WF_GROUP_CLAIMED) {
      __nanosleep(20);
      seen = *(volatile u32*)(slots + at);
    }
    if (seen != 0) {
      __threadfence();  // the number was there before the key is read
      if (wf_same_group<W, S>(table, seen - 1u, words, texts, text_words)) return seen - 1u;
      at = (at + 1u) & table->slot_mask;
    }
  }
}
