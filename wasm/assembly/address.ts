/**
 * Addresses as text and as 16 bytes. IPv4 is `::ffff:a.b.c.d` in bytes, so an IPv4-mapped IPv6 address and the IPv4 one
 * are the same thing, and are printed as the latter.
 *
 * Reading is strict, so that two programs never read two addresses out of one text: four decimal numbers without leading
 * zeros, or the forms of RFC 4291 section 2.2; no zones, no brackets. Printing follows RFC 5952.
 *
 * @module
 */

import { ADDRESS_FAULT } from "./faults";

/** Bytes of an address. */
export const ADDRESS_SIZE: i32 = 16;

/** Where the IPv4 address lies in an IPv4-mapped one, and the 16 bits before it. */
const IPV4_OFFSET: i32 = 12;
const MAPPED_OFFSET: i32 = 10;
const MAPPED_PREFIX: u16 = 0xffff;

/** 16-bit groups of an IPv6 address. */
const GROUPS: i32 = 8;

const DOT: i32 = 0x2e;
const COLON: i32 = 0x3a;
const ZERO: i32 = 0x30;

/** Whether the 16 bytes at `at` are an IPv4 address. */
export function isIPv4At(at: usize): bool {
  return load<u64>(at) == 0 && load<u16>(at, 8) == 0 && load<u16>(at, MAPPED_OFFSET) == MAPPED_PREFIX;
}

/** Whether the 16 bytes at `at` are all zero: `::`. */
export function isUnspecifiedAt(at: usize): bool {
  return load<u64>(at) == 0 && load<u64>(at, 8) == 0;
}

/** Whether the 16 bytes at `at` are a multicast address of either family: 224.0.0.0/4 or ff00::/8. */
export function isMulticastAt(at: usize): bool {
  return isIPv4At(at) ? (load<u8>(at, IPV4_OFFSET) & 0xf0) == 0xe0 : load<u8>(at) == 0xff;
}

/** Writes `::ffff:a.b.c.d` to `into`; `ipv4` has a in its highest byte. */
export function storeIPv4(into: usize, ipv4: u32): void {
  memory.fill(into, 0, ADDRESS_SIZE);
  store<u16>(into, MAPPED_PREFIX, MAPPED_OFFSET);
  store<u32>(into, bswap(ipv4), IPV4_OFFSET);
}

/**
 * Reads the address that `text` has from `start` up to `end` into the 16 bytes at `into`, which are undefined after a
 * fault.
 */
export function readAddress(text: string, start: i32, end: i32, into: usize): u32 {
  return readUnits(changetype<usize>(text), start, end, into);
}

/** The same for UTF-16 code units in memory. */
function readUnits(text: usize, start: i32, end: i32, into: usize): u32 {
  if (start >= end) return ADDRESS_FAULT.EMPTY;
  let colons = false;
  let dots = false;
  for (let i = start; i < end; i++) {
    const c = unitAt(text, i);
    if (c == 0x25 /* % */) return ADDRESS_FAULT.ZONE;
    if (c == COLON) colons = true;
    if (c == DOT) dots = true;
  }
  memory.fill(into, 0, ADDRESS_SIZE);
  if (colons) return readIPv6(text, start, end, into);
  if (!dots) return ADDRESS_FAULT.NEITHER;
  store<u16>(into, MAPPED_PREFIX, MAPPED_OFFSET);
  return readIPv4(text, start, end, into + IPV4_OFFSET);
}

function readIPv4(text: usize, start: i32, end: i32, into: usize): u32 {
  let at = start;
  for (let part = 0; part < 4; part++) {
    if (part > 0) {
      if (at >= end || unitAt(text, at) != DOT) return ADDRESS_FAULT.IPV4;
      at++;
    }
    const first = at;
    let value = 0;
    while (at < end && isDigit(unitAt(text, at))) {
      if (at > first && value == 0) return ADDRESS_FAULT.LEADING_ZERO;
      value = value * 10 + unitAt(text, at) - ZERO;
      if (value > 255) return ADDRESS_FAULT.IPV4;
      at++;
    }
    if (at == first) return ADDRESS_FAULT.IPV4;
    store<u8>(into + part, <u8> value);
  }
  return at == end ? ADDRESS_FAULT.NONE : ADDRESS_FAULT.IPV4;
}

