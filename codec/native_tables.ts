/**
 * How tables follow their heads in both directions of the native dialect: PIF or TABLE, then exactly as many records as
 * announced.
 *
 * @module
 */

import { RECORD, RECORD_SIZE, RECORDS_PER_FRAME } from "./constants.ts";
import { demandRecords, NamedPifs, type Speaker } from "./demands.ts";
import { ProtocolError } from "./errors.ts";
import { type FrameName, newFrame } from "./native_frame.ts";
import type { RuleTable } from "./table.ts";

/** Whether a table goes out with the state of its sockets: from a server; what it said doesn't go back to it. */
export type StatusChoice = "with status" | "without status";

/** The RULES frames of a table. */
export function* encodeRules(table: RuleTable, status: StatusChoice): Iterable<Uint8Array> {
  for (let from = 0; from < table.length; from += RECORDS_PER_FRAME) {
    const records = table.records(from, Math.min(from + RECORDS_PER_FRAME, table.length));
    if (status === "without status") {
      for (let at: number = RECORD.STATUS; at < records.length; at += RECORD_SIZE) {
        records.fill(0, at, at - RECORD.STATUS + RECORD_SIZE);
      }
    }
    const { frame } = newFrame("RULES", records.length);
    frame.set(records, frame.length - records.length);
    yield frame;
  }
}

/**
 * Counts the records of one table after the other, and the pifs that have had theirs.
 *
 *     between ── begin() ──▶ counting ── the last record ──▶ between
 *
 * A table without records leads from `between` to `between`.
 */
export class TableCounter {
  readonly #sender: Speaker;
  /** The pif that the table is of. */
  #pif = 0;
  #announced = 0;
  #left = 0;
  /** Whether the frame before was of a table, so that one more RULES would be too many. */
  #follows = false;
  readonly #named = new NamedPifs();

  constructor(sender: Speaker) {
    this.#sender = sender;
  }

  /** Whether records are still missing. */
  get inside(): boolean {
    return this.#left > 0;
  }

  /** The pif of the table at hand. */
  get pif(): number {
    return this.#pif;
  }

  /** A new list of tables: every pif may be named again. */
  restart(): void {
    this.#named.clear();
    this.#follows = false;
  }

  /** A pif is named; throws a ProtocolError if it was already. */
  name(pif: number): void {
    this.#named.add(pif);
  }

  /** The named pif's table begins. */
  begin(pif: number, ruleCount: number): void {
    this.#pif = pif;
    this.#announced = this.#left = ruleCount;
    this.#follows = true;
  }

  /** Nothing of a table can follow any more. */
  end(): void {
    this.#follows = false;
  }

  /**
   * Whether a frame that begins is a part of this table.
   *
   * @param closers the frames that may follow a complete table
   * @throws {ProtocolError} if there are more or fewer records than announced, or another frame comes in between
   */
  covers(name: FrameName, payloadLength: number, closers: readonly FrameName[]): boolean {
    if (name === "RULES" && this.#follows) {
      const count = payloadLength / RECORD_SIZE;
      if (count > this.#left) throw this.#miscount(`${this.#announced - this.#left + count}`);
      return true;
    }
    if (!this.inside) return false;
    if (closers.includes(name)) throw this.#miscount(`only ${this.#announced - this.#left}`);
    throw unexpected(name, ["RULES"]);
  }

  /**
   * The records of a RULES frame, for the receiver to keep.
   *
   * @throws {ProtocolError} if one of them isn't in order
   */
  take(payload: Uint8Array, borrowed: boolean): Uint8Array {
    demandRecords(this.#sender, payload, this.#pif, this.#announced - this.#left);
    this.#left -= payload.length / RECORD_SIZE;
    return borrowed ? payload.slice() : payload;
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
