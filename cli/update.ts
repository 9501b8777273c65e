/**
 * `pesto [OPTION]... PATH`: shows or changes the rules of a server.
 *
 * Theory of operation. Up to the moment when an update is sent, every error means that nothing was changed. From then on
 * the exit status says what the server did, whatever else fails: what can't be printed or looked at is complained about.
 *
 * @module
 */

import { connect, look, type Session, UpdateError, type UpdateResult } from "../client.ts";
import { DeadlineError } from "../codec/deadlines.ts";
import { PestoError, ProtocolError } from "../codec/errors.ts";
import { printable } from "../codec/printable.ts";
import type { PortRange } from "../codec/specifier.ts";
import type { Protocol, Rule } from "../codec/types.ts";
import { type Argument, type OptionSpec, parseArguments, UsageError } from "./arguments.ts";
import { editLines, greetingLines, verificationLine } from "./debug.ts";
import { type EditStep, editTables } from "./edit.ts";
import { ephemeralPorts } from "./ephemeral.ts";
import { errorMessage } from "./error_text.ts";
import { EXIT, type ExitStatus, exitStatusOf } from "./exit_status.ts";
import { HELP, PROGRAM_VERSION } from "./help.ts";
import {
  checkText,
  failureLines,
  type Findings,
  listingJson,
  listingText,
  missingLines,
  type Output,
  resultJson,
} from "./output.ts";
import { type Verification, verifyListeners } from "./verify.ts";

const SPECS: readonly OptionSpec[] = [
  { name: "tcp-ports", short: "t", value: "SPEC" },
  { name: "udp-ports", short: "u", value: "SPEC" },
  { name: "tcp-ns", short: "T", value: "SPEC" },
  { name: "udp-ns", short: "U", value: "SPEC" },
  { name: "add", short: "A" },
  { name: "delete", short: "D" },
  { name: "clear", short: "C", value: "PIF" },
  { name: "show", short: "s" },
  { name: "json" },
  { name: "check" },
  { name: "no-verify" },
  { name: "debug", short: "d" },
  { name: "help", short: "h" },
  { name: "version" },
];

/** Which pif and protocol a specifier's option is about. */
const SPECIFIERS: Readonly<Record<string, { pif: string; protocol: Protocol }>> = {
  "tcp-ports": { pif: "HOST", protocol: "tcp" },
  "udp-ports": { pif: "HOST", protocol: "udp" },
  "tcp-ns": { pif: "SPLICE", protocol: "tcp" },
  "udp-ns": { pif: "SPLICE", protocol: "udp" },
};

/** What listings stand under. */
const HEADING = {
  native: "pesto configuration",
  passt: "passt/pasta configuration",
  previous: "Previous configuration",
  updated: "Updated configuration",
} as const;

/** What the command finds out about the machine it runs on, unless it is told. */
export interface Machine {
  /** The kernel's ephemeral ports. */
  readonly ephemeral?: PortRange;
}

/** What a command line asks for. */
interface Wanted {
  readonly path: string;
  readonly steps: readonly EditStep[];
  readonly show: boolean;
  readonly json: boolean;
  readonly check: boolean;
  readonly verify: boolean;
  readonly debug: boolean;
}

/** The tables that are to be in force, by pif name. */
type Tables = Readonly<Record<string, readonly Rule[]>>;

/** Runs the command. Errors that aren't a transaction's outcome are thrown: nothing was changed then. */
export async function updateCommand(
  args: readonly string[],
  output: Output,
  machine: Machine = {},
): Promise<ExitStatus> {
  const wanted = read(args);
  if (typeof wanted === "string") {
    output.print(wanted);
    return EXIT.DONE;
  }
  const { path, steps, json } = wanted;
  const debug = (lines: readonly string[]) => {
    if (wanted.debug) { for (const line of lines) output.complain(line); }
  };
  using session = await connect(path);
  debug(greetingLines(path, session));
  if (!changes(steps)) {
    output.print(
      json ? toJson(listingJson(path, session)) : listingText(HEADING[session.dialect.name], path, session.pifs),
    );
    return EXIT.DONE;
  }
  const { tables, warnings } = editTables(session, steps, machine.ephemeral ?? ephemeralPorts());
  for (const warning of warnings) output.complain(warning);
  debug(editLines(tables, session.pifs));
  return wanted.check ? await check(session, tables, wanted, output) : await change(session, tables, wanted, output);
}

async function check(session: Session, tables: Tables, { path, json }: Wanted, output: Output): Promise<ExitStatus> {
  const result = await session.check(tables);
  complain(result, session, tables, output);
  output.print(json ? toJson(resultJson(path, session.dialect, result)) : checkText(result));
  return result.outcome === "rolled-back" ? EXIT.REFUSED : exitStatusOf(result.outcome);
}

