/**
 * Rule tables. They live in the WebAssembly core's memory, in wire layout, and are validated, searched and compared
 * there.
 *
 * Theory of operation. A table owns one block of the core's memory, which at most doubles when records are appended, and
 * perhaps a second one: the indexes of its rules in sorted order, made by the first `match` and given up by the next
 * `append`. Both are given back when the table is disposed of; a table that was forgotten gives them back when it is
 * collected. `share` makes a second handle of the same memory, which is given back with the last one; a shared table no
 * longer grows.
 *
 * @module
 */

import { ADDRESS_SIZE, parseAddress } from "./address.ts";
import { CODE, NO_RULE, RECORD, RECORD_SIZE } from "./constants.ts";
import { type Core, core } from "./core.ts";
import { VERDICT } from "./core_exports.ts";
import { CODES, STATUSES } from "./names.ts";
import { recordOf, RecordReader, RecordWriter } from "./record.ts";
import { type TableDiff, takeDiff } from "./table_diff.ts";
import type { Code, ListedRule, Protocol, Rule, RuleStatus } from "./types.ts";

export type { EndpointRun, TableDiff } from "./table_diff.ts";

/** What a pif's table is measured by. */
export interface TablePolicy {
  /** Bits of {@linkcode CAPABILITY}. */
  readonly capabilities: number;
  /** Address for rules without a target of their own; absent for none. */
  readonly defaultTarget?: string;
  readonly maxRules: number;
  readonly maxSockets: number;
  /** Whether targets are reached from where the rules listen, so that a rule can forward to itself. */
  readonly sameNamespace: boolean;
  /** Addresses of that machine; the loopback ones needn't be among them. */
  readonly localAddresses?: readonly string[];
}

/** What validation says: how many sockets a valid table takes, or what is wrong first. */
export type TableVerdict =
  | { readonly kind: "valid"; readonly sockets: number }
  | { readonly kind: "invalid"; readonly code: Code; readonly rule?: number; readonly otherRule?: number };

/** Blocks of the core's memory; 0 for none. */
interface Blocks {
  records: number;
  /** How many records fit. */
  capacity: number;
  sorted: number;
  /** How many indexes `sorted` holds. */
  sortedLength: number;
  /** Tables that hold these blocks. */
  users: number;
}

const forgotten = new FinalizationRegistry<Blocks>(release);

function release(blocks: Blocks): void {
  if (--blocks.users > 0) return;
  const { raw } = core();
  if (blocks.records !== 0) raw.free(blocks.records);
  if (blocks.sorted !== 0) raw.free(blocks.sorted);
  blocks.records = blocks.capacity = blocks.sorted = 0;
}

/** The fewest records that a table makes room for. */
const LEAST_CAPACITY = 16;

/** The rules of one pif, or of several in a row. */
export class RuleTable implements Disposable {
  readonly #blocks: Blocks;
  #length = 0;
  #disposed = false;

