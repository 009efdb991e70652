// What the text of generated expressions calls: constants, comparisons of references, lists and patterns. A reference is
// valid for as long as what it leads to.

// A slot of the block of literals that says where further bytes are, from the start of the block, and how many.
struct WfLiteralBytes {
  u64 offset;
  u64 count;
};

WF_DEVICE WfStringRef wf_literal_string(const u8* literals, u32 slot) {
  const WfLiteralBytes* at = (const WfLiteralBytes*)(literals + slot);
  return WfStringRef{(u64)literals + at->offset, (u32)at->count, 0u};
}

WF_DEVICE const u8* wf_bytes(WfStringRef text) { return (const u8*)text.address; }
WF_DEVICE bool wf_equal(WfStringRef a, WfStringRef b) {
  return wf_string_equal(wf_bytes(a), a.bytes, wf_bytes(b), b.bytes);
}
WF_DEVICE i32 wf_compare(WfStringRef a, WfStringRef b) {
  return wf_string_compare(wf_bytes(a), a.bytes, wf_bytes(b), b.bytes);
}

// The key of a number in comparisons: there is one zero only.
WF_DEVICE u64 wf_compare_key(f64 value) { return value == 0.0 ? 1ull << 63 : wf_order_key(value); }
WF_DEVICE u32 wf_compare_key(f32 value) { return value == 0.0f ? 1u << 31 : wf_order_key(value); }

// Whether an ascending list in the block of literals holds `wanted`.
template <class T> WF_DEVICE bool wf_in_sorted(T wanted, const u8* literals, u32 slot) {
  const WfLiteralBytes* list = (const WfLiteralBytes*)(literals + slot);
  if (list->count == 0) return false;
  const T* items = (const T*)(literals + list->offset);
  return items[wf_last_at_most<T>(items, list->count, wanted)] == wanted;
}
// The same for strings: pairs of a distance from the list and a length.
WF_DEVICE bool wf_in_strings(WfStringRef wanted, const u8* literals, u32 slot) {
  const WfLiteralBytes* list = (const WfLiteralBytes*)(literals + slot);
  const WfLiteralBytes* items = (const WfLiteralBytes*)(literals + list->offset);
  u64 low = 0, high = list->count;
  while (low < high) {
    u64 middle = low + (high - low) / 2;
    WfStringRef item = {(u64)items + items[middle].offset, (u32)items[middle].count, 0u};
    i32 order = wf_compare(wanted, item);
    if (order == 0) return true;
    if (order < 0) high = middle; else low = middle + 1;
  }
  return false;
}

// Each cuts what it finds off `text`, and says whether it was there.
WF_DEVICE bool wf_cut_start(WfStringRef* text, WfStringRef start) {
  bool found = wf_starts_with(wf_bytes(*text), text->bytes, wf_bytes(start), start.bytes);
  if (found) *text = WfStringRef{text->address + start.bytes, text->bytes - start.bytes, 0u};
  return found;
}
WF_DEVICE bool wf_cut_end(WfStringRef* text, WfStringRef end) {
  bool found = wf_ends_with(wf_bytes(*text), text->bytes, wf_bytes(end), end.bytes);
  if (found) text->bytes -= end.bytes;
  return found;
}
WF_DEVICE bool wf_cut_through(WfStringRef* text, WfStringRef part) {
  i64 at = wf_find(wf_bytes(*text), text->bytes, wf_bytes(part), part.bytes, 0);
  if (at < 0) return false;
  u32 cut = (u32)at + part.bytes;
  *text = WfStringRef{text->address + cut, text->bytes - cut, 0u};
  return true;
}
WF_DEVICE bool wf_like_refs(WfStringRef text, WfStringRef pattern, bool fold) {
  return wf_like(wf_bytes(text), text.bytes, wf_bytes(pattern), pattern.bytes, fold);
}
// Whether a text has the Kelvin sign or the long s, which are k and s in another case.
WF_DEVICE bool wf_has_folding(WfStringRef text) {
  const u8* bytes = wf_bytes(text);
  for (u32 at = 0; at + 1 < text.bytes; at++) {
    if (bytes[at] == 0xc5u && bytes[at + 1] == 0xbfu) return true;
    if (bytes[at] == 0xe2u && bytes[at + 1] == 0x84u && at + 2 < text.bytes && bytes[at + 2] == 0xaau) return true;
  }
  return false;
}
