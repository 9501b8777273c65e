/**
 * Rule tables. They live in the WebAssembly core's memory, in wire layout, and are validated, searched and compared
 * there.
 *
 * Theory of operation. A table holds memory of the core (`table_memory.ts`), and gives it back when it is disposed of; a
 * table that was forgotten gives it back when it is collected. `share` makes a second handle of the same memory, which is
 * given back with the last one; a shared table no longer grows. What takes long for a large table comes in two forms: at
 * once, as `validate`, and in steps (`steps.ts`), as `validating`, which shares the table for as long as it lasts.
 *
 * @module
 */

import { RECORD, RECORD_SIZE } from "./constants.ts";
import { type Core, core } from "./core.ts";
import { ROW } from "./core_exports.ts";
import { STATUSES } from "./names.ts";
import { recordOf, RecordReader, RecordWriter } from "./record.ts";
import { finish, type Steps } from "./steps.ts";
import { diffing, type TableDiff } from "./table_diff.ts";
import { TableMemory } from "./table_memory.ts";
import { addingRows, type Completion, scanning } from "./table_rows.ts";
import { type TablePolicy, type TableVerdict, validating } from "./table_validation.ts";
import type { ListedRule, Protocol, Rule, RuleStatus } from "./types.ts";

export { type EndpointRun, EndpointRuns, type RunOf, type TableDiff } from "./table_diff.ts";
export type { Completion, ListeningPorts } from "./table_rows.ts";
export type { TablePolicy, TableVerdict } from "./table_validation.ts";

const forgotten = new FinalizationRegistry<TableMemory>((memory) => memory.release());

/** The rules of one pif, or of several in a row. */
export class RuleTable implements Disposable {
  readonly #memory: TableMemory;
  readonly #reader = new RecordReader();
  #length = 0;
  #disposed = false;

