// Plain byte arrays: each has its length in front, which says where the next one is. A block a page turns them into
// string references of 16 bytes, in the page's scratch, so that tiles can read them.
//
// The block takes the page window by window, through shared memory, and a window segment by segment, one a thread. A
// thread does not know where the first string of its segment starts, so it guesses: where a chain of strings starts
// that leads out of its segment without a length that the page contradicts. Such a chain counts for nothing until it
// starts where the one before it ends. Where it does not, the chain before is right and the thread walks again from
// there; what a long string passes over is dropped. So a guess decides how long it takes, never what comes out: pages of
// text are guessed right nearly always, and strings made to mislead are walked one segment after the other.
//
// Places in a page are counted from the multiple of 16 at or before its first byte.

#define STRING_THREADS 256u
#define STRING_WARPS (STRING_THREADS / WF_WARP)
// An odd number of words: lanes that read at the same place of their segments meet no other's bank.
#define SEGMENT_BYTES 124u
#define WARP_BYTES (WF_WARP * SEGMENT_BYTES)
#define WINDOW_BYTES (STRING_THREADS * SEGMENT_BYTES)
// Of 16 bytes: a window may start at the last byte of one, and the length of its last string lie behind it.
#define WINDOW_PIECES (WINDOW_BYTES / 16u + 2u)
#define THREAD_PIECES ((WINDOW_PIECES + STRING_THREADS - 1u) / STRING_THREADS)
#define NO_PLACE 0xffffffffu

struct StringWindow {
  uint4 pieces[WINDOW_PIECES];
  u16 starts[WINDOW_BYTES / 4];  // of the window's strings, in order
  u32 first[STRING_WARPS];       // where the first chain of each warp starts
  u32 next[STRING_WARPS];        // and where the last one ends
  WfBlockScratch<u32> sums;
};

// A window as a thread sees it.
struct View {
  const u32* words;
  u32 from;  // place of the first word
  u32 end;   // of the page
};

// Strings one after the other that start in one segment; the last ends at `next`, NO_PLACE if what follows it is none.
struct Chain {
  u32 start;  // NO_PLACE: there is no chain
  u32 next;
  u32 count;
};

WF_DEVICE u32 length_at(View view, u32 at) {
  u32 byte = at - view.from;
  return __funnelshift_r(view.words[byte / 4u], view.words[byte / 4u + 1u], byte % 4u * 8u);
}

// Where the string that starts at `at`, at most the page's end, ends; NO_PLACE if that is not in the page.
WF_DEVICE u32 string_end(View view, u32 at) {
  u32 left = view.end - at, length = length_at(view, at);
  return left >= 4u && length <= left - 4u ? at + 4u + length : NO_PLACE;
}

// The chain of all strings from `at` on that start before `stop`, which is at most the page's end.
WF_DEVICE Chain chain_from(View view, u32 at, u32 stop) {
  Chain chain = {at, at, 0};
  WF_ROLLED
  while (chain.next < stop) {
    chain.next = string_end(view, chain.next);
    chain.count += chain.next != NO_PLACE ? 1u : 0u;
  }
  return chain;
}

// The first place from `at` on, before `stop`, where a string may start; `stop` if there is none.
WF_DEVICE u32 possible_start(View view, u32 at, u32 stop) {
  WF_ROLLED
  for (u32 base = at & ~3u; base < stop; base += 4u) {
    u32 word = (base - view.from) / 4u, left = view.end - base, found = 0;
    u32 low = view.words[word], high = view.words[word + 1u];
    for (u32 i = 0; i < 4u; i++) {
      bool fits = left >= i + 4u && __funnelshift_r(low, high, 8u * i) <= left - i - 4u;
      found |= (fits && base + i >= at ? 1u : 0u) << i;
    }
    if (found != 0) return wf_min(base + (u32)__ffs((i32)found) - 1u, stop);
  }
  return stop;
}

