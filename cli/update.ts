/**
 * `pesto [OPTION]... PATH`: shows or changes the rules of a server.
 *
 * @module
 */

import { connect, look, type Session, UpdateError, type UpdateResult } from "../client.ts";
import type { Protocol } from "../codec/types.ts";
import { type Argument, type OptionSpec, parseArguments, UsageError } from "./arguments.ts";
import { type EditStep, editTables } from "./edit.ts";
import { ephemeralPorts } from "./ephemeral.ts";
import { EXIT, type ExitStatus, exitStatusOf } from "./exit_status.ts";
import { HELP, PROGRAM_VERSION } from "./help.ts";
import { checkText, failureLines, listingJson, listingText, type Output, resultJson } from "./output.ts";

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

/** Runs the command. Errors that aren't a transaction's outcome are thrown. */
export async function updateCommand(args: readonly string[], output: Output): Promise<ExitStatus> {
  const parsed = parseArguments(args, SPECS);
  const has = (name: string) => parsed.some((argument) => argument.kind === "flag" && argument.name === name);
  if (has("help")) {
    output.print(HELP);
    return EXIT.DONE;
  }
  if (has("version")) {
    output.print(`pesto ${PROGRAM_VERSION}\n`);
    return EXIT.DONE;
  }
  const path = onlyOperand(parsed);
  const steps = parsed.flatMap(stepOf);
  const json = has("json");
  using session = await connect(path);
  if (!steps.some(({ kind }) => kind !== "mode")) {
    if (has("check")) throw new UsageError('Can\'t take "--check": there is no change to check');
    output.print(json ? toJson(listingJson(path, session)) : listingText(HEADING.LISTED, path, session.pifs));
    return EXIT.DONE;
  }
  const { tables, warnings } = editTables(session.pifs, steps, ephemeralPorts());
  for (const warning of warnings) output.complain(warning);
  if (has("check")) {
    const result = await session.check(tables);
    output.print(json ? toJson(resultJson(path, result)) : checkText(result));
    complain(result, output);
    return result.outcome === "rolled-back" ? EXIT.REFUSED : exitStatusOf(result.outcome);
  }
  const before = session.pifs;
  const result = await outcomeOf(session, tables);
  if (json) output.print(toJson(resultJson(path, result)));
  complain(result, output);
  if (has("show") && !json) {
    output.print(listingText(HEADING.PREVIOUS, path, before));
    output.print(listingText(HEADING.UPDATED, path, (await look(path)).pifs));
  }
  return exitStatusOf(result.outcome);
}

const HEADING = {
  LISTED: "pesto configuration",
  PREVIOUS: "Previous configuration",
  UPDATED: "Updated configuration",
} as const;

function onlyOperand(parsed: readonly Argument[]): string {
  const operands = parsed.flatMap((argument) => argument.kind === "operand" ? [argument.value] : []);
  const [path, extra] = operands;
  if (path === undefined) throw new UsageError("Can't go on: the PATH of a control socket must be given");
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

async function outcomeOf(session: Session, tables: Parameters<Session["update"]>[0]): Promise<UpdateResult> {
  try {
    return await session.update(tables);
  } catch (error) {
    if (error instanceof UpdateError) return error.result;
    throw error;
  }
}

/** Says what went wrong, also where the update as a whole went well. */
function complain(result: UpdateResult, output: Output): void {
  if (result.outcome !== "done" && result.sentence !== "") output.complain(result.sentence);
  if (result.outcome === "rolled-back") output.complain("Nothing changed: the old table is in force");
  for (const line of failureLines(result)) output.complain(line);
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
