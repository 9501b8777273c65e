/**
 * Rules as 64-byte records and back. A record can hold what no rule may say, so that a refused one can be named; a rule
 * that a record can't hold is refused here.
 *
 * @module
 */

import { ADDRESS_SIZE, formatAddress, parseAddress } from "./address.ts";
import { INTERFACE_NAME_SIZE, IP_PROTOCOL, RECORD, RECORD_SIZE, RULE_FLAG } from "./constants.ts";
import { STATUSES } from "./names.ts";
import { shortened } from "./printable.ts";
import type { ListedRule, Protocol, Rule } from "./types.ts";

/** What says dual stack in place of an address. */
const DUAL_STACK_ADDRESS = "*";
const MAX_PORT = 65535;
const NO_BYTES = new Uint8Array(0);
/** The part of a rule that says where it listens. */
export type Listening = Pick<Rule, "protocol" | "address" | "interface" | "firstPort" | "lastPort">;

/** Writes rules into records. Most rules of a table share a few addresses, so each text is read once. */
export class RecordWriter {
  readonly #addresses = new Map<string, Uint8Array>();

  /**
   * Writes one record, which begins at `at`; its status is unset. Byte by byte: views and `set` cost more than what
   * they copy.
   *
   * @param bytes 64 bytes from there on
   * @throws {TypeError} if the protocol is unknown
   * @throws {RangeError} if a port, the interface's name or the target is out of bounds
   * @throws {SyntaxError} if an address isn't one
   */
  write(rule: Rule, bytes: Uint8Array, at = 0): void {
    this.writeListening(rule, bytes, at);
    if (rule.target !== undefined) {
      const target = this.#address(rule.target);
      if (!isSet(target, 0)) {
        throw new RangeError(`Can't encode the target "${rule.target}": leave it out for the default target`);
      }
      copyAddress(target, bytes, at + RECORD.TARGET);
    }
    setPort(bytes, at + RECORD.TARGET_PORT, rule.targetPort, "target port");
    bytes[at + RECORD.FLAGS] = (bytes[at + RECORD.FLAGS] ?? 0) | (rule.weak ? RULE_FLAG.WEAK : 0) |
      (rule.scan ? RULE_FLAG.SCAN : 0);
  }

  /** Writes the fields that a rule's endpoints come from, and zeros into all others. Throws as `write` does. */
  writeListening(rule: Listening, bytes: Uint8Array, at = 0): void {
    bytes.fill(0, at, at + RECORD_SIZE);
    const dualStack = rule.address === DUAL_STACK_ADDRESS;
    if (!dualStack) copyAddress(this.#address(rule.address), bytes, at + RECORD.ADDRESS);
    if (rule.interface !== undefined) bytes.set(interfaceBytes(rule.interface), at + RECORD.INTERFACE);
    setPort(bytes, at + RECORD.FIRST, rule.firstPort, "first port");
    setPort(bytes, at + RECORD.LAST, rule.lastPort, "last port");
    bytes[at + RECORD.PROTOCOL] = protocolNumber(rule.protocol);
    bytes[at + RECORD.FLAGS] = dualStack ? RULE_FLAG.DUAL_STACK : 0;
  }

  #address(text: string): Uint8Array {
    let bytes = this.#addresses.get(text);
    if (bytes === undefined) this.#addresses.set(text, bytes = parseAddress(text));
    return bytes;
  }
}

/**
 * Reads rules out of records. A text that the record before had at the same place isn't made again. It may read in the
 * core's memory: nothing that it does takes memory there.
 */
export class RecordReader {
  readonly #address = new FieldMemory(ADDRESS_SIZE, formatAddress);
  readonly #target = new FieldMemory(ADDRESS_SIZE, formatAddress);
  readonly #interface = new FieldMemory(INTERFACE_NAME_SIZE, interfaceName);

  /**
   * The rule of the record that begins at `at`.
   *
   * @throws {RangeError} if its protocol is neither TCP nor UDP
   */
  rule(bytes: Uint8Array, at = 0): Rule {
    return this.#read(bytes, at);
  }

  /** The same with the state of its sockets; a state without a name is `unset`. Throws as `rule` does. */
  listed(bytes: Uint8Array, at = 0): ListedRule {
    const rule: Writable<Rule> & Partial<Writable<ListedRule>> = this.#read(bytes, at);
    const status = STATUSES.name(uint16(bytes, at + RECORD.STATUS)) ?? "unset";
    const failedPorts = uint16(bytes, at + RECORD.FAILED);
    rule.status = status;
    rule.failedPorts = failedPorts;
    return rule as ListedRule;
  }

