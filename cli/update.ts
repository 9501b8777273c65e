/**
 * `pesto [OPTION]... PATH`: shows or changes the rules of a server.
 *
 * Theory of operation. Up to the moment when an update is sent, every error means that nothing was changed. From then on
 * the exit status says what the server did, whatever else fails: what can't be printed or looked at is complained about.
 *
 *     connect ─▶ edit ─▶ ask ─▶ answered ──────────────────────▶ told
 *        ▲                │  └▶ held (--confirm) ─▶ settled ───▶ told
 *        └─ stale, edited ┘
 *
 * An edit that another client's has overtaken is done again on the new table, since it means the same there. A whole table
 * is not: it would undo what its author hasn't seen.
 *
 * @module
 */

import { connect, look, type Session, type StagedUpdate, UpdateError, type UpdateResult } from "../client.ts";
import { FEATURE } from "../codec/constants.ts";
import { DeadlineError } from "../codec/deadlines.ts";
import { PestoError, ProtocolError } from "../codec/errors.ts";
import { printable } from "../codec/printable.ts";
import type { PortRange } from "../codec/specifier.ts";
import { changesOf, changesText } from "./changes.ts";
import { settled, settledText } from "./confirm.ts";
import { editLines, greetingLines, verificationLine } from "./debug.ts";
import { type Edit, editTables } from "./edit.ts";
import { ephemeralPorts } from "./ephemeral.ts";
import { errorMessage } from "./error_text.ts";
import { EXIT, type ExitStatus, exitStatusOf } from "./exit_status.ts";
import { explainedAt, type ExplainedFailure, explainedPifs, failureLines } from "./failures.ts";
import { type Operator, operatorAt } from "./operator.ts";
import {
  checkText,
  type Findings,
  jsonText,
  listingJson,
  listingText,
  missingLines,
  NOTHING_TO_CHANGE,
  type Output,
  resultJson,
  unchangedJson,
} from "./output.ts";
import { type Verification, verifyListeners } from "./verify.ts";
import { readWanted, type Wanted } from "./wanted.ts";

/** What listings stand under. */
const HEADING = {
  native: "pesto configuration",
  passt: "passt/pasta configuration",
  previous: "Previous configuration",
  updated: "Updated configuration",
} as const;

/** How often an edit is tried that other clients overtake. Each time one of them has got on, so that few are enough. */
const TRIES = 5;

/** What the command finds out about the machine it runs on, unless it is told. */
export interface Machine {
  /** The kernel's ephemeral ports. */
  readonly ephemeral?: PortRange;
  /** Who is asked for a confirmation. */
  readonly operator?: () => Operator;
}

/** The tables that are to be in force, by pif name. */
type Tables = Edit["tables"];

/** One try: a connection, what is wanted of it, and where to tell of it. */
interface Try {
  readonly session: Session;
  readonly edit: Edit;
  readonly wanted: Wanted;
  readonly output: Output;
}

/** What came of sending an update. */
type Answer =
  | { readonly kind: "answered"; readonly result: UpdateResult }
  /** Applied, and waiting to be confirmed. */
  | { readonly kind: "held"; readonly update: StagedUpdate; readonly result: UpdateResult; readonly seconds: number }
  /** It may have been sent, and nobody knows. */
  | { readonly kind: "unknown" };

