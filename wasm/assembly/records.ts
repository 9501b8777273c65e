/**
 * Rule records in linear memory: what they say, when two of them concern the same thing, and whether their bytes are in
 * order.
 *
 * @module
 */

import { isIPv4At, isUnspecifiedAt } from "./address";
import { isInterfaceNameAt } from "./interface_name";
import { CODE, IP_PROTOCOL, RECORD, RECORD_SIZE, RULE_FLAG, RULE_STATUS } from "./layout";
import { portAt } from "./text";

/** What a rule listens on, as far as conflicts are concerned. */
export namespace BindingClass {
  export const DUAL_STACK: i32 = 0;
  export const WILDCARD_IPV4: i32 = 1;
  export const SPECIFIC_IPV4: i32 = 2;
  export const WILDCARD_IPV6: i32 = 3;
  export const SPECIFIC_IPV6: i32 = 4;
  export const COUNT: i32 = 5;
}

/** Bytes 8 to 15 of `::ffff:0.0.0.0` as a little-endian number. */
const WILDCARD_IPV4_LOW: u64 = 0x0000_0000_ffff_0000;

/** Address of the record with this index. */
export function recordAt(table: usize, index: i32): usize {
  return table + <usize> index * RECORD_SIZE;
}

export function isDualStack(rule: usize): bool {
  return (load<u8>(rule, RECORD.FLAGS) & RULE_FLAG.DUAL_STACK) != 0;
}

/** Target port minus listening port. */
export function shiftOf(rule: usize): i32 {
  return portAt(rule, RECORD.TARGET_PORT) - portAt(rule, RECORD.FIRST);
}

/** One of `BindingClass`. */
export function bindingClass(rule: usize): i32 {
  if (isDualStack(rule)) return BindingClass.DUAL_STACK;
  const high = load<u64>(rule, RECORD.ADDRESS);
  const low = load<u64>(rule, RECORD.ADDRESS + 8);
  if (high == 0 && low == WILDCARD_IPV4_LOW) return BindingClass.WILDCARD_IPV4;
  if (isIPv4At(rule + RECORD.ADDRESS)) return BindingClass.SPECIFIC_IPV4;
  return isUnspecifiedAt(rule + RECORD.ADDRESS) ? BindingClass.WILDCARD_IPV6 : BindingClass.SPECIFIC_IPV6;
}

export function isSpecific(bindingClass: i32): bool {
  return bindingClass == BindingClass.SPECIFIC_IPV4 || bindingClass == BindingClass.SPECIFIC_IPV6;
}

/** Whether the 16 bytes at `a` and at `b`, addresses or interface names, are the same. */
export function sameSixteen(a: usize, b: usize): bool {
  return load<u64>(a) == load<u64>(b) && load<u64>(a, 8) == load<u64>(b, 8);
}

export function hasInterface(rule: usize): bool {
  return load<u8>(rule, RECORD.INTERFACE) != 0;
}

/** Whether a socket of one rule could be handed what arrives on the other's interface. */
export function interfacesMeet(a: usize, b: usize): bool {
  return !hasInterface(a) || !hasInterface(b) || sameSixteen(a + RECORD.INTERFACE, b + RECORD.INTERFACE);
}

/** Whether two rules want the same endpoint. Interface names don't enter into it. */
export function rulesConflict(a: usize, b: usize): bool {
  if (load<u8>(a, RECORD.PROTOCOL) != load<u8>(b, RECORD.PROTOCOL)) return false;
  if (portAt(a, RECORD.FIRST) > portAt(b, RECORD.LAST) || portAt(b, RECORD.FIRST) > portAt(a, RECORD.LAST)) {
    return false;
  }
  if (isDualStack(a) || isDualStack(b)) return true;
  if (sameSixteen(a + RECORD.ADDRESS, b + RECORD.ADDRESS)) return true;
  const one = bindingClass(a);
  const other = bindingClass(b);
  if (isIPv4At(a + RECORD.ADDRESS) != isIPv4At(b + RECORD.ADDRESS)) return false;
  return !isSpecific(one) || !isSpecific(other);
}

/** Index of the first record whose first 56 bytes, the rule without its status, are those at `rule`, or -1. */
export function findRule(table: usize, count: i32, rule: usize): i32 {
  for (let i = 0; i < count; i++) {
    if (memory.compare(recordAt(table, i), rule, RECORD.STATUS) == 0) return i;
  }
  return -1;
}

/**
 * Finds the first record that breaks the protocol, as opposed to one that isn't valid in a table.
 *
 * From a client: status, failed ports or the zero field are not zero. From a server: the zero field isn't zero, or it
 * lists what can't be printed or counted: unknown protocol, flags or status, a bad interface name, a port 0, ports in the
 * wrong order.
 *
 * @param answer where the record's index is written, as u32, if the result isn't `CODE.NONE`
 */
export function checkRecords(records: usize, count: i32, fromServer: bool, answer: usize): u32 {
  for (let i = 0; i < count; i++) {
    const code = fromServer ? listedFault(recordAt(records, i)) : sentFault(recordAt(records, i));
    if (code != CODE.NONE) {
      store<u32>(answer, i);
      return code;
    }
  }
  return CODE.NONE;
}

function sentFault(record: usize): u32 {
  return load<u64>(record, RECORD.STATUS) == 0 ? CODE.NONE : CODE.RESERVED_BYTES;
}

function listedFault(record: usize): u32 {
  if (load<u32>(record, RECORD.ZERO) != 0) return CODE.RESERVED_BYTES;
  const protocol = load<u8>(record, RECORD.PROTOCOL);
  const first = portAt(record, RECORD.FIRST);
  if (
    (protocol != IP_PROTOCOL.TCP && protocol != IP_PROTOCOL.UDP) ||
    hasUnknownFlags(record) ||
    <u32> portAt(record, RECORD.STATUS) > <u32> RULE_STATUS.WAITING ||
    first == 0 || first > portAt(record, RECORD.LAST) ||
    !isInterfaceInOrder(record)
  ) {
    return CODE.BAD_FIELD;
  }
  return CODE.NONE;
}

export function hasUnknownFlags(rule: usize): bool {
  return (load<u8>(rule, RECORD.FLAGS) & ~(RULE_FLAG.DUAL_STACK | RULE_FLAG.WEAK | RULE_FLAG.SCAN)) != 0;
}

/** Whether the interface field is all zero or holds a name. */
export function isInterfaceInOrder(rule: usize): bool {
  return isUnspecifiedAt(rule + RECORD.INTERFACE) || isInterfaceNameAt(rule + RECORD.INTERFACE);
}
