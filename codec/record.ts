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
/** An address that isn't set. */
const UNSET = new Uint8Array(ADDRESS_SIZE);

/** The part of a rule that says where it listens. */
export type Listening = Pick<Rule, "protocol" | "address" | "interface" | "firstPort" | "lastPort">;

/** Writes rules into records. Most rules of a table share a few addresses, so each text is read once. */
export class RecordWriter {
  readonly #addresses = new Map<string, Uint8Array>();

  /**
   * Writes one record; its status is unset.
   *
   * @param record 64 bytes
   * @throws {TypeError} if the protocol is unknown
   * @throws {RangeError} if a port, the interface's name or the target is out of bounds
   * @throws {SyntaxError} if an address isn't one
   */
  write(rule: Rule, record: Uint8Array): void {
    this.writeListening(rule, record);
    if (rule.target !== undefined) {
      const target = this.#address(rule.target);
      if (sameBytes(target, UNSET)) {
        throw new RangeError(`Can't encode the target "${rule.target}": leave it out for the default target`);
      }
      record.set(target, RECORD.TARGET);
    }
    setPort(record, RECORD.TARGET_PORT, rule.targetPort, "target port");
    record[RECORD.FLAGS] = (record[RECORD.FLAGS] ?? 0) | (rule.weak ? RULE_FLAG.WEAK : 0) |
      (rule.scan ? RULE_FLAG.SCAN : 0);
  }

  /** Writes the fields that a rule's endpoints come from, and zeros into all others. Throws as `write` does. */
  writeListening(rule: Listening, record: Uint8Array): void {
    record.fill(0);
    const dualStack = rule.address === DUAL_STACK_ADDRESS;
    if (!dualStack) record.set(this.#address(rule.address), RECORD.ADDRESS);
    if (rule.interface !== undefined) record.set(interfaceBytes(rule.interface), RECORD.INTERFACE);
    setPort(record, RECORD.FIRST, rule.firstPort, "first port");
    setPort(record, RECORD.LAST, rule.lastPort, "last port");
    record[RECORD.PROTOCOL] = protocolNumber(rule.protocol);
    record[RECORD.FLAGS] = dualStack ? RULE_FLAG.DUAL_STACK : 0;
  }

  #address(text: string): Uint8Array {
    let bytes = this.#addresses.get(text);
    if (bytes === undefined) this.#addresses.set(text, bytes = parseAddress(text));
    return bytes;
  }
}

/** Reads rules out of records. An address that the record before had at the same place isn't printed again. */
export class RecordReader {
  readonly #listening = new AddressMemory();
  readonly #target = new AddressMemory();

  /**
   * The rule of one record.
   *
   * @param record 64 bytes
   * @throws {RangeError} if its protocol is neither TCP nor UDP
   */
  rule(record: Uint8Array): Rule {
    const flags = record[RECORD.FLAGS] ?? 0;
    const name = interfaceName(record);
    const target = record.subarray(RECORD.TARGET, RECORD.TARGET + ADDRESS_SIZE);
    return {
      protocol: protocolOf(record[RECORD.PROTOCOL] ?? 0),
      address: (flags & RULE_FLAG.DUAL_STACK) !== 0
        ? DUAL_STACK_ADDRESS
        : this.#listening.text(record.subarray(RECORD.ADDRESS, RECORD.ADDRESS + ADDRESS_SIZE)),
      ...(name !== "" && { interface: name }),
      firstPort: uint16(record, RECORD.FIRST),
      lastPort: uint16(record, RECORD.LAST),
      ...(!sameBytes(target, UNSET) && { target: this.#target.text(target) }),
      targetPort: uint16(record, RECORD.TARGET_PORT),
      weak: (flags & RULE_FLAG.WEAK) !== 0,
      scan: (flags & RULE_FLAG.SCAN) !== 0,
    };
  }

  /** The same with the state of its sockets; a state without a name is `unset`. Throws as `rule` does. */
  listed(record: Uint8Array): ListedRule {
    return {
      ...this.rule(record),
      status: STATUSES.name(uint16(record, RECORD.STATUS)) ?? "unset",
      failedPorts: uint16(record, RECORD.FAILED),
    };
  }
}

class AddressMemory {
  #bytes = new Uint8Array(0);
  #text = "";

  text(bytes: Uint8Array): string {
    if (!sameBytes(bytes, this.#bytes)) {
      this.#bytes = bytes.slice();
      this.#text = formatAddress(bytes);
    }
    return this.#text;
  }
}

/** A loop, because it runs twice for every rule of a listing. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index]) return false;
  }
  return true;
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

function interfaceName(record: Uint8Array): string {
  const field = record.subarray(RECORD.INTERFACE, RECORD.INTERFACE + INTERFACE_NAME_SIZE);
  if (field[0] === 0) return "";
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
