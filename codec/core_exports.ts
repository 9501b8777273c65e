/**
 * What the WebAssembly core exports, and where it writes what it can't return. `wasm/assembly/` says what each function
 * does.
 *
 * @module
 */

/** An address in the core's linear memory, in bytes; 0 for none. */
export type Pointer = number;

/** Functions that take and give numbers only. A boolean result is 0 or 1. */
export interface RawExports {
  scratch(): Pointer;
  allocate(size: number): Pointer;
  reallocate(pointer: Pointer, size: number): Pointer;
  free(pointer: Pointer): void;

  frameFault(type: number, zero: number, length: number): number;
  payloadMinimum(type: number): number;
  payloadMaximum(type: number): number;
  payloadStep(type: number): number;

  checkRecords(records: Pointer, count: number, fromServer: boolean, answer: Pointer): number;
  fromPasstRecords(from: Pointer, count: number, version: number, into: Pointer): void;
  toPasstRecords(records: Pointer, count: number, version: number, room: number, into: Pointer): number;
  findUnsayable(records: Pointer, count: number, version: number): number;
  findRule(table: Pointer, count: number, rule: Pointer): number;
  parseAddress(text: Pointer, length: number, into: Pointer): number;
  writeAddress(address: Pointer, into: Pointer): number;

  countRows(records: Pointer, count: number, ports: Pointer): number;
  writeRows(
    records: Pointer,
    count: number,
    first: number,
    table: number,
    target: Pointer,
    ports: Pointer,
    into: Pointer,
  ): number;
  noteStatus(records: Pointer, count: number, rows: Pointer, rowCount: number, table: number): void;

  // Work in steps: begun, stepped until it is done, its result taken, and ended in any case.
  beginSorting(table: Pointer, count: number): Pointer;
  stepSorting(work: Pointer, units: number): number;
  takeSorted(work: Pointer, answer: Pointer): Pointer;
  endSorting(work: Pointer): void;
  matchRule(table: Pointer, indexes: Pointer, count: number, endpoint: Pointer): number;
  beginValidation(
    table: Pointer,
    count: number,
    indexes: Pointer,
    sorted: number,
    policy: Pointer,
    answer: Pointer,
  ): Pointer;
  stepValidation(work: Pointer, units: number): number;
  endValidation(work: Pointer): void;
  beginDiff(
    oldTable: Pointer,
    oldIndexes: Pointer,
    oldSorted: number,
    newTable: Pointer,
    newIndexes: Pointer,
    newSorted: number,
  ): Pointer;
  stepDiff(work: Pointer, units: number): number;
  takeDiff(work: Pointer, answer: Pointer): void;
  endDiff(work: Pointer): void;
}

/** Functions that take or give strings and byte arrays. Byte arrays that are returned are copies. */
export interface BoundExports {
  ruleLineAt(record: Pointer): string;
  ruleTextAt(record: Pointer): string;
  faultSentence(code: number, record: Pointer, other: Pointer, pif: string, count: number, limit: number): string;
  parseSpecifier(
    text: string,
    protocol: number,
    capabilities: number,
    ephemeralFirst: number,
    ephemeralLast: number,
    loopbackOnly: boolean,
  ): Uint8Array;
}

/** What validation answers: offsets in bytes of little-endian u32. A test holds all of these against the core's own. */
export const VERDICT = { RULE: 0, OTHER_RULE: 4, SOCKETS: 8, SIZE: 12 } as const;
/** What validation is told: offsets in bytes of little-endian u32, and of addresses of 16 bytes. */
export const POLICY = {
  CAPABILITIES: 0,
  MAX_RULES: 4,
  MAX_SOCKETS: 8,
  SAME_NAMESPACE: 12,
  HAS_TARGET: 16,
  LOCAL_COUNT: 20,
  ADDRESSES: 24,
} as const;
/** What a step of validation answers, as an unsigned number, as long as there is more to do. */
export const UNDECIDED = 0xffffffff;
/** Where a row comes from: offsets in bytes of little-endian u32. */
export const ROW = { RULE: 56, TABLE: 60 } as const;
/** What a diff answers: offsets in bytes of little-endian u32. */
export const DIFF = { RUNS: 0, RUN_COUNT: 4, KEPT: 8 } as const;
/** A run's kinds, its size and the offsets of its fields in bytes: little-endian, u32 three times, then u16 twice. */
export const RUN = {
  MOVED: 1,
  OPENED: 2,
  RETIRED: 3,
  RELEASED: 4,
  REBOUND: 5,
  SIZE: 16,
  KIND: 0,
  OLD_RULE: 4,
  NEW_RULE: 8,
  FIRST: 12,
  LAST: 14,
} as const;
