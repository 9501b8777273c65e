/**
 * Rows: the rules of several tables in a row, as they stand now, with their targets filled in. Those that scan are
 * replaced by one row for each row of ports in use, or by none.
 *
 * @module
 */

import { ADDRESS_SIZE, parseAddress } from "./address.ts";
import { RECORD_SIZE } from "./constants.ts";
import { core } from "./core.ts";
import type { Pointer } from "./core_exports.ts";
import { type Steps, UNITS_PER_STEP } from "./steps.ts";
import type { TableMemory } from "./table_memory.ts";
import type { Protocol } from "./types.ts";

/** Ports that something in a target listens on, by protocol. */
export type ListeningPorts = Readonly<Record<Protocol, ReadonlySet<number>>>;

/** What the rules of a table are completed with. */
export interface Completion {
  /** Where rules without a target of their own go. */
  readonly defaultTarget?: string;
  /** What scan rules listen for. Without it they listen on nothing. */
  readonly listening?: ListeningPorts;
}

/** Bytes of a bitmap over all ports. */
const BITMAP_SIZE = 65536 / 8;

/**
 * Writes the rows of one table behind the `used` ones that are in `rows`. Resolves to how many there are now, and whether
 * a rule scans.
 *
 * @param number what says in each row which table it is from
 */
export function* addingRows(
  rows: TableMemory,
  used: number,
  number: number,
  table: TableMemory,
  length: number,
  { defaultTarget, listening }: Completion,
): Steps<{ readonly length: number; readonly scans: boolean }> {
  const { raw } = core();
  const scans = yield* scanning(table, length);
  const block = raw.allocate(ADDRESS_SIZE + 2 * BITMAP_SIZE);
  try {
    if (defaultTarget !== undefined) core().bytes.set(parseAddress(defaultTarget), block);
    const ports = scans && listening !== undefined ? block + ADDRESS_SIZE : 0;
    if (ports !== 0) writePorts(ports, listening);
    rows.reserve(used + (scans ? yield* counting(table, length, ports) : length));
    const target = defaultTarget === undefined ? 0 : block;
    let end = used;
    for (let from = 0; from < length; from += UNITS_PER_STEP) {
      const count = Math.min(UNITS_PER_STEP, length - from);
      const records = table.records + from * RECORD_SIZE;
      end += raw.writeRows(records, count, from, number, target, ports, rows.records + end * RECORD_SIZE);
      yield;
    }
    return { length: end, scans };
  } finally {
    raw.free(block);
  }
}

/** Whether one of the rules of a table scans. */
export function* scanning(table: TableMemory, length: number): Steps<boolean> {
  // Where nothing is in use, they are those that take no row.
  const rows = yield* counting(table, length, 0);
  return rows < length;
}

/** How many rows a table takes. */
function* counting(table: TableMemory, length: number, ports: Pointer): Steps<number> {
  const { raw } = core();
  let rows = 0;
  for (let from = 0; from < length; from += UNITS_PER_STEP) {
    rows += raw.countRows(table.records + from * RECORD_SIZE, Math.min(UNITS_PER_STEP, length - from), ports);
    yield;
  }
  return rows;
}

function writePorts(at: Pointer, listening: ListeningPorts | undefined): void {
  const bitmaps = new Uint8Array(2 * BITMAP_SIZE);
  const add = (ports: ReadonlySet<number>, start: number) => {
    for (const port of ports) {
      const byte = start + (port >> 3);
      bitmaps[byte] = (bitmaps[byte] ?? 0) | 1 << (port & 7);
    }
  };
  if (listening !== undefined) {
    add(listening.tcp, 0);
    add(listening.udp, BITMAP_SIZE);
  }
  core().bytes.set(bitmaps, at);
}
