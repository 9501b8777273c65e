/**
 * `pesto --confirm`: a table is applied, and kept only if somebody says so in time.
 *
 * Theory of operation. The server holds the table, counts the time and brings the old one back, whatever happens to this
 * program: the countdown here is for the eyes only. Whoever comes first decides: the person at the terminal, `pesto confirm`
 * or `pesto rollback` from elsewhere, or the server's clock. If two come at once the server decides, and what it says is
 * what happened: Enter may come too late.
 *
 *     applied ── Enter ─▶ commit() ───┬─▶ kept
 *        ├────── signal ▶ rollback() ─┼─▶ rolled back
 *        └────── settled elsewhere ───┘
 *
 * @module
 */

import { type StagedUpdate, UpdateError, type UpdateResult } from "../client.ts";
import type { Operator } from "./operator.ts";
import type { Output } from "./output.ts";
import { counted } from "./quantities.ts";

/** An update that its server has applied and holds. */
export interface HeldUpdate {
  /** In the state applied. */
  readonly update: StagedUpdate;
  /** How long the server holds it. */
  readonly seconds: number;
  /** The control socket. */
  readonly path: string;
}

/** Waits until a held update is kept or not; the result says which. */
export async function settled(held: HeldUpdate, operator: Operator, output: Output): Promise<UpdateResult> {
  const { update, seconds, path } = held;
  output.complain(question(path, seconds, operator.atTerminal));
  // Whoever decides here hangs up on the one who waits for a decision from elsewhere.
  const elsewhere = update.settled();
  elsewhere.catch(() => {});
  using _countdown = countdown(seconds, output);
  const first = await Promise.race([elsewhere, operator.decision()]);
  switch (first) {
    case "keep":
      try {
        return await update.commit();
      } catch (error) {
        if (error instanceof UpdateError) return error.result;
        throw error;
      }
    case "undo":
      return await update.rollback();
    default:
      return first;
  }
}

/** What people are told of a held table's end, beside what the server says; undefined if that says it all. */
export function settledText({ outcome }: UpdateResult): string | undefined {
  switch (outcome) {
    case "done":
      return "Confirmed: the new table is kept";
    case "rolled-back":
      return "Rolled back: the old table is in force again";
    case "rollback-incomplete":
    case "rejected":
    case "stale":
    case "busy":
    case "timed-out":
    case "protocol-error":
      return undefined;
    default:
      return outcome satisfies never;
  }
}

function question(path: string, seconds: number, atTerminal: boolean): string {
  const inForce = `The new table is in force, for ${counted(seconds, "second")} unless it is confirmed`;
  return atTerminal
    ? `${inForce}: Enter keeps it, Ctrl-C undoes it\n(elsewhere: "pesto confirm ${path}", "pesto rollback ${path}")`
    : `${inForce}: "pesto confirm ${path}" keeps it, "pesto rollback ${path}" undoes it`;
}

/** Counts seconds down on a line of its own, where there is a terminal to do it on. Disposing of it stops. */
function countdown(seconds: number, { rewrite }: Output): Disposable {
  if (rewrite === undefined) return { [Symbol.dispose]() {} };
  const end = performance.now() + seconds * 1000;
  const show = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    rewrite(`${counted(left, "second")} left`);
  };
  show();
  const timer = setInterval(show, 1000);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
