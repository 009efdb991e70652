// The device error word: flags are OR-ed, and the smallest item that raised one is kept. The flags' names come from
// Rust. Two atomics only where something is wrong, so the cost lies off the usual path.
struct WfError {
  u64 flags;
  u64 first_item;
};

WF_DEVICE void wf_raise(WfError* error, u64 flag, u64 item) {
  atomicOr(&error->flags, flag);
  atomicMin(&error->first_item, item);
}
