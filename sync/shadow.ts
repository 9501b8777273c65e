/**
 * The tables of one update while they are received and validated, and the memory that all of them may take.
 *
 * @module
 */

import { PestoError } from "../codec/errors.ts";
import { RuleTable } from "../codec/table.ts";
import type { Tables } from "./forwarder.ts";

/** Memory for tables that are being received, shared by all clients. */
export class ShadowBudget {
  readonly #limit: number;
  #bytes = 0;

  /** All clients together may take `limit` bytes; a single one always gets what it needs. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Takes memory for one who has `own` bytes already.
   *
   * @throws {PestoError} with the code `busy` if there is no room now
   */
  take(bytes: number, own: number): void {
    const others = this.#bytes - own;
    if (others > 0 && this.#bytes + bytes > this.#limit) {
      throw new PestoError(
        "busy",
        `Can't receive a table: the tables of other clients take ${others} of ${this.#limit} bytes`,
      );
    }
    this.#bytes += bytes;
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** The tables of one update, until they are handed over. Disposing of it frees those that weren't. */
export class Shadow implements Disposable {
  readonly #budget: ShadowBudget;
  #tables = new Map<number, RuleTable>();
  #bytes = 0;

  /** Takes its memory from `budget`. */
  constructor(budget: ShadowBudget) {
    this.#budget = budget;
  }

  /** By pif id; still the shadow's. */
  get tables(): Tables {
    return this.#tables;
  }

  /** Begins the table of a pif. */
  begin(pif: number): void {
    this.replace(pif, RuleTable.of([]));
  }

  /**
   * Adds records to the table of a pif that was begun.
   *
   * @throws {PestoError} with the code `busy` if there is no memory for it now
   */
  append(pif: number, records: Uint8Array): void {
    this.#budget.take(records.length, this.#bytes);
    this.#bytes += records.length;
    this.#tables.get(pif)?.append(records);
  }

  /** Puts another table in the place of a pif's. */
  replace(pif: number, table: RuleTable): void {
    this.#tables.get(pif)?.[Symbol.dispose]();
    this.#tables.set(pif, table);
  }

  /** Forgets the table of a pif, which then keeps its rules. */
  drop(pif: number): void {
    this.#tables.get(pif)?.[Symbol.dispose]();
    this.#tables.delete(pif);
  }

  /** Gives the tables away: whoever takes them disposes of them. */
  hand(): Tables {
    const tables = this.#tables;
    this.#tables = new Map();
    return tables;
  }

  [Symbol.dispose](): void {
    this.#budget.give(this.#bytes);
    for (const table of this.hand().values()) table[Symbol.dispose]();
  }
}
