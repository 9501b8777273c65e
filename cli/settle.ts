/**
 * `pesto confirm PATH` and `pesto rollback PATH`: decide about the table that another client has applied and holds.
 *
 * @module
 */

import { settle, UpdateError, type UpdateResult } from "../client.ts";
import { VERSION } from "../codec/constants.ts";
import { hasFlag, onlyPath, parseArguments } from "./arguments.ts";
import { EXIT, type ExitStatus, exitStatusOf } from "./exit_status.ts";
import { SETTLE_HELP } from "./help.ts";
import { SETTLE_OPTIONS } from "./options.ts";
import { jsonText, type Output, resultJson } from "./output.ts";

/** Only this dialect has a word for it. */
const NATIVE = { name: "native", version: VERSION } as const;

const DECISION = { confirm: "commit", rollback: "rollback" } as const;

/** The commands of this module. */
export type SettleCommand = keyof typeof DECISION;

/** Runs the command. Errors that aren't a server's answer are thrown: nothing was decided then. */
export async function settleCommand(
  command: SettleCommand,
  args: readonly string[],
  output: Output,
): Promise<ExitStatus> {
  const parsed = parseArguments(args, SETTLE_OPTIONS);
  if (hasFlag(parsed, "help")) {
    output.print(SETTLE_HELP);
    return EXIT.DONE;
  }
  const path = onlyPath(parsed);
  const result = await answer(path, command);
  const asWished = result.outcome === (command === "confirm" ? "done" : "rolled-back");
  if (!asWished && result.sentence !== "") output.complain(result.sentence);
  if (hasFlag(parsed, "json")) output.print(jsonText(resultJson(path, NATIVE, result)));
  // That the old table is back is what was wanted, and no failure.
  return asWished ? EXIT.DONE : exitStatusOf(result.outcome);
}

async function answer(path: string, command: SettleCommand): Promise<UpdateResult> {
  try {
    return await settle(path, DECISION[command]);
  } catch (error) {
    if (error instanceof UpdateError) return error.result;
    throw error;
  }
}