/** Runs the command. Errors that aren't a transaction's outcome are thrown: nothing was changed then. */
export async function updateCommand(
  args: readonly string[],
  output: Output,
  machine: Machine = {},
): Promise<ExitStatus> {
  const wanted = readWanted(args);
  if (wanted.kind === "text") {
    output.print(wanted.text);
    return EXIT.DONE;
  }
  const { path, steps, json, ensure } = wanted;
  const debug = (lines: readonly string[]) => {
    if (wanted.debug) { for (const line of lines) output.complain(line); }
  };
  // Signals count from before anything is sent: they are to bring the old table back.
  using operator = wanted.confirmSeconds === undefined
    ? undefined
    : (machine.operator ?? (() => operatorAt(Deno.stdin)))();
  for (let tries = 1;; tries++) {
    using session = await connect(path);
    debug(greetingLines(path, session));
    if (!wanted.changes) {
      const pifs = explainedPifs(path, session.pifs);
      output.print(
        json ? jsonText(listingJson(path, session, pifs)) : listingText(HEADING[session.dialect.name], path, pifs),
      );
      return EXIT.DONE;
    }
    const edit = editTables(session, steps, { ephemeral: machine.ephemeral ?? ephemeralPorts(), ensure });
    if (tries === 1) { for (const warning of edit.warnings) output.complain(warning); }
    debug(editLines(edit.tables, session.pifs));
    const here: Try = { session, edit, wanted, output };
    if (ensure && changesOf(session.pifs, edit.tables).length === 0) return tellNothingToChange(here);
    const answer = await ask(here);
    switch (answer.kind) {
      case "answered": {
        if (!isOvertaken(answer.result, session)) return await tell(answer.result, here);
        if (!edit.replaces && tries < TRIES) {
          debug([printable(answer.result.sentence)]);
          break;
        }
        const status = await tell(answer.result, here);
        output.complain(edit.replaces ? NOT_REPLACED : `Gave up: other clients have changed the table ${tries} times`);
        return status;
      }
      case "held":
        if (operator === undefined) throw new TypeError("Can't wait for a confirmation: nobody wants one");
        return await hold(answer, operator, here);
      case "unknown":
        return EXIT.TRY_AGAIN;
      default:
        return answer satisfies never;
    }
  }
}

/** Why a stale table isn't sent again. */
const NOT_REPLACED = "Not done again: a whole table would undo what the other client has changed";

/** Whether another client came first. A released server's table may be the one that was sent, and then changed. */
function isOvertaken({ outcome }: UpdateResult, { dialect }: Session): boolean {
  return outcome === "stale" && dialect.name === "native";
}

/** Sends the update, in the way that is wanted. */
async function ask({ session, edit: { tables }, wanted, output }: Try): Promise<Answer> {
  const { confirmSeconds: seconds } = wanted;
  try {
    if (wanted.check) return { kind: "answered", result: await session.check(tables) };
    if (seconds === undefined) return { kind: "answered", result: await session.update(tables) };
    demandHold(session, seconds);
    const update = await session.stage(tables, { holdSeconds: seconds });
    return { kind: "held", update, result: await update.apply(), seconds };
  } catch (error) {
    if (error instanceof UpdateError) return { kind: "answered", result: error.result };
    if (wanted.check || isOfThisSide(error)) throw error;
    output.complain(errorMessage(error));
    output.complain(seconds === undefined ? NO_ANSWER : NOT_HELD);
    return { kind: "unknown" };
  }
}

/** What an update that broke off leaves behind, and one that had yet to be confirmed. */
const NO_ANSWER = "Can't tell whether the tables were changed: no answer came";
const NOT_HELD = "Can't tell what became of the tables: the server brings the old ones back if they weren't confirmed";

/** @throws {PestoError} if the server can't hold a table so long; what a released one can't do, its dialect says */
function demandHold({ dialect, hello: { features, holdSeconds } }: Session, seconds: number): void {
  if (dialect.name !== "native") return;
  if ((features & FEATURE.STAGED) === 0 || (features & FEATURE.HOLD) === 0) {
    throw new PestoError(
      "mode-unsupported",
      'Can\'t take "--confirm": this server holds no table until it is confirmed',
    );
  }
  if (seconds > holdSeconds) {
    throw new PestoError(
      "mode-unsupported",
      `Can't take "--confirm ${seconds}": this server holds a table for at most ${holdSeconds} s`,
    );
  }
}

/** Waits for the end of an update that is applied, and tells of it. */
async function hold(
  { update, result: applied, seconds }: Answer & { kind: "held" },
  operator: Operator,
  here: Try,
): Promise<ExitStatus> {
  const { wanted: { path }, output, edit } = here;
  await using _held = update;
  for (const line of failureLines(...explained(applied, here, edit.tables))) output.complain(line);
  let result: UpdateResult;
  try {
    result = await settled({ update, seconds, path }, operator, output);
  } catch (error) {
    output.complain(errorMessage(error));
    output.complain(NOT_HELD);
    return EXIT.TRY_AGAIN;
  }
  const { outcome, sentence } = result;
  if (outcome !== "done" && sentence !== "") output.complain(printable(sentence));
  const end = settledText(result);
  if (end !== undefined) output.complain(end);
  const [failures, tables] = explained(result, here, outcome === "rollback-incomplete" ? {} : edit.tables);
  if (outcome === "rollback-incomplete") {
    for (const line of failureLines(failures, tables)) output.complain(line);
  }
  await conclude(result, here, { failures });
  return exitStatusOf(outcome);
}

