/**
 * Whether a table is valid, as PROTOCOL.md has it: rule by rule in order, each by itself, then against the earlier ones,
 * then against itself; what is found first is reported.
 *
 * @module
 */

import { isIPv4At, isMulticastAt, isUnspecifiedAt } from "./address";
import { earliestPartner, firstConflict } from "./conflicts";
import { CAPABILITY, CODE, IP_PROTOCOL, NO_RULE, RECORD, RULE_FLAG } from "./layout";
import {
  bindingClass,
  hasInterface,
  hasUnknownFlags,
  isDualStack,
  isInterfaceInOrder,
  isSpecific,
  recordAt,
  sameSixteen,
} from "./records";
import { portAt } from "./text";

/** Offsets in bytes of what `validateTable` answers, u32 each. */
export namespace VERDICT {
  export const RULE: usize = 0;
  export const OTHER_RULE: usize = 4;
  export const SOCKETS: usize = 8;
  export const SIZE: usize = 12;
}

/** `lo` and zeros, as a little-endian number. */
const LOOPBACK_INTERFACE: u64 = 0x6f6c;

const IPV4_OFFSET: usize = 12;
const LOOPBACK_NETWORK: u8 = 127;
/** Last eight bytes of `::1` as a little-endian number. */
const LOOPBACK_IPV6_LOW: u64 = 0x0100_0000_0000_0000;

/** What the rules of one pif are measured by. */
let capabilities: u32 = 0;
let defaultTarget: usize = 0;
let sameNamespace: bool = false;
let localAddresses: usize = 0;
let localCount: i32 = 0;

/**
 * Validates a table.
 *
 * @param caps bits of `CAPABILITY`
 * @param target address of the pif's default target, 0 for none
 * @param inSameNamespace whether targets are reached where the rules listen, so that a rule can forward to itself
 * @param locals 16 bytes for each address of that machine, beside the loopback ones
 * @param answer 12 bytes for the `VERDICT`: rule and other rule, `NO_RULE` for none, and how many sockets the table takes
 * @returns one of `CODE`
 */
export function validateTable(
  table: usize,
  count: i32,
  caps: u32,
  target: usize,
  maxRules: i32,
  maxSockets: u32,
  inSameNamespace: bool,
  locals: usize,
  localsCount: i32,
  answer: usize,
): u32 {
  capabilities = caps;
  defaultTarget = target;
  sameNamespace = inSameNamespace;
  localAddresses = locals;
  localCount = localsCount;
  store<u32>(answer, NO_RULE, VERDICT.RULE);
  store<u32>(answer, NO_RULE, VERDICT.OTHER_RULE);
  store<u32>(answer, 0, VERDICT.SOCKETS);
  if (count > maxRules) return CODE.TOO_MANY_RULES;

  let code = CODE.NONE;
  let sockets: u64 = 0;
  let index = 0;
  while (index < count) {
    const rule = recordAt(table, index);
    code = ruleFault(rule);
    if (code != CODE.NONE) break;
    sockets += portAt(rule, RECORD.LAST) - portAt(rule, RECORD.FIRST) + 1;
    index++;
  }
  // A rule that forwards to itself is first held against the others.
  const conflicting = firstConflict(table, code == CODE.FORWARDS_TO_ITSELF ? index + 1 : index);
  if (conflicting >= 0) {
    store<u32>(answer, conflicting, VERDICT.RULE);
    store<u32>(answer, earliestPartner(table, conflicting), VERDICT.OTHER_RULE);
    return CODE.CONFLICT;
  }
  if (code != CODE.NONE) {
    store<u32>(answer, index, VERDICT.RULE);
    return code;
  }
  store<u32>(answer, <u32> min<u64>(sockets, <u64> u32.MAX_VALUE), VERDICT.SOCKETS);
  return sockets > <u64> maxSockets ? CODE.TOO_MANY_SOCKETS : CODE.NONE;
}

/** What is wrong with a rule by itself. */
function ruleFault(rule: usize): u32 {
  const ports = portFault(rule);
  if (ports != CODE.NONE) return ports;
  if (hasUnknownFlags(rule)) return CODE.UNKNOWN_FLAGS;
  const listening = listeningFault(rule);
  if (listening != CODE.NONE) return listening;
  const target = targetFault(rule);
  if (target != CODE.NONE) return target;
  return forwardsToItself(rule) ? CODE.FORWARDS_TO_ITSELF : CODE.NONE;
}