// The best chain from a place of the segment on. The bytes around a length may be one too, but of a much longer string:
// of four neighbours the one with the most strings is taken, then the one that ends first. What follows a chain must
// start a string as well, where the window shows it.
WF_DEVICE Chain guess_chain(View view, u32 low, u32 stop, u32 window_end) {
  Chain best = {NO_PLACE, NO_PLACE, 0};
  u32 last = stop;
  WF_ROLLED
  for (u32 at = low; (at = possible_start(view, at, last)) < last; at++) {
    Chain chain = chain_from(view, at, stop);
    if (chain.next == NO_PLACE) continue;
    if (chain.next < wf_min(window_end, view.end) && string_end(view, chain.next) == NO_PLACE) continue;
    if (best.count == 0) last = wf_min(stop, at + 4u);
    if (chain.count > best.count || (chain.count == best.count && chain.next < best.next)) best = chain;
  }
  return best;
}

// Makes the chains of a warp's segments, the first at `low`, follow each other from `entry` on; where that is not
// known, from the first chain on. Writes where the first of them starts and the last one ends. All lanes call; each
// round settles a segment more.
WF_DEVICE void join_chains(View view, u32 low, u32 entry, Chain* mine, u32* first_start, u32* last_next) {
  u32 lane = wf_lane_id(), stop = wf_min(low + WARP_BYTES, view.end);
  u32 segment_end = wf_min(low + (lane + 1u) * SEGMENT_BYTES, view.end);
  while (true) {
    u32 there = __ballot_sync(WF_ALL_LANES, mine->start != NO_PLACE), before = there & wf_lanes_below();
    u32 reached = wf_shfl(mine->next, before != 0 ? 31u - (u32)__clz((i32)before) : 0u);
    if (before == 0) reached = entry != NO_PLACE ? entry : mine->start;
    u32 torn = __ballot_sync(WF_ALL_LANES, mine->start != NO_PLACE && mine->start != reached);
    u32 settled = there, place = entry;
    if (torn != 0) {
      u32 lane_torn = (u32)__ffs((i32)torn) - 1u;
      settled = there & ((1u << lane_torn) - 1u);
      place = wf_shfl(reached, lane_torn);
    } else if (there != 0) {
      place = wf_shfl(mine->next, 31u - (u32)__clz((i32)there));
    }
    if (torn == 0 && place >= stop) {
      *first_start = there != 0 ? wf_shfl(mine->start, (u32)__ffs((i32)there) - 1u) : NO_PLACE;
      *last_next = place;
      return;
    }
    // The next string starts at `place`, and none in the segments between.
    u32 target = (place - low) / SEGMENT_BYTES;
    if (lane >= 32u - (u32)__clz((i32)settled) && lane < target) mine->start = NO_PLACE;
    if (lane == target && mine->start != place) *mine = chain_from(view, place, segment_end);
  }
}

// A piece of 16 bytes; at the page's ends only the words that hold bytes of it are loaded.
WF_DEVICE uint4 load_piece(const u8* ground, u32 at, u32 begin, u32 end) {
  if (at >= begin && at < end && end - at >= 16u) return *(const uint4*)(ground + at);
  u32 words[4];
  for (u32 i = 0; i < 4u; i++, at += 4u) words[i] = at + 4u > begin && at < end ? *(const u32*)(ground + at) : 0;
  return make_uint4(words[0], words[1], words[2], words[3]);
}

// The thread's pieces of the window at `from`, and some behind it.
WF_DEVICE void load_pieces(const u8* ground, u32 from, u32 begin, u32 end, uint4* pieces) {
  const u32 stride = STRING_THREADS * 16u;
  u32 at = from + threadIdx.x * 16u;
  if (from >= begin && end - from >= THREAD_PIECES * stride) {
    for (u32 i = 0; i < THREAD_PIECES; i++) pieces[i] = *(const uint4*)(ground + at + i * stride);
  } else {
    for (u32 i = 0; i < THREAD_PIECES; i++) pieces[i] = load_piece(ground, at + i * stride, begin, end);
  }
}

