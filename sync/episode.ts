/**
 * Saying something once for as long as it lasts, as that a limit is reached.
 *
 * @module
 */

/**
 * Milliseconds between attempts while what is failing lasts, as accepting without file descriptors does. Not measured: short
 * for a person, long for a processor.
 */
export const BACK_OFF = 100;

/** A state of affairs that is worth one message each time it begins. */
export class Episode {
  readonly #log: (message: string) => void;
  readonly #message: string;
  #lasting = false;

  constructor(log: (message: string) => void, message: string) {
    this.#log = log;
    this.#message = message;
  }

  /** It is so. Says the message, with the reason after a colon, unless it was so already. */
  begin(reason?: string): void {
    if (this.#lasting) return;
    this.#lasting = true;
    this.#log(reason === undefined ? this.#message : `${this.#message}: ${reason}`);
  }

  /** It is no longer so. */
  end(): void {
    this.#lasting = false;
  }
}

/** A bound on how many of something there may be. */
export class Limit {
  readonly #max: number;
  readonly #reached: Episode;

  /** At most `max`; `reached` is told when there are that many and one more is wanted. */
  constructor(max: number, reached: Episode) {
    this.#max = max;
    this.#reached = reached;
  }

  /** Whether there may be one more than `count`. */
  admits(count: number): boolean {
    if (count < this.#max) return true;
    this.#reached.begin();
    return false;
  }

  /**
   * There are only `count` left. Being at the limit is over at half of it, not at the first free place: where many come
   * and go it would begin and end with each of them.
   */
  left(count: number): void {
    if (count < this.#max / 2) this.#reached.end();
  }
}
