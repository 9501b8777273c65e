/** What a command prints, kept for a test to look at. */

import { main } from "../../cli.ts";
import type { ExitStatus } from "../../cli/exit_status.ts";
import type { Machine } from "../../cli/update.ts";

/** What a finished command left behind. */
export interface Captured {
  readonly status: ExitStatus;
  readonly stdout: string;
  /** One line or more each. */
  readonly complaints: readonly string[];
}

/** Runs a command in this process. */
export async function captured(args: readonly string[], machine: Machine = {}): Promise<Captured> {
  let stdout = "";
  const complaints: string[] = [];
  const print = (text: string) => stdout += text;
  const status = await main(args, { print, complain: (text) => complaints.push(text) }, machine);
  return { status, stdout, complaints };
}
