/**
 * The names of the numbers on the wire, in both directions.
 *
 * @module
 */

import { CODE, MODE, OUTCOME, RULE_STATUS, SPECIFIER_FAULT } from "./constants.ts";
import type { Code, Outcome, RuleStatus, SpecifierCode, UpdateMode } from "./types.ts";

/** Names and the numbers that stand for them. */
export interface NumberNames<Name extends string> {
  /** The number of a name. */
  number(name: Name): number;
  /** The name of a number, undefined if it has none. */
  name(number: number): Name | undefined;
}

function named<Name extends string>(numbers: Readonly<Record<Name, number>>): NumberNames<Name> {
  const names = new Map<number, Name>();
  for (const name in numbers) names.set(numbers[name], name);
  return { number: (name) => numbers[name], name: (number) => names.get(number) };
}

/** Reasons. */
export const CODES: NumberNames<Code> = named<Code>(CODE);

const { none: _, ...specifierFaults } = SPECIFIER_FAULT;

/** Reasons why a port specifier is refused; not on the wire. */
export const SPECIFIER_CODES: NumberNames<SpecifierCode> = named<SpecifierCode>(specifierFaults);

/** Outcomes of a transaction. */
export const OUTCOMES: NumberNames<Outcome> = named<Outcome>({
  "done": OUTCOME.DONE,
  "rejected": OUTCOME.REJECTED,
  "rolled-back": OUTCOME.ROLLED_BACK,
  "rollback-incomplete": OUTCOME.ROLLBACK_INCOMPLETE,
  "stale": OUTCOME.STALE,
  "busy": OUTCOME.BUSY,
  "timed-out": OUTCOME.TIMED_OUT,
  "protocol-error": OUTCOME.PROTOCOL_ERROR,
});

/** Modes of an update. */
export const MODES: NumberNames<UpdateMode> = named<UpdateMode>({
  "staged": MODE.STAGED,
  "one-shot": MODE.ONE_SHOT,
  "check": MODE.CHECK,
});

/** States of a rule's sockets. */
export const STATUSES: NumberNames<RuleStatus> = named<RuleStatus>({
  "unset": RULE_STATUS.UNSET,
  "bound": RULE_STATUS.BOUND,
  "partial": RULE_STATUS.PARTIAL,
  "failed": RULE_STATUS.FAILED,
  "waiting": RULE_STATUS.WAITING,
});
