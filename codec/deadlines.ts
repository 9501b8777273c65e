/**
 * The times that one conversation on a control socket may take, as abort signals.
 *
 * Theory of operation. A conversation has a handful of steps, nearly all of them over at once, so a step has neither a timer
 * nor a signal of its own: a timer and `AbortSignal.any` for each took a tenth of what a small transaction costs. One
 * signal serves one step after the other, and one clock runs for it, which finds out what is due only when it rings:
 *
 *     stopped ── a step begins ──▶ running ── rings while no step is under way ──▶ stopped
 *                                  │  ▲ └──── rings when one is due ──▶ signal aborted, stopped
 *                                  └──┘ rings before that: set for the rest
 *
 * Steps may overlap. All of them are due when the one that began last is, for until then something has moved.
 *
 * Invariants: whatever began a step that is under way, the clock is running, and rings no later than the step is due. An
 * aborted signal is replaced before the next step.
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
  #step: StepSignals | undefined;
  #stepsUnderWay = 0;
  /** When the steps under way have taken too long, as of `performance.now()`. */
  #stepsDue = 0;
  #clock: ReturnType<typeof setTimeout> | undefined;
  #disposed = false;

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

  /** Runs one read or write, which may take no longer than a step may, nor longer than the whole conversation. */
  step<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#run((signals) => run(signals.within ??= AbortSignal.any([signals.own.signal, this.transaction])));
  }

  /** Runs the last write of a conversation, which gets its time even when the conversation's own is up. */
  last<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#run(({ own }) => run(own.signal));
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
    this.#disposed = true;
    this.#stopClock();
  }

  async #run<T>(run: (signals: StepSignals) => Promise<T>): Promise<T> {
    const limit = this.#stepSeconds * 1000;
    this.#stepsUnderWay++;
    this.#stepsDue = performance.now() + limit;
    this.#clock ??= setTimeout(() => this.#ring(), limit);
    try {
      return await run(this.#step ??= { own: new AbortController() });
    } finally {
      // A step may begin when all is over, and end at once: no clock may outlive it.
      if (--this.#stepsUnderWay === 0 && this.#disposed) this.#stopClock();
    }
  }

  #stopClock(): void {
    clearTimeout(this.#clock);
    this.#clock = undefined;
  }

  #ring(): void {
    this.#clock = undefined;
    if (this.#stepsUnderWay === 0) return;
    const rest = this.#stepsDue - performance.now();
    if (rest > 0) {
      this.#clock = setTimeout(() => this.#ring(), rest);
      return;
    }
    const late = this.#step;
    this.#step = undefined;
    const message = `Can't go on with a transaction: nothing moved for ${this.#stepSeconds} s`;
    late?.own.abort(new DeadlineError("read-deadline", message));
  }

  #after(seconds: number, code: Code, message: string): AbortSignal {
    const controller = new AbortController();
    this.#timers.add(setTimeout(() => controller.abort(new DeadlineError(code, message)), seconds * 1000));
    return controller.signal;
  }
}

/** What steps are given, until it is aborted. */
interface StepSignals {
  readonly own: AbortController;
  /** Aborted when `own` is, and when the conversation's time is up; made when it is first needed. */
  within?: AbortSignal;
}
