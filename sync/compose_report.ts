/**
 * What a client is told of a change: verdict, rules and ports.
 *
 * @module
 */

import type { Report, TableUpdate } from "../codec/dialect.ts";
import { RuleTable } from "../codec/table.ts";
import type { Code, Outcome, Verdict } from "../codec/types.ts";
import type { ChangeReport, Forwarder, Tables } from "./forwarder.ts";

/**
 * A report of a change. `tables` are those that its rules are in; those of other pifs are the active ones. Disposing of it
 * frees the tables in it.
 */
export function composeReport(
  forwarder: Forwarder,
  outcome: Outcome,
  { counts, outcomes }: ChangeReport,
  tables: Tables,
  overrides: Partial<Verdict>,
): Report & Disposable {
  const stack = new DisposableStack();
  const updates = [...Map.groupBy(outcomes, ({ pif }) => pif)].map(([pif, outcomes]): TableUpdate => {
    const source = tables.get(pif) ?? forwarder.table(pif);
    const table = stack.use(RuleTable.of(outcomes.map(({ rule }) => source.rule(rule))));
    outcomes.forEach(({ status, failedPorts }, index) => table.setStatus(index, status, failedPorts));
    return { pif, table };
  });
  const first = outcomes.find(({ fault }) => fault) ?? outcomes[0];
  const verdict: Verdict = {
    ...counts,
    outcome,
    code: codeOf(outcome),
    ...(first !== undefined && { pif: first.pif, rule: first.rule }),
    revision: forwarder.revision,
    sentence: first?.error.message ?? "",
    ...overrides,
  };
  return { verdict, tables: updates, failures: outcomes, [Symbol.dispose]: () => stack.dispose() };
}

function codeOf(outcome: Outcome): Code {
  switch (outcome) {
    case "done":
      return "none";
    case "rollback-incomplete":
      return "rollback-incomplete";
    default:
      return "bind-failed";
  }
}
