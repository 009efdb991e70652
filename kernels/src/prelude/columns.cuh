// Columns as generated kernels see them: a table of these in device memory, an argument of every pipeline.

// Values of the column's type, a bitmap for booleans, WfStringRef for strings; the address of the validity bitmap, or
// 0 if no row is null.
struct WfColumn {
  u64 values;
  u64 validity;
};

// The group of a row that has none: filters left it out, or its table had no room.
#define WF_NO_GROUP 0xffffffffu

// Room for strings that a kernel makes: `used` counts what was asked for, beyond `capacity` too, so that the host
// knows how much the next attempt needs.
struct WfHeap {
  u64 used;
  u64 capacity;
  u64 base;
};

// Whether all rooms were given so far: where one was not, what came of it means nothing, and all is computed again.
WF_DEVICE bool wf_has_room(const WfHeap* heap) { return *(const volatile u64*)&heap->used <= heap->capacity; }

// Room for `bytes`, or null if there is none left; then the result is not to be used.
WF_DEVICE u8* wf_heap_take(WfHeap* heap, u64 bytes) {
  u64 at = atomicAdd(&heap->used, bytes);
  return at + bytes <= heap->capacity ? (u8*)(heap->base + at) : (u8*)0;
}
