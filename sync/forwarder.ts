/**
 * The rule tables of all pifs, swapped as one unit, and the sockets that serve them.
 *
 * Theory of operation. The forwarder owns the table in force (*active*) and its revision. A change names the tables of
 * some pifs; the others keep theirs. It is validated as a whole before a socket is touched, then every backend's
 * sockets are brought to it (`socket_set.ts`), and only a commit makes it the active one and raises the revision.
 *
 *     idle ── apply() ──▶ changing ──▶ applied ── commit() ───▶ revision + 1, closing ──▶ idle
 *       ▲                    │            └────── rollback() ─▶ taking back ────────────▶ idle, same revision
 *       └──── threw ─────────┘
 *
 * Invariants: one change at a time, `busy` tells; the active tables don't change but in commit, which changes all of them
 * and the revision before it first waits. Only then are sockets closed, in slices: nothing that is listed or routed
 * depends on it. Tables given to `apply` belong to the forwarder from then on. All that grows with the number of ports or
 * failures is done in slices.
 *
 * @module
 */

import { ALL_CAPABILITIES, CAPABILITY, MAX_RULES, MAX_SOCKETS } from "../codec/constants.ts";
import { PestoError } from "../codec/errors.ts";
import { type ListeningPorts, RuleTable, type TablePolicy } from "../codec/table.ts";
import type { Code, Rule, RuleFailure } from "../codec/types.ts";
import type { Backend, Endpoint } from "./backend.ts";
import { EffectiveTable, type PifRules } from "./effective.ts";
import { type RuleOutcome, ruleOutcomes } from "./report.ts";
import { Slices } from "./slices.ts";
import { type AppliedSockets, type ChangeCounts, type PortFailure, SocketSet } from "./socket_set.ts";

/** An interface whose incoming flows are forwarded. */
export interface Pif {
  /** 1 to 255. */
  readonly id: number;
  readonly name: string;
  /** Listens, and connects to targets. Pifs with the same backend share its ports. */
  readonly backend: Backend;
  /** Address for rules without a target of their own. */
  readonly defaultTarget?: string;
  /** Whether targets are looked for where the pif listens, so that a rule could forward to itself. */
  readonly sameNamespace: boolean;
  /** Tells which ports the targets listen on, for scan rules; asked only if there is one. */
  readonly listening?: () => ListeningPorts | Promise<ListeningPorts>;
}

/** New tables, by pif id. */
export type Tables = ReadonlyMap<number, RuleTable>;

/** What validation says about new tables. Rules are counted within their pif's table. */
export type Validity =
  | { readonly kind: "valid" }
  | {
    readonly kind: "invalid";
    readonly code: Code;
    readonly pif: number;
    readonly rule?: number;
    readonly otherPif?: number;
    readonly otherRule?: number;
  };

/** What a change did, or would do. */
export interface ChangeReport {
  readonly counts: ChangeCounts;
  /** The rules that have not got all of their sockets. */
  readonly outcomes: readonly RuleOutcome[];
  /** Whether a rule isn't served as it demands. */
  readonly fault: boolean;
}

/** A change that stands, and can still be taken back. One of the two must be called, once. */
export interface AppliedChange extends ChangeReport {
  /**
   * Makes the new tables the active ones, at once; resolves to the new revision when the sockets that only the old ones
   * had are closed. If `keepTrying`, {@linkcode Forwarder.retryLost} goes on trying for the sockets that failed.
   */
  commit(keepTrying?: boolean): Promise<bigint>;
  /** Brings the old tables' sockets back. Resolves to the rules of the old tables that lost some of theirs. */
  rollback(): Promise<readonly RuleOutcome[]>;
}

/** The rule tables of all pifs and the sockets that serve them. Disposing of it disposes of the backends. */
export class Forwarder implements AsyncDisposable {
  readonly pifs: readonly Pif[];
  readonly #localAddresses: readonly string[];
  readonly #tables = new Map<number, RuleTable>();
  readonly #sets: readonly { set: SocketSet; pifs: readonly Pif[] }[];
  /** What lacks a socket, as the active tables' records count it. */
  #failures: ReadonlyMap<number, readonly RuleFailure[]> = new Map();
  #revision: bigint;
  #busy = false;

