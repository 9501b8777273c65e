/**
 * The effective table: what the pifs that listen in one place want from the kernel, taken together.
 *
 * Pifs that share a backend share its ports, so their rules are compared as one table: a rule that wanders from one pif
 * to another keeps its socket. In it every rule has its target filled in; that is what a route is made from, and what
 * makes "same endpoint, other route" visible to the diff.
 *
 * @module
 */

import { parseAddress } from "../codec/address.ts";
import { IP_PROTOCOL, RECORD, RECORD_SIZE, RULE_FLAG } from "../codec/constants.ts";
import { RuleTable } from "../codec/table.ts";
import type { Protocol, Rule } from "../codec/types.ts";
import type { Endpoint, Route } from "./backend.ts";

/** Ports that something in a target listens on, by protocol. */
export type ListeningPorts = Readonly<Record<Protocol, ReadonlySet<number>>>;

/** One pif's rules, and what they are completed with. */
export interface PifRules {
  /** Id of the pif. */
  readonly pif: number;
  readonly table: RuleTable;
  /** Where rules without a target of their own go. */
  readonly defaultTarget?: string;
  /** Finds out what scan rules listen for; called only if there is one. Without it they listen on nothing. */
  readonly listening?: () => ListeningPorts;
}

/** A rule's place in the tables that an effective table was made from. */
export interface RulePlace {
  /** Id of the pif. */
  readonly pif: number;
  /** Index in that pif's table. */
  readonly rule: number;
}

/**
 * The rules of several pifs in a row, with their targets filled in, and a scan rule replaced by one rule for each row of
 * ports that are in use in the target. Owns its memory: dispose of it.
 */
export class EffectiveTable implements Disposable {
  readonly table: RuleTable;
  /** Scan rules, none of whose ports is in use in the target. */
  readonly waiting: readonly RulePlace[];
  /** Whether it has to be made anew when ports in a target come into use or go out of it. */
  readonly scans: boolean;
  readonly #parts: readonly Part[];
  /** Decoded rules and routes by index; a rule's endpoints share one route object. */
  readonly #rules = new Map<number, Rule>();
  readonly #routes = new Map<number, Route>();

  constructor(parts: readonly PifRules[]) {
    this.table = RuleTable.of([]);
    const waiting: RulePlace[] = [];
    this.#parts = parts.map(({ pif, table, defaultTarget, listening }): Part => {
      const { records, ...expansion } = expandScans(table.records(), listening);
      if (defaultTarget !== undefined) fillTargets(records, parseAddress(defaultTarget));
      this.table.append(records);
      const length = records.length / RECORD_SIZE;
      if (expansion.kind === "plain") return { pif, length };
      waiting.push(...expansion.waiting.map((rule) => ({ pif, rule })));
      return { pif, length, origins: expansion.origins };
    });
    this.waiting = waiting;
    this.scans = this.#parts.some(({ origins }) => origins !== undefined);
  }

  /** Where the rule at `index` came from. */
  place(index: number): RulePlace {
    let rule = index;
    for (const { pif, length, origins } of this.#parts) {
      if (rule < length) return { pif, rule: origins?.[rule] ?? rule };
      rule -= length;
    }
    throw new RangeError(`Can't place rule ${index}: there are ${this.table.length}`);
  }

  /** The rule at `index`. */
  rule(index: number): Rule {
    return cached(this.#rules, index, () => this.table.rule(index));
  }

  /** Where the flows of the rule at `index` go. */
  route(index: number): Route {
    return cached(this.#routes, index, () => {
      const { target, targetPort, firstPort } = this.rule(index);
      if (target === undefined) throw new RangeError(`Can't route rule ${index}: it has no target`);
      return { address: target, shift: targetPort - firstPort };
    });
  }

  /** The endpoint of the rule at `index` for one of its ports. */
  endpoint(index: number, port: number): Endpoint {
    const { protocol, address, interface: name } = this.rule(index);
    return name === undefined ? { protocol, address, port } : { protocol, address, interface: name, port };
  }

  /** Index of the rule that wants this endpoint, or -1. */
  match({ protocol, address, interface: name, port }: Endpoint): number {
    return this.table.match(protocol, address, name, port);
  }

  [Symbol.dispose](): void {
    this.table[Symbol.dispose]();
  }
}

