/**
 * The sockets of one backend, brought from one effective table to the next.
 *
 * Theory of operation. Every endpoint of the table in force either has a listener or is *missing*, with the error of
 * the last attempt. `apply` takes a new table and, in this order,
 *
 *  1. points kept sockets at their new rule,
 *  2. closes the sockets that stand in the way of a new one (released) and opens those (rebound),
 *  3. opens the other new ones, and tries the missing ones again that are still wanted,
 *  4. parks the retired ones: still bound, so that nobody can take their port, but refusing what arrives.
 *
 *     settled ── apply() ──▶ applied ── commit() ───▶ settled, new table
 *                               └────── rollback() ─▶ settled, old table
 *
 * Invariants: a kept endpoint's socket isn't touched beyond its route. While applied, the sets of step 1 to 4 are
 * remembered, and nothing but a released endpoint needs a bind to come back. Only one change is under way at a time
 * (the forwarder sees to it); established flows belong to the backend and outlive all of this.
 *
 * @module
 */

import { diffTables, type TableDiff } from "../codec/table.ts";
import { type Backend, BindError, type Endpoint, type Listener, type Route } from "./backend.ts";
import type { EffectiveTable, RulePlace } from "./effective.ts";
import { endpointKey } from "./endpoint.ts";
import { Slices } from "./slices.ts";

/** How many endpoints a change touched. */
export interface ChangeCounts {
  readonly kept: number;
  /** Rebound ones included. */
  readonly opened: number;
  readonly retired: number;
  readonly failed: number;
  readonly rebound: number;
}

/** An endpoint that should have a socket and has none. */
export interface PortFailure extends RulePlace {
  readonly endpoint: Endpoint;
  readonly error: BindError;
}

/** A change whose sockets stand, and which can still be taken back. One of the two must be called, once. */
export interface AppliedSockets {
  readonly counts: ChangeCounts;
  readonly failures: readonly PortFailure[];
  /** The new table is in force: parked sockets are closed. If `keepTrying`, failed endpoints count as lost ones. */
  commit(keepTrying?: boolean): void;
  /** The old table is in force again. Resolves to the endpoints that could not be bound again. */
  rollback(): Promise<readonly PortFailure[]>;
}

interface Missing {
  readonly endpoint: Endpoint;
  readonly error: BindError;
  /** Whether it had a socket that a rollback could not bring back, or has to be got for another reason. */
  readonly lost: boolean;
}

/** The sockets of one backend. */
export class SocketSet {
  readonly backend: Backend;
  #table: EffectiveTable;
  #listeners = new Map<string, Listener>();
  #missing = new Map<string, Missing>();

  /** Starts without any socket; `empty` is a table without rules. */
  constructor(backend: Backend, empty: EffectiveTable) {
    this.backend = backend;
    this.#table = empty;
  }

  /** The table in force. */
  get table(): EffectiveTable {
    return this.#table;
  }

