/**
 * From single ports that have no socket to what a report says: runs of ports per rule, a status per rule, and whether
 * the change is good enough to be kept.
 *
 * @module
 */

import type { FailedPorts, Rule, RuleFailure, RuleStatus } from "../codec/types.ts";
import type { BindError } from "./backend.ts";
import type { PortFailure } from "./socket_set.ts";

/** The failed ports of one rule, and what that makes of the rule. */
export interface RuleOutcome extends RuleFailure {
  readonly status: RuleStatus;
  readonly failedPorts: number;
  /**
   * Whether the rule is not served as it demands: a scan rule takes what it gets, a weak one wants at least one port, any
   * other all of them.
   */
  readonly fault: boolean;
  /** What the first of the ports failed with. */
  readonly error: BindError;
}

/** Groups failures by rule, in the order of pifs and rules, and ports with the same error into runs. */
export function ruleOutcomes(
  failures: readonly PortFailure[],
  ruleOf: (pif: number, rule: number) => Rule,
): RuleOutcome[] {
  const sorted = failures.toSorted((a, b) => a.pif - b.pif || a.rule - b.rule || a.endpoint.port - b.endpoint.port);
  const outcomes: RuleOutcome[] = [];
  for (let start = 0; start < sorted.length;) {
    const first = sorted[start];
    if (first === undefined) break;
    let end = start;
    while (sorted[end]?.pif === first.pif && sorted[end]?.rule === first.rule) end++;
    const rule = ruleOf(first.pif, first.rule);
    const failedPorts = end - start;
    const all = failedPorts === rule.lastPort - rule.firstPort + 1;
    outcomes.push({
      pif: first.pif,
      rule: first.rule,
      ports: runs(sorted.slice(start, end)),
      status: all ? "failed" : "partial",
      failedPorts,
      fault: !rule.scan && (all || !rule.weak),
      error: first.error,
    });
    start = end;
  }
  return outcomes;
}

function runs(failures: readonly PortFailure[]): FailedPorts[] {
  const merged: { first: number; last: number; errno: number }[] = [];
  for (const { endpoint: { port }, error: { errno } } of failures) {
    const run = merged.at(-1);
    if (run !== undefined && run.errno === errno && run.last + 1 === port) run.last = port;
    else merged.push({ first: port, last: port, errno });
  }
  return merged;
}
