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
  sortedIndexes(table: Pointer, count: number, answer: Pointer): Pointer;
  matchRule(table: Pointer, indexes: Pointer, count: number, endpoint: Pointer): number;
  validateTable(
    table: Pointer,
    count: number,
    capabilities: number,
    defaultTarget: Pointer,
    maxRules: number,
    maxSockets: number,
    sameNamespace: boolean,
    localAddresses: Pointer,
    localCount: number,
    answer: Pointer,
  ): number;
  diffTables(oldTable: Pointer, oldCount: number, newTable: Pointer, newCount: number, answer: Pointer): void;
}

/** Functions that take or give strings and byte arrays. Byte arrays that are returned are copies. */
export interface BoundExports {
  parseAddress(text: string): Uint8Array;
  formatAddress(bytes: Uint8Array): string;
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