/** Tells what came of an update, or would come of it. */
async function tell(result: UpdateResult, here: Try): Promise<ExitStatus> {
  const { session, edit: { tables }, wanted, output } = here;
  const { outcome, sentence } = result;
  let status = outcome === "rolled-back" && wanted.check ? EXIT.REFUSED : exitStatusOf(outcome);
  if (outcome !== "done" && sentence !== "") output.complain(printable(sentence));
  if (outcome === "rolled-back") output.complain("Nothing changed: the old table is in force");
  const [failures, all] = explained(result, here, outcome === "rollback-incomplete" ? {} : tables);
  for (const line of failureLines(failures, all)) output.complain(line);
  if (wanted.check) {
    const changes = changesOf(session.pifs, tables);
    const { path, json } = wanted;
    output.print(
      json
        ? jsonText(resultJson(path, session.dialect, result, { failures, changes }))
        : changesText(changes) + (wasTried(result) ? checkText(result) : ""),
    );
    return status;
  }
  let findings: Findings = { failures };
  if (outcome === "done" && session.dialect.name === "passt" && wanted.verify) {
    const verification = verify(here);
    if (verification.kind === "known" && verification.missing.length > 0) status = EXIT.PORTS_LOST;
    findings = { ...findings, verification };
  }
  await conclude(result, here, findings);
  return status;
}

/** Prints what is to be printed of an update that is over. Nothing that goes wrong here changes what the server did. */
async function conclude(result: UpdateResult, { session, wanted, output }: Try, findings: Findings): Promise<void> {
  const { path, json, show } = wanted;
  try {
    const { dialect } = session;
    if (!show || !changed(result)) {
      if (json) output.print(jsonText(resultJson(path, dialect, result, findings)));
      return;
    }
    const before = explainedPifs(path, session.pifs);
    const after = explainedPifs(path, (await look(path)).pifs);
    output.print(
      json
        ? jsonText(resultJson(path, dialect, result, { ...findings, before, after }))
        : listingText(HEADING.previous, path, before) + listingText(HEADING.updated, path, after),
    );
  } catch (error) {
    output.complain(errorMessage(error));
  }
}

/** Tells of an update that isn't sent, because all is as it is to be. */
function tellNothingToChange({ session, wanted, output }: Try): ExitStatus {
  const { path, json, show, check, debug } = wanted;
  if (check || debug || wanted.confirmSeconds !== undefined) output.complain(NOTHING_TO_CHANGE);
  if (json) output.print(jsonText(unchangedJson(path, session)));
  else if (show) output.print(listingText(HEADING[session.dialect.name], path, explainedPifs(path, session.pifs)));
  return EXIT.DONE;
}

/** The failures of a result, and all tables as they would be with these, which they are about. */
function explained({ failures }: UpdateResult, { session, wanted }: Try, tables: Tables): [ExplainedFailure[], Tables] {
  const all = tablesAfter(session, tables);
  return [explainedAt(wanted.path, failures, all), all];
}

/** Looks for the sockets that a server doesn't report, and names the rules that lack some. */
function verify({ session, edit: { tables }, wanted: { path, debug }, output }: Try): Verification {
  // Such a server closes and opens all sockets, so that those of an unchanged table may be lost, too.
  const rules = tablesAfter(session, tables)["HOST"] ?? [];
  const verification = verifyListeners(path, rules);
  if (debug) output.complain(verificationLine(verification));
  if (verification.kind === "known") {
    for (const line of missingLines(verification.missing, rules)) output.complain(line);
  }
  return verification;
}

/** Whether an error of an update was there before anything was sent. What goes wrong later comes over the connection. */
function isOfThisSide(error: unknown): boolean {
  if (error instanceof ProtocolError || error instanceof DeadlineError) return false;
  return error instanceof PestoError && error.code !== "unreachable";
}

/** Whether a check got as far as trying the sockets: a table that isn't valid has no counts. */
function wasTried({ outcome }: UpdateResult): boolean {
  return outcome === "done" || outcome === "rolled-back";
}

/** Whether the table in force is another one than before, or serves less. */
function changed({ outcome }: UpdateResult): boolean {
  return outcome === "done" || outcome === "rollback-incomplete";
}

/** All tables of a server, once it has taken those. */
function tablesAfter({ pifs }: Session, tables: Tables): Tables {
  return Object.fromEntries(pifs.map(({ name, rules }) => [name, tables[name] ?? rules]));
}
