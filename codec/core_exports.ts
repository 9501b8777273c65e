/**
 * What the WebAssembly core exports, as types. `wasm/assembly/` says what each function does.
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
