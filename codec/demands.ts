/**
 * What every dialect insists on while it decodes, with one sentence for each.
 *
 * @module
 */

import { CODE, MAX_PAYLOAD, RECORD_SIZE } from "./constants.ts";
import { core } from "./core.ts";
import { ProtocolError } from "./errors.ts";
import { CODES } from "./names.ts";

/** The side whose bytes are decoded. */
export type Speaker = "client" | "server";

/** The error for bytes that don't begin as they must. */
export function badMagic(speaker: Speaker, magic: Uint8Array): ProtocolError {
  const text = new TextDecoder().decode(magic.subarray(0, -1));
  return new ProtocolError("bad-magic", `Can't talk to this ${speaker}: it must begin with "${text}" and a zero byte`);
}

/** The error for a hang-up where there may be none. */
export function hungUp(speaker: Speaker, where: string): ProtocolError {
  return new ProtocolError("truncated", `Can't go on: the ${speaker} hung up in the middle of ${where}`);
}

/** The pifs that one listing, update or report has named. */
export class NamedPifs {
  readonly #named = new Set<number>();

  /** How many there are. */
  get size(): number {
    return this.#named.size;
  }

  /** @throws {ProtocolError} if the pif was named already */
  add(pif: number): void {
    if (this.#named.has(pif)) {
      throw new ProtocolError("duplicate-pif", `Can't take the table of pif ${pif}: it was sent already`);
    }
    this.#named.add(pif);
  }

  /** A new list: every pif may be named again. */
  clear(): void {
    this.#named.clear();
  }
}

/** @throws {ProtocolError} if a pif's table is announced with too many rules */
export function demandRuleCount(pif: number, ruleCount: number, maxRules: number): void {
  if (ruleCount <= maxRules) return;
  throw new ProtocolError(
    "too-many-rules",
    `Can't take the table of pif ${pif}: it has ${ruleCount} rules, it may have ${maxRules}`,
  );
}

/**
 * @param records at most as many as a frame may hold
 * @param first index of the first of them in its table
 * @throws {ProtocolError} if one of them isn't in order
 */
export function demandRecords(speaker: Speaker, records: Uint8Array, pif: number, first: number): void {
  const { raw, scratch, bytes } = core();
  bytes.set(records, scratch);
  const answer = scratch + MAX_PAYLOAD;
  const code = raw.checkRecords(scratch, records.length / RECORD_SIZE, speaker === "server", answer);
  if (code === CODE.none) return;
  const rule = first + core().view.getUint32(answer, true);
  throw new ProtocolError(
    CODES.name(code) ?? "internal",
    `Can't take rule ${rule} of pif ${pif}: ${faultOf(code, speaker)}`,
  );
}

function faultOf(code: number, speaker: Speaker): string {
  if (code !== CODE["reserved-bytes"]) return "a field of its record has a value that it can't have";
  return `the last ${speaker === "client" ? 8 : 4} bytes of its record must be zero`;
}