  private constructor(memory = new TableMemory()) {
    memory.hold();
    this.#memory = memory;
    forgotten.register(this, memory, this);
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
    list.forEach((rule, index) => writer.write(rule, records, index * RECORD_SIZE));
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
    table.#memory.reserve(tables.reduce((sum, { length }) => sum + length, 0));
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
    if (this.#memory.shared) throw new TypeError("Can't add rules to a table: it is shared");
    // Records of the core's own memory would be gone once it has grown.
    const source = records.buffer === core().bytes.buffer ? records.slice() : records;
    this.#memory.reserve(this.#length + added);
    core().bytes.set(source, this.#at(this.#length));
    this.#length += added;
    this.#memory.unsort();
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
    this.#checkIndex(index);
    return this.#reader.rule(core().bytes, this.#at(index));
  }

  /** One rule with the state of its sockets. Throws as `rule` does. */
  listed(index: number): ListedRule {
    this.#checkIndex(index);
    return this.#reader.listed(core().bytes, this.#at(index));
  }

  /** All rules. Throws as `rule` does. */
  rules(): Rule[] {
    const { bytes } = this.#core();
    return this.#map((at) => this.#reader.rule(bytes, at));
  }

  /** All rules with the state of their sockets. Throws as `rule` does. */
  listedRules(): ListedRule[] {
    const { bytes } = this.#core();
    return this.#map((at) => this.#reader.listed(bytes, at));
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
    this.#checkRange(from, to);
    return this.#bytes().slice(from * RECORD_SIZE, to * RECORD_SIZE);
  }

  /** Copies the same records to the beginning of `into`. Throws as `records` does, and if there is no room for them. */
  copyRecords(from: number, to: number, into: Uint8Array): void {
    this.#checkRange(from, to);
    into.set(this.#bytes().subarray(from * RECORD_SIZE, to * RECORD_SIZE));
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
    return finish(this.validating(policy));
  }

  /** The same in steps. */
  *validating(policy: TablePolicy): Steps<TableVerdict> {
    using table = this.share();
    return yield* validating(table.#memory, table.#length, policy);
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
    return raw.findRule(this.#memory.records, this.#length, scratch);
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
    finish(this.#memory.sorting(this.#length));
    core().bytes.set(endpoint, scratch);
    return raw.matchRule(this.#memory.records, this.#memory.sorted, this.#memory.sortedLength, scratch);
  }

  /** In steps, whether one of the rules scans. */
  *scanning(): Steps<boolean> {
    using table = this.share();
    return yield* scanning(table.#memory, table.#length);
  }

  /**
   * The rows of other tables, one after the other: their rules as they stand now, completed.
   *
   * @throws {SyntaxError} if a default target isn't an address
   */
  static *completing(
    parts: readonly (Completion & { readonly table: RuleTable })[],
  ): Steps<{ readonly rows: RuleTable; readonly scans: boolean }> {
    using cleanup = new DisposableStack();
    using sources = new DisposableStack();
    const tables = parts.map(({ table }) => sources.use(table.share()));
    const rows = cleanup.use(new RuleTable());
    let scans = false;
    for (const [number, table] of tables.entries()) {
      const completion = parts[number] ?? {};
      const added = yield* addingRows(rows.#memory, rows.#length, number, table.#memory, table.#length, completion);
      rows.#length = added.length;
      scans ||= added.scans;
    }
    cleanup.move();
    return { rows, scans };
  }

  /**
   * Where a row comes from, if this is a table that `completing` made: which of the tables, and the index of the rule.
   *
   * @throws {RangeError} if there is no such index
   */
  origin(index: number): { readonly table: number; readonly rule: number } {
    this.#checkIndex(index);
    const { view } = core();
    const at = this.#at(index);
    return { table: view.getUint32(at + ROW.TABLE, true), rule: view.getUint32(at + ROW.RULE, true) };
  }

  /**
   * Gives all rules the status that they have when each of their rows has its sockets.
   *
   * @param rows what `completing` made of this table, as number `number`, and perhaps of others
   */
  noteRows(rows: RuleTable, number: number): void {
    const { raw } = this.#core();
    rows.#core();
    raw.noteStatus(this.#memory.records, this.#length, rows.#memory.records, rows.#length, number);
  }

  /** The same table once more, to be disposed of by itself: whoever holds it keeps the memory alive. */
  share(): RuleTable {
    this.#core();
    const table = new RuleTable(this.#memory);
    table.#length = this.#length;
    return table;
  }

  /** Gives the memory back. Every later use throws a TypeError; disposing again is harmless. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    forgotten.unregister(this);
    this.#memory.release();
  }

  /** What becomes of every endpoint when `after` takes this table's place: see {@linkcode diffTables}. */
  diff(after: RuleTable): TableDiff {
    return finish(this.diffing(after));
  }

  /** The same in steps. */
  *diffing(after: RuleTable): Steps<TableDiff> {
    using from = this.share();
    using to = after.share();
    return yield* diffing(from.#memory, from.#length, to.#memory, to.#length);
  }

  /** The core, if the table may still be used. */
  #core(): Core {
    if (this.#disposed) throw new TypeError("Can't use a rule table: it has been disposed of");
    return core();
  }

  #at(index: number): number {
    return this.#memory.records + index * RECORD_SIZE;
  }

  /** All records where they lie, until the core is called again. */
  #bytes(): Uint8Array {
    return this.#core().bytes.subarray(this.#at(0), this.#at(this.#length));
  }

  #checkIndex(index: number): void {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return;
    throw new RangeError(`Can't take rule ${index}: the table has ${this.length}`);
  }

  #checkRange(from: number, to: number): void {
    const inOrder = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= this.length;
    if (!inOrder) throw new RangeError(`Can't take rules ${from} to ${to}: the table has ${this.length}`);
  }

  /** What `read` makes of every record, given its address. */
  #map<T>(read: (at: number) => T): T[] {
    return Array.from({ length: this.#length }, (_, index) => read(this.#at(index)));
  }
}

/**
 * What becomes of every endpoint when `after` takes the place of `before`. Both are valid. The runs are ordered by
 * protocol, then dual stack, address and port; every one is of one rule.
 */
export function diffTables(before: RuleTable, after: RuleTable): TableDiff {
  return before.diff(after);
}
