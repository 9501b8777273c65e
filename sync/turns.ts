/**
 * Who may change sockets now.
 *
 * Theory of operation. One change at a time has the turn. Syncing sockets is short, so others wait for it; but once a
 * table is applied and its client is asked whether to keep it, the turn may last as long as people think, and others
 * are told that it is taken.
 *
 *     free ── take() ─▶ taken ── waitForClient() ─▶ waiting for a client
 *      ▲                  │                              │
 *      └── dispose ───────┴──────────────────────────────┘
 *
 * @module
 */

import { PestoError } from "../codec/errors.ts";

/** The right to change sockets, until it is disposed of. */
export interface Turn extends Disposable {
  /** From now on the client decides how long this takes: others no longer wait. */
  waitForClient(): void;
}

/** Gives out turns, one at a time. */
export class Turns {
  /** Resolved when the present turn ends or begins to wait for its client. */
  #news: PromiseWithResolvers<void> | undefined;
  #waitingForClient = false;

  /** Whether somebody has the turn. */
  get taken(): boolean {
    return this.#news !== undefined;
  }

  /**
   * Resolves when the turn is the caller's.
   *
   * @throws {PestoError} (as a rejection) with the code `busy` when somebody's applied table waits for its client
   */
  async take(): Promise<Turn> {
    while (this.#news !== undefined) {
      if (this.#waitingForClient) {
        throw new PestoError("busy", "Can't update the table: another one is applied and not yet committed");
      }
      await this.#news.promise;
    }
    const news = Promise.withResolvers<void>();
    this.#news = news;
    return {
      waitForClient: () => {
        this.#waitingForClient = true;
        news.resolve();
      },
      [Symbol.dispose]: () => {
        this.#waitingForClient = false;
        this.#news = undefined;
        news.resolve();
      },
    };
  }
}
