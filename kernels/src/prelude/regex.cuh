// Regular expressions: automata that the host has made of patterns, and what walks along them byte by byte. A match is
// known a byte after its end, so the end of the text is a step, too. States of no return: 0 where nothing can match any
// more, 1 where the automaton gives up, and the CPU must tell.
struct WfAutomaton {
  u32 classes;        // entries of a row: one for each class of bytes, and at last one for the end of the text
  u32 first_matched;  // states from here on say that there was a match before the step that led to them
  u8 class_of[256];
  u16 starts[260];    // by the byte before the start; entry 256 where there is none
};
#define WF_REGEX_NO_BYTE 256u
#define WF_REGEX_NONE (-1ll)
#define WF_REGEX_GIVEN_UP (-2ll)

struct WfRegexMatch {
  i64 start;
  i64 end;  // WF_REGEX_NONE, or WF_REGEX_GIVEN_UP
};

WF_DEVICE const WfAutomaton* wf_automaton(const u8* literals, u32 slot) {
  return (const WfAutomaton*)(literals + ((const WfLiteralBytes*)(literals + slot))->offset);
}
WF_DEVICE u32 wf_regex_start(const WfAutomaton* automaton, u32 before) { return __ldg(&automaton->starts[before]); }
// The state after a step by a class. Tables stay in the cache of what is only read.
WF_DEVICE u32 wf_regex_step(const WfAutomaton* automaton, u32 classes, u32 state, u32 by) {
  return __ldg((const u16*)(automaton + 1) + (state * classes + by));
}
WF_DEVICE u32 wf_regex_class(const WfAutomaton* automaton, u8 byte) { return __ldg(&automaton->class_of[byte]); }

// Whether a text has a match: 1, 0, or 2 where the automaton gives up. The automaton stays where it has matched.
WF_CALLED u32 wf_regex_test(const WfAutomaton* automaton, WfStringRef text) {
  const u8* bytes = wf_bytes(text);
  u32 classes = __ldg(&automaton->classes), matched = __ldg(&automaton->first_matched);
  u32 state = wf_regex_start(automaton, WF_REGEX_NO_BYTE);
  WF_ROLLED for (u32 at = 0; at < text.bytes && state > 1u && state < matched; at += 8u) {
    u32 count = wf_min(text.bytes - at, 8u);
    u64 word = wf_unpack(bytes + at, 0, count * 8u);
    WF_ROLLED for (; count > 0; count--, word >>= 8)
      state = wf_regex_step(automaton, classes, state, wf_regex_class(automaton, (u8)word));
  }
  state = wf_regex_step(automaton, classes, state, classes - 1u);
  return state == 1u ? 2u : state >= matched ? 1u : 0u;
}

// Where the first match that starts at `from` or later ends.
WF_DEVICE i64 wf_regex_end(const WfAutomaton* automaton, WfStringRef text, u64 from) {
  const u8* bytes = wf_bytes(text);
  u32 classes = __ldg(&automaton->classes), matched = __ldg(&automaton->first_matched);
  u32 state = wf_regex_start(automaton, from > 0 ? bytes[from - 1] : WF_REGEX_NO_BYTE);
  i64 found = WF_REGEX_NONE;
  WF_ROLLED for (u64 at = from; at <= text.bytes && state > 1u; at++) {
    u32 by = at < text.bytes ? wf_regex_class(automaton, bytes[at]) : classes - 1u;
    state = wf_regex_step(automaton, classes, state, by);
    if (state >= matched) found = (i64)at;
  }
  return state == 1u ? WF_REGEX_GIVEN_UP : found;
}
// Where the match starts that ends at `end`, and not before `from`: the first such place, with an automaton that goes
// backwards.
WF_DEVICE i64 wf_regex_first(const WfAutomaton* automaton, WfStringRef text, u64 from, u64 end) {
  const u8* bytes = wf_bytes(text);
  u32 classes = __ldg(&automaton->classes), matched = __ldg(&automaton->first_matched);
  u32 state = wf_regex_start(automaton, end < text.bytes ? bytes[end] : WF_REGEX_NO_BYTE);
  i64 found = WF_REGEX_NONE;
  WF_ROLLED for (u64 at = end;; at--) {
    u32 by = at > 0 ? wf_regex_class(automaton, bytes[at - 1]) : classes - 1u;
    state = wf_regex_step(automaton, classes, state, by);
    if (state >= matched) found = (i64)at;
    if (at <= from || state <= 1u) break;
  }
  return state == 1u ? WF_REGEX_GIVEN_UP : found;
}

