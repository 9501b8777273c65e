/**
 * The command's front door: arguments in, exit status out.
 *
 * @module
 */

import { UsageError } from "./cli/arguments.ts";
import { EXIT, type ExitStatus, exitStatusOf } from "./cli/exit_status.ts";
import type { Output } from "./cli/output.ts";
import { updateCommand } from "./cli/update.ts";
import { UpdateError } from "./client.ts";
import { DeadlineError } from "./codec/deadlines.ts";
import { PestoError } from "./codec/errors.ts";

/** Runs one command. Every error ends up as a sentence on standard error and an exit status. */
export async function main(args: readonly string[], output: Output): Promise<ExitStatus> {
  try {
    const [command, ...rest] = args;
    if (command === "serve") {
      // Serving is the larger half of the program: whoever only lists rules shouldn't wait for it.
      const { serveCommand } = await import("./cli/serve.ts");
      return await serveCommand(rest, output);
    }
    return await updateCommand(args, output);
  } catch (error) {
    output.complain(messageOf(error));
    if (error instanceof UsageError) output.complain('Try "pesto --help"');
    if (error instanceof UpdateError) return exitStatusOf(error.result.outcome);
    if (error instanceof DeadlineError) return EXIT.TRY_AGAIN;
    return EXIT.REFUSED;
  }
}

/** The sentence of an expected error; anything else is a fault of the program, and shows where. */
function messageOf(error: unknown): string {
  if (error instanceof PestoError || error instanceof UsageError) return error.message;
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

if (import.meta.main) {
  const text = new TextEncoder();
  const write = (stream: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array) => {
    for (let sent = 0; sent < bytes.length;) sent += stream.writeSync(bytes.subarray(sent));
  };
  Deno.exitCode = await main(Deno.args, {
    print: (out) => write(Deno.stdout, text.encode(out)),
    complain: (line) => write(Deno.stderr, text.encode(`${line}\n`)),
  });
}
