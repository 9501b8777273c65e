/**
 * What the commands print: tables and results, for people and for programs.
 *
 * @module
 */

import { CAPABILITY } from "../codec/constants.ts";
import { ruleText, tableText } from "../codec/format.ts";
import type { PortRange } from "../codec/specifier.ts";
import type { ListedRule, Rule } from "../codec/types.ts";
import type { ListedPif, ReportedPorts, Session, UpdateResult } from "../client.ts";
import { errorText, systemErrorOfNumber } from "../sync/errno.ts";
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
}

/** Standard output can't be written. */
export class OutputError extends Error {
  override readonly name = "OutputError";
}

/** A printed listing, under a heading. */
export function listingText(heading: string, path: string, pifs: readonly ListedPif[]): string {
  return [`${heading} (${path})\n`, ...pifs.map(({ name, rules }) => tableText(name, rules, statusNote))].join("");
}

/** What stands behind a rule that isn't served as it reads. */
function statusNote({ status, failedPorts }: ListedRule): string {
  switch (status) {
    case "unset":
    case "bound":
      return "";
    case "partial":
      return ` (${failedPorts} ports failed)`;
    case "failed":
      return " (failed)";
    case "waiting":
      return " (waiting)";
    default:
      return status satisfies never;
  }
}

/** A listing for programs. */
export function listingJson(path: string, { dialect, hello, pifs }: Session): unknown {
  return { path, ...dialectJson(dialect), ...revisionJson(dialect, hello.revision), pifs: pifsJson(pifs) };
}

/** What a command knows beyond the server's own answer. */
export interface Findings {
  /** The tables as they were before the update. */
  readonly before?: readonly ListedPif[];
  /** The tables as they are now. */
  readonly after?: readonly ListedPif[];
  /** What the kernel's list of sockets says; absent if nobody has asked it. */
  readonly verification?: Verification;
}

/** A result for programs. What the server's dialect leaves open is left out. */
export function resultJson(
  path: string,
  dialect: Session["dialect"],
  result: UpdateResult,
  { before, after, verification }: Findings = {},
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
    ...(before && { before: pifsJson(before) }),
    ...(after && { after: pifsJson(after) }),
    ...(verification && { verification }),
  };
}

function dialectJson({ name, version }: Session["dialect"]) {
  return { dialect: name, version };
}

function revisionJson({ name }: Session["dialect"], revision: bigint) {
  return name === "native" ? { revision: Number(revision) } : {};
}

function pifsJson(pifs: readonly ListedPif[]) {
  return pifs.map(({ capabilities, ...pif }) => ({ ...pif, capabilities: capabilityNames(capabilities) }));
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

/**
 * One line for each row of ports that a server could not give a socket.
 *
 * @param tables the tables that the failures are about, by pif name
 */
export function failureLines(
  failures: readonly ReportedPorts[],
  tables: Readonly<Record<string, readonly Rule[]>>,
): string[] {
  return failures.flatMap(({ pif, rule: index, ports }) => {
    const rule = tables[pif]?.[index];
    const text = rule === undefined ? `rule ${index + 1} of ${pif}` : ruleText(rule);
    return ports.map((row) =>
      `No socket for ${text}: ${portsText([row])}: ${errorText(systemErrorOfNumber(row.errno))}`
    );
  });
}

/** One line for each rule with ports that the server doesn't listen on; `rules` are those that were asked about. */
export function missingLines(missing: readonly MissingListeners[], rules: readonly Rule[]): string[] {
  return missing.flatMap(({ rule: index, ports }) => {
    const rule = rules[index];
    if (rule === undefined) return [];
    const [free, taken] = [ports.filter(({ taken }) => !taken), ports.filter(({ taken }) => taken)];
    const facts = [
      ...(free.length > 0 ? [`nothing listens on ${portsText(free)}`] : []),
      ...(taken.length > 0 ? [`another program listens on ${portsText(taken)}`] : []),
    ];
    return [`Can't find a socket for ${ruleText(rule)}: ${facts.join("; ")}`];
  });
}

/** Rows of ports, as `port 80` or `ports 80-81, 83`. */
function portsText(rows: readonly PortRange[]): string {
  const text = rows.map(({ first, last }) => first === last ? String(first) : `${first}-${last}`).join(", ");
  const [only, ...more] = rows;
  return only?.first === only?.last && more.length === 0 ? `port ${text}` : `ports ${text}`;
}

/** As `1 rule` and `2 rules`. */
export function counted(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}
