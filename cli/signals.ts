/**
 * Signals that end a command in good order.
 *
 * @module
 */

import type { ExitStatus } from "./exit_status.ts";

/** Which signals are taken, and what else they do. */
export interface SignalOptions {
  /** The first of these is reported; a second one, of whoever has no more patience, ends the program at once. */
  readonly ending: readonly Deno.Signal[];
  /** These do nothing. */
  readonly ignored?: readonly Deno.Signal[];
  /** The program's exit status after the second signal. */
  readonly impatient: ExitStatus;
}

/** Takes signals until it is disposed of. */
export class Signals implements Disposable {
  /** Resolves to the first one that is to end the command. */
  readonly first: Promise<Deno.Signal>;
  readonly #handlers: (readonly [Deno.Signal, () => void])[];

  /** Takes the signals from now on. */
  constructor({ ending, ignored = [], impatient }: SignalOptions) {
    const { promise, resolve } = Promise.withResolvers<Deno.Signal>();
    this.first = promise;
    let seen = false;
    const end = (signal: Deno.Signal) => () => {
      if (seen) Deno.exit(impatient);
      seen = true;
      resolve(signal);
    };
    this.#handlers = [
      ...ending.map((signal) => [signal, end(signal)] as const),
      ...ignored.map((signal) => [signal, () => {}] as const),
    ];
    for (const [signal, handler] of this.#handlers) Deno.addSignalListener(signal, handler);
  }

  /** Leaves the signals to the system again. */
  [Symbol.dispose](): void {
    for (const [signal, handler] of this.#handlers) Deno.removeSignalListener(signal, handler);
  }
}