  private constructor(blocks: Blocks = { records: 0, capacity: 0, sorted: 0, sortedLength: 0, users: 0 }) {
    blocks.users++;
    this.#blocks = blocks;
    forgotten.register(this, this.#blocks, this);
  }

  /**
   * A table of these rules, valid or not; their status is unset.
   *
   * @throws {TypeError} if a protocol is unknown
   * @throws {RangeError} if a port, an interface's name or a target is out of a record's bounds
   * @throws {SyntaxError} if an address isn't one
   */
  static of(rules: Iterable<Rule>): RuleTable {
    const list = [...rules];
    const records = new Uint8Array(list.length * RECORD_SIZE);
    const writer = new RecordWriter();
    list.forEach((rule, index) => writer.write(rule, records.subarray(index * RECORD_SIZE, (index + 1) * RECORD_SIZE)));
    return RuleTable.ofRecords(records);
  }

  /**
   * A table of these records, which are copied.
   *
   * @throws {RangeError} if their length isn't a multiple of 64
   */
  static ofRecords(records: Uint8Array): RuleTable {
    const table = new RuleTable();
    table.append(records);
    return table;
  }

  /** A table of all these tables' rules, in order, with their status. */
  static concat(tables: readonly RuleTable[]): RuleTable {
    const table = new RuleTable();
    table.#reserve(tables.reduce((sum, { length }) => sum + length, 0));
    for (const other of tables) table.append(other.#bytes());
    return table;
  }

  /**
   * Adds records at the end. Memory grows with what arrives.
   *
   * @throws {RangeError} if their length isn't a multiple of 64
   * @throws {TypeError} if the table is shared
   */
  append(records: Uint8Array): void {
    this.#core();
    if (records.length % RECORD_SIZE !== 0) {
      throw new RangeError(
        `Can't read rules from ${records.length} bytes: it must be a multiple of ${RECORD_SIZE}`,
      );
    }
    const added = records.length / RECORD_SIZE;
    if (added === 0) return;
    if (this.#blocks.users > 1) throw new TypeError("Can't add rules to a table: it is shared");
    // Records of the core's own memory would be gone once it has grown.
    const source = records.buffer === core().bytes.buffer ? records.slice() : records;
    this.#reserve(this.#length + added);
    core().bytes.set(source, this.#at(this.#length));
    this.#length += added;
    this.#unsort();
  }

  /** How many rules there are. */
  get length(): number {
    this.#core();
    return this.#length;
  }

  /**
   * One rule.
   *
   * @throws {RangeError} if there is no such index, or its protocol is neither TCP nor UDP
   */
  rule(index: number): Rule {
    return new RecordReader().rule(this.#record(index));
  }

  /** One rule with the state of its sockets. Throws as `rule` does. */
  listed(index: number): ListedRule {
    return new RecordReader().listed(this.#record(index));
  }

  /** All rules. Throws as `rule` does. */
  rules(): Rule[] {
    const reader = new RecordReader();
    return this.#map((record) => reader.rule(record));
  }

  /** All rules with the state of their sockets. Throws as `rule` does. */
  listedRules(): ListedRule[] {
    const reader = new RecordReader();
    return this.#map((record) => reader.listed(record));
  }

  /**
   * One rule for the middle of a sentence, whether or not it is valid.
   *
   * @throws {RangeError} if there is no such index
   */
  text(index: number): string {
    this.#checkIndex(index);
    return this.#core().bound.ruleTextAt(this.#at(index));
  }

  /**
   * A copy of the records from index `from` up to, and not including, index `to`.
   *
   * @throws {RangeError} if these aren't indexes in order
   */
  records(from = 0, to: number = this.length): Uint8Array {
    const inOrder = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= this.length;
    if (!inOrder) throw new RangeError(`Can't take rules ${from} to ${to}: the table has ${this.length}`);
    return this.#bytes().slice(from * RECORD_SIZE, to * RECORD_SIZE);
  }

  /**
   * Notes the state of one rule's sockets.
   *
   * @param failedPorts how many ports of the range have no socket
   * @throws {RangeError} if there is no such index, or the count isn't one from 0 to 65535
   */
  setStatus(index: number, status: RuleStatus, failedPorts: number): void {
    this.#checkIndex(index);
    if (!Number.isInteger(failedPorts) || failedPorts < 0 || failedPorts > 65535) {
      throw new RangeError(`Can't note ${failedPorts} failed ports: it must be a whole number from 0 to 65535`);
    }
    const { view } = this.#core();
    view.setUint16(this.#at(index) + RECORD.STATUS, STATUSES.number(status));
    view.setUint16(this.#at(index) + RECORD.FAILED, failedPorts);
  }

  /** Gives all rules the same status, without failed ports. */
  setAllStatus(status: RuleStatus): void {
    const { view } = this.#core();
    // Status and failed ports lie next to each other.
    const value = STATUSES.number(status) * 0x10000;
    for (let index = 0; index < this.#length; index++) view.setUint32(this.#at(index) + RECORD.STATUS, value);
  }

  /** Gives all rules the status that they have in what a client sends. */
  clearStatus(): void {
    this.setAllStatus("unset");
  }

  /**
   * Whether a pif could take this table, and what is wrong first if it can't, in the order of PROTOCOL.md.
   *
   * @throws {SyntaxError} if an address of the policy isn't one
   */
  validate(policy: TablePolicy): TableVerdict {
    const { raw } = this.#core();
    const addresses = [policy.defaultTarget ?? "::", ...policy.localAddresses ?? []].map(parseAddress);
    const answer = raw.allocate(VERDICT.SIZE + addresses.length * ADDRESS_SIZE);
    try {
      const target = answer + VERDICT.SIZE;
      addresses.forEach((address, index) => core().bytes.set(address, target + index * ADDRESS_SIZE));
      const code = raw.validateTable(
        this.#blocks.records,
        this.#length,
        policy.capabilities,
        policy.defaultTarget === undefined ? 0 : target,
        policy.maxRules,
        policy.maxSockets,
        policy.sameNamespace,
        target + ADDRESS_SIZE,
        addresses.length - 1,
        answer,
      );
      const { view } = core();
      if (code === CODE.none) return { kind: "valid", sockets: view.getUint32(answer + VERDICT.SOCKETS, true) };
      const rule = view.getUint32(answer + VERDICT.RULE, true);
      const otherRule = view.getUint32(answer + VERDICT.OTHER_RULE, true);
      return {
        kind: "invalid",
        code: CODES.name(code) ?? "internal",
        ...(rule !== NO_RULE && { rule }),
        ...(otherRule !== NO_RULE && { otherRule }),
      };
    } finally {
      raw.free(answer);
    }
  }

  /**
   * Index of the first rule that equals this one in everything but its status, or -1.
   *
   * @throws {TypeError | RangeError | SyntaxError} as `of` does
   */
  find(rule: Rule): number {
    const { raw, scratch } = this.#core();
    const record = recordOf(rule);
    core().bytes.set(record, scratch);
    return raw.findRule(this.#blocks.records, this.#length, scratch);
  }

  /**
   * Index of the rule that has this endpoint, or -1. Only for tables whose rules don't conflict.
   *
   * @param address `"*"` for dual stack, otherwise the address that the endpoint is bound to
   * @throws {TypeError | RangeError | SyntaxError} as `of` does
   */
  match(protocol: Protocol, address: string, interfaceName: string | undefined, port: number): number {
    const { raw, scratch } = this.#core();
    const endpoint = new Uint8Array(RECORD_SIZE);
    const name = interfaceName === undefined ? {} : { interface: interfaceName };
    new RecordWriter().writeListening({ protocol, address, ...name, firstPort: port, lastPort: port }, endpoint);
    if (this.#blocks.sorted === 0) {
      this.#blocks.sorted = raw.sortedIndexes(this.#blocks.records, this.#length, scratch);
      this.#blocks.sortedLength = core().view.getUint32(scratch, true);
    }
    core().bytes.set(endpoint, scratch);
    return raw.matchRule(this.#blocks.records, this.#blocks.sorted, this.#blocks.sortedLength, scratch);
  }

  /** The same table once more, to be disposed of by itself: whoever holds it keeps the memory alive. */
  share(): RuleTable {
    this.#core();
    const table = new RuleTable(this.#blocks);
    table.#length = this.#length;
    return table;
  }

  /** Gives the memory back. Every later use throws a TypeError; disposing again is harmless. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    forgotten.unregister(this);
    release(this.#blocks);
  }

  /** What becomes of every endpoint when `after` takes this table's place: see {@linkcode diffTables}. */
  diff(after: RuleTable): TableDiff {
    const { raw, scratch } = this.#core();
    after.#core();
    raw.diffTables(this.#blocks.records, this.#length, after.#blocks.records, after.#length, scratch);
    return takeDiff(scratch);
  }

  /** The core, if the table may still be used. */
  #core(): Core {
    if (this.#disposed) throw new TypeError("Can't use a rule table: it has been disposed of");
    return core();
  }

  #at(index: number): number {
    return this.#blocks.records + index * RECORD_SIZE;
  }

  /** All records where they lie, until the core is called again. */
  #bytes(): Uint8Array {
    return this.#core().bytes.subarray(this.#at(0), this.#at(this.#length));
  }

  #checkIndex(index: number): void {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return;
    throw new RangeError(`Can't take rule ${index}: the table has ${this.length}`);
  }

  #record(index: number): Uint8Array {
    this.#checkIndex(index);
    return core().bytes.slice(this.#at(index), this.#at(index + 1));
  }

  #map<T>(read: (record: Uint8Array) => T): T[] {
    const records = this.records();
    return Array.from(
      { length: this.#length },
      (_, index) => read(records.subarray(index * RECORD_SIZE, (index + 1) * RECORD_SIZE)),
    );
  }

  #reserve(length: number): void {
    const blocks = this.#blocks;
    if (length <= blocks.capacity) return;
    const capacity = Math.max(length, LEAST_CAPACITY, 2 * blocks.capacity);
    const { raw } = core();
    const size = capacity * RECORD_SIZE;
    blocks.records = blocks.records === 0 ? raw.allocate(size) : raw.reallocate(blocks.records, size);
    blocks.capacity = capacity;
  }

  #unsort(): void {
    if (this.#blocks.sorted === 0) return;
    core().raw.free(this.#blocks.sorted);
    this.#blocks.sorted = 0;
  }
}

/**
 * What becomes of every endpoint when `after` takes the place of `before`. Both are valid. The runs are ordered by
 * protocol, then dual stack, address and port; every one is of one rule.
 */
export function diffTables(before: RuleTable, after: RuleTable): TableDiff {
  return before.diff(after);
}
