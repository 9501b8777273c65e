/**
 * UTF-8 in linear memory, read one sequence at a time.
 *
 * @module
 */

/** Stands for a sequence that is no code point: cut off, overlong, a surrogate, or past U+10FFFF. */
export const MALFORMED: i32 = -1;

/** The code point of the sequence at `at`, or `MALFORMED`. Nothing at `end` or after it is read. */
export function codePointAt(at: usize, end: usize): i32 {
  const lead: i32 = load<u8>(at);
  const size = sequenceSize(lead);
  if (size == 1) return lead;
  if (size == 0 || sequenceEnd(at, end) != at + size) return MALFORMED;
  let code = lead & (0x7f >> size);
  for (let next = at + 1; next < at + size; next++) code = (code << 6) | (load<u8>(next) & 0x3f);
  const isSurrogate = code >= 0xd800 && code < 0xe000;
  return code < smallest(size) || isSurrogate || code > 0x10ffff ? MALFORMED : code;
}

/** Where the sequence at `at` ends: before the first byte that can't belong to it, and at most at `end`. */
export function sequenceEnd(at: usize, end: usize): usize {
  const limit = min<usize>(at + sequenceSize(load<u8>(at)), end);
  let next = at + 1;
  while (next < limit && (load<u8>(next) & 0xc0) == 0x80) next++;
  return next;
}

/** Whether a code point is a control character, of ASCII (C0, delete) or beyond (C1). */
export function isControl(code: i32): bool {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/** Bytes of the sequence that begins with `lead`, or 0 if none does. */
function sequenceSize(lead: i32): i32 {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

/** The smallest code point that needs `size` bytes. */
function smallest(size: i32): i32 {
  if (size == 2) return 0x80;
  return size == 3 ? 0x800 : 0x10000;
}
