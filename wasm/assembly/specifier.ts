/**
 * Port specifiers, the arguments of `-t -u -T -U`, as rule records:
 *
 *     none
 *     [[ADDRESS][%INTERFACE]/]CHUNK[,CHUNK]...
 *     CHUNK: all[:TARGET] | auto | ~FIRST[-LAST]
 *          | FIRST[-LAST][:TARGET/FIRST[-LAST] | :TARGET | :FIRST[-LAST]]
 *
 * Theory of operation: one pass over the text, left to right, collects ranges, the set of left-out ports and the
 * keywords, and stops at the first fault. Only when all of it has been read, records are made: exclusions hold wherever
 * they stand. What the first slash belongs to is decided beforehand, see `hasPrefix`.
 *
 * Two readings of a text: `22:fd00::2/80` is a listening address and its port, because an address is looked for first;
 * `22:[fd00::2]/80` is a port and its target.
 *
 * @module
 */

import { isDigit, isUnspecifiedAt, readAddress } from "./address";
import { readInterfaceName } from "./interface_name";
import { PORTS_END } from "./port_set";
import { PortRange, SpecifierPlan } from "./specifier_plan";
import { ADDRESS_FAULT, MAX_SPECIFIER, SPECIFIER_FAULT } from "./faults";
import { CAPABILITY, MAX_RULES, RECORD_SIZE } from "./layout";

const PERCENT: i32 = 0x25;
const COMMA: i32 = 0x2c;
const DASH: i32 = 0x2d;
const SLASH: i32 = 0x2f;
const COLON: i32 = 0x3a;
const OPENING_BRACKET: i32 = 0x5b;
const CLOSING_BRACKET: i32 = 0x5d;
const TILDE: i32 = 0x7e;

/** Reads one specifier. After a fault, `fault` and its place say which; otherwise `plan` says what to make of it. */
export class SpecifierReader {
  fault: u32 = SPECIFIER_FAULT.NONE;
  /** Where the fault lies, in UTF-16 code units, and the `ADDRESS_FAULT` behind it. */
  faultAt: i32 = 0;
  faultLength: i32 = 0;
  faultDetail: u32 = ADDRESS_FAULT.NONE;
  /** The text is the keyword `none`. */
  none: bool = false;
  plan: SpecifierPlan = new SpecifierPlan();

  /** The range read last: `readRange` can return only where it ends. */
  private first: i32 = 0;
  private last: i32 = 0;

  constructor(private text: string, private capabilities: u32, private loopbackOnly: bool) {}

  /** Reads the whole text; false after a fault. */
  read(): bool {
    const text = this.text;
    if (text.length == 0) return this.refuse(SPECIFIER_FAULT.EMPTY, 0, 0);
    if (text.length > MAX_SPECIFIER) return this.refuse(SPECIFIER_FAULT.TOO_LONG, MAX_SPECIFIER, text.length);
    if (text == "none") {
      this.none = true;
      return true;
    }
    const slash = this.indexOf(SLASH, 0, text.length);
    let at = 0;
    if (slash < text.length && this.hasPrefix(slash)) {
      if (!this.readPrefix(slash)) return false;
      at = slash + 1;
    }
    while (true) {
      const end = this.indexOf(COMMA, at, text.length);
      if (!this.readChunk(at, end)) return false;
      if (end == text.length) return true;
      at = end + 1;
    }
  }

  /**
   * Whether the text up to the first slash is `[ADDRESS][%INTERFACE]`, rather than chunks of which the last has a target
   * address with ports. Whatever can't be chunks is a prefix, so that a misspelt address is called one.
   */
  private hasPrefix(slash: i32): bool {
    const text = this.text;
    if (slash == 0 || this.is("*", 0, slash)) return true;
    if (text.charCodeAt(0) == OPENING_BRACKET || this.indexOf(PERCENT, 0, slash) < slash) return true;
    if (readAddress(text, 0, slash, this.plan.address) == ADDRESS_FAULT.NONE) return true;
    if (this.indexOf(COMMA, 0, slash) < slash) return false;
    const colon = this.indexOf(COLON, 0, slash);
    return colon == slash ||
      !this.looksLikePorts(text.charCodeAt(0) == TILDE ? 1 : 0, colon) && !this.is("all", 0, colon);
  }

