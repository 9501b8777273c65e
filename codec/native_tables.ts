/**
 * How tables follow their heads in both directions of the native dialect: PIF or TABLE, then exactly as many records as
 * announced, and after PIF as many runs of ports without a socket.
 *
 * @module
 */

import { PORTS, RECORD, RECORD_SIZE, RECORDS_PER_FRAME } from "./constants.ts";
import { demandRecords, NamedPifs, type Speaker } from "./demands.ts";
import { ProtocolError } from "./errors.ts";
import { type FrameName, newFrame } from "./native_frame.ts";
import type { RuleTable } from "./table.ts";

/** Whether a table goes out with the state of its sockets: from a server; what it said doesn't go back to it. */
export type StatusChoice = "with status" | "without status";

/** The RULES frames of a table. */
export function* encodeRules(table: RuleTable, status: StatusChoice): Iterable<Uint8Array> {
  for (let from = 0; from < table.length; from += RECORDS_PER_FRAME) {
    const to = Math.min(from + RECORDS_PER_FRAME, table.length);
    const { frame, payload } = newFrame("RULES", (to - from) * RECORD_SIZE);
    table.copyRecords(from, to, frame.subarray(payload.byteOffset));
    if (status === "without status") {
      for (let at: number = RECORD.STATUS; at < payload.byteLength; at += RECORD_SIZE) payload.setBigUint64(at, 0n);
    }
    yield frame;
  }
}

/**
 * Counts the records of one table after the other, and the pifs that have had theirs.
 *
 *     between ── begin() ──▶ records ── the last one ──▶ runs ── the last one ──▶ between
 *
 * Where none are announced, the state is skipped; in an update and in a report runs aren't counted at all.
 */
export class TableCounter {
  readonly #sender: Speaker;
  /** The pif that the table is of. */
  #pif = 0;
  #announced = 0;
  #left = 0;
  /** How many runs of the pif's failed ports were announced and are missing; `undefined` where they aren't counted. */
  #runs: { readonly announced: number; left: number } | undefined;
  /** Whether the frame before was of a table, so that one more RULES would be too many. */
  #follows = false;
  readonly #named = new NamedPifs();

  constructor(sender: Speaker) {
    this.#sender = sender;
  }

  /** Whether records or runs are still missing. */
  get inside(): boolean {
    return this.lacksRecords || (this.#runs?.left ?? 0) > 0;
  }

  /** Whether records are still missing. */
  get lacksRecords(): boolean {
    return this.#left > 0;
  }

  /** The pif of the table at hand. */
  get pif(): number {
    return this.#pif;
  }

  /** How many records the table at hand has. */
  get ruleCount(): number {
    return this.#announced;
  }

  /** A new list of tables: every pif may be named again. */
  restart(): void {
    this.#named.clear();
    this.end();
  }

  /** A pif is named; throws a ProtocolError if it was already. */
  name(pif: number): void {
    this.#named.add(pif);
  }

  /**
   * The named pif's table begins.
   *
   * @param runCount how many runs of failed ports follow, if they are counted
   */
  begin(pif: number, ruleCount: number, runCount?: number): void {
    this.#pif = pif;
    this.#announced = this.#left = ruleCount;
    this.#runs = runCount === undefined ? undefined : { announced: runCount, left: runCount };
    this.#follows = true;
  }

  /** Nothing of a table can follow any more. */
  end(): void {
    this.#follows = false;
    this.#runs = undefined;
  }

  /**
   * Whether a frame that begins is a part of this table.
   *
   * @param closers the frames that may follow a complete table
   * @throws {ProtocolError} if there are more or fewer records or runs than announced, or another frame comes in between
   */
  covers(name: FrameName, payloadLength: number, closers: readonly FrameName[]): boolean {
    if (name === "RULES" && this.#follows) {
      const count = payloadLength / RECORD_SIZE;
      if (count > this.#left) throw this.#miscount(`${this.#announced - this.#left + count}`);
      return true;
    }
    if (this.lacksRecords) {
      if (closers.includes(name)) throw this.#miscount(`only ${this.#announced - this.#left}`);
      throw unexpected(name, ["RULES"]);
    }
    if (this.#runs === undefined) return false;
    const { announced, left } = this.#runs;
    if (name === "PORTS") {
      const count = (payloadLength - PORTS.RUNS) / PORTS.RUN_SIZE;
      if (count > left) throw this.#runMiscount(announced, `${announced - left + count}`);
      return true;
    }
    if (left === 0) return false;
    if (closers.includes(name)) throw this.#runMiscount(announced, `only ${announced - left}`);
    throw unexpected(name, ["PORTS"]);
  }

  /**
   * A copy of the records of a RULES frame, for the receiver to keep.
   *
   * @throws {ProtocolError} if one of them isn't in order
   */
  take(payload: Uint8Array): Uint8Array {
    demandRecords(this.#sender, payload, this.#pif, this.#announced - this.#left);
    this.#left -= payload.length / RECORD_SIZE;
    return payload.slice();
  }

  /** Runs of the table's failed ports have come; no record can follow them. */
  takeRuns(count: number): void {
    this.#follows = false;
    if (this.#runs !== undefined) this.#runs.left -= count;
  }

  #runMiscount(announced: number, sent: string): ProtocolError {
    return new ProtocolError(
      "run-count",
      `Can't take the failed ports of pif ${this.#pif}: there are ${sent} runs, ${announced} were announced`,
    );
  }

  #miscount(sent: string): ProtocolError {
    return new ProtocolError(
      "rule-count",
      `Can't take the table of pif ${this.#pif}: it has ${sent} rules, it was announced with ${this.#announced}`,
    );
  }
}

/** The error for a frame that stands where only others may. */
export function unexpected(name: FrameName, allowed: readonly FrameName[]): ProtocolError {
  const must = allowed.length === 0 ? "the conversation is over" : `${allowed.join(" or ")} must come here`;
  return new ProtocolError("unexpected-frame", `Can't take ${name}: ${must}`);
}
