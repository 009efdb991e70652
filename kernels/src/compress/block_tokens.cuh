// A block's tokens: all that start in the next bytes up to a multiple of BATCH_BYTES, which lie in shared memory.
//
// A thread looks at 4 bytes, a cell, and a warp at a range of 32 cells. For each byte of a range, doubling tells where
// the tokens lead that start there: after 1, 2, 4, 8 and 16 cells, and out of the range. With where each byte's tokens
// leave the range in shared memory, each warp follows them from the batch's start to its own range, and lane k then
// finds the k-th cell with a token, as a sum of powers of two. A token has 2 bytes or more, so a cell starts two at
// most: a warp's tokens are in order and belong to a lane each or two.

// How one or two tokens, or those of a warp, count: bytes of output below, literals and matches above. A batch has less
// than 2^17 bytes of output: a token of either codec less than 131 for each byte it takes, and 550 beyond the last.
WF_DEVICE u32 token_size(const Token& token) {
  return token.literal + token.match + ((token.literal != 0) + (token.match != 0) << 20);
}
WF_DEVICE u32 size_bytes(u32 size) { return size & 0xfffffu; }
WF_DEVICE u32 size_pieces(u32 size) { return size >> 20; }

// For each byte of a cell, a byte: where in the range the next token starts that is in another cell. The last token of a
// range leads to its own start.
WF_DEVICE u32 byte_of(u32 word, u32 index) { return word >> 8u * index & 255u; }

// Where `links` lead from a place in the range. Shuffles look at the 5 lowest bits of a lane's number.
WF_DEVICE u32 follow_link(u32 links, u32 place) {
  return __byte_perm(wf_shfl(links, place >> 2), 0, 0x4440u | (place & 3u));
}
// The same for the four places that `links` hold.
WF_DEVICE u32 double_links(u32 links) {
  u32 first = wf_shfl(links, links >> 2), second = wf_shfl(links, links >> 10);
  u32 third = wf_shfl(links, links >> 18), fourth = wf_shfl(links, links >> 26);
  // Of two words a byte each: the first's is chosen by the lowest 4 bits, the second's by the next.
  u32 in_cell = links & 0x03030303u, choice = in_cell | in_cell >> 4 | 0x400040u;
  return __byte_perm(__byte_perm(first, second, choice), __byte_perm(third, fourth, choice >> 16), 0x5410);
}

struct Links {
  u32 after[5];  // 1, 2, 4, 8 and 16 cells with tokens
  u32 seconds;   // 2 bits for either of a cell's first two bytes: where in it a second token starts; 0: none does
};

// Links of the caller's cell, and into shared memory where the tokens that start in it leave the warp's range. Places
// count from the batch's start, `in` is at `entry`.
template <class Codec> WF_DEVICE Links link_cells(BlockPage* page, u32 entry, u32 left) {
  u16* exits = page->shared->exits;
  u32 cell = 4u * threadIdx.x, range = RANGE_BYTES * wf_warp_id(), mine = cell - range;
  u32 stop = wf_min(RANGE_BYTES, left + entry - range);  // the page may end before the range does
  if (left + entry < range) stop = 0;
  const u32* words = page->shared->ring + window_place(page, page->in - entry + cell) / 4u;
  u32 low = words[0], high = words[1];
  u32 end[4], link[4];
#pragma unroll
  for (u32 j = 0; j < 4u; j++) {
    u32 next = j < 3u ? byte_of(low, j + 1u) : byte_of(high, 0);
    end[j] = Codec::template end<BlockPage>(byte_of(low, j), next, cell + j - entry, left) + entry;
    link[j] = end[j] - range < stop ? end[j] - range : mine + j;
  }
  // 0xffff, which is no place of a batch or near it, for NOWHERE.
  uint2 ends = make_uint2(wf_min(end[0], 0xffffu) | wf_min(end[1], 0xffffu) << 16,
                          wf_min(end[2], 0xffffu) | wf_min(end[3], 0xffffu) << 16);
  *(uint2*)&exits[cell] = ends;
  Links links;
  u32 second = link[0] == mine + 2u ? 2u : link[0] == mine + 3u ? 3u : 0;
  links.seconds = second | (link[1] == mine + 3u ? 3u << 2 : 0);
  if (second != 0) link[0] = second == 2u ? link[2] : link[3];
  if (link[1] == mine + 3u) link[1] = link[3];
  u32 all = link[0] | link[1] << 8 | link[2] << 16 | link[3] << 24;
#pragma unroll
  for (u32 step = 0; step < 5u; step++) {
    links.after[step] = all;
    all = double_links(all);
  }
  __syncwarp();  // where the tokens of all lanes end is there
  u32 exit[4];
#pragma unroll
  for (u32 j = 0; j < 4u; j++) exit[j] = exits[range + byte_of(all, j)];
  __syncwarp();  // and read
  *(uint2*)&exits[cell] = make_uint2(exit[0] | exit[1] << 16, exit[2] | exit[3] << 16);
  return links;
}

// What comes before a warp's tokens, and all of them up to the first that is long.
struct Batch {
  u32 before;   // see token_size
  u32 size;
  u32 long_at;
  bool reached;  // whether no warp before has a long one
};