function portFault(rule: usize): u32 {
  const first = portAt(rule, RECORD.FIRST);
  const last = portAt(rule, RECORD.LAST);
  const target = portAt(rule, RECORD.TARGET_PORT);
  if (first > last) return CODE.PORT_ORDER;
  if (first == 0) return CODE.PORT_ZERO;
  return target == 0 || target + last - first > 65535 ? CODE.TARGET_PORT : CODE.NONE;
}

/** Address, protocol, interface and scan. */
function listeningFault(rule: usize): u32 {
  const dual = isDualStack(rule);
  if (dual && !isUnspecifiedAt(rule + RECORD.ADDRESS)) return CODE.DUAL_STACK_ADDRESS;
  const families = dual
    ? CAPABILITY.IPV4 | CAPABILITY.IPV6
    : isIPv4At(rule + RECORD.ADDRESS)
    ? CAPABILITY.IPV4
    : CAPABILITY.IPV6;
  if ((capabilities & families) != families) return CODE.FAMILY_UNSUPPORTED;
  const protocol = load<u8>(rule, RECORD.PROTOCOL);
  if (protocol != IP_PROTOCOL.TCP && protocol != IP_PROTOCOL.UDP) return CODE.UNKNOWN_PROTOCOL;
  if ((capabilities & (protocol == IP_PROTOCOL.TCP ? CAPABILITY.TCP : CAPABILITY.UDP)) == 0) {
    return CODE.PROTOCOL_UNSUPPORTED;
  }
  if (!isInterfaceInOrder(rule)) return CODE.BAD_INTERFACE_NAME;
  if (hasInterface(rule) && (capabilities & CAPABILITY.INTERFACE) == 0) return CODE.INTERFACE_UNSUPPORTED;
  return hasScan(rule) && (capabilities & CAPABILITY.SCAN) == 0 ? CODE.SCAN_UNSUPPORTED : CODE.NONE;
}

function targetFault(rule: usize): u32 {
  const target = rule + RECORD.TARGET;
  if (isUnspecifiedAt(target)) return defaultTarget == 0 ? CODE.NO_TARGET : CODE.NONE;
  if (isMulticastAt(target)) return CODE.TARGET_MULTICAST;
  if ((capabilities & CAPABILITY.ANY_TARGET) != 0) return CODE.NONE;
  if (isDualStack(rule)) return CODE.TARGET_DUAL_STACK;
  return isIPv4At(target) == isIPv4At(rule + RECORD.ADDRESS) ? CODE.NONE : CODE.TARGET_FAMILY;
}

/** Whether a flow that the rule forwards would arrive at the rule again: at the same port of its own address. */
function forwardsToItself(rule: usize): bool {
  if (!sameNamespace) return false;
  if (portAt(rule, RECORD.TARGET_PORT) != portAt(rule, RECORD.FIRST)) return false;
  // What a machine sends to itself arrives on its loopback interface, whatever address it carries.
  if (hasInterface(rule) && !isLoopbackInterface(rule)) return false;
  const own = rule + RECORD.TARGET;
  const target = isUnspecifiedAt(own) ? defaultTarget : own;
  const address = rule + RECORD.ADDRESS;
  const binding = bindingClass(rule);
  if (isSpecific(binding)) {
    // Connecting to 0.0.0.0 reaches 127.0.0.1.
    return sameSixteen(address, target) || (isZeroIPv4(target) && isFirstLoopbackIPv4(address));
  }
  return (isDualStack(rule) || isIPv4At(address) == isIPv4At(target)) && isLocal(target);
}

function isLocal(address: usize): bool {
  if (isIPv4At(address)) {
    if (load<u8>(address, IPV4_OFFSET) == LOOPBACK_NETWORK || isZeroIPv4(address)) return true;
  } else if (load<u64>(address) == 0 && (load<u64>(address, 8) == LOOPBACK_IPV6_LOW || load<u64>(address, 8) == 0)) {
    return true;
  }
  for (let i = 0; i < localCount; i++) {
    if (sameSixteen(address, localAddresses + (<usize> i << 4))) return true;
  }
  return false;
}

function isZeroIPv4(address: usize): bool {
  return isIPv4At(address) && load<u32>(address, IPV4_OFFSET) == 0;
}

function isFirstLoopbackIPv4(address: usize): bool {
  return isIPv4At(address) && load<u32>(address, IPV4_OFFSET) == 0x0100_007f;
}

function isLoopbackInterface(rule: usize): bool {
  return load<u64>(rule, RECORD.INTERFACE) == LOOPBACK_INTERFACE && load<u64>(rule, RECORD.INTERFACE + 8) == 0;
}

function hasScan(rule: usize): bool {
  return (load<u8>(rule, RECORD.FLAGS) & RULE_FLAG.SCAN) != 0;
}
