/**
 * Whether a table is valid, as PROTOCOL.md has it: rule by rule in order, each by itself, then against the earlier ones,
 * then against itself; what is found first is reported.
 *
 * @module
 */

import { ADDRESS_SIZE, isIPv4At, isMulticastAt, isUnspecifiedAt } from "./address";
import { POLICY, UNDECIDED, VERDICT } from "./answers";
import { ConflictSearch } from "./conflicts";
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
import { grant, reach } from "./steps";
import { portAt } from "./text";

/** `lo` and zeros, as a little-endian number. */
const LOOPBACK_INTERFACE: u64 = 0x6f6c;

const IPV4_OFFSET: usize = 12;
const LOOPBACK_NETWORK: u8 = 127;
/** Last eight bytes of `::1` as a little-endian number. */
const LOOPBACK_IPV6_LOW: u64 = 0x0100_0000_0000_0000;

/** What the rules of one pif are measured by; set for each step anew. */
let capabilities: u32 = 0;
let defaultTarget: usize = 0;
let sameNamespace: bool = false;
let localAddresses: usize = 0;
let localCount: i32 = 0;

/**
 * A validation under way.
 *
 *     rules ─▶ conflicts ─▶ done
 */
@unmanaged
class Validation {
  private index: i32 = 0;
  /** What the first faulty rule has, which is the one at `index` after the sweep. */
  private code: u32 = CODE.NONE;
  private sockets: u64 = 0;
  private search: usize = 0;

  constructor(
    private table: usize,
    private count: i32,
    private indexes: usize,
    private sorted: i32,
    private policy: usize,
    private answer: usize,
  ) {
    store<u32>(answer, NO_RULE, VERDICT.RULE);
    store<u32>(answer, NO_RULE, VERDICT.OTHER_RULE);
    store<u32>(answer, 0, VERDICT.SOCKETS);
  }

  /** One of `CODE`, or `UNDECIDED`. */
  step(): u32 {
    const policy = this.policy;
    capabilities = load<u32>(policy, POLICY.CAPABILITIES);
    defaultTarget = load<u32>(policy, POLICY.HAS_TARGET) != 0 ? policy + POLICY.ADDRESSES : 0;
    sameNamespace = load<u32>(policy, POLICY.SAME_NAMESPACE) != 0;
    localAddresses = policy + POLICY.ADDRESSES + ADDRESS_SIZE;
    localCount = load<i32>(policy, POLICY.LOCAL_COUNT);
    if (this.count > load<i32>(policy, POLICY.MAX_RULES)) return CODE.TOO_MANY_RULES;
    if (this.search == 0 && !this.checkRules()) return UNDECIDED;
    const search = changetype<ConflictSearch>(this.search);
    return search.step() ? this.verdict(search) : UNDECIDED;
  }

  free(): void {
    if (this.search != 0) changetype<ConflictSearch>(this.search).free();
    heap.free(changetype<usize>(this));
  }

  /** Whether all rules up to the first faulty one have been looked at. */
  private checkRules(): bool {
    const end = reach(this.index, this.count);
    while (this.index < end) {
      const rule = recordAt(this.table, this.index);
      this.code = ruleFault(rule);
      if (this.code != CODE.NONE) break;
      this.sockets += portAt(rule, RECORD.LAST) - portAt(rule, RECORD.FIRST) + 1;
      this.index++;
    }
    if (this.code == CODE.NONE && this.index < this.count) return false;
    // A rule that forwards to itself is first held against the others.
    const compared = this.code == CODE.FORWARDS_TO_ITSELF ? this.index + 1 : this.index;
    this.search = changetype<usize>(new ConflictSearch(this.table, compared, this.indexes, this.sorted));
    return true;
  }

  private verdict(search: ConflictSearch): u32 {
    if (search.rule >= 0) {
      store<u32>(this.answer, search.rule, VERDICT.RULE);
      store<u32>(this.answer, search.partner, VERDICT.OTHER_RULE);
      return CODE.CONFLICT;
    }
    if (this.code != CODE.NONE) {
      store<u32>(this.answer, this.index, VERDICT.RULE);
      return this.code;
    }
    store<u32>(this.answer, <u32> min<u64>(this.sockets, <u64> u32.MAX_VALUE), VERDICT.SOCKETS);
    return this.sockets > <u64> load<u32>(this.policy, POLICY.MAX_SOCKETS) ? CODE.TOO_MANY_SOCKETS : CODE.NONE;
  }
}

/**
 * Begins to validate a table.
 *
 * @param indexes of the table's rules in sorted order, `sorted` of them
 * @param policy a `POLICY`, which has to stay where it is
 * @param answer 12 bytes for the `VERDICT`: rule and other rule, `NO_RULE` for none, and how many sockets the table takes
 */
export function beginValidation(
  table: usize,
  count: i32,
  indexes: usize,
  sorted: i32,
  policy: usize,
  answer: usize,
): usize {
  return changetype<usize>(new Validation(table, count, indexes, sorted, policy, answer));
}

/** One of `CODE`, or `UNDECIDED` after so many more units of work. */
export function stepValidation(validation: usize, budget: i32): u32 {
  grant(budget);
  return changetype<Validation>(validation).step();
}

/** Frees a validation, done or not. */
export function endValidation(validation: usize): void {
  changetype<Validation>(validation).free();
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