// The first match at `from` or later. After a match that ended at `last`, no empty one there; inside of a character,
// none either.
WF_CALLED WfRegexMatch wf_regex_next(const WfAutomaton* ends, const WfAutomaton* starts, WfStringRef text, u64 from, i64 last) {
  const u8* bytes = wf_bytes(text);
  WF_ROLLED for (; from <= text.bytes; from++) {
    i64 end = wf_regex_end(ends, text, from);
    if (end < 0) return WfRegexMatch{end, end};
    if ((u64)end < text.bytes && (bytes[end] & 0xc0u) == 0x80u) continue;
    i64 start = wf_regex_first(starts, text, from, (u64)end);
    if (start < 0) return WfRegexMatch{start, WF_REGEX_GIVEN_UP};
    if (start < end || end != last) return WfRegexMatch{start, end};
  }
  return WfRegexMatch{WF_REGEX_NONE, WF_REGEX_NONE};
}

// The number of matches, or WF_REGEX_GIVEN_UP.
WF_CALLED i64 wf_regex_count(const WfAutomaton* ends, const WfAutomaton* starts, WfStringRef text) {
  WfRegexMatch match = {0, 0};
  i64 count = 0, last = WF_REGEX_NONE;
  WF_ROLLED while (true) {
    match = wf_regex_next(ends, starts, text, (u64)match.end, last);
    if (match.end < 0) return match.end == WF_REGEX_NONE ? count : WF_REGEX_GIVEN_UP;
    last = match.end;
    count++;
  }
}
// The number of the character at which match `number` starts, counted from 1 as it is; 0 without it, or WF_REGEX_GIVEN_UP.
WF_CALLED i64 wf_regex_position(const WfAutomaton* ends, const WfAutomaton* starts, WfStringRef text, i64 number) {
  WfRegexMatch match = {0, 0};
  i64 last = WF_REGEX_NONE;
  WF_ROLLED for (; number > 0; number--) {
    match = wf_regex_next(ends, starts, text, (u64)match.end, last);
    if (match.end < 0) return match.end == WF_REGEX_NONE ? 0 : WF_REGEX_GIVEN_UP;
    last = match.end;
  }
  return (i64)wf_utf8_length(wf_bytes(text), (u64)match.start) + 1;
}

// What stands for the match in what it is replaced by: a byte that no text has.
#define WF_REGEX_WHOLE 0xffu
WF_CALLED u8* wf_regex_append(u8* to, WfStringRef by, const u8* match, u64 bytes) {
  const u8* from = wf_bytes(by);
  WF_ROLLED for (u32 at = 0; at < by.bytes; at++) {
    if (from[at] == WF_REGEX_WHOLE) to = wf_append(to, match, bytes);
    else *to++ = from[at];
  }
  return to;
}
// The first match, or all of them, replaced. Where the automaton gives up, the result has `reserved` set.
WF_CALLED WfStringRef wf_regex_replace(WfHeap* heap, const WfAutomaton* ends, const WfAutomaton* starts, WfStringRef text,
                                       WfStringRef by, bool all) {
  const u8 *bytes = wf_bytes(text), *with = wf_bytes(by);
  u64 whole = 0;
  WF_ROLLED for (u32 at = 0; at < by.bytes; at++) whole += with[at] == WF_REGEX_WHOLE;
  const WfRegexMatch first = wf_regex_next(ends, starts, text, 0, WF_REGEX_NONE);
  if (first.end == WF_REGEX_NONE) return text;
  u64 length = text.bytes;
  WfRegexMatch match = first;
  WF_ROLLED while (match.end >= 0) {
    u64 matched = (u64)(match.end - match.start);
    length += by.bytes - whole + whole * matched - matched;
    if (!all) break;
    match = wf_regex_next(ends, starts, text, (u64)match.end, match.end);
  }
  if (match.end == WF_REGEX_GIVEN_UP) return WfStringRef{0ull, 0u, 1u};
  u8* start = wf_room(heap, length);
  u8* to = start;
  u64 copied = 0;
  match = first;
  WF_ROLLED while (to != 0 && match.end >= 0) {
    to = wf_append(to, bytes + copied, (u64)match.start - copied);
    to = wf_regex_append(to, by, bytes + match.start, (u64)(match.end - match.start));
    copied = (u64)match.end;
    if (!all) break;
    match = wf_regex_next(ends, starts, text, copied, match.end);
  }
  if (to != 0) wf_append(to, bytes + copied, text.bytes - copied);
  return wf_made(start, length);
}