  /** One object, filled as it goes: spreading a second one into it took longer than all the rest. */
  #read(bytes: Uint8Array, at: number): Writable<Rule> {
    const flags = bytes[at + RECORD.FLAGS] ?? 0;
    const rule: Writable<Rule> = {
      protocol: protocolOf(bytes[at + RECORD.PROTOCOL] ?? 0),
      address: (flags & RULE_FLAG.DUAL_STACK) !== 0
        ? DUAL_STACK_ADDRESS
        : this.#address.text(bytes, at + RECORD.ADDRESS),
      firstPort: uint16(bytes, at + RECORD.FIRST),
      lastPort: uint16(bytes, at + RECORD.LAST),
      targetPort: uint16(bytes, at + RECORD.TARGET_PORT),
      weak: (flags & RULE_FLAG.WEAK) !== 0,
      scan: (flags & RULE_FLAG.SCAN) !== 0,
    };
    if (bytes[at + RECORD.INTERFACE] !== 0) rule.interface = this.#interface.text(bytes, at + RECORD.INTERFACE);
    if (isSet(bytes, at + RECORD.TARGET)) rule.target = this.#target.text(bytes, at + RECORD.TARGET);
    return rule;
  }
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The last value of a field, and its text. */
class FieldMemory {
  readonly #size: number;
  readonly #print: (bytes: Uint8Array) => string;
  #bytes = NO_BYTES;
  #text = "";

  constructor(size: number, print: (bytes: Uint8Array) => string) {
    this.#size = size;
    this.#print = print;
  }

  text(bytes: Uint8Array, at: number): string {
    if (!this.#isSame(bytes, at)) {
      this.#bytes = bytes.slice(at, at + this.#size);
      this.#text = this.#print(this.#bytes);
    }
    return this.#text;
  }

  /** A loop, because it runs twice for every rule of a listing; from the end, where addresses differ most. */
  #isSame(bytes: Uint8Array, at: number): boolean {
    const known = this.#bytes;
    if (known.length === 0) return false;
    for (let index = this.#size - 1; index >= 0; index--) {
      if (bytes[at + index] !== known[index]) return false;
    }
    return true;
  }
}

function copyAddress(address: Uint8Array, into: Uint8Array, at: number): void {
  for (let index = 0; index < ADDRESS_SIZE; index++) into[at + index] = address[index] ?? 0;
}

/** Whether an address isn't all zero. */
function isSet(bytes: Uint8Array, at: number): boolean {
  for (let index = at + ADDRESS_SIZE - 1; index >= at; index--) {
    if (bytes[index] !== 0) return true;
  }
  return false;
}

/** The record of one rule. Throws as {@linkcode RecordWriter.write} does. */
export function recordOf(rule: Rule): Uint8Array {
  const record = new Uint8Array(RECORD_SIZE);
  new RecordWriter().write(rule, record);
  return record;
}

function protocolNumber(protocol: Protocol): number {
  switch (protocol) {
    case "tcp":
      return IP_PROTOCOL.TCP;
    case "udp":
      return IP_PROTOCOL.UDP;
    default:
      protocol satisfies never;
      throw new TypeError(`Can't encode the protocol "${shortened(String(protocol), 40)}": it must be "tcp" or "udp"`);
  }
}

function protocolOf(number: number): Protocol {
  if (number === IP_PROTOCOL.TCP) return "tcp";
  if (number === IP_PROTOCOL.UDP) return "udp";
  throw new RangeError(
    `Can't read a rule of IP protocol ${number}: it must be ${IP_PROTOCOL.TCP} (TCP) or ${IP_PROTOCOL.UDP} (UDP)`,
  );
}

function interfaceBytes(name: string): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length > 0 && bytes.length < INTERFACE_NAME_SIZE && !bytes.includes(0) && name.isWellFormed()) return bytes;
  throw new RangeError(
    `Can't encode the interface name "${shortened(name, 40)}": it must be 1 to ${
      INTERFACE_NAME_SIZE - 1
    } bytes of text`,
  );
}

function interfaceName(field: Uint8Array): string {
  const end = field.indexOf(0);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(end < 0 ? field : field.subarray(0, end));
}

function setPort(record: Uint8Array, offset: number, port: number, what: string): void {
  if (!Number.isInteger(port) || port < 0 || port > MAX_PORT) {
    throw new RangeError(`Can't encode the ${what} ${port}: it must be a whole number from 0 to ${MAX_PORT}`);
  }
  record[offset] = port >> 8;
  record[offset + 1] = port & 0xff;
}

function uint16(record: Uint8Array, offset: number): number {
  return (record[offset] ?? 0) << 8 | (record[offset + 1] ?? 0);
}
