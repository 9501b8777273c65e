/**
 * Rule records of the released dialect. Version 2 has the native record's bytes up to its status; version 1 lacks the
 * target address between the listening address and the interface name.
 *
 * @module
 */

import { isIPv4At, isUnspecifiedAt } from "./address";
import { IP_PROTOCOL, RECORD, RECORD_SIZE } from "./layout";
import { hasUnknownFlags, isDualStack, recordAt } from "./records";

/** What both versions have after the target address, in bytes: interface name, ports, protocol and flags. */
const TAIL_SIZE: usize = RECORD.STATUS - RECORD.INTERFACE;

/** Bytes of a record by version: of its listening address and the target if it has one, and of the rest. */
function headSize(version: i32): usize {
  return version == 1 ? RECORD.TARGET : RECORD.INTERFACE;
}

/**
 * Whether a rule can be said in a version: TCP or UDP, flags that exist, and a target only from version 2 on, of the
 * listening address's own family.
 */
function isSayable(rule: usize, version: i32): bool {
  const protocol = load<u8>(rule, RECORD.PROTOCOL);
  if ((protocol != IP_PROTOCOL.TCP && protocol != IP_PROTOCOL.UDP) || hasUnknownFlags(rule)) return false;
  if (isUnspecifiedAt(rule + RECORD.TARGET)) return true;
  if (version == 1 || isDualStack(rule)) return false;
  return isIPv4At(rule + RECORD.ADDRESS) == isIPv4At(rule + RECORD.TARGET);
}

/** Index of the first of `count` native records that can't be said in a version, or -1. */
export function findUnsayable(records: usize, count: i32, version: i32): i32 {
  for (let i = 0; i < count; i++) {
    if (!isSayable(recordAt(records, i), version)) return i;
  }
  return -1;
}

/** Writes at most `room` of `count` native records, those that can be said in a version; returns how many. */
export function toPasstRecords(records: usize, count: i32, version: i32, room: i32, into: usize): i32 {
  const head = headSize(version);
  let written = 0;
  for (let i = 0; i < count && written < room; i++) {
    const record = recordAt(records, i);
    if (!isSayable(record, version)) continue;
    memory.copy(into, record, head);
    memory.copy(into + head, record + RECORD.INTERFACE, TAIL_SIZE);
    into += head + TAIL_SIZE;
    written++;
  }
  return written;
}

/** Writes `count` records of a version as native ones: no status, and no target if the version has none. */
export function fromPasstRecords(from: usize, count: i32, version: i32, into: usize): void {
  const head = headSize(version);
  memory.fill(into, 0, <usize> count * RECORD_SIZE);
  for (let i = 0; i < count; i++) {
    const record = recordAt(into, i);
    memory.copy(record, from, head);
    memory.copy(record + RECORD.INTERFACE, from + head, TAIL_SIZE);
    from += head + TAIL_SIZE;
  }
}
