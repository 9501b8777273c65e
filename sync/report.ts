/**
 * From single ports that have no socket to what a report says: runs of ports per rule, a status per rule, and whether
 * the change is good enough to be kept.
 *
 * @module
 */

import type { FailedPorts, Rule, RuleFailure, RuleStatus } from "../codec/types.ts";
import type { BindError } from "./backend.ts";
import { systemError } from "./errno.ts";
import { Slices } from "./slices.ts";
import type { PortFailure } from "./socket_change.ts";

/** Of all ports of a large weak range, some may fit and others not: which of its rules has those is chance. */
const TOO_MANY_FILES = systemError("EMFILE").errno;

/** The failed ports of one rule, and what that makes of the rule. */
export interface RuleOutcome extends RuleFailure {
  readonly status: RuleStatus;
  readonly failedPorts: number;
  /**
   * Whether the rule is not served as it demands: a scan rule takes what it gets, a weak one wants at least one port
   * unless it is the limit of open files that it lacks them for, any other all of them.
   */
  readonly fault: boolean;
  /** What the first of the ports failed with. */
  readonly error: BindError;
}

/**
 * Groups failures by rule, in the order of pifs and rules, and ports with the same error into runs. In slices: there may
 * be as many failures as ports.
 */
export async function ruleOutcomes(
  failures: Iterable<PortFailure>,
  ruleOf: (pif: number, rule: number) => Rule,
): Promise<RuleOutcome[]> {
  const slices = new Slices();
  const byRule = new Map<number, PortFailure[]>();
  for (const failure of failures) {
    const place = failure.pif * 0x10000 + failure.rule;
    const known = byRule.get(place);
    if (known === undefined) byRule.set(place, [failure]);
    else known.push(failure);
    if (slices.overAfterSmallStep()) await slices.next();
  }
  const outcomes: RuleOutcome[] = [];
  for (const group of byRule.values()) {
    const outcome = outcomeOf(group.sort((a, b) => a.endpoint.port - b.endpoint.port), ruleOf);
    if (outcome !== undefined) outcomes.push(outcome);
    if (slices.over()) await slices.next();
  }
  return outcomes.sort((a, b) => a.pif - b.pif || a.rule - b.rule);
}

/** What failures of one rule come to, in the order of their ports. */
function outcomeOf(
  failures: readonly PortFailure[],
  ruleOf: (pif: number, rule: number) => Rule,
): RuleOutcome | undefined {
  const [first] = failures;
  if (first === undefined) return undefined;
  const { firstPort, lastPort, scan, weak } = ruleOf(first.pif, first.rule);
  const failedPorts = failures.length;
  const ports = runs(failures);
  const all = failedPorts === lastPort - firstPort + 1;
  return {
    pif: first.pif,
    rule: first.rule,
    ports,
    status: all ? "failed" : "partial",
    failedPorts,
    fault: !scan && !(weak && (!all || ports.every(({ errno }) => errno === TOO_MANY_FILES))),
    error: first.error,
  };
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
