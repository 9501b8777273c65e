/**
 * The command's front door: arguments in, exit status out.
 *
 * @module
 */

import { UsageError } from "./cli/arguments.ts";
import { completionsCommand } from "./cli/completions.ts";
import { errorMessage } from "./cli/error_text.ts";
import { EXIT, type ExitStatus, exitStatusOf } from "./cli/exit_status.ts";
import { COMMANDS } from "./cli/options.ts";
import type { Output } from "./cli/output.ts";
import { settleCommand } from "./cli/settle.ts";
import { streamOutput } from "./cli/streams.ts";
import { type Machine, updateCommand } from "./cli/update.ts";
import { UpdateError } from "./client.ts";
import { DeadlineError } from "./codec/deadlines.ts";

/** Runs one command. Every error ends up as a sentence on standard error and an exit status. */
export async function main(args: readonly string[], output: Output, machine: Machine = {}): Promise<ExitStatus> {
  const command = COMMANDS.find(({ name }) => name === args[0])?.name;
  const rest = args.slice(1);
  try {
    // Whoever only lists rules shouldn't wait for serving, the larger half of the program. The other commands are so small
    // that the files which a bundler makes to share code with them would take longer, 1 ms each.
    switch (command) {
      case "serve":
        return await (await import("./cli/serve.ts")).serveCommand(rest, output);
      case "confirm":
      case "rollback":
        return await settleCommand(command, rest, output);
      case "completions":
        return completionsCommand(rest, output);
      case undefined:
        return await updateCommand(args, output, machine);
      default:
        return command satisfies never;
    }
  } catch (error) {
    output.complain(errorMessage(error));
    if (error instanceof UsageError) {
      output.complain(`Try "${["pesto", ...command ? [command] : []].join(" ")} --help"`);
    }
    if (error instanceof UpdateError) return exitStatusOf(error.result.outcome);
    if (error instanceof DeadlineError) return EXIT.TRY_AGAIN;
    return EXIT.REFUSED;
  }
}

// A question that was answered otherwise leaves a read of the terminal behind, which would keep the program here.
if (import.meta.main) Deno.exit(await main(Deno.args, streamOutput(Deno.stdout, Deno.stderr)));
