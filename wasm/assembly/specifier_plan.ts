/**
 * What a specifier asks for, and the records that come of it: every range, cut where ports are excluded, times every
 * listening address.
 *
 * @module
 */

import { ADDRESS_SIZE, isUnspecifiedAt, storeIPv4 } from "./address";
import { PORTS_END, PortSet } from "./port_set";
import { SPECIFIER_NOTE } from "./faults";
import { CAPABILITY, INTERFACE_NAME_SIZE, MAX_RULES, RECORD, RECORD_SIZE, RULE_FLAG } from "./layout";

/** 127.0.0.1 and 0.0.0.0. */
const LOOPBACK_IPV4: u32 = 0x7f000001;
const ANY_IPV4: u32 = 0;

/** Ports in a row and where they go. */
export class PortRange {
  /** Where `first` goes. */
  targetPort: i32;
  private targetBytes: StaticArray<u8> = new StaticArray<u8>(ADDRESS_SIZE);

  constructor(public first: i32, public last: i32) {
    this.targetPort = first;
  }

  /** Address of the target's 16 bytes; all zero for none. */
  get target(): usize {
    return changetype<usize>(this.targetBytes);
  }

  /** Whether both have the same target address. */
  hasTargetOf(other: PortRange): bool {
    return memory.compare(this.target, other.target, ADDRESS_SIZE) == 0;
  }
}

/** What to listen on, but for the ports: a record in which they are still missing. */
class Listening {
  private bytes: StaticArray<u8> = new StaticArray<u8>(RECORD_SIZE);

  /** Address of the record. */
  get record(): usize {
    return changetype<usize>(this.bytes);
  }
}

/** Everything that a specifier said. Fields first, then `settle`, then `count`, then `write`. */
export class SpecifierPlan {
  /** Whether `address` was given, other than as `*`. */
  hasAddress: bool = false;
  scan: bool = false;
  /** In the order of the text, which is that of the records. */
  ranges: Array<PortRange> = [];
  excluded: PortSet = new PortSet();
  /** Bits of `SpecifierNote`. */
  notes: u32 = 0;
  private weak: bool = false;
  /** The keyword `all`, with its target. */
  private all: PortRange | null = null;
  private listenings: Array<Listening> = [];
  private addressBytes: StaticArray<u8> = new StaticArray<u8>(ADDRESS_SIZE);
  private nameBytes: StaticArray<u8> = new StaticArray<u8>(INTERFACE_NAME_SIZE);

  /** Address of the listening address's 16 bytes. */
  get address(): usize {
    return changetype<usize>(this.addressBytes);
  }

  /** Address of the interface name's 16 bytes. */
  get interfaceName(): usize {
    return changetype<usize>(this.nameBytes);
  }

  /** Takes the keyword `all`; false if it has had another target before. */
  takeAll(range: PortRange): bool {
    const known = this.all;
    if (known !== null) return known.hasTargetOf(range);
    this.all = range;
    return true;
  }

  /**
   * Decides what is open as long as something may still follow in the text. Without a range, a specifier means every port
   * but port 0, the ephemeral and the excluded ones, as far as they can be had.
   */
  settle(ephemeralFirst: i32, ephemeralLast: i32, capabilities: u32, loopbackOnly: bool): void {
    const all = this.all;
    if (this.ranges.length == 0) {
      this.ranges.push(all !== null ? all : new PortRange(1, PORTS_END - 1));
      this.excluded.add(ephemeralFirst, ephemeralLast);
      this.weak = true;
    } else if (all !== null && !isUnspecifiedAt(all.target)) {
      this.notes |= SPECIFIER_NOTE.UNUSED_TARGET;
    }
    const ipv4Only = (capabilities & (CAPABILITY.IPV4 | CAPABILITY.IPV6)) == CAPABILITY.IPV4;
    const ipv6Only = (capabilities & (CAPABILITY.IPV4 | CAPABILITY.IPV6)) == CAPABILITY.IPV6;
    if (loopbackOnly && !(capabilities & CAPABILITY.INTERFACE)) {
      this.notes |= SPECIFIER_NOTE.LOOPBACK_ADDRESSES;
      if (!ipv6Only) storeIPv4(this.listen(false) + RECORD.ADDRESS, LOOPBACK_IPV4);
      if (!ipv4Only) store<u8>(this.listen(false) + RECORD.ADDRESS, 1, ADDRESS_SIZE - 1);
      return;
    }
    if (loopbackOnly) {
      store<u8>(this.interfaceName, 0x6c /* l */);
      store<u8>(this.interfaceName, 0x6f, /* o */ 1);
    }
    const record = this.listen(!this.hasAddress && !ipv4Only && !ipv6Only);
    memory.copy(record + RECORD.INTERFACE, this.interfaceName, INTERFACE_NAME_SIZE);
    if (this.hasAddress) memory.copy(record + RECORD.ADDRESS, this.address, ADDRESS_SIZE);
    else if (ipv4Only) storeIPv4(record + RECORD.ADDRESS, ANY_IPV4);
  }

  /** How many records there will be; more than `MAX_RULES` isn't counted out. */
  count(): i32 {
    const ranges = this.ranges;
    const excluded = this.excluded;
    let runs = 0;
    for (let i = 0; i < ranges.length && runs <= MAX_RULES; i++) {
      let at = excluded.nextAbsent(ranges[i].first);
      while (at <= ranges[i].last) {
        runs++;
        at = excluded.nextAbsent(excluded.next(at));
      }
    }
    if (runs == 0) this.notes |= SPECIFIER_NOTE.NO_PORTS;
    return runs * this.listenings.length;
  }

  /** Writes as many records as `count` said to zeroed memory. */
  write(into: usize, protocol: u8): void {
    const ranges = this.ranges;
    const excluded = this.excluded;
    for (let i = 0; i < ranges.length; i++) {
      const range = ranges[i];
      let at = excluded.nextAbsent(range.first);
      while (at <= range.last) {
        const end = min(excluded.next(at), range.last + 1);
        for (let j = 0; j < this.listenings.length; j++) {
          memory.copy(into, this.listenings[j].record, RECORD_SIZE);
          memory.copy(into + RECORD.TARGET, range.target, ADDRESS_SIZE);
          storePort(into + RECORD.FIRST, at);
          storePort(into + RECORD.LAST, end - 1);
          storePort(into + RECORD.TARGET_PORT, range.targetPort + at - range.first);
          store<u8>(into, protocol, RECORD.PROTOCOL);
          into += RECORD_SIZE;
        }
        at = excluded.nextAbsent(end);
      }
    }
  }

  /** One more thing to listen on, with its flags; returns the address of its record. */
  private listen(dualStack: bool): usize {
    const listening = new Listening();
    this.listenings.push(listening);
    let flags: u8 = 0;
    if (dualStack) flags |= RULE_FLAG.DUAL_STACK;
    if (this.weak) flags |= RULE_FLAG.WEAK;
    if (this.scan) flags |= RULE_FLAG.SCAN;
    store<u8>(listening.record, flags, RECORD.FLAGS);
    return listening.record;
  }
}

function storePort(at: usize, port: i32): void {
  store<u16>(at, bswap(<u16> port));
}
