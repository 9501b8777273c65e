/**
 * Ports that a server could not give a socket, for people and for programs: which, of which rule, why, and because of whom.
 *
 * @module
 */

import type { ListedPif, ReportedPorts } from "../client.ts";
import { ruleText } from "../codec/format.ts";
import { printable } from "../codec/printable.ts";
import type { FailedPorts, Rule } from "../codec/types.ts";
import { errorText, systemError, systemErrorOfNumber } from "../sync/errno.ts";
import { type Holder, holdersText, strangersAt, type WantedPorts } from "./processes.ts";
import { counted, portsRow } from "./quantities.ts";

/** Failed ports in a row. */
export interface ExplainedPorts extends FailedPorts {
  /** The error's name, as `EADDRINUSE`. */
  readonly error: string;
  /** Who listens there, as far as this machine tells. */
  readonly holders: readonly Holder[];
}

/** The failed ports of one rule. */
export interface ExplainedFailure extends ReportedPorts {
  readonly ports: readonly ExplainedPorts[];
}

/** A listed pif with its failures explained. */
export interface ExplainedPif extends ListedPif {
  readonly failures: readonly ExplainedFailure[];
}

/** Who listens on ports that a server could not have, one list for each; {@linkcode strangersAt} of a control socket. */
export type FindHolders = (wanted: readonly WantedPorts[]) => readonly (readonly Holder[])[];

/**
 * Adds what the numbers mean, and who has the ports that are in use.
 *
 * @param tables the tables that the failures are about, by pif name
 */
export function explainFailures(
  failures: readonly ReportedPorts[],
  tables: Readonly<Record<string, readonly Rule[]>>,
  find: FindHolders,
): ExplainedFailure[] {
  const inUse = systemError("EADDRINUSE").errno;
  const rows = failures.flatMap(({ pif, rule: index, ports }) => {
    const rule = tables[pif]?.[index];
    // Other pifs may listen where this program can't look.
    if (rule === undefined || pif !== "HOST") return [];
    return ports.filter(({ errno }) => errno === inUse).map((row) => ({ row, wanted: { ...rule, ...row } }));
  });
  const found = find(rows.map(({ wanted }) => wanted));
  const holders = new Map(rows.map(({ row }, index) => [row, found[index] ?? []]));
  return failures.map((failure) => ({
    ...failure,
    ports: failure.ports.map((row) => ({
      ...row,
      error: systemErrorOfNumber(row.errno).name,
      holders: holders.get(row) ?? [],
    })),
  }));
}

/** Explains the failures of the server whose control socket is at `path`. */
export function explainedAt(
  path: string,
  failures: readonly ReportedPorts[],
  tables: Readonly<Record<string, readonly Rule[]>>,
): ExplainedFailure[] {
  return explainFailures(failures, tables, (wanted) => strangersAt(path, wanted));
}

/** The pifs that the server whose control socket is at `path` lists, with their failures explained. */
export function explainedPifs(path: string, pifs: readonly ListedPif[]): ExplainedPif[] {
  const tables = Object.fromEntries(pifs.map(({ name, rules }) => [name, rules]));
  const explained = explainedAt(path, pifs.flatMap(({ failures }) => failures), tables);
  return pifs.map((pif) => ({ ...pif, failures: explained.filter(({ pif: name }) => name === pif.name) }));
}

/** The most rows of ports that one line names for one reason: as many as fit beside a rule. */
const MOST_ROWS = 8;

/**
 * Failed ports of one rule in one line, by reason: `8002-8004, 8009: address in use (EADDRINUSE), held by nginx (12)`.
 *
 * @param all whether these are all ports of the rule, so that a reason that they share says enough
 */
export function failureNote(ports: readonly ExplainedPorts[], all: boolean): string {
  const reasons = [...Map.groupBy(ports, reasonText)];
  return reasons.map(([reason, rows]) => all && reasons.length === 1 ? reason : `${rowsText(rows)}: ${reason}`)
    .map(printable).join("; ");
}

/** Why ports have no socket, and because of whom: `address in use (EADDRINUSE), held by nginx (12)`. */
function reasonText({ errno, holders }: ExplainedPorts): string {
  const held = holdersText(holders);
  return `${errorText(systemErrorOfNumber(errno))}${held === "" ? "" : `, held by ${held}`}`;
}

/** As `80-81, 83`; of many rows the first ones, and how many ports the others are. */
function rowsText(rows: readonly FailedPorts[]): string {
  const text = rows.slice(0, MOST_ROWS).map(portsRow).join(", ");
  const more = rows.slice(MOST_ROWS).reduce((sum, { first, last }) => sum + last - first + 1, 0);
  return more === 0 ? text : `${text} and ${counted(more, "more port")}`;
}

/** The failures as lines with columns, the first of which names them; no lines if there are no failures. */
export function failureLines(
  failures: readonly ExplainedFailure[],
  tables: Readonly<Record<string, readonly Rule[]>>,
): string[] {
  const rows = failures.flatMap(({ pif, rule: index, ports }) => {
    const rule = tables[pif]?.[index];
    const text = rule === undefined ? `rule ${index + 1}` : ruleText(rule);
    return ports.map((row) => [
      pif,
      text,
      portsRow(row),
      errorText(systemErrorOfNumber(row.errno)),
      holdersText(row.holders),
    ]);
  });
  if (rows.length === 0) return [];
  const someHeld = rows.some((cells) => cells[4] !== "");
  return columns([["PIF", "RULE", "PORTS", "ERROR", someHeld ? "HELD BY" : ""], ...rows]);
}

/** Rows of cells, each column as wide as its widest cell, two spaces apart. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const shown = rows.map((cells) => cells.map(printable));
  const widths = shown.reduce<number[]>(
    (widths, cells) => cells.map((cell, index) => Math.max(widths[index] ?? 0, cell.length)),
    [],
  );
  return shown.map((cells) => cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("  ").trimEnd());
}
