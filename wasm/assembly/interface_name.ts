/**
 * Interface names: 1 to 15 bytes of UTF-8 without slash, white space and control characters, neither `.` nor `..`. Linux
 * takes any bytes; these are the names that survive being read as text and written again, and that can be printed.
 *
 * @module
 */

import { INTERFACE_NAME_SIZE } from "./layout";
import { codePointAt, isControl, MALFORMED, sequenceEnd } from "./utf8";

const DOT: u8 = 0x2e;
const SLASH: i32 = 0x2f;
const SPACE: i32 = 0x20;

/** Whether the 16 bytes at `at` are an interface's name, zero-terminated and zero-padded. */
export function isInterfaceNameAt(at: usize): bool {
  const end = at + INTERFACE_NAME_SIZE;
  let next = at;
  while (next < end && load<u8>(next) != 0) {
    const code = codePointAt(next, end);
    // All other white space that Linux refuses is among the control characters.
    if (code == MALFORMED || isControl(code) || code == SPACE || code == SLASH) return false;
    next = sequenceEnd(next, end);
  }
  if (next == at || next == end) return false;
  const length = <i32> (next - at);
  for (; next < end; next++) {
    if (load<u8>(next) != 0) return false;
  }
  return !(length <= 2 && load<u8>(at) == DOT && (length == 1 || load<u8>(at, 1) == DOT));
}

/** Reads the name that `text` has from `start` up to `end` into the 16 bytes at `into`; false if it isn't one. */
export function readInterfaceName(text: string, start: i32, end: i32, into: usize): bool {
  if (end - start >= INTERFACE_NAME_SIZE) return false;
  const name = text.substring(start, end);
  for (let i = 0; i < name.length; i++) {
    const c = name.codePointAt(i);
    if (c == 0 || (c >= 0xd800 && c < 0xe000)) return false;
    if (c >= 0x10000) i++;
  }
  const size = String.UTF8.byteLength(name);
  if (size >= INTERFACE_NAME_SIZE) return false;
  memory.fill(into, 0, INTERFACE_NAME_SIZE);
  String.UTF8.encodeUnsafe(changetype<usize>(name), name.length, into);
  return isInterfaceNameAt(into);
}
