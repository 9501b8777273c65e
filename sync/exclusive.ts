/**
 * One conversation at a time, for those who want it so.
 *
 * @module
 */

/** Lets one after the other in, in the order in which they ask. */
export class Exclusive {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when everybody who asked before has left. The place is given up by disposing of it. */
  async enter(): Promise<Disposable> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    return { [Symbol.dispose]: resolve };
  }
}