async function change(session: Session, tables: Tables, wanted: Wanted, output: Output): Promise<ExitStatus> {
  const { path, json, show } = wanted;
  const result = await outcomeOf(session, tables, output);
  if (result === undefined) return EXIT.TRY_AGAIN;
  let status = exitStatusOf(result.outcome);
  try {
    complain(result, session, tables, output);
    let findings: Findings = {};
    if (result.outcome === "done" && session.dialect.name === "passt" && wanted.verify) {
      const verification = verify(session, tables, wanted, output);
      if (verification.kind === "known" && verification.missing.length > 0) status = EXIT.PORTS_LOST;
      findings = { verification };
    }
    const { pifs: before } = session;
    if (!show || !changed(result)) {
      if (json) output.print(toJson(resultJson(path, session.dialect, result, findings)));
      return status;
    }
    const { pifs: after } = await look(path);
    output.print(
      json
        ? toJson(resultJson(path, session.dialect, result, { ...findings, before, after }))
        : listingText(HEADING.previous, path, before) + listingText(HEADING.updated, path, after),
    );
  } catch (error) {
    output.complain(errorMessage(error));
  }
  return status;
}

/** Looks for the sockets that a server doesn't report, and names the rules that lack some. */
function verify(session: Session, tables: Tables, { path, debug }: Wanted, output: Output): Verification {
  // Such a server closes and opens all sockets, so that those of an unchanged table may be lost, too.
  const rules = tablesAfter(session, tables)["HOST"] ?? [];
  const verification = verifyListeners(path, rules);
  if (debug) output.complain(verificationLine(verification));
  if (verification.kind === "known") {
    for (const line of missingLines(verification.missing, rules)) output.complain(line);
  }
  return verification;
}

/** The command line's wishes, or the text that is all it wants. */
function read(args: readonly string[]): Wanted | string {
  const parsed = parseArguments(args, SPECS);
  const has = (name: string) => parsed.some((argument) => argument.kind === "flag" && argument.name === name);
  if (has("help")) return HELP;
  if (has("version")) return `pesto ${PROGRAM_VERSION}\n`;
  const path = onlyOperand(parsed);
  const steps = parsed.flatMap(stepOf);
  const [show, check] = [has("show"), has("check")];
  if (check && !changes(steps)) throw new UsageError('Can\'t take "--check": there is no change to check');
  if (check && show) throw new UsageError('Can\'t take "--show" with "--check": the tables stay as they are');
  return { path, steps, show, check, json: has("json"), verify: !has("no-verify"), debug: has("debug") };
}

/** Whether there is an update in it, and not just what updates would be like. */
function changes(steps: readonly EditStep[]): boolean {
  return steps.some(({ kind }) => kind !== "mode");
}

function onlyOperand(parsed: readonly Argument[]): string {
  const operands = parsed.flatMap((argument) => argument.kind === "operand" ? [argument.value] : []);
  const [path, extra] = operands;
  if (path === undefined || path === "") {
    throw new UsageError("Can't go on: the PATH of a control socket must be given");
  }
  if (extra !== undefined) throw new UsageError(`Can't take "${extra}": PATH is already "${path}"`);
  return path;
}

function stepOf(argument: Argument): EditStep[] {
  if (argument.kind === "operand") return [];
  const { name } = argument;
  if (name === "add" || name === "delete") return [{ kind: "mode", mode: name }];
  if (argument.kind === "flag") return [];
  if (name === "clear") return [{ kind: "clear", pif: argument.value }];
  const specifier = SPECIFIERS[name];
  return specifier === undefined ? [] : [{ kind: "specifier", ...specifier, text: argument.value }];
}

/** What the server made of it; undefined, with a complaint, if the update may have been sent and nobody knows. */
async function outcomeOf(session: Session, tables: Tables, output: Output): Promise<UpdateResult | undefined> {
  try {
    return await session.update(tables);
  } catch (error) {
    if (error instanceof UpdateError) return error.result;
    if (isOfThisSide(error)) throw error;
    output.complain(errorMessage(error));
    output.complain("Can't tell whether the tables were changed: no answer came");
    return undefined;
  }
}

/** Whether an error of an update was there before anything was sent. What goes wrong later comes over the connection. */
function isOfThisSide(error: unknown): boolean {
  if (error instanceof ProtocolError || error instanceof DeadlineError) return false;
  return error instanceof PestoError && error.code !== "unreachable";
}

/** Whether the table in force is another one than before, or serves less. */
function changed({ outcome }: UpdateResult): boolean {
  return outcome === "done" || outcome === "rollback-incomplete";
}

/** Says what went wrong, also where the update as a whole went well. */
function complain(result: UpdateResult, session: Session, tables: Tables, output: Output): void {
  const { outcome, sentence, failures } = result;
  if (outcome !== "done" && sentence !== "") output.complain(printable(sentence));
  if (outcome === "rolled-back") output.complain("Nothing changed: the old table is in force");
  const lost = outcome === "rollback-incomplete" ? {} : tables;
  for (const line of failureLines(failures, tablesAfter(session, lost))) output.complain(line);
}

/** All tables of a server, once it has taken those. */
function tablesAfter({ pifs }: Session, tables: Tables): Tables {
  return Object.fromEntries(pifs.map(({ name, rules }) => [name, tables[name] ?? rules]));
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