  /**
   * `localAddresses` are this machine's, so that a rule to one of its own listeners is recognised; `revision` is the one
   * before the first table's.
   */
  constructor(pifs: readonly Pif[], localAddresses: readonly string[] = [], revision = 0n) {
    this.#revision = revision;
    this.pifs = pifs;
    this.#localAddresses = localAddresses;
    for (const { id } of pifs) this.#tables.set(id, RuleTable.of([]));
    this.#sets = [...Map.groupBy(pifs, ({ backend }) => backend)].map(([backend, pifs]) => ({
      set: new SocketSet(backend, EffectiveTable.of([])),
      pifs,
    }));
  }

  /** Grows with every committed change. */
  get revision(): bigint {
    return this.#revision;
  }

  /** Whether a change is under way or stands uncommitted. */
  get busy(): boolean {
    return this.#busy;
  }

  /** The active table of a pif; it stays the forwarder's. */
  table(pif: number): RuleTable {
    const table = this.#tables.get(pif);
    if (table === undefined) throw new RangeError(`Can't find the table of pif ${pif}: there is no such pif`);
    return table;
  }

  /** What a pif can do: what its backend can, and scan if there is a way to find out what targets listen on. */
  capabilities({ backend, listening }: Pif): number {
    return backend.capabilities | (listening === undefined ? 0 : CAPABILITY.SCAN);
  }

  /**
   * Checks new tables without touching anything. A pif must exist to be asked about. What may race: another change may be
   * committed meanwhile, and what is said of pifs that `tables` doesn't name is then of the past.
   */
  async validate(tables: Tables): Promise<Validity> {
    const slices = new Slices();
    for (const pif of this.pifs) {
      const table = tables.get(pif.id);
      if (table === undefined) continue;
      const verdict = await slices.run(table.validating(this.#policy(pif)));
      if (verdict.kind === "invalid") return { ...verdict, pif: pif.id };
    }
    for (const { pifs } of this.#sets) {
      const conflict = await this.#conflictAmong(pifs, tables, slices);
      if (conflict.kind === "invalid") return conflict;
    }
    return { kind: "valid" };
  }

  /** What {@linkcode apply} would do, with the binds tried on spare sockets. Changes nothing. The tables must be valid. */
  async check(tables: Tables): Promise<ChangeReport> {
    const results = [];
    for (const { set, pifs } of this.#sets) {
      using next = await this.#effective(pifs, tables);
      results.push(await set.check(next));
    }
    return await this.#report(results, tables);
  }

  /**
   * Brings the sockets to new tables, which must be valid.
   *
   * @throws {PestoError} (as a rejection) with the code `busy` while another change is under way
   */
  async apply(tables: Tables): Promise<AppliedChange> {
    const applied = await this.#change(tables);
    const report = await this.#report(applied, tables);
    const effective = applied.map(({ table }) => table);
    this.#noteStatus(tables, report.outcomes, effective);
    return {
      ...report,
      commit: async (keepTrying) => {
        const closing = applied.map((change) => change.commit(keepTrying));
        for (const [pif, table] of tables) {
          this.table(pif)[Symbol.dispose]();
          this.#tables.set(pif, table);
        }
        this.#failures = byPif(report.outcomes);
        const revision = ++this.#revision;
        const others = new Map([...this.#tables].filter(([pif]) => !tables.has(pif)));
        this.#noteStatus(others, report.outcomes, effective);
        await Promise.all(closing);
        this.#busy = false;
        return revision;
      },
      rollback: async () => {
        const lost: PortFailure[] = [];
        for (const change of applied.toReversed()) lost.push(...await change.rollback());
        for (const table of tables.values()) table[Symbol.dispose]();
        await this.#settle();
        return await ruleOutcomes(lost, (pif, rule) => this.table(pif).rule(rule));
      },
    };
  }

  /** Whether there is a scan rule, so that {@linkcode rescan} has something to do. */
  get scans(): boolean {
    return this.#sets.some(({ set }) => set.table.scans);
  }

  /** Whether a socket of the kernel's list is one of a backend's own, which no scan rule may take for a target's. */
  owns(backend: Backend, { protocol, address, port }: Endpoint): boolean {
    const addresses = address === "::" ? ["::", "*"] : [address];
    return this.#sets.some(({ set }) =>
      set.backend === backend && addresses.some((address) => set.listener({ protocol, address, port }) !== undefined)
    );
  }

  /** Opens and closes the sockets of scan rules as ports in the targets come into use and go out of it. */
  async rescan(): Promise<void> {
    const change = await this.#change(new Map());
    await Promise.all(change.map((applied) => applied.commit()));
    await this.#settle();
  }

  /** Whether a rollback has lost sockets that aren't back yet, so that {@linkcode retryLost} has something to do. */
  get hasLost(): boolean {
    return this.#sets.some(({ set }) => set.hasLost);
  }

  /** Tries to get back what a rollback has lost. Resolves to what it got. */
  async retryLost(): Promise<Endpoint[]> {
    if (this.#busy) return [];
    this.#busy = true;
    try {
      const regained: Endpoint[] = [];
      for (const { set } of this.#sets) regained.push(...await set.retryLost());
      return regained;
    } finally {
      await this.#settle();
    }
  }

  /**
   * The ports of a pif's active table that have no socket, in the order of its rules. Like the status of the rules, that
   * is what the last change has left: nothing of one that is under way, or stands uncommitted.
   */
  failures(pif: number): readonly RuleFailure[] {
    return this.#failures.get(pif) ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { set } of this.#sets) await set.backend[Symbol.asyncDispose]();
  }

  /** Brings all sockets to new tables; {@linkcode #settle} must follow. */
  async #change(tables: Tables): Promise<AppliedSockets[]> {
    if (this.#busy) throw new PestoError("busy", "Can't apply a table: another one is applied and not yet committed");
    this.#busy = true;
    const applied: AppliedSockets[] = [];
    try {
      for (const { set, pifs } of this.#sets) applied.push(await set.apply(await this.#effective(pifs, tables)));
      return applied;
    } catch (error) {
      for (const change of applied.toReversed()) await change.rollback();
      this.#busy = false;
      throw error;
    }
  }

  async #settle(): Promise<void> {
    const outcomes = await ruleOutcomes(
      this.#sets.flatMap(({ set }) => [...set.failures()]),
      (pif, rule) => this.table(pif).rule(rule),
    );
    this.#noteStatus(this.#tables, outcomes, this.#sets.map(({ set }) => set.table));
    this.#failures = byPif(outcomes);
    this.#busy = false;
  }

  #policy(pif: Pif): TablePolicy {
    const { defaultTarget, sameNamespace } = pif;
    const policy = {
      capabilities: this.capabilities(pif),
      maxRules: MAX_RULES,
      maxSockets: MAX_SOCKETS,
      sameNamespace,
      localAddresses: this.#localAddresses,
    };
    return defaultTarget === undefined ? policy : { ...policy, defaultTarget };
  }

  #tablesOf(pifs: readonly Pif[], tables: Tables): RuleTable[] {
    return pifs.map(({ id }) => tables.get(id) ?? this.table(id));
  }

  /** What these pifs want from the kernel; made in slices, from tables that may be disposed of meanwhile. */
  async #effective(pifs: readonly Pif[], tables: Tables, slices = new Slices()): Promise<EffectiveTable> {
    using shared = new DisposableStack();
    const own = this.#tablesOf(pifs, tables).map((table) => shared.use(table.share()));
    const parts: PifRules[] = [];
    for (const [index, { id, defaultTarget, listening }] of pifs.entries()) {
      const table = own[index];
      if (table === undefined) continue;
      const scans = listening !== undefined && await slices.run(table.scanning());
      parts.push({
        pif: id,
        table,
        ...(defaultTarget !== undefined && { defaultTarget }),
        ...(scans && { listening: await listening() }),
      });
    }
    return await slices.run(EffectiveTable.making(parts));
  }

  /** Each pif's table is valid by itself; what's left is that two of them want the same endpoint. */
  async #conflictAmong(pifs: readonly Pif[], tables: Tables, slices: Slices): Promise<Validity> {
    if (this.#tablesOf(pifs, tables).filter(({ length }) => length > 0).length < 2) return { kind: "valid" };
    using all = await this.#effective(pifs, tables, slices);
    const verdict = await slices.run(all.table.validating({
      capabilities: ALL_CAPABILITIES,
      maxRules: all.table.length,
      maxSockets: 0xffffffff,
      sameNamespace: false,
    }));
    if (verdict.kind === "valid" || verdict.rule === undefined) return { kind: "valid" };
    const place = all.place(verdict.rule);
    if (verdict.otherRule === undefined) return { kind: "invalid", code: verdict.code, ...place };
    const other = all.place(verdict.otherRule);
    return { kind: "invalid", code: verdict.code, ...place, otherPif: other.pif, otherRule: other.rule };
  }

  async #report(
    results: readonly { counts: ChangeCounts; failures: readonly PortFailure[] }[],
    tables: Tables,
  ): Promise<ChangeReport> {
    const outcomes = await ruleOutcomes(
      results.flatMap(({ failures }) => failures),
      (pif, rule): Rule => (tables.get(pif) ?? this.table(pif)).rule(rule),
    );
    const total = (name: keyof ChangeCounts) => results.reduce((sum, { counts }) => sum + counts[name], 0);
    return {
      counts: {
        kept: total("kept"),
        opened: total("opened"),
        retired: total("retired"),
        failed: total("failed"),
        rebound: total("rebound"),
      },
      outcomes,
      fault: outcomes.some(({ fault }) => fault),
    };
  }

  /**
   * Writes into the records of these tables what their sockets are doing, for listings. `outcomes` are all that there
   * are, and `effective` the effective tables. In one go, so that no listing shows what isn't so.
   */
  #noteStatus(
    tables: Tables,
    outcomes: readonly RuleOutcome[],
    effective: readonly EffectiveTable[],
  ): void {
    for (const [id, table] of tables) for (const made of effective) made.noteStatus(id, table);
    for (const { pif, rule, status, failedPorts } of outcomes) tables.get(pif)?.setStatus(rule, status, failedPorts);
  }
}

function byPif(outcomes: readonly RuleOutcome[]): ReadonlyMap<number, readonly RuleFailure[]> {
  return Map.groupBy(outcomes, ({ pif }) => pif);
}
