/**
 * What a row of options makes of a server's tables. Pure: it reads nothing and sends nothing.
 *
 * @module
 */

import { MAX_RULES, MAX_SOCKETS } from "../codec/constants.ts";
import { PestoError, TableError } from "../codec/errors.ts";
import { faultText, ruleText } from "../codec/format.ts";
import { parseSpecifier, type PortRange } from "../codec/specifier.ts";
import { RuleTable } from "../codec/table.ts";
import type { Protocol, Rule } from "../codec/types.ts";
import type { ListedPif } from "../client.ts";

/** One option that edits, in the order of the command line. */
export type EditStep =
  | { readonly kind: "mode"; readonly mode: "add" | "delete" }
  | { readonly kind: "clear"; readonly pif: string }
  | { readonly kind: "specifier"; readonly pif: string; readonly protocol: Protocol; readonly text: string };

/** The tables that steps change, by pif name, and what people should know about them. */
export interface Edit {
  readonly tables: Readonly<Record<string, readonly Rule[]>>;
  readonly warnings: readonly string[];
}

/**
 * Carries out the steps on the listed tables.
 *
 * @throws {SpecifierError} on a specifier that can't be read
 * @throws {TableError} on a rule that can't stand in the table, or can't be deleted because it isn't there
 * @throws {PestoError} with the code `unknown-pif`
 */
export function editTables(
  pifs: readonly ListedPif[],
  steps: readonly EditStep[],
  ephemeral: PortRange,
): Edit {
  const tables: Record<string, Rule[]> = {};
  const warnings: string[] = [];
  let mode: "replace" | "add" | "delete" = "replace";
  for (const step of steps) {
    switch (step.kind) {
      case "mode":
        mode = step.mode;
        break;
      case "clear":
        tables[pifNamed(pifs, step.pif).name] = [];
        break;
      case "specifier": {
        const pif = pifNamed(pifs, step.pif);
        const table = tables[pif.name] ??= mode === "replace" ? [] : pif.rules.map(bare);
        const { protocol, text } = step;
        const loopbackOnly = pif.name === "SPLICE";
        const { capabilities } = pif;
        const parsed = parseSpecifier(text, { protocol, capabilities, ephemeral, loopbackOnly });
        if (parsed.kind === "none") {
          const present = table.find((rule) => rule.protocol === protocol);
          if (present !== undefined) {
            throw new TableError("conflict", `Can't take "none": the table already has ${ruleText(present)}`);
          }
          break;
        }
        warnings.push(...parsed.warnings);
        if (mode === "delete") remove(table, parsed.rules);
        else add(pif, table, parsed.rules);
        break;
      }
      default:
        step satisfies never;
    }
  }
  return { tables, warnings };
}

function pifNamed(pifs: readonly ListedPif[], name: string): ListedPif {
  const pif = pifs.find((pif) => pif.name === name);
  if (pif !== undefined) return pif;
  const known = pifs.map(({ name }) => `"${name}"`).join(", ") || "none";
  throw new PestoError("unknown-pif", `Can't edit pif "${name}": the server has ${known}`);
}

/** A listed rule without what its sockets are doing. */
function bare({ status: _, failedPorts: __, ...rule }: ListedPif["rules"][number]): Rule {
  return rule;
}

function add(pif: ListedPif, table: Rule[], rules: readonly Rule[]): void {
  table.push(...rules);
  using all = RuleTable.of(table);
  const { capabilities, defaultTarget } = pif;
  const policy = { capabilities, maxRules: MAX_RULES, maxSockets: MAX_SOCKETS, sameNamespace: false };
  const verdict = all.validate(defaultTarget === undefined ? policy : { ...policy, defaultTarget });
  if (verdict.kind === "valid") return;
  const { code, rule, otherRule } = verdict;
  const text = faultText(
    code,
    rule === undefined ? undefined : table[rule],
    otherRule === undefined ? undefined : table[otherRule],
  );
  throw new TableError(code, text, { pif: pif.name, ...(rule !== undefined && { rule }) });
}

function remove(table: Rule[], rules: readonly Rule[]): void {
  for (const rule of rules) {
    using all = RuleTable.of(table);
    const index = all.find(rule);
    if (index < 0) throw new TableError("conflict", `Can't delete ${ruleText(rule)}: there is no such rule`);
    table.splice(index, 1);
  }
}
