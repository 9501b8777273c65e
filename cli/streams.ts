/**
 * The program's standard output and standard error.
 *
 * Theory of operation. Printing either reaches its reader or throws, because a listing that is lost is a command that
 * failed. There is one exception: a reader that has gone (`pesto PATH | head -1`) has seen what it wanted, and the rest
 * is dropped. Complaining never throws: nobody is left to hear of it, and a server must outlive its terminal.
 *
 * A line that is rewritten stands without its end, so that the next one takes its place; whatever else is written to either
 * stream ends it first.
 *
 * @module
 */

import { printable } from "../codec/printable.ts";
import { errorText, systemErrorOf } from "../sync/errno.ts";
import { type Output, OutputError } from "./output.ts";

/** What a stream must be able to do; `Deno.stdout` and `Deno.stderr` can. */
export interface TextStream {
  /** How many bytes were taken, which may be fewer than given. */
  writeSync(bytes: Uint8Array): number;
  /** Whether a person sees at once what is written; not if absent. */
  isTerminal?(): boolean;
}

/** An output that writes to streams. */
export function streamOutput(stdout: TextStream, stderr: TextStream): Output {
  let gone = false;
  /** How long the line is that waits to be rewritten; 0 if there is none. */
  let shown = 0;
  const complain = (text: string) => {
    try {
      write(stderr, text);
    } catch {
      // Nobody is left to hear of it.
    }
  };
  const endLine = () => {
    if (shown > 0) complain("\n");
    shown = 0;
  };
  return {
    print(text) {
      if (gone) return;
      endLine();
      try {
        write(stdout, text);
      } catch (cause) {
        if (cause instanceof Deno.errors.BrokenPipe) gone = true;
        else throw new OutputError(`Can't write the output: ${errorText(systemErrorOf(cause))}`, { cause });
      }
    },
    complain(text) {
      // What a server says may be in it, and must not move the cursor.
      const lines = text.split("\n").map(printable);
      endLine();
      complain(`${lines.join("\n")}\n`);
    },
    ...(stderr.isTerminal?.() && {
      rewrite(line: string) {
        const text = printable(line);
        // Blanks cover what a longer line has left.
        complain(`\r${text.padEnd(shown)}`);
        shown = text.length;
      },
    }),
  };
}

const encoder = new TextEncoder();

function write(stream: TextStream, text: string): void {
  const bytes = encoder.encode(text);
  for (let sent = 0; sent < bytes.length;) sent += stream.writeSync(bytes.subarray(sent));
}
