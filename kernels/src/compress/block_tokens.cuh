// A block's tokens: sizes and entries of a batch, and the loop over all batches.

// How one or two tokens, or those of a warp, count: bytes of output below, literals and matches above. A batch has less
// than 2^18 bytes of output: a token makes 70 at most of each byte that it takes.
WF_DEVICE u32 token_size(const Token& token) {
  return token.literal + token.match + ((token.literal != 0) + (token.match != 0) << 20);
}
WF_DEVICE u32 size_bytes(u32 size) { return size & 0xfffffu; }
WF_DEVICE u32 size_pieces(u32 size) { return size >> 20; }

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

    Cell cell = here ? find_cell(links, at - range) : Cell{0, 0, false, false};
    Token first = {0, 0, 0, 0, false, true}, second = first;
    if (cell.has_first) first = Codec::token(page, range + cell.first - entry, left);
    if (cell.has_second) second = Codec::token(page, range + cell.second - entry, left);

    // Up to the first long one.
    u32 longs = __ballot_sync(WF_ALL_LANES, first.is_long || second.is_long);
    u32 long_at = range + wf_shfl(first.is_long ? cell.first : cell.second, (u32)__ffs((i32)longs) - 1u) - entry;
    if ((longs & below) != 0 || first.is_long) first = Token{0, 0, 0, 0, false, true};
    if ((longs & (below << 1 | 1u)) != 0) second = Token{0, 0, 0, 0, false, true};
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
