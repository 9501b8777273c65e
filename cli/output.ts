/**
 * What the commands print: tables and results, for people and for programs.
 *
 * @module
 */

import { CAPABILITY } from "../codec/constants.ts";
import { ruleText, tableText } from "../codec/format.ts";
import type { PortRange } from "../codec/specifier.ts";
import type { ListedRule, Rule } from "../codec/types.ts";
import type { Session, UpdateResult } from "../client.ts";
import type { TableChange } from "./changes.ts";
import { type ExplainedFailure, type ExplainedPif, failureNote } from "./failures.ts";
import { type Holder, holdersText } from "./processes.ts";
import { counted, portsRow } from "./quantities.ts";
import type { MissingListeners, Verification } from "./verify.ts";

/** Where a command prints to; tests give one of their own. */
export interface Output {
  /**
   * Standard output, as is.
   *
   * @throws {OutputError} if it can't be written
   */
  print(text: string): void;
  /** Standard error, one line or more. */
  complain(text: string): void;
  /** Standard error, one short line in the place of the last one written so; absent where nobody would see it change. */
  readonly rewrite?: (line: string) => void;
}

/** Standard output can't be written. */
export class OutputError extends Error {
  override readonly name = "OutputError";
}

/** A printed listing, under a heading. */
export function listingText(heading: string, path: string, pifs: readonly ExplainedPif[]): string {
  const tables = pifs.map(({ name, rules, failures }) => {
    const failed = new Map(failures.map((failure) => [failure.rule, failure]));
    return tableText(name, rules, (rule, index) => statusNote(rule, failed.get(index)));
  });
  return [`${heading} (${path})\n`, ...tables].join("");
}

/** What stands behind a rule that isn't served as it reads. */
function statusNote(
  { status, failedPorts }: ListedRule,
  { ports }: Pick<ExplainedFailure, "ports"> = { ports: [] },
): string {
  switch (status) {
    case "unset":
    case "bound":
      return "";
    case "partial":
      return ` (${counted(failedPorts, "port")} without a socket${noteText(failureNote(ports, false))})`;
    case "failed":
      return ` (failed${noteText(failureNote(ports, true))})`;
    case "waiting":
      return " (waiting)";
    default:
      return status satisfies never;
  }
}

function noteText(note: string): string {
  return note === "" ? "" : `: ${note}`;
}

/** A listing for programs. */
export function listingJson(path: string, { dialect, hello }: Session, pifs: readonly ExplainedPif[]): unknown {
  return { path, ...dialectJson(dialect), ...revisionJson(dialect, hello.revision), pifs: pifsJson(dialect, pifs) };
}

/** What a command knows beyond the server's own answer. */
export interface Findings {
  /** The tables as they were before the update. */
  readonly before?: readonly ExplainedPif[];
  /** The tables as they are now. */
  readonly after?: readonly ExplainedPif[];
  /** What the kernel's list of sockets says; absent if nobody has asked it. */
  readonly verification?: Verification;
  /** The result's failures, explained. */
  readonly failures?: readonly ExplainedFailure[];
  /** What a check's update would change. */
  readonly changes?: readonly TableChange[];
}

/** A result for programs. What the server's dialect leaves open is left out. */
export function resultJson(
  path: string,
  dialect: Session["dialect"],
  result: UpdateResult,
  { before, after, verification, failures, changes }: Findings = {},
): unknown {
  const { revision, sentence, outcome, code, ...told } = result;
  return {
    path,
    ...dialectJson(dialect),
    outcome,
    code,
    message: sentence,
    ...revisionJson(dialect, revision),
    ...(dialect.name === "native" && told),
    ...(dialect.name === "native" && failures && { failures }),
    ...(changes && { changes }),
    ...(before && { before: pifsJson(dialect, before) }),
    ...(after && { after: pifsJson(dialect, after) }),
    ...(verification && { verification }),
  };
}

/** The result for programs of an update that wasn't sent, because all is as it is to be. */
export function unchangedJson(path: string, { dialect, hello }: Session): unknown {
  return {
    path,
    ...dialectJson(dialect),
    outcome: "done",
    code: "none",
    message: NOTHING_TO_CHANGE,
    ...revisionJson(dialect, hello.revision),
    changes: [],
  };
}

/** Said where an update isn't sent because all is as it is to be. */
export const NOTHING_TO_CHANGE = "Nothing to change: the rules are as they are to be";

/** A value as the commands print it for programs. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function dialectJson({ name, version }: Session["dialect"]) {
  return { dialect: name, version };
}

function revisionJson({ name }: Session["dialect"], revision: bigint) {
  return name === "native" ? { revision: Number(revision) } : {};
}

function pifsJson({ name }: Session["dialect"], pifs: readonly ExplainedPif[]) {
  return pifs.map(({ capabilities, failures, ...pif }) => ({
    ...pif,
    // A released server doesn't say what failed, which isn't that nothing did.
    ...(name === "native" && { failures }),
    capabilities: capabilityNames(capabilities),
  }));
}

/** The names of capability bits, as `any-target`. */
export function capabilityNames(bits: number): string[] {
  return Object.entries(CAPABILITY).filter(([, bit]) => bits & bit).map(([name]) =>
    name.toLowerCase().replace("_", "-")
  );
}

/** What a check found, for people. */
export function checkText({ kept, opened, retired, failed }: UpdateResult): string {
  return `Would keep ${counted(kept, "socket")}, open ${opened}, retire ${retired}; ${failed} would fail\n`;
}

/** One line for each rule with ports that the server doesn't listen on; `rules` are those that were asked about. */
export function missingLines(missing: readonly MissingListeners[], rules: readonly Rule[]): string[] {
  return missing.flatMap(({ rule: index, ports }) => {
    const rule = rules[index];
    if (rule === undefined) return [];
    const [free, taken] = [ports.filter(({ taken }) => !taken), ports.filter(({ taken }) => taken)];
    const facts = [
      ...(free.length > 0 ? [`nothing listens on ${portsText(free)}`] : []),
      ...(taken.length > 0 ? [`another program listens on ${portsText(taken)}${heldText(taken)}`] : []),
    ];
    return [`Can't find a socket for ${ruleText(rule)}: ${facts.join("; ")}`];
  });
}

/** Who listens on those ports, as `: nginx (1234)`; empty if that can't be seen. */
function heldText(rows: readonly { readonly holders?: readonly Holder[] }[]): string {
  const holders = new Map(rows.flatMap(({ holders = [] }) => holders.map((holder) => [holder.pid, holder])));
  return holders.size === 0 ? "" : `: ${holdersText([...holders.values()])}`;
}

/** Rows of ports, as `port 80` or `ports 80-81, 83`. */
function portsText(rows: readonly PortRange[]): string {
  const text = rows.map(portsRow).join(", ");
  const [only, ...more] = rows;
  return only?.first === only?.last && more.length === 0 ? `port ${text}` : `ports ${text}`;
}