function cached<V>(cache: Map<number, V>, index: number, make: () => V): V {
  const known = cache.get(index);
  if (known !== undefined) return known;
  const value = make();
  cache.set(index, value);
  return value;
}

/** The rows of one pif in an effective table. */
interface Part {
  readonly pif: number;
  readonly length: number;
  /** Index of the pif's own rule for each row, where they differ. */
  readonly origins?: Uint32Array;
}

type Expansion =
  /** No scan rule: the records stay as they are. */
  | { readonly kind: "plain"; readonly records: Uint8Array }
  | {
    readonly kind: "expanded";
    readonly records: Uint8Array;
    /** Index of the pif's own rule for each row. */
    readonly origins: Uint32Array;
    /** Indices of the scan rules without a row. */
    readonly waiting: readonly number[];
  };

/** Replaces scan rules by what they amount to now. */
function expandScans(records: Uint8Array, listening: (() => ListeningPorts) | undefined): Expansion {
  if (!hasScan(records)) return { kind: "plain", records };
  const ports = listening?.();
  const expanded: Uint8Array[] = [];
  const origins: number[] = [];
  const waiting: number[] = [];
  for (let at = 0; at < records.length; at += RECORD_SIZE) {
    const record = records.subarray(at, at + RECORD_SIZE);
    const rows = isScan(record) ? scanned(record, ports) : [record];
    if (rows.length === 0) waiting.push(at / RECORD_SIZE);
    for (const row of rows) {
      expanded.push(row);
      origins.push(at / RECORD_SIZE);
    }
  }
  const all = new Uint8Array(expanded.length * RECORD_SIZE);
  expanded.forEach((row, index) => all.set(row, index * RECORD_SIZE));
  return { kind: "expanded", records: all, origins: Uint32Array.from(origins), waiting };
}

function hasScan(records: Uint8Array): boolean {
  for (let at = 0; at < records.length; at += RECORD_SIZE) {
    if (isScan(records.subarray(at, at + RECORD_SIZE))) return true;
  }
  return false;
}

function isScan(record: Uint8Array): boolean {
  return ((record[RECORD.FLAGS] ?? 0) & RULE_FLAG.SCAN) !== 0;
}

/** One rule for each row of ports whose targets are in use. */
function scanned(record: Uint8Array, listening: ListeningPorts | undefined): Uint8Array[] {
  if (listening === undefined) return [];
  const fields = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const first = fields.getUint16(RECORD.FIRST);
  const last = fields.getUint16(RECORD.LAST);
  const shift = fields.getUint16(RECORD.TARGET_PORT) - first;
  const used = listening[fields.getUint8(RECORD.PROTOCOL) === IP_PROTOCOL.UDP ? "udp" : "tcp"];
  const rows: Uint8Array[] = [];
  for (let port = first; port <= last; port++) {
    if (!used.has(port + shift)) continue;
    const start = port;
    while (port < last && used.has(port + 1 + shift)) port++;
    const row = record.slice();
    const view = new DataView(row.buffer);
    view.setUint16(RECORD.FIRST, start);
    view.setUint16(RECORD.LAST, port);
    view.setUint16(RECORD.TARGET_PORT, start + shift);
    rows.push(row);
  }
  return rows;
}

function fillTargets(records: Uint8Array, target: Uint8Array): void {
  for (let at = RECORD.TARGET; at < records.length; at += RECORD_SIZE) {
    const field = records.subarray(at, at + target.length);
    if (field.every((byte) => byte === 0)) field.set(target);
  }
}