  /** Endpoints of the table in force that have no socket. */
  failures(): PortFailure[] {
    return [...this.#missing.values()].map(({ endpoint, error }) => ({
      ...this.#table.place(this.#table.match(endpoint)),
      endpoint,
      error,
    }));
  }

  /** Whether a rollback has lost sockets that aren't back yet. */
  get hasLost(): boolean {
    return [...this.#missing.values()].some(({ lost }) => lost);
  }

  /** Tries to get back what a rollback has lost. Resolves to what it got. */
  async retryLost(): Promise<Endpoint[]> {
    const regained: Endpoint[] = [];
    for (const [key, { endpoint, lost }] of [...this.#missing]) {
      if (!lost) continue;
      try {
        this.#listeners.set(key, await this.backend.open(endpoint, this.#table.route(this.#table.match(endpoint))));
      } catch (error) {
        this.#missing.set(key, { endpoint, error: bindError(error), lost });
        continue;
      }
      this.#missing.delete(key);
      regained.push(endpoint);
    }
    return regained;
  }

  /** The listener of an endpoint of the table in force. */
  listener(endpoint: Endpoint): Listener | undefined {
    return this.#listeners.get(endpointKey(endpoint));
  }

  /** What `apply` would do, tried on spare sockets; changes nothing. Endpoints to be rebound can't be tried. */
  async check(next: EffectiveTable): Promise<{ counts: ChangeCounts; failures: readonly PortFailure[] }> {
    const plan = this.#plan(next);
    const failures: PortFailure[] = [];
    const slices = new Slices();
    for (const { endpoint, rule } of plan.opened) {
      try {
        await this.backend.probe(endpoint);
      } catch (error) {
        failures.push({ ...next.place(rule), endpoint, error: bindError(error) });
      }
      await slices.pause();
    }
    return { counts: counts(plan, failures.length), failures };
  }

  /** Brings the sockets to `next`, which the set owns from then on. */
  async apply(next: EffectiveTable): Promise<AppliedSockets> {
    const plan = this.#plan(next);
    const slices = new Slices();
    const rerouted: { listener: Listener; before: Route }[] = [];
    const released: { endpoint: Endpoint; route: Route }[] = [];
    const opened: { key: string; listener: Listener }[] = [];
    const parked: { key: string; listener: Listener }[] = [];
    const failures: PortFailure[] = [];

    const open = async ({ endpoint, rule }: Wanted) => {
      try {
        const listener = await this.backend.open(endpoint, next.route(rule));
        opened.push({ key: endpointKey(endpoint), listener });
      } catch (error) {
        failures.push({ ...next.place(rule), endpoint, error: bindError(error) });
      }
      await slices.pause();
    };
    const rollback = async (): Promise<readonly PortFailure[]> => {
      const slices = new Slices();
      for (const { listener } of parked) listener.parked = false;
      for (const { key, listener } of opened) {
        const missing = this.#missing.get(key);
        const rule = missing === undefined ? -1 : this.#table.match(missing.endpoint);
        if (rule < 0) {
          listener.close();
        } else {
          // The old table wants this endpoint as well, and lacked it: the new socket is its gain.
          listener.route = this.#table.route(rule);
          this.#listeners.set(key, listener);
          this.#missing.delete(key);
        }
        await slices.pause();
      }
      const lost: PortFailure[] = [];
      for (const { endpoint, route } of released) {
        const key = endpointKey(endpoint);
        try {
          this.#listeners.set(key, await this.backend.open(endpoint, route));
        } catch (cause) {
          const error = bindError(cause);
          this.#missing.set(key, { endpoint, error, lost: true });
          lost.push({ ...this.#table.place(this.#table.match(endpoint)), endpoint, error });
        }
        await slices.pause();
      }
      for (const { listener, before } of rerouted) listener.route = before;
      next[Symbol.dispose]();
      return lost;
    };

    try {
      for (const { endpoint, rule } of plan.moved) {
        const listener = this.#listeners.get(endpointKey(endpoint));
        if (listener === undefined) continue;
        rerouted.push({ listener, before: listener.route });
        listener.route = next.route(rule);
        await slices.pause();
      }
      for (const endpoint of plan.released) {
        const key = endpointKey(endpoint);
        const listener = this.#listeners.get(key);
        if (listener === undefined) continue;
        released.push({ endpoint, route: listener.route });
        listener.close();
        this.#listeners.delete(key);
        await slices.pause();
      }
      for (const wanted of plan.rebound) await open(wanted);
      for (const wanted of plan.opened) await open(wanted);
      for (const endpoint of plan.retired) {
        const key = endpointKey(endpoint);
        const listener = this.#listeners.get(key);
        if (listener === undefined) continue;
        listener.parked = true;
        parked.push({ key, listener });
        await slices.pause();
      }
    } catch (error) {
      await rollback();
      throw error;
    }

    return {
      counts: counts(plan, failures.length),
      failures,
      rollback,
      commit: (keepTrying = false) => {
        for (const { key, listener } of parked) {
          this.#listeners.delete(key);
          listener.close();
        }
        for (const { key, listener } of opened) this.#listeners.set(key, listener);
        this.#missing = new Map(
          failures.map(({ endpoint, error }) => [endpointKey(endpoint), { endpoint, error, lost: keepTrying }]),
        );
        this.#table[Symbol.dispose]();
        this.#table = next;
      },
    };
  }

  /** Missing endpoints count as opened when they are still wanted, as retired ones don't when they aren't. */
  #plan(next: EffectiveTable): Plan {
    const plan = planOf(diffTables(this.#table.table, next.table), this.#table, next);
    let stillWanted = 0;
    for (const { endpoint } of this.#missing.values()) {
      const rule = next.match(endpoint);
      if (rule < 0) continue;
      stillWanted++;
      plan.opened.push({ endpoint, rule });
    }
    plan.kept -= stillWanted;
    plan.retiredCount -= this.#missing.size - stillWanted;
    return plan;
  }
}

/** An endpoint and the index of the new rule that wants it. */
interface Wanted {
  readonly endpoint: Endpoint;
  readonly rule: number;
}

/** A diff spelled out endpoint by endpoint. */
interface Plan {
  /** Endpoints with the same socket afterwards, moved ones included. */
  kept: number;
  retiredCount: number;
  readonly moved: Wanted[];
  readonly opened: Wanted[];
  readonly rebound: Wanted[];
  readonly retired: Endpoint[];
  readonly released: Endpoint[];
}

function planOf(diff: TableDiff, before: EffectiveTable, after: EffectiveTable): Plan {
  const plan: Plan = {
    kept: diff.kept,
    retiredCount: 0,
    moved: [],
    opened: [],
    rebound: [],
    retired: [],
    released: [],
  };
  for (const run of diff.runs) {
    for (let port = run.first; port <= run.last; port++) {
      switch (run.kind) {
        case "moved":
          plan.kept++;
          plan.moved.push({ endpoint: after.endpoint(run.newRule, port), rule: run.newRule });
          break;
        case "opened":
        case "rebound":
          plan[run.kind].push({ endpoint: after.endpoint(run.newRule, port), rule: run.newRule });
          break;
        case "retired":
        case "released":
          plan.retiredCount++;
          plan[run.kind].push(before.endpoint(run.oldRule, port));
          break;
        default:
          run satisfies never;
      }
    }
  }
  return plan;
}

function counts(plan: Plan, failed: number): ChangeCounts {
  return {
    kept: plan.kept,
    opened: plan.opened.length + plan.rebound.length - failed,
    retired: plan.retiredCount,
    failed,
    rebound: plan.rebound.length,
  };
}

/** Backends promise to reject with nothing else; anything else is a fault and must not pass for a busy port. */
function bindError(error: unknown): BindError {
  if (error instanceof BindError) return error;
  throw error;
}
