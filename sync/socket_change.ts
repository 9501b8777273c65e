/**
 * One change of a backend's sockets, from the table in force to the next.
 *
 * Theory of operation. `run` does these steps in this order, for one endpoint after the other:
 *
 *  1. points kept sockets at their new rule,
 *  2. closes the sockets that stand in the way of a new one (released) and opens those (rebound),
 *  3. opens the other new ones, and tries the missing ones again that are still wanted,
 *  4. parks the retired ones: still bound, so that nobody can take their port, but refusing what arrives.
 *
 *     new ── run() ──▶ applied ── commit() ───▶ in force, closing ──▶ over
 *                         └────── rollback() ─▶ taking back ────────▶ over
 *
 * What was done is remembered in lists, so that nothing but a released endpoint needs a bind to come back. All of it runs
 * in slices: whoever relays meanwhile sees each socket either before its step or after it. A commit puts the new table in
 * force before it first waits; what it does then, closing the parked sockets, can't fail.
 *
 * New sockets are among the listeners as soon as they are bound, parked ones until they are closed.
 *
 * @module
 */

import type { EndpointRun } from "../codec/table.ts";
import { type Backend, BindError, type Endpoint, type Listener, type Route } from "./backend.ts";
import type { EffectiveTable, RulePlace } from "./effective.ts";
import { EndpointMap } from "./endpoint_map.ts";
import { type Plan, planOf } from "./plan.ts";
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

/** What a change works on. */
export interface Sockets {
  readonly backend: Backend;
  /** The table in force. */
  table: EffectiveTable;
  readonly listeners: EndpointMap<Listener>;
  /** Endpoints of the table in force without a socket. */
  missing: EndpointMap<PortFailure>;
  /** Those of them that are tried again and again: they had a socket, or have to be got for another reason. */
  lost: EndpointMap<PortFailure>;
}

/** An endpoint and the index of the new rule that wants it. */
interface Wanted {
  readonly endpoint: Endpoint;
  readonly rule: number;
}

/** What is to be done, in full. */
interface Work {
  readonly plan: Plan;
  /** Missing endpoints that the next table wants as well. */
  readonly missing: readonly Wanted[];
}

/** A change whose sockets stand after `run`, and which can still be taken back. One of the two must be called, once. */
export class SocketChange {
  readonly failures: PortFailure[] = [];
  readonly #sockets: Sockets;
  readonly #next: EffectiveTable;
  readonly #missing = new EndpointMap<PortFailure>();
  readonly #rerouted: { readonly listener: Listener; readonly before: Route }[] = [];
  readonly #released: { readonly endpoint: Endpoint; readonly route: Route }[] = [];
  readonly #opened: Listener[] = [];
  readonly #parked: Listener[] = [];
  #counts: ChangeCounts = { kept: 0, opened: 0, retired: 0, failed: 0, rebound: 0 };

  /** Takes `next` over. */
  constructor(sockets: Sockets, next: EffectiveTable) {
    this.#sockets = sockets;
    this.#next = next;
  }

  /** Known once it has run. */
  get counts(): ChangeCounts {
    return this.#counts;
  }

  /** Brings the sockets to the next table; takes all of it back if the backend breaks. */
  async run(): Promise<void> {
    try {
      await this.#run();
    } catch (error) {
      await this.rollback();
      throw error;
    }
  }