// Settles all chains of the window whose first string starts at `entry`; returns where the last one ends. Warps join
// their own chains, then those are joined warp by warp.
WF_DEVICE u32 settle_window(View view, u32 entry, StringWindow* window, Chain* mine) {
  u32 lane = wf_lane_id(), warp = wf_warp_id();
  u32 low = entry + warp * WARP_BYTES, start = low + lane * SEGMENT_BYTES;
  u32 stop = wf_min(start + SEGMENT_BYTES, view.end);
  if (threadIdx.x == 0) *mine = chain_from(view, entry, stop);
  else *mine = guess_chain(view, start, stop, entry + WINDOW_BYTES);
  u32 first, next, known = warp == 0 ? entry : NO_PLACE;
  join_chains(view, low, known, mine, &first, &next);
  while (true) {
    if (lane == 0) {
      window->first[warp] = first;
      window->next[warp] = next;
    }
    __syncthreads();  // what each warp has is there
    // All threads find alike which warp is the first whose chains do not start where those before it end.
    u32 place = entry, torn = STRING_WARPS;
    for (u32 i = 0; i < STRING_WARPS; i++) {
      if (torn != STRING_WARPS) continue;
      if (i == warp) known = place;
      if (place >= wf_min(entry + (i + 1u) * WARP_BYTES, view.end)) continue;
      if (window->first[i] == place) place = window->next[i];
      else torn = i;
    }
    if (torn == STRING_WARPS) {
      // A string that passes over the warp's segments, or ends the page before them.
      if (known >= wf_min(low + WARP_BYTES, view.end)) mine->start = NO_PLACE;
      return place;
    }
    __syncthreads();  // and read, before it is replaced
    if (torn == warp) join_chains(view, low, known, mine, &first, &next);
  }
}

// A block a page, of pages that are all plain byte arrays.
WF_KERNEL(STRING_THREADS) plain_strings(WfPage* pages, WfError* error) {
  __shared__ StringWindow window;
  const WfPage* page = pages + blockIdx.x;
  const u8* data = (const u8*)page->values;
  const u8* ground = (const u8*)((u64)data & ~15ull);
  uint4* refs = (uint4*)page->scratch;
  u32 count = page->value_count, begin = (u32)(data - ground), done = 0, entry = begin;
  // No page of Parquet is as long; the places of a window's end must not overflow.
  u32 end = (u32)wf_min<u64>((u64)begin + page->values_len, 0xffff0000ull);
  uint4 ahead[THREAD_PIECES];
  bool more = count > 0 && entry < end;
  if (more) load_pieces(ground, entry & ~15u, begin, end, ahead);
  while (more) {
    View view = {(const u32*)window.pieces, entry & ~15u, end};
    __syncthreads();  // the last window is no longer read
    for (u32 i = 0; i < THREAD_PIECES; i++) {
      u32 piece = threadIdx.x + i * STRING_THREADS;
      if (piece < WINDOW_PIECES) window.pieces[piece] = ahead[i];
    }
    __syncthreads();  // the window is there
    Chain mine;
    u32 next = settle_window(view, entry, &window, &mine);
    u32 strings = mine.start != NO_PLACE ? mine.count : 0, total;
    u32 before = wf_block_exclusive_sum<u32>(strings, &window.sums, &total);
    u32 at = mine.start;
    WF_ROLLED
    for (u32 i = 0; i < strings; i++) {
      window.starts[before + i] = (u16)(at - view.from);
      at += 4u + length_at(view, at);
    }
    more = total < count - done && next < end;
    // The next window is on its way while references are written.
    if (more) load_pieces(ground, next & ~15u, begin, end, ahead);
    __syncthreads();  // all strings are in the list
    u32 taken = wf_min(total, count - done);
    for (u32 i = threadIdx.x; i < taken; i += STRING_THREADS) {
      u32 place = view.from + window.starts[i];
      u64 address = (u64)(ground + place + 4u);
      refs[done + i] = make_uint4((u32)address, (u32)(address >> 32), length_at(view, place), 0);
    }
    done += taken;
    entry = next;
  }
  if (done == count) return;
  if (threadIdx.x == 0) wf_raise(error, WF_BAD_LENGTH, page->item);
  u64 address = (u64)data;
  for (u32 i = done + threadIdx.x; i < count; i += STRING_THREADS)
    refs[i] = make_uint4((u32)address, (u32)(address >> 32), 0, 0);
}
