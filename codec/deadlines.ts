/**
 * The times that one conversation on a control socket may take, as abort signals.
 *
 * @module
 */

import { PestoError } from "./errors.ts";
import type { Code } from "./types.ts";

/**
 * Something took too long. `code` says what: `read-deadline` or `transaction-deadline`.
 *
 * @example A server that says nothing
 * ```ts
 * import { DeadlineError, look } from "../mod.ts";
 *
 * const path = `${await Deno.makeTempDir()}/socket`;
 * using _silent = Deno.listen({ transport: "unix", path });
 * try {
 *   await look(path, { timeoutSeconds: 0.1 });
 * } catch (error) {
 *   if (!(error instanceof DeadlineError)) throw error;
 *   console.log(error.code); // read-deadline
 * }
 * ```
 */
export class DeadlineError extends PestoError {
  /** Name of the class. */
  override readonly name = "DeadlineError";
  /** Why, for programs. */
  declare readonly code: Code;
  /** Takes the code and the sentence. */
  constructor(code: Code, message: string) {
    super(code, message);
  }
}

/** The deadlines of one conversation. Disposing of it stops their clocks. */
export class Deadlines implements Disposable {
  /** Aborted when the whole conversation has taken too long, or `stopping` is aborted. */
  readonly transaction: AbortSignal;
  readonly #stopping: AbortSignal;
  readonly #stepSeconds: number;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  /** All times in seconds; `stopping` ends everything at once, with its own reason. */
  constructor(transactionSeconds: number, stepSeconds: number, stopping: AbortSignal) {
    this.#stepSeconds = stepSeconds;
    this.#stopping = stopping;
    this.transaction = AbortSignal.any([
      stopping,
      this.#after(
        transactionSeconds,
        "transaction-deadline",
        `Can't go on with a transaction: it took more than ${transactionSeconds} s`,
      ),
    ]);
  }

  /** Runs one read or write, which may take no longer than a step may, nor longer than `limit`. */
  async step<T>(run: (signal: AbortSignal) => Promise<T>, limit: AbortSignal = this.transaction): Promise<T> {
    const controller = new AbortController();
    const timer = this.#arm(
      controller,
      this.#stepSeconds,
      "read-deadline",
      `Can't go on with a transaction: nothing moved for ${this.#stepSeconds} s`,
    );
    try {
      return await run(AbortSignal.any([controller.signal, limit]));
    } finally {
      clearTimeout(timer);
      this.#timers.delete(timer);
    }
  }

  /** Runs the last write of a conversation, which gets its time even when the conversation's own is up. */
  last<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.step(run, new AbortController().signal);
  }

  /** Aborted after so many seconds, however long the conversation may take, or when `stopping` is. */
  hold(seconds: number): AbortSignal {
    return AbortSignal.any([
      this.#stopping,
      this.#after(seconds, "transaction-deadline", `Can't keep the table: nobody confirmed it for ${seconds} s`),
    ]);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #after(seconds: number, code: Code, message: string): AbortSignal {
    const controller = new AbortController();
    this.#arm(controller, seconds, code, message);
    return controller.signal;
  }

  #arm(controller: AbortController, seconds: number, code: Code, message: string): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => controller.abort(new DeadlineError(code, message)), seconds * 1000);
    this.#timers.add(timer);
    return timer;
  }
}