  private readPrefix(slash: i32): bool {
    if (this.loopbackOnly) return this.refuse(SPECIFIER_FAULT.ADDRESS_NOT_ALLOWED, 0, slash + 1);
    const percent = this.indexOf(PERCENT, 0, slash);
    if (percent > 0 && !this.is("*", 0, percent)) {
      if (!this.readBracketed(0, percent, this.plan.address)) {
        this.fault = SPECIFIER_FAULT.BAD_ADDRESS;
        return false;
      }
      this.plan.hasAddress = true;
    }
    if (percent == slash) return true;
    if (!readInterfaceName(this.text, percent + 1, slash, this.plan.interfaceName)) {
      return this.refuse(SPECIFIER_FAULT.BAD_INTERFACE_NAME, percent + 1, slash);
    }
    if (!(this.capabilities & CAPABILITY.INTERFACE)) {
      return this.refuse(SPECIFIER_FAULT.INTERFACE_UNSUPPORTED, percent, slash);
    }
    return true;
  }

  private readChunk(start: i32, end: i32): bool {
    const text = this.text;
    const c = start < end ? text.charCodeAt(start) : 0;
    if (isDigit(c)) return this.readPorts(start, end);
    if (c == TILDE) {
      const stop = this.readRange(start + 1, end);
      if (stop < 0) return false;
      if (stop < end) return this.refuse(SPECIFIER_FAULT.UNEXPECTED_TEXT, stop, end);
      this.plan.excluded.add(this.first, this.last);
      return true;
    }
    if (this.is("auto", start, end)) {
      if (!(this.capabilities & CAPABILITY.SCAN)) return this.refuse(SPECIFIER_FAULT.SCAN_UNSUPPORTED, start, end);
      this.plan.scan = true;
      return true;
    }
    const colon = this.indexOf(COLON, start, end);
    if (!this.is("all", start, colon)) return this.refuse(SPECIFIER_FAULT.BAD_CHUNK, start, end);
    const range = new PortRange(1, PORTS_END - 1);
    if (colon < end && !this.readTarget(colon + 1, end, range)) return false;
    if (this.plan.takeAll(range)) return true;
    return this.refuse(SPECIFIER_FAULT.DIFFERENT_TARGETS, start, end);
  }

  /** `FIRST[-LAST]` and what it is mapped to. */
  private readPorts(start: i32, end: i32): bool {
    const stop = this.readRange(start, end);
    if (stop < 0) return false;
    const range = new PortRange(this.first, this.last);
    if (stop < end) {
      if (this.text.charCodeAt(stop) != COLON) return this.refuse(SPECIFIER_FAULT.UNEXPECTED_TEXT, stop, end);
      if (!this.readMapping(stop + 1, end, range)) return false;
    }
    this.plan.ranges.push(range);
    return true;
  }

  /** `TARGET/FIRST[-LAST]`, `TARGET` or `FIRST[-LAST]`. */
  private readMapping(start: i32, end: i32, range: PortRange): bool {
    let ports = start;
    if (start == end || !this.looksLikePorts(start, end)) {
      const slash = this.indexOf(SLASH, start, end);
      if (!this.readTarget(start, slash, range)) return false;
      if (slash == end) return true;
      ports = slash + 1;
    }
    const stop = this.readRange(ports, end);
    if (stop < 0) return false;
    if (stop < end) return this.refuse(SPECIFIER_FAULT.UNEXPECTED_TEXT, stop, end);
    if (this.last - this.first != range.last - range.first) {
      return this.refuse(SPECIFIER_FAULT.TARGET_LENGTH, ports, end);
    }
    range.targetPort = this.first;
    return true;
  }

  private readTarget(start: i32, end: i32, range: PortRange): bool {
    if (start == end) return this.refuse(SPECIFIER_FAULT.MISSING_TARGET, start, end);
    if (!this.readBracketed(start, end, range.target)) {
      this.fault = SPECIFIER_FAULT.BAD_TARGET;
      return false;
    }
    // In a record, `::` as a target means that there is none.
    return isUnspecifiedAt(range.target) ? this.refuse(SPECIFIER_FAULT.UNSPECIFIED_TARGET, start, end) : true;
  }

  /** An address, in brackets or not; the caller says what kind of fault it is if that fails. */
  private readBracketed(start: i32, end: i32, into: usize): bool {
    const text = this.text;
    const bracketed = text.charCodeAt(start) == OPENING_BRACKET && text.charCodeAt(end - 1) == CLOSING_BRACKET;
    this.faultDetail = bracketed ? readAddress(text, start + 1, end - 1, into) : readAddress(text, start, end, into);
    return this.faultDetail == ADDRESS_FAULT.NONE ? true : this.refuse(SPECIFIER_FAULT.BAD_ADDRESS, start, end);
  }