  /**
   * The new table is in force as soon as this returns; it resolves when the parked sockets are closed. If `keepTrying`,
   * failed endpoints count as lost ones.
   */
  async commit(keepTrying: boolean): Promise<void> {
    const sockets = this.#sockets;
    sockets.table[Symbol.dispose]();
    sockets.table = this.#next;
    sockets.missing = this.#missing;
    sockets.lost = keepTrying ? this.#missing : new EndpointMap();
    await inSlices(this.#parked, new Slices(), (listener) => {
      sockets.listeners.delete(listener.endpoint);
      listener.close();
    });
  }

  /** The old table is in force again. Resolves to the endpoints that could not be bound again. */
  async rollback(): Promise<readonly PortFailure[]> {
    const { backend, table, listeners, missing, lost } = this.#sockets;
    const slices = new Slices();
    await inSlices(this.#parked, slices, (listener) => {
      listener.parked = false;
    });
    await inSlices(this.#opened, slices, (listener) => {
      const { endpoint } = listener;
      if (missing.delete(endpoint)) {
        // The old table wants this endpoint as well, and lacked it: the new socket is its gain.
        lost.delete(endpoint);
        listener.route = table.route(table.match(endpoint));
      } else {
        listeners.delete(endpoint);
        listener.close();
      }
    });
    const failures: PortFailure[] = [];
    await inSlices(this.#released, slices, async ({ endpoint, route }) => {
      try {
        listeners.set(endpoint, await backend.open(endpoint, route));
      } catch (error) {
        const failure = { ...table.place(table.match(endpoint)), endpoint, error: bindError(error) };
        missing.set(endpoint, failure);
        lost.set(endpoint, failure);
        failures.push(failure);
      }
    });
    await inSlices(this.#rerouted, slices, ({ listener, before }) => {
      listener.route = before;
    });
    this.#next[Symbol.dispose]();
    return failures;
  }

  async #run(): Promise<void> {
    const { table, listeners } = this.#sockets;
    const next = this.#next;
    const slices = new Slices();
    const { plan, missing } = await workOf(this.#sockets, next, slices);
    const { runs } = plan;
    await eachPort(runs.of("moved"), slices, ({ newRule }, port) => {
      const listener = listeners.get(next.endpoint(newRule, port));
      if (listener === undefined) return;
      this.#rerouted.push({ listener, before: listener.route });
      listener.route = next.route(newRule);
    });
    await eachPort(runs.of("released"), slices, ({ oldRule }, port) => {
      const endpoint = table.endpoint(oldRule, port);
      const listener = listeners.get(endpoint);
      if (listener === undefined) return;
      this.#released.push({ endpoint, route: listener.route });
      listener.close();
      listeners.delete(endpoint);
    });
    const open = ({ newRule }: { readonly newRule: number }, port: number) =>
      this.#open(next.endpoint(newRule, port), newRule);
    await eachPort(runs.of("rebound"), slices, open);
    await eachPort(runs.of("opened"), slices, open);
    await inSlices(missing, slices, ({ endpoint, rule }) => this.#open(endpoint, rule));
    await eachPort(runs.of("retired"), slices, ({ oldRule }, port) => {
      const listener = listeners.get(table.endpoint(oldRule, port));
      if (listener === undefined) return;
      listener.parked = true;
      this.#parked.push(listener);
    });
    this.#counts = countsOf(this.#sockets, { plan, missing }, this.failures.length);
  }

  /** Waits only if the backend has to: thousands of ports are opened one after the other. */
  #open(endpoint: Endpoint, rule: number): void | Promise<void> {
    try {
      const listener = this.#sockets.backend.open(endpoint, this.#next.route(rule));
      if (listener instanceof Promise) return this.#openLater(endpoint, rule, listener);
      this.#stands(listener);
    } catch (error) {
      this.#fails(endpoint, rule, error);
    }
  }

  async #openLater(endpoint: Endpoint, rule: number, listener: Promise<Listener>): Promise<void> {
    try {
      this.#stands(await listener);
    } catch (error) {
      this.#fails(endpoint, rule, error);
    }
  }

  #stands(listener: Listener): void {
    this.#opened.push(listener);
    this.#sockets.listeners.set(listener.endpoint, listener);
  }

  #fails(endpoint: Endpoint, rule: number, error: unknown): void {
    const failure = { ...this.#next.place(rule), endpoint, error: bindError(error) };
    this.failures.push(failure);
    this.#missing.set(endpoint, failure);
  }
}

/** What {@linkcode SocketChange.run} would do, tried on spare sockets; changes nothing. */
export async function tryChange(
  sockets: Sockets,
  next: EffectiveTable,
): Promise<{ readonly counts: ChangeCounts; readonly failures: readonly PortFailure[] }> {
  const slices = new Slices();
  const work = await workOf(sockets, next, slices);
  const failures: PortFailure[] = [];
  const probe = async (endpoint: Endpoint, rule: number) => {
    try {
      await sockets.backend.probe(endpoint);
    } catch (error) {
      failures.push({ ...next.place(rule), endpoint, error: bindError(error) });
    }
  };
  await eachPort(
    work.plan.runs.of("opened"),
    slices,
    ({ newRule }, port) => probe(next.endpoint(newRule, port), newRule),
  );
  await inSlices(work.missing, slices, ({ endpoint, rule }) => probe(endpoint, rule));
  return { counts: countsOf(sockets, work, failures.length), failures };
}

/** Backends promise to reject with nothing else; anything else is a fault and must not pass for a busy port. */
export function bindError(error: unknown): BindError {
  if (error instanceof BindError) return error;
  throw error;
}

/** Does something small with one after the other, in slices. */
export async function inSlices<Item>(
  items: Iterable<Item>,
  slices: Slices,
  step: (item: Item) => void | Promise<void>,
): Promise<void> {
  for (const item of items) {
    const pending = step(item);
    if (pending !== undefined) await pending;
    if (slices.overAfterSmallStep()) await slices.next();
  }
}

/** Does something small with every port of these runs, in slices. */
async function eachPort<Run extends EndpointRun>(
  runs: Iterable<Run>,
  slices: Slices,
  step: (run: Run, port: number) => void | Promise<void>,
): Promise<void> {
  for (const run of runs) {
    for (let port = run.first; port <= run.last; port++) {
      const pending = step(run, port);
      if (pending !== undefined) await pending;
      if (slices.overAfterSmallStep()) await slices.next();
    }
  }
}

async function workOf({ table, missing }: Sockets, next: EffectiveTable, slices: Slices): Promise<Work> {
  const plan = planOf(await slices.run(table.table.diffing(next.table)));
  const wanted: Wanted[] = [];
  await inSlices(missing.values(), slices, ({ endpoint }) => {
    const rule = next.match(endpoint);
    if (rule >= 0) wanted.push({ endpoint, rule });
  });
  return { plan, missing: wanted };
}

/** To a diff, missing endpoints are like others. They count as opened when they are still wanted, and else not at all. */
function countsOf({ missing }: Sockets, { plan, missing: wanted }: Work, failed: number): ChangeCounts {
  return {
    kept: plan.kept - wanted.length,
    opened: plan.opened + wanted.length - failed,
    retired: plan.retired - (missing.size - wanted.length),
    failed,
    rebound: plan.rebound,
  };
}
