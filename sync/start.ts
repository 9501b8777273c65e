/**
 * The tables that a server starts with, and what is kept of them.
 *
 * @module
 */

import { PestoError, TableError } from "../codec/errors.ts";
import { RuleTable } from "../codec/table.ts";
import type { Rule } from "../codec/types.ts";
import type { Forwarder, Tables } from "./forwarder.ts";
import { invalidity } from "./refusal.ts";
import type { State } from "./state_file.ts";

/** The tables to start with, by pif id: those of the state, and for pifs that it doesn't know the given rules. */
export function startTables(
  forwarder: Forwarder,
  rules: Readonly<Record<string, Iterable<Rule>>>,
  state: State | undefined,
): Tables {
  const tables = new Map<number, RuleTable>();
  const idOf = (name: string) => {
    const pif = forwarder.pifs.find((pif) => pif.name === name);
    if (pif === undefined) throw new RangeError(`Can't start with rules for pif "${name}": there is no such pif`);
    return pif.id;
  };
  for (const [name, table] of state?.tables ?? []) tables.set(idOf(name), table);
  for (const [name, list] of Object.entries(rules)) {
    const id = idOf(name);
    if (!tables.has(id)) tables.set(id, RuleTable.of(list));
  }
  return tables;
}

/** What is kept of a forwarder. */
export function stateOf(forwarder: Forwarder): State {
  const { revision, pifs } = forwarder;
  return { revision, tables: new Map(pifs.map(({ id, name }) => [name, forwarder.table(id)])) };
}

/**
 * Applies the tables that a server starts with. A server that can't serve them all doesn't start, unless they were in
 * force before: then it serves what it can, and goes on trying for the rest.
 */
export async function startWith(
  forwarder: Forwarder,
  tables: Tables,
  restored: boolean,
  log: (message: string) => void = () => {},
): Promise<void> {
  const validity = await forwarder.validate(tables);
  if (validity.kind === "invalid") {
    const { code, message, details } = invalidity(
      validity,
      (pif, rule) => (tables.get(pif) ?? forwarder.table(pif)).records(rule, rule + 1),
    );
    throw new TableError(code, message, { ...(details.rule !== undefined && { rule: details.rule }) });
  }
  const change = await forwarder.apply(tables);
  if (change.fault && restored) {
    for (const { error } of change.outcomes) log(`Going on without a socket, and trying again: ${error.message}`);
    await change.commit(true);
    return;
  }
  if (change.fault) {
    await change.rollback();
    const cause = change.outcomes.find(({ fault }) => fault)?.error;
    throw new PestoError("bind-failed", cause?.message ?? "Can't start: a rule has no socket", { cause });
  }
  await change.commit();
}
