/**
 * Interface names: 1 to 15 bytes of UTF-8 without slash and white space, neither `.` nor `..`, as Linux wants them.
 *
 * @module
 */

import { INTERFACE_NAME_SIZE } from "./layout";

const DOT: u8 = 0x2e;
const SLASH: u8 = 0x2f;
const SPACE: u8 = 0x20;
const TAB: u8 = 0x09;
const CARRIAGE_RETURN: u8 = 0x0d;

/** Whether the 16 bytes at `at` are an interface's name, zero-terminated and zero-padded. */
export function isInterfaceNameAt(at: usize): bool {
  let length = 0;
  while (length < INTERFACE_NAME_SIZE && load<u8>(at + length) != 0) {
    const byte = load<u8>(at + length);
    if (byte == SLASH || byte == SPACE || (byte >= TAB && byte <= CARRIAGE_RETURN)) return false;
    length++;
  }
  if (length == 0 || length == INTERFACE_NAME_SIZE) return false;
  for (let i = length; i < INTERFACE_NAME_SIZE; i++) {
    if (load<u8>(at + i) != 0) return false;
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
