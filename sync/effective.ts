/**
 * The effective table: what the pifs that listen in one place want from the kernel, taken together.
 *
 * Pifs that share a backend share its ports, so their rules are compared as one table: a rule that wanders from one pif
 * to another keeps its socket. In it every rule has its target filled in; that is what a route is made from, and what
 * makes "same endpoint, other route" visible to the diff.
 *
 * @module
 */

import { finish, type Steps } from "../codec/steps.ts";
import { type Completion, RuleTable } from "../codec/table.ts";
import type { Rule } from "../codec/types.ts";
import type { Endpoint, Route } from "./backend.ts";

/** One pif's rules, and what they are completed with. */
export interface PifRules extends Completion {
  /** Id of the pif. */
  readonly pif: number;
  readonly table: RuleTable;
}

/** A rule's place in the tables that an effective table was made from. */
export interface RulePlace {
  /** Id of the pif. */
  readonly pif: number;
  /** Index in that pif's table. */
  readonly rule: number;
}

/**
 * The rules of several pifs in a row, with their targets filled in, and a scan rule replaced by one rule for each row of
 * ports that are in use in the target. Owns its memory: dispose of it.
 */
export class EffectiveTable implements Disposable {
  readonly table: RuleTable;
  /** Whether it has to be made anew when ports in a target come into use or go out of it. */
  readonly scans: boolean;
  /** Ids of the pifs, in the order of their rows. */
  readonly #pifs: readonly number[];
  /**
   * The last rule that was asked for, and the last route. Those who ask go through a rule's ports in a row; to remember all
   * of them would take more memory than the table.
   */
  #rule: { readonly index: number; readonly rule: Rule } | undefined;
  #route: { readonly index: number; readonly route: Route } | undefined;

  private constructor(table: RuleTable, scans: boolean, pifs: readonly number[]) {
    this.table = table;
    this.scans = scans;
    this.#pifs = pifs;
  }

  /** Made in steps. The pifs' tables may be disposed of afterwards. */
  static *making(parts: readonly PifRules[]): Steps<EffectiveTable> {
    const { rows, scans } = yield* RuleTable.completing(parts);
    return new EffectiveTable(rows, scans, parts.map(({ pif }) => pif));
  }

  /** Made at once. */
  static of(parts: readonly PifRules[]): EffectiveTable {
    return finish(EffectiveTable.making(parts));
  }

  /** Where the rule at `index` came from. */
  place(index: number): RulePlace {
    const { table, rule } = this.table.origin(index);
    const pif = this.#pifs[table];
    if (pif === undefined) throw new RangeError(`Can't place rule ${index}: it is of none of the pifs`);
    return { pif, rule };
  }

  /**
   * Writes into the table that a pif's rules came from what their sockets do, as if each had its own: waiting for a scan
   * rule none of whose ports is in use in the target, bound for the others. A pif that isn't in here has none.
   */
  noteStatus(pif: number, table: RuleTable): void {
    const number = this.#pifs.indexOf(pif);
    if (number >= 0) table.noteRows(this.table, number);
  }

  /** The rule at `index`. */
  rule(index: number): Rule {
    if (this.#rule?.index !== index) this.#rule = { index, rule: this.table.rule(index) };
    return this.#rule.rule;
  }

  /** Where the flows of the rule at `index` go. */
  route(index: number): Route {
    if (this.#route?.index !== index) {
      const { target, targetPort, firstPort } = this.rule(index);
      if (target === undefined) throw new RangeError(`Can't route rule ${index}: it has no target`);
      this.#route = { index, route: { address: target, shift: targetPort - firstPort } };
    }
    return this.#route.route;
  }

  /** The endpoint of the rule at `index` for one of its ports. */
  endpoint(index: number, port: number): Endpoint {
    const { protocol, address, interface: name } = this.rule(index);
    return name === undefined ? { protocol, address, port } : { protocol, address, interface: name, port };
  }

  /** Index of the rule that wants this endpoint, or -1. */
  match({ protocol, address, interface: name, port }: Endpoint): number {
    return this.table.match(protocol, address, name, port);
  }

  [Symbol.dispose](): void {
    this.table[Symbol.dispose]();
  }
}
