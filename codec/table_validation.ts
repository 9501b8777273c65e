/**
 * Whether a pif could take a rule table.
 *
 * @module
 */

import { ADDRESS_SIZE, parseAddress } from "./address.ts";
import { CODE, NO_RULE } from "./constants.ts";
import { core } from "./core.ts";
import { POLICY, UNDECIDED, VERDICT } from "./core_exports.ts";
import { CODES } from "./names.ts";
import { type Steps, UNITS_PER_STEP } from "./steps.ts";
import type { TableMemory } from "./table_memory.ts";
import type { Code } from "./types.ts";

/** What a pif's table is measured by. */
export interface TablePolicy {
  /** Bits of {@linkcode CAPABILITY}. */
  readonly capabilities: number;
  /** Address for rules without a target of their own; absent for none. */
  readonly defaultTarget?: string;
  readonly maxRules: number;
  readonly maxSockets: number;
  /** Whether targets are reached from where the rules listen, so that a rule can forward to itself. */
  readonly sameNamespace: boolean;
  /** Addresses of that machine; the loopback ones needn't be among them. */
  readonly localAddresses?: readonly string[];
}

/** What validation says: how many sockets a valid table takes, or what is wrong first. */
export type TableVerdict =
  | { readonly kind: "valid"; readonly sockets: number }
  | { readonly kind: "invalid"; readonly code: Code; readonly rule?: number; readonly otherRule?: number };

/**
 * Validates the first `length` records of a table, which must stay as they are meanwhile but for their status.
 *
 * @throws {SyntaxError} if an address of the policy isn't one
 */
export function* validating(table: TableMemory, length: number, policy: TablePolicy): Steps<TableVerdict> {
  const { raw } = core();
  const addresses = [policy.defaultTarget ?? "::", ...policy.localAddresses ?? []].map(parseAddress);
  yield* table.sorting(length);
  const answer = raw.allocate(VERDICT.SIZE + POLICY.ADDRESSES + addresses.length * ADDRESS_SIZE);
  const measure = answer + VERDICT.SIZE;
  const fields: [offset: number, value: number][] = [
    [POLICY.CAPABILITIES, policy.capabilities],
    [POLICY.MAX_RULES, policy.maxRules],
    [POLICY.MAX_SOCKETS, policy.maxSockets],
    [POLICY.SAME_NAMESPACE, policy.sameNamespace ? 1 : 0],
    [POLICY.HAS_TARGET, policy.defaultTarget === undefined ? 0 : 1],
    [POLICY.LOCAL_COUNT, addresses.length - 1],
  ];
  for (const [offset, value] of fields) core().view.setUint32(measure + offset, value, true);
  addresses.forEach((address, index) => core().bytes.set(address, measure + POLICY.ADDRESSES + index * ADDRESS_SIZE));
  const work = raw.beginValidation(table.records, length, table.sorted, table.sortedLength, measure, answer);
  try {
    let code = raw.stepValidation(work, UNITS_PER_STEP) >>> 0;
    for (; code === UNDECIDED; code = raw.stepValidation(work, UNITS_PER_STEP) >>> 0) yield;
    return verdictOf(code, answer);
  } finally {
    raw.endValidation(work);
    raw.free(answer);
  }
}

function verdictOf(code: number, answer: number): TableVerdict {
  const { view } = core();
  if (code === CODE.none) return { kind: "valid", sockets: view.getUint32(answer + VERDICT.SOCKETS, true) };
  const rule = view.getUint32(answer + VERDICT.RULE, true);
  const otherRule = view.getUint32(answer + VERDICT.OTHER_RULE, true);
  return {
    kind: "invalid",
    code: CODES.name(code) ?? "internal",
    ...(rule !== NO_RULE && { rule }),
    ...(otherRule !== NO_RULE && { otherRule }),
  };
}
