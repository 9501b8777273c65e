/**
 * The table that is applied and waits for word whether to keep it: from its own client, or from anybody else who may
 * speak to the server.
 *
 *     nothing held ── hold() ─▶ held ── settle(), or its own client ─▶ settling ── done() ─▶ nothing held
 *
 * There is at most one, since whoever holds a table has the turn.
 *
 * @module
 */

import type { Report } from "../codec/dialect.ts";
import { PestoError } from "../codec/errors.ts";

/** What to do with a held table. */
export type Decision = "commit" | "rollback";

/** The side of the conversation that has applied the table. Disposing of it ends the holding. */
export interface Holding extends Disposable {
  /** Resolves when somebody else decides. */
  readonly elsewhere: Promise<Decision>;
  /** The own client has decided, or time has: others come too late. */
  close(): void;
  /** Tells whoever decided what came of it; the report's tables are shared, and stay the caller's. */
  done(report: Report): void;
}

/** Brings together those who hold a table and those who decide about it. */
export class Held {
  #decide: ((decision: Decision) => Promise<Report>) | undefined;

  /** A table is applied, and waits. */
  hold(): Holding {
    const decided = Promise.withResolvers<Decision>();
    const outcome = Promise.withResolvers<Report>();
    outcome.promise.catch(() => {});
    const close = () => this.#decide = undefined;
    let asked = false;
    this.#decide = (decision) => {
      close();
      asked = true;
      decided.resolve(decision);
      return outcome.promise;
    };
    return {
      elsewhere: decided.promise,
      close,
      done: ({ tables, ...report }) => {
        if (!asked) return;
        outcome.resolve({ ...report, tables: tables.map(({ pif, table }) => ({ pif, table: table.share() })) });
      },
      [Symbol.dispose]: () => {
        close();
        outcome.reject(new PestoError("internal", "Can't tell what became of the table: its conversation broke off"));
      },
    };
  }

  /**
   * Decides about the held table. Resolves to what came of it; its tables are the caller's to dispose of.
   *
   * @throws {PestoError} with the code `nothing-held` if there is none
   */
  settle(decision: Decision): Promise<Report> {
    if (this.#decide === undefined) {
      throw new PestoError("nothing-held", `Can't ${decision}: no applied table waits for it`);
    }
    return this.#decide(decision);
  }
}
