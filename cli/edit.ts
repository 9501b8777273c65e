/**
 * What a row of options makes of a server's tables. Pure: it reads nothing and sends nothing.
 *
 * @module
 */

import { PestoError, TableError } from "../codec/errors.ts";
import { faultText, ruleText } from "../codec/format.ts";
import { parseSpecifier, type PortRange } from "../codec/specifier.ts";
import { RuleTable, type TablePolicy } from "../codec/table.ts";
import type { Protocol, Rule } from "../codec/types.ts";
import type { ListedPif, Session } from "../client.ts";
import { bareRule } from "./changes.ts";

/** One option that edits, in the order of the command line. */
export type EditStep =
  | { readonly kind: "mode"; readonly mode: "add" | "delete" }
  | { readonly kind: "clear"; readonly pif: string }
  | { readonly kind: "specifier"; readonly pif: string; readonly protocol: Protocol; readonly text: string };

/** The tables that steps change, by pif name, and what people should know about them. */
export interface Edit {
  readonly tables: Readonly<Record<string, readonly Rule[]>>;
  readonly warnings: readonly string[];
  /** Whether a table owes nothing to the listed one. Otherwise the steps mean the same on any other listing. */
  readonly replaces: boolean;
}

/** What steps are carried out by. */
export interface EditOptions {
  /** The kernel's ephemeral ports, which `all` leaves out. */
  readonly ephemeral: PortRange;
  /** A rule to be added that is there already, or to be deleted that isn't there, is no fault. */
  readonly ensure?: boolean;
}

/** What a server has listed, and in which dialect. */
export type Listed = Pick<Session, "dialect" | "hello" | "pifs">;

/** The default target of a server that has one but doesn't list it. Only that there is one is ever looked at. */
const UNLISTED_TARGET = "::1";

/**
 * Carries out the steps on the listed tables.
 *
 * @throws {SpecifierError} on a specifier that can't be read
 * @throws {TableError} on a rule that can't stand in the table, or can't be deleted because it isn't there
 * @throws {PestoError} with the code `unknown-pif`
 */
export function editTables(
  listed: Listed,
  steps: readonly EditStep[],
  { ephemeral, ensure = false }: EditOptions,
): Edit {
  const { pifs } = listed;
  const tables: Record<string, Rule[]> = {};
  const warnings: string[] = [];
  let mode: "replace" | "add" | "delete" = "replace";
  let replaces = false;
  for (const step of steps) {
    switch (step.kind) {
      case "mode":
        mode = step.mode;
        break;
      case "clear":
        tables[pifNamed(pifs, step.pif).name] = [];
        replaces = true;
        break;
      case "specifier": {
        const pif = pifNamed(pifs, step.pif);
        if (mode === "replace") replaces = true;
        const table = tables[pif.name] ??= mode === "replace" ? [] : pif.rules.map(bareRule);
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
        const policy = policyFor(pif, listed);
        const split = ensure ? splitByPresence(table, parsed.rules) : undefined;
        if (mode === "delete") {
          remove(pif, table, split?.present ?? parsed.rules, policy);
          for (const rule of split?.absent ?? []) {
            const other = inTheWay(rule, table, policy);
            if (other !== undefined) {
              warnings.push(`${ruleText(rule)} isn't there to be deleted, but ${ruleText(other)} is`);
            }
          }
        } else add(pif, table, split?.absent ?? parsed.rules, policy);
        break;
      }
      default:
        step satisfies never;
    }
  }
  return { tables, warnings, replaces };
}

function pifNamed(pifs: readonly ListedPif[], name: string): ListedPif {
  const pif = pifs.find((pif) => pif.name === name);
  if (pif !== undefined) return pif;
  const known = pifs.map(({ name }) => `"${name}"`).join(", ") || "none";
  throw new PestoError("unknown-pif", `Can't edit pif "${name}": the server has ${known}`);
}

/** Which of the rules the table has, and which it hasn't. */
function splitByPresence(table: readonly Rule[], rules: readonly Rule[]): { present: Rule[]; absent: Rule[] } {
  using all = RuleTable.of(table);
  const present: Rule[] = [];
  const absent: Rule[] = [];
  for (const rule of rules) (all.find(rule) < 0 ? absent : present).push(rule);
  return { present, absent };
}

/** What a table of the pif is measured by here; that a rule would forward to itself only the server can know. */
function policyFor(pif: ListedPif, { dialect, hello: { maxRules, maxSockets } }: Listed): TablePolicy {
  const { capabilities, defaultTarget = dialect.name === "passt" ? UNLISTED_TARGET : undefined } = pif;
  const policy = { capabilities, maxRules, maxSockets, sameNamespace: false };
  return defaultTarget === undefined ? policy : { ...policy, defaultTarget };
}

function add(pif: ListedPif, table: Rule[], rules: readonly Rule[], policy: TablePolicy): void {
  table.push(...rules);
  using all = RuleTable.of(table);
  const verdict = all.validate(policy);
  if (verdict.kind === "valid") return;
  const { code, rule, otherRule } = verdict;
  const text = faultText(
    code,
    rule === undefined ? undefined : table[rule],
    otherRule === undefined ? undefined : table[otherRule],
    { pif: pif.name, ...(code === "too-many-rules" && { count: table.length, limit: policy.maxRules }) },
  );
  throw new TableError(code, text, { pif: pif.name, ...(rule !== undefined && { rule }) });
}

function remove(pif: ListedPif, table: Rule[], rules: readonly Rule[], policy: TablePolicy): void {
  for (const rule of rules) {
    using all = RuleTable.of(table);
    const index = all.find(rule);
    if (index < 0) {
      const other = inTheWay(rule, table, policy);
      const there = other === undefined ? "there is no such rule" : `the table has ${ruleText(other)} instead`;
      throw new TableError("conflict", `Can't delete ${ruleText(rule)}: ${there}`, { pif: pif.name });
    }
    table.splice(index, 1);
  }
}

/** The rule that this one would conflict with: perhaps the one that was meant. */
function inTheWay(rule: Rule, table: readonly Rule[], policy: TablePolicy): Rule | undefined {
  using both = RuleTable.of([...table, rule]);
  const verdict = both.validate(policy);
  if (verdict.kind === "valid" || verdict.code !== "conflict" || verdict.otherRule === undefined) return undefined;
  return verdict.rule === table.length ? table[verdict.otherRule] : undefined;
}
