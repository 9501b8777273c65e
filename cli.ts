/**
 * The command's front door: arguments in, exit status out.
 *
 * @module
 */

import { UsageError } from "./cli/arguments.ts";
import { errorMessage } from "./cli/error_text.ts";
import { EXIT, type ExitStatus, exitStatusOf } from "./cli/exit_status.ts";
import type { Output } from "./cli/output.ts";
import { streamOutput } from "./cli/streams.ts";
import { type Machine, updateCommand } from "./cli/update.ts";
import { UpdateError } from "./client.ts";
import { DeadlineError } from "./codec/deadlines.ts";

/** Runs one command. Every error ends up as a sentence on standard error and an exit status. */
export async function main(args: readonly string[], output: Output, machine: Machine = {}): Promise<ExitStatus> {
  const [command, ...rest] = args;
  try {
    if (command === "serve") {
      // Serving is the larger half of the program: whoever only lists rules shouldn't wait for it.
      const { serveCommand } = await import("./cli/serve.ts");
      return await serveCommand(rest, output);
    }
    return await updateCommand(args, output, machine);
  } catch (error) {
    output.complain(errorMessage(error));
    if (error instanceof UsageError) output.complain(`Try "pesto ${command === "serve" ? "serve " : ""}--help"`);
    if (error instanceof UpdateError) return exitStatusOf(error.result.outcome);
    if (error instanceof DeadlineError) return EXIT.TRY_AGAIN;
    return EXIT.REFUSED;
  }
}

if (import.meta.main) Deno.exitCode = await main(Deno.args, streamOutput(Deno.stdout, Deno.stderr));