WF_DEVICE Batch gather_batch(const BlockShared* shared) {
  u32 lane = wf_lane_id();
  WarpTokens tokens = lane < BLOCK_WARPS ? shared->warps[lane] : WarpTokens{0, NOWHERE};
  u32 longs = __ballot_sync(WF_ALL_LANES, tokens.long_at != NOWHERE);
  u32 last = longs == 0 ? BLOCK_WARPS : (u32)__ffs((i32)longs) - 1u;
  u32 size = lane <= last ? tokens.size : 0;
  u32 before = __reduce_add_sync(WF_ALL_LANES, lane < wf_warp_id() ? size : 0);
  size = __reduce_add_sync(WF_ALL_LANES, size);
  return Batch{before, size, wf_shfl(tokens.long_at, last), wf_warp_id() <= last};
}

// The piece's entry; whether the piece is sound. `start` is where it goes in the batch's output.
WF_DEVICE bool put_entries(BlockPage* page, const Token& token, u32 start, u32 entry) {
  BlockShared* shared = page->shared;
  u32 match_start = start + token.literal;
  if (token.literal != 0) {
    shared->starts[entry] = start;
    shared->entries[entry++] = literal_entry(start, token.place);
  }
  if (token.match != 0) {
    shared->starts[entry] = match_start;
    shared->entries[entry] = match_entry(token.offset);
  }
  return token.fits && (token.match == 0 || token.offset - 1u < page->out + match_start);
}

// As for a warp, BATCH_BYTES at a time at most.
template <class Codec> WF_DEVICE bool copy_tokens(BlockPage* page) {
  BlockShared* shared = page->shared;
  u32 lane = wf_lane_id(), below = wf_lanes_below(), range = RANGE_BYTES * wf_warp_id();
  if (threadIdx.x < MARK_WORDS) shared->marks[threadIdx.x] = 0;
  while (page->in < page->source_bytes) {
    move_window(page);
    u32 entry = (u32)((u64)page->source + page->in - page->held), left = page->source_bytes - page->in;
    Links links = link_cells<Codec>(page, entry, left);
    __syncthreads();  // the exits of all ranges are there
    u32 end = left + entry, at = entry;
    for (u32 next = RANGE_BYTES; next <= range; next += RANGE_BYTES)
      if (at < wf_min(next, end)) at = shared->exits[at];
    bool here = at < wf_min(range + RANGE_BYTES, end);
    if (threadIdx.x == BLOCK_THREADS - 1u) shared->next = here ? shared->exits[at] : at;

    // The lane's cell, and its tokens. Without any, all this is about places that are not.
    u32 place = at - range;
#pragma unroll
    for (u32 step = 0; step < 5u; step++) {
      u32 further = follow_link(links.after[step], place);
      if (lane >> step & 1u) place = further;
    }
    u32 cell = place & ~3u, seconds = wf_shfl(links.seconds, place >> 2) >> 2u * (place & 3u) & 3u;
    // After the last cell it comes again and again.
    bool has_first = here && (wf_shfl_up(cell, 1u) != cell || lane == 0), has_second = has_first && seconds != 0;
    u32 first_at = range + place - entry, second_at = range + cell + seconds - entry;
    Token first = {0, 0, 0, 0, false, true}, second = first;
    if (has_first) first = Codec::token(page, first_at, left);
    if (has_second) second = Codec::token(page, second_at, left);

    // Up to the first long one.
    u32 longs = __ballot_sync(WF_ALL_LANES, first.is_long || second.is_long);
    bool batched = (longs & below) == 0;
    u32 long_at = wf_shfl(first.is_long ? first_at : second_at, longs == 0 ? 0 : (u32)__ffs((i32)longs) - 1u);
    if (!batched || first.is_long) first = Token{0, 0, 0, 0, false, true};
    if (!batched || (longs >> lane & 1u)) second = Token{0, 0, 0, 0, false, true};
    u32 first_size = token_size(first), size = first_size + token_size(second);
    u32 after = wf_warp_scan<WfSum>(size);
    if (lane == WF_WARP - 1u) shared->warps[wf_warp_id()] = WarpTokens{after, longs == 0 ? NOWHERE : long_at};
    __syncthreads();  // the sizes of all warps are there
    Batch batch = gather_batch(shared);
    u32 bytes = size_bytes(batch.size);
    if (bytes > page->target_bytes - page->out) return false;
    if (!batch.reached) first = second = Token{0, 0, 0, 0, false, true};
    u32 first_start = batch.before + after - size, second_start = first_start + first_size;
    bool sound = put_entries(page, first, size_bytes(first_start), size_pieces(first_start));
    sound = put_entries(page, second, size_bytes(second_start), size_pieces(second_start)) && sound;
    Starts<Codec::PIECES> starts;
    put_starts(&starts, 0, first, size_bytes(first_start));
    put_starts(&starts, 1, second, size_bytes(second_start));
    u32 next = shared->next;
    if (threadIdx.x == 0) shared->starts[size_pieces(batch.size)] = bytes;
    if (__syncthreads_or(!sound)) return false;  // the entries of all threads are there
    join_runs(shared, size_pieces(batch.size));
    copy_block_entries(page, starts, bytes);

    if (batch.long_at == NOWHERE) {
      page->in += wf_min(next - entry, left);
      continue;
    }
    page->in += batch.long_at;
    move_window(page);
    if (!Codec::long_token(page)) return false;
  }
  return true;
}
