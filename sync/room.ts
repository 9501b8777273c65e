/**
 * How many clients a control socket talks with at a time.
 *
 * Theory of operation. A conversation costs two things that a program has little of: a descriptor, and the memory for what
 * is read. Whoever comes when there is no room isn't greeted, and nobody is accepted after it: the others wait in the
 * system's queue until somebody leaves. Since no client may be silent for long, somebody does.
 *
 *     vacant ── the last place is taken ──▶ full ── one more asks ──▶ full, and told so once ── one leaves ──▶ vacant
 *
 * @module
 */

import { Episode, Limit } from "./episode.ts";

/** A number of places, and those who have one. */
export class Room {
  readonly #limit: Limit;
  #taken = 0;
  /** Resolved when somebody leaves, while somebody waits for that. */
  #left: PromiseWithResolvers<void> | undefined;

  /** Room for `places`; when one more is wanted, `log` is told `full`, once each time. */
  constructor(places: number, log: (message: string) => void, full: string) {
    this.#limit = new Limit(places, new Episode(log, full));
  }

  /** Resolves when there is a place. It is given up by disposing of it. For one caller at a time. */
  async enter(): Promise<Disposable> {
    while (!this.#limit.admits(this.#taken)) {
      this.#left = Promise.withResolvers();
      await this.#left.promise;
    }
    this.#taken++;
    return {
      [Symbol.dispose]: () => {
        this.#limit.left(--this.#taken);
        this.#left?.resolve();
      },
    };
  }
}