function readIPv6(text: usize, start: i32, end: i32, into: usize): u32 {
  let at = start;
  let groups = 0;
  /** Number of groups before `::`, or -1 as long as there was none. */
  let gap = -1;
  if (unitAt(text, at) == COLON) {
    if (at + 1 >= end || unitAt(text, at + 1) != COLON) return ADDRESS_FAULT.IPV6;
    gap = 0;
    at += 2;
  }
  while (at < end) {
    if (groups == GROUPS) return ADDRESS_FAULT.IPV6;
    const first = at;
    let value = 0;
    while (at < end && at - first < 4 && hexValue(unitAt(text, at)) >= 0) {
      value = (value << 4) | hexValue(unitAt(text, at));
      at++;
    }
    if (at < end && unitAt(text, at) == DOT) {
      if (groups > GROUPS - 2) return ADDRESS_FAULT.IPV6;
      const fault = readIPv4(text, first, end, into + 2 * groups);
      if (fault != ADDRESS_FAULT.NONE) return fault;
      groups += 2;
      at = end;
      break;
    }
    if (at == first) return ADDRESS_FAULT.IPV6;
    store<u16>(into + 2 * groups, bswap(<u16> value));
    groups++;
    if (at == end) break;
    if (unitAt(text, at) != COLON) return ADDRESS_FAULT.IPV6;
    at++;
    if (at == end) return ADDRESS_FAULT.IPV6;
    if (unitAt(text, at) == COLON) {
      if (gap >= 0) return ADDRESS_FAULT.IPV6;
      gap = groups;
      at++;
    }
  }
  if (gap < 0) return groups == GROUPS ? ADDRESS_FAULT.NONE : ADDRESS_FAULT.IPV6;
  if (groups == GROUPS) return ADDRESS_FAULT.IPV6;
  const tail = 2 * (groups - gap);
  memory.copy(into + ADDRESS_SIZE - tail, into + 2 * gap, tail);
  memory.fill(into + 2 * gap, 0, ADDRESS_SIZE - 2 * gap - tail);
  return ADDRESS_FAULT.NONE;
}

function unitAt(text: usize, index: i32): i32 {
  return load<u16>(text + (<usize> index << 1));
}

/** The most characters that the text of an address has. */
const MAX_ADDRESS_TEXT: i32 = 39;
/** Where a text is put together. */
const characters: usize = memory.data(MAX_ADDRESS_TEXT + 1);

/** The text of the 16 bytes at `at`. */
export function addressTextAt(at: usize): string {
  return String.UTF8.decodeUnsafe(characters, writeAddress(at, characters));
}

/** Writes the text of the 16 bytes at `at` as ASCII to `into`, which has room for 39 bytes; how many it takes. */
export function writeAddress(at: usize, into: usize): i32 {
  let end = into;
  if (isIPv4At(at)) {
    for (let part = 0; part < 4; part++) {
      if (part > 0) end = put(end, DOT);
      end = putDecimal(end, load<u8>(at + IPV4_OFFSET + part));
    }
    return <i32> (end - into);
  }
  // RFC 5952 section 4.2: the first of the longest rows of zero groups is shortened, if it has at least two.
  let longest = 1;
  let zeros = -1;
  for (let group = 0; group < GROUPS;) {
    let next = group;
    while (next < GROUPS && load<u16>(at + 2 * next) == 0) next++;
    if (next - group > longest) {
      longest = next - group;
      zeros = group;
    }
    group = next + 1;
  }
  for (let group = 0; group < GROUPS;) {
    if (group == zeros) {
      end = put(put(end, COLON), COLON);
      group += longest;
      continue;
    }
    if (group > 0 && group != zeros + longest) end = put(end, COLON);
    end = putHexadecimal(end, bswap(load<u16>(at + 2 * group)));
    group++;
  }
  return <i32> (end - into);
}

/** Writes one character; where the next one goes. */
function put(at: usize, character: i32): usize {
  store<u8>(at, <u8> character);
  return at + 1;
}

function putDecimal(at: usize, value: u32): usize {
  let end = at;
  if (value > 99) end = put(end, ZERO + value / 100);
  if (value > 9) end = put(end, ZERO + value / 10 % 10);
  return put(end, ZERO + value % 10);
}

function putHexadecimal(at: usize, value: u32): usize {
  let end = at;
  for (let shift = 12; shift >= 0; shift -= 4) {
    const digit = (value >> shift) & 0xf;
    if (shift > 0 && value >> shift == 0) continue;
    end = put(end, digit < 10 ? ZERO + digit : 0x61 - 10 + digit);
  }
  return end;
}

/** Whether a code unit is an ASCII digit. */
export function isDigit(c: i32): bool {
  return c >= ZERO && c <= 0x39;
}

function hexValue(c: i32): i32 {
  if (isDigit(c)) return c - ZERO;
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

/** Reads the address that `length` UTF-16 code units at `text` are into the 16 bytes at `into`; one of `ADDRESS_FAULT`. */
export function parseAddress(text: usize, length: i32, into: usize): u32 {
  return readUnits(text, 0, length, into);
}
