/**
 * What becomes of a server's rules: the difference between its tables and those that are wanted. Pure.
 *
 * @module
 */

import type { ListedPif } from "../client.ts";
import { ruleText } from "../codec/format.ts";
import { printable } from "../codec/printable.ts";
import type { Rule } from "../codec/types.ts";

/** What changes in the table of one pif. A rule that moves within its table doesn't: the order means nothing. */
export interface TableChange {
  /** Name of the pif. */
  readonly pif: string;
  readonly deleted: readonly Rule[];
  /** Rules that keep their endpoints, and with them their sockets, but not their target or their flags. */
  readonly altered: readonly AlteredRule[];
  readonly added: readonly Rule[];
}

/** One rule before and after. */
export interface AlteredRule {
  readonly before: Rule;
  readonly after: Rule;
}

/** What those tables, by pif name, would change; pifs whose tables stay as they are have no entry. */
export function changesOf(
  pifs: readonly Pick<ListedPif, "name" | "rules">[],
  tables: Readonly<Record<string, readonly Rule[]>>,
): TableChange[] {
  return pifs.flatMap(({ name, rules }) => {
    const wanted = tables[name];
    if (wanted === undefined) return [];
    const change = { pif: name, ...changeOf(rules.map(bareRule), wanted) };
    return change.deleted.length + change.altered.length + change.added.length === 0 ? [] : [change];
  });
}

/** One line for each rule that changes, below the names of their pifs; empty if none does. */
export function changesText(changes: readonly TableChange[]): string {
  return changes.flatMap(({ pif, deleted, altered, added }) => [
    `  ${printable(pif)}`,
    ...deleted.map((rule) => `- ${ruleText(rule)}`),
    ...altered.map(({ before, after }) => `~ ${ruleText(after)} (was ${ruleText(before)})`),
    ...added.map((rule) => `+ ${ruleText(rule)}`),
  ]).map((line) => `${line}\n`).join("");
}

/** A rule without what its sockets are doing. */
export function bareRule({ status: _, failedPorts: __, ...rule }: ListedPif["rules"][number]): Rule {
  return rule;
}

function changeOf(before: readonly Rule[], after: readonly Rule[]): Omit<TableChange, "pif"> {
  // Rules of one table don't share endpoints.
  const old = new Map(before.map((rule) => [endpointsKey(rule), rule]));
  const kept = new Set(after.map(endpointsKey));
  const altered: AlteredRule[] = [];
  const added: Rule[] = [];
  for (const rule of after) {
    const match = old.get(endpointsKey(rule));
    if (match === undefined) added.push(rule);
    else if (routeKey(match) !== routeKey(rule)) altered.push({ before: match, after: rule });
  }
  return { deleted: before.filter((rule) => !kept.has(endpointsKey(rule))), altered, added };
}

/** What a rule's sockets are bound to. */
function endpointsKey({ protocol, address, interface: name, firstPort, lastPort }: Rule): string {
  return JSON.stringify([protocol, address, name, firstPort, lastPort]);
}

/** All else that a rule says. */
function routeKey({ target, targetPort, weak, scan }: Rule): string {
  return JSON.stringify([target, targetPort, weak, scan]);
}
