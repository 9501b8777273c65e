/**
 * The person in front of a command that waits for an answer.
 *
 * Theory of operation. Only a terminal is asked: the end of a file, or bytes of a pipe, are nobody's consent. Enter alone
 * is one; ^D isn't, and leaves the question open. A terminal that has gone away gives the end of its input, too, but is a
 * terminal no more: that, and a signal, are a no. Once somebody has answered nothing more is read, but a read that is
 * under way can't be called back, and keeps Deno's event loop alive: the program has to end by `Deno.exit`.
 *
 *     asked ── Enter ──────────────────▶ keep
 *       └───── signal, terminal gone ──▶ undo
 *
 * @module
 */

import { EXIT } from "./exit_status.ts";
import { Signals } from "./signals.ts";

/** What a person wants done with a table. */
export type Decision = "keep" | "undo";

/** A person who can be asked. Disposing of it stops listening to signals. */
export interface Operator extends Disposable {
  /** Whether Enter can be pressed at all. Without a terminal only signals are an answer. */
  readonly atTerminal: boolean;
  /** Resolves when there is an answer. To be called once. */
  decision(): Promise<Decision>;
}

/** Standard input; `Deno.stdin` is one. */
export interface InputStream {
  /** Whether it is a terminal that is still there. */
  isTerminal(): boolean;
  /** Bytes of one line, or `null` at the end. */
  read(bytes: Uint8Array): Promise<number | null>;
}

/** The person at this program's terminal. Signals count from now on. */
export function operatorAt(input: InputStream): Operator {
  // Who breaks off while the old table comes back can't know how that ended; the server goes on with it.
  const signals = new Signals({ ending: ["SIGINT", "SIGTERM", "SIGHUP"], impatient: EXIT.TRY_AGAIN });
  const atTerminal = input.isTerminal();
  return {
    atTerminal,
    decision: () => {
      const signalled = signals.first.then((): Decision => "undo");
      return atTerminal ? Promise.race([signalled, lineDecision(input)]) : signalled;
    },
    [Symbol.dispose]: () => signals[Symbol.dispose](),
  };
}

/** What is decided at a terminal, line by line. */
async function lineDecision(input: InputStream): Promise<Decision> {
  const bytes = new Uint8Array(4096);
  // Of a line, only that nothing stands before its end matters, wherever the reads cut it.
  let atStart = true;
  for (;;) {
    const size = await readSome(input, bytes);
    if (size === null) {
      if (!input.isTerminal()) return "undo";
      continue;
    }
    for (const byte of bytes.subarray(0, size)) {
      const isEnd = byte === 0x0a || byte === 0x0d;
      if (isEnd && atStart) return "keep";
      atStart = isEnd;
    }
  }
}

/** Reads what there is; a terminal that can't be read is at its end. */
async function readSome(input: InputStream, bytes: Uint8Array): Promise<number | null> {
  try {
    return await input.read(bytes);
  } catch {
    return null;
  }
}
