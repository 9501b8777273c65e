/**
 * The oracle's endpoint diff: both tables spelled out endpoint by endpoint, in maps keyed by text.
 *
 * @module
 */

import { formatOracleAddress } from "./address.ts";
import type { RawRecord } from "./record.ts";
import { addressesMeet, isDualStack } from "./validate.ts";

/** What becomes of an endpoint that isn't simply kept. */
export type Fate = "moved" | "opened" | "retired" | "released" | "rebound";

/** What becomes of every endpoint of two valid tables. */
export interface Fates {
  /** Same endpoint, same route. */
  readonly kept: number;
  /** `FATE ENDPOINT OLDRULE>NEWRULE`, sorted; a rule that doesn't apply is empty. */
  readonly lines: readonly string[];
}

interface Place {
  readonly rule: number;
  readonly record: RawRecord;
  readonly port: number;
}

/** What the oracle says becomes of every endpoint. */
export function diffSlowly(before: readonly RawRecord[], after: readonly RawRecord[]): Fates {
  const old = endpointsOf(before);
  const next = endpointsOf(after);
  const lines: string[] = [];
  let kept = 0;

  const leaving = new Map<string, [string, Place][]>();
  for (const [key, place] of old) {
    if (next.has(key)) continue;
    const slot = slotOf(place);
    leaving.set(slot, [...leaving.get(slot) ?? [], [key, place]]);
  }

  const released = new Set<string>();
  for (const [key, place] of next) {
    const was = old.get(key);
    if (was !== undefined) {
      if (routeOf(was) === routeOf(place)) kept++;
      else lines.push(fateLine("moved", key, was.rule, place.rule));
      continue;
    }
    const inTheWay = (leaving.get(slotOf(place)) ?? []).filter(([, other]) => collide(place.record, other.record));
    for (const [otherKey] of inTheWay) released.add(otherKey);
    lines.push(fateLine(inTheWay.length > 0 ? "rebound" : "opened", key, undefined, place.rule));
  }
  for (const [key, place] of [...leaving.values()].flat()) {
    lines.push(fateLine(released.has(key) ? "released" : "retired", key, place.rule, undefined));
  }
  return { kept, lines: lines.sort() };
}

/** One endpoint's fate as text, as in {@linkcode Fates}. */
export function fateLine(fate: Fate, key: string, oldRule: number | undefined, newRule: number | undefined): string {
  return `${fate} ${key} ${oldRule ?? ""}>${newRule ?? ""}`;
}

/** An endpoint as text. */
export function endpointText(record: RawRecord, port: number): string {
  const address = isDualStack(record) ? "*" : `[${formatOracleAddress(record.address)}]`;
  return `${record.protocol} ${address}%${interfaceText(record)}:${port}`;
}

function endpointsOf(table: readonly RawRecord[]): Map<string, Place> {
  const endpoints = new Map<string, Place>();
  for (const [rule, record] of table.entries()) {
    for (let port = record.first; port <= record.last; port++) {
      endpoints.set(endpointText(record, port), { rule, record, port });
    }
  }
  return endpoints;
}

function slotOf({ record, port }: Place): string {
  return `${record.protocol}:${port}`;
}

function routeOf({ record }: Place): string {
  return `${record.target} ${record.targetPort - record.first}`;
}

/** Whether the kernel refuses one of two sockets of the same protocol and port. */
function collide(one: RawRecord, other: RawRecord): boolean {
  const [oneName, otherName] = [interfaceText(one), interfaceText(other)];
  return addressesMeet(one, other) && (oneName === otherName || oneName === "" || otherName === "");
}

function interfaceText(record: RawRecord): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(
    record.interfaceName.subarray(0, record.interfaceName.indexOf(0)),
  );
}
