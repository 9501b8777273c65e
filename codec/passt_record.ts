/**
 * Rule records of the released dialect, 40 or 56 bytes, as native ones of 64 and back. The WebAssembly core does it,
 * `wasm/assembly/passt.ts`; here the bytes are carried to its scratch area and back.
 *
 * @module
 */

import { PASST, RECORD_SIZE } from "./constants.ts";
import { core } from "./core.ts";
import type { RuleTable } from "./table.ts";

/** The versions of the released dialect. */
export type PasstVersion = keyof typeof PASST.RECORD_SIZE;

/** Whether a number that came over the wire is a version that is known. */
export function isPasstVersion(version: number): version is PasstVersion {
  return Object.hasOwn(PASST.RECORD_SIZE, version);
}

/** Native records that are converted at a time: they and what comes of them share the scratch area of 64 KiB. */
const CHUNK = 512;
/** Where in the scratch area the result is written. */
const RESULT_OFFSET: number = CHUNK * RECORD_SIZE;

/**
 * Native records, with no status, for at most {@linkcode PASST.MAX_RULES} whole records of a version. What they say is
 * not looked at.
 */
export function fromPasstRecords(bytes: Uint8Array, version: PasstVersion): Uint8Array {
  const count = bytes.length / PASST.RECORD_SIZE[version];
  const { raw, scratch, bytes: memory } = core();
  memory.set(bytes, scratch);
  raw.fromPasstRecords(scratch, count, version, scratch + RESULT_OFFSET);
  return core().bytes.slice(scratch + RESULT_OFFSET, scratch + RESULT_OFFSET + count * RECORD_SIZE);
}

/** The records of a version for those rules of a table that can be said in it, as many as a table may have there. */
export function toPasstRecords(table: RuleTable, version: PasstVersion): Uint8Array {
  const size = PASST.RECORD_SIZE[version];
  const records = new Uint8Array(PASST.MAX_RULES * size);
  let written = 0;
  for (const { at, count } of chunksOf(table)) {
    if (written === PASST.MAX_RULES) break;
    const result = core().scratch + RESULT_OFFSET;
    const more = core().raw.toPasstRecords(at, count, version, PASST.MAX_RULES - written, result);
    records.set(core().bytes.subarray(result, result + more * size), written * size);
    written += more;
  }
  return records.slice(0, written * size);
}

/** Index of the first rule that can't be said in a version, or -1. */
export function findUnsayable(table: RuleTable, version: PasstVersion): number {
  for (const { at, first, count } of chunksOf(table)) {
    const index = core().raw.findUnsayable(at, count, version);
    if (index >= 0) return first + index;
  }
  return -1;
}

/** Puts the table's records into the scratch area, chunk by chunk: `count` records from index `first` on are at `at`. */
function* chunksOf(table: RuleTable): Iterable<{ at: number; first: number; count: number }> {
  for (let first = 0; first < table.length; first += CHUNK) {
    const count = Math.min(CHUNK, table.length - first);
    const records = table.records(first, first + count);
    const { scratch, bytes } = core();
    bytes.set(records, scratch);
    yield { at: scratch, first, count };
  }
}
