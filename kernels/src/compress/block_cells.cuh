// Where a block's tokens start: a batch is all that start in the next bytes up to a multiple of BATCH_BYTES, which lie in
// shared memory.
//
// A thread looks at 4 bytes, a cell, and a warp at a range of 32 cells. For each byte of a range, doubling tells where
// the tokens lead that start there: after 1, 2, 4, 8 and 16 cells, and out of the range. With where each byte's tokens
// leave the range in shared memory, each warp follows them from the batch's start to its own range, and lane k then
// finds the k-th cell with a token, as a sum of powers of two. A token has 2 bytes or more, so a cell starts two at
// most: a warp's tokens are in order and belong to a lane each or two.

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
  const u32* words = page->shared->window + window_place(page, page->in - entry + cell) / 4u;
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

// A lane's tokens: where in the range they start.
struct Cell {
  u32 first;
  u32 second;
  bool has_first;
  bool has_second;
};

// The lane's of the cells with tokens, of which the first starts at a `place` in the range.
WF_DEVICE Cell find_cell(const Links& links, u32 place) {
#pragma unroll
  for (u32 step = 0; step < 5u; step++) {
    u32 further = follow_link(links.after[step], place);
    if (wf_lane_id() >> step & 1u) place = further;
  }
  u32 start = place & ~3u, second = wf_shfl(links.seconds, place >> 2) >> 2u * (place & 3u) & 3u;
  // After the last cell it comes again and again.
  bool has_first = wf_shfl_up(start, 1u) != start || wf_lane_id() == 0;
  return Cell{place, start + second, has_first, has_first && second != 0};
}