  /** Reads `FIRST[-LAST]` into `first` and `last`; returns where it ends, or -1 after a fault. */
  private readRange(start: i32, end: i32): i32 {
    let at = this.digitsEnd(start, end);
    this.first = this.readPort(start, at, end);
    this.last = this.first;
    if (this.first < 0) return -1;
    if (at == end || this.text.charCodeAt(at) != DASH) return at;
    const second = at + 1;
    at = this.digitsEnd(second, end);
    this.last = this.readPort(second, at, end);
    if (this.last < 0) return -1;
    if (this.last >= this.first) return at;
    this.refuse(SPECIFIER_FAULT.PORT_ORDER, start, at);
    return -1;
  }

  /** The number that the digits from `start` to `stop` make, or -1 after a fault; `end` is the chunk's. */
  private readPort(start: i32, stop: i32, end: i32): i32 {
    let port = 0;
    for (let i = start; i < stop && port < PORTS_END; i++) port = port * 10 + this.text.charCodeAt(i) - 0x30;
    if (start < stop && port < PORTS_END) return port;
    if (start < stop) this.refuse(SPECIFIER_FAULT.PORT_TOO_GREAT, start, stop);
    else this.refuse(SPECIFIER_FAULT.BAD_PORT, start, end);
    return -1;
  }

  /** Whether there are only digits and dashes, which no address consists of. */
  private looksLikePorts(start: i32, end: i32): bool {
    for (let i = start; i < end; i++) {
      const c = this.text.charCodeAt(i);
      if (!isDigit(c) && c != DASH) return false;
    }
    return start < end;
  }

  private digitsEnd(start: i32, end: i32): i32 {
    let at = start;
    while (at < end && isDigit(this.text.charCodeAt(at))) at++;
    return at;
  }

  /** Where the code unit `c` stands between `start` and `end`; `end` if it doesn't. */
  private indexOf(c: i32, start: i32, end: i32): i32 {
    let at = start;
    while (at < end && this.text.charCodeAt(at) != c) at++;
    return at;
  }

  /** Whether the text from `start` to `end` is this word. */
  private is(word: string, start: i32, end: i32): bool {
    return end - start == word.length && this.text.startsWith(word, start);
  }

  /** Refuses what the whole text makes. */
  refuseWhole(fault: u32): void {
    this.refuse(fault, 0, this.text.length);
  }

  private refuse(fault: u32, start: i32, end: i32): bool {
    this.fault = fault;
    this.faultAt = start;
    this.faultLength = end - start;
    return false;
  }
}

/** Offsets in the answer to `parseSpecifier`, all little-endian u32; the records follow. Mirrored in codec/specifier.ts. */
namespace Answer {
  export const FAULT: usize = 0;
  export const POSITION: usize = 4;
  export const LENGTH: usize = 8;
  export const DETAIL: usize = 12;
  export const NONE: usize = 16;
  export const NOTES: usize = 20;
  export const RECORDS: i32 = 24;
}

/**
 * Reads a specifier and makes its rules. Never fails otherwise than by its answer: 24 bytes that say what is wrong and
 * where, then the rules' records.
 *
 * @param ephemeralFirst,ephemeralLast the ports that `all` and exclusions leave out
 * @param loopbackOnly for -T and -U: no address and no interface are taken, the rules are bound to `lo`
 */
export function parseSpecifier(
  text: string,
  protocol: u8,
  capabilities: u32,
  ephemeralFirst: i32,
  ephemeralLast: i32,
  loopbackOnly: bool,
): Uint8Array {
  const reader = new SpecifierReader(text, capabilities, loopbackOnly);
  let count = 0;
  if (reader.read() && !reader.none) {
    reader.plan.settle(ephemeralFirst, ephemeralLast, capabilities, loopbackOnly);
    count = reader.plan.count();
    if (count > MAX_RULES) {
      reader.refuseWhole(SPECIFIER_FAULT.TOO_MANY_RULES);
      count = 0;
    }
  }
  const answer = new Uint8Array(Answer.RECORDS + count * RECORD_SIZE);
  const at = answer.dataStart;
  store<u32>(at, reader.fault, Answer.FAULT);
  store<u32>(at, reader.faultAt, Answer.POSITION);
  store<u32>(at, reader.faultLength, Answer.LENGTH);
  store<u32>(at, reader.faultDetail, Answer.DETAIL);
  store<u32>(at, reader.none ? 1 : 0, Answer.NONE);
  store<u32>(at, reader.plan.notes, Answer.NOTES);
  if (count > 0) reader.plan.write(at + Answer.RECORDS, protocol);
  return answer;
}
